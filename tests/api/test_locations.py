"""Locations: additions that write, and the reference's operations that read."""

from typing import Any

import pytest

from promotions import rows
from rapport.core.db import Database

CIRCLE = {"type": "circle", "format": "distance", "distance": {"center": "52.2297,21.0122", "radius": "5 km"}}
RING = [[0, 0], [0, 10], [10, 10], [0, 0]]
POLYGON = {"type": "polygon", "format": "geojson", "geojson": {"type": "Polygon", "coordinates": [RING]}}


def make_location(api: Any, name: str = "Warsaw", **more: Any) -> dict[str, Any]:
    """Create a location."""
    return api.call("POST", "/v1/locations", {"name": name, "shape": CIRCLE, **more})  # type: ignore[no-any-return]


def test_a_location_is_created_changed_and_deleted(api: Any) -> None:
    made = make_location(api, source_id="shop-1")
    assert made == {
        "id": made["id"],
        "object": "location",
        "name": "Warsaw",
        "shape": CIRCLE,
        "created_at": made["created_at"],
        "updated_at": None,
        "source_id": "shop-1",
    }
    for reference in (made["id"], "shop-1"):
        assert api.call("GET", f"/v1/locations/{reference}") == made
    changed = api.call("PUT", "/v1/locations/shop-1", {"name": "City", "shape": POLYGON, "source_id": ""})
    assert changed == {name: value for name, value in made.items() if name != "source_id"} | {
        "name": "City",
        "shape": POLYGON,
        "updated_at": changed["updated_at"],
    }
    assert api.call("PUT", f"/v1/locations/{made['id']}", {}) == changed
    api.call("DELETE", f"/v1/locations/{made['id']}", status=204)
    for method in ("GET", "PUT", "DELETE"):
        body = {} if method == "PUT" else None
        api.fails(method, f"/v1/locations/{made['id']}", body, status=404, key="not_found")


def test_locations_are_listed_and_filtered(api: Any) -> None:
    first, second, third = (make_location(api, name) for name in ("Warsaw", "Oslo", "War office"))
    api.call("PUT", f"/v1/locations/{second['id']}", {"name": "Bergen"})

    def found(**query: str) -> list[str]:
        page = api.call("GET", "/v1/locations", params=query)
        assert (page["object"], page["data_ref"]) == ("list", "data")
        return [one["name"] for one in page["data"]]

    def where(field: str, operator: str, value: str) -> dict[str, str]:
        return {f"filters[{field}][conditions][{operator}]": value}

    assert found() == ["War office", "Bergen", "Warsaw"]
    assert found(order="created_at", limit="2") == ["Warsaw", "Bergen"]
    assert found(order="-updated_at")[0] == "Bergen"
    assert found(**where("name", "$starts_with", "War")) == ["War office", "Warsaw"]
    assert found(**where("name", "$is", "Warsaw")) == ["Warsaw"]
    assert found(**where("updated_at", "$has_value", "")) == ["Bergen"]
    assert found(**where("updated_at", "$is_unknown", "")) == ["War office", "Warsaw"]
    assert found(**where("created_at", "$after", first["created_at"])) == ["War office", "Bergen"]
    assert found(**where("created_at", "$before", third["created_at"])) == ["Bergen", "Warsaw"]
    assert found(**where("created_at", "$less_than", "1")) == ["War office", "Bergen", "Warsaw"]
    assert found(**where("created_at", "$more_than", "1")) == []
    assert found(end_date=first["created_at"]) == ["Warsaw"]
    for query in (
        where("shape", "$is", "x"),
        where("created_at", "$after", "soon"),
        where("created_at", "$less_than", "-1"),
        where("created_at", "$is", "1"),
        where("name", "$less_than", "1"),
        {"order": "name"},
    ):
        api.fails("GET", "/v1/locations", status=400, key="invalid_query_params", params=query)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": "x"},
        {"shape": CIRCLE},
        {"name": "", "shape": CIRCLE},
        {"name": "a\x00", "shape": CIRCLE},
        {"name": "x", "shape": {"type": "square"}},
        {"name": "x", "shape": {"type": "circle"}},
        {"name": "x", "shape": CIRCLE | {"format": "geojson"}},
        {"name": "x", "shape": POLYGON | {"geojson": {"type": "Polygon", "coordinates": [[[0, 0]]]}}},
        {"name": "x", "shape": POLYGON | {"geojson": {"type": "Point", "coordinates": [0, 0]}}},
        {"name": "x", "shape": CIRCLE, "source_id": ""},
    ],
)
async def test_what_is_no_location_is_refused(api: Any, db: Database, project_id: int, body: Any) -> None:
    api.fails("POST", "/v1/locations", body, status=400, key="invalid_payload")
    assert await rows(db, project_id, "locations") == 0


def test_a_source_id_is_given_once(api: Any) -> None:
    make_location(api, source_id="shop")
    other = make_location(api, source_id="other")
    body = {"name": "x", "shape": CIRCLE, "source_id": "shop"}
    assert api.fails("POST", "/v1/locations", body, status=409, key="duplicate_found")["resource_id"] == "shop"
    api.fails("PUT", f"/v1/locations/{other['id']}", {"source_id": "shop"}, status=409, key="duplicate_found")


def test_a_visit_names_a_location_by_its_id(api: Any) -> None:
    made = make_location(api)
    body = {"event": "visit", "customer": {"source_id": "ann"}, "location": {"id": made["id"], "name": made["name"]}}
    api.call("POST", "/v1/events", body)
    assert list(api.call("GET", "/v1/customers/ann")["in_store"]["locations"]) == [made["id"]]
