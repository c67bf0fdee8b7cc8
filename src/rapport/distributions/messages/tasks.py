"""Background work of messages: lanes that claim, prepare and hand over; what a dead worker left."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import structlog

from rapport.core.db import Connection, Database, DatabaseUnavailable
from rapport.core.queries import read_now
from rapport.customers.writes import Writer
from rapport.distributions.messages import queries
from rapport.distributions.messages.models import PREPARING_LEASE, Claimed
from rapport.distributions.messages.providers import Outbox, Outcome, Provider, file_name, remove
from rapport.distributions.messages.sending import NotWanted, Ready, Refusal, Sending
from rapport.distributions.messages.smtp import Smtp
from rapport.settings import Settings
from rapport.work.turns import Turns

BATCH = 10
BATCH_LIMIT_S = 10.0
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 30.0
RECORD_ATTEMPTS = 6

DOUBTFUL = ("delivery_unknown", "the worker ended while it handed the message over; it may have been sent")
AGAIN = ("worker_ended", "the worker ended before it handed the message over")

log = structlog.get_logger(__name__)


class Lane:
    """Sends one message after another on a connection of its own; several lanes keep several messages in flight.

    Each run takes messages of one project, drawn among those that have some, so that a long queue delays only itself.
    When the provider cannot be reached, the message that found out waits its turn, the others of the run are put back
    untouched, and the lane rests.
    """

    def __init__(self, writer: Writer, settings: Settings) -> None:
        """Hand over to the configured SMTP server, or else to the outbox."""
        self._provider: Provider = Smtp(settings.smtp) if settings.smtp else Outbox(settings.outbox)
        self._sending = Sending(writer, self._provider.name, settings.smtp_from, settings.reached_at)
        self._rest_until = 0.0
        self._downs = 0

    async def run(self, db: Database) -> bool:
        """Send up to one batch; return whether there may be more."""
        if time.monotonic() < self._rest_until:
            return False
        async with db.read() as conn:
            projects = await queries.projects_with_due(conn, db.clock_offset)
        if not projects:
            return False
        project_id = random.choice(projects)  # noqa: S311 (a fair turn, not a secret)

        async def claim(conn: Connection) -> list[Claimed]:
            at = await read_now(conn, db.clock_offset)
            return await queries.claim(conn, project_id, at, PREPARING_LEASE, BATCH)

        claimed = await db.transaction(claim)
        ends_at = time.monotonic() + BATCH_LIMIT_S
        for number, message in enumerate(claimed, start=1):
            go_on = await self._send(project_id, message)
            if not go_on or time.monotonic() > ends_at:
                await self._put_back(db, project_id, claimed[number:])
                break
        return bool(claimed) and time.monotonic() >= self._rest_until

    async def close(self) -> None:
        """End the connection."""
        await self._provider.close()

    async def _send(self, project_id: int, message: Claimed) -> bool:
        """Send one message as far as it goes; return whether to go on with the next."""
        ready = await self._prepare(project_id, message)
        if ready is None:
            return True
        try:
            outcome = await self._provider.hand_over(ready.mail, ready.file_name)
        except asyncio.CancelledError:
            stopped = Outcome("later", AGAIN[0], AGAIN[1])
            await _insist(lambda: self._sending.record(project_id, message, ready, stopped))
            raise
        if await _insist(lambda: self._sending.record(project_id, message, ready, outcome)):
            await self._provider.take_back(ready.file_name)
        if outcome.down:
            self._downs += 1
            pause_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(self._downs - 1, 10))
            self._rest_until = time.monotonic() + pause_s
            log.warning("mail cannot be handed over", reason=outcome.key, pause_s=pause_s)
        elif outcome.kind == "taken":
            self._downs = 0
        task = asyncio.current_task()
        return not outcome.down and not (task and task.cancelling())

    async def _prepare(self, project_id: int, message: Claimed) -> Ready | None:
        try:
            return await self._sending.prepare(project_id, message)
        except NotWanted:
            await self._sending.cancel(project_id, message)
        except Refusal as refusal:
            if refusal.temporary:
                await self._sending.put_off(project_id, message, (refusal.key, refusal.message))
            else:
                await self._sending.fail(project_id, message, refusal)
        except DatabaseUnavailable:
            raise
        except Exception as error:
            log.exception("a message could not be prepared", message_id=message.id)
            await self._sending.put_off(project_id, message, ("internal_error", type(error).__name__))
        return None

    async def _put_back(self, db: Database, project_id: int, rest: list[Claimed]) -> None:
        if not rest:
            return

        async def release(conn: Connection) -> None:
            at = await read_now(conn, db.clock_offset)
            await queries.release(conn, project_id, [(one.id, one.attempts) for one in rest], at)

        await db.transaction(release)


class Recovery:
    """Settles messages that a worker held when it died."""

    def __init__(self, outbox: Path) -> None:
        """Remove from `outbox` what must not stay there."""
        self._turns = Turns("distributions: recover")
        self._outbox = outbox

    async def run(self, db: Database) -> bool:
        """Queue again what was not handed over, mark as UNCERTAIN what may have been.

        What was on its way to a customer who is erased is over, and removed where it lies in the outbox.
        """
        async with db.read() as conn:
            projects = await queries.projects_with_expired(conn, db.clock_offset)

        async def settle_one(project_id: int) -> bool:
            async def settle(conn: Connection) -> list[queries.Left]:
                at = await read_now(conn, db.clock_offset)
                return await queries.recover(conn, project_id, at, DOUBTFUL, AGAIN)

            left = await db.transaction(settle)
            for one in left:
                log.warning("a message was left behind", message_id=one.id, state=one.state)
            erased = [file_name(one.id, one.created_at) for one in left if one.is_erased]
            await asyncio.to_thread(remove, self._outbox, erased)
            return False

        return await self._turns.take(projects, settle_one)


async def _insist(record: Callable[[], Awaitable[bool]]) -> bool:
    """Write how handing over ended, even if the database is away for a moment; unwritten it becomes UNCERTAIN."""
    for attempt in range(RECORD_ATTEMPTS):
        try:
            return await record()
        except DatabaseUnavailable as error:
            if attempt == RECORD_ATTEMPTS - 1:
                raise
            log.warning("the outcome of a message is not written yet", error=type(error).__name__)
            await asyncio.sleep(0.2 * 2**attempt)
    return False
