"""All SQL of the self-audit."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from rapport.core.db import Connection
from rapport.core.ids import new_id
from rapport.segments.sql import Condition

FIRST_PARAMETER = 4  # of the conditions of `compare`
# Segments whose membership is what their filter says: not those that are being filled or are changing over.
_SETTLED = "filter IS NOT NULL AND replaces IS NULL AND state IN ('live', 'sweeping')"

# Both go round in the order of the keys: from the random one to the end, then from the beginning.
_CUSTOMER = "SELECT id FROM customers WHERE project_id = $1 AND id"
_MEMBER = (
    "SELECT customer_id FROM segment_members "
    "WHERE project_id = $1 AND segment_id = wanted.id AND entered_at IS NOT NULL AND customer_id"
)
_SAMPLE = f"""
SELECT id FROM (
    ({_CUSTOMER} > $2 ORDER BY id LIMIT $3) UNION ALL ({_CUSTOMER} <= $2 ORDER BY id LIMIT $3) LIMIT $3
) AS chosen
UNION SELECT customer_id FROM unnest($5::text[]) AS wanted(id), LATERAL (
    ({_MEMBER} > $2 ORDER BY customer_id LIMIT $4)
    UNION ALL ({_MEMBER} <= $2 ORDER BY customer_id LIMIT $4)
    LIMIT $4
) AS members
"""
_ADD = """
INSERT INTO segment_audits AS audit (project_id, checked, drifted, last_at, last_drift) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (project_id) DO UPDATE SET
    checked = audit.checked + excluded.checked,
    drifted = audit.drifted + excluded.drifted,
    last_at = greatest(audit.last_at, excluded.last_at),
    last_drift = coalesce(excluded.last_drift, audit.last_drift)
"""


class Compared(NamedTuple):
    """One customer: in which segments they are, and in which they should be, both in the order asked for."""

    customer_id: str
    stored: list[bool]
    wanted: list[bool]


class Totals(msgspec.Struct, frozen=True):
    """What the audit has found so far, in one project or in all."""

    checked: int
    drifted: int
    last_at: datetime | None
    last_drift: dict[str, Any] | None = None


async def projects_to_audit(conn: Connection, limit: int) -> list[int]:
    """Return projects with something to audit, first those for which it is longest ago."""
    rows = await conn.fetch(
        f"SELECT project_id FROM (SELECT DISTINCT project_id FROM segments WHERE {_SETTLED}) AS settled "
        "LEFT JOIN segment_audits USING (project_id) ORDER BY last_at NULLS FIRST, project_id LIMIT $1",
        limit,
    )
    return [row["project_id"] for row in rows]


async def pick_segments(conn: Connection, project_id: int, most: int) -> list[tuple[str, Any]]:
    """Return up to `most` segments, id and filter: those that follow a random one."""
    part = f"SELECT id, filter FROM segments WHERE project_id = $1 AND {_SETTLED} AND id"
    rows = await conn.fetch(
        f"({part} > $2 ORDER BY id LIMIT $3) UNION ALL ({part} <= $2 ORDER BY id LIMIT $3) LIMIT $3",
        project_id,
        new_id("seg"),
        most,
    )
    return [(row["id"], row["filter"]) for row in rows]


async def find_filter(conn: Connection, project_id: int, segment_id: str) -> Any:
    """Return the filter of a segment that can be audited, or None."""
    return await conn.fetchval(
        f"SELECT filter FROM segments WHERE project_id = $1 AND id = $2 AND {_SETTLED}", project_id, segment_id
    )


async def pick_customers(
    conn: Connection, project_id: int, segment_ids: Sequence[str], most: int, most_members: int
) -> list[str]:
    """Return up to `most` customers who follow a random one, and of each segment some members who do."""
    rows = await conn.fetch(_SAMPLE, project_id, new_id("cust"), most, most_members, segment_ids)
    return sorted(row["id"] for row in rows)


async def compare(
    conn: Connection,
    project_id: int,
    customer_ids: Sequence[str],
    segment_ids: Sequence[str],
    conditions: Sequence[Condition],
) -> list[Compared]:
    """Return for each customer where they are and where they should be, as one statement sees it.

    The conditions are numbered on from FIRST_PARAMETER. A customer who does not exist should be nowhere.
    """
    tests = ", ".join(f"c.id IS NOT NULL AND ({one.text}) IS TRUE" for one in conditions)
    rows = await conn.fetch(
        "SELECT wanted.id, ARRAY(SELECT EXISTS (SELECT FROM segment_members AS m WHERE m.project_id = $1 "
        "AND m.segment_id = asked.id AND m.customer_id = wanted.id AND m.entered_at IS NOT NULL) "
        "FROM unnest($3::text[]) WITH ORDINALITY AS asked(id, place) ORDER BY place) AS stored, "
        f"ARRAY[{tests}]::boolean[] AS wanted "
        "FROM unnest($2::text[]) AS wanted(id) LEFT JOIN customers AS c ON c.project_id = $1 AND c.id = wanted.id",
        project_id,
        customer_ids,
        segment_ids,
        *[parameter for one in conditions for parameter in one.parameters],
    )
    return [Compared(*row) for row in rows]


async def add(
    conn: Connection, project_id: int, at: datetime, *, checked: int, drift: dict[str, Any] | None = None
) -> None:
    """Add to the totals of a project: so many memberships compared, and a drift if there was one."""
    await conn.execute(_ADD, project_id, checked, 0 if drift is None else 1, at, drift)


async def remove_nobody(conn: Connection, project_id: int, segment_id: str, customer_id: str) -> None:
    """Remove the membership of somebody who does not exist."""
    await conn.execute(
        "DELETE FROM segment_members WHERE project_id = $1 AND segment_id = $2 AND customer_id = $3 "
        "AND NOT EXISTS (SELECT FROM customers WHERE project_id = $1 AND id = $3)",
        project_id,
        segment_id,
        customer_id,
    )


async def totals(conn: Connection, project_id: int | None) -> Totals:
    """Return the totals of a project, or of all of them; `last_drift` names the project, too."""
    row = await conn.fetchrow(
        "SELECT coalesce(sum(checked), 0)::bigint, coalesce(sum(drifted), 0)::bigint, max(last_at), "
        "(array_agg(last_drift || jsonb_build_object('project_id', projects.id) ORDER BY last_drift ->> 'at' DESC) "
        "FILTER (WHERE last_drift IS NOT NULL))[1] "
        "FROM segment_audits JOIN projects USING (project_id) WHERE $1::integer IS NULL OR project_id = $1",
        project_id,
    )
    return Totals(*row)


async def public_id(conn: Connection, project_id: int) -> str:
    """Return the id of a project as its owner knows it."""
    return str(await conn.fetchval("SELECT id FROM projects WHERE project_id = $1", project_id))
