"""What is counted for rules, as values: which counters a redemption has to do with, and what it adds to them. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

import msgspec

from rapport.core import jsons
from rapport.rules.conditions import RuleSet
from rapport.rules.facts import Count, Facts, Period
from rapport.rules.models import Assigned
from rapport.segments import times

CountedBy = Literal["all", "customers", "customer", "api_key", "user", "units", "customer_units"]
WatchedBy = CountedBy | Literal["product_units", "tier_units", "tier_product_units"]
Kind = Literal["voucher", "campaign", "promotion_tier"]


class Counter(msgspec.Struct, frozen=True, order=True):
    """One number: how often an object was redeemed in a period, by whom.

    `counted_by`: everybody, different customers (then the number is theirs), or the one customer, API key or user that
    `name` tells. `since` (included) and `until` (excluded) bound the period; None for all time. With `units` and
    `customer_units` the number is of units that were discounted as those of `goods`, of one `product` alone if named.
    """

    object_id: str
    counted_by: CountedBy
    name: str
    period: str
    kind: Kind
    since: datetime | None = None
    until: datetime | None = None
    goods: str = ""
    product: str = ""

    @property
    def is_of_units(self) -> bool:
        """Whether units are counted."""
        return self.counted_by in ("units", "customer_units")

    @property
    def is_stored(self) -> bool:
        """Whether it has a row of its own; numbers of one customer are counted in the ledger."""
        return self.counted_by not in ("customer", "customer_units")

    @property
    def key(self) -> tuple[str, str, str]:
        """What it is stored as: `counted_by`, `name`, `period`; units, counted over all time, by what they are of."""
        if not self.is_of_units:
            return self.counted_by, self.name, self.period
        of = jsons.encode([self.goods, self.product]).decode()
        return (self.counted_by, of, self.period) if self.is_stored else (self.counted_by, self.name, of)


class Spent(msgspec.Struct, frozen=True):
    """What a counter comes to: redemptions (or customers, or units), and of their orders the amounts in minor units."""

    number: int = 0
    orders_amount: int = 0
    discount_amount: int = 0

    def plus(self, other: "Spent", sign: int = 1) -> "Spent":
        """Return the sum, or with `sign` -1 the difference."""
        return Spent(
            self.number + sign * other.number,
            self.orders_amount + sign * other.orders_amount,
            self.discount_amount + sign * other.discount_amount,
        )


class Watch(msgspec.Struct, frozen=True):
    """That an object has to be counted because some rule asks for it: a row of rule_counted."""

    object_id: str
    counted_by: WatchedBy
    period: Period
    goods: str = ""


class Units(msgspec.Struct, frozen=True):
    """Units that a redemption discounted of a product, as those of the goods of an entry of `applicable_to`."""

    goods: str
    product: str
    number: int


@dataclass(frozen=True, slots=True)
class Redeemed:
    """One redemption as counters see it: what (a voucher or a promotion tier), when, by whom, for how much."""

    object_id: str
    kind: Kind
    campaign_id: str | None
    at: datetime
    customer_id: str | None
    api_key: str | None
    user: str | None
    orders_amount: int
    discount_amount: int
    units: tuple[Units, ...] = ()

    @property
    def spent(self) -> Spent:
        """What it adds where redemptions are counted."""
        return Spent(1, self.orders_amount, self.discount_amount)

    def spent_on(self, counter: Counter) -> Spent:
        """Return what it adds to a counter that is its own."""
        if not counter.is_of_units:
            return self.spent
        of = (one for one in self.units if one.goods == counter.goods)
        return Spent(sum(one.number for one in of if counter.product in ("", one.product)))

    @property
    def objects(self) -> dict[str, Kind]:
        """The ids that it counts for."""
        found: dict[str, Kind] = {self.object_id: self.kind}
        if self.campaign_id is not None:
            found[self.campaign_id] = "campaign"
        return found


@dataclass(frozen=True, slots=True)
class Use:
    """A redeemable that is to be redeemed, with the rules that hold for it; `facts` still without counts.

    `most`: how far it may take which counters of units.
    """

    redeemed: Redeemed
    rules: tuple[tuple[Assigned, RuleSet], ...]
    facts: Facts
    most: Mapping[Counter, int] = field(default_factory=dict)


def bounds(period: Period, at: datetime, zone: ZoneInfo) -> tuple[str, datetime | None, datetime | None]:
    """Return the key of the period that a moment lies in, and the period's first moment and end, in the zone."""
    if period == "total":
        return "total", None, None
    day = times.day_of(zone, times.to_ms(at))
    first, end = day, day + 1
    if period == "week":
        first = day - (day - 1) % 7
        end = first + 7
    elif period == "month":
        first, end = times.month_start(day, 0).ordinal, times.month_start(day, 1).ordinal
    since, until = (times.from_ms(times.start_of_day(zone, one)) for one in (first, end))
    return f"{period} {datetime.fromordinal(first).date().isoformat()}", since, until


