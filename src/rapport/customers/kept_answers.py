"""What answers kept with idempotency keys say about a customer: shown to them, and erased with them."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from rapport.core import jsons
from rapport.core.clock import iso
from rapport.core.db import Connection
from rapport.customers.holdings import Holding
from rapport.customers.models import Customer
from rapport.http.idempotency import queries

# A shorter text stands in answers for many other things: it counts only where it is a whole JSON string.
_TELLING = 6


def _texts(customer: Customer) -> list[str]:
    """Return what names a customer."""
    named = (customer.id, customer.source_id, customer.email, customer.phone)
    return [text for text in named if text]


def _values(customer: Customer) -> list[bytes]:
    """Return it as it stands in an answer."""
    written = [(text, jsons.encode(text)) for text in _texts(customer)]
    return [value[1:-1] if len(text) >= _TELLING else value for text, value in written]


async def _gather(conn: Connection, project_id: int, customer: Customer) -> AsyncIterator[dict[str, Any]]:
    async for row in queries.mentions(conn, project_id, _values(customer)):
        yield {
            "idempotency_key": row["key"],
            "status": row["status"],
            "answer": row["answer"].decode("utf-8", "replace"),
            "created_at": iso(row["created_at"]),
        }


async def _erase(conn: Connection, project_id: int, customer: Customer) -> int:
    telling = [text for text in _texts(customer) if len(text) >= _TELLING]
    return await queries.erase(conn, project_id, _values(customer), telling)


async def _move(
    conn: Connection, project_id: int, giver_id: str, taker_id: str, only: Sequence[str] | None = None
) -> list[str]:
    """Move nothing: an answer stays what was answered."""
    _ = conn, project_id, giver_id, taker_id, only
    return []


holding = Holding(name="kept_answers", gather=_gather, erase=_erase, move=_move, by_text=True)
