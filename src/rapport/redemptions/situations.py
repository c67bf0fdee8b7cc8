"""What a decision about a redeemable looks at, and what one does: as values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from rapport.customers.models import Customer
from rapport.discounts.applicable import Applicable
from rapport.discounts.cart import Cart, CatalogueItem
from rapport.orders.models import Order
from rapport.redemptions import effects
from rapport.redemptions.redeemables.models import Redeemable
from rapport.rules.bundles import Identified
from rapport.rules.conditions import RuleSet
from rapport.rules.counters import Counter, Redeemed, Spent
from rapport.rules.models import Assigned

Rules = list[tuple[Assigned, RuleSet]]


@dataclass(frozen=True, slots=True)
class Situation:
    """Who redeems, when, against which order (None: without an order), and what is known of it.

    `collections`: for each product collection that rules name, what of the order is in it. `standing`: what rules
    count, without the redemption at hand (`rules.budgets.read`). `products`: what the catalogue says of units that
    discounts add. `formulas`: by the id of a redeemable, what its formulas name that had to be read (`variables`);
    `exact` are the counters among `standing` that this comes from, `uncounted` the campaigns that have none yet.
    `audience_only`: only the rules about the customer count.
    """

    now: datetime
    zone: ZoneInfo
    customer: Customer | None = None
    segments: frozenset[str] = frozenset()
    order: Order | None = None
    is_amount_missing: bool = False
    metadata: Mapping[str, Any] = field(default_factory=dict)
    api_key: tuple[str, ...] = ()
    collections: Mapping[str, frozenset[str]] = field(default_factory=dict)
    standing: Mapping[Counter, Spent] = field(default_factory=dict)
    products: Mapping[str, CatalogueItem] = field(default_factory=dict)
    formulas: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    exact: frozenset[Counter] = frozenset()
    uncounted: frozenset[str] = frozenset()
    audience_only: bool = False


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """What a redeemable does: the cart before and after it (`applied_*` are its own), what is off, its credits.

    `items` are the differences that it makes to single items (see `redemptions.effects`), None where it makes none.
    `bundle`: the bundles of the order, where its rules ask for some. `most`: how far it may take counters of units.
    """

    before: Cart | None = None
    cart: Cart | None = None
    off: int = 0
    saved: int = 0
    credits: int | None = None
    discount: dict[str, Any] = {}
    reached: Applicable | None = None
    has_effect: bool = True
    items: list[dict[str, Any]] | None = None
    bundle: Identified | None = None
    most: dict[Counter, int] = {}


def redeemed_of(redeemable: Redeemable, at: Situation, effect: Effect | None) -> Redeemed:
    """Return a redeemable as counters see it: its order's amount and what is off, as the ledger has them.

    Without an order, the credits of a gift card are off.
    """
    amounts, paid = amounts_of(effect), 0 if effect is None else effect.credits or 0
    return Redeemed(
        object_id=redeemable.object_id,
        kind="voucher" if redeemable.voucher is not None else "promotion_tier",
        campaign_id=redeemable.campaign_id,
        at=at.now,
        customer_id=None if at.customer is None else at.customer.id,
        api_key=at.api_key[0] if at.api_key else "rapport",
        user=None,
        orders_amount=amounts.get("amount", 0),
        discount_amount=amounts.get("total_applied_discount_amount", paid),
        units=() if effect is None else effects.units_of(effect.items),
    )


def amounts_of(effect: Effect | None) -> dict[str, int]:
    """Return the order's amounts as they are with a redeemable; nothing without an order."""
    return {} if effect is None or effect.cart is None else effect.cart.amounts()
