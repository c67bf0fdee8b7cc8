"""Who asks about redeemables, and with which order: as a redemption would find them, but nothing is written."""

from dataclasses import dataclass
from typing import Any

import msgspec

from rapport.core.clock import LATEST
from rapport.core.db import Connection
from rapport.core.errors import NotFound
from rapport.core.ids import new_id
from rapport.customers import queries as customers
from rapport.customers.deciding import Moment
from rapport.customers.models import Customer
from rapport.customers.schemas import CustomerInput
from rapport.customers.schemas import apply as apply_customer
from rapport.http.caller import Caller
from rapport.metadata.values import check as check_metadata
from rapport.orders import queries as orders
from rapport.orders.actions import blank
from rapport.orders.catalogue import told
from rapport.orders.models import Order
from rapport.orders.schemas import OrderInput
from rapport.orders.schemas import apply as apply_order
from rapport.orders.schemas import checked as checked_order
from rapport.redemptions.schemas import RedeemInput, check_order, customer_of
from rapport.segments.membership import SegmentDecider


@dataclass(frozen=True, slots=True)
class Circumstances:
    """The customer, the order and the metadata as a redemption would find them; `known` and `stored` as they are."""

    moment: Moment
    customer: Customer | None
    known: Customer | None
    order: Order | None
    stored: Order | None
    metadata: dict[str, Any]


async def read_circumstances(
    conn: Connection, caller: Caller, decider: SegmentDecider, data: RedeemInput, *, validates: bool = False
) -> Circumstances:
    """Read who asks, with which order. Raises NotFound for an unknown id, InvalidPayload, InvalidOrder.

    A validation (`validates`) brings all metadata that a redemption would; whoever only looks around need not.
    """
    stored = await _read_order(conn, caller.project_id, data.order)
    named = customer_of(data) or _customer_of_order(data.order)
    reference = None if named is None else _reference(named)
    known = await _known_customer(conn, caller.project_id, named, reference, stored)
    moment = await decider.open(conn, caller.db, caller.project_id, [])
    customer = _as_asked(named, known, moment)
    asked = data.order
    if asked is not None:
        asked = await told(conn, caller.project_id, asked, moment.schemas, moment.now)
    order = _order_as_asked(asked, stored, moment)
    metadata = data.metadata or {}
    if validates or data.metadata is not None:
        metadata = check_metadata(moment.schemas.of("redemption"), metadata)
    if order is not None and named is not None:
        order = msgspec.structs.replace(order, customer_id=None if known is None else known.id)
    check_order(stored, order)
    return Circumstances(moment, customer, known, order, stored, metadata)


async def _read_order(conn: Connection, project_id: int, data: OrderInput | None) -> Order | None:
    if data is None:
        return None
    if isinstance(data.id, str):
        found = await orders.find(conn, project_id, data.id)
        if found is None:
            raise NotFound("order", data.id)
        return found
    return await orders.find(conn, project_id, data.source_id) if isinstance(data.source_id, str) else None


def _customer_of_order(data: OrderInput | None) -> CustomerInput | None:
    if data is None:
        return None
    if isinstance(data.customer, CustomerInput):
        return data.customer
    return CustomerInput(id=data.customer_id) if isinstance(data.customer_id, str) else None


def _reference(named: CustomerInput) -> str | None:
    if isinstance(named.id, str):
        return named.id
    return named.source_id if isinstance(named.source_id, str) else None


async def _known_customer(
    conn: Connection, project_id: int, named: CustomerInput | None, reference: str | None, order: Order | None
) -> Customer | None:
    if named is None:
        reference = None if order is None else order.customer_id
    if reference is None:
        return None
    found = await customers.find(conn, project_id, reference)
    if found is None and named is not None and isinstance(named.id, str):
        raise NotFound("customer", named.id)
    return found


def _as_asked(named: CustomerInput | None, known: Customer | None, moment: Moment) -> Customer | None:
    """Return the customer as a redemption would leave them before it decides."""
    if named is None:
        return known
    blank = Customer(id=new_id("cust"), created_at=moment.now, updated_at=LATEST)
    asked = apply_customer(named, known or blank)
    if known is not None and named.metadata is None:
        return asked
    before = None if known is None else known.metadata
    metadata = check_metadata(moment.schemas.of("customer"), asked.metadata, before=before)
    return msgspec.structs.replace(asked, metadata=metadata)


def _order_as_asked(data: OrderInput | None, stored: Order | None, moment: Moment) -> Order | None:
    if data is None:
        return None
    return checked_order(data, apply_order(data, stored or blank("", moment.now)), stored, moment.schemas)
