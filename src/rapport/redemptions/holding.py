"""What the redemption ledger holds on a person; its lines outlive them without a name."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from rapport.core.db import Connection
from rapport.customers.held.queries import Held, move
from rapport.customers.holdings import Holding
from rapport.customers.models import Customer
from rapport.redemptions import queries
from rapport.redemptions.models import Redemption
from rapport.redemptions.views import view
from rapport.rules.counted import queries as counted

_ELSEWHERE = {"customer", "tracking_id", "order"}


_HELD = Held("redemptions", Redemption, at="created_at")


async def _gather(conn: Connection, project_id: int, customer: Customer) -> AsyncIterator[dict[str, Any]]:
    async for row in queries.stream_of_customer(conn, project_id, customer.id):
        shown = {name: value for name, value in view(row, None, None).items() if name not in _ELSEWHERE}
        yield shown | {"order_id": row.order_id, "amounts": row.amounts}


async def _erase(conn: Connection, project_id: int, customer: Customer) -> int:
    await counted.forget_held_units(conn, project_id, customer.id)
    return await queries.erase_of_customer(conn, project_id, customer.id)


async def _move(
    conn: Connection, project_id: int, giver_id: str, taker_id: str, only: Sequence[str] | None = None
) -> list[str]:
    moved = await move(conn, _HELD, project_id, giver_id, taker_id, only)
    await counted.recount_customers(conn, project_id, [giver_id, taker_id])
    if only is None:  # otherwise whoever gives stays, and so do their sessions
        await counted.forget_held_units(conn, project_id, giver_id)
    return moved


holding = Holding("redemptions", _gather, _erase, _move)
