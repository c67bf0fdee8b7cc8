"""The back-fill of new segments: who matches as of one moment is made a member, unless a writer has decided since."""

import time
from collections.abc import Sequence
from contextlib import aclosing

import structlog

from rapport.activity.log import BACK_FILL, internal
from rapport.core.db import Connection, Database, DatabaseUnavailable
from rapport.segments import queries as segments
from rapport.segments.building import queries
from rapport.segments.building.queries import Range
from rapport.segments.filters import Filter, parse
from rapport.segments.matcher import COLUMNS
from rapport.segments.membership import window_field
from rapport.segments.models import AUTO_UPDATE, READY, SWEEPING, Unsettled
from rapport.segments.sql import compile_filter
from rapport.segments.stored.queries import open_moment
from rapport.segments.ticks import queries as dates
from rapport.segments.tree import leaves
from rapport.work.batches import Batches
from rapport.work.turns import Resting

# So long are segments filled before writers are told of those that are; small projects fill hundreds in it.
TELL_AFTER_S = 1.0
# So long is one segment filled before other projects have their turn; it then goes on by a snapshot of its own.
SLICE_S = 5.0
# Customers whose dates are written in one transaction.
DATES_AT_ONCE = 5_000

log = structlog.get_logger(__name__)


class Filling:
    """Fills the segments of one project, one after another; what was begun and not finished is gone on with.

    The dates that the passing of time looks for are written first. Then who matches is read in one snapshot and entered
    in batches: whoever changes after the snapshot, or is found by the passing of time, has been decided about by then.
    """

    def __init__(self, db: Database, project_id: int, batches: Batches, resting: Resting) -> None:
        """Write to this project in batches of a size that is known to suit it; leave alone what is resting."""
        self._resting = resting
        self._db, self._project_id, self._batches = db, project_id, batches
        self._started = time.monotonic()
        self._entered = False

    async def fill(self, some: Sequence[Unsettled]) -> bool:
        """Fill segments, each after those that it names, for a few seconds; return whether anything was done."""
        done: list[Unsettled] = []
        unfinished: set[str] = set()
        for one in some:
            if not await self._isolated(one, unfinished):
                unfinished.add(one.id)
                continue
            done.append(one)
            if time.monotonic() - self._started > TELL_AFTER_S:
                break
        if done:

            async def tell(conn: Connection) -> None:
                await filled(conn, self._project_id, done)

            await self._db.transaction(tell)
        return bool(done) or self._entered

    async def _isolated(self, one: Unsettled, unfinished: set[str]) -> bool:
        """Fill one segment if it names none that is unfinished; one that cannot be filled holds up no other."""
        if not self._resting.may_try(one.id):
            return False
        try:
            filled_up = unfinished.isdisjoint(one.names) and await self._fill_one(one, parse(one.filter))
        except DatabaseUnavailable:
            raise
        except Exception:
            pause_s = self._resting.failed(one.id)
            log.exception("a segment could not be filled", segment_id=one.id, pause_s=round(pause_s, 1))
            return False
        self._resting.worked(one.id)
        return filled_up

    async def _fill_one(self, one: Unsettled, filter_: Filter) -> bool:
        """Fill one segment; False if that takes longer, somebody else does it, or it is not to be filled any more."""
        if one.built_to is None:
            await self._write_dates(filter_)
        async with self._db.snapshot() as conn:
            if not await queries.lock_for_filling(conn, self._project_id, one.id):
                return False
            moment = await open_moment(conn, self._project_id, self._db.clock_offset, [])
            condition = compile_filter(
                filter_,
                now=moment.now,
                zone_name=moment.zone_name,
                project_id=self._project_id,
                first_parameter=3,
                whole=True,
            )
            signature = internal(self._project_id, BACK_FILL)
            shown = {"id": one.id, "name": one.name, "object": "segment"}
            entry = (shown, signature.source, signature.request_id) if one.type == AUTO_UPDATE else None
            found = queries.matching(
                conn, self._project_id, one.built_to or "", condition, lambda: self._batches.size(self._project_id)
            )
            async with aclosing(found) as batches:
                async for ids in batches:

                    async def enter(conn: Connection, ids: list[str] = ids) -> bool:
                        return await queries.enter(conn, self._project_id, one.id, ids, moment.now, entry)

                    with self._batches.measured(self._project_id):
                        if not await self._db.transaction(enter):
                            return False
                    self._entered = True
                    if time.monotonic() - self._started > SLICE_S:
                        return False
        return True

    async def _write_dates(self, filter_: Filter) -> None:
        """Write the dates that time is watched in for this filter, of all customers."""
        timed = [leaf for leaf in leaves(filter_.root) if leaf.watch is not None]
        async with self._db.read() as conn:
            moment = await open_moment(conn, self._project_id, self._db.clock_offset, [])
            now = moment.now
            for leaf in timed:
                window, path = leaf.window, leaf.field.path
                if window is not None:
                    field = window_field(window.source, window.name)
                    await dates.fill_moments_ahead(conn, self._project_id, field, window.source, window.name, now)
                elif path in COLUMNS:
                    await dates.fill_moments_ahead(conn, self._project_id, path, COLUMNS[path], "", now)
            fields = {leaf.field.path: leaf.field for leaf in timed if leaf.window is None}
            for field_ in (one for path, one in fields.items() if path not in COLUMNS):
                span = Range("", "", 0)
                while span.last is not None:
                    span = await queries.next_range(conn, self._project_id, span.last, DATES_AT_ONCE)
                    if span.last is not None:
                        await dates.fill_moments(conn, self._project_id, span.first, span.last, field_, now)


async def filled(conn: Connection, project_id: int, some: Sequence[Unsettled]) -> None:
    """Let writers take the segments for filled."""
    await segments.lock_definitions(conn, project_id)
    version = await segments.bump_version(conn, project_id)
    for state, ids in (
        (SWEEPING, [one.id for one in some if one.replaces is None]),
        (READY, [one.id for one in some if one.replaces is not None]),
    ):
        if ids:
            await queries.set_state(conn, project_id, ids, some[0].state, state, version)
    log.info("segments filled", project_id=project_id, segments=len(some))
