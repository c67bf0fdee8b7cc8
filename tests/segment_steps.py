"""The worker's steps for segments, for tests that take them one by one."""

from rapport.core.db import Database
from rapport.customers.writes import Writer
from rapport.segments.building.tasks import Building
from rapport.segments.ticks.tasks import Ticks


class SegmentTasks:
    """The periodic steps; each is safe to run anywhere, any number of times, by several workers at once."""

    def __init__(self, writer: Writer) -> None:
        """Write through `writer`."""
        self._building, self._ticks = Building(writer), Ticks(writer)

    async def watch_clock(self, db: Database) -> bool:
        """Notice that the clock was moved back."""
        return await self._ticks.watch_clock(db)

    async def pass_time(self, db: Database) -> bool:
        """Decide about every customer for whom a moment has come; return whether there is more to do at once."""
        return await self._ticks.pass_time(db)

    async def settle(self, db: Database) -> bool:
        """Do one step for the segments that wait for one; return whether there is more to do."""
        return await self._building.settle(db)
