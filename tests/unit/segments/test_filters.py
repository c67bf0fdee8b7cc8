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
    assert where(on(field, "$is", "x")) == f"filter.{field[:200]}: unknown field"


def test_ten_levels_and_two_hundred_conditions_are_allowed() -> None:
    parse(nested(10))
    many = {f"metadata.a{number}": {"conditions": {"$is": "x", "$is_not": "y"}} for number in range(100)}
    parse(many)
    assert where({**many, **nested(1)}) == "filter.name.conditions: the filter has more than 200 conditions"


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
    assert found.time_dependent is True
    after = Day(datetime(2026, 1, 1, tzinfo=UTC).toordinal())
    assert set(found.windows) == {
        Window("review_written", timedelta(days=90), None, None, 2),
        Window("cart.abandoned", None, after, None, 4),
        Window("cart.abandoned", None, after, None, 2),
    }


def test_only_time_makes_a_filter_depend_on_time() -> None:
    assert parse(on("created_at", "$after", "2026-01-01")).time_dependent is False
    assert parse(on("created_at", "$is_days_ago", 3)).time_dependent is True


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
