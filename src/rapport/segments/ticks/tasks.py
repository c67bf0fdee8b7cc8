"""The passing of time: looks for the dates that have crossed a bound since the last tick, and at no other customer."""

import asyncio
import time
from collections import defaultdict
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import structlog

from rapport.activity.log import internal
from rapport.core.db import Connection, Database
from rapport.core.queries import read_now
from rapport.customers.writes import Unit, Writer
from rapport.segments import queries as segments
from rapport.segments.building import queries as building
from rapport.segments.definitions import Definitions
from rapport.segments.matcher import Matcher
from rapport.segments.ticks import queries
from rapport.segments.ticks.crossings import crossings
from rapport.segments.ticks.progress import STORED_EVERY, STORED_RARELY, Flood, Progress
from rapport.segments.ticks.queries import Tick
from rapport.segments.times import Clock
from rapport.work.batches import Batches
from rapport.work.turns import Turns

# So many customers of one scan are looked at in the tick that finds them; the rest of a flood by and by.
FOUND_AT_ONCE = 5_000
# And of all scans of a tick together.
FOUND_IN_ALL = 100_000
FLOOD_PAGE = 1_000
BATCH_S = 0.05
# The clocks of several database servers may differ by so much.
TOLERATED = timedelta(minutes=1)

Due = dict[str, set[str]]
"""Segments to decide about, by customer."""

log = structlog.get_logger(__name__)


class Ticks:
    """Deals with time in every project; safe to run anywhere, any number of times, by several workers at once."""

    def __init__(self, writer: Writer) -> None:
        """Write through `writer`."""
        self._writer = writer
        self._definitions = Definitions()
        self._progress: dict[int, Progress] = {}
        self._batches = Batches(target_s=BATCH_S)
        self._turns = Turns("segments: pass time")

    async def watch_clock(self, db: Database) -> bool:
        """Have all segments of a project compared anew when the clock is behind what has been dealt with already.

        Time that was taken back crosses no bound: those who left or entered by it would stay as they are.
        """
        async with db.read() as conn:
            now = await read_now(conn, db.clock_offset)
            ahead = await queries.projects_ahead(conn, now + TOLERATED)
        for project_id in ahead:
            log.warning("the clock was moved back: segments are compared anew", project_id=project_id)
            await self._compare_anew(db, project_id, now)
        return False

    async def _compare_anew(self, db: Database, project_id: int, now: datetime) -> None:
        async def work(conn: Connection) -> None:
            await segments.lock_definitions(conn, project_id)
            await queries.turn_back(conn, project_id, now)
            await building.fill_again(conn, project_id, await segments.bump_version(conn, project_id))

        await db.transaction(work)
        self._progress.pop(project_id, None)

    async def pass_time(self, db: Database) -> bool:
        """Decide about every customer for whom a moment has come; return whether there is more to do at once."""
        async with db.read() as conn:
            ticks = {tick.project_id: tick for tick in await queries.read_ticks(conn, db.clock_offset)}
        for gone in self._progress.keys() - ticks.keys():
            del self._progress[gone]

        async def step(project_id: int) -> bool:
            return await self._tick(db, ticks[project_id])

        return await self._turns.take(list(ticks), step)

    async def _tick(self, db: Database, tick: Tick) -> bool:
        progress = self._progress.setdefault(tick.project_id, Progress(tick.ticked_to, tick.ticked_to))
        async with db.read() as conn:
            matcher = await self._definitions.matcher(conn, tick.project_id, tick.version)
            due, floods = await self._find(conn, tick, progress, matcher)
        await self._decide(tick.project_id, due)
        progress.done(tick.now, tick.before, tick.running)
        progress.floods.extend(floods)
        if progress.floods:
            await self._go_on(db, tick.project_id, progress.floods[0], progress)
        if progress.settled_to - progress.stored >= (STORED_EVERY if matcher.timed else STORED_RARELY):
            async with db.read() as conn:
                await queries.set_ticked(conn, tick.project_id, progress.settled_to)
            progress.stored = progress.settled_to
        return bool(progress.floods)

    async def _find(
        self, conn: Connection, tick: Tick, progress: Progress, matcher: Matcher
    ) -> tuple[Due, list[Flood]]:
        due: Due = defaultdict(set)
        floods: list[Flood] = []
        zone = ZoneInfo(tick.zone_name)
        for since, until in progress.due(tick.now, tick.running) if matcher.timed else ():
            found = crossings(matcher, Clock(since, zone), Clock(until, zone))
            scans = list(found)
            most = max(1, min(FOUND_AT_ONCE, FOUND_IN_ALL // max(1, len(scans))))
            last: dict[int, tuple[int, tuple[str, str]]] = {}
            for number, at, customer_id in await queries.scan(conn, tick.project_id, scans, most):
                due[customer_id] |= found[scans[number]]
                last[number] = last.get(number, (0, ("", "")))[0] + 1, (at, customer_id)
            floods += [
                Flood(scans[number], frozenset(found[scans[number]]), after, since)
                for number, (count, after) in last.items()
                if count == most
            ]
        return due, floods

    async def _go_on(self, db: Database, project_id: int, flood: Flood, progress: Progress) -> None:
        """Deal with the next page of a flood."""
        async with db.read() as conn:
            found = await queries.scan_on(conn, project_id, flood.scan, flood.after, FLOOD_PAGE)
        await self._decide(project_id, {one.customer_id: set(flood.segment_ids) for one in found}, leisurely=True)
        if len(found) < FLOOD_PAGE:
            progress.floods.remove(flood)
        else:
            flood.after = found[-1].at, found[-1].customer_id

    async def _decide(self, project_id: int, due: Due, *, leisurely: bool = False) -> None:
        """Put the customers through the write path, in batches whose locks nobody has to wait for long.

        `leisurely`: leave as much time between them as they take.
        """
        waiting = sorted(due)
        while waiting:
            size = self._batches.size(project_id)
            batch, waiting = waiting[:size], waiting[size:]

            async def step(unit: Unit, batch: list[str] = batch) -> None:
                locked = await unit.lock_all(batch)
                unit.look_at({one.id: due[one.id] for one in locked})

            started = time.monotonic()
            with self._batches.measured(project_id):
                await self._writer.commit(internal(project_id), step)
            if leisurely:
                await asyncio.sleep(time.monotonic() - started)
