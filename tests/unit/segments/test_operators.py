"""Every operator on every kind of field: one customer for whom it holds, one for whom it does not."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from rapport.customers.models import Customer
from rapport.segments.evaluate import Facts, matches
from rapport.segments.fields import Kind, find
from rapport.segments.filters import parse
from rapport.segments.operators import BY_NAME, OPERATORS
from rapport.segments.times import to_ms

NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)
WARSAW = ZoneInfo("Europe/Warsaw")
DAY = timedelta(days=1)

# What a customer has: attributes, or the segments or the times of events.
Has = dict[str, Any]


def named(name: str | None) -> Has:
    return {"name": name}


def tier(value: Any) -> Has:
    return {"metadata": {"tier": value}}


def seen(at: datetime | None) -> Has:
    return {"last_order_at": at}


def written(at: datetime) -> Has:
    return tier(at.isoformat())


def born(day: date | None) -> Has:
    return {"birthdate": day}


def bought(*products: dict[str, Any]) -> Has:
    return {"last_order_products": list(products)}


def amount(value: int | None) -> Has:
    return {"last_order_amount": value}


def reviews(*ages: timedelta) -> Has:
    return {"reviews": [(to_ms(NOW - age), 0) for age in ages]}


def paid(**amounts: timedelta) -> Has:
    """Return orders of so much (`of_5` is 5), so long ago."""
    return {"orders": [(to_ms(NOW - age), int(name.removeprefix("of_"))) for name, age in amounts.items()]}


def member(*segments: str) -> Has:
    return {"segments": segments}


MAC = {
    "product_id": "prod_1",
    "source_id": "mac",
    "sku_id": "sku_1",
    "sku_source_id": "mac-13",
    "sku": "13",
    "name": "MacBookAir",
}
NAME, TIER, ORDERED, BIRTH = "name", "metadata.tier", "summary.orders.last_order_date", "birthdate"
AMOUNT, PRODUCTS, SEGMENTS, REVIEWS, ORDERS = (
    "summary.orders.last_order_amount",
    "summary.orders.last_order_products",
    "segments",
    "events.review_written",
    "orders",
)
TODAY = NOW.date()
NOON = "2026-03-15T12:00:00Z"

CASES: Sequence[tuple[str, str, Any, Has, Has]] = (
    (NAME, "$is", "Ada", named("Ada"), named("ada")),
    (TIER, "$is", 5, tier("5"), tier(50)),
    (TIER, "$is", "true", tier(value=True), tier(value=False)),
    (TIER, "$is", "1.5", tier(Decimal("1.50")), tier("1.50")),
    (PRODUCTS, "$is", "MacBookAir", bought({"name": "Cup"}, MAC), bought({"name": "MacBookAir 2"})),
    (SEGMENTS, "$is", "seg_1", member("seg_0", "seg_1"), member("seg_2")),
    (AMOUNT, "$is", "0", amount(0), amount(None)),
    (ORDERED, "$is", "2026-03-15", seen(NOW), seen(NOW + 11 * timedelta(hours=1))),
    (ORDERED, "$is", NOON, seen(NOW), seen(NOW + timedelta(milliseconds=1))),
    (BIRTH, "$is", "1990-05-01", born(date(1990, 5, 1)), born(date(1990, 5, 2))),
    (NAME, "$is_not", "Ada", named(None), named("Ada")),
    (TIER, "$is_not", ["a", "b"], tier(None), tier(["c", "b"])),
    (PRODUCTS, "$is_not", "mac", bought(), bought(MAC)),
    (SEGMENTS, "$is_not", "seg_1", member(), member("seg_1")),
    (AMOUNT, "$is_not", 5, amount(None), amount(5)),
    (ORDERED, "$is_not", "2026-03-15", seen(None), seen(NOW)),
    (BIRTH, "$is_not", "1990-05-01", born(None), born(date(1990, 5, 1))),
    (NAME, "$in", ["Ada", "Eve"], named("Eve"), named("Bob")),
    (TIER, "$in", ["gold", 5], tier([1, 5]), tier([["gold"]])),
    (PRODUCTS, "$in", ["sku_1"], bought(MAC), bought({"name": "sku_2"})),
    (SEGMENTS, "$in", ["seg_1", "seg_2"], member("seg_2"), member()),
    (AMOUNT, "$in", [1, "2.0"], amount(2), amount(3)),
    (ORDERED, "$in", ["2026-03-14", "2026-03-15"], seen(NOW), seen(NOW + DAY)),
    (BIRTH, "$in", ["1990-05-01"], born(date(1990, 5, 1)), born(None)),
    (NAME, "$not_in", ["Ada", "Eve"], named("Bob"), named("Eve")),
    (TIER, "$not_in", ["gold"], tier({}), tier(["gold", None])),
    (PRODUCTS, "$not_in", ["sku_1"], bought({"name": "Cup"}), bought(MAC)),
    (SEGMENTS, "$not_in", ["seg_1"], member("seg_2"), member("seg_1")),
    (AMOUNT, "$not_in", [1], amount(2), amount(1)),
    (ORDERED, "$not_in", [NOON], seen(NOW + DAY), seen(NOW)),
    (BIRTH, "$not_in", ["1990-05-01"], born(date(1991, 5, 1)), born(date(1990, 5, 1))),
    (NAME, "$contains", "da", named("Ada"), named("ADA")),
    (TIER, "$contains", 2, tier(["x", 123]), tier(["x", 13])),
    (PRODUCTS, "$contains", "Book", bought(MAC), bought()),
    (NAME, "$not_contain", "%", named("Ada"), named("5%")),
    (TIER, "$not_contain", "a", tier(None), tier("ab")),
    (PRODUCTS, "$not_contain", "Book", bought(), bought(MAC)),
    (NAME, "$starts_with", ["A", "B"], named("Bob"), named("Eve")),
    (TIER, "$starts_with", "", tier(""), tier(None)),
    (PRODUCTS, "$starts_with", "Mac", bought(MAC), bought({"name": "A Mac"})),
    (NAME, "$ends_with", "_a", named("a_a"), named("aba")),
    (TIER, "$ends_with", "ld", tier("gold"), tier(["goldy"])),
    (PRODUCTS, "$ends_with", "-13", bought(MAC), bought({"name": "-13 "})),
    (NAME, "$has_value", True, named(""), named(None)),
    (TIER, "$has_value", "", tier({}), tier([None])),
    (PRODUCTS, "$has_value", [], bought({}), bought()),
    (AMOUNT, "$has_value", [True], amount(0), amount(None)),
    (ORDERED, "$has_value", True, seen(NOW), seen(None)),
    (BIRTH, "$has_value", True, born(TODAY), born(None)),
    (REVIEWS, "$has_value", True, reviews(DAY), reviews(-DAY)),
    (NAME, "$is_unknown", True, named(None), named("")),
    (TIER, "$is_unknown", True, tier([]), tier(value=False)),
    (PRODUCTS, "$is_unknown", True, bought(), bought(MAC)),
    (AMOUNT, "$is_unknown", True, amount(None), amount(0)),
    (ORDERED, "$is_unknown", True, seen(None), seen(NOW)),
    (BIRTH, "$is_unknown", True, born(None), born(TODAY)),
    (REVIEWS, "$is_unknown", True, reviews(), reviews(DAY)),
    (AMOUNT, "$more_than", "4.9", amount(5), amount(4)),
    (TIER, "$more_than", 5, tier([1, "5.1"]), tier("6e1")),
    (ORDERED, "$more_than", 30, seen(NOW - 31 * DAY), seen(NOW - 30 * DAY)),
    (BIRTH, "$more_than", 30, born(TODAY - 31 * DAY), born(TODAY - 29 * DAY)),
    (AMOUNT, "$less_than", [3, 5], amount(4), amount(5)),
    (TIER, "$less_than", 5, tier(-1), tier(value=False)),
    (ORDERED, "$less_than", 30, seen(NOW - 29 * DAY), seen(NOW - 30 * DAY)),
    (BIRTH, "$less_than", 30, born(TODAY - 29 * DAY), born(TODAY + DAY)),
    (AMOUNT, "$more_than_equal", 5, amount(5), amount(4)),
    (TIER, "$more_than_equal", 5, tier("5.0"), tier(" 5")),
    (AMOUNT, "$less_than_equal", 5, amount(5), amount(6)),
    (TIER, "$less_than_equal", 5, tier(Decimal("5.0")), tier("\u0665")),
    (ORDERED, "$before", "2026-03-15", seen(datetime(2026, 3, 14, 22, 59, tzinfo=UTC)), seen(NOW)),
    (ORDERED, "$before", NOON, seen(NOW - DAY), seen(NOW)),
    (BIRTH, "$before", "1990-05-01", born(date(1990, 4, 30)), born(date(1990, 5, 1))),
    (TIER, "$before", "2026-03-15", tier("2026-03-14T23:59:59+02:00"), tier("2026-02-30")),
    (REVIEWS, "$before", "2026-03-15", reviews(DAY), reviews(timedelta(0))),
    (ORDERED, "$after", "2026-03-14", seen(datetime(2026, 3, 14, 23, tzinfo=UTC)), seen(NOW - DAY)),
    (ORDERED, "$after", NOON, seen(NOW + timedelta(milliseconds=1)), seen(NOW)),
    (BIRTH, "$after", "1990-05-01", born(date(1990, 5, 2)), born(date(1990, 5, 1))),
    (TIER, "$after", "2026-03-15", tier("2026-03-16"), tier("2026-03-15")),
    (REVIEWS, "$after", "2026-03-14", reviews(timedelta(0)), reviews(DAY)),
    (ORDERED, "$more_than_ago", 30, seen(NOW - 31 * DAY), seen(NOW - 30 * DAY)),
    (BIRTH, "$more_than_ago", 0, born(TODAY), born(TODAY + DAY)),
    (TIER, "$more_than_ago", 1, written(NOW - 2 * DAY), written(NOW - DAY)),
    (ORDERED, "$less_than_ago", 1, seen(NOW), seen(NOW - DAY)),
    (BIRTH, "$less_than_ago", 1, born(TODAY), born(TODAY - DAY)),
    (TIER, "$less_than_ago", "0.5", written(NOW - DAY / 4), written(NOW + DAY / 4)),
    (REVIEWS, "$less_than_ago", 90, reviews(89 * DAY), reviews(90 * DAY)),
    (ORDERED, "$is_days_ago", 30, seen(NOW - 30 * DAY + DAY / 4), seen(NOW - 30 * DAY + DAY / 2)),
    (BIRTH, "$is_days_ago", 0, born(TODAY), born(TODAY - DAY)),
    (TIER, "$is_days_ago", 1, tier("2026-03-14"), tier("2026-03-14T23:00:00Z")),
    (ORDERED, "$more_than_future", 1, seen(NOW + 2 * DAY), seen(NOW + DAY)),
    (BIRTH, "$more_than_future", 0, born(TODAY + DAY), born(TODAY)),
    (TIER, "$more_than_future", 1, written(NOW + 2 * DAY), written(NOW - 2 * DAY)),
    (ORDERED, "$less_than_future", 1, seen(NOW + DAY / 2), seen(NOW)),
    (BIRTH, "$less_than_future", 1, born(TODAY + DAY), born(TODAY)),
    (TIER, "$less_than_future", 1, written(NOW + DAY / 2), written(NOW + DAY)),
    (ORDERED, "$is_days_in_future", 1, seen(NOW + DAY), seen(NOW)),
    (BIRTH, "$is_days_in_future", 0, born(TODAY), born(TODAY + DAY)),
    (TIER, "$is_days_in_future", 1, tier("2026-03-16"), tier(["2026-03-17", "16"])),
    (
        ORDERED,
        "$next_month",
        True,
        seen(datetime(2026, 4, 30, 21, tzinfo=UTC)),
        seen(datetime(2026, 4, 30, 22, tzinfo=UTC)),
    ),
    (BIRTH, "$next_month", True, born(date(1990, 4, 30)), born(date(1990, 3, 31))),
    (TIER, "$next_month", True, tier("2026-04-01"), tier("2025-04-01")),
    (TIER, "$count", 2, tier([1, None, {}]), tier(2)),
    (PRODUCTS, "$count", 1, bought(MAC), bought(MAC, MAC)),
    (REVIEWS, "$count", [0, 2], reviews(DAY, DAY), reviews(DAY)),
    (TIER, "$count_more", 0, tier("x"), tier(None)),
    (PRODUCTS, "$count_more", 1, bought(MAC, MAC), bought(MAC)),
    (REVIEWS, "$count_more", 1, reviews(DAY, 2 * DAY), reviews(DAY, -DAY)),
    (TIER, "$count_less", 1, tier([]), tier([1])),
    (PRODUCTS, "$count_less", 1, bought(), bought(MAC)),
    (REVIEWS, "$count_less", 2, reviews(DAY), reviews(DAY, DAY)),
    (ORDERS, "$has_value", True, paid(of_0=DAY), paid(of_5=-DAY)),
    (ORDERS, "$is_unknown", True, paid(), paid(of_0=DAY)),
    (ORDERS, "$before", "2026-03-15", paid(of_5=DAY), paid(of_5=timedelta(0))),
    (ORDERS, "$after", "2026-03-14", paid(of_5=timedelta(0)), paid(of_5=DAY)),
    (ORDERS, "$less_than_ago", 30, paid(of_5=29 * DAY), paid(of_5=30 * DAY)),
    (ORDERS, "$count", 2, paid(of_1=DAY, of_2=DAY), paid(of_1=DAY, of_2=DAY, of_3=DAY)),
    (ORDERS, "$count_more", 1, paid(of_1=DAY, of_2=DAY), paid(of_1=DAY, of_2=-DAY)),
    (ORDERS, "$count_less", 1, paid(), paid(of_1=DAY)),
    (ORDERS, "$sum_more_than", 5, paid(of_2=DAY, of_4=DAY), paid(of_2=DAY, of_3=DAY, of_1=-DAY)),
    (ORDERS, "$sum_less_than", "0.5", paid(), paid(of_1=DAY)),
    (ORDERS, "$sum_more_than_equal", [5, 9], paid(of_2=DAY, of_3=2 * DAY), paid(of_4=DAY)),
    (ORDERS, "$sum_less_than_equal", 0, paid(of_0=DAY), paid(of_1=DAY)),
)


def holds(field: str, operator: str, operand: Any, has: Has) -> bool:
    filter_ = parse({field: {"conditions": {operator: operand}}})
    has = dict(has)
    segments, rows = has.pop("segments", ()), has.pop("reviews", ()) or has.pop("orders", ())
    customer = Customer(**{"id": "cust_1", "created_at": NOW, "updated_at": NOW, **has})
    windows = {window: sorted(rows, reverse=True) for window in filter_.windows}
    return matches(filter_, Facts(customer, frozenset(segments), windows), NOW, WARSAW)


@pytest.mark.parametrize(("field", "operator", "operand", "yes", "no"), CASES)
def test_an_operator_holds_for_one_and_not_for_the_other(
    field: str, operator: str, operand: Any, yes: Has, no: Has
) -> None:
    assert holds(field, operator, operand, yes) is True
    assert holds(field, operator, operand, no) is False


def test_the_cases_cover_every_operator_on_every_kind_of_field() -> None:
    tried = {(operator, find(field).kind) for field, operator, *_ in CASES}
    assert tried == {(operator.name, kind) for operator in OPERATORS for kind in operator.meanings}
    assert set(Kind) == {kind for _, kind in tried}


@pytest.mark.parametrize(("field", "operator", "operand", "yes", "no"), CASES)
def test_other_spellings_mean_the_same(field: str, operator: str, operand: Any, yes: Has, no: Has) -> None:
    for alias in BY_NAME[operator].aliases:
        assert holds(field, alias, operand, yes) is True
        assert holds(field, alias, operand, no) is False


@pytest.mark.parametrize(
    ("one", "other"),
    [("$is", "$is_not"), ("$in", "$not_in"), ("$contains", "$not_contain"), ("$has_value", "$is_unknown")],
)
def test_complements_divide_all_customers(one: str, other: str) -> None:
    everybody = [has for *_, yes, no in CASES for has in (yes, no)]
    fields = [(field, operand) for field, operator, operand, *_ in CASES if operator in (one, other)]
    assert fields
    for field, operand in fields:
        for has in everybody:
            assert holds(field, one, operand, has) is not holds(field, other, operand, has)
