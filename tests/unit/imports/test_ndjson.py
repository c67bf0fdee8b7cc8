"""Lines of JSON: however a file is cut into windows, its rows are the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapport.imports.models import MAX_ROW_BYTES, RawRow
from rapport.imports.ndjson import looks_like, split
from rapport.imports.reading import Dialect, Place

UTF_8 = Dialect("utf-8", "", "", lines=True)
WINDOWS = Dialect("windows-1252", "", "", lines=True)


def in_windows(content: bytes, window: int, limit: int, dialect: Dialect = UTF_8) -> list[RawRow]:
    """Read a file through windows of some bytes, as the steps of an import do; a window grows until a line fits."""
    rows: list[RawRow] = []
    place, size = Place(), window
    while place.offset < len(content):
        at_end = place.offset + size >= len(content)
        found, after = split(content[place.offset : place.offset + size], dialect, place, limit=limit, at_end=at_end)
        size = window if after.offset > place.offset else size * 2
        rows, place = rows + found, after
    return rows


@given(
    st.lists(st.sampled_from(["", " ", "{}", '{"a": "é"}', "x\r"]), max_size=12), st.integers(1, 9), st.integers(1, 4)
)
def test_lines_are_read_through_windows_of_any_size(lines: list[str], window: int, limit: int) -> None:
    content = "\n".join(lines).encode()
    expected = [(line, text.strip()) for line, text in enumerate(lines, start=1) if text.strip()]
    rows = in_windows(content, window, limit)
    assert [(row.line, row.cells[0]) for row in rows] == expected
    assert [row.number for row in rows] == list(range(1, len(rows) + 1))
    assert [row.problem for row in rows] == [None] * len(rows)


@pytest.mark.parametrize("window", [100_000, 10_000_000])
def test_a_line_that_is_too_long_fails_alone(window: int) -> None:
    content = b"{}\n" + b"x" * (3 * MAX_ROW_BYTES) + b"\n{}\n" + b"y" * (MAX_ROW_BYTES + 1)
    rows = in_windows(content, window, 100)
    problem = f"The line is longer than {MAX_ROW_BYTES} bytes"
    assert [(row.line, row.problem) for row in rows] == [(1, None), (2, problem), (3, None), (4, problem)]
    assert len(rows[1].cells[0]) == MAX_ROW_BYTES


def test_bytes_that_are_no_text_fail_alone() -> None:
    rows = in_windows(b'{"a": "\xe9"}\n{"b": "\x00"}\n', 1_000, 10)
    assert [(row.problem, row.cells) for row in rows] == [
        ("The line is not UTF-8", ['{"a": "\N{REPLACEMENT CHARACTER}"}']),
        (None, ['{"b": "\N{REPLACEMENT CHARACTER}"}']),
    ]
    assert in_windows(b'{"a": "\xe9"}\n', 1_000, 10, WINDOWS)[0].cells == ['{"a": "é"}']


def test_a_brace_at_the_beginning_makes_it_json() -> None:
    assert looks_like(b' \n{"a": 1}')
    assert not looks_like(b"source_id,{\n")
    assert not looks_like(b"")
