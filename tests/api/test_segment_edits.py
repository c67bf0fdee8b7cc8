"""Editing a segment in use: the new filter is built beside the old, and only the difference is told."""

from typing import Any

import pytest

import facts
from conftest import Api

PEOPLE = {f"c{number}": {"city": "Oslo" if number % 2 else "Bergen", "points": number} for number in range(12)}


def city(*names: str) -> dict[str, Any]:
    return {"address.city": {"conditions": {"$is": list(names)}}}


def points(least: int) -> dict[str, Any]:
    return {"metadata.points": {"conditions": {"$more_than_equal": [least]}}}


@pytest.fixture
def people(api: Api) -> None:
    for name, one in PEOPLE.items():
        body = {"source_id": name, "address": {"city": one["city"]}, "metadata": {"points": one["points"]}}
        api.call("POST", "/v1/customers", body)


def make(api: Api, filter_: dict[str, Any], kind: str = "auto-update") -> str:
    made = api.call("POST", "/v1/segments", {"name": "S", "type": kind, "filter": filter_})
    facts.wait_until_filled(api, made["id"])
    return str(made["id"])


def members(api: Api, segment_id: str) -> set[str]:
    found = api.call("GET", f"/v1/customers?segment_id={segment_id}&limit=99")
    return {one["source_id"] for one in found["customers"]}


def logged(api: Api, who: str) -> list[str]:
    found = api.call("GET", f"/v1/customers/{who}/activity?order=created_at")["data"]
    return [one["type"].rpartition(".")[2] for one in found if one["type"].startswith("customer.segment.")]


@pytest.mark.usefixtures("people")
def test_an_edit_tells_only_the_difference(api: Api) -> None:
    segment_id = make(api, city("Oslo"))
    before = {name: logged(api, name) for name in PEOPLE}
    shown = api.call("PUT", f"/v1/segments/{segment_id}", {"filter": points(6)})
    assert shown["initial_sync_status"] == "IN_PROGRESS"
    facts.wait_until_filled(api, segment_id)
    shown = api.call("GET", f"/v1/segments/{segment_id}")
    assert (shown["filter"], "next_filter" in shown, shown["initial_sync_percentage"]) == (points(6), False, 100)
    assert members(api, segment_id) == {name for name, one in PEOPLE.items() if one["points"] >= 6}
    for name, one in PEOPLE.items():
        was, now = one["city"] == "Oslo", one["points"] >= 6
        told = [] if was == now else ["entered" if now else "left"]
        assert logged(api, name) == before[name] + told, name


@pytest.mark.usefixtures("people")
def test_of_two_edits_the_last_one_counts(api: Api) -> None:
    segment_id = make(api, city("Oslo"))
    api.call("PUT", f"/v1/segments/{segment_id}", {"filter": city("Bergen")})
    api.call("PUT", f"/v1/segments/{segment_id}", {"filter": points(10)})
    facts.wait_until_filled(api, segment_id)
    assert members(api, segment_id) == {"c10", "c11"}
    assert api.call("GET", "/v1/segments")["total"] == 1


@pytest.mark.usefixtures("people")
def test_an_edit_back_to_the_filter_in_force_gives_up_what_is_being_built(api: Api) -> None:
    segment_id = make(api, city("Oslo"))
    before = {name: logged(api, name) for name in PEOPLE}
    api.call("PUT", f"/v1/segments/{segment_id}", {"filter": city("Bergen")})
    api.call("PUT", f"/v1/segments/{segment_id}", {"filter": city("Oslo")})
    facts.wait_until_filled(api, segment_id)
    shown = api.call("GET", f"/v1/segments/{segment_id}")
    if shown["filter"] == city("Oslo"):
        assert members(api, segment_id) == {name for name, one in PEOPLE.items() if one["city"] == "Oslo"}
    for name, told in before.items():
        assert logged(api, name)[: len(told)] == told


