"""Shapes of locations: a circle around a point, or polygons. Pure."""

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from rapport.core.errors import InvalidPayload

MAX_POLYGONS: Final = 100
MAX_RINGS: Final = 100
MAX_POINTS: Final = 10_000
_CENTER: Final = re.compile(r"(-?\d{1,3}(?:\.\d{1,20})?),\s?(-?\d{1,3}(?:\.\d{1,20})?)", re.ASCII)
_RADIUS: Final = re.compile(r"(\d{1,8}(?:\.\d{1,10})?)\s?(km|m|mi|ft)", re.ASCII)


class DistanceInput(msgspec.Struct, kw_only=True):
    """A circle: its center as `latitude,longitude`, and its radius with a unit, as `5 km`."""

    center: Annotated[str, Meta(max_length=64)]
    radius: Annotated[str, Meta(max_length=32)]


class GeojsonInput(msgspec.Struct, kw_only=True):
    """Polygons in GeoJSON: points are longitude and latitude, in that order."""

    type: Literal["Polygon", "MultiPolygon"]
    coordinates: Annotated[list[Any], Meta(min_length=1, max_length=MAX_POLYGONS)]


class ShapeInput(msgspec.Struct, kw_only=True):
    """`LocationShapeCircle` or `LocationShapePolygon` of the reference."""

    type: Literal["circle", "polygon"]
    format: Literal["distance", "geojson"] | None = None
    distance: DistanceInput | None = None
    geojson: GeojsonInput | None = None


def shape_of(data: ShapeInput, path: str = ".shape") -> dict[str, Any]:
    """Return a shape as it is stored and shown. Raises InvalidPayload."""
    expected = "distance" if data.type == "circle" else "geojson"
    if data.format is not None and data.format != expected:
        raise InvalidPayload(f"Property {path}.format should be {expected} for a {data.type}")
    if data.type == "circle":
        if data.distance is None:
            raise InvalidPayload(f"Missing required property {path}.distance")
        return {"type": data.type, "format": expected, "distance": _distance(data.distance, f"{path}.distance")}
    if data.geojson is None:
        raise InvalidPayload(f"Missing required property {path}.geojson")
    return {"type": data.type, "format": expected, "geojson": _geojson(data.geojson, f"{path}.geojson")}


def _distance(data: DistanceInput, path: str) -> dict[str, str]:
    center = _CENTER.fullmatch(data.center)
    if center is None or not _on_earth(float(center[2]), float(center[1])):
        raise InvalidPayload(f"Property {path}.center should be a latitude and a longitude, as 52.2297,21.0122")
    radius = _RADIUS.fullmatch(data.radius)
    if radius is None or float(radius[1]) == 0:
        raise InvalidPayload(f"Property {path}.radius should be a length in km, m, mi or ft, as 5 km")
    return {"center": data.center, "radius": data.radius}


def _geojson(data: GeojsonInput, path: str) -> dict[str, Any]:
    path = f"{path}.coordinates"
    if data.type == "Polygon":
        points = _check_polygon(data.coordinates, path)
    else:
        points = sum(_check_polygon(one, f"{path}[{number}]") for number, one in enumerate(data.coordinates))
    if points > MAX_POINTS:
        raise InvalidPayload(f"Property {path} should have at most {MAX_POINTS} points")
    return {"type": data.type, "coordinates": data.coordinates}


def _check_polygon(rings: Any, path: str) -> int:
    """Return how many points a polygon has. Raises InvalidPayload for what is none."""
    if not isinstance(rings, list) or not 1 <= len(rings) <= MAX_RINGS:
        raise InvalidPayload(f"Property {path} should be a list of 1 to {MAX_RINGS} rings")
    for number, ring in enumerate(rings):
        where = f"{path}[{number}]"
        if not isinstance(ring, list) or not 4 <= len(ring) <= MAX_POINTS:
            raise InvalidPayload(f"Property {where} should be a list of 4 to {MAX_POINTS} points")
        for place, point in enumerate(ring):
            if not isinstance(point, list) or len(point) != 2 or not _is_point(point):
                raise InvalidPayload(f"Property {where}[{place}] should be a longitude and a latitude")
        if ring[0] != ring[-1]:
            raise InvalidPayload(f"Property {where} should end where it begins")
    return sum(len(ring) for ring in rings)


def _is_point(point: Sequence[Any]) -> bool:
    if any(isinstance(part, bool) or not isinstance(part, int | float | Decimal) for part in point):
        return False
    return _on_earth(point[0], point[1])


def _on_earth(longitude: Any, latitude: Any) -> bool:
    return bool(abs(longitude) <= 180 and abs(latitude) <= 90)
