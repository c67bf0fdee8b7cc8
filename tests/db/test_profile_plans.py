"""A profile, and the lists of one customer, read that customer's rows and no others, and no more than they show."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from db.test_plans import Explained
from rapport.activity import queries as activity
from rapport.activity.queries import ACTIVITIES, ACTIVITY
from rapport.core.db import Connection, Database
from rapport.core.errors import NotFound
from rapport.distributions.messages import queries as messages
from rapport.events import queries as events
from rapport.http.lists import ListSpec, read_page
from rapport.orders import queries as orders
from rapport.profiles import queries

OF_PROFILE = {
    "segment_members_of_customer",
    "activity_of_customer", "orders_of_customer", "events_of_customer", "messages_of_customer", "vouchers_of_holder",
    "redemptions_of_customer", "publications_of_customer",
}  # fmt: skip
_AT = "'2026-01-01'::timestamptz + n * interval '1 second'"
_MANY = {
    "activity": f"""(project_id, id, created_at, type, customer_id, payload, source, group_id)
        SELECT 1, 'ev_' || n, {_AT}, CASE WHEN n % 300 < 30 THEN 'customer.updated' ELSE 'customer.custom_event' END,
            'cust_' || n % 30, '{{}}', '{{}}', 'v' FROM generate_series(1, 30000) AS n""",
    "orders": f"""(project_id, id, status, customer_id, amount, discount_amount, total_amount,
        applied_discount_amount, items, metadata, redemptions, created_at)
        SELECT 1, 'ord_' || n, 'PAID', 'cust_' || n % 300, 1, 0, 1, 0, '[]', '{{}}', '{{}}', {_AT}
        FROM generate_series(1, 9000) AS n""",
    "events": f"""(project_id, customer_id, name, created_at, id, metadata)
        SELECT 1, 'cust_' || n % 300, 'seen', {_AT}, 'ev_' || n, '{{}}' FROM generate_series(1, 9000) AS n""",
    "messages": f"""(project_id, id, distribution_id, trigger_id, trigger_type, customer_id, channel, state,
        created_at) SELECT 1, 'msg_' || n, 'dist_' || n % 10, 'ev_' || n, 'customer.custom_event',
        'cust_' || n % 300, 'email', 'SENT', {_AT} FROM generate_series(1, 9000) AS n""",
    "vouchers": f"""(project_id, id, code, discount, active, metadata, holder_id, created_at)
        SELECT 1, 'v_' || n, 'CODE' || n, '{{}}', true, '{{}}', 'cust_' || n % 300, {_AT}
        FROM generate_series(1, 9000) AS n""",
    "redemptions": f"""(project_id, id, object, result, voucher_id, customer_id, channel, created_at)
        SELECT 1, 'r_' || n, 'redemption', 'SUCCESS', 'v_' || n, 'cust_' || n % 300, '{{}}', {_AT}
        FROM generate_series(1, 9000) AS n""",
    "publications": f"""(project_id, id, customer_id, voucher_ids, voucher_codes, channel, metadata, result,
        created_at) SELECT 1, 'pub_' || n, 'cust_' || n % 300, '{{}}', '{{}}', 'API', '{{}}', 'SUCCESS', {_AT}
        FROM generate_series(1, 9000) AS n""",
    "segment_members": f"""(project_id, segment_id, customer_id, entered_at, logged)
        SELECT 1, 'seg_' || n % 30, 'cust_' || n, {_AT}, false FROM generate_series(1, 9000) AS n""",
}


class Row(Explained):
    """Explains a query for one row, too."""

    async def fetchrow(self, query: str, *parameters: object) -> None:
        """Explain a query."""
        await self.fetch(query, *parameters)


@pytest.fixture(scope="module")
async def filled(db: Database) -> AsyncIterator[Connection]:
    """A connection that explains, on tables of some size that are as before afterwards."""
    async with db.read() as conn:
        transaction = conn.transaction()
        await transaction.start()
        for table, rows in _MANY.items():
            await conn.execute(f"DELETE FROM {table} WHERE project_id = 1")
            await conn.execute(f"INSERT INTO {table} {rows}")
            await conn.execute(f"ANALYZE {table}")
        # The others have few rows, and are read whole whatever their indexes.
        for setting in ("enable_seqscan = off", "enable_bitmapscan = off", "plan_cache_mode = force_generic_plan"):
            await conn.execute(f"SET LOCAL {setting}")
        yield conn
        await transaction.rollback()


@pytest.fixture
def explained(filled: Connection) -> Row:
    """A connection of these tables that explains and remembers."""
    return Row(filled)


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
