"""Locations on the wire."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from rapport.core.clock import iso
from rapport.http.answers import Count, Instant
from rapport.locations.models import Location
from rapport.locations.shapes import ShapeInput

Text = Annotated[str, Meta(min_length=1, max_length=255)]


class LocationInput(msgspec.Struct, kw_only=True):
    """A new location (an addition: the reference has no operation for it)."""

    name: Text
    shape: ShapeInput
    source_id: Text | None = None


class LocationUpdate(msgspec.Struct, kw_only=True):
    """A change of a location: what is absent or null stays; an empty source id is removed."""

    name: Text | None = None
    shape: ShapeInput | None = None
    source_id: Annotated[str, Meta(max_length=255)] | None = None


class ShapeAnswer(msgspec.Struct, kw_only=True):
    """A circle or polygons."""

    type: Literal["circle", "polygon"]
    format: Literal["distance", "geojson"]
    distance: dict[str, str] | UnsetType = UNSET
    geojson: dict[str, Any] | UnsetType = UNSET


class LocationAnswer(msgspec.Struct, kw_only=True):
    """A location."""

    id: str
    object: Literal["location"]
    name: str
    shape: ShapeAnswer
    created_at: Instant
    updated_at: Instant | None
    source_id: str | UnsetType = UNSET


class LocationsAnswer(msgspec.Struct, kw_only=True):
    """A page of locations."""

    object: Literal["list"]
    data_ref: Literal["data"]
    data: list[LocationAnswer]
    total: Count
    has_more: bool


def view(location: Location) -> dict[str, Any]:
    """Return the location object of the API."""
    shown: dict[str, Any] = {
        "id": location.id,
        "object": "location",
        "name": location.name,
        "shape": location.shape,
        "created_at": iso(location.created_at),
        "updated_at": None if location.updated_at is None else iso(location.updated_at),
    }
    return shown if location.source_id is None else shown | {"source_id": location.source_id}
