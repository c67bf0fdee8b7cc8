"""Static segments: from ids, from a filter taken once, from a file; added to and taken from."""

from typing import Any

import pytest

import facts
from facts import new_segment, where
from rapport.core.db import Database

OSLO = where("address.city", "$is", "Oslo")
FORM = "A form (multipart/form-data) with the part file is required"


@pytest.fixture
def people(api: Any) -> list[str]:
    """The ids of three customers, a, b and c."""
    return [str(api.call("POST", "/v1/customers", {"source_id": one})["id"]) for one in "abc"]


def new_static(api: Any, *customers: str, name: str = "List") -> str:
    """Create a static segment and return its id."""
    return str(api.call("POST", "/v1/segments", {"name": name, "type": "static", "customers": [*customers]})["id"])


def change(api: Any, method: str, segment_id: str, *customers: str) -> tuple[int, int, int]:
    """Add customers to a segment or remove them; return how many entered, left and stayed as they were."""
    found = api.call(method, f"/v1/segments/{segment_id}/customers", {"customers": [*customers]})
    assert found["object"] == "segment_change"
    assert found["segment"] == {"id": segment_id, "name": "List", "type": "static", "object": "segment"}
    return found["entered"], found["left"], found["unchanged"]


def send(api: Any, segment_id: str, content: str | bytes, *, status: int = 200) -> Any:
    """Send a file of customers for a segment."""
    files = {"file": ("customers.csv", content, "text/csv")}
    return api.call("POST", f"/v1/segments/{segment_id}/customers/importCSV", status=status, files=files)


async def test_customers_are_added_and_removed(api: Any, db: Database, project_id: int, people: list[str]) -> None:
    a, b, c = people
    segment_id = new_static(api, a)
    assert change(api, "POST", segment_id, b, a, b) == (1, 0, 1)
    assert await facts.members(db, project_id, segment_id) == sorted([a, b])
    assert change(api, "DELETE", segment_id, a, c) == (0, 1, 1)
    assert await facts.members(db, project_id, segment_id) == [b]
    assert change(api, "POST", segment_id, a) == (1, 0, 0)
    # A list made by hand is not an event of the customers.
    assert await facts.log_types(db, project_id) == ["customer.created"] * 3
    stays = api.call("GET", "/v1/customers/a/segments/history")["data"]
    assert [(one["segment"]["id"], one["left_at"] is None) for one in stays] == [
        (segment_id, True),
        (segment_id, False),
    ]


def test_adding_who_is_in_and_removing_who_is_not_change_nothing(api: Any, people: list[str]) -> None:
    segment_id = new_static(api, people[0])
    entered_at = api.call("GET", "/v1/customers/a/segments")["data"][0]["entered_at"]
    assert change(api, "POST", segment_id, people[0]) == (0, 0, 1)
    assert change(api, "DELETE", segment_id, people[1]) == (0, 0, 1)
    assert api.call("GET", "/v1/customers/a/segments")["data"][0]["entered_at"] == entered_at
    assert api.call("GET", f"/v1/segments/{segment_id}/history")["total"] == 1


async def test_segments_that_name_a_static_one_follow_in_the_same_transaction(
    api: Any, db: Database, project_id: int, people: list[str]
) -> None:
    segment_id = new_static(api)
    inside = new_segment(api, where("segments", "$is", segment_id), name="Inside")
    outside = new_segment(api, where("segments", "$is_not", segment_id), name="Outside")
    further = new_segment(api, where("segments", "$is", inside), name="Further", kind="passive")
    assert await facts.members(db, project_id, outside) == sorted(people)
    change(api, "POST", segment_id, people[0])
    assert [one["name"] for one in api.call("GET", "/v1/customers/a/segments")["data"]] == sorted(
        ["List", "Inside", "Further"], key={"List": segment_id, "Inside": inside, "Further": further}.__getitem__
    )
    logged = api.call("GET", "/v1/customers/a/activity")["data"][:2]
    assert {one["type"] for one in logged} == {"customer.segment.entered", "customer.segment.left"}
    assert len({one["group_id"] for one in logged}) == 1
    change(api, "DELETE", segment_id, people[0])
    assert [one["name"] for one in api.call("GET", "/v1/customers/a/segments")["data"]] == ["Outside"]
    send(api, segment_id, "source_id\nb\nc\n")
    assert await facts.members(db, project_id, inside) == sorted(people[1:])
    assert await facts.moves(db, project_id, inside) == {
        people[0]: ["entered", "left"],
        people[1]: ["entered"],
        people[2]: ["entered"],
    }


