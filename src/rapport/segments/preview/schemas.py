"""Previews on the wire."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from rapport.customers.models import Customer
from rapport.customers.schemas import simple_view
from rapport.segments.preview.queries import REACHABLE

DEFAULT_SAMPLE = 10
MAX_SAMPLE = 100
Number = Annotated[int, Meta(ge=0)]


class PreviewInput(msgspec.Struct, kw_only=True):
    """A filter to be tried, and how many of its customers to show (10 if left out)."""

    filter: dict[str, Any]
    sample: Annotated[int, Meta(ge=0, le=MAX_SAMPLE)] | None = None


class Preview(msgspec.Struct, kw_only=True):
    """How many customers the filter holds for, some of them, and how many of all of them each channel reaches."""

    count: Number
    sample: list[dict[str, Any]]
    reachable: dict[str, Number]
    evaluated_at: str
    object: Literal["segment_preview"] = "segment_preview"


def view(numbers: Any, sample: list[Customer], evaluated_at: str) -> Preview:
    """Return the preview object of the API."""
    return Preview(
        count=numbers["number"],
        sample=[simple_view(customer) for customer in sample],
        reachable={channel: numbers[channel] for channel in REACHABLE},
        evaluated_at=evaluated_at,
    )
