"""What orders hold on a person: those they placed, and that they referred others'."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from rapport.core.db import Connection
from rapport.customers.holdings import Holding
from rapport.customers.models import Customer
from rapport.orders import queries
from rapport.orders.schemas import view

# Marks the ids of orders that a customer referred, among those that they placed.
REFERRED = "referrer:"


async def _gather(conn: Connection, project_id: int, customer: Customer) -> AsyncIterator[dict[str, Any]]:
    async for order in queries.stream_of_customer(conn, project_id, customer.id):
        yield view(order)


async def _erase(conn: Connection, project_id: int, customer: Customer) -> int:
    return sum(await queries.erase_of_customer(conn, project_id, customer.id))


async def _move(
    conn: Connection, project_id: int, giver_id: str, taker_id: str, only: Sequence[str] | None = None
) -> list[str]:
    own = referred = None
    if only is not None:
        own = [one for one in only if not one.startswith(REFERRED)]
        referred = [one.removeprefix(REFERRED) for one in only if one.startswith(REFERRED)]
    placed = await queries.move_to_customer(conn, project_id, giver_id, taker_id, own)
    others = await queries.move_to_referrer(conn, project_id, giver_id, taker_id, referred)
    return [*placed, *(REFERRED + one for one in others)]


holding = Holding("orders", _gather, _erase, _move)
