"""Tracking a custom event."""

from typing import Any

import msgspec

from rapport.activity.log import Signature
from rapport.core.clock import iso
from rapport.core.errors import InvalidPayload
from rapport.core.ids import new_id
from rapport.core.jsons import check_limits
from rapport.customers.models import Customer
from rapport.customers.schemas import simple_view
from rapport.customers.writes import Happening, Unit, Writer
from rapport.events import queries
from rapport.events.schemas import EventInput, EventView
from rapport.metadata.values import check

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
    if not data.customer.is_named and not data.customer.has_data:
        raise InvalidPayload("Property .customer should have id or source_id")
    given: dict[str, Any] = data.metadata if isinstance(data.metadata, dict) else {}
    check_limits(given, ".metadata")
    check_limits(data.event, ".event")

    async def work(unit: Unit) -> EventView:
        customer = (await unit.upsert(data.customer))[0]
        metadata = check(unit.moment.schemas.event(data.event), given)
        event_id, at = new_id("ev"), iso(unit.now)
        await queries.insert(unit.conn, unit.project_id, customer.id, data.event, unit.now, event_id, metadata)
        changed = counted(customer, data.event, at)
        unit.put(changed)
        unit.happened(customer.id, added=Happening("events", data.event, unit.now, 0, {"metadata": metadata}))
        event = EventView(type=data.event, customer=simple_view(changed), metadata=metadata, id=event_id, created_at=at)
        unit.log(
            "customer.custom_event",
            changed,
            {
                "event": msgspec.structs.asdict(event),
                "event_schema": {"name": data.event},
                "customer": event.customer,
                "referral": None,
                "loyalty": None,
            },
        )
        return event

    return await writer.commit(signature, work)
