"""All SQL of custom events."""

from datetime import datetime
from typing import Any

import msgspec

from rapport.core.db import Connection
from rapport.http.lists import Equals, From, ListSpec, Page, Part, Until
from rapport.http.queries import fetch_part


class Tracked(msgspec.Struct, frozen=True):
    """One custom event of a customer, as it is stored."""

    id: str
    name: str
    created_at: datetime
    metadata: dict[str, Any]


EVENTS = ListSpec(
    data_ref="data",
    table="events",
    row=Tracked,
    orders={"created_at": "created_at"},
    default_order="-created_at",
    filters={"type": Equals("name"), "start_date": From("created_at"), "end_date": Until("created_at")},
    by_id=True,
)


async def insert(
    conn: Connection,
    project_id: int,
    customer_id: str,
    name: str,
    at: datetime,
    event_id: str,
    metadata: dict[str, Any],
) -> None:
    """Insert one event."""
    await conn.execute(
        "INSERT INTO events (project_id, customer_id, name, created_at, id, metadata) VALUES ($1, $2, $3, $4, $5, $6)",
        project_id,
        customer_id,
        name,
        at,
        event_id,
        metadata,
    )


async def list_of_customer(conn: Connection, project_id: int, customer_id: str, page: Page) -> Part[Tracked]:
    """Return one part of a customer's events, uncounted; the index is events_of_customer."""
    return await fetch_part(conn, EVENTS, project_id, page, where={"customer_id": customer_id})
