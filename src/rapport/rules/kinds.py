"""The table of rules: one row a rule name, with what it looks at, what it takes, and what its violation is called.

The names are those of the reference (`ValidationRuleRules`). What the operators mean stands in `segments/operators.py`
(and for the few that filters have not, in `timeframes.py`); which of them apply follows from the kind of value.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from rapport.rules.facts import At, By, Count, Item, Measure, OrderFacts, Period
from rapport.segments.fields import Kind

Failure = Literal["customer_rules_violated", "order_rules_violated", "redemption_rules_violated"]
Gap = Literal["missing_customer", "missing_amount", "missing_order_items"]
Mode = Literal["any", "every", "none", "cheapest", "most_expensive"]
Roots = Callable[[At], Sequence[Any]]
Selected = Literal["item", "product", "sku", "metadata"]

SEGMENT: Final = "customer.segment"
PER_CUSTOMER: Final = "redemption.count.per_customer"
GIFT_AMOUNT: Final = "redemption.gift.amount"
HOLDER: Final = "publication.redeemable_by_linked_customer"

_CUSTOMER: Final = "customer_rules_violated"
_ORDER: Final = "order_rules_violated"
_REDEMPTION: Final = "redemption_rules_violated"


@dataclass(frozen=True, slots=True)
class Row:
    """One rule name.

    `roots` finds what the conditions are about: one value, or several of which any (`each`: all, and at least one) has
    to fulfil them. With `takes_property` the rule names a key in them, whose values are typed by the metadata schema
    `schema`. `needs`: without it the rule cannot be decided. `only`: the operands that there are. `count`: the number
    that has to be read. `selects`: the conditions name items, and nested rules (`nested`) are decided on those.
    """

    name: str
    failure: Failure
    kind: Kind = Kind.NUMBER
    roots: Roots = field(default=lambda _at: (None,), repr=False)
    each: bool = False
    takes_property: bool = False
    schema: str | None = None
    needs: Gap | None = None
    only: tuple[Any, ...] = ()
    count: Count | None = None
    mode: Mode | None = None
    selects: Selected | None = None
    nested: Mapping[str, "Row"] = field(default_factory=dict, repr=False)

    @property
    def is_about_cart(self) -> bool:
        """Whether it may come out otherwise once something else is off the order, or added to it."""
        of_amounts = self.count is not None and self.count.measure in ("orders_amount", "discount_amount")
        return self.failure == _ORDER or self.name == GIFT_AMOUNT or of_amounts


def _order(read: Callable[[OrderFacts], Any]) -> Roots:
    return lambda at: (None if at.facts.order is None else read(at.facts.order),)


def _items(read: Callable[[Item], Any]) -> Roots:
    return lambda at: () if at.facts.order is None else [read(item) for item in at.facts.order.items]


def _item(read: Callable[[Item], Any]) -> Roots:
    return lambda at: (None if at.item is None else read(at.item),)


def _metadata(name: str, failure: Failure, roots: Roots, schema: str | None, **more: Any) -> Row:
    return Row(name, failure, Kind.JSON, roots, takes_property=True, schema=schema, **more)


def _flag(name: str) -> Row:
    """Make a row that says something rather than asking: it always holds."""
    return Row(name, _ORDER, Kind.JSON, lambda _at: (True,), only=(True,))


def _counted(name: str, failure: Failure, count: Count, needs: Gap | None = None) -> Row:
    return Row(name, failure, roots=lambda at: (at.facts.counts.get(count),), needs=needs, count=count)


def _sum(read: Callable[[Item], int]) -> Roots:
    return lambda at: (sum(read(item) for item in at.selected),)


def _table(*rows: Row) -> dict[str, Row]:
    return {row.name: row for row in rows}


# Rules inside of rules about items.
_OF_ITEMS: Final = _table(
    Row("order.items.quantity", _ORDER, roots=_item(lambda item: item.quantity)),
    Row("order.items.price", _ORDER, roots=_item(lambda item: item.price)),
    Row("order.items.amount", _ORDER, roots=_item(lambda item: item.amount)),
    Row("order.items.aggregated_quantity", _ORDER, roots=_sum(lambda item: item.quantity)),
    Row("order.items.aggregated_amount", _ORDER, roots=_sum(lambda item: item.amount)),
    _metadata("order.items.metadata", _ORDER, _item(lambda item: item.metadata), "order_item"),
    _metadata("product.metadata", _ORDER, _item(lambda item: item.product_metadata), "product"),
)
_OF_PRODUCTS: Final = _OF_ITEMS | _table(
    Row("product.price", _ORDER, roots=_item(lambda item: item.price)),
    Row("product.quantity", _ORDER, roots=_sum(lambda item: item.quantity)),
    _flag("product.discount_applicable"),
)
_OF_SKUS: Final = _OF_ITEMS | _table(
    Row("sku.price", _ORDER, roots=_item(lambda item: item.price)),
    Row("sku.quantity", _ORDER, roots=_sum(lambda item: item.quantity)),
    _flag("sku.discount_applicable"),
)
_OF_METADATA: Final = _OF_ITEMS | _table(
    Row("product.metadata.aggregated_quantity", _ORDER, roots=_sum(lambda item: item.quantity)),
    Row("product.metadata.aggregated_amount", _ORDER, roots=_sum(lambda item: item.amount)),
    _flag("product.metadata.discount_applicable"),
    Row(
        "product.metadata.match_all",
        _ORDER,
        Kind.JSON,
        lambda at: (at.facts.order is not None and len(at.selected) == len(at.facts.order.items),),
        only=(True, False),
    ),
)


def _selection(name: str, mode: Mode, selects: Selected, nested: Mapping[str, Row], **more: Any) -> Row:
    return Row(name, _ORDER, mode=mode, selects=selects, nested=nested, needs="missing_order_items", **more)


_PERIODS: Final[Mapping[str, Period]] = {"": "total", ".daily": "day", ".weekly": "week", ".monthly": "month"}


def _periods(prefix: str, failure: Failure, needs: Gap | None = None, **count: Any) -> list[Row]:
    return [
        _counted(prefix + suffix, failure, Count(period=period, **count), needs) for suffix, period in _PERIODS.items()
    ]


def _campaign(measure: Measure) -> dict[str, Any]:
    return {"measure": measure, "scope": "campaign"}


def _by(by: By) -> Count:
    return Count("redemptions", by=by)


KINDS: Final[Mapping[str, Row]] = _table(
    # The customer.
    Row(SEGMENT, _CUSTOMER, Kind.SEGMENTS, needs="missing_customer"),
    _metadata(
        "customer.metadata", _CUSTOMER, lambda at: (at.facts.customer_metadata,), "customer", needs="missing_customer"
    ),
    Row(HOLDER, _CUSTOMER, Kind.JSON, lambda at: (at.facts.is_holder,), needs="missing_customer", only=(True,)),
    # The order.
    Row("order.amount", _ORDER, roots=_order(lambda order: order.amount), needs="missing_amount"),
    Row("order.total_amount", _ORDER, roots=_order(lambda order: order.total_amount), needs="missing_amount"),
    Row(
        "order.initial_amount",
        _ORDER,
        roots=_order(lambda order: order.amount if order.initial_amount is None else order.initial_amount),
        needs="missing_amount",
    ),
    _metadata("order.metadata", _ORDER, _order(lambda order: order.metadata), "order"),
    Row("order.items.count", _ORDER, roots=_order(lambda order: sum(item.quantity for item in order.items))),
    Row("order.items.price_any", _ORDER, roots=_items(lambda item: item.price), needs="missing_order_items"),
    Row(
        "order.items.price_each", _ORDER, roots=_items(lambda item: item.price), each=True, needs="missing_order_items"
    ),
    _metadata(
        "order.items.metadata_any",
        _ORDER,
        _items(lambda item: item.metadata),
        "order_item",
        needs="missing_order_items",
    ),
    _metadata(
        "order.items.metadata_each",
        _ORDER,
        _items(lambda item: item.metadata),
        "order_item",
        each=True,
        needs="missing_order_items",
    ),
    _selection("order.items.any", "any", "item", _OF_ITEMS),
    _selection("order.items.every", "every", "item", _OF_ITEMS),
    _selection("order.items.none", "none", "item", _OF_ITEMS),
    _selection("order.items.cheapest", "cheapest", "item", _OF_ITEMS),
    _selection("order.items.most_expensive", "most_expensive", "item", _OF_ITEMS),
    # Their older forms.
    _selection("product.id", "any", "product", _OF_PRODUCTS),
    _selection("sku.id", "any", "sku", _OF_SKUS),
    _selection(
        "product.metadata", "any", "metadata", _OF_METADATA, kind=Kind.JSON, takes_property=True, schema="product"
    ),
    # The redemption.
    _metadata("redemption.metadata", _REDEMPTION, lambda at: (at.facts.metadata,), "redemption"),
    Row("redemption.api_key", _REDEMPTION, Kind.JSON, lambda at: (list(at.facts.api_key),)),
    Row("redemption.user.login", _REDEMPTION, Kind.JSON, lambda at: (at.facts.user,)),
    Row(GIFT_AMOUNT, _REDEMPTION, roots=lambda at: (at.facts.gift_amount,)),
    Row("redemption.reward.pay_with_points.points_used", _REDEMPTION, roots=lambda at: (at.facts.points,)),
    *_periods("redemption.count", _REDEMPTION, measure="redemptions"),
    *_periods(PER_CUSTOMER, _REDEMPTION, "missing_customer", measure="redemptions", by="customer"),
    _counted("redemption.count.per_api_key", _REDEMPTION, _by("api_key")),
    _counted("redemption.count.per_user", _REDEMPTION, _by("user")),
    # The campaign and its budget.
    *_periods("campaign.redemptions.count", _REDEMPTION, **_campaign("redemptions")),
    *_periods("campaign.redemptions.customers_count", _REDEMPTION, "missing_customer", **_campaign("customers")),
    _counted("campaign.orders.amount", _REDEMPTION, Count(**_campaign("orders_amount"))),
    _counted("campaign.orders.amount_discounted", _REDEMPTION, Count(**_campaign("discount_amount"))),
    # A custom event, where one is what is rewarded.
    _metadata("custom_event.metadata", _REDEMPTION, lambda at: (at.facts.event_metadata,), None),
)
"""Every rule name that stands by itself."""


def gap(row: Row, at: At) -> Gap | None:
    """Return what is missing for a rule to be decided."""
    order = at.facts.order
    absent = {
        "missing_customer": at.facts.customer_id is None,
        "missing_amount": order is None or not order.is_amount_known,
        "missing_order_items": order is None or not order.items,
    }
    return row.needs if row.needs is not None and absent[row.needs] else None
