"""Orders on the wire."""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from rapport.core.clock import iso, parse_instant
from rapport.core.errors import InvalidPayload
from rapport.core.jsons import check_limits
from rapport.customers.in_store import LocationInput, read_location
from rapport.customers.schemas import CustomerInput, Identifier, Metadata, Text
from rapport.metadata.models import Schemas
from rapport.metadata.values import check
from rapport.orders import standing
from rapport.orders.models import MAX_AMOUNT, Order

MAX_ITEMS = 500

Amount = Annotated[int, Meta(ge=0, le=MAX_AMOUNT)]
Quantity = Annotated[int, Meta(ge=0, le=1_000_000_000)] | Annotated[str, Meta(pattern=r"\A[0-9]{1,9}\Z")]
Status = Literal["CREATED", "PAID", "CANCELED", "FULFILLED"]


class ProductInput(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What an item says about its product."""

    id: Text | None = None
    source_id: Text | None = None
    override: bool | None = None
    name: Text | None = None
    price: float | int | None = None
    metadata: Metadata | None = None


class SkuInput(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What an item says about its SKU."""

    id: Text | None = None
    source_id: Text | None = None
    override: bool | None = None
    sku: Text | None = None
    price: float | int | None = None
    metadata: Metadata | None = None


class ItemInput(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One line of an order."""

    sku_id: Text | None = None
    product_id: Text | None = None
    related_object: Literal["product", "sku"] | None = None
    source_id: Text | None = None
    quantity: Quantity | None = None
    discount_quantity: Quantity | None = None
    initial_quantity: Quantity | None = None
    price: Amount | None = None
    amount: Amount | None = None
    discount_amount: Amount | None = None
    initial_amount: Amount | None = None
    product: ProductInput | None = None
    sku: SkuInput | None = None
    metadata: Metadata | None = None


class OrderInput(msgspec.Struct, kw_only=True):
    """An order in a request: `OrdersCreateRequestBody` and `OrdersUpdateRequestBody` of the reference.

    What is absent or null stays as it is: the official SDK sends null for whatever it was not given.
    """

    id: Identifier | None | UnsetType = UNSET
    source_id: Identifier | None | UnsetType = UNSET
    status: Status | None | UnsetType = UNSET
    amount: Amount | None | UnsetType = UNSET
    initial_amount: Amount | None | UnsetType = UNSET
    discount_amount: Amount | None | UnsetType = UNSET
    items: Annotated[list[ItemInput], Meta(max_length=MAX_ITEMS)] | None | UnsetType = UNSET
    metadata: Metadata | None | UnsetType = UNSET
    created_at: str | None | UnsetType = UNSET
    customer_id: Identifier | None | UnsetType = UNSET
    referrer_id: Identifier | None | UnsetType = UNSET
    customer: CustomerInput | None | UnsetType = UNSET
    referrer: CustomerInput | None | UnsetType = UNSET
    # An addition: the shop it was bought in.
    location: LocationInput | None | UnsetType = UNSET


def _price(item: ItemInput) -> int | None:
    if item.price is not None:
        return item.price
    for holder in (item.sku, item.product):
        if holder is not None and holder.price is not None:
            price = round(holder.price)
            if not 0 <= price <= MAX_AMOUNT:
                raise InvalidPayload("Property .items[].price is out of range")
            return price
    return None


def item_view(item: ItemInput) -> dict[str, Any]:
    """Return an item as it is stored and shown, with its amounts worked out. Raises InvalidPayload."""
    shown: dict[str, Any] = {"object": "order_item", **msgspec.to_builtins(item)}
    shown = {name: value for name, value in shown.items() if value is not None}
    for name in ("product", "sku"):
        if name in shown:
            shown[name].pop("override", None)
    for name in ("quantity", "discount_quantity", "initial_quantity"):
        if name in shown:
            shown[name] = int(shown[name])
    check_limits(shown, ".items[]")
    price, quantity = _price(item), shown.get("quantity", 1)
    if price is not None:
        shown["price"] = price
        shown.setdefault("amount", price * quantity)
    if "amount" in shown:
        discount = shown.get("discount_amount", 0)
        if discount > shown["amount"]:
            raise InvalidPayload("Property .items[].discount_amount is more than the item's amount")
        shown["subtotal_amount"] = shown["amount"] - discount
    return shown


def _created_at(change: OrderInput, current: datetime) -> datetime:
    if not isinstance(change.created_at, str):
        return current
    try:
        return parse_instant(change.created_at)
    except ValueError as error:
        raise InvalidPayload("Property .created_at should be a date-time in ISO 8601 format") from error


def _metadata(change: OrderInput, current: Metadata) -> Metadata:
    if not isinstance(change.metadata, dict):
        return current
    check_limits(change.metadata, ".metadata")
    return {name: value for name, value in {**current, **change.metadata}.items() if value is not None}


class _Totals(msgspec.Struct, frozen=True):
    """What an order costs, and what is off it."""

    items: list[dict[str, Any]]
    records: standing.Records
    amount: int
    discount_amount: int


def apply(change: OrderInput, current: Order) -> Order:
    """Return the order with a request's values set and its totals worked out. Pure; raises InvalidPayload.

    `amount` is the sum of the items where they are sent with prices; otherwise it is said without the units that
    redemptions added, which come on top. What the order has as `amount` stays with items of the same worth.
    `total_amount` is what remains to be paid after the discounts on the order and on its items. Discounts that the
    request does not say are kept, as far as the order costs as much.
    """
    found = _totals(change, current)
    off_items = sum(item.get("discount_amount", 0) for item in found.items)
    return msgspec.structs.replace(
        current,
        source_id=change.source_id if isinstance(change.source_id, str) else current.source_id,
        status=change.status if isinstance(change.status, str) else current.status,
        amount=found.amount,
        initial_amount=_initial_amount(change, current, found),
        discount_amount=found.discount_amount,
        applied_discount_amount=min(current.applied_discount_amount, found.discount_amount),
        total_amount=found.amount - found.discount_amount - off_items,
        items=found.items,
        redemptions=standing.with_records(current.redemptions, found.records),
        metadata=_metadata(change, current.metadata),
        created_at=_created_at(change, current.created_at),
        location=read_location(change.location) if isinstance(change.location, LocationInput) else current.location,
    )


def _is_of_items(current: Order, items: list[dict[str, Any]]) -> bool:
    """Whether an order's amount is what its items cost, and there still are some that cost something."""
    priced = [item for item in current.items if "amount" in item]
    return bool(priced) and current.amount == standing.worth(priced) and any("amount" in item for item in items)


def _totals(change: OrderInput, current: Order) -> _Totals:
    before = standing.records_of(current.redemptions)
    items, records, is_priced, said = current.items, before, False, set[int]()
    if isinstance(change.items, list):
        sent = [item_view(item) for item in change.items]
        said = {place for place, item in enumerate(sent) if "discount_amount" in item}
        found = standing.resent(sent, current.items, before)
        items, records, is_priced = found.items, found.records, found.is_priced or _is_of_items(current, found.items)
    amount, is_same = standing.worth(items), change.amount == current.amount
    if not is_priced or (is_same and amount == standing.worth(current.items)):
        amount = current.amount - standing.added(before)
        if isinstance(change.amount, int) and not is_same:
            amount = change.amount
        amount += standing.added(records)
    if amount > MAX_AMOUNT:
        raise InvalidPayload("The order's amount is out of range")
    items = standing.fitted(items, amount, said)
    left = amount - sum(item.get("discount_amount", 0) for item in items)
    if left < 0:
        raise InvalidPayload("Property .items[].discount_amount is more than the order's amount")
    discount = min(current.discount_amount, left)
    if isinstance(change.discount_amount, int):
        discount = change.discount_amount
        if discount != current.discount_amount:
            records = {name: standing.record(0, one["lines"]) for name, one in records.items()}
    if discount > left:
        raise InvalidPayload("Property .discount_amount is more than the order's amount")
    return _Totals(items, records, amount, discount)


def _initial_amount(change: OrderInput, current: Order, found: _Totals) -> int | None:
    """Return what an order cost before units were added to it: it follows the amount, unless the shop said it."""
    shown = current.amount if current.initial_amount is None else current.initial_amount
    if isinstance(change.initial_amount, int) and (change.initial_amount != shown or not shown):
        return change.initial_amount
    return standing.initial_amount(current, found.amount, found.records)


def checked(change: OrderInput, after: Order, before: Order | None, schemas: Schemas) -> Order:
    """Return an order with the metadata that a request sets on it and on its items as their schemas want it.

    Pure; raises MetadataInvalid. `before` is what is stored.
    """
    metadata, items = after.metadata, after.items
    schema = schemas.of("order")
    if schema is not None and (before is None or isinstance(change.metadata, dict)):
        metadata = check(schema, metadata, before=None if before is None else before.metadata)
    schema = schemas.of("order_item")
    if schema is not None and isinstance(change.items, list):
        items = []
        for index, item in enumerate(after.items):
            values = check(schema, item.get("metadata", {}), path=f".items[{index}].metadata")
            items.append({**item, "metadata": values} if values else item)
    if metadata is after.metadata and items is after.items:
        return after
    return msgspec.structs.replace(after, metadata=metadata, items=items)


def view(order: Order) -> dict[str, Any]:
    """Return the order object of the API (`OrderCalculated`)."""
    items_discount = order.items_discount_amount
    items_applied = sum(item.get("applied_discount_amount", 0) for item in order.items)
    shown: dict[str, Any] = {
        "id": order.id,
        "source_id": order.source_id,
        "created_at": iso(order.created_at),
        "updated_at": None if order.updated_at is None else iso(order.updated_at),
        "status": order.status,
        "amount": order.amount,
        "initial_amount": order.amount if order.initial_amount is None else order.initial_amount,
        "discount_amount": order.discount_amount,
        "items_discount_amount": items_discount,
        "total_discount_amount": order.discount_amount + items_discount,
        "applied_discount_amount": order.applied_discount_amount,
        "items_applied_discount_amount": items_applied,
        "total_applied_discount_amount": order.applied_discount_amount + items_applied,
        "total_amount": order.total_amount,
        "items": order.items,
        "metadata": order.metadata,
        "customer_id": order.customer_id,
        "referrer_id": order.referrer_id,
        "object": "order",
    }
    for name, customer_id in (("customer", order.customer_id), ("referrer", order.referrer_id)):
        if customer_id is not None:
            shown[name] = {"id": customer_id, "object": "customer"}
    if order.location is not None:
        shown["location"] = order.location
    if order.redemptions:
        shown["redemptions"] = standing.shown(order.redemptions)
    return shown
