"""What consents hold on a person: everything they ever said about them."""

from collections.abc import AsyncIterator
from typing import Any

from rapport.consents import queries
from rapport.consents.schemas import change_view
from rapport.core.db import Connection
from rapport.customers.holdings import Holding
from rapport.customers.models import Customer


async def _gather(conn: Connection, project_id: int, customer: Customer) -> AsyncIterator[dict[str, Any]]:
    async for change in queries.gather(conn, project_id, customer):
        yield change_view(change)


holding = Holding(name="consent_changes", gather=_gather, erase=queries.erase, move=queries.move)
