"""All SQL of custom events."""

from datetime import datetime
from typing import Any

from rapport.core.db import Connection


async def insert(
    conn: Connection,
    project_id: int,
    customer_id: str,
    name: str,
    at: datetime,
    event_id: str,
    metadata: dict[str, Any],
) -> bool:
    """Insert one event; return False if the customer has it already: the same name, time and id."""
    done = await conn.execute(
        "INSERT INTO events (project_id, customer_id, name, created_at, id, metadata) VALUES ($1, $2, $3, $4, $5, $6) "
        "ON CONFLICT DO NOTHING",
        project_id,
        customer_id,
        name,
        at,
        event_id,
        metadata,
    )
    return bool(done == "INSERT 0 1")


async def is_there(
    conn: Connection, project_id: int, person: tuple[str | None, str | None], name: str, at: datetime, event_id: str
) -> bool:
    """Whether the customer with this id (or, without one, this source id) has the event: the key of events."""
    found = await conn.fetchval(
        "SELECT true FROM customers JOIN events ON events.project_id = $1 AND events.customer_id = customers.id "
        "WHERE customers.project_id = $1 AND (customers.id = $2 OR ($2::text IS NULL AND customers.source_id = $3)) "
        "AND events.name = $4 AND events.created_at = $5 AND events.id = $6",
        project_id,
        *person,
        name,
        at,
        event_id,
    )
    return found is not None
