"""The worker's steps of bulk actions: some things at a time, and one by one where one of them is refused."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

import msgspec
import structlog

from rapport.activity.log import IMPORT, Internal
from rapport.async_actions.models import Action
from rapport.bulk import queries
from rapport.bulk.kinds import KINDS, ORDERS_IMPORT, Kind, Work
from rapport.bulk.models import REPORT_KEPT, Failure, Outcome, Waiting
from rapport.bulk.reading import failure
from rapport.bulk.reports import path_of
from rapport.core.clock import iso
from rapport.core.db import RefusedValue, UniqueViolation
from rapport.core.errors import DuplicateFound, InvalidPayload, RapportError
from rapport.core.queries import read_now
from rapport.customers.queries import lock_named
from rapport.customers.writes import Unit
from rapport.http.links import signed
from rapport.projects.queries import get_link_secret

# Failures that an action shows by itself; the report has all of them.
MOST_SHOWN = 100
# What a mistake of ours raises, rather than a database that is away: trying again is no use.
_MISTAKES: Final = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, AssertionError)
_OURS: Final = Failure("internal_error", "Internal error", "Something went wrong on our side")

log = structlog.get_logger(__name__)


class BulkStep:
    """Does the next things of an action; they, what came of them and how far it is commit together."""

    def __init__(self, offset: timedelta) -> None:
        """Go by the database's clock, moved by `offset`."""
        self._offset = offset

    async def __call__(self, unit: Unit, action: Action) -> Action:
        """Do a step (`async_actions.tasks.Step`)."""
        kind = KINDS[action.type]
        if kind.past:
            _sign(unit, heard=bool(action.parameters.get("segment_events")))
        after = action.cursor.get("number", 0)
        rows = await queries.lock_next(unit.conn, unit.project_id, action.id, after, kind.size)
        waiting = [row for row in rows if row.input is not None]
        outcomes = await _do(unit, kind, waiting, action) if waiting else []
        numbers = [row.number for row in waiting]
        await queries.write(unit.conn, unit.project_id, action.id, numbers, outcomes)
        done = sum(one.error is None for one in outcomes)
        further = msgspec.structs.replace(
            action,
            cursor={"number": rows[-1].number} if rows else action.cursor,
            done_count=action.done_count + done,
            failed_count=action.failed_count + len(rows) - done,
        )
        return further if len(rows) == kind.size else await self._finish(unit, further)

    async def _finish(self, unit: Unit, action: Action) -> Action:
        conn, project_id = unit.conn, unit.project_id
        public_id, secret = await get_link_secret(conn, project_id)
        until = await read_now(conn, self._offset) + REPORT_KEPT
        failed = await queries.failed(conn, project_id, action.id, MOST_SHOWN)
        result: dict[str, Any] = {
            "done_count": action.done_count,
            "failed_count": action.failed_count,
            "reports": [signed(secret, path_of(action.id), public_id, until)],
            "reports_available_till": iso(until),
            "errors": [{**msgspec.to_builtins(error), "source_id": source_id or ""} for source_id, error in failed],
        }
        if KINDS[action.type].past:
            result["message"] = f"{action.done_count} of {action.total} done, {action.failed_count} failed"
        if action.type == ORDERS_IMPORT and failed:
            result["failed"] = {"source_id": failed[0][0] or "", "reason": failed[0][1].details}
        return msgspec.structs.replace(action, status="DONE", result=result)


def _sign(unit: Unit, *, heard: bool) -> None:
    """Mark what this unit logs as told about the past; `heard`: but not that customers enter segments by it."""
    source = unit.signature.source
    if heard:
        unit.turned_by = source
    past = msgspec.structs.replace(source, reason=IMPORT.reason)
    unit.signature = Internal(unit.project_id, unit.signature.request_id, past)


async def _do(unit: Unit, kind: Kind, waiting: Sequence[Waiting], action: Action) -> list[Outcome]:
    """Do things all at once; where that is refused, one by one, each failing alone."""
    inputs = [kind.read(row, action.parameters) for row in waiting]
    people = set[str]().union(*map(kind.people, inputs))
    # In one order, whatever the request's: otherwise requests about the same people wait for each other.
    locked = await lock_named(unit.conn, unit.project_id, sorted(people))
    if kind.known is None:
        known = frozenset(one.source_id for one in locked if one.source_id is not None)
    else:
        known = frozenset(await kind.known(unit, inputs))
    if len(inputs) > 1:
        try:
            return await _apply(unit, kind, Work(inputs, known))
        except (RapportError, UniqueViolation, *RefusedValue, *_MISTAKES):
            log.info("the things of a step are done one by one", id=action.id, things=len(inputs))
    return [
        await _do_one(unit, kind, row, Work([data], known), action) for row, data in zip(waiting, inputs, strict=True)
    ]


async def _apply(unit: Unit, kind: Kind, work: Work) -> list[Outcome]:
    async with unit.part() as part:
        return await kind.apply(part, work)


async def _do_one(unit: Unit, kind: Kind, row: Waiting, work: Work, action: Action) -> Outcome:
    try:
        return (await _apply(unit, kind, work))[0]
    except RapportError as refused:
        why = failure(refused)
    except UniqueViolation:
        why = failure(DuplicateFound(kind.thing, row.source_id or "?"))
    except RefusedValue as refused:
        log.warning("the database refused a value", id=action.id, number=row.number, error=type(refused).__name__)
        why = failure(InvalidPayload("A value is too long or out of range"))
    except _MISTAKES as mistake:
        log.error("a thing of an action failed", id=action.id, number=row.number, exc_info=mistake)
        why = _OURS
    found = row.source_id in work.known if not kind.past else None
    return Outcome(found=found, updated=False, error=why)
