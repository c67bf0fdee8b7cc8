"""What publications hold on a person."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from rapport.core.db import Connection
from rapport.customers.held.queries import Held, move
from rapport.customers.holdings import Holding
from rapport.customers.models import Customer
from rapport.publications import queries
from rapport.publications.models import PublicationRow
from rapport.publications.schemas import view

_HELD = Held("publications", PublicationRow, at="created_at")


async def _gather(conn: Connection, project_id: int, customer: Customer) -> AsyncIterator[dict[str, Any]]:
    async for row in queries.stream_of_customer(conn, project_id, customer.id):
        yield {name: value for name, value in view(row, None, {}).items() if name not in {"customer", "tracking_id"}}


async def _erase(conn: Connection, project_id: int, customer: Customer) -> int:
    return await queries.erase_of_customer(conn, project_id, customer.id)


async def _move(
    conn: Connection, project_id: int, giver_id: str, taker_id: str, only: Sequence[str] | None = None
) -> list[str]:
    return await move(conn, _HELD, project_id, giver_id, taker_id, only)


holding = Holding("publications", _gather, _erase, _move)
