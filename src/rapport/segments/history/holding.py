"""What segments hold on a person: when they were in which."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from rapport.core.clock import iso
from rapport.core.db import Connection
from rapport.customers.holdings import Holding
from rapport.customers.models import Customer
from rapport.segments.history import queries


async def _gather(conn: Connection, project_id: int, customer: Customer) -> AsyncIterator[dict[str, Any]]:
    async for stay in queries.stream_of_customer(conn, project_id, customer.id):
        yield {
            "id": stay.segment_id,
            "name": stay.name,
            "type": stay.type,
            "entered_at": iso(stay.entered_at),
            "left_at": None if stay.left_at is None else iso(stay.left_at),
            "object": "segment",
        }


async def _erase(conn: Connection, project_id: int, customer: Customer) -> int:
    return await queries.erase_of_customer(conn, project_id, customer.id)


async def _move(
    conn: Connection, project_id: int, giver_id: str, taker_id: str, only: Sequence[str] | None = None
) -> list[str]:
    """Move nothing: membership is decided anew. What time is watched for, though, is watched for both."""
    _ = only
    await queries.copy_moments(conn, project_id, giver_id, taker_id)
    return []


holding = Holding("segments", _gather, _erase, _move)
