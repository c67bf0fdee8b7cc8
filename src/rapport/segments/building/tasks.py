"""The worker's part in creating, editing and deleting segments; docs/decisions/0003 has the whole of it."""

from collections.abc import Mapping, Sequence

import structlog

from rapport.activity import queries as activity
from rapport.activity.log import ADJUSTMENT, internal
from rapport.core.db import Connection, Database
from rapport.customers.writes import Unit, Writer
from rapport.segments import queries as segments
from rapport.segments.building import queries
from rapport.segments.building.filling import Filling, filled
from rapport.segments.building.queries import Range
from rapport.segments.filters import parse
from rapport.segments.models import (
    AUTO_UPDATE,
    BUILDING,
    DELETED,
    LIVE,
    READY,
    SWEEPING,
    SWITCHING,
    Unsettled,
    naming_order,
)
from rapport.segments.sql import compile_filter
from rapport.work.batches import Batches
from rapport.work.turns import Resting, Turns

REMOVED_AT_ONCE = 5_000
DECIDED_AT_ONCE = 500
COMPARED_AT_ONCE = 10_000
AT_FIRST = 1_000
AT_ONCE = 20_000
# A writer who comes to a customer that a batch has just taken in waits for the end of the batch.
FILL_S = 0.15

log = structlog.get_logger(__name__)


