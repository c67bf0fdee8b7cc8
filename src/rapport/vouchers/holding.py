"""What vouchers hold on a person: whose they are."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from rapport.core.db import Connection
from rapport.customers.holdings import Holding
from rapport.customers.models import Customer
from rapport.vouchers import queries
from rapport.vouchers.schemas import view


async def _gather(conn: Connection, project_id: int, customer: Customer) -> AsyncIterator[dict[str, Any]]:
    async for voucher in queries.stream_of_holder(conn, project_id, customer.id):
        yield view(voucher)


async def _erase(conn: Connection, project_id: int, customer: Customer) -> int:
    return await queries.erase_holder(conn, project_id, customer.id)


async def _move(
    conn: Connection, project_id: int, giver_id: str, taker_id: str, only: Sequence[str] | None = None
) -> list[str]:
    return await queries.move_to_holder(conn, project_id, giver_id, taker_id, only)


holding = Holding("vouchers", _gather, _erase, _move)
