import re
from typing import Any

import pytest

import facts
from facts import new_segment, where
from rapport.core.db import Database

OSLO = where("address.city", "$is", "Oslo")
VIP = where("metadata.tier", "$is", "gold")


def customer(api: Any, source_id: str, **more: Any) -> str:
    """Save a customer and return the id."""
    return str(api.call("POST", "/v1/customers", {"source_id": source_id, **more})["id"])


def in_segments(api: Any, reference: str) -> list[str]:
    """Return the names of the segments of a customer, oldest membership first."""
    found = api.call("GET", f"/v1/customers/{reference}/segments")
    assert (found["object"], found["data_ref"], found["total"]) == ("list", "data", len(found["data"]))
    return [one["name"] for one in found["data"]]


def test_a_segment_with_a_filter_is_answered_as_it_was_asked_for(api: Any) -> None:
    body = {"name": "Oslo", "type": "auto-update", "filter": OSLO}
    created = api.call("POST", "/v1/segments", body)
    assert {name: created[name] for name in body} == body
    assert re.fullmatch(r"seg_[0-9A-Za-z]{24}", created["id"])
    assert created["object"] == "segment"
    assert created["initial_sync_status"] == "IN_PROGRESS"
    assert "updated_at" not in created
    facts.wait_until_filled(api, created["id"])
    assert api.call("GET", f"/v1/segments/{created['id']}") == {
        **created,
        "initial_sync_status": "DONE",
        "initial_sync_percentage": 100,
    }


async def test_a_static_segment_has_its_members_at_once(api: Any, db: Database, project_id: int) -> None:
    ids = [customer(api, name) for name in "abc"]
    body = {"name": "Two", "type": "static", "customers": [ids[1], ids[0], ids[1]]}
    created = api.call("POST", "/v1/segments", body)
    assert (created["type"], created["filter"], created["initial_sync_status"]) == ("static", None, "DONE")
    assert await facts.members(db, project_id, created["id"]) == sorted(ids[:2])
    assert [in_segments(api, name) for name in "abc"] == [["Two"], ["Two"], []]
    empty = api.call("POST", "/v1/segments", {"name": "Nobody"})
    assert (empty["type"], empty["filter"]) == ("static", None)
    # A list made by hand is not an event of the customers.
    assert await facts.log_types(db, project_id) == ["customer.created"] * 3


async def test_members_are_those_the_filter_holds_for_before_and_after(api: Any, db: Database, project_id: int) -> None:
    old = [
        customer(api, f"old{number}", address={"city": city}) for number, city in enumerate(["Oslo", "Rome", "Oslo"])
    ]
    segment_id = new_segment(api, OSLO)
    new = [customer(api, f"new{number}", address={"city": city}) for number, city in enumerate(["Oslo", "Rome"])]
    assert await facts.members(db, project_id, segment_id) == sorted([old[0], old[2], new[0]])
    assert await facts.members(db, project_id, segment_id) == await facts.members_by_sql(db, project_id, OSLO)


async def test_entering_and_leaving_happen_with_the_write_and_are_logged_in_turn(
    api: Any, db: Database, project_id: int
) -> None:
    segment_id = new_segment(api, OSLO, name="Oslo")
    customer_id = customer(api, "c")
    for city, expected in (("Oslo", ["Oslo"]), ("Oslo", ["Oslo"]), ("Rome", []), ("", []), ("Oslo", ["Oslo"])):
        api.call("PUT", "/v1/customers/c", {"address": {"city": city}})
        assert in_segments(api, "c") == expected
    assert await facts.log_types(db, project_id, customer_id) == [
        "customer.created",
        "customer.updated",
        "customer.segment.entered",
        "customer.updated",
        "customer.segment.left",
        "customer.updated",
        "customer.updated",
        "customer.segment.entered",
    ]
    assert await facts.moves(db, project_id, segment_id) == {customer_id: ["entered", "left", "entered"]}


