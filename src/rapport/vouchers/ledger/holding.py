"""What the ledger of gift cards holds on a person: lines of their cards, and words about them; amounts outlive both."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec

from rapport.activity import queries as activity
from rapport.core.db import Connection
from rapport.customers.activity_holding import marks
from rapport.customers.holdings import Holding
from rapport.customers.models import Customer
from rapport.vouchers.ledger import queries
from rapport.vouchers.ledger.schemas import view


async def _gather(conn: Connection, project_id: int, customer: Customer) -> AsyncIterator[dict[str, Any]]:
    async for row in queries.stream_of_customer(conn, project_id, customer.id, marks(customer)):
        yield msgspec.to_builtins(view(row))


async def _erase(conn: Connection, project_id: int, customer: Customer) -> int:
    ids = await queries.erase_words(conn, project_id, customer.id, marks(customer))
    if ids:
        told = await queries.lock_told(conn, project_id, ids)
        await activity.rewrite(conn, project_id, [(entry_id, _silent(payload)) for entry_id, payload in told])
    return len(ids)


def _silent(payload: dict[str, Any]) -> dict[str, Any]:
    return {**payload, "transaction": {**payload["transaction"], "source_id": None, "reason": None}}


async def _move(
    conn: Connection, project_id: int, giver_id: str, taker_id: str, only: Sequence[str] | None = None
) -> list[str]:
    """Move nothing: lines belong to cards, which are moved."""
    _ = conn, project_id, giver_id, taker_id, only
    return []


holding = Holding("voucher_transactions", _gather, _erase, _move, by_text=True)
