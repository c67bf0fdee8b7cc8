"""Background work of distributions: from entries of the activity log to messages, and from messages to mails."""

import structlog

from rapport.activity import queries as activity
from rapport.core.db import Connection, Database
from rapport.core.ids import new_id
from rapport.core.queries import read_now
from rapport.customers.writes import Writer
from rapport.distributions import queries
from rapport.distributions.messages import queries as messages
from rapport.distributions.messages.tasks import Lane, Recovery
from rapport.distributions.models import fired
from rapport.settings import Settings
from rapport.work.periodic import Periodic
from rapport.work.turns import Turns

BATCH = 1_000
LANES = 4
TRIGGER_EVERY_S = 0.25
SEND_EVERY_S = 0.5
RECOVER_EVERY_S = 5.0

log = structlog.get_logger(__name__)


async def trigger(db: Database, turns: Turns | None = None) -> bool:
    """Queue the messages that new entries of the activity log ask for; return whether there is more to read.

    Reading on and queueing are one transaction, and a message is unique by what triggers it: several workers, or one
    that dies anywhere, make one message of each entry. `turns` remembers the projects that fail.
    """
    async with db.read() as conn:
        projects = await queries.projects_with_entries(conn)
    return await (turns or Turns("distributions: trigger")).take(projects, lambda one: _read_on(db, one))


async def _read_on(db: Database, project_id: int) -> bool:
    async def step(conn: Connection) -> tuple[int, int]:
        position = await queries.lock_position(conn, project_id)
        if position is None:
            return 0, 0
        # Whatever was made active by a transaction below the horizon is seen by the statement after it.
        below = await activity.horizon(conn)
        listening = await queries.listening(conn, project_id)
        if not listening:
            return 0, 0
        start = max(position, (min(one.active_from for one in listening), 0))
        entries = await activity.read_after(conn, project_id, start, below, BATCH)
        wanted = [
            (new_id("msg"), one.id, entry.id, entry.type, one.channel) for one, entry in fired(listening, entries)
        ]
        queued = 0
        if wanted:
            queued = await messages.queue(conn, project_id, await read_now(conn, db.clock_offset), wanted)
        reached = (entries[-1][0], entries[-1][1].seq) if len(entries) == BATCH else max(start, (below, 0))
        if reached > position:
            await queries.move_position(conn, project_id, reached)
        return len(entries), queued

    read, queued = await db.transaction(step)
    if queued:
        log.info("messages queued", project_id=project_id, messages=queued)
    return read == BATCH


def periodics(writer: Writer, settings: Settings) -> list[Periodic]:
    """Return what the worker does for distributions again and again."""
    turns = Turns("distributions: trigger")
    lanes = [Lane(writer, settings) for _ in range(LANES)]
    return [
        Periodic(turns.name, TRIGGER_EVERY_S, lambda db: trigger(db, turns)),
        *(
            Periodic(f"distributions: send {number}", SEND_EVERY_S, lane.run)
            for number, lane in enumerate(lanes, start=1)
        ),
        Periodic("distributions: recover", RECOVER_EVERY_S, Recovery(settings.outbox).run),
    ]
