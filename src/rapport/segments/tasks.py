"""Background work of segments: the back-fill of new ones, the removal of deleted ones, and the passing of time."""

import structlog

from rapport.activity import queries as activity
from rapport.activity.log import BACK_FILL, internal
from rapport.core.db import Connection, Database
from rapport.core.queries import read_now
from rapport.customers.writes import Unit, Writer
from rapport.segments import queries
from rapport.segments.models import Unsettled
from rapport.work.batches import Batches
from rapport.work.turns import Turns

REMOVED_AT_ONCE = 5_000

log = structlog.get_logger(__name__)


class SegmentTasks:
    """The periodic steps; each is safe to run anywhere, any number of times, by several workers at once."""

    def __init__(self, writer: Writer) -> None:
        """Write through `writer`."""
        self._writer = writer
        self._looks, self._fills = Batches(), Batches()
        self._look_turns, self._fill_turns = Turns("segments: pass time"), Turns("segments: settle")

    async def watch_clock(self, db: Database) -> bool:
        """Have all segments of a project filled anew when the clock is behind what the project has seen already.

        Time that was taken back turns no customer's moment up: those who left or entered by it would stay as they are.
        """
        async with db.read() as conn:
            now = await read_now(conn, db.clock_offset)
            ahead = await queries.see_clock(conn, now)
        for project_id in ahead:
            log.warning(
                "the clock was moved back: segments are filled anew", project_id=project_id, now=now.isoformat()
            )

            async def again(conn: Connection, project_id: int = project_id) -> None:
                await queries.fill_again(conn, project_id, now)

            await db.transaction(again)
        return False

    async def pass_time(self, db: Database) -> bool:
        """Look again at every customer for whom a moment has come; return whether there may be more."""
        async with db.read() as conn:
            now = await read_now(conn, db.clock_offset)
            projects = await queries.projects_with_due(conn, now)

        async def look(project_id: int) -> bool:
            most = self._looks.size(project_id)

            async def step(unit: Unit) -> int:
                due = await queries.due_customers(unit.conn, project_id, now, most)
                await unit.lock_all(due)
                unit.look_at(due)
                return len(due)

            with self._looks.measured(project_id):
                return await self._writer.commit(internal(project_id), step) == most

        return await self._look_turns.take(projects, look)

    async def settle(self, db: Database) -> bool:
        """Fill in one batch of new segments, or remove one of a deleted one; return whether there is more to do."""
        async with db.read() as conn:
            projects = await queries.project_with_unsettled(conn)

        async def settle(project_id: int) -> bool:
            async with db.read() as conn:
                running = await activity.horizon(conn)
            with self._fills.measured(project_id):
                return await self._writer.commit(
                    internal(project_id, BACK_FILL), lambda unit: self._settle(unit, running)
                )

        return await self._fill_turns.take(projects, settle)

    async def _settle(self, unit: Unit, running: int) -> bool:
        claimed = await queries.claim_unsettled(unit.conn, unit.project_id)
        fresh = [segment.id for segment in claimed if segment.settled_after is None]
        if fresh:
            await queries.set_settled_after(unit.conn, unit.project_id, fresh)
            return True
        ready = [
            segment for segment in claimed if segment.settled_after is not None and segment.settled_after <= running
        ]
        deleted = next((segment.id for segment in ready if segment.state == "deleted"), None)
        if deleted is not None:
            return await _remove(unit.conn, unit.project_id, deleted)
        return await self._fill(unit, together(ready))

    async def _fill(self, unit: Unit, segments: list[Unsettled]) -> bool:
        if not segments:
            return False
        most, ids = self._fills.size(unit.project_id), [segment.id for segment in segments]
        customers = await queries.customers_after(unit.conn, unit.project_id, segments[0].built_to or "", most)
        if customers:
            found = await unit.lock_all(customers)
            unit.look_at([customer.id for customer in found], frozenset(ids))
        done = len(customers) < most
        state, built_to = ("live", None) if done else ("building", customers[-1])
        await queries.set_built(unit.conn, unit.project_id, ids, built_to, state)
        if done:
            log.info("segments filled", project_id=unit.project_id, segments=len(ids))
        return True


def together(segments: list[Unsettled]) -> list[Unsettled]:
    """Return the segments that are filled in one pass: those of the pass that is under way, or else all that wait.

    Segments only name older ones, so whatever a pass needs is filled by it or was filled before. Pure.
    """
    begun = [segment for segment in segments if segment.built_to is not None]
    return [segment for segment in begun if segment.built_to == begun[0].built_to] if begun else segments


async def _remove(conn: Connection, project_id: int, segment_id: str) -> bool:
    if await queries.remove_members(conn, project_id, segment_id, REMOVED_AT_ONCE) == 0:
        await queries.remove(conn, project_id, segment_id)
        log.info("segment removed", segment_id=segment_id)
    return True
