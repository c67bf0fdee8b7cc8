"""A profile, and the lists of one customer, read that customer's rows and no others, and no more than they show."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from db.test_plans import Explained
from rapport.activity import queries as activity
from rapport.activity.queries import ACTIVITIES, ACTIVITY
from rapport.core.db import Database
from rapport.core.errors import NotFound
from rapport.distributions.messages import queries as messages
from rapport.events import queries as events
from rapport.http.lists import ListSpec, read_page
from rapport.orders import queries as orders
from rapport.profiles import queries

OF_PROFILE = {
    "segment_members_of_customer", "segments_pkey",
    "activity_of_customer", "orders_of_customer", "events_of_customer", "messages_of_customer", "vouchers_of_holder",
    "redemptions_of_customer", "publications_of_customer",
}  # fmt: skip
_MANY = """
INSERT INTO activity (project_id, id, created_at, type, customer_id, payload, source, group_id)
SELECT 1, 'ev_' || n, '2026-01-01'::timestamptz + n * interval '1 second',
    CASE WHEN n % 300 < 30 THEN 'customer.updated' ELSE 'customer.custom_event' END, 'cust_' || n % 30, '{}', '{}', 'v'
FROM generate_series(1, 30000) AS n
"""


class Row(Explained):
    """Explains a query for one row, too."""

    async def fetchrow(self, query: str, *parameters: object) -> None:
        """Explain a query."""
        await self.fetch(query, *parameters)


@pytest.fixture
async def explained(db: Database) -> AsyncIterator[Row]:
    """A connection that explains, on a log of some size that is gone again afterwards."""
    async with db.read() as conn:
        transaction = conn.transaction()
        await transaction.start()
        await conn.execute("DELETE FROM activity WHERE project_id = 1")
        await conn.execute(_MANY)
        await conn.execute("ANALYZE activity")
        # The other tables have few rows, and are read whole whatever their indexes.
        for setting in ("enable_seqscan = off", "enable_bitmapscan = off", "plan_cache_mode = force_generic_plan"):
            await conn.execute(f"SET LOCAL {setting}")
        yield Row(conn)
        await transaction.rollback()


def indexes(plan: str) -> set[str]:
    """The indexes that a plan reads."""
    return set(re.findall(r"Index (?:Only )?Scan(?: Backward)? using (\w+)", plan))


async def test_a_profile_reads_only_what_belongs_to_its_customer(explained: Row) -> None:
    with pytest.raises(NotFound):
        await queries.get(explained, 1, "cust_1", 10, timedelta(0))
    (plan,) = explained.plans
    assert "Seq Scan" not in plan, plan
    assert indexes(plan) >= OF_PROFILE, plan
    # What is shown of the long lists is read in their order: only segments and expired codes are sorted, and ties of
    # an instant.
    for line in plan.splitlines():
        if "Sort Key" in line:
            assert any(word in line for word in ("entered_at", "ended", "least", "created_at DESC, ")), line


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"order": "created_at"},
        {"type": "customer.updated"},
        {"category": "EFFECT"},
        {"campaign_id": "camp_1"},
        {"start_date": "2026-01-01T01:00:00Z"},
    ],
    ids=str,
)
async def test_activity_is_read_in_the_order_of_its_index(explained: Row, query: dict[str, str]) -> None:
    await activity.list_of_customer(explained, 1, "cust_1", read_page(ACTIVITY, query))
    (plan,) = explained.plans
    assert indexes(plan) == {"activity_of_customer"}, plan
    assert "Sort" not in plan, plan
    assert "count" not in plan, plan


async def test_a_rare_type_is_found_without_reading_the_other_rows(explained: Row) -> None:
    await activity.list_of_customer(explained, 1, "cust_1", read_page(ACTIVITY, {"type": "customer.updated"}))
    condition = next(line for line in explained.plans[0].splitlines() if "Index Cond" in line)
    assert "type = " in condition


async def test_the_older_form_counts_by_the_same_index(explained: Row) -> None:
    await activity.count_of_customer(explained, 1, "cust_1", read_page(ACTIVITIES, {}))
    count, page = explained.plans
    assert indexes(count) == indexes(page) == {"activity_of_customer"}, count


LISTS: list[tuple[Any, ListSpec, str]] = [
    (events.list_of_customer, events.EVENTS, "events_of_customer"),
    (messages.list_of_customer, messages.OF_CUSTOMER, "messages_of_customer"),
]


@pytest.mark.parametrize(("ask", "spec", "index"), LISTS, ids=[index for _, _, index in LISTS])
async def test_the_lists_of_a_customer_read_only_theirs(explained: Row, ask: Any, spec: ListSpec, index: str) -> None:
    await ask(explained, 1, "cust_1", read_page(spec, {}))
    for plan in explained.plans:
        assert indexes(plan) == {index}, plan
        assert "Sort" not in plan, plan


async def test_orders_of_a_customer_are_read_by_their_index(explained: Row) -> None:
    await orders.list_page(explained, 1, read_page(orders.ORDERS, {"customer": "cust_1"}))
    for plan in explained.plans:
        assert "orders_of_customer" in indexes(plan), plan
        assert "Seq Scan on orders" not in plan, plan


async def test_customers_of_a_rare_source_are_read_by_its_index(explained: Row) -> None:
    await explained.fetch(
        "SELECT id FROM customers WHERE project_id = 1 AND source = 'MailChimp' ORDER BY created_at, id"
    )
    assert indexes(explained.plans[0]) == {"customers_by_source"}, explained.plans
