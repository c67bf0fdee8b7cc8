"""Who was in which segment when: now, at any past moment, and every entering and leaving."""

from datetime import datetime, timedelta
from typing import Any

import pytest

import facts
from facts import new_segment, where
from rapport.core.clock import iso
from rapport.core.db import Database

OSLO = where("address.city", "$is", "Oslo")


def customer(api: Any, source_id: str, **more: Any) -> str:
    """Save a customer and return the id."""
    return str(api.call("POST", "/v1/customers", {"source_id": source_id, **more})["id"])


def move(api: Any, source_id: str, city: str) -> None:
    """Have a customer live somewhere else."""
    api.call("PUT", f"/v1/customers/{source_id}", {"address": {"city": city}})


def names(api: Any, reference: str, **params: Any) -> list[str]:
    """Return the names of a customer's segments."""
    found = api.call("GET", f"/v1/customers/{reference}/segments", params=params)
    assert (found["object"], found["data_ref"], found["total"]) == ("list", "data", len(found["data"]))
    return [one["name"] for one in found["data"]]


def members(api: Any, segment_id: str, **params: Any) -> list[str]:
    """Return the ids of a segment's customers, by all pages."""
    ids: list[str] = []
    while True:
        found = api.call(
            "GET", f"/v1/segments/{segment_id}/customers", params={**params, "page": 1 + len(ids) // 2, "limit": 2}
        )
        assert (found["object"], found["data_ref"]) == ("list", "customers")
        ids += [one["id"] for one in found["customers"]]
        if not found["has_more"]:
            assert found["total"] == len(ids)
            return ids


async def moment(db: Database) -> str:
    """Return the time between what was done and what is done next."""
    async with db.read() as conn:
        await conn.execute("SELECT pg_sleep(0.005)")
        now = await facts.now_of(conn, db)
        await conn.execute("SELECT pg_sleep(0.005)")
    return iso(now)


async def test_membership_as_of_any_past_moment(api: Any, db: Database) -> None:
    oslo = new_segment(api, OSLO, name="Oslo")
    ann, bob, eve = (customer(api, one) for one in ("ann", "bob", "eve"))
    listed = api.call("POST", "/v1/segments", {"name": "List", "customers": [bob]})["id"]
    before = await moment(db)
    move(api, "ann", "Oslo")
    move(api, "bob", "Oslo")
    one = await moment(db)
    move(api, "ann", "Rome")
    two = await moment(db)
    move(api, "ann", "Oslo")
    api.call("DELETE", f"/v1/segments/{listed}/customers", {"customers": [bob]})
    now = await moment(db)
    assert [names(api, "ann", at=at) for at in (before, one, two, now)] == [[], ["Oslo"], [], ["Oslo"]]
    assert [names(api, "bob", at=at) for at in (before, one, now)] == [["List"], ["List", "Oslo"], ["Oslo"]]
    assert [names(api, reference) for reference in ("ann", "bob", "eve")] == [["Oslo"], ["Oslo"], []]
    assert [members(api, oslo, at=at) for at in (before, one, two, now)] == [
        [],
        sorted([ann, bob]),
        [bob],
        sorted([ann, bob]),
    ]
    assert members(api, oslo) == sorted([ann, bob])
    assert [members(api, listed, at=at) for at in (before, now)] == [[bob], []]
    assert eve not in members(api, oslo)


async def test_the_moment_of_entering_is_in_and_that_of_leaving_is_out(api: Any) -> None:
    segment_id = new_segment(api, OSLO)
    customer_id = customer(api, "c", address={"city": "Oslo"})
    move(api, "c", "Rome")
    (stay,) = api.call("GET", "/v1/customers/c/segments/history")["data"]
    entered, left = (datetime.fromisoformat(stay[name]) for name in ("entered_at", "left_at"))
    second = timedelta(milliseconds=1)
    for at, expected in (
        (entered - second, []),
        (entered, [customer_id]),
        (left - second, [customer_id] if left > entered else []),
        (left, []),
    ):
        assert members(api, segment_id, at=iso(at)) == expected


def test_a_customers_history_has_every_stay_the_latest_first(api: Any) -> None:
    oslo = new_segment(api, OSLO, name="Oslo")
    gone = new_segment(api, where("name", "$is", "Ann"), name="Ann", kind="passive")
    customer(api, "ann", name="Ann", address={"city": "Oslo"})
    move(api, "ann", "Rome")
    move(api, "ann", "Oslo")
    found = api.call("GET", "/v1/customers/ann/segments/history")
    assert (found["object"], found["data_ref"], found["total"], found["has_more"]) == ("list", "data", 3, False)
    assert [(one["segment"]["name"], one["left_at"] is None) for one in found["data"]] in (
        [("Oslo", True), ("Oslo", False), ("Ann", True)],
        [("Oslo", True), ("Ann", True), ("Oslo", False)],
    )
    latest = found["data"][0]
    assert latest == {
        "segment": {"id": oslo, "name": "Oslo", "type": "auto-update", "object": "segment"},
        "entered_at": api.call("GET", "/v1/customers/ann/segments")["data"][-1]["entered_at"],
        "left_at": None,
        "object": "segment_stay",
    }
    api.call("DELETE", f"/v1/segments/{gone}", status=204)
    page = api.call("GET", "/v1/customers/ann/segments/history", params={"limit": 1, "page": 2, "order": "entered_at"})
    assert (page["total"], page["has_more"], page["data"]) == (2, False, [latest])
    after = {"start_date": latest["entered_at"]}
    assert api.call("GET", "/v1/customers/ann/segments/history", params=after)["data"] == [latest]


def test_a_segments_history_has_every_entering_and_leaving_newest_first(api: Any) -> None:
    segment_id = new_segment(api, OSLO)
    ann, bob = (customer(api, one, address={"city": "Oslo"}) for one in ("ann", "bob"))
    move(api, "ann", "Rome")
    move(api, "ann", "Oslo")
    api.call("DELETE", "/v1/customers/bob", status=204)
    path = f"/v1/segments/{segment_id}/history"
    found = api.call("GET", path)
    assert (found["total"], found["has_more"]) == (5, False)
    assert [(one["type"], one["customer"]["id"]) for one in found["data"]] == [
        ("left", bob),
        ("entered", ann),
        ("left", ann),
        ("entered", bob),
        ("entered", ann),
    ]
    assert found["data"][0]["customer"] == {"id": bob, "object": "customer"}
    ann_now = {"id": ann, "source_id": "ann", "metadata": {}, "object": "customer"}
    assert found["data"][1] == {
        "type": "entered",
        "at": api.call("GET", "/v1/customers/ann/segments")["data"][0]["entered_at"],
        "customer": ann_now,
        "object": "segment_move",
    }
    pages = [api.call("GET", path, params={"limit": 2, "page": page}) for page in (1, 2, 3)]
    assert [one for page in pages for one in page["data"]] == found["data"]
    assert [page["has_more"] for page in pages] == [True, True, False]
    oldest = api.call("GET", path, params={"order": "at", "end_date": found["data"][-1]["at"]})["data"]
    assert oldest[0] == found["data"][-1]
    (member,) = api.call("GET", f"/v1/segments/{segment_id}/customers")["customers"]
    assert member == {**ann_now, "entered_at": found["data"][1]["at"]}


@pytest.mark.parametrize("value", ["soon", "2026-13-01T00:00:00Z", "2026-01-31", "2999-01-01T00:00:00Z", "\u0000", "T"])
def test_a_moment_that_is_none_or_still_to_come_is_refused(api: Any, value: str) -> None:
    segment_id = new_segment(api, OSLO)
    customer(api, "c")
    for path in ("/v1/customers/c/segments", f"/v1/segments/{segment_id}/customers"):
        error = api.fails("GET", path, status=400, key="invalid_query_params", params={"at": value})
        assert error["details"].startswith("Query param at ")


def test_nobody_was_in_a_segment_before_there_was_one(api: Any) -> None:
    customer(api, "c", address={"city": "Oslo"})
    segment_id = new_segment(api, OSLO, name="Oslo")
    assert members(api, segment_id, at="2020-01-01T00:00:00+01:00") == []
    assert names(api, "c", at="2020-01-01T00:00:00Z") == []
    assert names(api, "c") == ["Oslo"]


def test_unknown_segments_and_customers_are_404(api: Any) -> None:
    for path in (
        "/v1/segments/seg_x/customers",
        "/v1/segments/seg_x/history",
        "/v1/customers/cust_x/segments",
        "/v1/customers/cust_x/segments/history",
    ):
        api.fails("GET", path, status=404, key="not_found")


def test_the_orders_and_pages_of_these_lists_have_their_limits(api: Any) -> None:
    segment_id = new_segment(api, OSLO)
    customer(api, "c")
    for path in (
        f"/v1/segments/{segment_id}/customers",
        f"/v1/segments/{segment_id}/history",
        "/v1/customers/c/segments/history",
    ):
        for bad in ({"limit": 0}, {"limit": 101}, {"page": 1001}, {"order": "name"}):
            api.fails("GET", path, params=bad, status=400, key="invalid_query_params")
