"""What interactions hold on a person."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec

from rapport.consents.interactions import queries
from rapport.consents.interactions.schemas import view
from rapport.core.db import Connection
from rapport.customers.holdings import Holding
from rapport.customers.models import Customer


async def _gather(conn: Connection, project_id: int, customer: Customer) -> AsyncIterator[dict[str, Any]]:
    async for row in queries.gather(conn, project_id, customer):
        yield msgspec.structs.asdict(view(row))


holding = Holding(name="interactions", gather=_gather, erase=queries.erase, move=queries.move)
