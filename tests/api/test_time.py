"""Membership that changes because time passes, with nothing written."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from typing import Any

import httpx2
import pytest

import facts
import harness
from conftest import Api
from facts import where
from harness import Server, wait_for
from rapport.core.clock import iso
from rapport.core.db import Database, connect
from rapport.projects.actions import create_key
from rapport.projects.models import NewKey


def in_days(now: datetime, days: float) -> str:
    """Return an instant so many days from now, as the wire has it."""
    return iso(now + timedelta(days=days))


FILTERS = {
    "bought lately": where("summary.orders.last_order_date", "$less_than_ago", 30),
    "not for long": where("summary.orders.last_order_date", "$more_than_ago", 30),
    "new": where("created_at", "$less_than_ago", 10),
    "wrote twice": {
        "junction": "and",
        "events.review_written": {"conditions": {"$count_more": [1], "$less_than_ago": [20]}},
    },
    "trial over": where("metadata.trial_ends", "$more_than_ago", 0),
    "trial runs": where("metadata.trial_ends", "$more_than_future", 0),
    "for ever": where("metadata.tier", "$is", "gold"),
}


@pytest.fixture
async def shop(
    new_database: Callable[[str], str], start_server: Callable[..., Server]
) -> AsyncIterator[tuple[str, Server, NewKey, Database]]:
    """A server on a database of its own."""
    url = new_database(f"time_{os.urandom(4).hex()}")
    server = start_server(url, "--workers", "1")
    db = await connect(url)
    yield url, server, await create_key(db, "time", "server"), db
    await db.close()


async def test_31_days_later_the_right_customers_have_left_and_nobody_else(
    shop: tuple[str, Server, NewKey, Database], start_server: Callable[..., Server]
) -> None:
    url, server, key, db = shop
    async with db.read() as conn:
        now = await facts.now_of(conn, db)
        project_id = int(await conn.fetchval("SELECT project_id FROM projects WHERE id = $1", key.project_id))
    with harness.client(server.base_url, key.app_id, key.app_token) as http:

        def post(path: str, body: dict[str, Any]) -> dict[str, Any]:
            answer = http.post(path, json=body)
            assert answer.status_code == 200, answer.text
            return answer.json()  # type: ignore[no-any-return]

        segments = {
            name: post("/v1/segments", {"name": name, "type": "auto-update", "filter": raw})["id"]
            for name, raw in FILTERS.items()
        }
        for name, days in (("ann", 0), ("bob", -10), ("cid", -40), ("fay", None)):
            person = {"source_id": name, "metadata": {"tier": "gold"}}
            if days is None:
                post("/v1/customers", person)
            else:
                order = {"source_id": name, "status": "PAID", "amount": 5, "created_at": in_days(now, days)}
                post("/v1/orders", {**order, "customer": person})
        # Dan's order lies ahead: it will be a recent one in 31 days.
        post(
            "/v1/orders",
            {
                "source_id": "dan",
                "status": "PAID",
                "amount": 5,
                "created_at": in_days(now, 15),
                "customer": {"source_id": "dan"},
            },
        )
        for name, times in (("ann", 2), ("bob", 1)):
            for _ in range(times):
                post("/v1/events", {"event": "review_written", "customer": {"source_id": name}})
        for name, days in (("ann", 30), ("bob", 32)):
            post("/v1/customers", {"source_id": name, "metadata": {"trial_ends": in_days(now, days)}})
        ids = {one["source_id"]: one["id"] for one in http.get("/v1/customers").json()["customers"]}
        names = {customer_id: name for name, customer_id in ids.items()}

        async def members() -> dict[str, str]:
            return {
                name: " ".join(sorted(names[one] for one in await facts.members(db, project_id, segment_id)))
                for name, segment_id in segments.items()
            }

        before = {
            "bought lately": "ann bob",
            "not for long": "cid",
            "new": "ann bob cid dan fay",
            "wrote twice": "ann",
            "trial over": "",
            "trial runs": "ann bob",
            "for ever": "ann bob cid fay",
        }
        assert await members() == before
        log_before = len(await facts.log_types(db, project_id))
        people_before = http.get("/v1/customers?order=created_at").json()
    server.stop()

    later = start_server(url, "--workers", "1", env={"RAPPORT_CLOCK_OFFSET": "+31d"})
    after = {
        "bought lately": "dan",
        "not for long": "ann bob cid",
        "new": "",
        "wrote twice": "",
        "trial over": "ann",
        "trial runs": "bob",
        "for ever": "ann bob cid fay",
    }
    for _ in range(400):
        if await members() == after:
            break
        await asyncio.sleep(0.05)
    assert await members() == after
    changed = {
        ("bought lately", "left", "ann"), ("bought lately", "left", "bob"), ("bought lately", "entered", "dan"),
        ("not for long", "entered", "ann"), ("not for long", "entered", "bob"),
        *(("new", "left", name) for name in ids),
        ("wrote twice", "left", "ann"),
        ("trial over", "entered", "ann"), ("trial runs", "left", "ann"),
    }  # fmt: skip
    async with db.read() as conn:
        rows = await conn.fetch(
            "SELECT type, customer_id, payload, source, created_at FROM activity WHERE project_id = $1 "
            "ORDER BY xid, seq OFFSET $2",
            project_id,
            log_before,
        )
    logged = [
        (row["payload"]["segment"]["name"], row["type"].rpartition(".")[2], names[row["customer_id"]]) for row in rows
    ]
    assert len(logged) == len(changed)
    assert set(logged) == changed
    assert {row["source"]["channel"] for row in rows} == {"INTERNAL"}
    assert all(row["created_at"] - now >= timedelta(days=31) for row in rows)
    with harness.client(later.base_url, key.app_id, key.app_token) as http:
        assert http.get("/v1/customers?order=created_at").json() == people_before, "nothing else changed"
    await asyncio.sleep(1)
    assert len(await facts.log_types(db, project_id)) == log_before + len(changed)
    later.stop()


async def test_a_moment_three_seconds_ahead_is_noticed_when_it_comes(api: Any, db: Database, project_id: int) -> None:
    segment_id = facts.new_segment(api, where("metadata.trial_ends", "$more_than_ago", 0), name="Over")
    async with db.read() as conn:
        ends = await facts.now_of(conn, db) + timedelta(seconds=3)
    for name, moment in (("soon", ends), ("later", ends + timedelta(days=1))):
        api.call("POST", "/v1/customers", {"source_id": name, "metadata": {"trial_ends": iso(moment)}})
    assert await facts.members(db, project_id, segment_id) == []
    found = wait_for(lambda: api.call("GET", "/v1/customers/soon/segments")["data"], what="entering")
    assert [one["id"] for one in found] == [segment_id]
    assert datetime.fromisoformat(found[0]["entered_at"]) > ends
    soon = api.call("GET", "/v1/customers/soon")["id"]
    assert await facts.moves(db, project_id, segment_id) == {soon: ["entered"]}
    assert api.call("GET", "/v1/customers/later/segments")["data"] == []


async def test_a_write_after_the_moment_and_before_the_tick_does_not_double_it(
    api: Any, db: Database, project_id: int
) -> None:
    segment_id = facts.new_segment(api, where("metadata.trial_ends", "$more_than_ago", 0))
    async with db.read() as conn:
        ends = await facts.now_of(conn, db) + timedelta(milliseconds=600)
    api.call("POST", "/v1/customers", {"source_id": "c", "metadata": {"trial_ends": iso(ends)}})
    for number in range(60):
        api.call("PUT", "/v1/customers/c", {"metadata": {"n": number}})
        if api.call("GET", "/v1/customers/c/segments")["data"] and number > 30:
            break
        await asyncio.sleep(0.02)
    customer_id = api.call("GET", "/v1/customers/c")["id"]
    assert await facts.moves(db, project_id, segment_id) == {customer_id: ["entered"]}


def test_a_server_says_what_time_it_takes_it_to_be(
    new_database: Callable[[str], str], start_server: Callable[..., Server]
) -> None:
    server = start_server(
        new_database(f"time_{os.urandom(4).hex()}"),
        "--workers",
        "1",
        "--no-worker",
        env={
            "RAPPORT_CLOCK_OFFSET": "-400d",
            "RAPPORT_BOOTSTRAP_APP_ID": "id",
            "RAPPORT_BOOTSTRAP_APP_TOKEN": "token",
        },
    )
    answer = httpx2.post(f"{server.base_url}/v1/customers", json={}, headers={"X-App-Id": "id", "X-App-Token": "token"})
    created = datetime.fromisoformat(answer.json()["created_at"])
    assert timedelta(days=399) < datetime.now(created.tzinfo) - created < timedelta(days=401)
    server.stop()


async def test_a_clock_that_is_moved_back_takes_back_what_time_did(
    start_server: Callable[..., Server], new_database: Callable[[str], str]
) -> None:
    url = new_database("clock_back")
    environment = {"RAPPORT_BOOTSTRAP_APP_ID": "back", "RAPPORT_BOOTSTRAP_APP_TOKEN": "token"}
    headers = {"X-App-Id": "back", "X-App-Token": "token"}

    def members(api: Any, segment_id: str) -> list[str]:
        found = api.call("GET", "/v1/customers", params={"segment_id": segment_id})
        return sorted(customer["source_id"] for customer in found["customers"])

    server = start_server(url, "--workers", "1", env=environment | {"RAPPORT_CLOCK_OFFSET": "+1d"})
    with Api(base_url=server.base_url, headers=headers, timeout=30) as api:
        api.call("POST", "/v1/orders", {"customer": {"source_id": "ann"}, "status": "PAID", "amount": 1})
        segment = {
            "name": "recent",
            "type": "auto-update",
            "filter": {"summary.orders.last_order_date": {"conditions": {"$less_than_ago": [30]}}},
        }
        segment_id = api.call("POST", "/v1/segments", segment)["id"]
        harness.wait_for(lambda: members(api, segment_id) == ["ann"])
    for offset, expected in (("+40d", []), ("+2d", ["ann"])):
        assert server.stop() == 0
        server = start_server(url, "--workers", "1", env=environment | {"RAPPORT_CLOCK_OFFSET": offset})
        with Api(base_url=server.base_url, headers=headers, timeout=30) as api:
            harness.wait_for(lambda: members(api, segment_id) == expected, what=f"{expected} at {offset}")  # noqa: B023
            logged = api.call("GET", "/v1/customers/ann/activity", params={"limit": "100"})["data"]
    # By the clock that the log goes by, the last entering is before the leaving.
    moves = [entry["type"] for entry in logged if ".segment." in entry["type"]]
    assert moves == ["customer.segment.left", "customer.segment.entered", "customer.segment.entered"]
    assert server.stop() == 0
