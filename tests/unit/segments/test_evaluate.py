"""Until when a verdict holds, how groups join, and where each field's value is."""

# ruff: noqa: FBT003 (verdicts and operands are booleans)

import dataclasses
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from rapport.core.clock import iso
from rapport.customers.models import ADDRESS_FIELDS, NO_REDEMPTIONS, Customer
from rapport.customers.schemas import view
from rapport.segments.evaluate import Facts, Verdict, evaluate, matches
from rapport.segments.fields import PATTERNS, Kind, find
from rapport.segments.filters import parse
from rapport.segments.json_values import plain
from rapport.segments.sql import compile_filter
from rapport.segments.times import to_ms

NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)
DAY, MS = timedelta(days=1), timedelta(milliseconds=1)
UTC_ZONE, WARSAW = ZoneInfo("UTC"), ZoneInfo("Europe/Warsaw")


def on(field: str, operator: str, operand: Any) -> dict[str, Any]:
    return {field: {"conditions": {operator: operand}}}


def judge(raw: dict[str, Any], times: list[datetime] | None = None, zone: ZoneInfo = UTC_ZONE, **has: Any) -> Verdict:
    filter_ = parse(raw)
    customer = Customer(**{"id": "cust_1", "created_at": NOW, "updated_at": NOW, **has})
    events = [(to_ms(at), 0) for at in times or []]
    return evaluate(filter_, Facts(customer, frozenset(), dict.fromkeys(filter_.windows, events)), NOW, zone)


@pytest.mark.parametrize(
    ("operator", "operand", "at", "expected"),
    [
        ("$less_than_ago", 30, NOW - 29 * DAY, Verdict(True, NOW + DAY)),
        ("$less_than_ago", 30, NOW - 30 * DAY, Verdict(False, None)),
        ("$less_than_ago", 30, NOW + DAY, Verdict(False, NOW + DAY)),
        ("$less_than_ago", 0, NOW + DAY, Verdict(False, None)),
        ("$less_than_ago", [1, 30], NOW, Verdict(True, NOW + 30 * DAY)),
        ("$more_than_ago", 30, NOW - 30 * DAY, Verdict(False, NOW + MS)),
        ("$more_than_ago", 30, NOW - 31 * DAY, Verdict(True, None)),
        ("$less_than_future", 1, NOW + 2 * DAY, Verdict(False, NOW + DAY + MS)),
        ("$less_than_future", 1, NOW + DAY / 2, Verdict(True, NOW + DAY / 2)),
        ("$more_than_future", 1, NOW + 3 * DAY, Verdict(True, NOW + 2 * DAY)),
        ("$more_than_future", 1, NOW + DAY, Verdict(False, None)),
        ("$is_days_ago", 1, NOW, Verdict(False, datetime(2026, 3, 16, tzinfo=UTC))),
        ("$is_days_ago", 0, NOW, Verdict(True, datetime(2026, 3, 16, tzinfo=UTC))),
        ("$is_days_in_future", 3, NOW + 30 * DAY, Verdict(False, datetime(2026, 4, 11, tzinfo=UTC))),
        ("$next_month", True, datetime(2026, 6, 2, tzinfo=UTC), Verdict(False, datetime(2026, 5, 1, tzinfo=UTC))),
        ("$next_month", True, datetime(2026, 4, 2, tzinfo=UTC), Verdict(True, datetime(2026, 4, 1, tzinfo=UTC))),
        ("$after", "2026-03-01", NOW, Verdict(True, None)),
    ],
)
def test_a_verdict_says_until_when_it_holds(operator: str, operand: Any, at: datetime, expected: Verdict) -> None:
    assert judge(on("summary.orders.last_order_date", operator, operand), last_order_at=at) == expected


