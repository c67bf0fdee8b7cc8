"""Background work of idempotency: answers that are out of force are removed."""

from rapport.core.db import Connection, Database
from rapport.http.idempotency import queries
from rapport.work.turns import Turns

EVERY_S = 60.0
BATCH = 1_000


class ExpiredKeys:
    """Removes keys in batches; safe to run by several workers at once."""

    def __init__(self) -> None:
        """Begin with every project's turn."""
        self._turns = Turns("idempotency: remove expired keys")

    async def remove(self, db: Database) -> bool:
        """Remove a batch in each project that has expired keys; return whether there is more to do."""
        async with db.read() as conn:
            projects = await queries.projects_with_expired(conn, db.clock_offset)

        async def one(project_id: int) -> bool:
            async def step(conn: Connection) -> bool:
                return await queries.remove_expired(conn, project_id, db.clock_offset, BATCH) == BATCH

            return await db.transaction(step)

        return await self._turns.take(projects, one)