async def test_a_static_segment_of_a_filter_takes_it_once(api: Any, db: Database, project_id: int) -> None:
    ids = [
        str(api.call("POST", "/v1/customers", {"source_id": f"c{number}", "address": {"city": city}})["id"])
        for number, city in enumerate(["Oslo", "Rome", "Oslo"])
    ]
    created = api.call("POST", "/v1/segments", {"name": "Once", "type": "static", "filter": OSLO})
    assert (created["type"], created["filter"], created["initial_sync_status"]) == ("static", None, "DONE")
    assert await facts.members(db, project_id, created["id"]) == sorted([ids[0], ids[2]])
    api.call("PUT", "/v1/customers/c0", {"address": {"city": "Rome"}})
    api.call("POST", "/v1/customers", {"source_id": "c3", "address": {"city": "Oslo"}})
    assert await facts.members(db, project_id, created["id"]) == sorted([ids[0], ids[2]])
    assert api.call("GET", f"/v1/segments/{created['id']}") == created


async def test_a_filter_taken_once_is_checked_as_any_other(api: Any, db: Database, project_id: int) -> None:
    for raw in ({}, {"name": {"conditions": {"$foo": 1}}}):
        api.fails(
            "POST", "/v1/segments", {"name": "S", "type": "static", "filter": raw}, status=400, key="invalid_payload"
        )
    named = {"name": "S", "type": "static", "filter": where("segments", "$is", "seg_x")}
    assert api.fails("POST", "/v1/segments", named, status=404, key="not_found")["resource_id"] == "seg_x"
    assert await facts.counts(db, project_id) == {}


async def test_unknown_customers_are_404_and_nothing_is_changed(
    api: Any, db: Database, project_id: int, people: list[str]
) -> None:
    segment_id = new_static(api, people[0])
    path = f"/v1/segments/{segment_id}/customers"
    error = api.fails("POST", path, {"customers": [people[1], "cust_y", "a", "cust_x"]}, status=404, key="not_found")
    assert error["details"] == "Cannot find customers with ids a, cust_x, cust_y"
    assert (error["resource_type"], error["resource_id"]) == ("customer", "a")
    error = api.fails("DELETE", path, {"customers": [people[0], "cust_x"]}, status=404, key="not_found")
    assert error["details"] == "Cannot find customer with id cust_x"
    many = [f"cust_{number:02}" for number in range(13)]
    error = api.fails("POST", path, {"customers": many}, status=404, key="not_found")
    assert error["details"].endswith("cust_08, cust_09 and 3 more")
    assert await facts.members(db, project_id, segment_id) == [people[0]]


@pytest.mark.parametrize(
    "body",
    [{}, {"customers": []}, {"customers": None}, {"customers": ["x"] * 1001}, {"customers": [1]}, {"customers": [""]}],
)
def test_a_change_that_cannot_be_is_refused(api: Any, body: dict[str, Any]) -> None:
    segment_id = new_static(api)
    for method in ("POST", "DELETE"):
        api.fails(method, f"/v1/segments/{segment_id}/customers", body, status=400, key="invalid_payload")


def test_only_static_segments_are_changed_by_hand(api: Any, people: list[str]) -> None:
    segment_id = new_segment(api, OSLO)
    for method in ("POST", "DELETE"):
        error = api.fails(
            method,
            f"/v1/segments/{segment_id}/customers",
            {"customers": people},
            status=400,
            key="segment_not_static",
        )
        assert error["details"] == f"Segment {segment_id} is auto-update: its filter decides who is in it"
        api.fails(method, "/v1/segments/seg_x/customers", {"customers": people}, status=404, key="not_found")
    assert send(api, segment_id, "source_id\na\n", status=400)["key"] == "segment_not_static"
    assert send(api, "seg_x", "source_id\na\n", status=404)["key"] == "not_found"


