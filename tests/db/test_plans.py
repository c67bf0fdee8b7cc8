"""What is asked again and again must not read what has nothing to do with it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from rapport.core.db import Connection, Database
from rapport.segments.building import queries as building
from rapport.segments.stored import queries as stored
from rapport.segments.ticks import queries as ticks
from rapport.segments.ticks.crossings import Scan

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SOON = NOW + timedelta(seconds=1)


class Explained:
    """Takes the place of a connection: explains what it is asked, and answers nothing."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn
        self.plans: list[str] = []

    async def fetch(self, query: str, *parameters: object) -> list[Any]:
        """Explain a query."""
        rows = await self._conn.fetch("EXPLAIN " + query, *parameters)
        self.plans.append("\n".join(row[0] for row in rows))
        return []

    async def fetchval(self, query: str, *parameters: object) -> int:
        """Explain a query."""
        await self.fetch(query, *parameters)
        return 0


_MANY_DATES = (
    """
    INSERT INTO customers (project_id, id, source_id, address, metadata, system_metadata, source, orders_count,
        orders_amount, last_order_at, last_order_products, redemptions, loyalty, referrals, events, birthdate,
        created_at, updated_at)
    SELECT 1, 'cust_' || n, 'c' || n, '{}', '{}', '{}', 'API', 0, 0, at, '[]', '{}', '{}', '{}', '{}', at::date, at, at
    FROM generate_series(1, 2000) AS n, LATERAL (SELECT '2025-01-01'::timestamptz + n * interval '4 hours' AS at) AS day
    """,
    """
    INSERT INTO events (project_id, customer_id, name, created_at, id, metadata)
    SELECT 1, 'cust_' || n, 'seen', '2025-01-01'::timestamptz + n * interval '4 hours', 'ev_' || n, '{}'
    FROM generate_series(1, 2000) AS n
    """,
    """
    INSERT INTO orders (project_id, id, source_id, status, customer_id, amount, discount_amount, total_amount,
        applied_discount_amount, items, metadata, redemptions, created_at)
    SELECT 1, 'ord_' || n, 'o' || n, CASE n % 5 WHEN 0 THEN 'PAID' ELSE 'CREATED' END, 'cust_' || n,
        1, 0, 1, 0, '[]', '{}', '{}',
        '2025-01-01'::timestamptz + n * interval '4 hours'
    FROM generate_series(1, 2000) AS n
    """,
    """
    INSERT INTO segment_moments (project_id, field, is_day, at, customer_id, ahead)
    SELECT 1, 'metadata.ends', n % 2 = 0, '2025-01-01'::timestamptz + n * interval '4 hours', 'cust_' || n, false
    FROM generate_series(1, 2000) AS n
    """,
    "ANALYZE customers, events, orders, segment_moments",
)


@pytest.fixture(scope="module")
async def dated(db: Database) -> AsyncIterator[Connection]:
    """A connection that sees many dates, until it is given back: the plan for a large table is wanted."""
    async with db.read() as conn:
        transaction = conn.transaction()
        await transaction.start()
        for statement in _MANY_DATES:
            await conn.execute(statement)
        for setting in ("enable_seqscan = off", "enable_bitmapscan = off", "plan_cache_mode = force_generic_plan"):
            await conn.execute(f"SET LOCAL {setting}")
        yield conn
        await transaction.rollback()


async def plan_of(conn: Connection, ask: Callable[[Any], Awaitable[object]]) -> str:
    """Return how the database would find what `ask` asks for."""
    explained = Explained(conn)
    await ask(explained)
    return explained.plans[0]


def conditions(plan: str) -> str:
    """Return by what the indexes of a plan are searched."""
    return "\n".join(line for line in plan.splitlines() if "Index Cond" in line)


SCANS = [
    (Scan("column", "created_at", NOW, SOON), "customers_by_created_at", "created_at"),
    (Scan("column", "updated_at", NOW, SOON), "customers_by_updated_at", "updated_at"),
    (Scan("column", "last_order_at", NOW, SOON), "customers_by_last_order_at", "last_order_at"),
    (Scan("days", "birthdate", date(2026, 1, 1), date(2026, 1, 2)), "customers_by_birthdate", "birthdate"),
    (Scan("months", "birthdate", 2, 3), "customers_by_birth_month", "EXTRACT(month FROM birthdate)"),
    (Scan("moments", "metadata.ends", NOW, SOON), "segment_moments_pkey", "at"),
    (Scan("days of moments", "metadata.ends", NOW, SOON), "segment_moments_pkey", "at"),
    (Scan("events", "seen", NOW, SOON), "events_by_created_at", "created_at"),
    (Scan("orders", "", NOW, SOON), "orders_counted_by_created_at", "created_at"),
]


@pytest.mark.parametrize(("scan", "index", "column"), SCANS, ids=[f"{one.place} {one.name}" for one, _, _ in SCANS])
async def test_a_tick_reads_only_the_dates_between_two_moments(
    dated: Connection, scan: Scan, index: str, column: str
) -> None:
    plans = [
        await plan_of(dated, lambda conn: ticks.scan(conn, 1, [scan, scan], 100)),
        await plan_of(dated, lambda conn: ticks.scan_on(conn, 1, scan, (str(scan.least), "cust_1"), 100)),
    ]
    for plan in plans:
        assert f"using {index} on" in plan, plan
        assert f"{column} >= " in conditions(plan), plan
        assert f"{column} < " in conditions(plan), plan
        # Nothing is read beyond the limit, since what is asked for lies in the order of the index.
        assert "Sort" not in plan, plan
        assert "Seq Scan" not in plan, plan


_MANY_MEMBERS = """
INSERT INTO segment_members (project_id, segment_id, customer_id, entered_at, logged)
SELECT 1, 'seg_' || segment, 'cust_' || n, '2026-01-01', false
FROM generate_series(1, 10) AS segment, generate_series(1, 4000) AS n
"""


@pytest.fixture
async def large(db: Database) -> AsyncIterator[Connection]:
    """A connection that sees many members, of ten segments, until it is given back."""
    async with db.read() as conn:
        transaction = conn.transaction()
        await transaction.start()
        await conn.execute("DELETE FROM segment_members WHERE project_id = 1")
        await conn.execute(_MANY_MEMBERS)
        await conn.execute("ANALYZE segment_members")
        # Of ten equal segments, reading on until enough rows are found may seem as good.
        await conn.execute("SET LOCAL enable_seqscan = off")
        yield conn
        await transaction.rollback()


async def test_deleting_a_segment_reads_only_its_rows(large: Connection) -> None:
    for ask in (building.sweep, building.remove_members):
        explained = Explained(large)
        await ask(explained, 1, "seg_1", 1_000)
        plan = explained.plans[0]
        assert "segment_id = 'seg_1'" in conditions(plan), plan
        assert "Tid Scan on segment_members" in plan, plan
        assert "Seq Scan" not in plan, plan


async def test_a_decision_reads_only_the_rows_of_its_customers(large: Connection) -> None:
    explained = Explained(large)
    await stored.stored_rows(explained, 1, ["cust_1"], ["seg_1", "seg_2"])
    plan = explained.plans[0]
    assert "segment_members" in plan
    assert "customer_id = ANY" in conditions(plan), plan
    assert "segment_id = ANY" in conditions(plan), plan
    assert "Seq Scan" not in plan, plan
