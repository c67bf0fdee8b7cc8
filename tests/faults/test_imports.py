"""kill -9 of the worker at random points of an import and of its undoing: nothing lost, nothing twice."""

import asyncio
import os
import random
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

import facts
import harness
import imports
from conftest import Api
from rapport.core.db import Database, connect
from rapport.projects.actions import create_key

OSLO = facts.where("address.city", "$is", "Oslo")
MANY = facts.where("metadata.n", "$starts_with", "1")


@dataclass
class World:
    """A server on a database of its own."""

    server: harness.Server
    db: Database
    api: Any
    project_id: int


@pytest.fixture
async def world(
    new_database: Callable[[str], str], start_server: Callable[..., harness.Server]
) -> AsyncIterator[World]:
    url = new_database(f"imports_{os.urandom(4).hex()}")
    server = start_server(url, "--workers", "1")
    db = await connect(url)
    key = await create_key(db, "imports", "server")
    headers = {"X-App-Id": key.app_id, "X-App-Token": key.app_token}
    async with db.read() as conn:
        project_id = int(await conn.fetchval("SELECT project_id FROM projects WHERE id = $1", key.project_id))
    with Api(base_url=server.base_url, headers=headers, timeout=30) as api:
        yield World(server, db, api, project_id)
    await db.close()
    server.stop()


def kill_until_over(world: World, action_id: str, times: int, rng: random.Random) -> int:
    """Kill the worker again and again, some time after it went on, until the action is over; return how often."""
    killed = 0
    while not imports.is_over(world.api, action_id):
        if killed == times:
            time.sleep(0.2)
            continue
        pid = harness.wait_for(lambda: world.server.children()["worker"], what="a new worker")[0]
        wait_until_on(world, action_id)
        time.sleep(rng.uniform(0, 0.3))
        os.kill(pid, signal.SIGKILL)
        wait_until_gone(world, pid)
        killed += 1
    return killed


def wait_until_on(world: World, action_id: str) -> None:
    """Wait until more rows have been read."""
    before = seen(world)
    harness.wait_for(lambda: seen(world) != before or imports.is_over(world.api, action_id), what="the next rows")


def wait_until_gone(world: World, pid: int) -> None:
    """Wait until a worker is no more."""
    harness.wait_for(lambda: pid not in world.server.children()["worker"], what="its end")


def seen(world: World) -> int:
    """Return how many rows the newest import has read."""
    return int(world.api.call("GET", "/v1/imports")["imports"][0]["rows"])


def lines(rows: int) -> Iterator[str]:
    """Yield a file in which half of the customers come twice, and some rows fail."""
    yield "source_id,city,n,birthdate\n"
    for number in range(rows):
        who = number if number < rows * 2 // 3 else number - rows * 2 // 3
        yield f"s{who},{('Oslo', 'Rome')[number % 2]},{number},{'never' if number % 100 == 99 else ''}\n"


async def prove(world: World, rows: int, times: int, seed: int) -> None:
    rng = random.Random(seed)
    segments = {facts.new_segment(world.api, raw): raw for raw in (OSLO, MANY)}
    action_id = imports.send(world.api, "".join(lines(rows)))["async_action_id"]
    killed = await asyncio.to_thread(kill_until_over, world, action_id, times, rng)
    assert killed, "the import went on when the worker was killed"
    one = imports.find(world.api, action_id)
    assert one["state"] == "DONE"
    failed = rows // 100
    first, again = rows * 2 // 3, rows - rows * 2 // 3
    lost = sum(number % 100 == 99 for number in range(first))
    # Who failed the first time is created by a second row of theirs.
    assert imports.counts(one) == (await customers(world), rows - failed - await customers(world), 0, failed)
    assert first - lost <= await customers(world) <= first
    types = await facts.log_types(world.db, world.project_id)
    assert types.count("customer.created") == one["created"]
    assert types.count("customer.updated") == one["updated"] >= again - failed - lost
    assert len(imports.failures(world.api, one["id"])) == failed + 1
    for segment_id, raw in segments.items():
        await facts.assert_exact(world.db, world.project_id, segment_id, raw)
    undo = world.api.call("POST", f"/v1/imports/{one['id']}/undo", status=202)["async_action_id"]
    kill_one(world, rng.uniform(0.3, 0.8))
    await asyncio.to_thread(harness.wait_for, lambda: imports.is_over(world.api, undo), timeout_s=120)
    assert await customers(world) == 0
    types = await facts.log_types(world.db, world.project_id)
    assert types.count("customer.deleted") == one["created"]
    for segment_id, raw in segments.items():
        assert await facts.assert_exact(world.db, world.project_id, segment_id, raw) == []


