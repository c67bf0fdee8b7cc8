"""Back-tests against the database: each step reads only the next orders, and nobody slips in while they are erased."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

import harness
from rapport.activity.log import internal
from rapport.async_actions.queries import enqueue
from rapport.backtests import queries
from rapport.backtests.models import Backtest, Draft
from rapport.backtests.steps import KIND
from rapport.backtests.tally import Tally
from rapport.core.db import Database
from rapport.rules.models import NOTHING_APPLICABLE

NOW = datetime(2026, 1, 1, tzinfo=UTC)
BACKTEST = Backtest(
    id="bt_1",
    async_action_id="aa_1",
    draft=Draft(
        validation_rule=None, rules={}, error=None, applicable_to=NOTHING_APPLICABLE, discount=None, api_key=[]
    ),
    campaign_id=None,
    campaign=None,
    statuses=["PAID"],
    since=None,
    until=NOW + timedelta(days=10),
    cursor_at=None,
    cursor_id=None,
    orders_total=None,
    is_replayed=False,
    tally=Tally(),
    created_at=NOW,
    finished_at=None,
    status="ENQUEUED",
)
_ORDERS = """
INSERT INTO orders (project_id, id, source_id, status, customer_id, amount, discount_amount, total_amount,
    applied_discount_amount, items, metadata, redemptions, created_at)
SELECT $1, 'bt_ord_' || n, 'bt_o' || n, 'PAID', NULL, 1, 0, 1, 0, '[]', '{}', '{}',
    $2::timestamptz + (n / 3) * interval '1 hour'
FROM generate_series(1, 600) AS n
"""


class Explained:
    """Takes the place of a connection: explains what it is asked, and answers nothing."""

    def __init__(self, conn: Any) -> None:
        self._conn = conn
        self.plan = ""

    async def fetch(self, query: str, *parameters: object) -> list[Any]:
        """Explain a query."""
        self.plan = "\n".join(row[0] for row in await self._conn.fetch("EXPLAIN " + query, *parameters))
        return []


async def test_a_step_reads_the_next_orders_in_the_order_of_the_index(db: Database, project_id: int) -> None:
    async with db.read() as conn:
        transaction = conn.transaction()
        await transaction.start()
        await conn.execute(_ORDERS, project_id, NOW)
        await conn.execute("ANALYZE orders")
        await conn.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        for name in ("enable_seqscan", "enable_sort", "enable_incremental_sort"):
            await conn.execute(f"SET LOCAL {name} = off")
        explained = Explained(conn)
        after = msgspec.structs.replace(BACKTEST, cursor_at=NOW, cursor_id="bt_ord_1")
        await queries.next_orders(explained, project_id, after, 10)  # type: ignore[arg-type]
        await transaction.rollback()
    plan = explained.plan
    assert "using orders_by_created_at on" in plan, plan
    assert "(ROW(created_at, id) > ROW(" in next(line for line in plan.splitlines() if "Index Cond" in line), plan
    assert "Sort" not in plan, plan


async def test_every_order_comes_once_whatever_moments_they_share(db: Database, project_id: int) -> None:
    async with db.read() as conn:
        await conn.execute(_ORDERS, project_id, NOW)
        one = msgspec.structs.replace(BACKTEST, since=NOW + timedelta(hours=1), until=NOW + timedelta(hours=150))
        seen: list[tuple[datetime, str]] = []
        while found := await queries.next_orders(conn, project_id, one, 7):
            seen += [(order.created_at, order.id) for order in found]
            one = msgspec.structs.replace(one, cursor_at=found[-1].created_at, cursor_id=found[-1].id)
        assert seen == sorted(seen)
        assert len(set(seen)) == len(seen) == await queries.count_orders(conn, project_id, one) == 447


async def test_who_is_in_a_step_is_erased_after_it_or_not_seen_by_it(api: Any, db: Database, project_id: int) -> None:
    ann = api.call("POST", "/v1/customers", {"source_id": "ann"})["id"]
    erased = asyncio.Event()

    async def erase() -> None:
        async with db.read() as conn:
            await conn.execute("DELETE FROM customers WHERE project_id = $1 AND id = $2", project_id, ann)
        erased.set()

    async with db.read() as conn, conn.transaction():
        assert list(await queries.hold_customers(conn, project_id, [ann, "cust_gone"])) == [ann]
        running = asyncio.create_task(erase())
        await asyncio.sleep(0.3)
        assert not erased.is_set()
    await running
    async with db.read() as conn:
        assert await queries.hold_customers(conn, project_id, [ann]) == {}


async def test_a_back_test_whose_action_was_given_up_or_is_forgotten_has_failed(db: Database, project_id: int) -> None:
    async with db.read() as conn:
        assert await queries.insert(conn, project_id, BACKTEST, 1)
        assert not await queries.insert(conn, project_id, msgspec.structs.replace(BACKTEST, id="bt_2"), 1)
        await enqueue(conn, internal(project_id), "OTHER", {}, offset=timedelta(), action_id="aa_1")
        waiting = await queries.find(conn, project_id, "bt_1")
        assert waiting == BACKTEST
        await conn.execute("UPDATE async_actions SET status = 'FAILED' WHERE project_id = $1", project_id)
        given_up = await queries.find(conn, project_id, "bt_1")
        await conn.execute("DELETE FROM async_actions WHERE project_id = $1", project_id)
        forgotten = await queries.find(conn, project_id, "bt_1")
    assert given_up == forgotten == msgspec.structs.replace(BACKTEST, status="FAILED")


async def test_a_back_test_that_was_deleted_meanwhile_ends_its_action(api: Any, db: Database, project_id: int) -> None:
    async with db.read() as conn:
        signature = internal(project_id)
        action_id = await enqueue(conn, signature, KIND, {"backtest_id": "bt_gone"}, offset=timedelta())

    def over() -> Any:
        found = api.call("GET", f"/v1/async-actions/{action_id}")
        return found if found["status"] == "FAILED" else None

    found = harness.wait_for(over, what="the end")
    assert found["result"]["message"] == "Cannot find backtest with id bt_gone"