async def test_a_file_names_customers_by_id_or_source_id(
    api: Any, db: Database, project_id: int, people: list[str]
) -> None:
    a, b, c = people
    segment_id = new_static(api, b)
    found = send(api, segment_id, "Name,Source_id\r\nAnn,a\r\n\r\nBob, b \r\nAnn,a\r\n")
    assert (found["entered"], found["left"], found["unchanged"]) == (1, 0, 1)
    assert await facts.members(db, project_id, segment_id) == sorted([a, b])
    assert send(api, segment_id, f'\ufeffid,source_id\n"{c}",nobody\n,a'.encode())["entered"] == 1
    assert await facts.members(db, project_id, segment_id) == sorted(people)


NOBODY = "there is no customer with the"


@pytest.mark.parametrize(
    ("content", "details"),
    [
        ("", "line 1: a header with the column id or source_id is required"),
        ("name\nAnn\n", "line 1: a header with the column id or source_id is required"),
        ("source_id\na\nx\n\ny\n", f"line 3: {NOBODY} source_id x; line 5: {NOBODY} source_id y"),
        ("id\na\n", f"line 2: {NOBODY} id a"),
        ("name,source_id\nAnn,a\nBob\n", "line 3: there is no source_id"),
        ('name,source_id,id\n"A\nnn",a,\nBob,,\n', "line 4: there is no id or source_id"),
        ('source_id\n"a\n', "line 2: unexpected end of data"),
        (b"source_id\na\n\xff\n", "line 3: is not UTF-8"),
        ("source_id\n" + "x" * 256, "line 2: the source_id is longer than 255 characters or holds a NUL character"),
        ("source_id\na\x00\n", "line 2: the source_id is longer than 255 characters or holds a NUL character"),
    ],
)
async def test_a_file_with_a_mistake_is_refused_by_line(
    api: Any, db: Database, project_id: int, people: list[str], content: str | bytes, details: str
) -> None:
    _ = people
    segment_id = new_static(api)
    error = send(api, segment_id, content, status=400)
    assert (error["key"], error["details"]) == ("invalid_payload", details)
    assert await facts.members(db, project_id, segment_id) == []


def test_a_file_has_its_limits(api: Any, people: list[str]) -> None:
    _ = people
    segment_id = new_static(api)
    error = send(api, segment_id, "source_id\n" + "a\n" * 100_001, status=400)
    assert error["details"] == "line 100002: the file has more than 100000 customers"
    error = send(api, segment_id, "source_id\n" + "".join(f"x{number}\n" for number in range(30)), status=400)
    assert error["details"].endswith("line 11: there is no customer with the source_id x9; and 20 lines more")
    assert send(api, segment_id, "x" * 2_000_000, status=413)["key"] == "payload_too_large"


def test_a_body_that_is_no_form_with_a_file_is_refused(api: Any) -> None:
    path = f"/v1/segments/{new_static(api)}/customers/importCSV"
    for options in (
        {"content": b"source_id\na\n", "headers": {"Content-Type": "text/csv"}},
        {"files": {"other": ("customers.csv", "source_id\n", "text/csv")}},
        {"data": {"file": "source_id\na\n"}},
        {"content": b"no form", "headers": {"Content-Type": "multipart/form-data; boundary=x"}},
        {"content": b"no form", "headers": {"Content-Type": "multipart/form-data"}},
        {},
    ):
        error = api.call("POST", path, status=400, **options)
        assert (error["key"], error["details"]) == ("invalid_payload", FORM), options


async def test_a_file_of_more_than_one_batch_is_whole(
    api: Any, db: Database, project_id: int, people: list[str]
) -> None:
    await facts.multiply(db, project_id, people[0], 1_200)
    segment_id = new_static(api)
    content = "source_id\n" + "".join(f"c{number}\n" for number in range(1, 1_201))
    assert send(api, segment_id, content)["entered"] == 1_200
    assert send(api, segment_id, content)["unchanged"] == 1_200
    assert len(await facts.members(db, project_id, segment_id)) == 1_200
    assert api.call("GET", f"/v1/segments/{segment_id}/customers")["total"] == 1_200


async def test_who_is_deleted_is_in_no_list(api: Any, db: Database, project_id: int, people: list[str]) -> None:
    segment_id = new_static(api, *people)
    api.call("DELETE", "/v1/customers/a", status=204)
    assert await facts.members(db, project_id, segment_id) == sorted(people[1:])
    api.fails("POST", f"/v1/segments/{segment_id}/customers", {"customers": people}, status=404, key="not_found")
