"""Changes of static segments on the wire."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from rapport.segments.history.schemas import SimpleSegment

MAX_CUSTOMERS = 1_000

CustomerId = Annotated[str, Meta(min_length=1, max_length=255)]


class CustomersInput(msgspec.Struct, kw_only=True):
    """The ids of customers to put into a static segment, or to take out of it."""

    customers: Annotated[list[CustomerId], Meta(min_length=1, max_length=MAX_CUSTOMERS)]


class SegmentChange(msgspec.Struct, kw_only=True):
    """How many customers entered and left a segment, and how many were as asked already."""

    segment: SimpleSegment
    entered: int = 0
    left: int = 0
    unchanged: int = 0
    object: Literal["segment_change"] = "segment_change"