def test_what_the_log_says_of_entering(api: Any) -> None:
    segment_id = new_segment(api, OSLO, name="Oslo")
    customer(api, "c", address={"city": "Oslo"})
    logged = api.call("GET", "/v1/customers/c/activity")["data"]
    assert [one["type"] for one in logged] == ["customer.segment.entered", "customer.created"]
    assert logged[0]["group_id"] == logged[1]["group_id"]
    assert logged[0]["data"]["data"] == {
        "customer": api.call("GET", "/v1/customers/c"),
        "segment": {"id": segment_id, "name": "Oslo", "object": "segment"},
    }
    entered = api.call("GET", "/v1/customers/c/segments")["data"]
    assert entered == [
        {
            "id": segment_id,
            "name": "Oslo",
            "type": "auto-update",
            "entered_at": logged[0]["created_at"],
            "object": "segment",
        }
    ]


async def test_a_passive_segment_is_as_right_and_logs_nothing(api: Any, db: Database, project_id: int) -> None:
    first = customer(api, "a", address={"city": "Oslo"})
    segment_id = new_segment(api, OSLO, kind="passive")
    second = customer(api, "b", address={"city": "Oslo"})
    assert await facts.members(db, project_id, segment_id) == sorted([first, second])
    api.call("PUT", "/v1/customers/a", {"address": {"city": "", "country": ""}})
    assert await facts.members(db, project_id, segment_id) == [second]
    assert await facts.log_types(db, project_id) == ["customer.created", "customer.created", "customer.updated"]


async def test_the_back_fill_logs_entering_once(api: Any, db: Database, project_id: int) -> None:
    ids = [customer(api, f"c{number}", metadata={"tier": "gold"}) for number in range(3)]
    segment_id = new_segment(api, VIP)
    assert await facts.moves(db, project_id, segment_id) == {one: ["entered"] for one in ids}
    logged = api.call("GET", "/v1/customers/c0/activity", params={"type": "customer.segment.entered"})["data"]
    assert [one["data"]["event_source"] for one in logged] == [{"channel": "INTERNAL", "reason": "back_fill"}]


async def test_orders_and_events_move_customers_in_the_same_transaction(
    api: Any, db: Database, project_id: int
) -> None:
    spent = new_segment(api, where("summary.orders.total_amount", "$more_than", 100), name="Spent")
    wrote = new_segment(api, where("events.review_written.count", "$more_than_equal", 2), name="Wrote")
    window = new_segment(
        api,
        {"junction": "and", "events.review_written": {"conditions": {"$count_more": [1], "$less_than_ago": [90]}}},
        name="Wrote lately",
    )
    bought = new_segment(api, where("summary.orders.last_order_products", "$is", "MacBookAir"), name="Mac")
    customer_id = customer(api, "c")
    items = [{"product": {"name": "MacBookAir"}, "quantity": 1, "price": 101}]
    api.call("POST", "/v1/orders", {"source_id": "o", "status": "PAID", "customer": {"source_id": "c"}, "items": items})
    assert sorted(in_segments(api, "c")) == ["Mac", "Spent"]
    api.call("PUT", "/v1/orders/o", {"status": "CANCELED"})
    assert in_segments(api, "c") == []
    for expected in ([], ["Wrote", "Wrote lately"]):
        api.call("POST", "/v1/events", {"event": "review_written", "customer": {"source_id": "c"}})
        assert sorted(in_segments(api, "c")) == expected
    assert await facts.moves(db, project_id, spent) == {customer_id: ["entered", "left"]}
    assert await facts.moves(db, project_id, bought) == {customer_id: ["entered", "left"]}
    assert await facts.moves(db, project_id, wrote) == {customer_id: ["entered"]}
    assert await facts.moves(db, project_id, window) == {customer_id: ["entered"]}


@pytest.mark.parametrize(
    "conditions",
    [
        {"$after": ["2020-01-01"], "$count_more": [0]},
        {"$after": ["2020-01-01T12:00:00Z"]},
        {"$before": ["2999-01-01"], "$count": [1]},
        {"$after": ["2020-01-01"], "$before": ["2999-01-01T00:00:00Z"], "$less_than_ago": [1], "$has_value": [True]},
    ],
)
async def test_events_between_dates_move_customers(
    api: Any, db: Database, project_id: int, conditions: dict[str, Any]
) -> None:
    raw = {"junction": "and", "events.seen": {"conditions": conditions}}
    segment_id = new_segment(api, raw)
    api.call("POST", "/v1/events", {"event": "seen", "customer": {"source_id": "c"}})
    customer(api, "d")
    assert await facts.members(db, project_id, segment_id) == [api.call("GET", "/v1/customers/c")["id"]]
    assert await facts.members_by_sql(db, project_id, raw) == await facts.members(db, project_id, segment_id)


