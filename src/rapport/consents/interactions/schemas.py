"""Interactions on the wire and as values."""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from rapport.core.clock import iso
from rapport.customers.models import Channel, Interaction

MAX_METADATA_BYTES = 4_096

Identifier = Annotated[str, Meta(min_length=1, max_length=255)]


class InteractionInput(msgspec.Struct, kw_only=True):
    """What became of a message. `id` is the caller's: told twice, it counts once.

    `bounce` says how final a bounce is; `message_id` is the message's, ours or the provider's.
    """

    id: Identifier
    channel: Channel
    type: Interaction
    at: str | None = None
    bounce: Literal["hard", "soft"] | None = None
    message_id: Identifier | None = None
    metadata: dict[str, Any] | None = None


class InteractionRow(msgspec.Struct, frozen=True):
    """One interaction row."""

    id: str
    customer_id: str
    channel: Channel
    type: Interaction
    at: datetime
    recorded_at: datetime
    bounce: str | None
    message_id: str | None
    metadata: dict[str, Any]


class InteractionView(msgspec.Struct, kw_only=True):
    """The interaction object of the API."""

    id: str
    customer_id: str
    channel: str
    type: str
    at: str
    recorded_at: str
    bounce: str | None
    message_id: str | None
    metadata: dict[str, Any]
    object: str = "interaction"


def view(row: InteractionRow) -> InteractionView:
    """Return the interaction object of the API."""
    shown = msgspec.structs.asdict(row) | {"at": iso(row.at), "recorded_at": iso(row.recorded_at)}
    return InteractionView(**shown)
