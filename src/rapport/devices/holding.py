"""What devices hold on a person."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec

from rapport.core.db import Connection
from rapport.customers.holdings import Holding
from rapport.customers.models import Customer
from rapport.devices import queries
from rapport.devices.schemas import view


async def _gather(conn: Connection, project_id: int, customer: Customer) -> AsyncIterator[dict[str, Any]]:
    async for device in queries.gather(conn, project_id, customer):
        yield msgspec.structs.asdict(view(device))


holding = Holding(name="devices", gather=_gather, erase=queries.erase, move=queries.move)
