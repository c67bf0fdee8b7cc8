"""Writes of orders; redemptions place their orders through here too."""

from dataclasses import dataclass
from typing import Any

import msgspec

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
from rapport.orders.models import Order, products
from rapport.orders.schemas import OrderInput, apply, checked, view

_STATUS_EVENTS = {"PAID": "paid", "FULFILLED": "fulfilled", "CANCELED": "canceled"}


@dataclass(frozen=True, slots=True)
class Placed:
    """An order under change: as it is stored (None: new), and as the request wants it."""

    before: Order | None
    after: Order


def _person(named: object, person_id: object, name: str) -> CustomerInput | None:
    if isinstance(named, CustomerInput) and (named.is_named or named.has_data):
        return named
    if isinstance(named, CustomerInput):
        raise InvalidPayload(f"Property .{name} should have id or source_id")
    return CustomerInput(id=person_id) if isinstance(person_id, str) else None


async def open_order(unit: Unit, data: OrderInput, reference: str | None, *more: CustomerInput) -> Placed:
    """Lock the customers of an order and the order itself, and return it as the request wants it.

    `reference` is an id or source id that must exist; without it the payload's `id` must exist, or its `source_id`
    names the order, which is new when unknown. `more` are customers who take part besides.
    Raises NotFound and InvalidPayload.
    """
    seen = await _find(unit, data, reference)
    customer = _person(data.customer, data.customer_id, "customer")
    referrer = _person(data.referrer, data.referrer_id, "referrer")
    people = [person for person in (customer, referrer) if person is not None]
    before_id = None if seen is None else seen.customer_id
    locked = await unit.upsert(*people, *more, also_lock=() if before_id is None else (before_id,))
    current = None if seen is None else await queries.find(unit.conn, unit.project_id, seen.id, lock=True)
    if seen is not None and (current is None or current.customer_id != before_id):
        raise Restart
    blank = Order(
        id=new_id("ord"), source_id=None, status="CREATED", customer_id=None, referrer_id=None, amount=0,
        initial_amount=None, discount_amount=0, total_amount=0, applied_discount_amount=0, items=[], metadata={},
        redemptions={}, created_at=unit.now, updated_at=None,
    )  # fmt: skip
    after = checked(data, apply(data, current or blank), current, unit.moment.schemas)
    if customer is not None:
        after = msgspec.structs.replace(after, customer_id=locked[0].id)
    if referrer is not None:
        after = msgspec.structs.replace(after, referrer_id=locked[len(people) - 1].id)
    return Placed(current, after)


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
    """Write an opened order, keep the summaries of its customers, and log what happened."""
    before, after = placed.before, placed.after
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
    for customer_id in {one.customer_id for one in (before, after) if one is not None and one.customer_id}:
        customer = unit.find(customer_id)
        if customer is not None:
            await _keep_summary(unit, customer, before, after)
    _log(unit, before, after)
    return after


async def _keep_summary(unit: Unit, customer: Customer, before: Order | None, after: Order) -> None:
    old = before if before is not None and before.counts and before.customer_id == customer.id else None
    new = after if after.counts and after.customer_id == customer.id else None
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
    elif old is not None and old.id == customer.last_order_id:
        changed = with_last(changed, await queries.last_counted(unit.conn, unit.project_id, customer.id))
    unit.put(await _with_purchase(unit, changed, old, new))


async def _with_purchase(unit: Unit, customer: Customer, old: Order | None, new: Order | None) -> Customer:
    """Keep what the customer bought in shops; the order is written. What counts no more may have been the first."""
    if old is not None and old.location is not None:
        return with_purchases(customer, await queries.purchases_in_store(unit.conn, unit.project_id, customer.id))
    if new is None or new.location is None:
        return customer
    at = iso(new.created_at)
    return purchased(customer, Purchases(new.location, 1, new.total_amount, at, at))


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


def _log(unit: Unit, before: Order | None, after: Order) -> None:
    customer = unit.find(after.customer_id)
    payload: dict[str, Any] = {"order": view(after)}
    for name, person_id in (("customer", after.customer_id), ("referrer", after.referrer_id)):
        person = unit.find(person_id)
        if person is not None:
            payload[name] = simple_view(person)
        elif person_id is not None:
            payload[name] = {"id": person_id, "object": "customer"}
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
