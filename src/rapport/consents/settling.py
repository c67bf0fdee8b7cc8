"""After a withdrawal: waiting until nothing that was begun before it is still on its way to a provider."""

import asyncio
import time
from collections.abc import Collection
from datetime import timedelta
from typing import Protocol

from rapport.core.db import Connection, Database

LIMIT_S = 20.0
PAUSE_S = 0.05


class InFlight(Protocol):
    """Counts the messages to some customers that are being handed over."""

    async def __call__(
        self, conn: Connection, project_id: int, customer_ids: Collection[str], offset: timedelta
    ) -> int:
        """Return how many, by the clock with this offset."""


async def settled(db: Database, project_id: int, customer_ids: Collection[str], in_flight: InFlight) -> int:
    """Wait, after the commit of a withdrawal, for messages that asked before it; return how many are left.

    A message asks under the lock of its customer and is seen as being handed over from then on. So what is not in
    flight when we look has either been handed over, or will ask again and see the withdrawal.
    """
    ends_at = time.monotonic() + LIMIT_S
    while True:
        async with db.read() as conn:
            left = await in_flight(conn, project_id, customer_ids, db.clock_offset)
        if not left or time.monotonic() > ends_at:
            return left
        await asyncio.sleep(PAUSE_S)
