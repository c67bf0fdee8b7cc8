"""Writes of orders; redemptions place their orders through here too."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from msgspec import UNSET

from rapport.activity.log import Signature
from rapport.core import jsons
from rapport.core.clock import iso
from rapport.core.db import Restart, UniqueViolation
from rapport.core.errors import DuplicateFound, InvalidPayload, NotFound
from rapport.core.ids import new_id
from rapport.customers.deciding import Happening
from rapport.customers.in_store import Purchases, purchased, with_purchases
from rapport.customers.models import Customer
from rapport.customers.schemas import CustomerInput, simple_view
from rapport.customers.writes import Unit, Writer
from rapport.orders import queries
from rapport.orders.catalogue import Catalogue, open_items
from rapport.orders.models import Order, products
from rapport.orders.schemas import OrderInput, apply, checked, view

_STATUS_EVENTS = {"PAID": "paid", "FULFILLED": "fulfilled", "CANCELED": "canceled"}


@dataclass(frozen=True, slots=True)
class Placed:
    """An order under change: as it is stored (None: new), and as the request wants it.

    `catalogue`: what its items override. `costs`: the stored order, with what the request says that it costs; only
    where `after` is what the request alone says.
    """

    before: Order | None
    after: Order
    catalogue: Catalogue | None = None
    costs: Order | None = None


def person(named: object, person_id: object, name: str) -> CustomerInput | None:
    """Return whom a request names as the customer or the referrer. Raises InvalidPayload."""
    if isinstance(named, CustomerInput) and (named.is_named or named.has_data):
        return named
    if isinstance(named, CustomerInput):
        raise InvalidPayload(f"Property .{name} should have id or source_id")
    return CustomerInput(id=person_id) if isinstance(person_id, str) else None


def blank(order_id: str, now: datetime) -> Order:
    """Return an order of which nothing is said yet."""
    return Order(
        id=order_id, source_id=None, status="CREATED", customer_id=None, referrer_id=None, amount=0,
        initial_amount=None, discount_amount=0, total_amount=0, applied_discount_amount=0, items=[], metadata={},
        redemptions={}, created_at=now, updated_at=None,
    )  # fmt: skip


async def open_order(
    unit: Unit,
    data: OrderInput,
    reference: str | None,
    *more: CustomerInput,
    also_lock: Sequence[str] = (),
    unread: bool = False,
) -> Placed:
    """Lock the customers of an order and the order itself, and return it as the request wants it.

    `reference` is an id or source id that must exist; without it the payload's `id` must exist, or its `source_id`
    names the order, which is new when unknown. `more` are customers who take part besides, `also_lock` ids of others.
    `unread`: whoever asks may not know what is stored, so that an order that is there is what the request says of it,
    with its own status.
    Raises NotFound and InvalidPayload.
    """
    seen = await _find(unit, data, reference)
    customer = person(data.customer, data.customer_id, "customer")
    referrer = person(data.referrer, data.referrer_id, "referrer")
    people = [one for one in (customer, referrer) if one is not None]
    before_id = None if seen is None else seen.customer_id
    others = (*also_lock, *(() if before_id is None else (before_id,)))
    locked = await unit.upsert(*people, *more, also_lock=others)
    current = None if seen is None else await queries.find(unit.conn, unit.project_id, seen.id, lock=True)
    if seen is not None and (current is None or current.customer_id != before_id):
        raise Restart
    data, catalogue = await open_items(unit, data)
    base, costs = current or blank(new_id("ord"), unit.now), None
    if unread and current is not None:
        costs = _costing(data, current, unit)
        data = msgspec.structs.replace(data, status=UNSET)
        base = msgspec.structs.replace(
            blank(current.id, unit.now), status=current.status, customer_id=current.customer_id
        )
    after = checked(data, apply(data, base), current, unit.moment.schemas)
    if customer is not None:
        after = msgspec.structs.replace(after, customer_id=locked[0].id)
    if referrer is not None:
        after = msgspec.structs.replace(after, referrer_id=locked[len(people) - 1].id)
    return Placed(current, after, catalogue, costs)


def _costing(data: OrderInput, current: Order, unit: Unit) -> Order | None:
    """Return a stored order with what a request says that it costs, and what redemptions still have off it then.

    None where that is more than it costs: who may not know what is stored is not told so.
    """
    said = OrderInput(
        amount=data.amount, initial_amount=data.initial_amount, discount_amount=data.discount_amount, items=data.items
    )
    try:
        return checked(said, apply(said, current), current, unit.moment.schemas)
    except InvalidPayload:
        return None


async def _find(unit: Unit, data: OrderInput, reference: str | None) -> Order | None:
    wanted = reference or (data.id if isinstance(data.id, str) else None)
    if wanted is not None:
        found = await queries.find(unit.conn, unit.project_id, wanted)
        if found is None:
            raise NotFound("order", wanted)
        return found
    if isinstance(data.source_id, str):
        return await queries.find(unit.conn, unit.project_id, data.source_id)
    return None


async def place(unit: Unit, placed: Placed) -> Order:
    """Write an opened order and what it overrides, keep the summaries of its customers, and log what happened."""
    before, after = placed.before, placed.after
    if placed.catalogue is not None:
        await placed.catalogue.write(unit)
    if before is None:
        if not await queries.insert(unit.conn, unit.project_id, after):
            raise Restart
    elif after != before or not (
        jsons.alike(after.metadata, before.metadata) and jsons.alike(after.items, before.items)
    ):
        after = msgspec.structs.replace(after, updated_at=unit.now)
        await queries.update(unit.conn, unit.project_id, after)
    else:
        return before
    anew = keep_summaries(unit, before, after)
    for customer_id in anew:
        await read_anew(unit, customer_id)
    log_change(unit, before, after)
    return after


def keep_summaries(unit: Unit, before: Order | None, after: Order | None) -> list[str]:
    """Keep the summaries of an order's customers (after None: it is removed), as far as it can be done without reading.

    Returns whose summaries have to be read anew once the rows are written.
    """
    people = {one.customer_id for one in (before, after) if one is not None and one.customer_id}
    locked = [customer for one in sorted(people) if (customer := unit.find(one)) is not None]
    return [customer.id for customer in locked if _keep_summary(unit, customer, before, after)]


def _keep_summary(unit: Unit, customer: Customer, before: Order | None, after: Order | None) -> bool:
    old = before if before is not None and before.counts and before.customer_id == customer.id else None
    new = after if after is not None and after.counts and after.customer_id == customer.id else None
    unit.happened(customer.id, added=_happening(new), removed=_happening(old))
    changed = msgspec.structs.replace(
        customer,
        orders_count=customer.orders_count + (new is not None) - (old is not None),
        orders_amount=customer.orders_amount + (new.total_amount if new else 0) - (old.total_amount if old else 0),
    )
    newest = new is not None and (
        customer.last_order_at is None
        or (new.created_at, new.id) >= (customer.last_order_at, customer.last_order_id or "")
    )
    if newest and new is not None:
        changed = with_last(changed, new)
    if new is not None and new.location is not None and (old is None or old.location is None):
        at = iso(new.created_at)
        changed = purchased(changed, Purchases(new.location, 1, new.total_amount, at, at))
    unit.put(changed)
    was_last = old is not None and old.id == customer.last_order_id and not newest
    return was_last or (old is not None and old.location is not None)


async def read_anew(unit: Unit, customer_id: str) -> None:
    """Read which order of a customer is the last, and what they bought in shops; the orders are written.

    What counts no more may have been the last, and the first in its shop.
    """
    customer = unit.get(customer_id)
    changed = with_last(customer, await queries.last_counted(unit.conn, unit.project_id, customer_id))
    if "purchases" in changed.in_store:
        changed = with_purchases(changed, await queries.purchases_in_store(unit.conn, unit.project_id, customer_id))
    unit.put(changed)


def _happening(order: Order | None) -> Happening | None:
    if order is None:
        return None
    values = {
        "metadata": order.metadata,
        "amount": order.amount,
        "total_amount": order.total_amount,
        "discount_amount": order.discount_amount,
        "items": order.items,
        "source_id": order.source_id,
    }
    return Happening("orders", "", order.created_at, order.total_amount, values)


def with_last(customer: Customer, last: Order | None) -> Customer:
    """Return the customer with this as the latest order that counts (None: there is none). Pure."""
    return msgspec.structs.replace(
        customer,
        last_order_id=None if last is None else last.id,
        last_order_amount=None if last is None else last.total_amount,
        last_order_at=None if last is None else last.created_at,
        last_order_products=[] if last is None else products(last.items),
    )


def log_change(unit: Unit, before: Order | None, after: Order | None) -> None:
    """Log that an order was made or changed, or (after None) that it was taken back."""
    order = after or before
    if order is None:
        return
    customer = unit.find(order.customer_id)
    payload: dict[str, Any] = {"order": view(order)}
    for name, person_id in (("customer", order.customer_id), ("referrer", order.referrer_id)):
        found = unit.find(person_id)
        if found is not None:
            payload[name] = simple_view(found)
        elif person_id is not None:
            payload[name] = {"id": person_id, "object": "customer"}
    if after is None:
        unit.log("customer.order.deleted", customer, payload)
        return
    unit.log("customer.order.created" if before is None else "customer.order.updated", customer, payload)
    status = _STATUS_EVENTS.get(after.status)
    if status is not None and (before is None or before.status != after.status):
        unit.log(f"customer.order.{status}", customer, payload)


async def save(writer: Writer, signature: Signature, data: OrderInput, reference: str | None = None) -> Order:
    """Create an order or update the one with the same id or source id (`create-order`, `update-order`).

    The customer and the referrer in the payload are upserted. Raises NotFound, InvalidPayload, DuplicateFound.
    """

    async def work(unit: Unit) -> Order:
        return await place(unit, await open_order(unit, data, reference))

    try:
        return await writer.commit(signature, work)
    except UniqueViolation as error:
        raise DuplicateFound("order", str(data.source_id)) from error
