"""Rows written as CSV: RFC 4180, UTF-8, formulas neutralised, in pieces of about a mebibyte."""

import csv
import io
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Any, Final

from rapport.core import jsons
from rapport.core.csv_cells import LOOK_AT, neutralise
from rapport.core.db import Row
from rapport.customers.models import Customer
from rapport.customers.schemas import view
from rapport.exports.objects.columns import Form
from rapport.exports.parameters import Selection

PIECE_BYTES: Final = 1_048_576
# Rows read at a time: as many as have a quarter of a piece, going by those before.
FIRST_ROWS, MOST_ROWS = 100, 500

Read = Callable[[int], Any]
"""Awaited with a number, returns up to so many of the next rows."""


def json_cell(value: Any) -> str:
    """Return a JSON value as a cell: a text as it is, anything else as compact JSON; null is empty."""
    if value is None:
        return ""
    if isinstance(value, str):
        return neutralise(value) if value[:1] in LOOK_AT else value
    return jsons.encode(value).decode()


def at(root: Any, keys: Iterable[str]) -> Any:
    """Return what the keys lead to in an object, None where they lead nowhere."""
    for key in keys:
        root = root.get(key) if isinstance(root, dict) else None
    return root


class Lines:
    """Makes CSV of rows as a Selection has them."""

    def __init__(self, selection: Selection) -> None:
        """Begin with the header."""
        self._selection = selection
        self._texts = [number for number, form in enumerate(selection.forms) if form is Form.TEXT]
        self._jsons = [number for number, form in enumerate(selection.forms) if form is Form.JSON]
        self._objects = [number for number, form in enumerate(selection.forms) if form is Form.OBJECT]
        self._buffer = io.StringIO(newline="")
        self._writer = csv.writer(self._buffer, lineterminator="\r\n")
        self._writer.writerow([neutralise(name) for name in selection.headers])

    def add(self, rows: Sequence[Row]) -> None:
        """Add rows."""
        self._writer.writerows(map(self._cells, rows))

    def take(self) -> bytes:
        """Return what was added since the last time."""
        written = self._buffer.getvalue().encode()
        self._buffer.seek(0)
        self._buffer.truncate()
        return written

    def _cells(self, row: Row) -> list[Any]:
        width = len(self._selection.forms)
        cells = list(row)
        for number in self._texts:
            text = cells[number]
            if text and text[0] in LOOK_AT:
                cells[number] = neutralise(text)
        for number in self._jsons:
            cells[number] = json_cell(cells[number])
        if self._objects:
            shown = view(Customer(*cells[width:]))
            for number in self._objects:
                cells[number] = json_cell(at(shown, self._selection.keys[number]))
        return cells[:width] if self._objects else cells


async def pieces(
    selection: Selection, read: Read, *, piece_bytes: int = PIECE_BYTES
) -> AsyncIterator[tuple[bytes, int]]:
    """Yield the file in pieces of `piece_bytes` (the last one shorter), each with how many rows were written so far.

    Memory is bounded by a piece and the rows that are read at a time.
    """
    lines, waiting, count, size = Lines(selection), bytearray(), 0, FIRST_ROWS
    while True:
        rows = await read(size)
        lines.add(rows)
        count += len(rows)
        written = lines.take()
        waiting += written
        while len(waiting) >= piece_bytes:
            yield bytes(waiting[:piece_bytes]), count
            del waiting[:piece_bytes]
        if len(rows) < size:
            break
        fitting = size * piece_bytes // (4 * max(1, len(written)))
        size = max(1, min(MOST_ROWS, 2 * size, fitting))
    if waiting:
        yield bytes(waiting), count
