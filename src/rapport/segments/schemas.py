"""Segments on the wire."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from rapport.core.clock import iso
from rapport.segments.models import Membership, Segment

MAX_STATIC_CUSTOMERS = 10_000


class SegmentInput(msgspec.Struct, kw_only=True):
    """`SegmentsCreateRequestBody` of the reference: static with customer ids, or with a filter."""

    name: Annotated[str, Meta(min_length=1, max_length=255)]
    type: Literal["static", "auto-update", "passive"] | UnsetType = UNSET
    filter: dict[str, Any] | None | UnsetType = UNSET
    customers: Annotated[list[str], Meta(max_length=MAX_STATIC_CUSTOMERS)] | None | UnsetType = UNSET


def view(segment: Segment) -> dict[str, Any]:
    """Return the segment object of the API."""
    shown: dict[str, Any] = {
        "id": segment.id,
        "name": segment.name,
        "created_at": iso(segment.created_at),
        "type": segment.type,
        "filter": segment.filter,
        "initial_sync_status": "DONE" if segment.state == "live" else "IN_PROGRESS",
        "object": "segment",
    }
    if segment.updated_at is not None:
        shown["updated_at"] = iso(segment.updated_at)
    return shown


def membership_view(membership: Membership) -> dict[str, Any]:
    """Return one segment of a customer as the API lists it (`SimpleSegment`), with type and `entered_at` added."""
    return {
        "id": membership.segment_id,
        "name": membership.name,
        "type": membership.type,
        "entered_at": iso(membership.entered_at),
        "object": "segment",
    }
