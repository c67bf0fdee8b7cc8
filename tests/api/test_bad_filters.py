from typing import Any

import pytest

import facts
from rapport.core.db import Database

FILTERS: list[tuple[Any, str]] = [
    ({"junction": "and", "colour": {"conditions": {"$is": ["red"]}}}, "filter.colour: unknown field"),
    ({"junction": "and", "address.planet": {"conditions": {"$is": ["x"]}}}, "filter.address.planet: unknown field"),
    ({"junction": "and", "name": {"conditions": {"$like": ["x"]}}}, "filter.name.conditions.$like: unknown operator"),
    ({"junction": "and", "name": {"conditions": {"is": ["x"]}}}, "filter.name.conditions.is: unknown operator"),
    ({"junction": "xor", "name": {"conditions": {"$is": ["x"]}}}, "filter.junction"),
    ({"junction": "and", "name": {"conditions": {}}}, "filter.name.conditions"),
    ({"junction": "and", "name": {"conditions": []}}, "filter.name.conditions"),
    ({"junction": "and", "name": "Bob"}, "filter.name"),
    ({"junction": "and", "name": {"$is": ["x"]}}, "filter.name.$is"),
    ({"junction": "and", "name": {"conditions": {"$is": [5]}}}, "filter.name.conditions.$is"),
    ({"junction": "and", "name": {"conditions": {"$is": []}}}, "filter.name.conditions.$is"),
    ({"junction": "and", "name": {"conditions": {"$is": [None]}}}, "filter.name.conditions.$is"),
    ({"junction": "and", "name": {"conditions": {"$more_than": [5]}}}, "filter.name.conditions.$more_than"),
    ({"junction": "and", "created_at": {"conditions": {"$after": ["soon"]}}}, "filter.created_at.conditions.$after"),
    ({"junction": "and", "created_at": {"conditions": {"$less_than_ago": [-1]}}}, "filter.created_at.conditions"),
    (
        {"junction": "and", "summary.orders.total_amount": {"conditions": {"$more_than": ["many"]}}},
        "filter.summary.orders.total_amount.conditions.$more_than",
    ),
    ({"junction": "and", "groups": {}}, "filter.groups"),
    ({"junction": "and", "groups": [{"name": {"conditions": {"$huh": 1}}}]}, "filter.groups[0].name.conditions.$huh"),
    ({"name": {"conditions": {"$is": ["x" * 1001]}}}, "filter.name.conditions.$is"),
    ({"name": {"conditions": {"$is": ["x"] * 1001}}}, "filter.name.conditions.$is"),
    ({f"metadata.k{number}": {"conditions": {"$is": ["x"]}} for number in range(201)}, "200 conditions"),
]


@pytest.mark.parametrize(("raw", "place"), FILTERS)
async def test_a_filter_that_cannot_be_understood_is_refused_and_the_place_named(
    api: Any, db: Database, project_id: int, raw: Any, place: str
) -> None:
    body = {"name": "S", "type": "auto-update", "filter": raw}
    error = api.fails("POST", "/v1/segments", body, status=400, key="invalid_payload")
    assert await facts.counts(db, project_id) == {}
    assert place in error["details"]


async def test_groups_nested_too_deep_are_refused(api: Any, db: Database, project_id: int) -> None:
    raw: dict[str, Any] = facts.where("name", "$is", "x")
    for _ in range(10):
        raw = {"groups": [raw]}
    body = {"name": "S", "type": "passive", "filter": raw}
    error = api.fails("POST", "/v1/segments", body, status=400, key="invalid_payload")
    assert await facts.counts(db, project_id) == {}
    assert "deeper" in error["details"]
