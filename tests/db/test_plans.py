"""What is asked again and again must not read what has nothing to do with it."""

from datetime import UTC, datetime

from rapport.core.db import Database
from rapport.segments import queries


async def test_the_tick_reads_only_customers_whose_moment_has_come(db: Database) -> None:
    async with db.read() as conn, conn.transaction():
        # A table of a few rows is read whole whatever its indexes: the plan for a large one is wanted.
        await conn.execute("SET LOCAL enable_seqscan = off")
        await conn.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        rows = await conn.fetch("EXPLAIN " + queries._DUE, 1, datetime(2026, 1, 1, tzinfo=UTC), 100)
    plan = "\n".join(row[0] for row in rows)
    assert "customers_to_check" in plan
    assert "next_check_at <= " in next(line for line in plan.splitlines() if "Index Cond" in line)
