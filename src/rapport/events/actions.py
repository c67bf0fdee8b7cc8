"""Tracking a custom event."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from msgspec import UNSET

from rapport.activity.log import Signature
from rapport.core.clock import iso
from rapport.core.errors import DuplicateFound, InvalidPayload
from rapport.core.ids import new_id
from rapport.core.jsons import check_limits
from rapport.customers.deciding import Happening
from rapport.customers.errors import UnknownCustomer
from rapport.customers.in_store import read_location, visited
from rapport.customers.many import upsert_many
from rapport.customers.models import Customer
from rapport.customers.schemas import CustomerInput, simple_view
from rapport.customers.writes import Unit, Writer
from rapport.devices import actions as devices
from rapport.devices.schemas import DeviceInput
from rapport.devices.schemas import simple_view as simple_device
from rapport.events import queries
from rapport.events.models import Event
from rapport.events.schemas import ClientEventInput, ClientEventView, EventInput, EventView
from rapport.metadata.values import check as check_metadata

MAX_EVENT_NAMES = 500


@dataclass(frozen=True, slots=True)
class Happened:
    """An event to be stored. `at`: when it was, in the past; now if None. `event_id`: its id, if it has one already."""

    data: EventInput
    at: datetime | None = None
    event_id: str | None = None


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
        return (await record(unit, Happened(data)))[0]

    return await writer.commit(signature, work)


async def track_from_client(writer: Writer, signature: Signature, data: ClientEventInput) -> ClientEventView:
    """Store an event that a shop's page or app tells of (`track-custom-event-client-side`). Raises InvalidPayload.

    The answer says nothing about the customer that the caller did not say: where client keys make no customers, an
    event of somebody unknown is taken and not kept.
    """
    named = {name: getattr(data, name) for name in data.__struct_fields__ if name != "customer"}
    told = EventInput(customer=data.customer.checked(), **named)
    with contextlib.suppress(UnknownCustomer):
        await track(writer, signature, told)
    customer = {"source_id": data.customer.source_id, "object": "customer"}
    return ClientEventView(type=data.event, customer=customer, metadata=data.metadata or {})


def check(data: EventInput) -> None:
    """Raise InvalidPayload where an event says nothing of its customer, or holds what cannot be kept."""
    if not data.customer.is_named and not data.customer.has_data:
        raise InvalidPayload("Property .customer should have id or source_id")
    check_limits(data.metadata, ".metadata")
    check_limits(data.event, ".event")
    read_location(data.location)
    if data.device is not None:
        devices.check(data.device, ".device")


async def record(unit: Unit, *happened: Happened) -> list[EventView]:
    """Store checked events, their counts, devices and customers in the caller's unit.

    Raises NotFound, InvalidPayload, and DuplicateFound where a customer has an event of this name, time and id.
    """
    people, which = _distinct([one.data.customer for one in happened])
    owners = [
        [] if one.data.device is None else await devices.owners(unit.conn, unit.project_id, one.data.device)
        for one in happened
    ]
    also_lock = sorted({owner for some in owners for owner in some})
    if len(people) == 1:
        customers = await unit.upsert(*people, also_lock=also_lock)
    else:
        customers = await upsert_many(unit, people, also_lock)
    rows = [_row(unit, one, customers[place].id) for one, place in zip(happened, which, strict=True)]
    if await queries.insert(unit.conn, unit.project_id, rows) != len(rows):
        raise DuplicateFound("event", rows[0].id)
    return [
        await _keep(unit, row, one.data.device, some) for row, one, some in zip(rows, happened, owners, strict=True)
    ]


def _row(unit: Unit, one: Happened, customer_id: str) -> Event:
    given: dict[str, Any] = one.data.metadata if isinstance(one.data.metadata, dict) else {}
    return Event(
        customer_id=customer_id,
        name=one.data.event,
        created_at=one.at or unit.now,
        id=one.event_id or new_id("ev"),
        metadata=check_metadata(unit.moment.schemas.event(one.data.event), given),
        location=read_location(one.data.location),
    )


def _distinct(people: Sequence[CustomerInput]) -> tuple[list[CustomerInput], list[int]]:
    """Return whom to upsert, and for each of `people` which of those it is: who is only named again is one of them."""
    places: dict[tuple[str | None, str | None], int] = {}
    kept: list[CustomerInput] = []
    which = []
    for one in people:
        name = one.id, one.source_id
        if one.has_data or name not in places:
            places[name] = len(kept)
            kept.append(one)
        which.append(places[name])
    return kept, which


async def _keep(unit: Unit, row: Event, seen_on: DeviceInput | None, owners: Sequence[str]) -> EventView:
    """Count a stored event in its (locked) customer, keep where and on what it was, and log it."""
    at = iso(row.created_at)
    changed = counted(unit.get(row.customer_id), row.name, at)
    unit.put(changed if row.location is None else visited(changed, row.location, at))
    unit.happened(changed.id, added=Happening("events", row.name, row.created_at, 0, {"metadata": row.metadata}))
    device = None if seen_on is None else await devices.seen(unit, changed.id, seen_on, owners, at=row.created_at)
    event = EventView(
        type=row.name,
        customer=simple_view(changed),
        metadata=row.metadata,
        id=row.id,
        created_at=at,
        location=UNSET if row.location is None else row.location,
        device=UNSET if device is None else simple_device(device),
    )
    payload = {
        "event": msgspec.to_builtins(event),
        "event_schema": {"name": row.name},
        "customer": event.customer,
        "referral": None,
        "loyalty": None,
    }
    unit.log("customer.custom_event", changed, payload)
    return event
