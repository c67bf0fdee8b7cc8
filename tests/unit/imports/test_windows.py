"""Reading ahead: whatever is read before its turn is what would have been read in its turn."""

import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from rapport.imports import windows
from rapport.imports.models import Import, RawRow, RowFailed
from rapport.imports.reading import Dialect, Place, split
from rapport.imports.windows import Source, Window, Windows

COMMA = Dialect("utf-8", ",", '"')


class Reader:
    """Understands rows by the schemas it has; those about the same in their first cell belong together."""

    header = ("a", "b")

    def __init__(self, together: int, schemas: str = "one") -> None:
        self.together, self.schemas = together, schemas

    def read(self, *rows: Sequence[str]) -> Any:
        """Return the rows and the schemas."""
        if any("bad" in cells for cells in rows):
            raise RowFailed("bad")
        return self.schemas, *map(tuple, rows)

    def name_of(self, cells: Sequence[str]) -> str | None:
        """Return the first cell."""
        return cells[0] if cells else None


def a_file(rng: random.Random) -> bytes:
    """Return lines, some of them broken."""
    odd = ['x"y,1', '"open,2', "1,2,3", "", "bad,1", "\xff\xfe,1", 'q,"two\nlines"', "z" * rng.randrange(3_000)]
    lines = [rng.choice(odd) if rng.random() < 0.1 else f"{rng.randrange(9)},{number}" for number in range(300)]
    return "\n".join(lines).encode("latin-1")


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], Import]:
    """Store a file where windows are read from."""

    def store(content: bytes) -> Import:
        async def read_bytes(_conn: Any, _project: int, _id: str, first: int, length: int) -> bytes:
            return content[first : first + length]

        monkeypatch.setattr(windows.queries, "read_bytes", read_bytes)
        monkeypatch.setattr(windows, "_SMALLEST", 256)
        monkeypatch.setattr(windows, "_AT_A_STRETCH", 7)
        whole: dict[str, Any] = dict.fromkeys(Import.__struct_fields__)
        return Import(**whole | {"id": "imp_1", "size_bytes": len(content), "columns": ["a", "b"]})

    return store


def a_step_after(window: Window, one: Import) -> Place | None:
    """Return where the next step begins, or None at the end of the file."""
    return window.taken.place if window.taken.place.offset < one.size_bytes else None


@pytest.mark.parametrize("together", [1, 3])
@pytest.mark.parametrize("seed", range(25))
async def test_rows_are_the_same_with_and_without_reading_ahead_also_when_steps_fail(
    stored: Callable[[bytes], Import], together: int, seed: int
) -> None:
    rng = random.Random(seed)
    content = a_file(rng)
    one = stored(content)
    reading = Windows(lambda _: rng.choice([2, 10, 60]))
    rows: list[RawRow] = []
    said: dict[int, Any] = {}
    ahead = 0
    place: Place | None = Place()
    while place is not None:
        source = Source(one, COMMA, Reader(together))
        window = await reading.next(None, 1, source, place)
        assert window.reader is source.reader
        ahead += bool(window.said)
        fails = rng.random() < 0.2
        try:
            async with reading.reading_on(None, 1, source, window):
                assert not fails
        except AssertionError:
            assert fails
        if not fails or rng.random() < 0.2:  # what is not committed comes again, whatever has been read ahead
            rows += [row for group in window.taken.groups for row in group]
            said |= window.said
            place = a_step_after(window, one)
    whole, _ = split(content, COMMA, Place(), limit=10_000, at_end=True, width=2)
    assert rows == whole
    assert ahead > 2
    by_number = {row.number: row for row in whole}
    assert all(cells[1] == tuple(by_number[number].cells) for number, (*cells,) in said.items())
    assert not [number for number in said if by_number[number].problem or "bad" in by_number[number].cells]


async def test_what_was_read_by_other_schemas_or_elsewhere_is_read_again(stored: Callable[[bytes], Import]) -> None:
    one = stored(b"".join(b"%d,x\n" % number for number in range(100)))
    reading = Windows(lambda _: 10)

    async def ahead() -> Place:
        source = Source(one, COMMA, Reader(1))
        window = await reading.next(None, 1, source, Place())
        async with reading.reading_on(None, 1, source, window):
            pass
        return window.taken.place

    place = await ahead()
    assert (await reading.next(None, 1, Source(one, COMMA, Reader(1)), place)).said
    place = await ahead()
    assert not (await reading.next(None, 1, Source(one, COMMA, Reader(1, "two")), place)).said
    await ahead()
    assert not (await reading.next(None, 1, Source(one, COMMA, Reader(1)), Place())).said


async def test_only_a_few_files_are_read_ahead_at_once(stored: Callable[[bytes], Import]) -> None:
    one = stored(b"".join(b"%d,x\n" % number for number in range(100)))
    reading = Windows(lambda _: 10)
    for number in range(20):
        named = Source(
            Import(*[getattr(one, name) if name != "id" else f"imp_{number}" for name in Import.__struct_fields__]),
            COMMA,
            Reader(1),
        )
        window = await reading.next(None, 1, named, Place())
        async with reading.reading_on(None, 1, named, window):
            pass
    assert len(reading._ahead) == windows._HELD
