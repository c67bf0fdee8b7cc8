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
    location: dict[str, str] | None = None,
) -> None:
    """Insert one event."""
    await conn.execute(
        "INSERT INTO events (project_id, customer_id, name, created_at, id, metadata, location) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7)",
        project_id,
        customer_id,
        name,
        at,
        event_id,
        metadata,
        location,
    )
