from decimal import Decimal
from typing import Any

import msgspec
import pytest

from rapport.core.errors import InvalidPayload
from rapport.locations.shapes import ShapeInput, shape_of

RING = [[0, 0], [0, 10], [10, 10], [0, 0]]
CIRCLE = {"type": "circle", "format": "distance", "distance": {"center": "52.2297,21.0122", "radius": "5 km"}}
POLYGON = {"type": "polygon", "format": "geojson", "geojson": {"type": "Polygon", "coordinates": [RING]}}


def read(raw: dict[str, Any]) -> dict[str, Any]:
    return shape_of(msgspec.convert(raw, ShapeInput))


@pytest.mark.parametrize(
    "raw",
    [
        CIRCLE,
        POLYGON,
        POLYGON | {"geojson": {"type": "MultiPolygon", "coordinates": [[RING], [RING, RING]]}},
        POLYGON
        | {"geojson": {"type": "Polygon", "coordinates": [[[Decimal("0.5"), -90], *RING[1:3], [Decimal("0.5"), -90]]]}},
    ],
)
def test_a_shape_is_kept_as_it_came(raw: dict[str, Any]) -> None:
    assert read(raw) == raw


def test_the_format_follows_from_the_type() -> None:
    assert read({name: CIRCLE[name] for name in ("type", "distance")}) == CIRCLE


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"format": "geojson"}, ".shape.format"),
        ({"distance": None}, ".shape.distance"),
        ({"distance": {"center": "91,0", "radius": "5 km"}}, ".shape.distance.center"),
        ({"distance": {"center": "0,181", "radius": "5 km"}}, ".shape.distance.center"),
        ({"distance": {"center": "here", "radius": "5 km"}}, ".shape.distance.center"),
        ({"distance": {"center": "0,0", "radius": "0 km"}}, ".shape.distance.radius"),
        ({"distance": {"center": "0,0", "radius": "5"}}, ".shape.distance.radius"),
    ],
)
def test_a_circle_that_is_none_is_refused(change: dict[str, Any], place: str) -> None:
    with pytest.raises(InvalidPayload, match=place.replace(".", r"\.")):
        read(CIRCLE | change)


@pytest.mark.parametrize(
    ("coordinates", "place"),
    [
        ([RING[:3]], "[0]"),
        ([[*RING[:3], [1, 1]]], "[0]"),
        ([[[0, 0], [0, 91], [10, 10], [0, 0]]], "[0][1]"),
        ([[[0, 0], [181, 0], [10, 10], [0, 0]]], "[0][1]"),
        ([[[0, 0], ["0", 1], [10, 10], [0, 0]]], "[0][1]"),
        ([[[0, 0], [True, 1], [10, 10], [0, 0]]], "[0][1]"),
        ([[[0, 0], [10**400, 1], [10, 10], [0, 0]]], "[0][1]"),
        ([[[0, 0], [0, 1, 2], [10, 10], [0, 0]]], "[0][1]"),
        ([{}], "[0]"),
    ],
)
def test_a_polygon_that_is_none_is_refused(coordinates: list[Any], place: str) -> None:
    with pytest.raises(InvalidPayload) as caught:
        read({"type": "polygon", "geojson": {"type": "Polygon", "coordinates": coordinates}})
    assert f".shape.geojson.coordinates{place}" in caught.value.details
