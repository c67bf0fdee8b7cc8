"""The rows of an export, read from one snapshot: for files that are kept, and for the command line."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

from rapport.core.db import Connection
from rapport.core.errors import NotFound, RapportError
from rapport.exports import queries
from rapport.exports.parameters import MAX_METADATA_COLUMNS, Wanted, select, select_rows
from rapport.exports.writing import PIECE_BYTES, pieces
from rapport.segments import queries as segments


class TooManyColumns(RapportError):
    """The metadata have more keys than a file has columns."""

    message = f"The metadata have more than {MAX_METADATA_COLUMNS} keys: name those wanted as fields metadata.X"


@dataclass(frozen=True, slots=True)
class Opened:
    """A file about to be written: `total` rows (None where nobody counted them), then its pieces."""

    total: int | None
    pieces: AsyncIterator[tuple[bytes, int]]


async def require_segments(conn: Connection, project_id: int, wanted: Wanted) -> None:
    """See that the segments that an export names exist. Raises NotFound."""
    named = wanted.segment_ids
    if named:
        known = await segments.existing(conn, project_id, named)
        for unknown in sorted(named - known.keys()):
            raise NotFound("segment", unknown)


async def open_rows(
    conn: Connection,
    project_id: int,
    wanted: Wanted,
    offset: timedelta,
    *,
    counted: bool = False,
    piece_bytes: int = PIECE_BYTES,
) -> Opened:
    """Begin to read an export in a snapshot that nothing was read from yet; all of it is as of this moment.

    Raises NotFound for a segment that is gone, TooManyColumns.
    """
    now, zone_name = await queries.open_snapshot(conn, project_id, offset)
    await require_segments(conn, project_id, wanted)
    rows = select_rows(wanted, project_id, now, zone_name)
    keys: list[str] = []
    if wanted.spreads_metadata:
        keys = await queries.metadata_keys(conn, wanted, rows)
        if len(keys) > MAX_METADATA_COLUMNS:
            raise TooManyColumns
    selection = select(wanted, rows, keys)
    total = await queries.count_rows(conn, rows) if counted else None
    cursor = await queries.open_cursor(conn, selection)
    return Opened(total, pieces(selection, cursor.read, piece_bytes=piece_bytes))
