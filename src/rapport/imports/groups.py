"""Rows that are about one thing: lines of the same order that follow each other. Pure."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from rapport.imports.models import RawRow, Reader
from rapport.imports.reading import Place

Group = list[RawRow]


class Taken(NamedTuple):
    """The groups of a step, and the place after them; `cut`: what the rows are about that are too many to be one."""

    groups: list[Group]
    place: Place
    cut: str | None = None


def grouped(rows: Sequence[RawRow], reader: Reader) -> tuple[list[Group], int]:
    """Return the groups of rows, and which of them the next row of the file might belong to, on to the last.

    A row that cannot be taken apart belongs to the thing that the rows before and after it are about.
    """
    if reader.together == 1:
        return [[row] for row in rows], len(rows)
    groups: list[Group] = []
    unread: Group = []
    name: str | None = None
    last = 0
    for row in rows:
        if row.problem is not None and len(row.cells) == 1 < len(reader.header):
            unread.append(row)
            continue
        found = reader.name_of(row.cells)
        if found is not None and found == name:
            groups[last] += [*unread, row]
        else:
            groups += [[one] for one in unread]
            last = len(groups)
            groups.append([row])
        name, unread = found, []
    return groups + [[one] for one in unread], last


def take(rows: Sequence[RawRow], after: Place, begin: Place, reader: Reader, *, at_end: bool) -> Taken:
    """Return what can be taken of some rows: what may go on in the file is left; nothing if that is all."""
    groups, last = grouped(rows, reader)
    if at_end or last == len(groups):
        return Taken(groups, after)
    first = groups[last][0]
    left = msgspec.structs.replace(after, offset=first.start, line=first.line, number=first.number, skipping=False)
    return Taken(groups[:last], left if last else begin)


def cut(rows: Sequence[RawRow], after: Place, reader: Reader) -> Taken:
    """Return all of the rows as one group that is too long to be read as a whole."""
    names = [reader.name_of(row.cells) for row in rows if row.problem is None]
    return Taken([list(rows)], after, next((name for name in reversed(names) if name is not None), ""))
