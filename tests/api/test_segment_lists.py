"""The list of segments, and how far a segment is filled."""

from typing import Any

import pytest

import facts
from facts import new_segment, where
from rapport.core.clock import EARLIEST
from rapport.segments.models import Segment
from rapport.segments.schemas import view

OSLO = where("address.city", "$is", "Oslo")
ROME = where("address.city", "$is", "Rome")


@pytest.fixture
def ids(api: Any) -> dict[str, str]:
    """The ids of four segments, by name."""
    made = {}
    for name, kind in (("Gold", "passive"), ("Golden", "auto-update"), ("Silver", "passive"), ("List", "static")):
        body = {"name": name, "type": kind} | ({} if kind == "static" else {"filter": OSLO})
        made[name] = str(api.call("POST", "/v1/segments", body)["id"])
    return made


def listed(api: Any, *params: tuple[str, str]) -> list[str]:
    """Return the names of the segments in a list, the oldest first."""
    found = api.call("GET", "/v1/segments", params=[*params, ("order", "created_at")])
    assert found["total"] == len(found["data"])
    return [one["name"] for one in found["data"]]


def test_a_list_of_ids_has_those_segments(api: Any, ids: dict[str, str]) -> None:
    gold, silver = ids["Gold"], ids["Silver"]
    for params in (
        [("ids", silver), ("ids", gold)],
        [("ids[]", silver), ("ids[]", gold)],
        [("ids[0]", silver), ("ids[1]", gold), ("ids[2]", "seg_x")],
        [("ids", f"{silver},{gold}")],
    ):
        assert listed(api, *params) == ["Gold", "Silver"]
    assert listed(api, ("ids", "seg_x")) == []
    assert listed(api, ("ids", "")) == ["Gold", "Golden", "Silver", "List"]
    many = [("ids", f"seg_{number}") for number in range(1_001)]
    api.fails("GET", "/v1/segments", params=many, status=400, key="invalid_query_params")


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        (["name][conditions][$is]=Gold"], ["Gold"]),
        (["name][conditions][$is][0]=Gold"], ["Gold"]),
        (["name][conditions][$is]=gold"], []),
        (["name][conditions][$is_not]=Gold"], ["Golden", "Silver", "List"]),
        (["name][conditions][$in][0]=Gold", "name][conditions][$in][1]=List"], ["Gold", "List"]),
        (["name][conditions][$not_in][]=Gold", "name][conditions][$not_in][]=List"], ["Golden", "Silver"]),
        (["name][conditions][$starts_with]=Gold"], ["Gold", "Golden"]),
        (["name][conditions][$ends_with]=er"], ["Silver"]),
        (["name][conditions][$contains]=ol"], ["Gold", "Golden"]),
        (["name][conditions][$not_contain]=ol"], ["Silver", "List"]),
        (["name][conditions][$has_value]="], ["Gold", "Golden", "Silver", "List"]),
        (["name][conditions][$is_unknown]="], []),
        (["type][conditions][$is]=passive"], ["Gold", "Silver"]),
        (["name][conditions][$starts_with]=Gold", "type][conditions][$is]=passive"], ["Gold"]),
        (["name][conditions][$is]=List", "type][conditions][$is]=passive", "junction]=or"], ["Gold", "Silver", "List"]),
        (["name][conditions][$starts_with]=Gold", "name][conditions][$ends_with]=n", "junction]=OR"], ["Golden"]),
        (["created_at][conditions][$after]=2020-01-01T00:00:00Z"], ["Gold", "Golden", "Silver", "List"]),
        (["created_at][conditions][$before]=2020-01-01"], []),
        (["created_at][conditions][$less_than]=1"], ["Gold", "Golden", "Silver", "List"]),
        (["created_at][conditions][$more_than]=1"], []),
        (["created_at][conditions][$has_value]="], ["Gold", "Golden", "Silver", "List"]),
    ],
)
@pytest.mark.usefixtures("ids")
def test_the_filters_of_the_reference_narrow_the_list(api: Any, conditions: list[str], expected: list[str]) -> None:
    params = [(f"filters[{name}", value) for name, _, value in (one.partition("=") for one in conditions)]
    assert listed(api, *params) == expected


def test_filters_and_ids_and_pages_work_together(api: Any, ids: dict[str, str]) -> None:
    params = [("filters[id][conditions][$in]", one) for one in ids.values()] + [
        ("ids", ids["Gold"]),
        ("ids", ids["List"]),
    ]
    found = api.call("GET", "/v1/segments", params=[*params, ("limit", "1"), ("page", "2")])
    assert (found["total"], found["has_more"], [one["name"] for one in found["data"]]) == (2, False, ["Gold"])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("filters[updated_at][conditions][$after]", "2020-01-01"),
        ("filters[name][conditions][$after]", "2020-01-01"),
        ("filters[name][conditions][$foo]", "x"),
        ("filters[name][$is]", "x"),
        ("filters[name][conditions][$is]", "\u0000"),
        ("filters[name][conditions][$is]", "x" * 1001),
        ("filters[created_at][conditions][$after]", "soon"),
        ("filters[created_at][conditions][$less_than]", "-1"),
        ("filters[created_at][conditions][$less_than]", "9999999999"),
        ("filters[junction]", "xor"),
    ],
)
def test_a_filter_of_the_list_that_cannot_be_is_refused(api: Any, name: str, value: str) -> None:
    error = api.fails("GET", "/v1/segments", params={name: value}, status=400, key="invalid_query_params")
    assert name.removesuffix("[$is]") in error["details"]


