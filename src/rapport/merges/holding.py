"""What merges hold on a person: what undoing them needs, and by what else the person is known."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec

from rapport.core.db import Connection
from rapport.customers.holdings import Holding
from rapport.customers.models import Customer
from rapport.merges import queries
from rapport.merges.schemas import merge_view


async def _gather(conn: Connection, project_id: int, customer: Customer) -> AsyncIterator[dict[str, Any]]:
    async for merge in queries.stream_of_customer(conn, project_id, customer.id):
        yield msgspec.to_builtins(merge_view(merge))


async def _erase(conn: Connection, project_id: int, customer: Customer) -> int:
    return await queries.erase_of_customer(conn, project_id, customer.id)


async def _move(
    conn: Connection, project_id: int, giver_id: str, taker_id: str, only: Sequence[str] | None = None
) -> list[str]:
    """Leave merges with the ids that they were about."""
    _ = conn, project_id, giver_id, taker_id, only
    return []


holding = Holding("merges", _gather, _erase, _move)
