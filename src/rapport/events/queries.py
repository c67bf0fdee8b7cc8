"""All SQL of custom events."""

from collections.abc import Sequence
from datetime import datetime

from rapport.core.db import Connection
from rapport.events.models import Event


async def insert(conn: Connection, project_id: int, rows: Sequence[Event]) -> int:
    """Insert events; return how many: those that a customer has already (the same name, time and id) are left out."""
    done = await conn.execute(
        "INSERT INTO events (project_id, customer_id, name, created_at, id, metadata) "
        "SELECT $1, one.* FROM unnest($2::text[], $3::text[], $4::timestamptz[], $5::text[], $6::jsonb[]) AS one "
        "ON CONFLICT DO NOTHING",
        project_id,
        [row.customer_id for row in rows],
        [row.name for row in rows],
        [row.created_at for row in rows],
        [row.id for row in rows],
        [row.metadata for row in rows],
    )
    return int(done.rpartition(" ")[2])


async def known(
    conn: Connection, project_id: int, events: Sequence[tuple[str | None, str | None, str, datetime, str]]
) -> set[int]:
    """Return which of the events (customer's id, or source id without one; name, time, id) are stored, by place.

    The indexes are the key and the source ids of customers, and the key of events.
    """
    rows = await conn.fetch(
        "SELECT one.place FROM unnest($2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::text[]) "
        "WITH ORDINALITY AS one (customer_id, source_id, name, created_at, id, place) WHERE EXISTS (SELECT FROM events "
        "WHERE events.project_id = $1 AND events.name = one.name AND events.created_at = one.created_at "
        "AND events.id = one.id AND events.customer_id = CASE WHEN one.customer_id IS NULL "
        "THEN (SELECT id FROM customers WHERE project_id = $1 AND source_id = one.source_id) "
        "ELSE (SELECT id FROM customers WHERE project_id = $1 AND id = one.customer_id) END)",
        project_id,
        *(list(column) for column in zip(*events, strict=True)),
    )
    return {row["place"] - 1 for row in rows}
