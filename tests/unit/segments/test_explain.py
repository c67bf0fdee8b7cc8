"""What a filter saw, part by part."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from rapport.core import jsons
from rapport.customers.models import Customer
from rapport.segments.evaluate import ExplainedGroup, ExplainedLeaf, Facts, explain
from rapport.segments.filters import parse
from rapport.segments.times import to_ms

NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)
DAY = timedelta(days=1)
ADA = Customer(
    id="cust_1",
    created_at=NOW - DAY,
    updated_at=NOW,
    name="Ada",
    birthdate=date(1990, 5, 1),
    orders_amount=700,
    metadata={"tags": ["a", None, 5], "company": {"size": 50}},
    last_order_products=[{"name": "Mug"}],
)


def told(raw: dict[str, Any], segments: frozenset[str] = frozenset(), *pairs: tuple[datetime, int]) -> ExplainedGroup:
    filter_ = parse(raw)
    rows = [(to_ms(at), amount) for at, amount in pairs]
    return explain(filter_, Facts(ADA, segments, dict.fromkeys(filter_.windows, rows)), NOW, ZoneInfo("UTC"))


def leaf(raw: dict[str, Any], segments: frozenset[str] = frozenset(), *pairs: tuple[datetime, int]) -> ExplainedLeaf:
    (found,) = told(raw, segments, *pairs).children
    assert isinstance(found, ExplainedLeaf)
    return found


def seen(field: str, operator: str, operand: Any) -> tuple[Any, ...]:
    return leaf({field: {"conditions": {operator: operand}}}).values


def test_each_condition_shows_the_value_it_saw() -> None:
    assert seen("name", "$is", "Eve") == ("Ada",)
    assert seen("email", "$is", "Eve") == ()
    assert seen("summary.orders.total_amount", "$is", 1) == (700,)
    assert seen("birthdate", "$before", "2000-01-01") == ("1990-05-01",)
    assert seen("created_at", "$before", "2000-01-01") == ("2026-03-14T12:00:00.000Z",)
    assert seen("summary.orders.last_order_date", "$has_value", True) == ()  # noqa: FBT003 (the operand)
    assert seen("metadata.tags", "$is", "b") == ("a", 5)
    assert seen("metadata.company", "$is", "b") == ({"size": 50},)
    assert seen("metadata.company.size", "$is", "b") == (50,)
    assert seen("summary.orders.last_order_products", "$is", "b") == ({"name": "Mug"},)


def test_a_condition_is_told_as_it_was_written() -> None:
    found = leaf({"name": {"conditions": {"$not_contains": "x"}}})
    assert found == ExplainedLeaf("name", "$not_contain", ("x",), {}, negated=True, values=("Ada",), matches=True)
    moment = leaf({"created_at": {"conditions": {"$after": ["2026-01-31", "2026-02-01T00:00:00Z"]}}})
    assert moment.operands == ("2026-01-31", "2026-02-01T00:00:00Z")


def test_of_segments_those_named_are_shown_that_the_customer_is_in() -> None:
    raw = {"segments": {"conditions": {"$is_not": ["seg_2", "seg_1"]}}}
    found = leaf(raw, frozenset({"seg_1", "seg_3"}))
    assert (found.values, found.matches) == (("seg_1",), False)


def test_of_events_and_orders_the_numbers_are_shown() -> None:
    where = {"metadata.a": {"conditions": {"$is": "x"}}}
    raw = {"events.x": {"conditions": {"$count_more": [0], "$less_than_ago": [2]}, "where": where}}
    events = leaf(raw, frozenset(), (NOW + DAY, 0), (NOW, 0), (NOW - DAY, 0), (NOW - 2 * DAY, 0))
    assert events.values == ({"count": 2},)
    assert events.scope == {"$less_than_ago": [2], "where": where}
    orders = leaf({"orders": {"conditions": {"$sum_more_than": [5]}}}, frozenset(), (NOW, 2), (NOW - DAY, 3))
    assert (orders.values, orders.matches) == (({"count": 2, "sum": 5},), False)
    assert leaf({"orders": {"conditions": {"$count": [0]}}}).values == ({"count": 0, "sum": 0},)


def test_groups_are_told_in_their_order() -> None:
    found = told(
        {
            "junction": "or",
            "created_at": {"conditions": {"$less_than_ago": [9], "$more_than_ago": [5]}},
            "groups": [{"name": {"conditions": {"$is": ["Ada"]}}}],
        }
    )
    both, group = found.children
    assert isinstance(both, ExplainedGroup)
    assert isinstance(group, ExplainedGroup)
    assert (found.junction, found.matches) == ("or", True)
    assert (both.junction, both.matches, [one.matches for one in both.children]) == ("and", False, [True, False])
    assert (group.junction, group.matches) == ("and", True)


def test_what_is_told_can_be_written_as_json() -> None:
    raw = {"metadata.tags": {"conditions": {"$is": ["a"]}}, "birthdate": {"conditions": {"$next_month": [True]}}}
    for one in told(raw).children:
        assert isinstance(one, ExplainedLeaf)
        jsons.encode([one.values, one.operands, one.scope])
