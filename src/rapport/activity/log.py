"""What is logged: one entry a fact, named and shaped as the reference's events are."""

from datetime import datetime
from typing import Any, Literal, Protocol

import msgspec

from rapport.core import jsons
from rapport.core.ids import new_ids, new_request_id

Channel = Literal["API", "CLIENT_API", "INTERNAL", "USER_PORTAL"]


class Source(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who caused a fact: the `event_source` of the reference."""

    channel: Channel
    api_key: dict[str, str] | None = None
    # Why the customer has done nothing just now (an addition). back_fill: a new segment finds a member. adjustment: a
    # new filter, or a clock that was moved back, makes or unmakes one. import: what is told is history.
    reason: str | None = None

    @property
    def is_public(self) -> bool:
        """Whether it is whoever has a key that anybody can read."""
        return self.channel == "CLIENT_API"


INTERNAL = Source("INTERNAL")
BACK_FILL = Source("INTERNAL", reason="back_fill")
ADJUSTMENT = Source("INTERNAL", reason="adjustment")
IMPORT = Source("INTERNAL", reason="import")
# Nothing reacts to what is logged for one of these reasons.
SILENT = frozenset({BACK_FILL.reason, ADJUSTMENT.reason, IMPORT.reason})


class Signature(Protocol):
    """In whose name something is done."""

    @property
    def project_id(self) -> int:
        """The project."""

    @property
    def request_id(self) -> str:
        """The request, or the run of background work."""

    @property
    def source(self) -> Source:
        """Who caused it."""

    @property
    def makes_customers(self) -> bool:
        """Whether customers who are not known may be made in this name."""


class Internal(msgspec.Struct, frozen=True):
    """Signs what the worker does in a project; `request_id` names one run of it."""

    project_id: int
    request_id: str
    source: Source
    makes_customers: bool = True


def internal(project_id: int, source: Source = INTERNAL) -> Internal:
    """Return the signature of one run of background work."""
    return Internal(project_id, new_request_id(), source)


class Entry(msgspec.Struct, frozen=True):
    """One fact. `payload` is the event's data as the reference shapes it for `type`.

    `source`: who caused this one, where it is not the one in whose name all is done.
    """

    type: str
    customer_id: str | None
    payload: dict[str, Any] | msgspec.Raw
    campaign_id: str | None = None
    source: Source | None = None

    def written(self) -> "Entry":
        """Return the same fact with its payload as JSON."""
        return Entry(
            self.type, self.customer_id, msgspec.Raw(jsons.encode(self.payload)), self.campaign_id, self.source
        )


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
    created_at: datetime


def new_entry_ids(count: int) -> list[str]:
    """Return the ids of many new entries."""
    return new_ids("ev", count)
