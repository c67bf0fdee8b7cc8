"""Files that name customers: CSV with a header, a column `id` or `source_id`, one customer a line. Pure."""

import csv
import io
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from rapport.core.errors import InvalidPayload

MAX_ROWS = 100_000
MAX_NAME_LENGTH = 255
_SHOWN = 10
COLUMNS = ("id", "source_id")


class Named(NamedTuple):
    """The customer whom a line names: `column` is id or source_id."""

    line: int
    column: str
    name: str


class InvalidFile(InvalidPayload):
    """The file cannot be read, or lines in it name nobody; the details say which lines."""


def wrong_lines(problems: Sequence[tuple[int, str]]) -> InvalidFile:
    """Return the error that names the first of the lines with a problem."""
    shown = [f"line {line}: {problem}" for line, problem in problems[:_SHOWN]]
    more = [f"and {len(problems) - _SHOWN} lines more"] if len(problems) > _SHOWN else []
    return InvalidFile("; ".join([*shown, *more]))


def read(content: bytes) -> list[Named]:
    """Return whom a file names, in the order of its lines. Raises InvalidFile.

    Where there are both columns, `id` goes first and `source_id` stands in for an empty one. Other columns and empty
    lines are ignored.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise wrong_lines([(content[: error.start].count(b"\n") + 1, "is not UTF-8")]) from error
    rows = _rows(text)
    _, header = next(rows, (1, []))
    places = {name: header.index(name) for name in COLUMNS if name in header}
    if not places:
        raise InvalidFile("line 1: a header with the column id or source_id is required")
    named: list[Named] = []
    problems: list[tuple[int, str]] = []
    for line, row in rows:
        if len(named) + len(problems) >= MAX_ROWS:
            raise wrong_lines([(line, f"the file has more than {MAX_ROWS} customers")])
        found = _named(line, row, places)
        if isinstance(found, Named):
            named.append(found)
        else:
            problems.append((line, found))
    if problems:
        raise wrong_lines(problems)
    return named


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the number of each line that has anything in it, and its cells; the header's in lower case."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    begun = 0
    is_header = True
    try:
        for row in reader:
            line, begun = begun + 1, reader.line_num
            cells = [cell.strip() for cell in row]
            if any(cells):
                yield line, [cell.lower() for cell in cells] if is_header else cells
                is_header = False
    except csv.Error as error:
        raise wrong_lines([(begun + 1, str(error))]) from error


def _named(line: int, row: list[str], places: dict[str, int]) -> Named | str:
    """Return whom a line names, or what is wrong with it."""
    for column, place in places.items():
        name = row[place] if place < len(row) else ""
        if len(name) > MAX_NAME_LENGTH or "\x00" in name:
            return f"the {column} is longer than {MAX_NAME_LENGTH} characters or holds a NUL character"
        if name:
            return Named(line, column, name)
    return f"there is no {' or '.join(places)}"