def test_calendar_days_are_those_of_the_project() -> None:
    """Warsaw moves its clocks forward on 29 March 2026: that day starts at 23:00 UTC and ends at 22:00 UTC."""
    raw = on("created_at", "$is_days_in_future", 14)
    assert judge(raw, zone=WARSAW, created_at=datetime(2026, 3, 28, 23, tzinfo=UTC)).matches is True
    assert judge(raw, zone=WARSAW, created_at=datetime(2026, 3, 29, 22, tzinfo=UTC) - MS).matches is True
    assert judge(raw, zone=WARSAW, created_at=datetime(2026, 3, 29, 22, tzinfo=UTC)).matches is False
    assert judge(raw, zone=WARSAW, created_at=datetime(2026, 3, 28, 23, tzinfo=UTC) - MS).matches is False


def test_a_birthday_comes_round_every_year() -> None:
    raw = on("birthdate", "$next_month", True)
    assert judge(raw, birthdate=date(1990, 4, 30)) == Verdict(True, datetime(2026, 4, 1, tzinfo=UTC))
    assert judge(raw, birthdate=date(1990, 3, 1)) == Verdict(False, datetime(2027, 2, 1, tzinfo=UTC))
    assert judge(raw) == Verdict(False, None)


def test_what_fails_for_good_needs_no_second_look() -> None:
    poland = on("address.country", "$is", "Poland")
    recent = on("created_at", "$less_than_ago", 30)
    assert judge({**poland, **recent}, address={"country": "Germany"}) == Verdict(False, None)
    assert judge({**poland, **recent}, address={"country": "Poland"}) == Verdict(True, NOW + 30 * DAY)
    assert judge({"junction": "or", **poland, **recent}, address={"country": "Poland"}) == Verdict(True, None)
    assert judge({"junction": "or", **poland, **recent}) == Verdict(True, NOW + 30 * DAY)


def test_all_that_stands_in_the_way_has_to_go_first() -> None:
    raw = {
        **on("created_at", "$more_than_ago", 10),
        **on("summary.orders.last_order_date", "$more_than_ago", 20),
    }
    assert judge(raw, last_order_at=NOW) == Verdict(False, NOW + 20 * DAY + MS)
    assert judge({**raw, "junction": "or"}, last_order_at=NOW) == Verdict(False, NOW + 10 * DAY + MS)


def test_several_operators_on_one_field_must_all_hold_whatever_the_junction() -> None:
    between = {"conditions": {"$more_than": 10, "$less_than": 20}}
    raw = {"junction": "or", "summary.orders.total_amount": between, **on("name", "$is", "Ada")}
    assert judge(raw, orders_amount=15).matches is True
    assert judge(raw, orders_amount=25).matches is False
    assert judge(raw, orders_amount=25, name="Ada").matches is True


def test_groups_nest() -> None:
    raw = {
        **on("source", "$is", "API"),
        "groups": [{"junction": "or", **on("name", "$is", "Ada"), "groups": [on("phone", "$has_value", True)]}],
    }
    assert judge(raw, name="Ada").matches is True
    assert judge(raw, phone="+48").matches is True
    assert judge(raw, phone="+48", source="CSV").matches is False
    assert judge(raw).matches is False


def test_the_deciding_event_leaves_the_window() -> None:
    raw = {"events.x": {"conditions": {"$count_more": 1, "$less_than_ago": 90}}}
    assert judge(raw, [NOW - DAY, NOW - 80 * DAY]) == Verdict(True, NOW + 10 * DAY)
    assert judge(raw, [NOW - DAY]) == Verdict(False, None)
    fewer = {"events.x": {"conditions": {"$count_less": 2, "$less_than_ago": 90}}}
    assert judge(fewer, [NOW - DAY, NOW - 80 * DAY]) == Verdict(False, NOW + 10 * DAY)
    exactly = {"events.x": {"conditions": {"$count": 2, "$less_than_ago": 90}}}
    assert judge(exactly, [NOW - DAY, NOW - 2 * DAY, NOW - 80 * DAY]) == Verdict(False, NOW + 10 * DAY)
    assert judge(exactly, [NOW - DAY, NOW - 2 * DAY]) == Verdict(True, NOW + 88 * DAY)
    assert judge(exactly, [NOW - DAY, NOW - DAY, NOW - DAY]) == Verdict(False, None)


