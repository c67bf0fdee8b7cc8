"""Evidence: why a customer is in a segment or is not, since when, and until when if nothing else happens."""

from datetime import datetime, timedelta
from typing import Any

import facts
from facts import new_segment, where
from rapport.core.clock import iso, parse_instant
from rapport.core.db import Connection, Database

OSLO = where("address.city", "$is", "Oslo")
DAY = timedelta(days=1)
MILLISECOND = timedelta(milliseconds=1)
WHAT = ("member", "matches", "filter", "history")
WHEN = ("since", "enters_at", "leaves_at", "evaluated_at")


def customer(api: Any, source_id: str, **more: Any) -> Any:
    """Save a customer and return the object."""
    return api.call("POST", "/v1/customers", {"source_id": source_id, **more})


def evidence(api: Any, segment_id: str, reference: str = "c") -> Any:
    """Return why a customer is in a segment."""
    return api.call("GET", f"/v1/customers/{reference}/segments/{segment_id}")


def after(text: str, span: timedelta) -> str:
    """Return the moment a span after another, as the API writes it."""
    return iso(parse_instant(text) + span)


def test_why_a_customer_is_in_a_segment(api: Any) -> None:
    tier = where("metadata.tier", "$in", "gold", "silver")
    known = {**tier, "email": {"conditions": {"$is_unknown": True}}, "junction": "or"}
    raw = {**OSLO, "groups": [known]}
    segment_id = new_segment(api, raw, name="Good")
    made = customer(api, "c", name="Ann", address={"city": "Oslo"}, metadata={"tier": "gold"}, email="a@example.com")
    found = evidence(api, segment_id)
    assert set(found) == {*WHAT, *WHEN, "object", "segment", "customer"}
    assert found["object"] == "segment_evidence"
    assert found["segment"] == {"id": segment_id, "name": "Good", "type": "auto-update", "object": "segment"}
    assert (found["customer"]["id"], found["customer"]["name"]) == (made["id"], "Ann")
    assert (found["member"], found["matches"], found["leaves_at"], found["enters_at"]) == (True, True, None, None)
    entered_at = api.call("GET", "/v1/customers/c/segments")["data"][0]["entered_at"]
    assert found["since"] == entered_at
    assert found["history"] == [{"entered_at": entered_at, "left_at": None}]
    # Stored as JSON, the keys of an object are in the order of their length.
    tier_leaf = {
        "field": "metadata.tier",
        "operator": "$in",
        "operands": ["gold", "silver"],
        "values": ["gold"],
        "matches": True,
    }
    email_leaf = {
        "field": "email",
        "operator": "$is_unknown",
        "operands": [True],
        "values": ["a@example.com"],
        "matches": False,
    }
    city_leaf = {
        "field": "address.city",
        "operator": "$is",
        "operands": ["Oslo"],
        "values": ["Oslo"],
        "matches": True,
    }
    assert found["filter"] == {
        "junction": "and",
        "matches": True,
        "conditions": [{"junction": "or", "matches": True, "conditions": [email_leaf, tier_leaf]}, city_leaf],
    }


def test_why_not(api: Any) -> None:
    segment_id = new_segment(api, {**OSLO, **where("metadata.gender", "$is_not", "female")})
    customer(api, "c", address={"city": "Rome"})
    found = evidence(api, segment_id)
    assert (found["member"], found["matches"], found["since"], found["history"]) == (False, False, None, [])
    assert [(one["field"], one["values"], one["matches"]) for one in found["filter"]["conditions"]] == [
        ("address.city", ["Rome"], False),
        ("metadata.gender", [], True),
    ]
    assert found["filter"]["matches"] is False


def test_since_when_and_every_stay(api: Any) -> None:
    segment_id = new_segment(api, OSLO)
    customer(api, "c")
    for city in ("Oslo", "Rome", "Oslo", "Rome"):
        api.call("PUT", "/v1/customers/c", {"address": {"city": city}})
    found = evidence(api, segment_id)
    assert (found["member"], len(found["history"])) == (False, 2)
    assert found["since"] == found["history"][0]["left_at"]
    assert found["history"][0]["entered_at"] >= found["history"][1]["left_at"]
    api.call("PUT", "/v1/customers/c", {"address": {"city": "Oslo"}})
    again = evidence(api, segment_id)
    assert (again["since"], again["history"][1:]) == (again["history"][0]["entered_at"], found["history"])
    assert again["history"][0]["left_at"] is None


def test_when_a_member_will_leave(api: Any) -> None:
    segment_id = new_segment(api, where("created_at", "$less_than_ago", 30))
    made = customer(api, "c")
    found = evidence(api, segment_id)
    assert (found["member"], found["enters_at"]) == (True, None)
    assert found["leaves_at"] == after(made["created_at"], 30 * DAY)


def test_when_somebody_will_enter(api: Any) -> None:
    segment_id = new_segment(api, where("created_at", "$more_than_ago", 10))
    made = customer(api, "c")
    found = evidence(api, segment_id)
    assert (found["member"], found["leaves_at"]) == (False, None)
    assert found["enters_at"] == after(made["created_at"], 10 * DAY + MILLISECOND)


def test_the_first_moment_at_which_the_whole_turns_not_a_part_of_it(api: Any) -> None:
    raw = {
        "junction": "or",
        "created_at": {"conditions": {"$less_than_ago": [5]}},
        "metadata.until": {"conditions": {"$more_than_future": [0]}},
    }
    segment_id = new_segment(api, raw)
    made = customer(api, "c", metadata={"until": "2100-01-31T12:00:00.000Z"})
    assert evidence(api, segment_id)["leaves_at"] == "2100-01-31T12:00:00.000Z"
    api.call("PUT", "/v1/customers/c", {"metadata": {"until": "2020-01-31"}})
    assert evidence(api, segment_id)["leaves_at"] == after(made["created_at"], 5 * DAY)


