"""Rows out of bytes: however a file is cut into windows, its rows are the same."""

import codecs
import csv
import io

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapport.core.csv_cells import neutralise
from rapport.core.errors import RapportError
from rapport.imports.models import MAX_ROW_BYTES, Options, RawRow, UnusableFile
from rapport.imports.options import read_options
from rapport.imports.reading import Dialect, Place, Recoding, begin, split

COMMA = Dialect("utf-8", ",", '"')
cells = st.text(st.sampled_from("ab,;\"'\n \té=+-@"), max_size=8).map(str.strip)
tables = st.lists(st.lists(cells, min_size=3, max_size=3), max_size=12)


def in_windows(content: bytes, window: int, limit: int, *, width: int | None = None) -> list[RawRow]:
    """Read a file through windows of some bytes, as the steps of an import do; a window grows until a row fits."""
    rows: list[RawRow] = []
    place, size = Place(), window
    while place.offset < len(content):
        at_end = place.offset + size >= len(content)
        piece = content[place.offset : place.offset + size]
        found, after = split(piece, COMMA, place, limit=limit, at_end=at_end, width=width)
        size = window if after.offset > place.offset else size * 2
        rows, place = rows + found, after
    return rows


def written(rows: list[list[str]]) -> bytes:
    """Write rows as CSV, formulas harmless."""
    text = io.StringIO()
    csv.writer(text).writerows([neutralise(cell) for cell in row] for row in rows)
    return text.getvalue().encode()


@given(rows=tables, window=st.integers(1, 60), limit=st.integers(1, 5))
def test_what_is_written_is_read_through_windows_of_any_size(rows: list[list[str]], window: int, limit: int) -> None:
    found = in_windows(written(rows), window, limit, width=3)
    assert [list(row.cells) for row in found] == [row for row in rows if any(row)]
    assert [row.number for row in found] == list(range(1, len(found) + 1))
    assert [row.problem for row in found] == [None] * len(found)


@given(content=st.binary(max_size=300), window=st.integers(1, 300))
def test_any_bytes_are_read_and_none_of_it_depends_on_the_windows(content: bytes, window: int) -> None:
    whole, _ = split(content, COMMA, Place(), limit=10_000, at_end=True)
    assert in_windows(content, window, 3) == whole
    lines = [row.line for row in whole]
    assert lines == sorted(set(lines))


def test_a_row_without_an_end_fails_and_the_next_is_read() -> None:
    content = b"a,b\n" + b"x" * (3 * MAX_ROW_BYTES) + b"\nc,d\n" + b'"open\n' + b"y,z\n" * 5
    rows = in_windows(content, 100_000, 100)
    assert [(row.line, row.problem) for row in rows[:4]] == [
        (1, None),
        (2, f"The row is longer than {MAX_ROW_BYTES} bytes"),
        (3, None),
        (4, 'A quote (") is opened in this row and not closed'),
    ]
    assert [list(row.cells) for row in rows[4:]] == [["y", "z"]] * 5


def test_lines_that_each_leave_a_quote_open_end_the_file_before_they_cost_more_than_reading_it() -> None:
    content = b'a",",\n' * 300_000
    rows, place = split(content, COMMA, Place(), limit=1_000, at_end=False)
    assert 0 < len(rows) < 20
    with pytest.raises(UnusableFile, match="Too many quotes"):
        split(content, COMMA, msgspec.structs.replace(place, reread=1_000 * MAX_ROW_BYTES), limit=1_000, at_end=False)


def test_a_quote_that_is_never_closed_does_not_eat_the_file() -> None:
    content = b'"open\n' + b"y,z\n" * 100_000
    rows, place = split(content, COMMA, Place(), limit=3, at_end=False)
    assert [row.problem is None for row in rows] == [False, True, True]
    assert (place.line, place.number) == (4, 4)


@pytest.mark.parametrize(
    ("text", "separator"), [("a,b;c", ","), ("a;b", ";"), ("a\tb,c\td", "\t"), ("a|b", "|"), ("a", ",")]
)
def test_the_separator_is_the_one_that_makes_most_columns(text: str, separator: str) -> None:
    assert begin(text.encode(), Options(), None)[0].separator == separator


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"PK\x03\x04\x14\x00", "ZIP archive"),
        (b"\xd0\xcf\x11\xe0\xa1", "Excel"),
        (b"\x1f\x8b\x08", "compressed"),
        (b"%PDF-1.7", "PDF"),
        ("source_id,name\n".encode("utf-16-le"), "UTF-16 without its mark"),
    ],
)
def test_a_file_that_is_no_text_is_called_what_it_is(content: bytes, told: str) -> None:
    with pytest.raises(UnusableFile) as caught:
        begin(content, Options(), None)
    assert told in caught.value.details


def test_the_mark_between_two_files_put_together_is_no_part_of_a_name() -> None:
    rows = in_windows("a,b\n\ufeffc,d\ufeff\n".encode(), 100, 10)
    assert [list(row.cells) for row in rows] == [["a", "b"], ["c", "d\ufeff"]]


@given(text=st.text(st.characters(codec="utf-8"), max_size=40), cut=st.integers(0, 50))
def test_utf_16_is_recoded_wherever_it_is_cut(text: str, cut: int) -> None:
    for mark, encoding in ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")):
        content = mark + text.encode(encoding)
        recoding = Recoding()
        kept = recoding.feed(content[:cut]) + recoding.feed(content[cut:]) + recoding.feed(b"", final=True)
        assert (kept.decode(), recoding.found) == (text, "utf-16")


def test_half_a_character_of_utf_16_makes_the_row_unreadable() -> None:
    recoding = Recoding()
    kept = recoding.feed(codecs.BOM_UTF16_LE + "a\nb".encode("utf-16-le") + b"x") + recoding.feed(b"", final=True)
    rows, _ = split(kept, COMMA, Place(), limit=9, at_end=True)
    assert [row.problem is None for row in rows] == [True, False]


def test_options_have_names_and_limits() -> None:
    assert read_options({}) == Options()
    given_ = {"mode": "MERGE", "dry_run": "1", "segment_events": "false", "separator": "tab", "quote": "none", "x": "y"}
    assert read_options(given_) == Options(mode="merge", dry_run=True, segment_events=False, separator="\t", quote="")
    for name, value in (("mode", "x"), ("dry_run", "maybe"), ("separator", "ab"), ("separator", "a"), ("quote", "é")):
        with pytest.raises(RapportError, match=f"Option {name} "):
            read_options({name: value})


def test_a_place_is_stored_as_json() -> None:
    place = Place(5, 2, 1, skipping=True)
    assert msgspec.convert(msgspec.to_builtins(place), Place) == place
