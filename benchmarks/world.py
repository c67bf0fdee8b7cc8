"""What every stage of the benchmarks is given: the server, a connection to its database, how long and how hard."""

import asyncio
import os
from dataclasses import dataclass

from benchmarks import pgbench
from benchmarks.server import Running
from rapport.core.db import Database
from rapport.core.embedded import ACCOUNT


@dataclass(frozen=True)
class World:
    """A run: every measurement takes `seconds`; `rate` is the updates a second beside other work.

    `rows` are those of an imported file.
    """

    running: Running
    db: Database
    seconds: int
    connections: int
    rate: float
    customers: int
    rows: int

    async def bare(self, script: pgbench.Script) -> float:
        """Run a script by pgbench as long and on as many connections as what it is compared with; return its rate."""
        owner = ACCOUNT if os.geteuid() == 0 else None  # who may open the socket of the embedded database
        url, seconds, clients = self.running.url, self.seconds, self.connections
        return await asyncio.to_thread(pgbench.run, url, script, clients=clients, seconds=seconds, owner=owner)
