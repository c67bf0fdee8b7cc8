"""What custom events hold on a person."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from rapport.core.clock import iso
from rapport.core.db import Connection
from rapport.customers.held.queries import Held, move
from rapport.customers.holdings import Holding
from rapport.customers.models import Customer
from rapport.events import queries
from rapport.events.models import Event

_HELD = Held("events", Event, at="created_at")


async def _gather(conn: Connection, project_id: int, customer: Customer) -> AsyncIterator[dict[str, Any]]:
    async for event in queries.stream_of_customer(conn, project_id, customer.id):
        yield {
            "id": event.id,
            "type": event.name,
            "metadata": event.metadata,
            "created_at": iso(event.created_at),
            "location": event.location,
            "object": "event",
        }


async def _erase(conn: Connection, project_id: int, customer: Customer) -> int:
    return await queries.erase_of_customer(conn, project_id, customer.id)


async def _move(
    conn: Connection, project_id: int, giver_id: str, taker_id: str, only: Sequence[str] | None = None
) -> list[str]:
    return await move(conn, _HELD, project_id, giver_id, taker_id, only)


holding = Holding("events", _gather, _erase, _move)
