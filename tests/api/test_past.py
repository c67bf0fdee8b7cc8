"""Imports of orders and events of the past: what is written, what it adds up to, and who is not written to."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import bulk_requests as bulk
import facts
from rapport.core.clock import iso
from rapport.core.db import Database

ORDERS = "/v1/orders/import"
EVENTS = "/v1/events/import"
BUYERS = facts.where("summary.orders.total_amount", "$more_than", 100)


def days_ago(days: float) -> str:
    """Return a time in the past."""
    return iso(datetime.now(UTC) - timedelta(days=days))


def order(number: int, *, days: float, amount: int = 100, who: str = "ann", **more: Any) -> dict[str, Any]:
    """Return a paid order of a while ago."""
    customer = {"source_id": who}
    return {"source_id": f"o{number}", "status": "PAID", "amount": amount, "customer": customer,
            "created_at": days_ago(days), **more}  # fmt: skip


def event(name: str, *, days: float, who: str = "ann", **more: Any) -> dict[str, Any]:
    """Return an event of a while ago."""
    return {"event": name, "customer": {"source_id": who}, "created_at": days_ago(days), **more}


async def test_orders_are_brought_in_with_their_time_and_their_customers(
    api: Any, db: Database, project_id: int
) -> None:
    api.call("POST", "/v1/orders", {"source_id": "o0", "status": "PAID", "amount": 5, "customer": {"source_id": "ann"}})
    body = [
        order(1, days=30, customer={"source_id": "ann", "name": "Ann"}),
        order(2, days=3, amount=250, referrer={"source_id": "bob"}, metadata={"shop": "a", "n": 1.5}),
        order(3, days=20, status="CANCELED"),
        order(1, days=40),
        {"source_id": "o4", "items": facts.ITEMS},
        {"source_id": "o0", "metadata": {"more": True}},
    ]
    action = bulk.run(api, ORDERS, body)
    assert (action["type"], action["status"]) == ("ORDERS.IMPORT", "DONE")
    result = action["result"]
    assert (result["done_count"], result["failed_count"]) == (6, 0)
    assert (result["message"], "failed" in result) == ("6 of 6 done, 0 failed", False)
    assert [(one["found"], one["updated"]) for one in bulk.items(api, action)] == [
        (False, True),
        (False, True),
        (False, True),
        (True, True),
        (False, True),
        (True, True),
    ]
    assert api.call("GET", "/v1/orders/o1")["created_at"] == body[3]["created_at"]
    stored = api.call("GET", "/v1/orders/o2")
    assert (stored["created_at"], stored["total_amount"]) == (body[1]["created_at"], 250)
    assert stored["metadata"] == {"shop": "a", "n": 1.5}
    ann = api.call("GET", "/v1/customers/ann")
    assert ann["name"] == "Ann"
    summary = ann["summary"]["orders"]
    assert (summary["total_count"], summary["total_amount"], summary["last_order_amount"]) == (3, 355, 5)
    assert await facts.wrong_summaries(db, project_id) == []
    assert api.call("GET", "/v1/customers")["total"] == 2


async def test_an_order_that_is_bad_fails_alone(api: Any, db: Database, project_id: int) -> None:
    body = [
        order(1, days=3),
        order(2, days=3, customer={"id": "cust_none"}),
        {"id": "ord_none", "amount": 1},
        order(3, days=3, status="LOST"),
        order(4, days=3, created_at="yesterday"),
        order(5, days=3, discount_amount=500),
        order(6, days=3, customer={}),
        order(7, days=3),
    ]
    action = bulk.run(api, ORDERS, body)
    assert [one["error"]["details"] if "error" in one else "" for one in bulk.items(api, action)] == [
        "",
        "Cannot find customer with id cust_none",
        "Cannot find order with id ord_none",
        "Property .status: Invalid enum value 'LOST'",
        "Property .created_at should be a date-time in ISO 8601 format",
        "Property .discount_amount is more than the order's amount",
        "Property .customer should have id or source_id",
        "",
    ]
    result = action["result"]
    assert (result["done_count"], result["failed_count"], result["message"]) == (2, 6, "2 of 8 done, 6 failed")
    assert result["failed"] == {"source_id": "o2", "reason": "Cannot find customer with id cust_none"}
    assert (await facts.counts(db, project_id))["orders"] == 2
    assert await facts.wrong_summaries(db, project_id) == []


async def test_events_are_brought_in_late_and_count_when_they_happened(api: Any, db: Database, project_id: int) -> None:
    live = api.call("POST", "/v1/events", {"event": "seen", "customer": {"source_id": "ann"}})
    body = [event("seen", days=40), event("seen", days=2), event("seen", days=900), event("liked", days=5, who="bob")]
    action = bulk.run(api, EVENTS, body)
    assert (action["type"], action["result"]["done_count"]) == ("EVENTS.IMPORT", 4)
    ann = api.call("GET", "/v1/customers/ann")["events"]
    assert ann == {"seen": {"count": 4, "first_at": body[2]["created_at"], "last_at": live["created_at"]}}
    bob = api.call("GET", "/v1/customers/bob")["events"]
    assert bob == {"liked": {"count": 1, "first_at": body[3]["created_at"], "last_at": body[3]["created_at"]}}
    async with db.read() as conn:
        rows = await conn.fetch("SELECT created_at FROM events WHERE project_id = $1 AND name = 'seen'", project_id)
    assert {iso(row["created_at"]) for row in rows} == {live["created_at"], *(one["created_at"] for one in body[:3])}


async def test_an_event_with_an_id_is_brought_in_once(api: Any, db: Database, project_id: int) -> None:
    body = [event("seen", days=number, id=f"e{number}", metadata={"n": number}) for number in range(1, 4)]
    first = bulk.run(api, EVENTS, [*body, body[0]])
    before = api.call("GET", "/v1/customers/ann")
    named_otherwise = [{**body[0], "customer": {"id": before["id"]}}, {**body[1], "customer": {"source_id": "bob"}}]
    second = bulk.run(api, EVENTS, [*body, *named_otherwise])
    assert [one["updated"] for one in bulk.items(api, first)] == [True, True, True, False]
    assert [(one["found"], one["updated"]) for one in bulk.items(api, second)] == [(True, False)] * 4 + [(False, True)]
    third = bulk.run(api, EVENTS, [*body, {**body[0], "customer": {"source_id": "ann", "name": "Old name"}}])
    assert [(one["found"], one["updated"]) for one in bulk.items(api, third)] == [(True, False)] * 4
    assert api.call("GET", "/v1/customers/ann") == before
    assert before["events"]["seen"]["count"] == 3
    assert (await facts.counts(db, project_id))["events"] == 4


def test_an_event_that_is_bad_fails_alone(api: Any) -> None:
    body = [
        event("seen", days=-1),
        event("seen", days=1, created_at="soon"),
        event("seen", days=1, created_at="1969-12-31"),
        event("seen", days=1, id="x", created_at=None),
        event("seen", days=1, customer={}),
        event("", days=1),
        event("seen", days=1, customer={"id": "cust_none"}),
        event("seen", days=1),
    ]
    action = bulk.run(api, EVENTS, body)
    assert [one["error"]["details"] if "error" in one else "" for one in bulk.items(api, action)] == [
        "Property .created_at should not be in the future",
        "Property .created_at should be a date-time in ISO 8601 format",
        "Property .created_at should not be before 1970",
        "Missing required property .created_at: an event that has an id has a time",
        "Property .customer should have id or source_id",
        "Property .event: Expected `str` of length >= 1",
        "Cannot find customer with id cust_none",
        "",
    ]
    assert api.call("GET", "/v1/customers/ann")["events"]["seen"]["count"] == 1


def test_lines_are_read_each_by_itself(api: Any) -> None:
    action = bulk.run_lines(api, ORDERS, order(1, days=1), "{oops", "", order(2, days=2), "[1]")
    assert (action["result"]["done_count"], action["result"]["failed_count"]) == (2, 2)
    assert [one["number"] for one in bulk.items(api, action) if one["status"] == "FAILED"] == [2, 4]
    action = bulk.run_lines(api, EVENTS, event("seen", days=1), "5", event("seen", days=2))
    assert (action["result"]["done_count"], action["result"]["failed_count"]) == (2, 1)
    assert api.call("GET", "/v1/customers/ann")["events"]["seen"]["count"] == 2


@pytest.mark.parametrize(("path", "most"), [(ORDERS, 2_000), (EVENTS, 10_000)])
def test_an_import_has_its_limit(api: Any, path: str, most: int) -> None:
    error = api.fails("POST", path, [{}] * (most + 1), status=400, key="invalid_payload")
    assert error["details"].startswith(f"A request may have 1 to {most} ")
    api.fails("POST", path, [], status=400, key="invalid_payload")
    api.fails("POST", path, {}, status=400, key="invalid_payload")
    api.fails("POST", path, [{}], status=400, key="invalid_query_params", params={"segment_events": "maybe"})


def in_last(days: int, source: str = "orders", **conditions: Any) -> dict[str, Any]:
    """Return a filter of a window."""
    return {"junction": "and", source: {"conditions": {**conditions, "$less_than_ago": [days]}}}


async def test_segments_are_right_when_many_things_of_one_customer_come_at_once(
    api: Any, db: Database, project_id: int
) -> None:
    """Three at once pass over two: who was in the segment for exactly three leaves it, though five are not six."""
    filters = [
        *(in_last(30, **{"$count": [number]}) for number in (1, 2, 3, 4, 6)),
        in_last(30, **{"$count_less": [4]}),
        in_last(30, **{"$sum_more_than_equal": [450]}),
        *(in_last(30, "events.seen", **{"$count": [number]}) for number in (1, 3, 4, 6)),
        facts.where("summary.orders.total_count", "$more_than", 3),
        # The only one that looks at these: no greater number makes the probe look further down.
        in_last(30, "events.liked", **{"$count": [3]}),
    ]
    segments = [facts.new_segment(api, one, name=f"S{number}") for number, one in enumerate(filters)]
    for first, last in ((0, 3), (3, 6), (6, 7)):
        orders = [order(number, days=number + 0.5) for number in range(first, last)]
        bulk.run(api, ORDERS, [*orders, order(100 + first, days=5, who="bob"), order(200 + first, days=50)])
        seen = [event("seen", days=number + 0.5) for number in range(first, last)]
        bulk.run(api, EVENTS, [*seen, *(event("liked", days=20.5 - number) for number in range(first, last))])
        for segment_id, raw in zip(segments, filters, strict=True):
            await facts.assert_exact(db, project_id, segment_id, raw)
    assert await facts.wrong_summaries(db, project_id) == []
    ann = api.call("GET", "/v1/customers/ann")["id"]
    assert (await facts.moves(db, project_id, segments[2]))[ann] == ["entered", "left"]


def distribution(api: Any, trigger: dict[str, Any]) -> dict[str, Any]:
    """Make an active distribution."""
    message = {"subject": "Hello", "text": "Hello"}
    body = {"name": str(trigger), "trigger": trigger, "channel": "email", "message": message, "active": True}
    made: dict[str, Any] = api.call("POST", "/v1/distributions", body)
    return made


@pytest.mark.parametrize("segment_events", [False, True])
async def test_history_sends_no_messages_unless_asked(
    api: Any, db: Database, project_id: int, segment_events: bool
) -> None:
    segment_id = facts.new_segment(api, BUYERS)
    to_buyers = distribution(api, {"type": "customer.segment.entered", "segment_id": segment_id})
    to_viewers = distribution(api, {"type": "customer.custom_event", "event": "seen"})
    options = {"params": {"segment_events": "true"}} if segment_events else {}
    bulk.run(api, ORDERS, [order(1, days=9, amount=500)], **options)
    bulk.run(api, EVENTS, [event("seen", days=9)], **options)
    api.call("POST", "/v1/orders", order(2, days=0, amount=500, who="live"))
    api.call("POST", "/v1/events", {"event": "seen", "customer": {"source_id": "live"}})
    ann, live = (api.call("GET", f"/v1/customers/{one}")["id"] for one in ("ann", "live"))

    def reached(one: dict[str, Any]) -> list[str]:
        found = api.call("GET", f"/v1/distributions/{one['id']}/messages", params={"order": "created_at"})["data"]
        return [message["customer_id"] for message in found]

    bulk.harness.wait_for(lambda: live in reached(to_viewers), what="the message to the viewer")
    bulk.harness.wait_for(lambda: live in reached(to_buyers), what="the message to the buyer")
    assert reached(to_viewers) == [live]
    assert reached(to_buyers) == ([ann, live] if segment_events else [live])
    logged = api.call("GET", "/v1/customers/ann/activity", params={"order": "created_at"})["data"]
    told = [one for one in logged if not one["type"].startswith("customer.email.")]
    reasons = {one["type"]: one["data"]["event_source"].get("reason") for one in told}
    assert reasons == {
        "customer.created": "import",
        "customer.order.created": "import",
        "customer.order.paid": "import",
        "customer.custom_event": "import",
        "customer.segment.entered": None if segment_events else "import",
    }
    await facts.assert_exact(db, project_id, segment_id, BUYERS)
