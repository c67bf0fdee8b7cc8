from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapport.rules import budgets, conditions
from rapport.rules.counters import Counter, Period, Redeemed, Spent, Use, asked, bounds
from rapport.rules.models import Assigned
from rule_facts import NOW, WARSAW, facts, one


@pytest.mark.parametrize(
    ("period", "key", "since", "until"),
    [
        ("total", "total", None, None),
        ("day", "day 2026-11-22", "2026-11-21T23:00", "2026-11-22T23:00"),
        ("week", "week 2026-11-16", "2026-11-15T23:00", "2026-11-22T23:00"),
        ("month", "month 2026-11-01", "2026-10-31T23:00", "2026-11-30T23:00"),
    ],
)
def test_periods_are_those_of_the_projects_zone(period: Period, key: str, since: str | None, until: str | None) -> None:
    def instant(text: str | None) -> datetime | None:
        return None if text is None else datetime.fromisoformat(f"{text}:00+00:00")

    assert bounds(period, NOW, WARSAW) == (key, instant(since), instant(until))


@given(
    st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1)),  # noqa: DTZ001 (given its zone below)
    st.sampled_from(["UTC", "Europe/Warsaw", "America/Santiago", "Asia/Kathmandu", "Pacific/Apia"]),
    st.sampled_from(["day", "week", "month"]),
)
def test_a_moment_lies_in_its_period_and_the_next_begins_where_it_ends(at: datetime, name: str, period: Period) -> None:
    moment, zone = at.replace(tzinfo=UTC), ZoneInfo(name)
    key, since, until = bounds(period, moment, zone)
    assert since is not None
    assert until is not None
    moment -= timedelta(microseconds=moment.microsecond % 1000)
    assert since <= moment < until
    assert bounds(period, since, zone) == (key, since, until)
    following, begins, _ = bounds(period, until, zone)
    assert following > key
    assert begins == until


def assigned(kind: str, rules: dict[str, Any]) -> tuple[Assigned, conditions.RuleSet]:
    return Assigned(f"val_{kind}", kind, rules, None), conditions.parse(rules)


def use(voucher: str, *rules: tuple[Assigned, conditions.RuleSet], customer: str | None = "c1", off: int = 100) -> Use:
    redeemed = Redeemed(voucher, "voucher", "camp", NOW, customer, "app", None, 1000, off)
    return Use(redeemed, rules, facts(customer_id=customer))


def allowed(uses: list[Use], standing: dict[Counter, Spent]) -> list[bool]:
    return [one is None for one in budgets.judge(uses, standing, WARSAW)]


def test_what_is_counted_depends_on_what_the_rule_is_assigned_to() -> None:
    rules = one("redemption.count", "$less_than_or_equal", [5])
    objects = {
        kind: {one.object_id for one in asked([use("v1", assigned(kind, rules))], WARSAW)}
        for kind in ("voucher", "campaign")
    }
    assert objects == {"voucher": {"v1"}, "campaign": {"camp"}}
    of_campaign = one("campaign.redemptions.count", "$less_than_or_equal", [5])
    assert {one.object_id for one in asked([use("v1", assigned("voucher", of_campaign))], WARSAW)} == {"camp"}


def test_the_redeemables_of_a_request_count_together() -> None:
    rule = assigned("campaign", one("redemption.count", "$less_than_or_equal", [2]))
    uses = [use(f"v{number}", rule) for number in range(3)]
    (counter,) = asked(uses, WARSAW)
    assert allowed(uses, {counter: Spent()}) == [True, True, False]
    assert allowed(uses, {counter: Spent(1)}) == [True, False, False]
    single = assigned("voucher", one("redemption.count", "$less_than_or_equal", [1]))
    uses = [use("v1", single), use("v2", single), use("v1", single)]
    assert allowed(uses, dict.fromkeys(asked(uses, WARSAW), Spent())) == [True, True, False]


def test_budgets_add_up() -> None:
    for name, limit in (("campaign.orders.amount", 2000), ("campaign.orders.amount_discounted", 200)):
        rule = assigned("campaign", one(name, "$less_than_or_equal", [limit]))
        uses = [use("v1", rule)] * 3
        assert allowed(uses, dict.fromkeys(asked(uses, WARSAW), Spent())) == [True, True, False]


def test_a_customer_counts_once() -> None:
    rule = assigned("campaign", one("campaign.redemptions.customers_count", "$less_than_or_equal", [3]))
    uses = [use("v1", rule), use("v2", rule)]
    everybody, own = sorted(asked(uses, WARSAW), key=lambda counter: counter.counted_by, reverse=True)
    assert allowed(uses, {everybody: Spent(2), own: Spent()}) == [True, True]
    assert allowed(uses, {everybody: Spent(3), own: Spent()}) == [False, False]
    assert allowed(uses, {everybody: Spent(3), own: Spent(1)}) == [True, True]


def test_a_user_who_is_not_known_is_not_counted() -> None:
    rule = assigned("campaign", one("redemption.count.per_user", "$less_than_or_equal", [3]))
    assert asked([use("v1", rule)], WARSAW) == set()
    assert allowed([use("v1", rule)], {}) == [False]
