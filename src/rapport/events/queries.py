"""All SQL of custom events."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any

from rapport.core.db import Connection, columns
from rapport.events.models import Event
from rapport.http.lists import Equals, From, ListSpec, Page, Part, Until
from rapport.http.queries import fetch_part

EVENTS = ListSpec(
    data_ref="data",
    table="events",
    row=Event,
    orders={"created_at": "created_at"},
    default_order="-created_at",
    filters={"type": Equals("name"), "start_date": From("created_at"), "end_date": Until("created_at")},
    by_id=True,
)


async def list_of_customer(conn: Connection, project_id: int, customer_id: str, page: Page) -> Part[Event]:
    """Return one part of a customer's events, uncounted; the index is events_of_customer."""
    return await fetch_part(conn, EVENTS, project_id, page, where={"customer_id": customer_id})


async def stream_of_customer(conn: Connection, project_id: int, customer_id: str) -> AsyncIterator[Event]:
    """Yield a customer's events, oldest first, inside a transaction; the index is the key."""
    query = f"SELECT {columns(Event)} FROM events WHERE project_id = $1 AND customer_id = $2 ORDER BY created_at, id"
    async for row in conn.cursor(query, project_id, customer_id, prefetch=500):
        yield Event(*row)


async def erase_of_customer(conn: Connection, project_id: int, customer_id: str) -> int:
    """Delete a customer's events; return how many."""
    done = await conn.execute("DELETE FROM events WHERE project_id = $1 AND customer_id = $2", project_id, customer_id)
    return int(done.rpartition(" ")[2])


async def counted_of_customer(conn: Connection, project_id: int, customer_id: str) -> list[tuple[str, int, Any, Any]]:
    """Return by name how many events a customer has, and when the first and the last was; the index is the key."""
    rows = await conn.fetch(
        "SELECT name, count(*), min(created_at), max(created_at) FROM events "
        "WHERE project_id = $1 AND customer_id = $2 GROUP BY name ORDER BY name",
        project_id,
        customer_id,
    )
    return [tuple(row) for row in rows]


async def insert(conn: Connection, project_id: int, rows: Sequence[Event]) -> int:
    """Insert events; return how many: those that a customer has already (the same name, time and id) are left out."""
    done = await conn.execute(
        "INSERT INTO events (project_id, customer_id, name, created_at, id, metadata, location) "
        "SELECT $1, one.* FROM unnest($2::text[], $3::text[], $4::timestamptz[], $5::text[], $6::jsonb[], $7::jsonb[]) "
        "AS one "
        "ON CONFLICT DO NOTHING",
        project_id,
        [row.customer_id for row in rows],
        [row.name for row in rows],
        [row.created_at for row in rows],
        [row.id for row in rows],
        [row.metadata for row in rows],
        [row.location for row in rows],
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


Key = tuple[str, str, datetime, str]
"""What an event goes by: customer's id, name, time, id."""


async def remove(conn: Connection, project_id: int, keys: Sequence[Key]) -> list[Event]:
    """Delete events of locked customers; return those that were there. The index is the key."""
    rows = await conn.fetch(
        f"DELETE FROM events USING unnest($2::text[], $3::text[], $4::timestamptz[], $5::text[]) "
        "AS one (customer, name, at, id) WHERE events.project_id = $1 AND events.customer_id = one.customer "
        "AND events.name = one.name AND events.created_at = one.at AND events.id = one.id "
        f"RETURNING {', '.join(f'events.{name}' for name in Event.__struct_fields__)}",
        project_id,
        *(list(column) for column in zip(*keys, strict=True)),
    )
    return [Event(*row) for row in rows]


async def counted_by_name(
    conn: Connection, project_id: int, names: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], tuple[int, datetime, datetime]]:
    """Return how many events of a name a customer has, and the first and last time, where there are; the key."""
    rows = await conn.fetch(
        "SELECT customer_id, name, count(*), min(created_at), max(created_at) FROM events "
        "WHERE project_id = $1 AND (customer_id, name) IN (SELECT * FROM unnest($2::text[], $3::text[])) "
        "GROUP BY customer_id, name",
        project_id,
        [customer_id for customer_id, _ in names],
        [name for _, name in names],
    )
    return {(row[0], row[1]): (row[2], row[3], row[4]) for row in rows}


async def visits_of_customer(
    conn: Connection, project_id: int, customer_id: str
) -> AsyncIterator[tuple[dict[str, str], datetime]]:
    """Yield where a customer's events happened that say so, and when, oldest first, inside a transaction."""
    query = (
        "SELECT location, created_at FROM events WHERE project_id = $1 AND customer_id = $2 AND location IS NOT NULL "
        "ORDER BY created_at, id"
    )
    async for row in conn.cursor(query, project_id, customer_id, prefetch=500):
        yield row["location"], row["created_at"]
