"""kill -9 in the middle of a load: what was answered 2xx is there once, and everything adds up."""

import asyncio
import itertools
import os
import random
import signal
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest

import facts
import harness
from harness import Server, wait_for
from rapport.core.db import Database, connect
from rapport.projects.actions import create_key
from rapport.projects.models import NewKey

OSLO = facts.where("address.city", "$is", "Oslo")
SPENT = facts.where("summary.orders.total_amount", "$more_than", 300)
ACTIVE = {"junction": "and", "events.seen": {"conditions": {"$count_more": [3], "$less_than_ago": [1]}}}
FILTERS = (OSLO, SPENT, ACTIVE)


@dataclass
class Load:
    """Six clients that never stop; what they were answered, and what they do not know about."""

    headers: dict[str, str]
    address: str
    rng: random.Random
    number: Any = field(default_factory=itertools.count)
    stopped: bool = False
    upserts: dict[int, str] = field(default_factory=dict)
    orders: dict[str, int] = field(default_factory=dict)
    events: set[int] = field(default_factory=set)
    doubtful: set[tuple[str, int]] = field(default_factory=set)

    async def run(self) -> None:
        """Work until stopped."""
        async with asyncio.TaskGroup() as group:
            for _ in range(6):
                group.create_task(self._client())

    async def _client(self) -> None:
        async with harness.async_client("", self.headers) as http:
            while not self.stopped:
                number, who = next(self.number), f"c{self.rng.randrange(12)}"
                kind = ("upsert", "order", "event")[number % 3]
                if not await self._send(http, kind, number, who):
                    self.doubtful.add((kind, number))
                    await asyncio.sleep(0.05)

    async def _send(self, http: httpx2.AsyncClient, kind: str, number: int, who: str) -> bool:
        """Make one call; say whether it was answered 2xx, and keep what was promised by that."""
        person = {"source_id": who}
        amount = 1 + number % 97
        path, body = {
            "upsert": (
                "/v1/customers",
                {**person, "metadata": {f"k{number}": number}, "address": {"city": ("Oslo", "Rome")[number % 2]}},
            ),
            "order": (
                "/v1/orders",
                {"source_id": f"o{number}", "amount": amount, "status": "PAID", "customer": person},
            ),
            "event": ("/v1/events", {"event": "seen", "customer": person, "metadata": {"number": number}}),
        }[kind]
        try:
            answer = await http.post(self.address + path, json=body)
        except httpx2.TransportError:
            return False
        if answer.status_code == 503:
            return False
        assert answer.status_code == 200, answer.text
        if kind == "upsert":
            self.upserts[number] = who
        elif kind == "order":
            self.orders[f"o{number}"] = amount
        else:
            self.events.add(number)
        return True

    @property
    def answered(self) -> int:
        """How many calls were answered 2xx."""
        return len(self.upserts) + len(self.orders) + len(self.events)


@dataclass
class World:
    """A server on a database of its own."""

    url: str
    server: Server
    db: Database
    key: NewKey
    project_id: int

    @property
    def headers(self) -> dict[str, str]:
        """The keys."""
        return {"X-App-Id": self.key.app_id, "X-App-Token": self.key.app_token}


@pytest.fixture
async def world(new_database: Callable[[str], str], start_server: Callable[..., Server]) -> AsyncIterator[World]:
    url = new_database(f"kill_{os.urandom(4).hex()}")
    server = start_server(url, "--workers", "2")
    db = await connect(url)
    key = await create_key(db, "kill", "server")
    async with db.read() as conn:
        project_id = int(await conn.fetchval("SELECT project_id FROM projects WHERE id = $1", key.project_id))
    world = World(url, server, db, key, project_id)
    yield world
    await db.close()
    if world.server.process.poll() is None:
        world.server.stop()