def kill_one(world: World, pause_s: float) -> None:
    """Kill the worker after a while; one that was killed before may not be replaced yet."""
    time.sleep(pause_s)
    workers = harness.wait_for(lambda: world.server.children()["worker"], what="a worker")
    os.kill(workers[0], signal.SIGKILL)


async def customers(world: World) -> int:
    """Return how many customers there are."""
    return (await facts.counts(world.db, world.project_id)).get("customers", 0)


async def test_killing_the_worker_three_times_loses_and_doubles_nothing(world: World) -> None:
    await prove(world, 2_000, 3, 7)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(2))
async def test_killing_the_worker_twenty_times_loses_and_doubles_nothing(world: World, seed: int) -> None:
    await prove(world, 60_000, 20, seed)


def order_lines(orders: int) -> Iterator[str]:
    """Yield a file of orders of three lines each; a tenth of them fails with its second line."""
    yield "source_id,status,customer_source_id,product_id,price\n"
    for number in range(orders):
        for item in range(3):
            price = "free" if item == 1 and number % 10 == 9 else "100"
            yield f"o{number},PAID,s{number % 50},p{item},{price}\n"


async def prove_orders(world: World, orders: int, times: int, seed: int) -> None:
    rng = random.Random(seed)
    raw = facts.where("summary.orders.total_amount", "$more_than", 1_000)
    segment_id = facts.new_segment(world.api, raw)
    action_id = imports.send(world.api, "".join(order_lines(orders)), kind="orders")["async_action_id"]
    assert await asyncio.to_thread(kill_until_over, world, action_id, times, rng)
    one, good = imports.find(world.api, action_id), orders - orders // 10
    assert imports.counts(one) == (3 * good, 0, 0, 3 * (orders - good))
    types = await facts.log_types(world.db, world.project_id)
    assert types.count("customer.order.created") == world.api.call("GET", "/v1/orders")["total"] == good
    async with world.db.read() as conn:
        text = "SELECT sum(orders_amount)::bigint FROM customers WHERE project_id = $1"
        assert await conn.fetchval(text, world.project_id) == 300 * good
    await facts.assert_exact(world.db, world.project_id, segment_id, raw)
    undo = world.api.call("POST", f"/v1/imports/{one['id']}/undo", status=202)["async_action_id"]
    kill_one(world, rng.uniform(0.1, 0.4))
    await asyncio.to_thread(harness.wait_for, lambda: imports.is_over(world.api, undo), timeout_s=120)
    assert (await customers(world), world.api.call("GET", "/v1/orders")["total"]) == (0, 0)
    types = await facts.log_types(world.db, world.project_id)
    assert types.count("customer.order.deleted") == good
    assert await facts.assert_exact(world.db, world.project_id, segment_id, raw) == []


async def test_killing_the_worker_leaves_every_order_whole_and_once(world: World) -> None:
    await prove_orders(world, 700, 2, 3)


@pytest.mark.soak
async def test_killing_the_worker_ten_times_leaves_every_order_whole_and_once(world: World) -> None:
    await prove_orders(world, 15_000, 10, 4)