class Building:
    """Fills, switches and removes segments, step by step; each is safe to run again and by several workers."""

    def __init__(self, writer: Writer) -> None:
        """Write through `writer`."""
        self._writer = writer
        self._fills = Batches(first=AT_FIRST, most=AT_ONCE, target_s=FILL_S)
        self._switches = Batches(first=AT_FIRST, most=AT_ONCE)
        self._turns = Turns("segments: settle")
        self._resting = Resting()

    async def settle(self, db: Database) -> bool:
        """Do one step for the segments of each project that wait for one; return whether there is more to do."""
        async with db.read() as conn:
            projects = await queries.projects_with_unsettled(conn)

        async def step(project_id: int) -> bool:
            async with db.read() as conn:
                running = await activity.horizon(conn)
                filling = await self._to_fill(conn, project_id, running)
            if filling and await Filling(db, project_id, self._fills, self._resting).fill(filling):
                return True
            signature = internal(project_id, ADJUSTMENT)
            return await self._writer.commit(signature, lambda unit: self._step(unit, running))

        return await self._turns.take(projects, step)

    async def _to_fill(self, conn: Connection, project_id: int, running: int) -> list[Unsettled]:
        """Return the segments that can be filled, each after those that it names."""
        building = await queries.unsettled(conn, project_id, BUILDING)
        ready = [one for one in building if one.settled_after is not None and one.settled_after <= running]
        by_id = {one.id: one for one in ready}
        waiting = {one.id for one in building} - by_id.keys()
        ordered = (by_id[one] for one in naming_order({one.id: one.names for one in ready}))
        return [one for one in ordered if waiting.isdisjoint(one.names)]

    async def _step(self, unit: Unit, running: int) -> bool:
        conn, project_id = unit.conn, unit.project_id
        claimed = await queries.lock_unsettled(conn, project_id)
        fresh = [one.id for one in claimed if one.settled_after is None]
        if fresh:
            await queries.set_settled_after(conn, project_id, fresh)
            return True
        ready = [one for one in claimed if one.settled_after is not None and one.settled_after <= running]
        by_state = {state: [one for one in ready if one.state == state] for state in (DELETED, READY, SWITCHING)}
        if by_state[DELETED]:
            return await self._remove(conn, project_id, by_state[DELETED][0])
        if by_state[SWITCHING]:
            return await self._switch(unit, together(by_state[SWITCHING]))
        if by_state[READY]:
            return await self._take_over(conn, project_id, by_state[READY])
        sweeping = [one for one in ready if one.state == SWEEPING]
        return await self._sweep(conn, project_id, sweeping[0]) if sweeping else False

    async def _range(self, unit: Unit, some: Sequence[Unsettled]) -> tuple[Range, int]:
        """Return the next customers, and how many there are in all."""
        total = some[0].build_total
        if total is None:
            total = await queries.count_customers(unit.conn, unit.project_id)
        first = some[0].built_to or ""
        return await queries.next_range(unit.conn, unit.project_id, first, self._switches.size(unit.project_id)), total

    async def _take_over(self, conn: Connection, project_id: int, some: Sequence[Unsettled]) -> bool:
        """Begin to change segments over to the filters whose members have been found beside them."""
        await segments.lock_definitions(conn, project_id)
        version = await segments.bump_version(conn, project_id)
        for one in some:
            await queries.take_filter(conn, project_id, one.id, version)
        await queries.set_state(conn, project_id, [one.id for one in some], READY, LIVE, version)
        return True

    async def _switch(self, unit: Unit, some: list[Unsettled]) -> bool:
        """Decide anew about the next customers for whom something else is stored than what holds now."""
        conn, project_id = unit.conn, unit.project_id
        replacing = await segments.replacing(conn, project_id, [one.id for one in some])
        for one in some:
            beside = replacing.get(one.id)
            if beside is not None and beside.state == LIVE:
                return await self._switch_to(unit, one, beside.id)
        with self._switches.measured(project_id):
            span, total = await self._range(unit, some)
            await unit.open()
            differing: dict[str, list[str]] = {}
            for one in some if span.last is not None else ():
                for customer_id in await self._differing(unit, one, span):
                    differing.setdefault(customer_id, []).append(one.id)
            if len(differing) > DECIDED_AT_ONCE:
                first = sorted(differing)[:DECIDED_AT_ONCE]
                share = span.size * DECIDED_AT_ONCE // len(differing)
                span = Range(span.first, first[-1], share)
                differing = {customer_id: differing[customer_id] for customer_id in first}
            await _look_at(unit, differing)
            if span.last is not None:
                await queries.set_built(conn, project_id, [one.id for one in some], span.last, span.size, total)
        if span.last is None:
            await filled(conn, project_id, some)
        return True

    async def _switch_to(self, unit: Unit, one: Unsettled, beside: str) -> bool:
        """Decide anew about the next customers who are in one of two sets of members and not in the other."""
        first, recorded = one.built_to or "", one.type == AUTO_UPDATE
        last, differing = await queries.apart(
            unit.conn, unit.project_id, one.id, beside, first, COMPARED_AT_ONCE, recorded=recorded
        )
        if len(differing) > DECIDED_AT_ONCE:
            differing = differing[:DECIDED_AT_ONCE]
            last = differing[-1]
        await _look_at(unit, {customer_id: [one.id] for customer_id in differing})
        if last is not None:
            await queries.set_built(unit.conn, unit.project_id, [one.id], last, 0, 0)
        else:
            await filled(unit.conn, unit.project_id, [one])
            await segments.mark_deleted(unit.conn, unit.project_id, beside)
        return True

    async def _differing(self, unit: Unit, one: Unsettled, span: Range) -> list[str]:
        condition = compile_filter(
            parse(one.filter),
            now=unit.now,
            zone_name=unit.moment.zone.key,
            project_id=unit.project_id,
            first_parameter=6,
        )
        recorded = one.type == AUTO_UPDATE
        return await queries.differing(unit.conn, unit.project_id, one.id, span, condition, recorded=recorded)

    async def _sweep(self, conn: Connection, project_id: int, one: Unsettled) -> bool:
        if await queries.sweep(conn, project_id, one.id, REMOVED_AT_ONCE) == 0:
            await queries.set_state(conn, project_id, [one.id], SWEEPING, LIVE, None)
        return True

    async def _remove(self, conn: Connection, project_id: int, one: Unsettled) -> bool:
        if await queries.remove_members(conn, project_id, one.id, REMOVED_AT_ONCE) == 0:
            await queries.remove(conn, project_id, one.id)
            log.info("segment removed", segment_id=one.id)
        return True


async def _look_at(unit: Unit, wanted: Mapping[str, list[str]]) -> None:
    if wanted:
        locked = await unit.lock_all(sorted(wanted))
        unit.look_at({one.id: wanted[one.id] for one in locked})


def together(some: list[Unsettled]) -> list[Unsettled]:
    """Return the segments gone through in one pass: those of the pass under way, or else all that wait. Pure."""
    begun = [one for one in some if one.built_to is not None]
    return [one for one in begun if one.built_to == begun[0].built_to] if begun else some
