"""Background work of segments: the back-fill of new ones, the removal of deleted ones, and the passing of time."""

from dataclasses import dataclass

import structlog

from rapport.activity.log import INTERNAL, Source
from rapport.core.db import Connection, Database
from rapport.core.ids import new_request_id
from rapport.customers.writes import Unit, Writer
from rapport.segments import queries

log = structlog.get_logger(__name__)
BATCH = 500


@dataclass(frozen=True, slots=True)
class Internal:
    """Signs what the worker does."""

    project_id: int
    request_id: str
    source: Source = INTERNAL


def internal(project_id: int) -> Internal:
    """Return the signature of one run of background work in a project."""
    return Internal(project_id, new_request_id())


class SegmentTasks:
    """The periodic steps; each is safe to run anywhere, any number of times, by several workers at once."""

    def __init__(self, writer: Writer) -> None:
        """Write through `writer`."""
        self._writer = writer

    async def pass_time(self, db: Database) -> bool:
        """Look again at every customer for whom a moment has come; return whether there may be more."""
        async with db.read() as conn:
            projects = await queries.projects_with_due(conn, db.clock_offset)
        more = False
        for project_id in projects:

            async def look(unit: Unit, project_id: int = project_id) -> int:
                due = await queries.due_customers(unit.conn, project_id, db.clock_offset, BATCH)
                await unit.lock_all(due)
                unit.look_at(due)
                return len(due)

            more = await self._writer.commit(internal(project_id), look) == BATCH or more
        return more

    async def settle(self, db: Database) -> bool:
        """Fill in one batch of a new segment, or remove one of a deleted one; return whether there is more to do."""
        async with db.read() as conn:
            projects = await queries.project_with_unsettled(conn)
        more = False
        for project_id in projects:
            more = await self._settle_one(db, project_id) or more
        return more

    async def _settle_one(self, db: Database, project_id: int) -> bool:
        async with db.read() as conn:
            running = await queries.oldest_running(conn)

        async def step(unit: Unit) -> bool:
            claimed = await queries.claim_unsettled(unit.conn, project_id)
            if claimed is None:
                return False
            if claimed["settled_after"] is None:
                await queries.set_settled_after(unit.conn, project_id, claimed["id"])
                return True
            if running < int(claimed["settled_after"]):
                return False
            if claimed["state"] == "deleted":
                return await _remove(unit.conn, project_id, claimed["id"])
            return await _fill(unit, project_id, claimed["id"], claimed["built_to"] or "")

        return await self._writer.commit(internal(project_id), step)


async def _remove(conn: Connection, project_id: int, segment_id: str) -> bool:
    if await queries.remove_members(conn, project_id, segment_id, 10 * BATCH) == 0:
        await queries.remove(conn, project_id, segment_id)
        log.info("segment removed", segment_id=segment_id)
    return True


async def _fill(unit: Unit, project_id: int, segment_id: str, after: str) -> bool:
    ids = await queries.customers_after(unit.conn, project_id, after, BATCH)
    if ids:
        await unit.lock_all(ids)
        unit.look_at([customer_id for customer_id in ids if unit.find(customer_id) is not None])
    done = len(ids) < BATCH
    await queries.set_built(unit.conn, project_id, segment_id, ids[-1] if ids else None, "live" if done else "building")
    if done:
        log.info("segment filled", segment_id=segment_id)
    return True
