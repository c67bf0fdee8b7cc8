"""Events of the past: those that are stored already are passed over, and what was recorded is taken back."""

from collections.abc import Sequence

import msgspec

from rapport.core.clock import iso
from rapport.customers.deciding import Happening
from rapport.customers.in_store import with_visits
from rapport.customers.models import Customer
from rapport.customers.schemas import simple_view
from rapport.customers.writes import Unit
from rapport.events import queries
from rapport.events.actions import Happened, record
from rapport.events.models import Event
from rapport.events.schemas import EventView


async def record_new(unit: Unit, happened: Sequence[Happened]) -> list[EventView | None]:
    """Do as `record` does; one with time and id that is there already is None, and so is what it says of customers."""
    named = {
        place: (one.data.customer.id, one.data.customer.source_id, one.data.event, one.at, one.event_id)
        for place, one in enumerate(happened)
        if one.event_id is not None and one.at is not None
    }
    found = await queries.known(unit.conn, unit.project_id, list(named.values())) if named else set()
    seen = {name for number, name in enumerate(named.values()) if number in found}
    new: dict[int, Happened] = {}
    for place, one in enumerate(happened):
        if place not in named or named[place] not in seen:
            seen.update({named[place]} if place in named else ())
            new[place] = one
    stored = dict(zip(new, await record(unit, *new.values()) if new else [], strict=True))
    return [stored.get(place) for place in range(len(happened))]


async def take_back(unit: Unit, keys: Sequence[queries.Key]) -> list[Event]:
    """Remove events of locked customers, with all that came of them but devices; return those that were there."""
    gone = await queries.remove(unit.conn, unit.project_id, keys)
    names = sorted({(one.customer_id, one.name) for one in gone})
    left = await queries.counted_by_name(unit.conn, unit.project_id, names) if names else {}
    for customer_id, name in names:
        customer = unit.get(customer_id)
        rest = {other: one for other, one in customer.events.items() if other != name}
        if (customer_id, name) in left:
            count, first, last = left[customer_id, name]
            rest = {**customer.events, name: {"count": count, "first_at": iso(first), "last_at": iso(last)}}
        unit.put(msgspec.structs.replace(customer, events=rest))
    for customer_id in sorted({one.customer_id for one in gone if one.location is not None}):
        unit.put(await _with_visits(unit, unit.get(customer_id)))
    for event in gone:
        customer = unit.get(event.customer_id)
        values = {"metadata": event.metadata}
        unit.happened(customer.id, removed=Happening("events", event.name, event.created_at, 0, values))
        shown = {
            "type": event.name, "id": event.id, "metadata": event.metadata, "created_at": iso(event.created_at),
            "object": "event",
        }  # fmt: skip
        payload = {"event": shown, "event_schema": {"name": event.name}, "customer": simple_view(customer)}
        unit.log("customer.custom_event.deleted", customer, payload)
    return gone


async def _with_visits(unit: Unit, customer: Customer) -> Customer:
    found = [one async for one in queries.visits_of_customer(unit.conn, unit.project_id, customer.id)]
    return with_visits(customer, [(location, iso(at)) for location, at in found])