@pytest.mark.usefixtures("people")
def test_segments_that_name_an_edited_one_follow_it(api: Api) -> None:
    inner = make(api, city("Oslo"))
    outer = make(api, {"segments": {"conditions": {"$is_not": [inner]}}})
    assert members(api, outer) == {name for name, one in PEOPLE.items() if one["city"] == "Bergen"}
    api.call("PUT", f"/v1/segments/{inner}", {"filter": points(6)})
    facts.wait_until_filled(api, inner)
    assert members(api, outer) == {name for name, one in PEOPLE.items() if one["points"] < 6}


@pytest.mark.usefixtures("people")
def test_a_segment_deleted_while_it_is_edited_is_gone_altogether(api: Api) -> None:
    segment_id = make(api, city("Oslo"))
    api.call("PUT", f"/v1/segments/{segment_id}", {"filter": city("Bergen")})
    api.call("DELETE", f"/v1/segments/{segment_id}", status=204)
    api.fails("GET", f"/v1/segments/{segment_id}", status=404, key="not_found")
    assert api.call("GET", "/v1/segments")["total"] == 0
    assert api.call("GET", "/v1/customers/c1/segments")["total"] == 0


@pytest.mark.usefixtures("people")
def test_entering_and_leaving_alternate_through_changes_of_type(api: Api) -> None:
    segment_id = make(api, city("Oslo"), "passive")
    assert logged(api, "c1") == []
    api.call("PUT", f"/v1/segments/{segment_id}", {"type": "auto-update"})
    facts.wait_until_filled(api, segment_id)
    assert logged(api, "c1") == ["entered"]
    api.call("PUT", f"/v1/segments/{segment_id}", {"type": "passive"})
    api.call("POST", "/v1/customers", {"source_id": "c1", "address": {"city": "Bergen"}})
    api.call("POST", "/v1/customers", {"source_id": "c1", "address": {"city": "Oslo"}})
    assert logged(api, "c1") == ["entered", "left"]
    api.call("PUT", f"/v1/segments/{segment_id}", {"type": "auto-update"})
    facts.wait_until_filled(api, segment_id)
    assert logged(api, "c1") == ["entered", "left", "entered"]
    assert logged(api, "c3") == ["entered"]


def test_a_name_is_changed_at_once(api: Api) -> None:
    segment_id = make(api, city("Oslo"))
    shown = api.call("PUT", f"/v1/segments/{segment_id}", {"name": "Other"})
    assert (shown["name"], shown["initial_sync_status"]) == ("Other", "DONE")
    api.call("POST", "/v1/customers", {"source_id": "a", "address": {"city": "Oslo"}})
    found = api.call("GET", "/v1/customers/a/activity")["data"]
    assert [one["data"]["data"]["segment"]["name"] for one in found if one["type"] == "customer.segment.entered"] == [
        "Other"
    ]


def test_a_circle_of_segments_is_refused(api: Api) -> None:
    first = make(api, city("Oslo"))
    second = make(api, {"segments": {"conditions": {"$is": [first]}}})
    for named in (first, second):
        error = api.fails(
            "PUT",
            f"/v1/segments/{first}",
            {"filter": {"segments": {"conditions": {"$is": [named]}}}},
            status=400,
            key="invalid_payload",
        )
        assert first in error["details"]
        assert error["details"].startswith("filter.segments:")
    nested = {"groups": [city("Oslo"), {"segments.id": {"conditions": {"$is": [second]}}}]}
    error = api.fails("PUT", f"/v1/segments/{first}", {"filter": nested}, status=400, key="invalid_payload")
    assert error["details"].startswith("filter.groups[1].segments.id:")
    api.fails(
        "PUT",
        f"/v1/segments/{first}",
        {"filter": {"segments": {"conditions": {"$is": ["seg_none"]}}}},
        status=404,
        key="not_found",
    )


def test_two_edits_under_construction_cannot_close_a_circle(api: Api) -> None:
    first, second = make(api, city("Oslo")), make(api, city("Bergen"))
    api.call("PUT", f"/v1/segments/{first}", {"filter": {"segments": {"conditions": {"$is": [second]}}}})
    api.fails(
        "PUT",
        f"/v1/segments/{second}",
        {"filter": {"segments": {"conditions": {"$is": [first]}}}},
        status=400,
        key="invalid_payload",
    )


