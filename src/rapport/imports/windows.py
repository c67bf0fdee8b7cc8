"""What a step reads of a file: as many rows as it takes, and those after them while the database takes these in.

What is read ahead is held in memory only, and used where the next step begins at its place, with its schemas.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from rapport.core.db import Connection
from rapport.imports import ndjson, queries
from rapport.imports.groups import Group, Taken, cut, take
from rapport.imports.models import Import, RawRow, Reader, RowFailed, UnusableFile
from rapport.imports.reading import Dialect, Place, split

_SMALLEST = 65_536
_LARGEST = 1_048_576
# How many files are read ahead at once; others are read when their turn comes.
_HELD = 4
# So many rows are read before whatever else waits has its turn.
_AT_A_STRETCH = 100


class Source(NamedTuple):
    """The file of an import, and how it is read."""

    one: Import
    dialect: Dialect
    reader: Reader


class Window(NamedTuple):
    """Rows from `begin` on, and what they say: by the number of a group's first row, as far as that is known."""

    begin: Place
    reader: Reader
    taken: Taken
    said: dict[int, Any]


class Windows:
    """Reads files on, each as many rows as `size` says for its project."""

    def __init__(self, size: Callable[[int], int]) -> None:
        """Begin with nothing."""
        self._size = size
        self._ahead: OrderedDict[str, Window] = OrderedDict()

    async def next(self, conn: Connection, project_id: int, source: Source, begin: Place) -> Window:
        """Return the rows from a place on. Raises UnusableFile."""
        ahead = self._ahead.pop(source.one.id, None)
        if ahead is not None and ahead.begin == begin and ahead.reader.schemas == source.reader.schemas:
            return ahead._replace(reader=source.reader)
        each = begin.offset // begin.number + 1
        size = self._size(project_id)
        window = max(_SMALLEST, min(_LARGEST, each * size * 5 // 4))
        rows: list[RawRow] = []
        after = begin
        for length, limit in ((window, size), (_LARGEST, max(size, source.reader.together + 1))):
            content = await _content(conn, project_id, source.one, begin, length)
            rows, after = _split(content, source, begin, limit)
            taken = _taken(rows, after, begin, source)
            if taken.place.offset > begin.offset:
                return Window(begin, source.reader, taken, {})
        return Window(begin, source.reader, cut(rows, after, source.reader) if rows else Taken([], after), {})

    @asynccontextmanager
    async def reading_on(
        self, conn: Connection, project_id: int, source: Source, window: Window
    ) -> AsyncIterator[None]:
        """Read what comes after a window, for the next step, while this one is applied."""
        begin = window.taken.place
        if window.taken.cut is not None or begin.skipping or begin.offset >= source.one.size_bytes:
            yield
            return
        rows = sum(map(len, window.taken.groups)) or 1
        size = self._size(project_id)
        length = (begin.offset - window.begin.offset) * size // rows * 5 // 4
        content = await _content(conn, project_id, source.one, begin, max(_SMALLEST, min(_LARGEST, length)))
        reading = asyncio.create_task(_read(content, source, begin, size))
        try:
            yield
            ahead = await reading
        finally:
            if not reading.done():
                reading.cancel()
                await asyncio.wait([reading])
        if ahead is not None:
            self._ahead[source.one.id] = ahead
            if len(self._ahead) > _HELD:
                self._ahead.popitem(last=False)


async def _content(conn: Connection, project_id: int, one: Import, begin: Place, length: int) -> bytes:
    wanted = min(length, one.size_bytes - begin.offset)
    content = await queries.read_bytes(conn, project_id, one.id, begin.offset, wanted) if wanted else b""
    if len(content) < wanted:
        raise UnusableFile("What was still to be read of the file has been removed")
    return content


def _split(content: bytes, source: Source, begin: Place, limit: int) -> tuple[list[RawRow], Place]:
    rows_of = ndjson.split if source.dialect.lines else split
    at_end = begin.offset + len(content) >= source.one.size_bytes
    return rows_of(content, source.dialect, begin, limit=limit, at_end=at_end, width=len(source.one.columns))


def _taken(rows: list[RawRow], after: Place, begin: Place, source: Source) -> Taken:
    return take(rows, after, begin, source.reader, at_end=after.offset >= source.one.size_bytes)


async def _read(content: bytes, source: Source, begin: Place, size: int) -> Window | None:
    """Read up to `size` rows and what they say, a few at a time; None where that takes more than is there."""
    rows: list[RawRow] = []
    after = begin
    while len(rows) < size:
        await asyncio.sleep(0)
        try:
            more, place = _split(
                content[after.offset - begin.offset :], source, after, min(_AT_A_STRETCH, size - len(rows))
            )
        except UnusableFile:
            return None  # the next step finds out by itself
        after = place
        if not more:
            break
        rows += more
    taken = _taken(rows, after, begin, source)
    if taken.place.offset == begin.offset:
        return None
    return Window(begin, source.reader, taken, await _understood(source.reader, taken.groups))


async def _understood(reader: Reader, groups: list[Group]) -> dict[int, Any]:
    said: dict[int, Any] = {}
    for number, group in enumerate(groups):
        if number % _AT_A_STRETCH == 0:
            await asyncio.sleep(0)
        try:
            if all(row.problem is None for row in group):
                said[group[0].number] = reader.read(*(row.cells for row in group))
        except RowFailed:
            continue  # what is wrong is told in its turn
    return said
