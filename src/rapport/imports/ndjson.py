"""Rows out of newline-delimited JSON: one object a line, each failing alone. Pure."""

from typing import Final

from rapport.imports.models import MAX_ROW_BYTES, RawRow
from rapport.imports.reading import Dialect, Place

_NEWLINE: Final = b"\n"


def looks_like(head: bytes) -> bool:
    """Tell whether a file that begins so is newline-delimited JSON."""
    return head.lstrip()[:1] == b"{"


def split(
    window: bytes, dialect: Dialect, place: Place, *, limit: int, at_end: bool, width: int | None = None
) -> tuple[list[RawRow], Place]:
    """Return up to `limit` lines of a window of the file as `reading.split` does, each as a row of one cell."""
    _ = width
    rows: list[RawRow] = []
    position, line, number, skipping = 0, place.line, place.number, place.skipping
    while len(rows) < limit and position < len(window):
        found = window.find(_NEWLINE, position)
        whole = found >= 0 or at_end
        end = found if found >= 0 else len(window)
        too_long = not skipping and end - position > MAX_ROW_BYTES
        if not whole and not skipping and not too_long:
            break
        content = window[position : min(end, position + MAX_ROW_BYTES)].strip()
        if not skipping and content:
            rows.append(_row(content, dialect, line, number, place.offset + position, too_long=too_long))
            number += 1
        position = min(end + 1, len(window))
        skipping = not whole
        line += whole
    return rows, Place(place.offset + position, line, number, skipping)


def _row(content: bytes, dialect: Dialect, line: int, number: int, start: int, *, too_long: bool) -> RawRow:
    encoding = "cp1252" if dialect.encoding == "windows-1252" else "utf-8"
    problem = f"The line is longer than {MAX_ROW_BYTES} bytes" if too_long else None
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        text = content.decode(encoding, "replace")
        problem = problem or "The line is not UTF-8"
    return RawRow(line, number, [text.replace("\x00", "\N{REPLACEMENT CHARACTER}")], problem, None, start)
