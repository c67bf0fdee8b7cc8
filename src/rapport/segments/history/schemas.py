"""The history of memberships on the wire."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

import msgspec

from rapport.core.clock import iso
from rapport.core.errors import InvalidQueryParams
from rapport.customers.models import Customer
from rapport.customers.schemas import simple_view
from rapport.http.lists import Found
from rapport.segments.history.models import Member, Move, MoveType, Stay
from rapport.segments.models import SegmentType


class SimpleSegment(msgspec.Struct, kw_only=True):
    """A segment as other objects carry it."""

    id: str
    name: str
    type: SegmentType
    object: Literal["segment"] = "segment"


class CustomerSegment(SimpleSegment, kw_only=True):
    """A segment that a customer is in, and since when."""

    entered_at: str


class CustomerSegments(msgspec.Struct, kw_only=True):
    """All segments that a customer is in, or was in at a past moment."""

    data: list[CustomerSegment]
    total: int
    object: Literal["list"] = "list"
    data_ref: Literal["data"] = "data"


class SegmentStay(msgspec.Struct, kw_only=True):
    """A customer's being in a segment; `left_at` is null while it lasts."""

    segment: SimpleSegment
    entered_at: str
    left_at: str | None
    object: Literal["segment_stay"] = "segment_stay"


class SegmentStays(msgspec.Struct, kw_only=True):
    """A page of a customer's memberships."""

    data: list[SegmentStay]
    total: int
    has_more: bool
    object: Literal["list"] = "list"
    data_ref: Literal["data"] = "data"


class SegmentMove(msgspec.Struct, kw_only=True):
    """A customer's entering or leaving a segment. Of a customer who was deleted since, only the id is shown."""

    type: MoveType
    at: str
    customer: dict[str, Any]
    object: Literal["segment_move"] = "segment_move"


class SegmentMoves(msgspec.Struct, kw_only=True):
    """A page of a segment's enterings and leavings."""

    data: list[SegmentMove]
    total: int
    has_more: bool
    object: Literal["list"] = "list"
    data_ref: Literal["data"] = "data"


class SegmentCustomers(msgspec.Struct, kw_only=True):
    """A page of a segment's customers, each with `entered_at`."""

    customers: list[dict[str, Any]]
    total: int
    has_more: bool
    object: Literal["list"] = "list"
    data_ref: Literal["customers"] = "customers"


def check_past(at: datetime | None, now: datetime) -> None:
    """Refuse a moment that is still to come. Raises InvalidQueryParams."""
    if at is not None and at > now:
        raise InvalidQueryParams(f"Query param at is in the future: the time is {iso(now)}")


def simple_segment(segment_id: str, name: str, kind: SegmentType) -> SimpleSegment:
    """Return a segment as other objects carry it."""
    return SimpleSegment(id=segment_id, name=name, type=kind)


def segments_view(stays: list[Stay]) -> CustomerSegments:
    """Return the segments of a customer as the API lists them."""
    shown = [
        CustomerSegment(id=stay.segment_id, name=stay.name, type=stay.type, entered_at=iso(stay.entered_at))
        for stay in stays
    ]
    return CustomerSegments(data=shown, total=len(shown))


def stays_view(found: Found[Stay]) -> SegmentStays:
    """Return a page of a customer's memberships."""
    shown = [
        SegmentStay(
            segment=simple_segment(stay.segment_id, stay.name, stay.type),
            entered_at=iso(stay.entered_at),
            left_at=None if stay.left_at is None else iso(stay.left_at),
        )
        for stay in found.items
    ]
    return SegmentStays(data=shown, total=found.total, has_more=found.has_more)


def moves_view(found: Found[Move], customers: Mapping[str, Customer]) -> SegmentMoves:
    """Return a page of what happened in a segment."""
    shown = [
        SegmentMove(type=move.type, at=iso(move.at), customer=_customer(move.customer_id, customers))
        for move in found.items
    ]
    return SegmentMoves(data=shown, total=found.total, has_more=found.has_more)


def members_view(found: Found[Member], customers: Mapping[str, Customer]) -> SegmentCustomers:
    """Return a page of a segment's customers."""
    shown = [{**_customer(one.id, customers), "entered_at": iso(one.entered_at)} for one in found.items]
    return SegmentCustomers(customers=shown, total=found.total, has_more=found.has_more)


def _customer(customer_id: str, known: Mapping[str, Customer]) -> dict[str, Any]:
    customer = known.get(customer_id)
    return {"id": customer_id, "object": "customer"} if customer is None else simple_view(customer)
