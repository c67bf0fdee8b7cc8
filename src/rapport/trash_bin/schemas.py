"""The trash bin on the wire."""

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from rapport.core.clock import iso
from rapport.http.lists import Found
from rapport.trash_bin.models import Entry


class EntryView(msgspec.Struct, kw_only=True):
    """`TrashBinItem` of the reference."""

    id: str
    created_at: str
    deleted_by_user_id: str | None
    resource_id: str
    resource_type: str
    resource_name: str
    resource_parent_id: str | None
    object: str


class EntryList(msgspec.Struct, kw_only=True):
    """`TrashBinListResponseBody` of the reference; `total` counts the entries of this page, as there."""

    data: list[EntryView]
    total: int
    has_more: bool
    more_starting_after: str | UnsetType = UNSET
    object: Literal["list"] = "list"
    data_ref: Literal["data"] = "data"


def _view(entry: Entry) -> EntryView:
    return EntryView(
        id=entry.id,
        created_at=iso(entry.created_at),
        deleted_by_user_id=entry.deleted_by,
        resource_id=entry.resource_id,
        resource_type=entry.resource_type,
        resource_name=entry.resource_name,
        resource_parent_id=entry.resource_parent_id,
        object=entry.resource_type,
    )


def view(found: Found[Entry]) -> EntryList:
    """Return a page as the API shows it."""
    return EntryList(
        data=[_view(entry) for entry in found.items],
        total=len(found.items),
        has_more=found.has_more,
        more_starting_after=found.items[-1].id if found.has_more else UNSET,
    )
