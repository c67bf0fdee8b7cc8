"""Background work of the self-audit."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import structlog

from rapport.activity.log import Source, internal
from rapport.core.clock import iso
from rapport.core.db import Connection, Database
from rapport.customers.writes import Unit, Writer
from rapport.segments.audit import queries
from rapport.segments.filters import Filter, parse
from rapport.segments.models import naming_order
from rapport.segments.sql import Condition, compile_filter
from rapport.segments.stored.queries import Opened, open_moment
from rapport.work.turns import Turns

EVERY_S = 10.0
RECHECK_AFTER_S = 3.0
PROJECTS_AT_ONCE = 10
SEGMENTS_AT_ONCE = 16
CONDITIONS_AT_ONCE = 400
CUSTOMERS_AT_ONCE = 200
MEMBERS_AT_ONCE = 10
MAX_SUSPECTS = 1_000
SELF_AUDIT = Source("INTERNAL", reason="self_audit")

log = structlog.get_logger(__name__)


class Suspect(NamedTuple):
    """A membership that did not agree with the filter when it was looked at."""

    project_id: int
    segment_id: str
    customer_id: str


class SegmentAudit:
    """Compares a sample of memberships with the filters; what differs is looked at again, counted and mended.

    The passing of time is dealt with within a second, and until then membership may differ. So a difference is drift
    only if it is still there some seconds later, by the time as well as by the moment up to which the passing of time
    has been dealt with, while the customer is locked.
    """

    def __init__(self, writer: Writer, *, recheck_after_s: float = RECHECK_AFTER_S) -> None:
        """Mend through `writer`."""
        self._writer = writer
        self._recheck_after_s = recheck_after_s
        self._turns = Turns("segments: audit")

    async def audit(self, db: Database) -> bool:
        """Compare a sample of each of some projects, then look again at what differed; never asks for more."""
        async with db.read() as conn:
            projects = await queries.projects_to_audit(conn, PROJECTS_AT_ONCE)
        suspects: list[Suspect] = []

        async def sample(project_id: int) -> bool:
            suspects.extend(await self.sample(db, project_id))
            return False

        await self._turns.take(projects, sample)
        if suspects:
            await asyncio.sleep(self._recheck_after_s)
        for suspect in suspects[:MAX_SUSPECTS]:
            await self.settle(db, suspect)
        return False

    async def sample(self, db: Database, project_id: int) -> list[Suspect]:
        """Compare some memberships of a project, all in one snapshot; return those that differ, and count all."""
        async with db.snapshot() as conn:
            moment = await open_moment(conn, project_id, db.clock_offset, [])
            ids, conditions = _compiled(
                await queries.pick_segments(conn, project_id, SEGMENTS_AT_ONCE), moment, project_id
            )
            customer_ids = await queries.pick_customers(conn, project_id, ids, CUSTOMERS_AT_ONCE, MEMBERS_AT_ONCE)
            compared = await queries.compare(conn, project_id, customer_ids, ids, conditions) if ids else []

        async def add(conn: Connection) -> None:
            await queries.add(conn, project_id, moment.now, checked=len(compared) * len(ids))

        await db.transaction(add)
        # Segment after segment: where one is mended, those that name it follow.
        return [
            Suspect(project_id, segment_id, one.customer_id)
            for place, segment_id in enumerate(ids)
            for one in compared
            if one.stored[place] is not one.wanted[place]
        ]

    async def settle(self, db: Database, suspect: Suspect) -> None:
        """Look again at a membership; count and mend what is wrong."""
        await self._writer.commit(internal(suspect.project_id, SELF_AUDIT), partial(_settle, db, suspect))


def _compiled(
    segments: Sequence[tuple[str, Any]], moment: Opened, project_id: int
) -> tuple[list[str], list[Condition]]:
    """Return the segments, each after those that it names, and their filters in SQL.

    They are as many as one statement may have conditions of, but one at least.
    """
    filters: dict[str, Filter] = {}
    size = 0
    for segment_id, raw in segments:
        filter_ = parse(raw)
        size += filter_.size
        if filters and size > CONDITIONS_AT_ONCE:
            break
        filters[segment_id] = filter_
    ids = naming_order({segment_id: filter_.segment_ids for segment_id, filter_ in filters.items()})
    conditions: list[Condition] = []
    first_parameter = queries.FIRST_PARAMETER
    for segment_id in ids:
        condition = compile_filter(
            filters[segment_id],
            now=moment.now,
            zone_name=moment.zone_name,
            project_id=project_id,
            first_parameter=first_parameter,
        )
        first_parameter += len(condition.parameters)
        conditions.append(condition)
    return ids, conditions


async def _settle(db: Database, suspect: Suspect, unit: Unit) -> None:
    """Look again, under the customer's lock; count, log and mend what is wrong now."""
    known = await unit.lock_all([suspect.customer_id])
    moment = await open_moment(unit.conn, unit.project_id, db.clock_offset, [])
    raw = await queries.find_filter(unit.conn, unit.project_id, suspect.segment_id)
    if raw is None:
        return
    stored = False
    for at in {moment.now, min(moment.ticked_to or moment.now, moment.now)}:
        stored, wanted = await _compare(unit, suspect, raw, moment._replace(now=at))
        if stored is wanted:
            return
    drift = {
        "segment_id": suspect.segment_id,
        "customer_id": suspect.customer_id,
        "stored": stored,
        "at": iso(moment.now),
    }
    log.error("a membership was not what the filter says", project_id=unit.project_id, **drift)
    await queries.add(unit.conn, unit.project_id, moment.now, checked=0, drift=drift)
    if known:
        unit.look_at({suspect.customer_id: [suspect.segment_id]})
    else:
        await queries.remove_nobody(unit.conn, unit.project_id, suspect.segment_id, suspect.customer_id)


async def _compare(unit: Unit, suspect: Suspect, raw: Any, moment: Opened) -> tuple[bool, bool]:
    ids, conditions = _compiled([(suspect.segment_id, raw)], moment, unit.project_id)
    (one,) = await queries.compare(unit.conn, unit.project_id, [suspect.customer_id], ids, conditions)
    return one.stored[0], one.wanted[0]