def test_who_leaves_a_segment_leaves_with_it_those_that_name_it(api: Any) -> None:
    first = new_segment(api, where("created_at", "$less_than_ago", 7))
    second = new_segment(api, {**OSLO, **where("segments", "$is", first)})
    third = new_segment(api, where("segments", "$is_not", second))
    made = customer(api, "c", address={"city": "Oslo"})
    week_later = after(made["created_at"], 7 * DAY)
    assert evidence(api, second)["leaves_at"] == week_later
    assert evidence(api, third)["enters_at"] == week_later
    leaf = evidence(api, third)["filter"]["conditions"][0]
    assert (leaf["field"], leaf["operands"], leaf["values"], leaf["matches"]) == ("segments", [second], [second], False)


def test_the_events_and_orders_that_were_counted_are_seen_and_leave_the_window(api: Any) -> None:
    wrote = new_segment(api, {"events.review_written": {"conditions": {"$count_more": [1], "$less_than_ago": [90]}}})
    spent = new_segment(api, {"orders": {"conditions": {"$sum_more_than_equal": [150], "$less_than_ago": [30]}}})
    for _ in range(2):
        api.call("POST", "/v1/events", {"event": "review_written", "customer": {"source_id": "c"}})
    for amount in (100, 60):
        api.call("POST", "/v1/orders", {"status": "PAID", "amount": amount, "customer": {"source_id": "c"}})
    found = evidence(api, wrote)
    assert found["filter"]["conditions"][0]["values"] == [{"count": 2}]
    events = api.call("GET", "/v1/customers/c")["events"]["review_written"]
    assert found["leaves_at"] == after(events["first_at"], 90 * DAY)
    found = evidence(api, spent)
    assert found["filter"]["conditions"][0]["values"] == [{"count": 2, "sum": 160}]
    oldest = min(one["created_at"] for one in api.call("GET", "/v1/orders")["orders"])
    assert found["leaves_at"] == after(oldest, 30 * DAY)


async def test_what_is_dated_ahead_is_foreseen(api: Any, db: Database, project_id: int) -> None:
    segment_id = new_segment(api, {"events.seen": {"conditions": {"$count": [1]}}})
    for _ in range(2):
        api.call("POST", "/v1/events", {"event": "seen", "customer": {"source_id": "c"}})

    async def ahead(conn: Connection) -> None:
        await conn.execute(
            "UPDATE events SET created_at = '2100-01-01' WHERE project_id = $1 "
            "AND id = (SELECT max(id) FROM events WHERE project_id = $1)",
            project_id,
        )

    await db.transaction(ahead)
    found = evidence(api, segment_id)
    assert (found["matches"], found["member"]) == (True, False)
    assert found["enters_at"] == found["evaluated_at"]
    assert found["filter"]["conditions"][0]["values"] == [{"count": 1}]


def test_evidence_of_static_and_passive_segments(api: Any) -> None:
    made = customer(api, "c", address={"city": "Oslo"})
    static = api.call("POST", "/v1/segments", {"name": "L", "customers": [made["id"]]})["id"]
    passive = new_segment(api, OSLO, kind="passive")
    found = evidence(api, static)
    assert (found["member"], found["matches"], found["filter"]) == (True, True, None)
    assert (found["enters_at"], found["leaves_at"]) == (None, None)
    assert found["since"] == found["history"][0]["entered_at"]
    api.call("DELETE", f"/v1/segments/{static}/customers", {"customers": [made["id"]]})
    found = evidence(api, static)
    assert (found["member"], found["matches"], found["since"]) == (False, False, found["history"][0]["left_at"])
    found = evidence(api, passive)
    assert (found["member"], found["matches"], found["segment"]["type"]) == (True, True, "passive")


async def test_a_member_against_the_filter_is_shown_as_such(api: Any, db: Database, project_id: int) -> None:
    segment_id = new_segment(api, OSLO)
    customer(api, "c", address={"city": "Oslo"})
    async with db.read() as conn:
        await conn.execute("DELETE FROM segment_members WHERE project_id = $1", project_id)
    found = evidence(api, segment_id)
    assert (found["member"], found["matches"], found["enters_at"]) == (False, True, found["evaluated_at"])


def test_evidence_of_nobody_and_of_no_segment_is_404(api: Any) -> None:
    segment_id = new_segment(api, OSLO)
    customer(api, "c")
    error = api.fails("GET", f"/v1/customers/cust_x/segments/{segment_id}", status=404, key="not_found")
    assert error["resource_type"] == "customer"
    error = api.fails("GET", "/v1/customers/c/segments/seg_x", status=404, key="not_found")
    assert error["resource_type"] == "segment"
    api.call("DELETE", f"/v1/segments/{segment_id}", status=204)
    api.fails("GET", f"/v1/customers/c/segments/{segment_id}", status=404, key="not_found")


def test_evidence_is_as_of_the_moment_it_names(api: Any) -> None:
    segment_id = new_segment(api, where("created_at", "$less_than_ago", 1))
    made = customer(api, "c")
    found = evidence(api, segment_id)
    assert datetime.fromisoformat(found["evaluated_at"]) >= datetime.fromisoformat(made["created_at"])
    facts.wait_until_filled(api, segment_id)
