"""What a filter may look like, and how the place of a mistake is named."""

# ruff: noqa: E501, FBT003 (a mistake and its text are one line; operands are booleans)

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from rapport.segments.filters import InvalidFilter, Window, parse
from rapport.segments.times import Day

NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)


def where(raw: object) -> str:
    with pytest.raises(InvalidFilter) as caught:
        parse(raw)
    assert caught.value.key == "invalid_payload"
    assert caught.value.code == 400
    return caught.value.details


def on(field: str, operator: str, operand: Any) -> dict[str, Any]:
    return {field: {"conditions": {operator: operand}}}


def nested(depth: int) -> dict[str, Any]:
    return on("name", "$is", "x") if depth == 1 else {"groups": [nested(depth - 1)]}


def of_events(where: dict[str, Any]) -> dict[str, Any]:
    return {"events.x": {"conditions": {"$count": 1}, "where": where}}


def of_orders(where: dict[str, Any]) -> dict[str, Any]:
    return {"orders": {"where": where}}


DAYS = "takes a number of days from 0 to 36500"
WHOLE_DAYS = "takes a whole number of days from 0 to 36500"
MOMENT = "takes a date (2026-01-31) or a date-time (2026-01-31T12:00:00Z)"
NOTHING = 'takes true, "", [] or [true]'


