"""Memberships as values: a stay from entering to leaving, and each of the two as a fact."""

from datetime import datetime
from typing import Literal

import msgspec

from rapport.segments.models import SegmentType

MoveType = Literal["entered", "left"]


class Member(msgspec.Struct, frozen=True):
    """A customer (`id`) in a segment, since when."""

    id: str
    entered_at: datetime


class Stay(msgspec.Struct, frozen=True):
    """A customer's being in a segment; `left_at` is None while it lasts."""

    segment_id: str
    name: str
    type: SegmentType
    entered_at: datetime
    left_at: datetime | None


class Move(msgspec.Struct, frozen=True):
    """A customer's entering or leaving a segment."""

    customer_id: str
    type: MoveType
    at: datetime
