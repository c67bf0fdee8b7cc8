"""Custom events on the wire."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from rapport.customers.schemas import CustomerInput, Metadata

EventName = Annotated[str, Meta(min_length=1, max_length=300)]


class EventInput(msgspec.Struct, kw_only=True):
    """`EventsCreateRequestBody` of the reference."""

    event: EventName
    customer: CustomerInput
    referral: dict[str, Any] | None = None
    loyalty: dict[str, Any] | None = None
    metadata: Metadata | None = None


class EventView(msgspec.Struct, kw_only=True):
    """`EventsCreateResponseBody` of the reference, with the event's id and time added."""

    type: str
    customer: dict[str, Any]
    metadata: dict[str, Any]
    id: str
    created_at: str
    referral: None = None
    loyalty: None = None
    object: str = "event"
