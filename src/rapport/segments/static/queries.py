"""All SQL that only static segments need."""

from collections.abc import Sequence
from datetime import datetime

from rapport.core.db import Connection
from rapport.segments.sql import Condition

# Of a compiled filter: project, segment and time come before its parameters.
FIRST_PARAMETER = 4


async def fill(conn: Connection, project_id: int, segment_id: str, at: datetime, condition: Condition) -> None:
    """Put all customers that a compiled filter holds for into a new segment; none of them is deleted meanwhile."""
    await conn.execute(
        "INSERT INTO segment_members (project_id, segment_id, customer_id, entered_at, logged) "
        "SELECT $1, $2, c.id, $3, false FROM customers AS c "
        f"WHERE c.project_id = $1 AND {condition.text} FOR KEY SHARE OF c",
        project_id,
        segment_id,
        at,
        *condition.parameters,
    )


async def ids_of(
    conn: Connection, project_id: int, ids: Sequence[str], source_ids: Sequence[str]
) -> tuple[set[str], dict[str, str]]:
    """Return which of these ids there are, and the ids of the customers with these source ids, by source id."""
    rows = await conn.fetch(
        "SELECT id, NULL AS source_id FROM unnest($2::text[]) AS wanted (name) "
        "JOIN customers ON project_id = $1 AND id = wanted.name "
        "UNION ALL SELECT id, source_id FROM unnest($3::text[]) AS wanted (name) "
        "JOIN customers ON project_id = $1 AND source_id = wanted.name",
        project_id,
        ids,
        source_ids,
    )
    known = {row["id"] for row in rows if row["source_id"] is None}
    return known, {row["source_id"]: row["id"] for row in rows if row["source_id"] is not None}
