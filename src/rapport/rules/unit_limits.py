"""Limits of the units that are discounted of goods, over all redemptions of a campaign or of a tier. Pure.

The names are those of the reference (`ApplicableTo`), eight of them, each with a formula beside it. What counts towards
them are the units that redemptions discounted as those of the goods of the entry.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Final, Literal

import msgspec

from rapport.rules.counters import Counter, Redeemed, Use, Watch, WatchedBy

Entry = Mapping[str, Any]
# Return what the products of an order are called that are of the goods of an entry.
ProductsOf = Callable[[Entry], Collection[str]]


class UnitLimit(msgspec.Struct, frozen=True):
    """One kind of limit: of a campaign or of a tier, for everybody or for each customer, in all or of each product."""

    name: str
    scope: Literal["campaign", "promotion_tier"]
    by_customer: bool
    by_product: bool

    @property
    def formula(self) -> str:
        """The name of its formula."""
        return f"{self.name}_formula"

    def holds_for(self, redeemed: Redeemed) -> bool:
        """Whether it is about such a redeemable: limits of tiers are about nothing else."""
        return self.scope == "campaign" or redeemed.kind == "promotion_tier"


def _limit(scope: Literal["campaign", "promotion_tier"], *, by_customer: bool, by_product: bool) -> UnitLimit:
    name = f"product_{'in_collection_' * by_product}{'customer_' * by_customer}{scope}_quantity_limit"
    return UnitLimit(name, scope, by_customer, by_product)


_EITHER: Final = (False, True)
UNIT_LIMITS: Final = (
    *(_limit("campaign", by_customer=who, by_product=what) for what in _EITHER for who in _EITHER),
    *(_limit("promotion_tier", by_customer=who, by_product=what) for what in _EITHER for who in _EITHER),
)


def goods_of(entry: Entry) -> str:
    """Return what the ledger and counters call the goods of an entry of `applicable_to`."""
    return f"{entry['object']}:{entry['id']}"


def limits_of(entry: Entry) -> list[UnitLimit]:
    """Return the limits that an entry has."""
    return [one for one in UNIT_LIMITS if entry.get(one.name) is not None or entry.get(one.formula)]


def limited(applicable_to: Entry) -> Iterable[tuple[Entry, UnitLimit]]:
    """Return each limit of what is included, with its entry."""
    return ((entry, limit) for entry in applicable_to.get("included") or () for limit in limits_of(entry))


def without_limits(applicable_to: Mapping[str, Any]) -> dict[str, Any]:
    """Return `applicable_to` without these limits."""
    names = {name for one in UNIT_LIMITS for name in (one.name, one.formula)}
    kept = [
        {name: value for name, value in entry.items() if name not in names}
        for entry in applicable_to.get("included") or ()
    ]
    return {**applicable_to, "included": kept}


def counter_of(limit: UnitLimit, goods: str, redeemed: Redeemed, product: str) -> Counter | None:
    """Return what a limit looks at when something is redeemed (`product`: where it is of each product).

    None where it is about a tier and this is none, or about the customer and there is none.
    """
    object_id = redeemed.object_id
    if limit.scope == "campaign" and redeemed.campaign_id is not None:
        object_id = redeemed.campaign_id
    if not limit.holds_for(redeemed) or (limit.by_customer and redeemed.customer_id is None):
        return None
    return Counter(
        object_id,
        "customer_units" if limit.by_customer else "units",
        (redeemed.customer_id or "") if limit.by_customer else "",
        "total",
        redeemed.objects[object_id],
        goods=goods,
        product=product if limit.by_product else "",
    )


def asked(uses: Iterable[Use], products: ProductsOf) -> set[Counter]:
    """Return the counters that have to be read; what is not in the order has none."""
    return {
        found
        for use in uses
        for assigned, _ in use.rules
        for entry, limit in limited(assigned.applicable_to)
        for product in products(entry)
        if (found := counter_of(limit, goods_of(entry), use.redeemed, product)) is not None
    }


def watches(applicable_to: Mapping[str, Any], object_id: str, campaign_id: str) -> set[Watch]:
    """Return what has to be counted of what such a rule is assigned to, and of its campaign (or else of itself).

    What is of one customer is not: it is counted in the ledger.
    """
    kinds: Mapping[tuple[str, bool], WatchedBy] = {
        ("campaign", False): "units",
        ("campaign", True): "product_units",
        ("promotion_tier", False): "tier_units",
        ("promotion_tier", True): "tier_product_units",
    }
    return {
        Watch(
            campaign_id if limit.scope == "campaign" else object_id,
            kinds[limit.scope, limit.by_product],
            "total",
            goods_of(entry),
        )
        for entry, limit in limited(applicable_to)
        if not limit.by_customer
    }
