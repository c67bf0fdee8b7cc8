"""Trying a filter before there is a segment."""

import contextlib
import socket
from typing import Any

import pytest

import facts
import harness
from facts import where
from rapport.activity.log import Source
from rapport.core import jsons
from rapport.core.db import Database, connect
from rapport.http.caller import Caller
from rapport.projects.models import NewKey
from rapport.segments.preview.actions import PreviewTooSlow, preview
from rapport.segments.preview.schemas import PreviewInput

OSLO = where("address.city", "$is", "Oslo")
GOLD = where("metadata.tier", "$is", "gold")
PREVIEW = "/v1/segments/preview"
WAITING = (
    "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%AS webhook FROM customers%'"
)


def customer(api: Any, source_id: str, **more: Any) -> str:
    """Save a customer and return the id."""
    return str(api.call("POST", "/v1/customers", {"source_id": source_id, **more})["id"])


def sampled(found: Any) -> list[str]:
    """Return the source ids of a preview's sample, in order."""
    return sorted(one["source_id"] for one in found["sample"])


async def test_a_preview_counts_exactly_shows_a_sample_and_says_who_can_be_reached(
    api: Any, db: Database, project_id: int
) -> None:
    customer(api, "both", address={"city": "Oslo"}, email="a@example.com", phone="+471", name="Ann", metadata={"n": 1})
    customer(api, "mail", address={"city": "Oslo"}, email="b@example.com")
    customer(api, "none", address={"city": "Oslo"})
    customer(api, "rome", address={"city": "Rome"}, email="c@example.com", phone="+391")
    before = await facts.counts(db, project_id)
    found = api.call("POST", PREVIEW, {"filter": OSLO})
    assert set(found) == {"object", "count", "sample", "reachable", "evaluated_at"}
    assert (found["object"], found["count"]) == ("segment_preview", 3)
    assert found["reachable"] == {"email": 2, "sms": 1, "push": 0, "webhook": 3}
    assert sampled(found) == ["both", "mail", "none"]
    ann = next(one for one in found["sample"] if one["source_id"] == "both")
    assert ann == {
        "id": ann["id"],
        "source_id": "both",
        "name": "Ann",
        "email": "a@example.com",
        "metadata": {"n": 1},
        "object": "customer",
    }
    # Nothing is kept of it.
    assert await facts.counts(db, project_id) == before


def test_a_preview_of_nobody_is_empty(api: Any) -> None:
    customer(api, "c")
    found = api.call("POST", PREVIEW, {"filter": OSLO})
    assert (found["count"], found["sample"]) == (0, [])
    assert found["reachable"] == {"email": 0, "sms": 0, "push": 0, "webhook": 0}


@pytest.mark.parametrize(("asked", "shown"), [({}, 10), ({"sample": None}, 10), ({"sample": 0}, 0), ({"sample": 3}, 3)])
async def test_the_sample_is_as_large_as_asked_for(
    api: Any, db: Database, project_id: int, asked: dict[str, Any], shown: int
) -> None:
    await facts.multiply(db, project_id, customer(api, "c0", metadata={"n": 0}, email="x@example.com"), 30)
    found = api.call("POST", PREVIEW, {"filter": where("metadata.n", "$more_than", 0), **asked})
    assert (found["count"], len(found["sample"]), len(set(sampled(found)))) == (30, shown, shown)
    assert found["reachable"]["email"] == 30


async def test_few_among_many_are_all_in_the_sample(api: Any, db: Database, project_id: int) -> None:
    await facts.multiply(db, project_id, customer(api, "c0", metadata={"n": 0}), 5_000)
    found = api.call("POST", PREVIEW, {"filter": where("metadata.n", "$is", 7, 4_999)})
    assert (found["count"], sampled(found)) == (2, ["c4999", "c7"])


