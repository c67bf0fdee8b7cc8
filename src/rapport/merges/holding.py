"""What merges hold on a person: what undoing them needs, and by what else the person is known."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from rapport.core.db import Connection
from rapport.customers.activity_holding import forget_in_others, words
from rapport.customers.holdings import Holding
from rapport.customers.models import Customer
from rapport.distributions.messages import queries as messages
from rapport.merges import queries
from rapport.merges.schemas import merge_view


async def times_as_one(conn: Connection, project_id: int, customer_id: str) -> list[tuple[str, datetime, datetime]]:
    """Return with whom a customer was one until a merge was undone, from when to when."""
    found = []
    for merge in await queries.undone_of(conn, project_id, customer_id):
        (other,) = {merge.source_id, merge.target_id} - {customer_id}
        until = (merge.undone_at or merge.created_at) + timedelta(seconds=1)
        found.append((other, merge.created_at, until))
    return found


async def _gather(conn: Connection, project_id: int, customer: Customer) -> AsyncIterator[dict[str, Any]]:
    async for merge in queries.stream_of_customer(conn, project_id, customer.id):
        yield msgspec.to_builtins(merge_view(merge))


async def _erase(conn: Connection, project_id: int, customer: Customer) -> int:
    for other, since, until in await times_as_one(conn, project_id, customer.id):
        # What is logged and written about the other says what this one brought along.
        await forget_in_others(conn, project_id, customer, other, since, until)
        found = await messages.list_naming(conn, project_id, other, since, until, list(words(customer)))
        await messages.empty(conn, project_id, [message_id for message_id, _ in found])
    return await queries.erase_of_customer(conn, project_id, customer.id)


async def _move(
    conn: Connection, project_id: int, giver_id: str, taker_id: str, only: Sequence[str] | None = None
) -> list[str]:
    """Leave merges with the ids that they were about."""
    _ = conn, project_id, giver_id, taker_id, only
    return []


holding = Holding("merges", _gather, _erase, _move)
