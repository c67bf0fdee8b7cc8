"""The worker's side of asynchronous actions: one step of each in turn, until it is done."""

import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any, Protocol, TypeVar

import msgspec
import structlog

from rapport.activity.log import Source, internal
from rapport.async_actions import queries
from rapport.async_actions.models import Action
from rapport.core.db import Connection, Contention, Database, DatabaseUnavailable
from rapport.core.errors import RapportError
from rapport.core.queries import read_now
from rapport.work.turns import Turns

# Steps of one action that fail one after another for no reason that we know, before it is given up.
MAX_FAILURES = 5
# How long an action that is over can be asked for.
KEPT = timedelta(days=30)
REMOVED_AT_ONCE = 500
REMOVE_EVERY_S = 60.0

log = structlog.get_logger(__name__)


class Unit(Protocol):
    """One transaction of the write path, as `customers.writes.Unit` is."""

    conn: Connection
    project_id: int
    signature: Any


UnitT_contra = TypeVar("UnitT_contra", bound=Unit, contravariant=True)


class Step(Protocol[UnitT_contra]):
    """Does one bounded piece of an action inside the transaction that locks it, and returns how far it came.

    What it returns is written in that very transaction: a step that is cut short has never happened. It sets `status`
    to DONE (or FAILED) when nothing is left. A RapportError ends the action as FAILED with its details as the result;
    any other error undoes the step, which is tried again a few times.
    """

    async def __call__(self, unit: UnitT_contra, action: Action) -> Action:
        """Do a piece of the work; return the action as it is to be stored."""


class Commit(Protocol):
    """Runs work in one unit, as `customers.writes.Writer` does."""

    db: Database

    async def commit(self, signature: Any, work: Callable[[Any], Awaitable[Any]]) -> Any:
        """Run `work` in one transaction and commit it."""


class ActionSteps:
    """Takes one step of the waiting actions of each project; safe to run by several workers at once."""

    def __init__(self, name: str, writer: Commit, steps: Mapping[str, Step[Any]], *, in_order: bool = False) -> None:
        """Do actions of the types that `steps` names.

        `in_order`: those of a project one after another, as they were asked for; otherwise they take turns.
        """
        self._writer = writer
        self._steps = steps
        self._types = list(steps)
        self._turns = Turns(name)
        self._in_order = in_order

    async def run(self, db: Database) -> bool:
        """Take a step in each project that has work; return whether there is more to do."""
        async with db.read() as conn:
            projects = await queries.projects_with_work(conn, self._types)
        return await self._turns.take(projects, self._take)

    async def _take(self, project_id: int) -> bool:
        tried: list[Action] = []

        async def work(unit: Any) -> bool:
            action = await queries.lock_next(unit.conn, project_id, self._types, in_order=self._in_order)
            if action is None:
                return False
            tried[:] = [action]
            started = time.monotonic()
            unit.signature = msgspec.structs.replace(
                unit.signature, request_id=action.request_id, source=msgspec.convert(action.source, Source)
            )
            begun = msgspec.structs.replace(action, status="IN_PROGRESS", failures=0)
            after = await self._steps[action.type](unit, begun)
            worked_ms = int((time.monotonic() - started) * 1000)
            await queries.save(unit.conn, project_id, after, offset=self._writer.db.clock_offset, worked_ms=worked_ms)
            if after.is_over:
                log.info("an action is over", id=after.id, type=after.type, status=after.status)
            return True

        try:
            return bool(await self._writer.commit(internal(project_id), work))
        except (*DatabaseUnavailable, *Contention):
            raise
        except Exception as error:
            if tried:
                await self._failed(project_id, tried[0].id, error)
                return True
            raise

    async def _failed(self, project_id: int, action_id: str, error: Exception) -> None:
        """Count a step that was undone; give the action up where trying again is no use."""
        final = isinstance(error, RapportError)
        if not final:
            log.error("a step of an action failed", id=action_id, project_id=project_id, exc_info=error)

        async def work(conn: Connection) -> None:
            action = await queries.find(conn, project_id, action_id, lock=True)
            if action is None or action.is_over:
                return
            failures = action.failures + 1
            given_up = final or failures >= MAX_FAILURES
            details = error.details if isinstance(error, RapportError) else "Something went wrong on our side"
            after = msgspec.structs.replace(
                action,
                failures=failures,
                status="FAILED" if given_up else action.status,
                result={**(action.result or {}), "message": details} if given_up else action.result,
            )
            await queries.save(conn, project_id, after, offset=self._writer.db.clock_offset, pause_s=0.5 * 2**failures)

        await self._writer.db.transaction(work)


class OldActions:
    """Removes what has been over for so long that nobody asks for it any more."""

    def __init__(self) -> None:
        """Begin with every project."""
        self._turns = Turns("async actions: remove old ones")

    async def run(self, db: Database) -> bool:
        """Remove some in each project; return whether there may be more."""
        async with db.read() as conn:
            before = await read_now(conn, db.clock_offset) - KEPT
            projects = await queries.projects_with_old(conn, before)

        async def remove(project_id: int) -> bool:
            return await db.transaction(lambda conn: queries.remove_old(conn, project_id, before, REMOVED_AT_ONCE)) > 0

        return await self._turns.take(projects, remove)
