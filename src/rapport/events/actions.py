"""Tracking a custom event."""

from typing import Any

import msgspec
from msgspec import UNSET

from rapport.activity.log import Signature
from rapport.core.clock import iso
from rapport.core.errors import InvalidPayload
from rapport.core.ids import new_id
from rapport.core.jsons import check_limits
from rapport.customers.in_store import read_location, visited
from rapport.customers.models import Customer
from rapport.customers.schemas import CustomerInput, simple_view
from rapport.customers.writes import Happening, Unit, Writer
from rapport.devices import actions as devices
from rapport.devices.schemas import simple_view as simple_device
from rapport.events import queries
from rapport.events.schemas import ClientEventInput, ClientEventView, EventInput, EventView
from rapport.http.caller import check_client_name
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
    location = read_location(data.location)
    if data.device is not None:
        devices.check(data.device, ".device")

    async def work(unit: Unit) -> EventView:
        owners = [] if data.device is None else await devices.owners(unit.conn, unit.project_id, data.device)
        customer = (await unit.upsert(data.customer, also_lock=owners))[0]
        metadata = check(unit.moment.schemas.event(data.event), given)
        event_id, at = new_id("ev"), iso(unit.now)
        await queries.insert(
            unit.conn, unit.project_id, customer.id, data.event, unit.now, event_id, metadata, location
        )
        changed = counted(customer, data.event, at)
        unit.put(changed if location is None else visited(changed, location, at))
        device = None if data.device is None else await devices.seen(unit, customer.id, data.device, owners)
        unit.happened(customer.id, added=Happening("events", data.event, unit.now, 0, {"metadata": metadata}))
        event = EventView(
            type=data.event,
            customer=simple_view(changed),
            metadata=metadata,
            id=event_id,
            created_at=at,
            location=UNSET if location is None else location,
            device=UNSET if device is None else simple_device(device),
        )
        unit.log(
            "customer.custom_event",
            changed,
            {
                "event": msgspec.to_builtins(event),
                "event_schema": {"name": data.event},
                "customer": event.customer,
                "referral": None,
                "loyalty": None,
            },
        )
        return event

    return await writer.commit(signature, work)


async def track_from_client(writer: Writer, signature: Signature, data: ClientEventInput) -> ClientEventView:
    """Store an event that a shop's page or app tells of (`track-custom-event-client-side`). Raises InvalidPayload.

    The answer says nothing about the customer that the caller did not say.
    """
    source_id = check_client_name(data.customer.source_id)
    named = {name: getattr(data, name) for name in data.__struct_fields__ if name != "customer"}
    await track(writer, signature, EventInput(customer=CustomerInput(**msgspec.structs.asdict(data.customer)), **named))
    customer = {"source_id": source_id, "object": "customer"}
    return ClientEventView(type=data.event, customer=customer, metadata=data.metadata or {})
