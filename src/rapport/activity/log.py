"""What is logged: one entry a fact, named and shaped as the reference's events are."""

from typing import Any, Literal

import msgspec

from rapport.core.ids import new_id

Channel = Literal["API", "CLIENT_API", "INTERNAL", "USER_PORTAL"]


class Source(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who caused a fact: the `event_source` of the reference."""

    channel: Channel
    api_key: dict[str, str] | None = None


INTERNAL = Source("INTERNAL")


class Entry(msgspec.Struct, frozen=True):
    """One fact. `payload` is the event's data as the reference shapes it for `type`."""

    type: str
    customer_id: str | None
    payload: dict[str, Any]
    campaign_id: str | None = None


class Logged(msgspec.Struct, frozen=True):
    """One fact as read back from the log."""

    id: str
    seq: int
    type: str
    customer_id: str | None
    campaign_id: str | None
    payload: dict[str, Any]
    source: dict[str, Any]
    group_id: str
    created_at: Any


def new_entry_id() -> str:
    """Return the id of a new entry."""
    return new_id("ev")
