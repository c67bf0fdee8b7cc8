"""What back-tests hold on a person: orders of theirs among the samples, and numbers while a replay is under way."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from rapport.backtests import queries
from rapport.backtests.schemas import sample_view
from rapport.core.db import Connection
from rapport.customers.held.queries import erase, gather, move
from rapport.customers.holdings import Holding
from rapport.customers.models import Customer


async def _gather(conn: Connection, project_id: int, customer: Customer) -> AsyncIterator[dict[str, Any]]:
    async for row in gather(conn, queries.SAMPLES, project_id, customer.id):
        yield {"backtest_id": row.backtest_id, "kind": row.kind, **sample_view(row)}


async def _erase(conn: Connection, project_id: int, customer: Customer) -> int:
    counted = await queries.erase_counts(conn, project_id, customer.id)
    return counted + await erase(conn, queries.SAMPLES, project_id, customer.id)


async def _move(
    conn: Connection, project_id: int, giver_id: str, taker_id: str, only: Sequence[str] | None = None
) -> list[str]:
    # Numbers are gone when the replay is over: when a merge is undone, they stay where they are.
    if only is None:
        await queries.move_counts(conn, project_id, giver_id, taker_id)
    return await move(conn, queries.SAMPLES, project_id, giver_id, taker_id, only)


holding = Holding("backtests", _gather, _erase, _move)
