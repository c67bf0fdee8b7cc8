"""All SQL of evidence; the caller runs it in one snapshot."""

from datetime import datetime

from rapport.core.db import Connection

# How many of the stays in one segment are shown, the latest.
MAX_STAYS = 100


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
