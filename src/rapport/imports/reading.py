"""Rows out of bytes: encodings, separators, quotes, and where each row begins, so that reading goes on anywhere. Pure.

What is read is UTF-8 or Windows-1252: a newline and a quote are one byte each in both. UTF-16 is rewritten as UTF-8 on
its way in.
"""

import codecs
import csv
from collections.abc import Callable, Iterator
from typing import Any, Final, Literal

import msgspec

from rapport.core.csv_cells import MARK, restore
from rapport.imports.models import MAX_ROW_BYTES, Encoding, Options, RawRow, UnusableFile

SEPARATORS: Final = (",", ";", "\t", "|")
MAX_COLUMNS: Final = 1_000
MAX_COLUMN_NAME: Final = 255
_UTF_8: Final = codecs.BOM_UTF8
_UTF_16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_BOM: Final = "\ufeff"
# What begins a file that is no text.
_NO_TEXT: Final = {
    b"PK\x03\x04": "The file is a ZIP archive, as those of Excel (.xlsx) are: save it as CSV",
    b"\xd0\xcf\x11\xe0": "The file is one of Excel (.xls): save it as CSV",
    b"\x1f\x8b": "The file is compressed (gzip): unpack it first",
    b"%PDF-": "The file is a PDF: save it as CSV",
}
_NUL: Final = "The file holds NUL characters: it is no text, or UTF-16 without its mark (BOM); save it as UTF-8"
_LOOK_FOR_NUL: Final = 2
# A row whose quote is not closed is read far beyond its line, and what was read for it is read again. So much in one
# go, and in all beside a multiple of what has been read: else a file of such lines would keep a worker for hours.
_REREAD_AT_ONCE: Final = 4 * MAX_ROW_BYTES
_REREAD_IN_ALL: Final = 256 * MAX_ROW_BYTES
# What an invalid text becomes, so that the row that holds it cannot be read either.
_INVALID: Final = b"\xff"
_UNREADABLE: Final = {
    "utf-8": "The row is not UTF-8: save the file as UTF-8, or import it with encoding=windows-1252",
    "windows-1252": "The row holds bytes that Windows-1252 does not know",
}
# By a part of what the csv module says.
_PROBLEMS: Final = {
    "field larger": "A cell is longer than 131072 characters",
    "unexpected end": "A quote ({}) is opened in this row and not closed",
    "new-line": "The row holds a carriage return outside of quotes",
}
_ASTRAY: Final = (
    "Too many quotes ({}) are opened and not closed, lately above line {}: "
    "name the character that quotes cells (quote), or none"
)


class Dialect(msgspec.Struct, frozen=True):
    """How a file is written. `quote` is empty where there is no quoting."""

    encoding: Literal["utf-8", "windows-1252"]
    separator: str
    quote: str
    newline: Literal["\n", "\r"] = "\n"


class Place(msgspec.Struct, frozen=True):
    """Up to where a file has been read: `offset` in bytes, `line` and `number` of the next row.

    `skipping`: it is in the middle of a line that is too long, whose rest is passed over. `reread`: how many bytes were
    read for rows that could not be read, and then again.
    """

    offset: int = 0
    line: int = 1
    number: int = 1
    skipping: bool = False
    reread: int = 0


class Recoding:
    """Takes a file as it comes and gives it as it is kept: without a mark at its beginning, UTF-16 as UTF-8."""

    def __init__(self) -> None:
        """Start at the beginning of a file."""
        self.found: Encoding | None = None
        self._head: bytes | None = b""
        self._decode: Callable[[bytes, bool], str] | None = None

    def feed(self, piece: bytes, *, final: bool = False) -> bytes:
        """Return what is to be kept of the next piece of the file."""
        if self._head is not None:
            piece = self._head + piece
            if len(piece) < 3 and not final:
                self._head = piece
                return b""
            self._head = None
            piece = self._begin(piece)
        if self._decode is None:
            return piece
        try:
            return self._decode(piece, final).encode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            return _INVALID

    def _begin(self, piece: bytes) -> bytes:
        if piece.startswith(_UTF_8):
            self.found = "utf-8"
            return piece[len(_UTF_8) :]
        if piece.startswith(_UTF_16):
            self.found = "utf-16"
            self._decode = codecs.getincrementaldecoder("utf-16")("surrogatepass").decode
        return piece


