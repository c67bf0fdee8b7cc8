"""Tracking a custom event."""

from datetime import datetime
from typing import Any

import msgspec

from rapport.activity.log import Signature
from rapport.core.clock import iso
from rapport.core.errors import DuplicateFound, InvalidPayload
from rapport.core.ids import new_id
from rapport.core.jsons import check_limits
from rapport.customers.models import Customer
from rapport.customers.schemas import simple_view
from rapport.customers.writes import Happening, Unit, Writer
from rapport.events import queries
from rapport.events.schemas import EventInput, EventView

MAX_EVENT_NAMES = 500


def counted(customer: Customer, name: str, at: str) -> Customer:
    """Return the customer with one more event of this name at this time (ISO 8601). Pure; raises InvalidPayload."""
    known = customer.events.get(name)
    if known is None and len(customer.events) >= MAX_EVENT_NAMES:
        raise InvalidPayload(f"A customer may have events of {MAX_EVENT_NAMES} different names")
    one = known or {"count": 0, "first_at": at, "last_at": at}
    changed = {
        "count": one["count"] + 1,
        "first_at": min(one["first_at"], at),
        "last_at": max(one["last_at"], at),
    }
    return msgspec.structs.replace(customer, events={**customer.events, name: changed})


async def track(writer: Writer, signature: Signature, data: EventInput) -> EventView:
    """Store an event of a customer, who is made when unknown (`track-custom-event`).

    Raises NotFound for an unknown customer id, InvalidPayload.
    """
    check(data)

    async def work(unit: Unit) -> EventView:
        return await record(unit, data)

    return await writer.commit(signature, work)


def check(data: EventInput) -> None:
    """Raise InvalidPayload where an event says nothing of its customer, or holds what cannot be kept."""
    if not data.customer.is_named and not data.customer.has_data:
        raise InvalidPayload("Property .customer should have id or source_id")
    check_limits(data.metadata, ".metadata")
    check_limits(data.event, ".event")


async def record(unit: Unit, data: EventInput, *, at: datetime | None = None, event_id: str | None = None) -> EventView:
    """Store a checked event, its count and its customer in the caller's unit.

    `at`: when it happened, in the past; now if None. `event_id`: its id, if it has one already. Raises NotFound,
    InvalidPayload, and DuplicateFound where the customer has an event of this name, time and id.
    """
    metadata: dict[str, Any] = data.metadata if isinstance(data.metadata, dict) else {}
    customer = (await unit.upsert(data.customer))[0]
    moment, made_id = at or unit.now, event_id or new_id("ev")
    if not await queries.insert(unit.conn, unit.project_id, customer.id, data.event, moment, made_id, metadata):
        raise DuplicateFound("event", made_id)
    changed = counted(customer, data.event, iso(moment))
    unit.put(changed)
    unit.happened(customer.id, added=Happening("events", data.event, moment, 0, {"metadata": metadata}))
    event = EventView(
        type=data.event, customer=simple_view(changed), metadata=metadata, id=made_id, created_at=iso(moment)
    )
    payload = {
        "event": msgspec.structs.asdict(event),
        "event_schema": {"name": data.event},
        "customer": event.customer,
        "referral": None,
        "loyalty": None,
    }
    unit.log("customer.custom_event", changed, payload)
    return event
