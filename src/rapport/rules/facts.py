"""What rules are decided on, as plain values: who, when, which order, and what was redeemed before."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, Literal
from zoneinfo import ZoneInfo

import msgspec

Measure = Literal["redemptions", "customers", "orders_amount", "discount_amount"]
Scope = Literal["assigned", "campaign"]
By = Literal["all", "customer", "api_key", "user"]
Period = Literal["total", "day", "week", "month"]


class Count(msgspec.Struct, frozen=True):
    """A number about earlier redemptions that a rule asks for.

    `scope`: of what the rule is assigned to, or of its whole campaign. `by`: of everybody, of the customer, of the API
    key or of the user who redeems. Weeks begin on Monday; days, weeks and months are those of the project's time zone.
    Amounts are minor units.
    """

    measure: Measure
    scope: Scope = "assigned"
    by: By = "all"
    period: Period = "total"


@dataclass(frozen=True, slots=True)
class Item:
    """One line of an order, as rules look at it; `price` of one unit and `amount` of all, in minor units."""

    index: int
    product_ids: frozenset[str]
    sku_ids: frozenset[str]
    product_source_ids: frozenset[str]
    sku_source_ids: frozenset[str]
    quantity: int
    price: int
    amount: int
    metadata: Mapping[str, Any]
    product_metadata: Mapping[str, Any]

    @property
    def ids(self) -> frozenset[str]:
        """The ids that Rapport gave to the product and the SKU."""
        return self.product_ids | self.sku_ids


def item_of(index: int, raw: Mapping[str, Any]) -> Item:
    """Read an item of an order as it is stored (`orders.models.Order.items`)."""
    product, sku = raw.get("product") or {}, raw.get("sku") or {}
    quantity = int(raw.get("quantity", 1))
    price, amount = raw.get("price"), raw.get("amount")
    if price is None:
        price = 0 if amount is None or not quantity else amount // quantity
    is_sku = raw.get("related_object") == "sku"
    return Item(
        index=index,
        product_ids=_texts(raw.get("product_id"), product.get("id")),
        sku_ids=_texts(raw.get("sku_id"), sku.get("id")),
        product_source_ids=_texts(product.get("source_id"), None if is_sku else raw.get("source_id")),
        sku_source_ids=_texts(sku.get("source_id"), raw.get("source_id") if is_sku else None),
        quantity=quantity,
        price=price,
        amount=price * quantity if amount is None else amount,
        metadata=raw.get("metadata") or {},
        product_metadata={**(product.get("metadata") or {}), **(sku.get("metadata") or {})},
    )


def _texts(*values: str | None) -> frozenset[str]:
    return frozenset(value for value in values if value)


class OrderFacts(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """The order of a redemption: amounts in minor units, items as they are stored.

    `amount` is before all discounts; `total_amount` what is to be paid before this redemption; `initial_amount` what
    the order came to before it was changed.
    """

    amount: int
    total_amount: int
    initial_amount: int | None = None
    raw_items: list[dict[str, Any]] = []
    metadata: dict[str, Any] = {}
    is_amount_known: bool = True

    @cached_property
    def items(self) -> tuple[Item, ...]:
        """The lines, read."""
        return tuple(item_of(index, raw) for index, raw in enumerate(self.raw_items))


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that the rules of one redeemable may look at.

    `is_holder`: the code was published to this customer. `metadata` is that of the redemption. `api_key` has the app id
    and the name of the key. `collections`: for each product collection that the rules name the ids of the products and
    SKUs in it, as far as the order has them. `counts`: each number that the rules ask for, this redemption included.
    """

    now: datetime
    zone: ZoneInfo
    customer_id: str | None = None
    customer_metadata: Mapping[str, Any] = field(default_factory=dict)
    segments: frozenset[str] = frozenset()
    is_holder: bool = False
    order: OrderFacts | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    api_key: tuple[str, ...] = ()
    user: str | None = None
    gift_amount: int | None = None
    points: int | None = None
    event_metadata: Mapping[str, Any] = field(default_factory=dict)
    collections: Mapping[str, frozenset[str]] = field(default_factory=dict)
    counts: Mapping[Count, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class At:
    """Where a rule looks: the facts, and inside a rule about items the item at hand and all that were selected."""

    facts: Facts
    item: Item | None = None
    selected: tuple[Item, ...] = ()