def spent(conditions: dict[str, Any], *pairs: tuple[datetime, int]) -> Verdict:
    filter_ = parse({"orders": {"conditions": conditions}})
    customer = Customer(id="cust_1", created_at=NOW, updated_at=NOW)
    rows = [(to_ms(at), amount) for at, amount in pairs]
    return evaluate(filter_, Facts(customer, frozenset(), dict.fromkeys(filter_.windows, rows)), NOW, UTC_ZONE)


def test_a_sum_changes_when_the_order_leaves_that_it_needs() -> None:
    orders = (NOW - DAY, 10), (NOW - 5 * DAY, 0), (NOW - 10 * DAY, 30), (NOW - 20 * DAY, 5)
    assert spent({"$sum_more_than_equal": 40, "$less_than_ago": 30}, *orders) == Verdict(True, NOW + 20 * DAY)
    assert spent({"$sum_more_than_equal": 45, "$less_than_ago": 30}, *orders) == Verdict(True, NOW + 10 * DAY)
    assert spent({"$sum_more_than_equal": 46, "$less_than_ago": 30}, *orders) == Verdict(False, None)
    assert spent({"$sum_less_than": 15, "$less_than_ago": 30}, *orders) == Verdict(False, NOW + 20 * DAY)
    assert spent({"$sum_less_than": 1, "$less_than_ago": 30}, *orders) == Verdict(False, NOW + 29 * DAY)
    assert spent({"$sum_more_than": 40}, *orders) == Verdict(True, None)
    assert spent({"$sum_more_than": 40}, (NOW + DAY, 41)) == Verdict(False, NOW + DAY)


def test_the_sum_of_nothing_is_zero() -> None:
    assert spent({"$sum_less_than": 1}) == Verdict(True, None)
    assert spent({"$sum_more_than_equal": 0, "$less_than_ago": 3}) == Verdict(True, None)
    assert spent({"$sum_more_than": 0}) == Verdict(False, None)


def test_an_event_to_come_counts_when_its_time_comes() -> None:
    raw = on("events.x", "$has_value", True)
    assert judge(raw, [NOW + DAY]) == Verdict(False, NOW + DAY)
    assert judge(raw, [NOW]) == Verdict(True, None)


def test_a_window_that_was_not_loaded_has_no_events() -> None:
    filter_ = parse(on("events.x", "$count", 0))
    customer = Customer(id="cust_1", created_at=NOW, updated_at=NOW)
    assert matches(filter_, Facts(customer, frozenset(), {}), NOW, UTC_ZONE) is True


ADA = Customer(
    id="cust_1",
    created_at=NOW,
    updated_at=NOW,
    orders_count=2,
    orders_amount=5,
    redemptions={**NO_REDEMPTIONS, "gift": {"redeemed_amount": 7, "amount_to_go": 8}},
    loyalty={"points": 3, "referred_customers": 4, "campaigns": {"Gold. 2026": {"points": 5, "referred_customers": 6}}},
    referrals={"total": 1, "campaigns": [{"campaign_id": "camp_1"}, {"campaign_id": "camp_2"}]},
    events={
        "cart.abandoned": {"count": 9, "first_at": "2026-01-01T00:00:00.000Z", "last_at": "2026-02-01T00:00:00.000Z"}
    },
    metadata={"a.b": {"c": [1, {"d": 2}]}, "list": [{"x": 1}, {"x": [2, 3]}]},
)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("summary.orders.total_count", 2),
        ("summary.orders.total_amount", 5),
        ("summary.orders.average_amount", 3),
        ("summary.orders.last_order_amount", None),
        ("summary.redemptions.gift.redeemed_amount", 7),
        ("summary.redemptions.total_failed", 0),
        ("loyalty.points", 3),
        ("loyalty.campaigns.Gold. 2026.referred_customers", 6),
        ("loyalty.campaigns.Silver.points", 0),
        ("referrals.total", 1),
        ("referrals.campaigns.campaign_id", ["camp_1", "camp_2"]),
        ("events.cart.abandoned.count", 9),
        ("events.missing.count", 0),
        ("events.missing.last_at", None),
        ("events.cart.abandoned.last_at", 1_769_904_000_000),
        ('metadata."a.b".c', [1, {"d": 2}]),
        ('metadata."a.b".c.d', [2]),
        ("metadata.list.x", [1, 2, 3]),
        ("metadata.a.b", []),
    ],
)
def test_a_field_is_the_path_of_the_value(field: str, value: Any) -> None:
    assert find(field).read(ADA) == value


