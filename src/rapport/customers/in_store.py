"""What a customer does in shops made of brick: visits and purchases by location, as the API shows them. Pure.

    {"visits": {"count": 2}, "purchases": {"count": 1, "amount": 1999}, "first_visit_at": …, "last_visit_at": …,
     "first_purchase_at": …, "last_purchase_at": …, "locations": {"<id>": {"name", "visits", "purchases", "amount", …}}}

Amounts are minor units. A location goes by its id, or else by its source id.
"""

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from rapport.core.errors import InvalidPayload
from rapport.core.jsons import check_limits
from rapport.customers.models import Customer

MAX_LOCATIONS = 100

_Identifier = Annotated[str, Meta(min_length=1, max_length=255)]
_VISITED = ("first_visit_at", "last_visit_at")
_PURCHASED = ("first_purchase_at", "last_purchase_at")


class LocationInput(msgspec.Struct, kw_only=True):
    """Where something happened: id or source id, and what people call it."""

    id: _Identifier | None = None
    source_id: _Identifier | None = None
    name: Annotated[str, Meta(max_length=255)] | None = None


class Purchases(msgspec.Struct, frozen=True):
    """What counted orders at one location come to; instants as ISO 8601."""

    location: dict[str, str]
    count: int
    amount: int
    first_at: str
    last_at: str


def read_location(given: LocationInput | None) -> dict[str, str] | None:
    """Return a location as it is stored. Raises InvalidPayload for one without id and source id."""
    if given is None:
        return None
    if given.id is None and given.source_id is None:
        raise InvalidPayload("Property .location should have id or source_id")
    found = {name: value for name, value in msgspec.structs.asdict(given).items() if value is not None}
    check_limits(found, ".location")
    return found


def key_of(location: dict[str, str]) -> str:
    """Return what a location goes by."""
    return location["id"] if "id" in location else location["source_id"]


def _span(known: dict[str, Any], what: str, first_at: str, last_at: str) -> dict[str, str]:
    """Return the first and the last time of something, with what is known."""
    first, last = f"first_{what}_at", f"last_{what}_at"
    return {first: min(known.get(first, first_at), first_at), last: max(known.get(last, last_at), last_at)}


def _last_seen(location: dict[str, Any]) -> str:
    return str(max(location.get("last_visit_at", ""), location.get("last_purchase_at", "")))


def _kept(locations: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the locations that the customer was at last; the sums over all of them stay what they are."""
    if len(locations) <= MAX_LOCATIONS:
        return locations
    latest = sorted(locations, key=lambda key: (_last_seen(locations[key]), key))[-MAX_LOCATIONS:]
    return {key: one for key, one in locations.items() if key in latest}


def _blank(location: dict[str, str], known: dict[str, Any] | None) -> dict[str, Any]:
    found = {"name": None, "visits": 0, "purchases": 0, "amount": 0, **(known or {})}
    return found | {"name": location.get("name") or found["name"]}


def visited(customer: Customer, location: dict[str, str], at: str) -> Customer:
    """Return the customer with one more visit at this time."""
    known = customer.in_store
    locations, key = known.get("locations", {}), key_of(location)
    one = _blank(location, locations.get(key))
    one = {**one, "visits": one["visits"] + 1, **_span(one, "visit", at, at)}
    return msgspec.structs.replace(
        customer,
        in_store={
            **known,
            "visits": {"count": known.get("visits", {}).get("count", 0) + 1},
            **_span(known, "visit", at, at),
            "locations": _kept({**locations, key: one}),
        },
    )


def purchased(customer: Customer, new: Purchases) -> Customer:
    """Return the customer with further purchases at a location."""
    known = customer.in_store
    sums = known.get("purchases", {"count": 0, "amount": 0})
    locations, key = known.get("locations", {}), key_of(new.location)
    one = _blank(new.location, locations.get(key))
    one = {
        **one,
        "purchases": one["purchases"] + new.count,
        "amount": one["amount"] + new.amount,
        **_span(one, "purchase", new.first_at, new.last_at),
    }
    return msgspec.structs.replace(
        customer,
        in_store={
            **known,
            "purchases": {"count": sums["count"] + new.count, "amount": sums["amount"] + new.amount},
            **_span(known, "purchase", new.first_at, new.last_at),
            "locations": _kept({**locations, key: one}),
        },
    )


def with_purchases(customer: Customer, found: Sequence[Purchases]) -> Customer:
    """Return the customer with these purchases and no others; visits stay."""
    known = {name: value for name, value in customer.in_store.items() if name not in _PURCHASED}
    locations = {}
    for key, one in known.get("locations", {}).items():
        rest = {name: value for name, value in one.items() if name not in _PURCHASED}
        locations[key] = rest | {"purchases": 0, "amount": 0}
    known = {**known, "purchases": {"count": 0, "amount": 0}, "locations": locations}
    changed = msgspec.structs.replace(customer, in_store=known)
    for one in found:
        changed = purchased(changed, one)
    left = {key: one for key, one in changed.in_store["locations"].items() if one["visits"] or one["purchases"]}
    return msgspec.structs.replace(changed, in_store={**changed.in_store, "locations": left})


def with_visits(customer: Customer, found: Sequence[tuple[dict[str, str], str]]) -> Customer:
    """Return the customer with visits of these locations at these times and no others; purchases stay."""
    known = {name: value for name, value in customer.in_store.items() if name not in _VISITED}
    locations = {}
    for key, one in known.get("locations", {}).items():
        rest = {name: value for name, value in one.items() if name not in _VISITED}
        locations[key] = rest | {"visits": 0}
    known = {**known, "visits": {"count": 0}, "locations": locations}
    changed = msgspec.structs.replace(customer, in_store=known)
    for location, at in found:
        changed = visited(changed, location, at)
    left = {key: one for key, one in changed.in_store["locations"].items() if one["visits"] or one["purchases"]}
    return msgspec.structs.replace(changed, in_store={**changed.in_store, "locations": left})