def begin(head: bytes, options: Options, found: Encoding | None) -> tuple[Dialect, list[str], Place]:
    """Return how a file is written, its header, and where its rows begin, by what it begins with. Raises UnusableFile.

    `found` is the encoding that a mark at its beginning names.
    """
    if options.encoding == "utf-16" and found != "utf-16":
        raise UnusableFile("The file does not begin with the mark (BOM) of UTF-16")
    encoding: Literal["utf-8", "windows-1252"] = (
        "windows-1252" if options.encoding == "windows-1252" and found is None else "utf-8"
    )
    _check_text(head)
    newline: Literal["\n", "\r"] = "\r" if b"\n" not in head and b"\r" in head else "\n"
    separators = [options.separator] if options.separator else [one for one in SEPARATORS if one != options.quote]
    best: tuple[Dialect, list[str], Place] | None = None
    for separator in separators:
        dialect = Dialect(encoding, separator, options.quote, newline)
        rows, place = split(head, dialect, Place(), limit=1, at_end=True)
        if not rows:
            raise UnusableFile("The file is empty: its first line has to name the columns")
        if rows[0].problem is None and (best is None or len(rows[0].cells) > len(best[1])):
            best = dialect, list(rows[0].cells), msgspec.structs.replace(place, number=1)
    if best is None:
        raise UnusableFile(f"Line {rows[0].line}, the header: {rows[0].problem}")
    while best[1] and not best[1][-1]:
        best[1].pop()
    if len(best[1]) > MAX_COLUMNS:
        raise UnusableFile(f"The header has more than {MAX_COLUMNS} columns")
    return best


def _check_text(head: bytes) -> None:
    """Refuse what people upload in place of a CSV file. Raises UnusableFile."""
    for beginning, told in _NO_TEXT.items():
        if head.startswith(beginning):
            raise UnusableFile(told)
    if b"\0" in head[:_LOOK_FOR_NUL]:
        raise UnusableFile(_NUL)


class _MoreNeeded(Exception):
    """The row goes on beyond what there is."""


class _TooLong(Exception):
    """The row is longer than rows may be."""


class _Lines:
    """The lines of a window, as the csv module asks for them."""

    def __init__(self, window: bytes, dialect: Dialect, position: int, line: int, *, at_end: bool) -> None:
        self.position, self.line, self.start = position, line, position
        self._window, self._at_end = window, at_end
        self._newline = dialect.newline.encode()
        self._encoding = "cp1252" if dialect.encoding == "windows-1252" else "utf-8"

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        end = self.end_of_line(self.position)
        if end - self.start > MAX_ROW_BYTES:
            raise _TooLong
        text = self._window[self.position : end]
        self.position = end
        self.line += 1
        return text.decode(self._encoding)

    def end_of_line(self, position: int) -> int:
        """Return where the line at a position ends. Raises StopIteration at the end of the file, _MoreNeeded."""
        end = self._window.find(self._newline, position) + 1
        if end:
            return end
        if position >= len(self._window) and self._at_end:
            raise StopIteration
        if not self._at_end:
            raise _MoreNeeded
        return len(self._window)

    def first(self) -> bytes:
        """Return the line in which the row begins, as far as it is there."""
        end = self._window.find(self._newline, self.start)
        return self._window[self.start : end if end >= 0 else len(self._window)]

    def to_end(self) -> None:
        """Pass over all that is left of the window."""
        self.position = len(self._window)

    def shown(self, start: int, end: int) -> str:
        """Return some bytes as a text, whatever they are."""
        return self._window[start:end].decode(self._encoding, "replace").replace("\x00", "\N{REPLACEMENT CHARACTER}")


