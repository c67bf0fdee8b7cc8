"""Creating a segment over all customers while updates go on, against inserting the same rows alone."""

import asyncio
import json
import time
import urllib.request
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from benchmarks import load, queries
from benchmarks.flips import Updates
from benchmarks.population import LARGE, Population
from benchmarks.report import Aim, Line
from benchmarks.world import World
from rapport.segments.filters import parse
from rapport.segments.sql import compile_filter

FILTER = {
    "address.country": {"conditions": {"$is": ["Poland", "Germany", "France"]}},
    "summary.orders.total_amount": {"conditions": {"$more_than": [2_000]}},
}
_POLL_S = 0.05


@dataclass(frozen=True)
class Alone:
    """Seconds for the bare rows: of the members, and of their entries in the log; and how many they are."""

    members_s: float
    log_s: float
    rows: int


async def measure(world: World, people: Population) -> AsyncIterator[Line]:
    """Yield the lines of a passive and of an auto-update segment."""
    bare = await _alone(world, people)
    aim = Aim(at_most=2) if people.size >= LARGE else None
    for kind in ("passive", "auto-update"):
        taken_s, live = await _create(world, people, kind)
        what = f"create {kind} segment, {bare.rows:,} of {people.size:,} match, {world.rate:g} updates/s"
        told = f"{taken_s:.2f} s; updates p99 {live.percentile_ms(99):.1f} ms"
        members = f"INSERT … SELECT of the members: {bare.members_s:.2f} s"
        yield Line(what, told, members, taken_s / bare.members_s, aim)
        if kind == "auto-update":
            both = bare.members_s + bare.log_s
            yield Line("the same", told, f"INSERT … SELECT of members and log: {both:.2f} s", taken_s / both, aim)


async def _alone(world: World, people: Population) -> Alone:
    async with world.db.read() as conn:
        now = await queries.read_now(conn)
        condition = compile_filter(
            parse(FILTER), now=now, zone_name="UTC", project_id=people.project_id, first_parameter=5
        )
        await queries.bare_count(conn, people.project_id, 1)  # the customers are in memory, as they are for the product
        await queries.make_bare_tables(conn)
        await queries.settle_tables(conn)
        started = time.perf_counter()
        rows = await queries.insert_members(conn, people.project_id, "seg_bare", now, condition, bare=True)
        inserted = time.perf_counter()
        await queries.insert_log(conn, people.project_id, "seg_bare", now)
        logged = time.perf_counter()
        await queries.drop_bare_tables(conn)
        await queries.settle_tables(conn)
    return Alone(inserted - started, logged - inserted, rows)


async def _create(world: World, people: Population, kind: str) -> tuple[float, load.Result]:
    """Create a segment under load; return the seconds from the request until it is done, and what the load saw."""
    done = asyncio.Event()
    updates = Updates(people).requests(0, 1, flip=False)
    traffic = asyncio.create_task(
        load.paced(world.running.port, world.rate, done, updates, connections=world.connections)
    )
    await asyncio.sleep(2)
    started = time.perf_counter()
    made = await _call(world, people, "POST", "/v1/segments", {"name": kind, "type": kind, "filter": FILTER})
    while made["initial_sync_status"] != "DONE":
        await asyncio.sleep(_POLL_S)
        made = await _call(world, people, "GET", f"/v1/segments/{made['id']}")
    taken_s = time.perf_counter() - started
    done.set()
    return taken_s, (await traffic).checked(200)


async def _call(world: World, people: Population, method: str, path: str, body: Any = None) -> dict[str, Any]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{world.running.port}{path}",
        None if body is None else json.dumps(body).encode(),
        {**people.headers, "Content-Type": "application/json"},
        method=method,
    )

    def send() -> dict[str, Any]:
        with urllib.request.urlopen(request, timeout=60) as answer:
            found: dict[str, Any] = json.loads(answer.read())
            return found

    return await asyncio.to_thread(send)
