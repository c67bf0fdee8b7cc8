"""Custom events on the wire."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from rapport.core.clock import iso
from rapport.customers.answers import SimpleCustomer
from rapport.customers.in_store import LocationInput
from rapport.customers.schemas import ClientCustomerInput, CustomerInput, Metadata
from rapport.devices.schemas import DeviceInput
from rapport.events.models import Event
from rapport.http.answers import Instant
from rapport.http.lists import Part

EventName = Annotated[str, Meta(min_length=1, max_length=300)]


class EventInput(msgspec.Struct, kw_only=True):
    """`EventsCreateRequestBody` of the reference."""

    event: EventName
    customer: CustomerInput
    referral: dict[str, Any] | None = None
    loyalty: dict[str, Any] | None = None
    metadata: Metadata | None = None
    # Additions: where it happened, which makes it a visit, and on which device.
    location: LocationInput | None = None
    device: DeviceInput | None = None


class ClientEventInput(msgspec.Struct, kw_only=True):
    """`ClientEventsCreateRequestBody` of the reference."""

    event: EventName
    customer: ClientCustomerInput
    referral: dict[str, Any] | None = None
    loyalty: dict[str, Any] | None = None
    metadata: Metadata | None = None
    location: LocationInput | None = None
    device: DeviceInput | None = None


class ClientEventView(msgspec.Struct, kw_only=True):
    """`ClientEventsCreateResponseBody` of the reference, of the customer only what the caller knows."""

    type: str
    customer: dict[str, Any]
    metadata: dict[str, Any]
    referral: None = None
    loyalty: None = None
    object: str = "event"


class EventView(msgspec.Struct, kw_only=True):
    """`EventsCreateResponseBody` of the reference, with the event's id and time added."""

    type: str
    customer: dict[str, Any]
    metadata: dict[str, Any]
    id: str
    created_at: str
    location: dict[str, str] | UnsetType = UNSET
    device: dict[str, Any] | UnsetType = UNSET
    referral: None = None
    loyalty: None = None
    object: str = "event"


class EventAnswer(msgspec.Struct, kw_only=True):
    """`EventView` as the OpenAPI document declares it."""

    type: str
    customer: SimpleCustomer
    metadata: dict[str, Any]
    id: str
    created_at: Instant
    referral: None
    loyalty: None
    object: Literal["event"]


class CustomerEvent(msgspec.Struct, kw_only=True):
    """A custom event in the list of its customer."""

    id: str
    type: str
    metadata: dict[str, Any]
    created_at: Instant
    object: Literal["event"] = "event"


class CustomerEvents(msgspec.Struct, kw_only=True):
    """A part of a customer's events; `more_starting_after` is what to ask for the next one with."""

    data: list[CustomerEvent]
    has_more: bool
    more_starting_after: str | UnsetType = UNSET
    object: Literal["list"] = "list"
    data_ref: Literal["data"] = "data"


def event_view(event: Event) -> CustomerEvent:
    """Return a stored event as the list of its customer shows it."""
    return CustomerEvent(id=event.id, type=event.name, metadata=event.metadata, created_at=iso(event.created_at))


def events_view(found: Part[Event]) -> CustomerEvents:
    """Return a part of a customer's events."""
    shown = [event_view(event) for event in found.items]
    return CustomerEvents(
        data=shown, has_more=found.has_more, more_starting_after=shown[-1].id if found.has_more else UNSET
    )