def counter(watch: Watch, redeemed: Redeemed, zone: ZoneInfo) -> Counter | None:
    """Return the counter of an object that a redemption has to do with; None if it is of nobody's."""
    names: Mapping[str, str | None] = {
        "all": "",
        "customers": "",
        "customer": redeemed.customer_id,
        "api_key": redeemed.api_key,
        "user": redeemed.user,
    }
    name = names[watch.counted_by]
    if name is None:
        return None
    key, since, until = bounds(watch.period, redeemed.at, zone)
    by: Any = watch.counted_by
    return Counter(watch.object_id, by, name, key, redeemed.objects[watch.object_id], since, until)


def counters(watch: Watch, redeemed: Redeemed, zone: ZoneInfo) -> list[Counter]:
    """Return the stored counters that a redemption has to do with because of a watch."""
    if not watch.goods:
        found = counter(watch, redeemed, zone)
        return [] if found is None else [found]
    is_of_tier = watch.counted_by in ("tier_units", "tier_product_units")
    products = {one.product for one in redeemed.units if one.goods == watch.goods}
    if not products or (is_of_tier and redeemed.kind != "promotion_tier"):
        return []
    object_id = redeemed.object_id if is_of_tier else watch.object_id
    kind = redeemed.objects[object_id]
    named = products if watch.counted_by in ("product_units", "tier_product_units") else {""}
    return [Counter(object_id, "units", "", "total", kind, goods=watch.goods, product=one) for one in named]


def redemptions_of(campaign_id: str) -> Counter:
    """Return the counter of all redemptions of a campaign: the one that formulas name."""
    return Counter(campaign_id, "all", "", "total", "campaign")


def object_of(count: Count, assigned: Assigned, redeemed: Redeemed) -> str:
    """Return what a rule counts: what it is assigned to, or for the rules about a campaign that of the redeemable."""
    is_campaign = count.scope == "campaign" or assigned.related_object_type == "campaign"
    return redeemed.campaign_id if is_campaign and redeemed.campaign_id is not None else redeemed.object_id


def watch_of(count: Count, object_id: str) -> Watch:
    """Return what has to be counted for a rule."""
    return Watch(object_id, "customers" if count.measure == "customers" else count.by, count.period)


def of_customer(watched: Watch) -> Watch:
    """Return what tells whether a customer is a new one."""
    return Watch(watched.object_id, "customer", watched.period)


def asked(uses: Iterable[Use], zone: ZoneInfo) -> set[Counter]:
    """Return the counters that have to be read for the rules to be decided."""
    found: set[Counter | None] = set()
    for use in uses:
        for assigned, rule_set in use.rules:
            for count in rule_set.needs.counts:
                watch = watch_of(count, object_of(count, assigned, use.redeemed))
                found.add(counter(watch, use.redeemed, zone))
                if watch.counted_by == "customers":
                    found.add(counter(of_customer(watch), use.redeemed, zone))
    return {one for one in found if one is not None}


def counts_of(
    use: Use, assigned: Assigned, rule_set: RuleSet, spent: Mapping[Counter, Spent], zone: ZoneInfo
) -> dict[Count, int]:
    """Return the numbers that a rule set asks for, this redemption included; `spent` is what was before it."""
    found = {}
    for count in rule_set.needs.counts:
        watch = watch_of(count, object_of(count, assigned, use.redeemed))
        key = counter(watch, use.redeemed, zone)
        if key is None:
            continue
        before = spent.get(key, Spent())
        if count.measure == "customers":
            own = counter(of_customer(watch), use.redeemed, zone)
            is_new = own is not None and spent.get(own, Spent()).number == 0
            found[count] = before.number + is_new
            continue
        after = before.plus(use.redeemed.spent)
        amounts = {"orders_amount": after.orders_amount, "discount_amount": after.discount_amount}
        found[count] = amounts.get(count.measure, after.number)
    return found