@pytest.mark.parametrize(
    ("raw", "details"),
    [
        (None, "filter: must be an object"),
        ([], "filter: must be an object"),
        ("x", "filter: must be an object"),
        ({}, "filter: must not be empty"),
        ({"junction": "and"}, "filter: has no conditions"),
        ({"groups": []}, "filter: has no conditions"),
        ({"groups": {}}, "filter.groups: must be a list"),
        ({"groups": [{}]}, "filter.groups[0]: must not be empty"),
        ({"groups": [5]}, "filter.groups[0]: must be an object"),
        ({"junction": "xor", **nested(1)}, "filter.junction: must be and, or"),
        ({"junction": None, **nested(1)}, "filter.junction: must be and, or"),
        ({"name": {"conditions": {}}}, "filter.name.conditions: must not be empty"),
        ({"name": {"conditions": []}}, "filter.name.conditions: must be an object"),
        ({"name": {}}, "filter.name: must not be empty"),
        ({"name": "Ada"}, "filter.name: must be an object"),
        ({"name": {"condition": {"$is": "x"}}}, "filter.name.condition: unknown property"),
        ({"name": {"conditions": {"$is": "x"}, "more": 1}}, "filter.name.more: unknown property"),
        (on("address.city", "$foo", "x"), "filter.address.city.conditions.$foo: unknown operator"),
        (on("address.city", "is", "x"), "filter.address.city.conditions.is: unknown operator"),
        ({"groups": [on("nmae", "$is", "x")]}, "filter.groups[0].nmae: unknown field"),
        (on("name", "$more_than", 5), "filter.name.conditions.$more_than: does not apply to a field of type text"),
        (on("loyalty.points", "$contains", "5"), "filter.loyalty.points.conditions.$contains: does not apply to a field of type number"),
        (on("segments", "$contains", "s"), "filter.segments.conditions.$contains: does not apply to a field of type segments"),
        (on("events.x", "$is", "s"), "filter.events.x.conditions.$is: does not apply to a field of type events"),
        (on("name", "$is", 5), "filter.name.conditions.$is: takes a text"),
        (on("name", "$is", None), "filter.name.conditions.$is: takes a text"),
        (on("name", "$is", []), "filter.name.conditions.$is: has no operand"),
        (on("name", "$in", [["x"]]), "filter.name.conditions.$in: takes a text"),
        (on("name", "$is", "a\x00"), "filter.name.conditions.$is: takes a text without NUL characters and lone surrogates"),
        (on("name", "$is", "\ud800"), "filter.name.conditions.$is: takes a text without NUL characters and lone surrogates"),
        (on("name", "$is", "x" * 1001), "filter.name.conditions.$is: takes a text of at most 1000 characters"),
        (on("name", "$in", ["x"] * 1001), "filter.name.conditions.$in: has more than 1000 operands"),
        (on("metadata.a", "$is", {"b": 1}), "filter.metadata.a.conditions.$is: takes a text, a number or a boolean"),
        (on("metadata.a", "$is", None), "filter.metadata.a.conditions.$is: takes a text, a number or a boolean"),
        (on("metadata.a", "$is", float("nan")), "filter.metadata.a.conditions.$is: takes a text, a number or a boolean"),
        (on("metadata.a", "$more_than", True), "filter.metadata.a.conditions.$more_than: takes a number"),
        (on("metadata.a", "$more_than", "1e5"), "filter.metadata.a.conditions.$more_than: takes a number"),
        (on("metadata.a", "$more_than", "\u0665"), "filter.metadata.a.conditions.$more_than: takes a number"),
        (on("metadata.a", "$is", Decimal("1E+9999")), "filter.metadata.a.conditions.$is: takes a text, a number or a boolean of at most 1000 digits"),
        (on("loyalty.points", "$is", 10**1500), "filter.loyalty.points.conditions.$is: takes a number of at most 1000 digits"),
        (on("created_at", "$after", "yesterday"), f"filter.created_at.conditions.$after: {MOMENT}"),
        (on("created_at", "$after", "2026-02-30"), f"filter.created_at.conditions.$after: {MOMENT}"),
        (on("created_at", "$after", 2026), f"filter.created_at.conditions.$after: {MOMENT}"),
        (on("created_at", "$less_than_ago", -1), f"filter.created_at.conditions.$less_than_ago: {DAYS}"),
        (on("created_at", "$less_than_ago", 36_501), f"filter.created_at.conditions.$less_than_ago: {DAYS}"),
        (on("created_at", "$more_than", "x"), f"filter.created_at.conditions.$more_than: {DAYS}"),
        (on("created_at", "$is_days_ago", 1.5), f"filter.created_at.conditions.$is_days_ago: {WHOLE_DAYS}"),
        (on("created_at", "$is_days_ago", True), f"filter.created_at.conditions.$is_days_ago: {WHOLE_DAYS}"),
        (on("birthdate", "$next_month", False), f"filter.birthdate.conditions.$next_month: {NOTHING}"),
        (on("name", "$has_value", False), f"filter.name.conditions.$has_value: {NOTHING}"),
        (on("name", "$is_unknown", [False]), f"filter.name.conditions.$is_unknown: {NOTHING}"),
        (on("events.x", "$count", 1001), "filter.events.x.conditions.$count: takes a whole number from 0 to 1000"),
        (on("events.x", "$count", "many"), "filter.events.x.conditions.$count: takes a whole number from 0 to 1000"),
        (on("events.x", "$less_than_ago", [1, 2]), "filter.events.x.conditions.$less_than_ago: takes one operand"),
        (nested(11), "filter" + ".groups[0]" * 10 + ": groups are nested deeper than 10 levels"),
        (on("name", "$sum_more_than", 5), "filter.name.conditions.$sum_more_than: does not apply to a field of type text"),
        (on("events.x", "$sum_more_than", 5), "filter.events.x.conditions.$sum_more_than: does not apply to a field of type events"),
        (on("orders", "$sum_more_than", "5 EUR"), "filter.orders.conditions.$sum_more_than: takes a number"),
        (on("orders.total_amount", "$more_than", 5), "filter.orders.total_amount: unknown field"),
        ({"name": {"conditions": {"$is": "x"}, "where": nested(1)}}, "filter.name.where: unknown property"),
        (of_events({}), "filter.events.x.where: must not be empty"),
        (of_events({"junction": "or"}), "filter.events.x.where: has no conditions"),
        (of_events({"stars": {"conditions": {"$is": 5}}}), "filter.events.x.where.stars: unknown field"),
        (of_events(on("amount", "$is", 5)), "filter.events.x.where.amount: unknown field"),
        (of_events(on("metadata", "$is", 5)), "filter.events.x.where.metadata: unknown field"),
        (of_events(on("events.y", "$count", 5)), "filter.events.x.where.events.y: unknown field"),
        (of_events(on("metadata.a", "$foo", 5)), "filter.events.x.where.metadata.a.conditions.$foo: unknown operator"),
        (of_events({"groups": [on("metadata.a", "$less_than_ago", 5)]}), "filter.events.x.where.groups[0].metadata.a.conditions.$less_than_ago: must not depend on the current time inside where"),
        (of_events(on("metadata.a", "$next_month", True)), "filter.events.x.where.metadata.a.conditions.$next_month: must not depend on the current time inside where"),
        (of_orders(on("source_id", "$more_than", 5)), "filter.orders.where.source_id.conditions.$more_than: does not apply to a field of type text"),
        (of_orders(on("items", "$is", 5)), "filter.orders.where.items: unknown field"),
        (of_orders(nested(10)), "filter.orders.where" + ".groups[0]" * 9 + ": groups are nested deeper than 10 levels"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_place(raw: object, details: str) -> None:
    assert where(raw) == details


@pytest.mark.parametrize(
    "field",
    [
        *(
            "",
            "metadata",
            "metadata.",
            "metadata..a",
            "metadata.a.",
            'metadata."a',
            'metadata."a"b',
            "address",
            "address.zip",
        ),
        *(
            "events",
            "orders.id",
            "events.",
            'events.""',
            "loyalty.campaigns.Gold",
            "loyalty.campaigns.Gold.other",
            "loyalty.campaigns..points",
        ),
        *(
            "summary.orders",
            "metadata.a\x00",
            "metadata.\ud800",
            "metadata." + "a" * 1000,
            "metadata" + ".a" * 33,
            "projects.id",
        ),
    ],
)
def test_an_unknown_field_is_refused(field: str) -> None:
    shown = field[:200].replace("\x00", "\\u0000")
    assert where(on(field, "$is", "x")) == f"filter.{shown}: unknown field"


def test_ten_levels_and_two_hundred_conditions_are_allowed() -> None:
    parse(nested(10))
    many = {f"metadata.a{number}": {"conditions": {"$is": "x", "$is_not": "y"}} for number in range(100)}
    parse(many)
    assert where({**many, **nested(1)}) == "filter.name.conditions: the filter has more than 200 conditions"


def test_the_conditions_of_where_count_among_the_two_hundred() -> None:
    def many(number: int) -> dict[str, Any]:
        return of_events({f"metadata.a{one}": {"conditions": {"$is": "x"}} for one in range(number)})

    assert parse(many(199)).size == 200
    assert where(many(200)) == "filter.events.x.conditions: the filter has more than 200 conditions"
    assert where({"groups": [many(100), many(100)]}) == (
        "filter.groups[1].events.x.where.metadata.a99.conditions: the filter has more than 200 conditions"
    )


@pytest.mark.parametrize(
    ("field", "conditions"),
    [
        ("name", {"$is": ["a"], "$is_not": ["a"]}),
        ("name", {"$is": "a", "$in": ["b", "c"]}),
        ("name", {"$is": ["ab", "ac"], "$starts_with": "b"}),
        ("name", {"$contains": "ab", "$not_contain": ["x", "b"]}),
        ("name", {"$has_value": True, "$is_unknown": True}),
        ("name", {"$ends_with": "a", "$is_unknown": True}),
        ("metadata.a", {"$is": ["a", 5], "$not_in": ["5", "a"]}),
        ("metadata.a", {"$is": "a", "$count": 0}),
        ("metadata.a", {"$count_more": 3, "$count_less": 4}),
        ("metadata.a", {"$count_more": 0, "$is_unknown": True}),
        ("metadata.a", {"$before": "2026-01-01", "$is_unknown": True}),
        ("summary.orders.last_order_products", {"$starts_with": "Mac", "$not_contain": "a"}),
        ("segments", {"$is": "seg_1", "$is_not": ["seg_1", "seg_2"]}),
        ("loyalty.points", {"$more_than": 5, "$less_than": 3}),
        ("loyalty.points", {"$more_than_equal": 5, "$less_than": 5}),
        ("loyalty.points", {"$is": [5, 6], "$more_than": 6}),
        ("created_at", {"$after": "2026-06-01", "$before": "2026-01-01"}),
        ("created_at", {"$after": "2026-01-01", "$before": "2026-01-02"}),
        ("created_at", {"$more_than_ago": 30, "$less_than_ago": 10}),
        ("created_at", {"$less_than_ago": 5, "$more_than_future": 1}),
        ("created_at", {"$is_days_ago": 30, "$less_than_ago": 10}),
        ("birthdate", {"$is": "1990-05-01", "$before": "1990-05-01"}),
        ("events.x", {"$count": 3, "$count_less": 3}),
        ("events.x", {"$count_more": 0, "$is_unknown": True}),
        ("orders", {"$count": 0, "$sum_more_than": 0}),
        ("orders", {"$sum_more_than": 10, "$sum_less_than": 10, "$less_than_ago": 5}),
    ],
)
def test_conditions_that_exclude_each_other_are_refused(field: str, conditions: dict[str, Any]) -> None:
    assert where({field: {"conditions": conditions}}) == f"filter.{field}.conditions: can never hold together"


def test_exclusion_inside_where_is_refused_too() -> None:
    raw = of_orders({"amount": {"conditions": {"$more_than": 5, "$less_than": 3}}})
    assert where(raw) == "filter.orders.where.amount.conditions: can never hold together"


@pytest.mark.parametrize("field", ["events.x", "orders"])
def test_nothing_is_both_after_and_before(field: str) -> None:
    raw = {field: {"conditions": {"$count": 1, "$after": "2026-01-05", "$before": "2026-01-06"}}}
    assert where(raw) == f"filter.{field}.conditions: nothing can be both after and before"


@pytest.mark.parametrize(
    ("field", "conditions"),
    [
        ("name", {"$is": ["a", "b"], "$is_not": ["a"]}),
        ("name", {"$is_unknown": True, "$is_not": "a"}),
        ("name", {"$starts_with": "a", "$not_contain": "b"}),
        ("metadata.a", {"$is": "a", "$in": ["b"]}),  # a list
        ("metadata.a", {"$more_than": 5, "$less_than": 3}),
        ("metadata.a", {"$count": 0, "$is_not": "a"}),
        ("segments", {"$is": ["seg_1", "seg_2"], "$is_not": "seg_1"}),
        ("loyalty.points", {"$more_than_equal": 5, "$less_than_equal": 5}),
        ("created_at", {"$after": "2026-01-01", "$before": "2026-01-03"}),
        ("created_at", {"$after": "2026-01-01", "$before": "2026-01-02T00:00:00Z"}),  # where the day ends earlier
        ("created_at", {"$more_than_ago": 10, "$less_than_ago": 30}),
        ("created_at", {"$is_days_ago": 1, "$less_than_ago": 1}),
        ("events.x", {"$count": 0, "$is_unknown": True}),
        ("orders", {"$count": 0, "$sum_less_than": 1}),
        ("orders", {"$count": 1, "$sum_more_than": 10**15}),
    ],
)
def test_conditions_that_may_hold_together_are_not_refused(field: str, conditions: dict[str, Any]) -> None:
    assert parse({field: {"conditions": conditions}}).size == 2


def test_a_deep_filter_does_not_exhaust_the_stack() -> None:
    deep: dict[str, Any] = {}
    for _ in range(5000):
        deep = {"groups": [deep]}
    assert "deeper than 10" in where(deep)


def test_a_filter_says_what_it_looks_at() -> None:
    found = parse(
        {
            "junction": "OR",
            "segments": {"conditions": {"$in": ["seg_1", "seg_2"], "$is_not": "seg_3"}},
            "events.review_written": {"conditions": {"$count_more": [1], "$less_than_ago": [90]}},
            "groups": [
                {"events.cart.abandoned": {"conditions": {"$after": "2026-01-01", "$count_less": 3, "$count": 1}}}
            ],
        }
    )
    assert found.segment_ids == {"seg_1", "seg_2", "seg_3"}
    assert found.fields == {"segments", "events.review_written", "events.cart.abandoned"}
    assert found.root.watch is not None
    after = Day(datetime(2026, 1, 1, tzinfo=UTC).toordinal())
    assert set(found.windows) == {
        Window("events", "review_written", timedelta(days=90), None, None, None, 2),
        Window("events", "cart.abandoned", None, after, None, None, 4),
        Window("events", "cart.abandoned", None, after, None, None, 2),
    }


def test_a_window_knows_what_counts() -> None:
    stars = on("metadata.stars", "$more_than_equal", [4])
    two = {"events.x": {"conditions": {"$count_more": [1], "$less_than_ago": [90]}, "where": stars}}
    (window,) = parse(two).windows
    assert (window.source, window.name, window.limit) == ("events", "x", 2)
    assert window.where is not None
    assert window.where.check({"metadata": {"stars": "4.0"}}, ZoneInfo("UTC")) is True
    assert window.where.check({"metadata": {"stars": 3}}, ZoneInfo("UTC")) is False
    assert parse(two).windows == parse(two).windows
    other = {"events.x": {**two["events.x"], "where": on("metadata.stars", "$more_than_equal", [5])}}
    assert parse(other).windows != parse(two).windows

    (spent,) = parse({"orders": {"conditions": {"$sum_more_than": 5}, "where": on("amount", "$more_than", 3)}}).windows
    assert (spent.source, spent.name, spent.limit) == ("orders", "", None)
    assert spent.where is not None
    assert spent.where.check({"amount": 4, "total_amount": 1}, ZoneInfo("UTC")) is True
    assert spent.where.check({"amount": 3, "total_amount": 9}, ZoneInfo("UTC")) is False


def test_the_days_in_where_are_those_of_the_project() -> None:
    (window,) = parse(of_events(on("metadata.day", "$after", "2026-03-14"))).windows
    assert window.where is not None
    late = {"metadata": {"day": "2026-03-14T23:30:00Z"}}
    assert window.where.check(late, ZoneInfo("Europe/Warsaw")) is True
    assert window.where.check(late, ZoneInfo("UTC")) is False


def test_only_time_makes_a_filter_depend_on_time() -> None:
    assert parse(on("created_at", "$after", "2026-01-01")).root.watch is None
    assert parse(on("created_at", "$is_days_ago", 3)).root.watch is not None


def test_equal_filters_are_equal_and_hash_alike() -> None:
    raw = {"name": {"conditions": {"$is": ["Ada"]}}, "groups": [on("metadata.a", "$more_than", "5.0")]}
    assert parse(raw) == parse(raw)
    assert hash(parse(raw)) == hash(parse(raw))
    assert parse(raw) != parse({**raw, "junction": "or"})
    assert parse(on("name", "$is", "a")) != parse(on("name", "$is", "b"))
    assert parse(on("name", "$is", "a")) != parse(on("name", "$in", "a"))


def test_a_window_names_what_to_load_in_the_days_of_the_project() -> None:
    raw = {"events.x": {"conditions": {"$less_than_ago": 90, "$after": "2026-01-01", "$before": "2026-03-01"}}}
    (window,) = parse(raw).windows
    assert window.bounds(NOW, ZoneInfo("Europe/Warsaw")) == (
        datetime(2026, 1, 1, 23, tzinfo=UTC),
        datetime(2026, 2, 28, 23, tzinfo=UTC),
    )
    assert window.bounds(NOW - timedelta(days=30), ZoneInfo("UTC")) == (
        datetime(2026, 1, 2, tzinfo=UTC),
        datetime(2026, 2, 13, 12, 0, 0, 1000, tzinfo=UTC),
    )
    (free,) = parse(on("events.x", "$less_than_ago", 1)).windows
    assert free.bounds(NOW, ZoneInfo("UTC")) == (
        NOW - timedelta(days=1) + timedelta(milliseconds=1),
        NOW + timedelta(milliseconds=1),
    )