async def test_a_chain_of_segments_settles_in_one_write(api: Any, db: Database, project_id: int) -> None:
    first = new_segment(api, OSLO, name="1")
    not_first = new_segment(api, where("segments", "$is_not", first), name="not 1")
    second = new_segment(api, {**VIP, **where("segments", "$is", first)}, name="2")
    third = new_segment(api, where("segments.id", "$in", second), name="3")
    customer_id = customer(api, "c", address={"city": "Oslo"}, metadata={"tier": "gold"})
    assert in_segments(api, "c") == sorted(["1", "2", "3"], key={"1": first, "2": second, "3": third}.__getitem__)
    api.call("PUT", "/v1/customers/c", {"address": {"city": "", "country": ""}})
    assert in_segments(api, "c") == ["not 1"]
    types = await facts.log_types(db, project_id, customer_id)
    assert types == [
        "customer.created",
        *["customer.segment.entered"] * 3,
        "customer.updated",
        *["customer.segment.left"] * 3,
        "customer.segment.entered",
    ]
    for segment_id, expected in ((first, ["entered", "left"]), (third, ["entered", "left"]), (not_first, ["entered"])):
        assert await facts.moves(db, project_id, segment_id) == {customer_id: expected}


async def test_segments_of_a_static_segment_are_filled_in(api: Any, db: Database, project_id: int) -> None:
    ids = [customer(api, name, metadata={"tier": tier}) for name, tier in (("a", "gold"), ("b", "gold"), ("c", "tin"))]
    static = api.call("POST", "/v1/segments", {"name": "List", "customers": [ids[0], ids[2]]})["id"]
    both = new_segment(api, {**VIP, **where("segments", "$is", static)})
    assert await facts.members(db, project_id, both) == [ids[0]]


async def test_a_segment_is_exact_for_more_customers_than_one_batch(api: Any, db: Database, project_id: int) -> None:
    template = customer(api, "c0", metadata={"n": 0})
    await facts.multiply(db, project_id, template, 1200)
    raw = where("metadata.n", "$less_than", 700)
    segment_id = new_segment(api, raw)
    found = await facts.members(db, project_id, segment_id)
    assert len(found) == 700
    assert found == await facts.members_by_sql(db, project_id, raw)
    assert api.call("GET", "/v1/customers", params={"segment_id": segment_id})["total"] == 700
    assert await facts.log_types(db, project_id) == ["customer.created", *["customer.segment.entered"] * 700]


async def test_a_deleted_segment_is_gone_with_its_memberships(api: Any, db: Database, project_id: int) -> None:
    customer(api, "c", address={"city": "Oslo"})
    segment_id = new_segment(api, OSLO)
    before = await facts.log_types(db, project_id)
    assert api.call("DELETE", f"/v1/segments/{segment_id}", status=204) is None
    api.fails("GET", f"/v1/segments/{segment_id}", status=404, key="not_found")
    api.fails("DELETE", f"/v1/segments/{segment_id}", status=404, key="not_found")
    assert in_segments(api, "c") == []
    assert api.call("GET", "/v1/segments")["total"] == 0
    api.call("PUT", "/v1/customers/c", {"name": "Still works"})
    assert await facts.log_types(db, project_id) == [*before, "customer.updated"]
    while "segments" in await facts.counts(db, project_id):
        api.call("GET", "/v1/segments")
    assert "segment_members" not in await facts.counts(db, project_id)


def test_a_segment_that_another_one_names_cannot_be_deleted(api: Any) -> None:
    first = new_segment(api, OSLO)
    second = new_segment(api, where("segments", "$is", first))
    error = api.fails("DELETE", f"/v1/segments/{first}", status=409, key="resource_in_use")
    assert (error["resource_id"], error["resource_type"]) == (first, "segment")
    assert second in error["details"]
    assert api.call("GET", f"/v1/segments/{first}")["id"] == first
    api.call("DELETE", f"/v1/segments/{second}", status=204)
    api.call("DELETE", f"/v1/segments/{first}", status=204)


