"""All SQL of evidence; the caller runs it in one snapshot."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from rapport.core.db import Connection

# How many of the stays in one segment are shown, the latest.
MAX_STAYS = 100


async def open_moment(conn: Connection, project_id: int, offset: timedelta) -> tuple[datetime, str]:
    """Return the time, later than everything the snapshot holds, and the project's zone. The first statement."""
    row = await conn.fetchrow(
        "SELECT date_trunc('milliseconds', clock_timestamp() + $2::interval), time_zone "
        "FROM projects WHERE project_id = $1",
        project_id,
        offset,
    )
    return row[0], row[1]


async def filters_of(conn: Connection, project_id: int, ids: Sequence[str]) -> dict[str, Any]:
    """Return the filters of these segments, None for static ones."""
    rows = await conn.fetch(
        "SELECT id, filter FROM segments WHERE project_id = $1 AND id = ANY ($2) "
        "AND state <> 'deleted' AND replaces IS NULL",
        project_id,
        ids,
    )
    return {row["id"]: row["filter"] for row in rows}


async def memberships(conn: Connection, project_id: int, customer_id: str, ids: Sequence[str]) -> dict[str, datetime]:
    """Return in which of these segments the customer is, and since when."""
    rows = await conn.fetch(
        "SELECT segment_id, entered_at FROM segment_members WHERE project_id = $1 AND customer_id = $2 "
        "AND segment_id = ANY ($3) AND entered_at IS NOT NULL",
        project_id,
        customer_id,
        ids,
    )
    return {row["segment_id"]: row["entered_at"] for row in rows}


async def ended_stays(
    conn: Connection, project_id: int, customer_id: str, segment_id: str
) -> list[tuple[datetime, datetime]]:
    """Return when the customer entered and left the segment, the latest first; the index is the key."""
    rows = await conn.fetch(
        "SELECT entered_at, left_at FROM segment_past WHERE project_id = $1 AND segment_id = $2 AND customer_id = $3 "
        f"ORDER BY left_at DESC, seq DESC LIMIT {MAX_STAYS}",
        project_id,
        segment_id,
        customer_id,
    )
    return [(row["entered_at"], row["left_at"]) for row in rows]
