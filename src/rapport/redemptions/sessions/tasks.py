"""Background work of sessions: what they held back of limited goods is removed once they are over."""

from rapport.core.db import Connection, Database
from rapport.core.queries import read_now
from rapport.rules.counted.queries import remove_held_units

EVERY_S = 60.0
BATCH = 1_000


async def remove_units(db: Database) -> bool:
    """Remove a batch; return whether there is more to do. Safe to run by several workers at once."""

    async def step(conn: Connection) -> bool:
        return await remove_held_units(conn, await read_now(conn, db.clock_offset), BATCH) == BATCH

    return await db.transaction(step)
