"""Activity on the wire."""

from typing import Any

from rapport.activity.log import Logged
from rapport.core.clock import iso
from rapport.http.lists import Found


def view(entry: Logged) -> dict[str, Any]:
    """Return one entry as the API's `CustomerActivity`."""
    return {
        "id": entry.id,
        "type": entry.type,
        "data": {"data": entry.payload, "event_source": entry.source},
        "created_at": iso(entry.created_at),
        "group_id": entry.group_id,
    }


def activity_page(found: Found[Logged]) -> dict[str, Any]:
    """Return a page of entries, with the id to continue after."""
    page: dict[str, Any] = {
        "object": "list",
        "data_ref": "data",
        "data": [view(entry) for entry in found.items],
        "total": found.total,
        "has_more": found.has_more,
    }
    if found.has_more:
        page["more_starting_after"] = found.items[-1].id
    return page