def test_a_preview_counts_those_whom_the_segment_then_has(api: Any) -> None:
    for number in range(6):
        customer(api, f"c{number}", address={"city": "Oslo" if number % 2 else "Rome"}, metadata={"tier": "gold"})
    api.call("POST", "/v1/events", {"event": "seen", "customer": {"source_id": "c1"}})
    gold = facts.new_segment(api, GOLD)
    raw = {
        "junction": "and",
        "segments": {"conditions": {"$is": [gold]}},
        "groups": [{**OSLO, "events.seen": {"conditions": {"$count_more": [0]}}, "junction": "or"}],
    }
    found = api.call("POST", PREVIEW, {"filter": raw})
    segment_id = facts.new_segment(api, raw)
    assert found["count"] == api.call("GET", "/v1/customers", params={"segment_id": segment_id})["total"] == 3


def test_another_projects_customers_are_not_counted(api: Any, db: Database, server: harness.Server) -> None:
    _ = db, server
    customer(api, "c", address={"city": "Oslo"})
    assert api.call("POST", PREVIEW, {"filter": OSLO})["count"] == 1


@pytest.mark.parametrize(
    ("body", "details"),
    [
        ({}, "Missing required property .filter"),
        ({"filter": None}, "Property .filter should be object, is null"),
        ({"filter": []}, "Property .filter should be object, is array"),
        ({"filter": {}}, "filter: must not be empty"),
        ({"filter": {"junction": "and"}}, "filter: has no conditions"),
        ({"filter": {"shoe_size": {"conditions": {"$is": 1}}}}, "filter.shoe_size: unknown field"),
        ({"filter": {"name": {"conditions": {"$foo": 1}}}}, "filter.name.conditions.$foo: unknown operator"),
        ({"filter": OSLO, "sample": 101}, "Property .sample: Expected `int` <= 100"),
        ({"filter": OSLO, "sample": -1}, "Property .sample: Expected `int` >= 0"),
        ({"filter": OSLO, "sample": "5"}, "Property .sample should be integer or null, is string"),
    ],
)
def test_what_cannot_be_tried_is_refused_by_name(api: Any, body: dict[str, Any], details: str) -> None:
    assert api.fails("POST", PREVIEW, body, status=400, key="invalid_payload")["details"] == details


def test_a_segment_that_the_filter_names_must_exist(api: Any) -> None:
    error = api.fails("POST", PREVIEW, {"filter": where("segments", "$is_not", "seg_x")}, status=404, key="not_found")
    assert (error["resource_type"], error["resource_id"]) == ("segment", "seg_x")


async def test_a_preview_ends_when_its_caller_leaves(server: harness.Server, key: NewKey, db: Database) -> None:
    body = jsons.encode({"filter": OSLO, "sample": 0})
    head = (
        f"POST {PREVIEW} HTTP/1.1\r\nHost: x\r\nX-App-Id: {key.app_id}\r\nX-App-Token: {key.app_token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )

    async def waiting(wanted: int) -> None:
        async with db.read() as conn:
            while await conn.fetchval(WAITING) != wanted:
                await conn.execute("SELECT pg_sleep(0.02)")

    async with contextlib.AsyncExitStack() as stack:
        conn = await stack.enter_async_context(db.read())
        async with conn.transaction():
            await conn.execute("LOCK TABLE customers IN ACCESS EXCLUSIVE MODE")
            with socket.create_connection(("127.0.0.1", server.port)) as caller:
                caller.sendall(head.encode() + body)
                await waiting(1)
            # Nobody has let go of the table: the statement itself is given up.
            await waiting(0)


async def test_a_preview_that_takes_too_long_says_so_and_lets_go(
    db: Database, project_id: int, database_url: str
) -> None:
    impatient = await connect(database_url, statement_timeout_s=1, max_size=1)
    caller = Caller(project_id, impatient, "v-1", Source("API"))
    async with db.read() as conn, conn.transaction():
        await conn.execute("LOCK TABLE customers IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(PreviewTooSlow) as refused:
            await preview(caller, PreviewInput(filter=OSLO))
    assert (refused.value.code, refused.value.key) == (503, "request_timeout")
    assert refused.value.details == "The preview took too long and was given up: narrow the filter"
    # The only connection is free again.
    assert (await preview(caller, PreviewInput(filter=OSLO))).count == 0
    await impatient.close()
