from typing import Any

import pytest

import facts
from rapport.core.db import Database

BOB = {"source_id": "bob", "name": "Bob", "email": "bob@example.com", "metadata": {"tier": "gold"}}


def test_an_event_is_answered_with_its_customer(api: Any) -> None:
    answer = api.call(
        "POST", "/v1/events", {"event": "review_written", "customer": BOB, "metadata": {"stars": 5, "tags": ["a"]}}
    )
    customer = api.call("GET", "/v1/customers/bob")
    assert answer == {
        "object": "event",
        "type": "review_written",
        "customer": {**BOB, "id": customer["id"], "object": "customer"},
        "referral": None,
        "loyalty": None,
        "metadata": {"stars": 5, "tags": ["a"]},
        "id": answer["id"],
        "created_at": answer["created_at"],
    }
    assert customer["events"] == {
        "review_written": {"count": 1, "first_at": answer["created_at"], "last_at": answer["created_at"]}
    }


async def test_an_unknown_customer_is_created_and_a_known_one_updated(api: Any, db: Database, project_id: int) -> None:
    api.call("POST", "/v1/events", {"event": "seen", "customer": {"source_id": "bob"}})
    api.call("POST", "/v1/events", {"event": "seen", "customer": BOB})
    api.call("POST", "/v1/events", {"event": "seen", "customer": BOB})
    assert api.call("GET", "/v1/customers/bob")["name"] == "Bob"
    assert await facts.log_types(db, project_id) == [
        "customer.created",
        "customer.custom_event",
        "customer.updated",
        "customer.custom_event",
        "customer.custom_event",
    ]
    assert await facts.counts(db, project_id) == {"customers": 1, "events": 3, "activity": 5}


async def test_events_are_counted_by_name_and_kept_with_their_metadata(api: Any, db: Database, project_id: int) -> None:
    answers = [
        api.call("POST", "/v1/events", {"event": name, "customer": {"source_id": "bob"}, "metadata": {"n": number}})
        for number, name in enumerate(["liked", "Liked", "liked", "watched a video. twice", "liked"])
    ]
    events = api.call("GET", "/v1/customers/bob")["events"]
    assert {name: one["count"] for name, one in events.items()} == {"liked": 3, "Liked": 1, "watched a video. twice": 1}
    assert events["liked"]["first_at"] == answers[0]["created_at"]
    assert events["liked"]["last_at"] == answers[4]["created_at"]
    async with db.read() as conn:
        rows = await conn.fetch("SELECT id, name, metadata FROM events WHERE project_id = $1", project_id)
    assert {(row["id"], row["name"], row["metadata"]["n"]) for row in rows} == {
        (one["id"], one["type"], number) for number, one in enumerate(answers)
    }


def test_an_event_of_a_customer_named_by_id(api: Any) -> None:
    customer = api.call("POST", "/v1/customers", {"name": "No source id"})
    api.call("POST", "/v1/events", {"event": "seen", "customer": {"id": customer["id"]}})
    assert api.call("GET", f"/v1/customers/{customer['id']}")["events"]["seen"]["count"] == 1


async def test_an_event_of_an_unknown_id_is_404(api: Any, db: Database, project_id: int) -> None:
    error = api.fails(
        "POST", "/v1/events", {"event": "seen", "customer": {"id": "cust_x"}}, status=404, key="not_found"
    )
    assert error["details"] == "Cannot find customer with id cust_x"
    assert await facts.counts(db, project_id) == {}


def test_what_the_log_says_of_an_event(api: Any) -> None:
    answer = api.call("POST", "/v1/events", {"event": "seen", "customer": BOB, "metadata": {"page": "home"}})
    logged = api.call("GET", "/v1/customers/bob/activity", params={"type": "customer.custom_event"})["data"]
    assert len(logged) == 1
    assert logged[0]["data"]["data"] == {
        "event": answer,
        "event_schema": {"name": "seen"},
        "customer": answer["customer"],
        "referral": None,
        "loyalty": None,
    }


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"event": "seen"},
        {"customer": BOB},
        {"event": "", "customer": BOB},
        {"event": "x" * 301, "customer": BOB},
        {"event": 5, "customer": BOB},
        {"event": None, "customer": BOB},
        {"event": "a\u0000b", "customer": BOB},
        {"event": "seen", "customer": {}},
        {"event": "seen", "customer": None},
        {"event": "seen", "customer": "bob"},
        {"event": "seen", "customer": BOB, "metadata": []},
        {"event": "seen", "customer": BOB, "metadata": "x"},
        {"event": "seen", "customer": {"source_id": "bob", "birthdate": "31.01.2026"}},
    ],
)
async def test_an_event_that_cannot_be_is_refused_whole(
    api: Any, db: Database, project_id: int, body: dict[str, Any]
) -> None:
    api.fails("POST", "/v1/events", body, status=400, key="invalid_payload")
    assert await facts.counts(db, project_id) == {}


async def test_a_customer_may_have_five_hundred_names_of_events(api: Any, db: Database, project_id: int) -> None:
    customer = api.call("POST", "/v1/events", {"event": "e0", "customer": BOB})["customer"]
    at = "2026-01-01T00:00:00.000Z"
    events = {f"e{number}": {"count": 1, "first_at": at, "last_at": at} for number in range(500)}
    async with db.read() as conn:
        await conn.execute(
            "UPDATE customers SET events = $3 WHERE project_id = $1 AND id = $2", project_id, customer["id"], events
        )
    before = await facts.counts(db, project_id)
    api.fails("POST", "/v1/events", {"event": "one more", "customer": BOB}, status=400, key="invalid_payload")
    assert await facts.counts(db, project_id) == before
    api.call("POST", "/v1/events", {"event": "e7", "customer": BOB})
    assert api.call("GET", "/v1/customers/bob")["events"]["e7"]["count"] == 2