async def test_unknown_ids_are_404_and_make_no_segment(api: Any, db: Database, project_id: int) -> None:
    known = customer(api, "c")
    for body, kind, unknown in (
        ({"name": "S", "customers": [known, "cust_x"]}, "customer", "cust_x"),
        ({"name": "S", "customers": ["c"]}, "customer", "c"),
        ({"name": "S", "type": "auto-update", "filter": where("segments", "$is", "seg_x")}, "segment", "seg_x"),
    ):
        error = api.fails("POST", "/v1/segments", body, status=404, key="not_found")
        assert (error["resource_id"], error["resource_type"]) == (unknown, kind)
    error = api.fails("GET", "/v1/segments/seg_x", status=404, key="not_found")
    assert error["details"] == "Cannot find segment with id seg_x"
    api.fails("DELETE", "/v1/segments/seg_x", status=404, key="not_found")
    api.fails("GET", "/v1/customers/cust_x/segments", status=404, key="not_found")
    assert await facts.counts(db, project_id) == {"customers": 1, "activity": 1}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": ""},
        {"name": "x" * 256},
        {"name": "a\u0000b"},
        {"name": 5},
        {"type": "auto-update", "filter": OSLO},
        {"name": "S", "type": "auto-update"},
        {"name": "S", "type": "passive", "filter": None},
        {"name": "S", "type": "passive", "filter": {}},
        {"name": "S", "type": "passive", "filter": {"junction": "and"}},
        {"name": "S", "type": "passive", "filter": []},
        {"name": "S", "type": "dynamic", "filter": OSLO},
        {"name": "S", "type": None},
        {"name": "S", "filter": OSLO},
        {"name": "S", "type": "static", "filter": {}},
        {"name": "S", "type": "static", "filter": OSLO, "customers": ["cust_x"]},
        {"name": "S", "type": "passive", "filter": OSLO, "customers": ["cust_x"]},
        {"name": "S", "customers": "cust_x"},
        {"name": "S", "customers": [1]},
        {"name": "S", "customers": ["cust_x"] * 10_001},
    ],
)
async def test_a_segment_that_cannot_be_is_refused(
    api: Any, db: Database, project_id: int, body: dict[str, Any]
) -> None:
    api.fails("POST", "/v1/segments", body, status=400, key="invalid_payload")
    assert await facts.counts(db, project_id) == {}


def test_segments_are_listed_newest_first(api: Any) -> None:
    for name, kind in (("a", "static"), ("b", "passive"), ("c", "auto-update")):
        raw = {} if kind == "static" else {"filter": OSLO}
        api.call("POST", "/v1/segments", {"name": name, "type": kind, **raw})
    found = api.call("GET", "/v1/segments", params={"limit": 2})
    assert set(found) == {"object", "data_ref", "data", "total", "has_more"}
    assert (found["object"], found["data_ref"], found["total"], found["has_more"]) == ("list", "data", 3, True)
    assert [one["name"] for one in found["data"]] == ["c", "b"]
    oldest = api.call("GET", "/v1/segments", params={"order": "created_at"})
    assert [one["name"] for one in oldest["data"]] == ["a", "b", "c"]
    for bad in ({"limit": 0}, {"order": "name"}):
        api.fails("GET", "/v1/segments", params=bad, status=400, key="invalid_query_params")


def test_segments_of_a_name_may_be_several(api: Any) -> None:
    assert (
        api.call("POST", "/v1/segments", {"name": "S"})["id"] != api.call("POST", "/v1/segments", {"name": "S"})["id"]
    )
    assert api.call("GET", "/v1/segments", params={"name": "S"})["total"] == 2


def test_a_filter_that_a_list_does_not_know_is_refused_not_ignored(api: Any) -> None:
    query = {"filters[updated_by][conditions][$is][0]": "x"}
    api.fails("GET", "/v1/segments", status=400, key="invalid_query_params", params=query)


async def test_the_conditions_of_a_project_are_limited_in_all(api: Any, db: Database, project_id: int) -> None:
    first = new_segment(api, OSLO, name="First")
    async with db.read() as conn:
        await conn.execute("UPDATE segments SET conditions = 99999 WHERE project_id = $1", project_id)
    new_segment(api, OSLO, name="Second")
    error = api.fails(
        "POST", "/v1/segments", {"name": "S", "type": "passive", "filter": OSLO}, status=400, key="too_many_segments"
    )
    assert error["details"] == "The segments of a project may have 100000 conditions in all"
    api.call("DELETE", f"/v1/segments/{first}", status=204)
    new_segment(api, OSLO, name="Third")