def split(
    window: bytes, dialect: Dialect, place: Place, *, limit: int, at_end: bool, width: int | None = None
) -> tuple[list[RawRow], Place]:
    """Return up to `limit` rows of a window of the file that begins at `place`, and the place after them.

    Empty lines are passed over. A row that cannot be read, or has a value where the header (of `width` cells) has no
    column, comes with its problem; reading goes on with the line after the one it began in. Cells are stripped. Where
    no row is complete the place may stay as it is: call again with more. Raises UnusableFile where quotes lead astray
    all the time.
    """
    rows: list[RawRow] = []
    number, reread = place.number, 0
    lines = _Lines(window, dialect, 0, place.line, at_end=at_end)
    if place.skipping and not _skip(lines):
        return [], msgspec.structs.replace(place, offset=place.offset + len(window))
    parsed = _parser(lines, dialect)
    skipping = False
    while len(rows) < limit:
        lines.start, line = lines.position, lines.line
        try:
            row = _row(line, number, [cell.strip() for cell in next(parsed)], width)
        except StopIteration:
            break
        except _MoreNeeded:
            skipping = len(window) - lines.start > MAX_ROW_BYTES
            if not skipping:
                lines.position, lines.line = lines.start, line
                break
            row = RawRow(line, number, (), _too_long(lines, dialect))
        except (_TooLong, UnicodeDecodeError, csv.Error) as error:
            row = RawRow(line, number, (), _problem(error, lines, dialect))
        if row is None:
            continue
        if row.problem is not None and not row.cells:
            read_to = lines.position
            skipping, row = _resume(lines, row, line)
            parsed = _parser(lines, dialect)
            reread += max(0, read_to - lines.position)
        rows.append(row)
        number += 1
        if skipping or reread > _REREAD_AT_ONCE:
            break
    return rows, _checked(
        Place(place.offset + lines.position, lines.line, number, skipping, place.reread + reread), dialect
    )


def _checked(place: Place, dialect: Dialect) -> Place:
    if place.reread > _REREAD_IN_ALL + 4 * place.offset:
        raise UnusableFile(_ASTRAY.format(dialect.quote, place.line))
    return place


def _parser(lines: _Lines, dialect: Dialect) -> Any:
    quoting: Any = {"quoting": csv.QUOTE_NONE}
    if dialect.quote:
        quoting = {"quotechar": dialect.quote, "doublequote": True}
    return csv.reader(lines, delimiter=dialect.separator, strict=True, **quoting)


def _skip(lines: _Lines) -> bool:
    """Pass over the rest of a line; return whether it ends in this window."""
    try:
        lines.position = lines.end_of_line(0)
    except (_MoreNeeded, StopIteration):
        return False
    lines.line += 1
    return True


def _resume(lines: _Lines, row: RawRow, line: int) -> tuple[bool, RawRow]:
    """Go on after the line in which an unreadable row began; return whether the rest of that is beyond the window."""
    start = lines.start
    try:
        end = lines.end_of_line(start)
    except (_MoreNeeded, StopIteration):
        lines.to_end()
        return True, row
    lines.position, lines.line = end, line + 1
    return False, row._replace(cells=[lines.shown(start, min(end, start + MAX_ROW_BYTES)).rstrip("\r\n")])


def _row(line: int, number: int, cells: list[str], width: int | None) -> RawRow | None:
    if not any(cells):
        return None
    for place, cell in enumerate(cells):
        if "\x00" in cell:
            shown = [one.replace("\x00", "\N{REPLACEMENT CHARACTER}") for one in cells]
            return RawRow(line, number, shown, "The cell holds a NUL character", place)
        if cell.startswith(MARK):
            cells[place] = restore(cell)
    if cells[0].startswith(_BOM):  # where files were put one behind the other
        cells[0] = cells[0].lstrip(_BOM)
    if width is not None and len(cells) != width:
        if any(cells[width:]):
            problem = f"The row has {len(cells)} cells, but the header names {width} columns"
            return RawRow(line, number, cells, problem)
        cells = cells[:width] + [""] * (width - len(cells))
    return RawRow(line, number, cells)


def _too_long(lines: _Lines, dialect: Dialect) -> str:
    if dialect.quote and lines.position > lines.start and dialect.quote.encode() in lines.first():
        return f"A quote ({dialect.quote}) is opened in this row and not closed"
    return f"The row is longer than {MAX_ROW_BYTES} bytes"


def _problem(error: Exception, lines: _Lines, dialect: Dialect) -> str:
    if isinstance(error, _TooLong):
        return _too_long(lines, dialect)
    if isinstance(error, UnicodeDecodeError):
        return _UNREADABLE[dialect.encoding]
    for part, problem in _PROBLEMS.items():
        if part in str(error):
            return problem.format(dialect.quote)
    return f"A quote ({dialect.quote}) inside of a quoted cell has to be doubled"
