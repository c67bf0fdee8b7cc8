"""Segments on the wire."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from rapport.core.clock import iso
from rapport.segments.models import LIVE, READY, SWEEPING, Segment, SegmentType

MAX_STATIC_CUSTOMERS = 10_000

Name = Annotated[str, Meta(min_length=1, max_length=255)]


class SegmentInput(msgspec.Struct, kw_only=True):
    """`SegmentsCreateRequestBody` of the reference, and a static segment also by a filter (an addition).

    A static segment is made of customer ids, or of whom a filter holds for at this moment; the others of a filter.
    """

    name: Name
    type: SegmentType | UnsetType = UNSET
    filter: dict[str, Any] | None | UnsetType = UNSET
    customers: Annotated[list[str], Meta(max_length=MAX_STATIC_CUSTOMERS)] | None | UnsetType = UNSET


class SegmentUpdate(msgspec.Struct, kw_only=True):
    """What of a segment is to be another; what is absent or null stays."""

    name: Name | None = None
    type: SegmentType | None = None
    filter: dict[str, Any] | None = None


class SegmentView(msgspec.Struct, kw_only=True):
    """The reference's `Segment`, and how far it is filled.

    While a new filter is being built (`next_filter`, an addition), `filter` is the one by which membership goes.
    `initial_sync_percentage` (an addition) is 100 when the status is DONE, and less until then.
    """

    id: str
    name: str
    created_at: str
    updated_at: str | UnsetType = UNSET
    type: SegmentType
    filter: dict[str, Any] | None
    next_filter: dict[str, Any] | UnsetType = UNSET
    initial_sync_status: Literal["IN_PROGRESS", "DONE"]
    initial_sync_percentage: Annotated[int, Meta(ge=0, le=100)]
    object: Literal["segment"] = "segment"


class SegmentList(msgspec.Struct, kw_only=True):
    """A page of segments."""

    data: list[SegmentView]
    total: int
    has_more: bool
    object: Literal["list"] = "list"
    data_ref: Literal["data"] = "data"


def _percentage(segment: Segment, edit: Segment | None) -> int:
    """Return how much is done of what is being built, in whole per cent; 100 only when all is."""
    if edit is None and segment.state in (LIVE, SWEEPING):
        return 100
    if edit is not None and edit.state in (READY, LIVE):
        # All is found; what is left is to change over those who differ.
        return 99
    building = edit or segment
    return min(99, 100 * building.built_count // building.build_total) if building.build_total else 0


def view(segment: Segment, edit: Segment | None = None) -> SegmentView:
    """Return the segment object of the API; `edit` is the hidden row that builds members by a new filter."""
    percentage = _percentage(segment, edit)
    return SegmentView(
        id=segment.id,
        name=segment.name,
        created_at=iso(segment.created_at),
        updated_at=UNSET if segment.updated_at is None else iso(segment.updated_at),
        type=segment.type,
        filter=segment.filter,
        next_filter=UNSET if edit is None or edit.filter is None or edit.state == LIVE else edit.filter,
        initial_sync_status="DONE" if percentage == 100 else "IN_PROGRESS",
        initial_sync_percentage=percentage,
    )