def test_a_chain_of_segments_has_an_end(api: Api) -> None:
    last = api.call("POST", "/v1/segments", {"name": "0", "type": "passive", "filter": city("Oslo")})["id"]
    for number in range(1, 20):
        body = {"name": str(number), "type": "passive", "filter": {"segments": {"conditions": {"$is": [last]}}}}
        last = api.call("POST", "/v1/segments", body)["id"]
    body = {"name": "20", "type": "passive", "filter": {"segments": {"conditions": {"$is": [last]}}}}
    error = api.fails("POST", "/v1/segments", body, status=400, key="invalid_payload")
    assert "more than 20" in error["details"]


@pytest.mark.parametrize(
    ("made", "edit"),
    [
        ({"type": "static"}, {"type": "passive"}),
        ({"type": "static"}, {"filter": city("Oslo")}),
        ({"type": "passive", "filter": city("Oslo")}, {"type": "static"}),
        ({"type": "passive", "filter": city("Oslo")}, {"filter": {}}),
        ({"type": "passive", "filter": city("Oslo")}, {"name": ""}),
        ({"type": "passive", "filter": city("Oslo")}, {"type": "other"}),
    ],
)
def test_an_edit_that_makes_no_sense_is_refused(api: Api, made: dict[str, Any], edit: dict[str, Any]) -> None:
    segment = api.call("POST", "/v1/segments", {"name": "S", **made})
    api.fails("PUT", f"/v1/segments/{segment['id']}", edit, status=400, key="invalid_payload")
    assert api.call("GET", f"/v1/segments/{segment['id']}")["filter"] == made.get("filter")


def test_an_unknown_segment_cannot_be_edited(api: Api) -> None:
    api.fails("PUT", "/v1/segments/seg_none", {"name": "S"}, status=404, key="not_found")


def test_true_and_one_are_different_filters(api: Api) -> None:
    segment_id = make(api, {"metadata.vip": {"conditions": {"$is": [1]}}})
    wanted = {"metadata.vip": {"conditions": {"$is": [True]}}}
    api.call("PUT", f"/v1/segments/{segment_id}", {"filter": wanted})
    facts.wait_until_filled(api, segment_id)
    assert api.call("GET", f"/v1/segments/{segment_id}")["filter"]["metadata.vip"]["conditions"]["$is"][0] is True


@pytest.mark.parametrize("text", ["00-950", "2026-01-31", "38-40", "5 stars", "0042", "[x", "{y", "-a", "1e3"])
def test_an_operand_that_looks_like_something_else_is_a_text(api: Api, text: str) -> None:
    wanted = {"metadata.code": {"conditions": {"$is": [text]}}}
    api.call("POST", "/v1/customers", {"source_id": "a", "metadata": {"code": text}})
    api.call("POST", "/v1/customers", {"source_id": "b", "metadata": {"code": ["other", text]}})
    api.call("POST", "/v1/customers", {"source_id": "c", "metadata": {"code": "other"}})
    assert api.call("POST", "/v1/segments/preview", {"filter": wanted})["count"] == 2
    assert members(api, make(api, wanted)) == {"a", "b"}


def test_a_segment_that_a_distribution_listens_to_stays_active(api: Api) -> None:
    segment_id = make(api, city("Oslo"))
    trigger = {"type": "customer.segment.entered", "segment_id": segment_id}
    message = {"subject": "Hello", "text": "Hi"}
    body = {"name": "D", "trigger": trigger, "channel": "email", "message": message}
    made = api.call("POST", "/v1/distributions", body)
    error = api.fails("PUT", f"/v1/segments/{segment_id}", {"type": "passive"}, status=409, key="resource_in_use")
    assert made["id"] in error["details"]
    assert api.call("GET", f"/v1/segments/{segment_id}")["type"] == "auto-update"


def test_operands_are_limited_in_all(api: Api) -> None:
    fields = {f"metadata.k{number}": {"conditions": {"$is": list(range(1000))}} for number in range(6)}
    body = {"name": "S", "type": "passive", "filter": fields}
    error = api.fails("POST", "/v1/segments", body, status=400, key="invalid_payload")
    assert error["details"] == "filter.metadata.k5.conditions: the filter has more than 5000 operands in all"