def paths(shown: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    """Yield where every value of a JSON object is, lists as a whole."""
    for key, value in shown.items():
        if isinstance(value, dict) and key not in ("metadata", "system_metadata"):
            yield from paths(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", value


def test_what_can_be_seen_can_be_filtered_on() -> None:
    full = msgspec.structs.replace(
        ADA, name="Ada", source_id="ada", description="D", email="a@b.c", phone="+48", birthdate=date(1990, 5, 1),
        address=dict.fromkeys(ADDRESS_FIELDS, "x"), last_order_at=NOW, last_order_amount=5,
        last_order_products=[{"name": "Mug"}], system_metadata={"k": "v"},
    )  # fmt: skip
    shown = dict(paths(view(full)))
    assert shown.pop("object") == "customer"
    wholes = shown.pop("metadata"), shown.pop("system_metadata")
    assert wholes == (full.metadata, full.system_metadata)
    for path, value in shown.items():
        read = find(path).read(full)
        if find(path).kind is Kind.INSTANT:
            read = iso(datetime.fromtimestamp(read / 1000, UTC))
        elif find(path).kind is Kind.DATE:
            read = date.fromordinal(read.ordinal).isoformat()
        assert read == value, path


def test_the_reference_writes_points_of_campaigns_otherwise() -> None:
    assert find("loyalty_points.campaigns.Gold. 2026.points").read(ADA) == 5


def test_the_events_of_a_name_that_ends_like_a_field_are_quoted() -> None:
    assert find("events.cart.count").event is None
    assert find('events."cart.count"').event == "cart.count"
    assert find("events.cart.abandoned").event == "cart.abandoned"


@pytest.mark.parametrize(
    ("number", "text"),
    [
        *((5, "5"), (-0.0, "0"), (Decimal("-0.00"), "0"), (Decimal("1E+5"), "100000"), (Decimal("1.500"), "1.5")),
        *((1e-7, "0.0000001"), (10**400, "1" + "0" * 400)),
    ],
)
def test_numbers_have_one_text(number: float | Decimal, text: str) -> None:
    assert plain(number) == text


def test_nothing_from_outside_gets_into_the_sql() -> None:
    evil = "x'); DROP TABLE customers; --"
    raws = [
        on(f'metadata."{evil}".{evil.replace(".", "")}', "$is", evil),
        on("name", "$contains", evil),
        on(f"events.{evil}", "$count", 1),
        on(f"events.{evil}.count", "$is", 1),
        on(f"loyalty.campaigns.{evil}.points", "$is", 1),
        on("segments", "$is", evil),
        {"events.x": {"where": on(f"metadata.{evil.replace('.', '')}", "$ends_with", evil)}},
        {"orders": {"where": {**on("source_id", "$is", evil), **on("items.name", "$contains", evil)}}},
        on("summary.orders.last_order_products", "$is", evil),
    ]
    for raw in raws:
        for whole in (False, True):
            condition = compile_filter(
                parse(raw), now=NOW, zone_name="UTC", project_id=1, first_parameter=2, whole=whole
            )
            assert "DROP" not in condition.text
            assert "DROP" in str(condition.parameters)
            placeholders = {f"${number}" for number in range(2, 2 + len(condition.parameters))}
            assert all(f"{one}::" in condition.text for one in placeholders)


def test_every_pattern_of_a_field_leads_to_a_field() -> None:
    for pattern in PATTERNS:
        known = {"<path>": "a", "<key>": "b", "<name>": "c", "<channel>": "email", "<type>": "opened"}
        for part, instead in known.items():
            pattern = pattern.replace(part, instead)  # noqa: PLW2901 (filled part by part)
        found = find(pattern)
        assert dataclasses.is_dataclass(found)