async def make_segments(world: World, *filters: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Create segments; return their filters by id."""
    made = {}
    async with harness.async_client(world.server.base_url, world.headers) as http:
        for raw in filters:
            answer = await http.post("/v1/segments", json={"name": "S", "type": "auto-update", "filter": raw})
            assert answer.status_code == 200, answer.text
            made[answer.json()["id"]] = raw
    return made


async def wait_for_back_fill(world: World) -> None:
    """Wait until no segment is in the making."""
    for _ in range(400):
        async with world.db.read() as conn:
            if not await conn.fetchval("SELECT count(*) FROM segments WHERE state <> 'live'"):
                return
        await asyncio.sleep(0.05)
    raise AssertionError("a segment is still being filled in")


async def assert_nothing_lost_or_doubled(
    world: World, load: Load, segments: dict[str, dict[str, Any]], *, copied: int = 0
) -> None:
    """Hold what the clients were answered against what is stored; `copied` customers came past the API."""
    db, project_id = world.db, world.project_id
    async with db.read() as conn:
        people = {
            row["source_id"]: row
            for row in await conn.fetch("SELECT * FROM customers WHERE project_id = $1", project_id)
        }
        orders = [
            (row["source_id"], row["amount"])
            for row in await conn.fetch("SELECT source_id, amount FROM orders WHERE project_id = $1", project_id)
        ]
        events = [
            int(row["metadata"]["number"])
            for row in await conn.fetch("SELECT metadata FROM events WHERE project_id = $1", project_id)
        ]
    doubtful = {
        kind: {number for name, number in load.doubtful if name == kind} for kind in ("upsert", "order", "event")
    }
    stored_keys = {(who, key) for who, row in people.items() for key in row["metadata"] if key.startswith("k")}
    answered_keys = {(who, f"k{number}") for number, who in load.upserts.items()}
    assert answered_keys <= stored_keys
    assert {key for _, key in stored_keys - answered_keys} <= {f"k{number}" for number in doubtful["upsert"]}
    assert len(dict(orders)) == len(orders)
    assert load.orders.items() <= dict(orders).items()
    assert dict(orders).keys() - load.orders.keys() <= {f"o{number}" for number in doubtful["order"]}
    assert len(set(events)) == len(events)
    assert load.events <= set(events)
    assert set(events) - load.events <= doubtful["event"]
    assert sum(row["events"].get("seen", {"count": 0})["count"] for row in people.values()) == len(events)
    types = await facts.log_types(db, project_id)
    assert types.count("customer.created") == len(people) - copied
    assert types.count("customer.order.created") == types.count("customer.order.paid") == len(orders)
    assert types.count("customer.custom_event") == len(events)
    assert await facts.wrong_summaries(db, project_id) == []
    await wait_for_back_fill(world)
    for segment_id, raw in segments.items():
        await facts.assert_exact(db, project_id, segment_id, raw)


async def load_while(world: World, kill: Callable[[Load], Any]) -> Load:
    """Run a load, call `kill` in the middle of it, and let the load go on for a moment."""
    load = Load(world.headers, world.server.base_url, random.Random(5))
    running = asyncio.create_task(load.run())
    await asyncio.sleep(0.4)
    await kill(load)
    before = load.answered
    for _ in range(400):
        if load.answered > before + 60:
            break
        await asyncio.sleep(0.05)
    load.stopped = True
    await running
    assert load.answered > before + 60, "the load went on after the kill"
    return load


async def kill_children(world: World, kind: str, times: int) -> None:
    """Kill the children of a kind, several times, each time when they are back."""
    for _ in range(times):
        pids = await asyncio.to_thread(wait_for, lambda: world.server.children()[kind], what=f"a new {kind}")
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        await asyncio.sleep(0.3)


async def test_killing_api_processes_loses_and_doubles_nothing(world: World) -> None:
    segments = await make_segments(world, *FILTERS)

    async def kill(_load: Load) -> None:
        await kill_children(world, "api", 3)

    load = await load_while(world, kill)
    await assert_nothing_lost_or_doubled(world, load, segments)


async def test_killing_the_worker_in_the_middle_of_a_back_fill_leaves_it_exact(world: World) -> None:
    async with harness.async_client(world.server.base_url, world.headers) as http:
        template = (await http.post("/v1/customers", json={"source_id": "template"})).json()["id"]
    await facts.multiply(world.db, world.project_id, template, 3000)
    small = facts.where("metadata.n", "$less_than", 2500)
    segments: dict[str, dict[str, Any]] = {}

    async def kill(_load: Load) -> None:
        segments.update(await make_segments(world, small, OSLO))
        for _ in range(3):
            await kill_children(world, "worker", 1)
        segments.update(await make_segments(world, facts.where("segments", "$is", next(iter(segments)))))
        await kill_children(world, "worker", 1)

    load = await load_while(world, kill)
    await assert_nothing_lost_or_doubled(world, load, segments, copied=3000)
    first, _, chained = [await facts.members(world.db, world.project_id, segment_id) for segment_id in segments]
    assert len(first) == 2499
    assert chained == first


async def test_killing_the_whole_server_loses_and_doubles_nothing(
    world: World, start_server: Callable[..., Server]
) -> None:
    segments = await make_segments(world, *FILTERS)

    async def kill(load: Load) -> None:
        for _ in range(2):
            old = [pid for pids in world.server.children().values() for pid in pids]
            world.server.kill()
            for pid in old:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            world.server = await asyncio.to_thread(start_server, world.url, "--workers", "2")
            load.address = world.server.base_url
            segments.update(await make_segments(world, facts.where("metadata.k1", "$more_than", 0)))
            await asyncio.sleep(0.4)

    load = await load_while(world, kill)
    assert load.doubtful
    await assert_nothing_lost_or_doubled(world, load, segments)
