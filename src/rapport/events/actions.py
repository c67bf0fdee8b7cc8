"""Tracking a custom event."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from rapport.activity.log import Signature
from rapport.core.clock import iso
from rapport.core.errors import DuplicateFound, InvalidPayload
from rapport.core.ids import new_id
from rapport.core.jsons import check_limits
from rapport.customers.models import Customer
from rapport.customers.schemas import CustomerInput, simple_view
from rapport.customers.writes import Happening, Unit, Writer
from rapport.events import queries
from rapport.events.models import Event
from rapport.events.schemas import EventInput, EventView

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


def check(data: EventInput) -> None:
    """Raise InvalidPayload where an event says nothing of its customer, or holds what cannot be kept."""
    if not data.customer.is_named and not data.customer.has_data:
        raise InvalidPayload("Property .customer should have id or source_id")
    check_limits(data.metadata, ".metadata")
    check_limits(data.event, ".event")


async def record(unit: Unit, *happened: Happened) -> list[EventView]:
    """Store checked events, their counts and their customers in the caller's unit.

    Raises NotFound, InvalidPayload, and DuplicateFound where a customer has an event of this name, time and id.
    """
    people, which = _distinct([one.data.customer for one in happened])
    customers = await unit.upsert(*people)
    rows = []
    for one, place in zip(happened, which, strict=True):
        metadata: dict[str, Any] = one.data.metadata if isinstance(one.data.metadata, dict) else {}
        at, event_id = one.at or unit.now, one.event_id or new_id("ev")
        rows.append(Event(customers[place].id, one.data.event, at, event_id, metadata))
    if await queries.insert(unit.conn, unit.project_id, rows) != len(rows):
        raise DuplicateFound("event", rows[0].id)
    return [_count(unit, row) for row in rows]


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


def _count(unit: Unit, row: Event) -> EventView:
    """Count a stored event in its (locked) customer, and log it."""
    changed = counted(unit.get(row.customer_id), row.name, iso(row.created_at))
    unit.put(changed)
    unit.happened(changed.id, added=Happening("events", row.name, row.created_at, 0, {"metadata": row.metadata}))
    event = EventView(
        type=row.name,
        customer=simple_view(changed),
        metadata=row.metadata,
        id=row.id,
        created_at=iso(row.created_at),
    )
    payload = {
        "event": msgspec.structs.asdict(event),
        "event_schema": {"name": row.name},
        "customer": event.customer,
        "referral": None,
        "loyalty": None,
    }
    unit.log("customer.custom_event", changed, payload)
    return event
