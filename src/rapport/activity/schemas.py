"""Activity on the wire."""

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from rapport.activity.log import Channel, Logged
from rapport.core.clock import iso
from rapport.http.lists import Found, Part


class ApiKey(msgspec.Struct, kw_only=True):
    """The key in whose name a request came."""

    name: str
    app_id: str


class EventSource(msgspec.Struct, kw_only=True):
    """Who caused a fact; `reason` (an addition) says why Rapport itself did: back_fill or adjustment."""

    channel: Channel
    api_key: ApiKey | UnsetType = UNSET
    reason: str | UnsetType = UNSET


class ActivityData(msgspec.Struct, kw_only=True):
    """What happened: `data` is the payload of the entry's type."""

    data: dict[str, Any]
    event_source: EventSource


class CustomerActivity(msgspec.Struct, kw_only=True):
    """One thing that happened to a customer; `group_id` is the request that caused it."""

    id: str
    type: str
    data: ActivityData
    created_at: str
    group_id: str


class CustomerActivityPage(msgspec.Struct, kw_only=True):
    """A part of a customer's activity (`CustomersActivityListResponseBody`)."""

    object: Literal["list"]
    data_ref: Literal["data"]
    data: list[CustomerActivity]
    has_more: bool
    more_starting_after: str | UnsetType = UNSET


class CustomerActivitiesPage(CustomerActivityPage, kw_only=True):
    """A part of a customer's activity with its total (`CustomersActivitiesListResponseBody`)."""

    total: int


def view(entry: Logged) -> dict[str, Any]:
    """Return one entry as the API's `CustomerActivity`."""
    return {
        "id": entry.id,
        "type": entry.type,
        "data": {"data": entry.payload, "event_source": entry.source},
        "created_at": iso(entry.created_at),
        "group_id": entry.group_id,
    }


def activity_page(found: Part[Logged]) -> dict[str, Any]:
    """Return a part of the log, with the id to continue after."""
    page: dict[str, Any] = {
        "object": "list",
        "data_ref": "data",
        "data": [view(entry) for entry in found.items],
        "has_more": found.has_more,
    }
    if found.has_more:
        page["more_starting_after"] = found.items[-1].id
    return page


def activities_page(found: Found[Logged]) -> dict[str, Any]:
    """As `activity_page`, with the total."""
    return activity_page(Part(found.items, found.has_more)) | {"total": found.total}