def test_a_segment_tells_how_far_it_is_filled(api: Any) -> None:
    created = api.call("POST", "/v1/segments", {"name": "S", "type": "passive", "filter": OSLO})
    assert (created["initial_sync_status"], created["initial_sync_percentage"]) == ("IN_PROGRESS", 0)
    facts.wait_until_filled(api, created["id"])
    done = {**created, "initial_sync_status": "DONE", "initial_sync_percentage": 100}
    assert api.call("GET", f"/v1/segments/{created['id']}") == done
    assert api.call("GET", "/v1/segments")["data"] == [done]
    static = api.call("POST", "/v1/segments", {"name": "S"})
    assert (static["initial_sync_status"], static["initial_sync_percentage"]) == ("DONE", 100)


def row(state: str, built_count: int = 0, build_total: int | None = None) -> Segment:
    """Return a segment's row as a value."""
    return Segment(
        id="seg_1",
        name="S",
        type="passive",
        filter=OSLO,
        state=state,
        created_at=EARLIEST,
        updated_at=None,
        built_count=built_count,
        build_total=build_total,
    )


@pytest.mark.parametrize(
    ("segment", "edit", "percentage"),
    [
        (row("building"), None, 0),
        (row("building", 0, 3), None, 0),
        (row("building", 2, 3), None, 66),
        (row("building", 3, 3), None, 99),
        (row("building", 5, 3), None, 99),
        (row("building", 0, 0), None, 0),
        (row("switching", 1, 4), None, 25),
        (row("sweeping"), None, 100),
        (row("live"), None, 100),
        (row("live"), row("building", 1, 2), 50),
        (row("building", 1, 4), row("building", 1, 2), 50),
        (row("live"), row("ready"), 99),
        (row("switching", 1, 4), row("live"), 99),
    ],
)
def test_the_percentage_is_100_only_when_all_is_done(segment: Segment, edit: Segment | None, percentage: int) -> None:
    shown = view(segment, edit)
    assert shown.initial_sync_percentage == percentage
    assert shown.initial_sync_status == ("DONE" if percentage == 100 else "IN_PROGRESS")


def test_an_edit_holds_once_it_is_done(api: Any) -> None:
    for source_id, city in (("a", "Oslo"), ("b", "Rome")):
        api.call("POST", "/v1/customers", {"source_id": source_id, "address": {"city": city}})
    segment_id = new_segment(api, OSLO, name="Oslo")
    path = f"/v1/segments/{segment_id}"
    begun = api.call("PUT", path, {"name": "Rome", "filter": ROME})
    assert (begun["id"], begun["name"], begun["type"]) == (segment_id, "Rome", "auto-update")
    assert begun["initial_sync_status"] == "IN_PROGRESS"
    assert begun["initial_sync_percentage"] < 100
    assert (begun["filter"], begun["next_filter"]) == (OSLO, ROME)
    facts.wait_until_filled(api, segment_id)
    done = api.call("GET", path)
    assert (done["filter"], done["initial_sync_percentage"]) == (ROME, 100)
    assert "next_filter" not in done
    assert done["updated_at"] >= begun["updated_at"] > done["created_at"]
    assert [one["source_id"] for one in api.call("GET", f"{path}/customers")["customers"]] == ["b"]


@pytest.mark.parametrize(
    ("body", "refusal", "status"),
    [
        ({"name": ""}, "invalid_payload", 400),
        ({"name": 5}, "invalid_payload", 400),
        ({"type": "dynamic"}, "invalid_payload", 400),
        ({"type": "static"}, "invalid_payload", 400),
        ({"filter": {}}, "invalid_payload", 400),
        ({"filter": []}, "invalid_payload", 400),
        ({"filter": {"junction": "and", "shoe_size": {"conditions": {"$is": 1}}}}, "invalid_payload", 400),
        ({"filter": where("segments", "$is", "seg_x")}, "not_found", 404),
    ],
)
def test_an_edit_that_cannot_be_is_refused_and_changes_nothing(api: Any, body: Any, refusal: str, status: int) -> None:
    segment_id = new_segment(api, OSLO)
    before = api.call("GET", f"/v1/segments/{segment_id}")
    api.fails("PUT", f"/v1/segments/{segment_id}", body, status=status, key=refusal)
    api.fails("PUT", "/v1/segments/seg_x", {"name": "X"}, status=404, key="not_found")
    assert api.call("GET", f"/v1/segments/{segment_id}") == before


def test_an_edit_of_nothing_changes_nothing(api: Any) -> None:
    segment_id = new_segment(api, OSLO)
    before = api.call("GET", f"/v1/segments/{segment_id}")
    for body in ({}, {"name": None, "type": None, "filter": None}, {"name": "S", "filter": OSLO}):
        assert api.call("PUT", f"/v1/segments/{segment_id}", body) == before
