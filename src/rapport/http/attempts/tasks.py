"""Background work of attempts: budgets that are full again are removed."""

from rapport.core.db import Connection, Database
from rapport.http.attempts import queries
from rapport.work.turns import Turns

EVERY_S = 60.0
BATCH = 1_000


class FullBudgets:
    """Removes them in batches; safe to run by several workers at once."""

    def __init__(self) -> None:
        """Begin with every project's turn."""
        self._turns = Turns("attempts: remove full budgets")

    async def remove(self, db: Database) -> bool:
        """Remove a batch in each project that has some; return whether there is more to do."""
        async with db.read() as conn:
            projects = await queries.projects_with_full(conn, db.clock_offset)

        async def one(project_id: int) -> bool:
            async def step(conn: Connection) -> bool:
                return await queries.remove_full(conn, project_id, db.clock_offset, BATCH) == BATCH

            return await db.transaction(step)

        return await self._turns.take(projects, one)
