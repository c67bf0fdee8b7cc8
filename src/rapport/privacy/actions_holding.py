"""What asynchronous actions hold on a person: what was asked to be done, in the words of whoever does it.

An action that is not over is left to the feature that does it: taking a part out of it could make it do something else.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from rapport.core import jsons
from rapport.core.clock import iso
from rapport.core.db import Connection
from rapport.customers.activity_holding import marks, nameless
from rapport.customers.holdings import Holding
from rapport.customers.models import Customer
from rapport.privacy import queries


def _texts(customer: Customer) -> list[str]:
    return [jsons.encode(value).decode() for value in marks(customer)]


async def _gather(conn: Connection, project_id: int, customer: Customer) -> AsyncIterator[dict[str, Any]]:
    async for action in queries.stream_actions(conn, project_id, _texts(customer)):
        yield {"id": action.id, "type": action.type, "status": action.status, "created_at": iso(action.created_at)}


async def _erase(conn: Connection, project_id: int, customer: Customer) -> int:
    found = await queries.lock_finished_actions(conn, project_id, _texts(customer))
    for action_id, result in found:
        await queries.empty_action(conn, project_id, action_id, nameless(result, marks(customer)))
    return len(found)


async def _move(
    conn: Connection, project_id: int, giver_id: str, taker_id: str, only: Sequence[str] | None = None
) -> list[str]:
    """Leave actions as they were asked for."""
    _ = conn, project_id, giver_id, taker_id, only
    return []


holding = Holding("async_actions", _gather, _erase, _move, by_text=True)
