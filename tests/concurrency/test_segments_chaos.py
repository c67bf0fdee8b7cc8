"""Writers, segments made, edited and deleted, passing moments and kill -9, all at once: in the end everything is exact.

`RAPPORT_SOAK=1` lets it go on for minutes.
"""

import asyncio
import contextlib
import os
import random
import signal
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import httpx2
import pytest

import facts
import harness
import segment_checks as checks
from facts import where
from harness import Server, wait_for
from rapport.core.clock import iso
from rapport.core.db import Database, connect
from rapport.projects.actions import create_key

SOAK = bool(os.environ.get("RAPPORT_SOAK"))
LENGTH_S, REST_S, WRITERS = (150.0, 1.5, 8) if SOAK else (6.0, 0.8, 6)
PEOPLE = 30
# As days, and a little more than any of them as the time after which nothing turns any more.
SHORT = (0.5 / 86_400, 1.0 / 86_400, 2.0 / 86_400)
QUIET = timedelta(seconds=3)
CITIES = ("Oslo", "Rome", "Lima", "")


def a_filter(rng: random.Random, known: list[str]) -> dict[str, Any]:
    """Return a filter; those that time touches come to rest within QUIET."""
    short = rng.choice(SHORT)
    choices = [
        where("address.city", "$is", rng.choice(CITIES)),
        where("address.city", "$is_not", rng.choice(CITIES)),
        where("metadata.n", rng.choice(["$more_than", "$less_than_equal"]), rng.randrange(10)),
        where("metadata.n", "$is_unknown", True),  # noqa: FBT003 (the operand)
        where("metadata.ends", rng.choice(["$more_than_ago", "$less_than_ago", "$more_than_future"]), short),
        where("created_at", "$less_than_ago", short),
        where("updated_at", "$more_than_ago", short),
        where("summary.orders.last_order_date", "$less_than_ago", short),
        where("summary.orders.total_amount", "$more_than", rng.randrange(300)),
        where("events.seen.count", "$more_than_equal", rng.randrange(6)),
        {"events.seen": {"conditions": {"$count_more": [rng.randrange(3)], "$less_than_ago": [short]}}},
        {"events.seen": {"conditions": {"$count_less": [1 + rng.randrange(3)], "$less_than_ago": [short]}}},
        {"orders": {"conditions": {"$sum_more_than": [rng.randrange(100)], "$less_than_ago": [short]}}},
    ]
    if known:
        choices += [where("segments", rng.choice(["$is", "$is_not"]), rng.choice(known))] * 3
    one, other = rng.choice(choices), rng.choice(choices)
    return one if rng.random() < 0.6 else {"junction": rng.choice(["and", "or"]), "groups": [one, other]}


@dataclass
class Chaos:
    """A server on a database of its own, and all that goes on at it."""

    server: Server
    db: Database
    project_id: int
    headers: dict[str, str]
    rng: random.Random
    stopped: bool = False
    done: int = 0
    segments: list[str] = field(default_factory=list)
    converted: set[str] = field(default_factory=set)
    lasting: str = ""
    static: str = ""
    # Customers of whom it is known whether they are in the static segment, and whether they are.
    chosen: dict[str, bool | None] = field(default_factory=dict)

    async def send(self, http: httpx2.AsyncClient, method: str, path: str, body: Any = None) -> Any:
        """Make a call that may be refused, or lost with the process that had it; return the answer or None."""
        try:
            answer = await http.request(method, self.server.base_url + path, json=body)
        except httpx2.TransportError:
            await asyncio.sleep(0.05)
            return None
        assert answer.status_code in (200, 204, 400, 404, 409, 503), f"{method} {path} {body}: {answer.text}"
        if answer.status_code not in (200, 204):
            return None
        self.done += 1
        return answer.json() if answer.content else {}

    async def write(self, rng: random.Random) -> None:
        """Change customers until told to stop."""
        async with harness.async_client("", self.headers) as http:
            while not self.stopped:
                await self.send(http, *self.a_write(rng))

    def a_write(self, rng: random.Random) -> tuple[Any, ...]:
        """Return a call that changes a customer."""
        who, number = {"source_id": f"c{rng.randrange(PEOPLE)}"}, rng.randrange(60)
        soon = iso(datetime.now().astimezone() + timedelta(seconds=rng.uniform(-2, 2)))
        match rng.randrange(12):
            case 0 | 1 | 2:
                return "POST", "/v1/customers", {**who, "address": {"city": rng.choice(CITIES)}}
            case 3 | 4:
                return "POST", "/v1/customers", {**who, "metadata": {"n": rng.choice([None, number]), "ends": soon}}
            case 5 | 6:
                order = {"source_id": f"o{number}", "amount": number, "status": rng.choice(["PAID", "CANCELED"])}
                return "POST", "/v1/orders", {**order, "customer": who}
            case 7:
                order = {"source_id": f"p{number}", "amount": number, "status": "PAID", "created_at": soon}
                return "POST", "/v1/orders", {**order, "customer": who}
            case 8 | 9 | 10:
                return "POST", "/v1/events", {"event": "seen", "customer": who}
            case _:
                return "DELETE", f"/v1/customers/{who['source_id']}"

    async def change_segments(self) -> None:
        """Make, edit and delete segments until told to stop."""
        rng = self.rng
        async with harness.async_client("", self.headers) as http:
            # One that time touches stays: by it one sees how far the worker has come.
            body = {"name": "M", "type": "auto-update", "filter": where("metadata.marker", "$more_than_ago", 0)}
            self.lasting = (await self.send(http, "POST", "/v1/segments", body))["id"]
            while not self.stopped:
                known = [self.lasting, *self.segments[-6:]]
                one = rng.choice(self.segments) if self.segments else None
                kind = rng.choice(["auto-update", "auto-update", "passive"])
                action = rng.random()
                if one is None or (action < 0.4 and len(self.segments) < 25):
                    body = {"name": "S", "type": kind, "filter": a_filter(rng, known)}
                    made = await self.send(http, "POST", "/v1/segments", body)
                    self.segments += [made["id"]] if made else []
                elif action < 0.7:
                    await self.send(http, "PUT", f"/v1/segments/{one}", {"filter": a_filter(rng, known)})
                elif action < 0.8:
                    self.converted.add(one)
                    await self.send(http, "PUT", f"/v1/segments/{one}", {"type": kind})
                elif await self.send(http, "DELETE", f"/v1/segments/{one}") is not None:
                    self.segments.remove(one)
                await asyncio.sleep(rng.uniform(0, 0.3))

    async def change_static(self) -> None:
        """Put customers into a static segment and take them out until told to stop."""
        async with harness.async_client("", self.headers) as http:
            ids = [
                (await self.send(http, "POST", "/v1/customers", {"source_id": f"s{number}"}))["id"]
                for number in range(5)
            ]
            body = {"name": "Static", "type": "static", "customers": ids[:2]}
            self.static = (await self.send(http, "POST", "/v1/segments", body))["id"]
            self.segments.append(self.static)
            self.chosen = {one: one in ids[:2] for one in ids}
            while not self.stopped:
                some, added = self.rng.sample(ids, self.rng.randrange(1, 4)), self.rng.random() < 0.5
                path = f"/v1/segments/{self.static}/customers"
                answer = await self.send(http, "POST" if added else "DELETE", path, {"customers": some})
                self.chosen |= dict.fromkeys(some, None if answer is None else added)
                await asyncio.sleep(0.02)

    async def kill(self) -> None:
        """Kill the worker again and again, and an API process once."""
        kinds = ["worker", "api"]
        while not self.stopped:
            await asyncio.sleep(self.rng.uniform(0.3, 1.0) * REST_S)
            kind = kinds.pop() if len(kinds) > 1 and self.rng.random() < 0.5 else "worker"
            for pid in self.server.children()[kind][:1]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    async def quiesce(self) -> None:
        """Wait until nothing is in the making and the time of the last moment has been dealt with.

        Two moments after all others are marked, one after the other: when the second has turned, the tick is over that
        dealt with the first, and with all before it.
        """
        settled = "SELECT NOT EXISTS (SELECT FROM segments WHERE project_id = $1 AND state <> 'live')"
        marked = (
            "SELECT EXISTS (SELECT FROM segment_members WHERE project_id = $1 AND segment_id = $2 AND customer_id = $3)"
        )
        await self.until("segments at rest", settled, self.project_id)
        async with harness.async_client("", self.headers) as http:
            for number, after in enumerate((QUIET, timedelta(seconds=0.5))):
                async with self.db.read() as conn:
                    at = iso(await facts.now_of(conn, self.db) + after)
                person = {"source_id": f"marker{number}", "metadata": {"marker": at}}
                made = await self.send(http, "POST", "/v1/customers", person)
                await self.until("a tick", marked, self.project_id, self.lasting, made["id"])

    async def until(self, what: str, query: str, *parameters: object) -> None:
        """Wait until a query says true."""
        for _ in range(1_200):
            async with self.db.read() as conn:
                if await conn.fetchval(query, *parameters):
                    return
            await asyncio.sleep(0.05)
        raise AssertionError(f"it never comes to this: {what}\n{self.server.log()[-5_000:]}")


@pytest.fixture
async def shop(
    new_database: Callable[[str], str], start_server: Callable[..., Server]
) -> AsyncIterator[Callable[[int], Any]]:
    """Make the place for a chaos of some seed."""
    url = new_database(f"chaos_{os.urandom(4).hex()}")
    server = start_server(url, "--workers", "2")
    db = await connect(url)
    key = await create_key(db, "chaos", "server")
    async with db.read() as conn:
        project_id = int(await conn.fetchval("SELECT project_id FROM projects WHERE id = $1", key.project_id))
    headers = {"X-App-Id": key.app_id, "X-App-Token": key.app_token}
    yield lambda seed: Chaos(server, db, project_id, headers, random.Random(seed))
    await db.close()
    server.stop()


@pytest.mark.parametrize("seed", [harness.SEED])
async def test_after_a_chaos_of_writers_segments_and_kills_membership_is_exact(
    seed: int, shop: Callable[[int], Chaos]
) -> None:
    chaos = shop(seed)
    running = [
        asyncio.create_task(one)
        for one in (
            *(chaos.write(random.Random(seed + number)) for number in range(WRITERS)),
            chaos.change_segments(),
            chaos.change_static(),
        )
    ]
    await asyncio.sleep(0.5)
    running.append(asyncio.create_task(chaos.kill()))
    ended, _ = await asyncio.wait(running, timeout=LENGTH_S, return_when=asyncio.FIRST_EXCEPTION)
    chaos.stopped = True
    await asyncio.gather(*running)
    assert not ended
    assert chaos.done > 100
    await asyncio.to_thread(wait_for, lambda: chaos.server.children()["worker"], what="a new worker")
    await chaos.quiesce()
    async with chaos.db.read() as conn:
        drifted = await conn.fetchval("SELECT coalesce(sum(drifted), 0) FROM segment_audits")
    assert drifted == 0, "the self-audit has mended something"
    seen = await checks.read(chaos.db, chaos.project_id)
    statics = {chaos.static: seen.inside(chaos.static)}
    certain = {one: is_in for one, is_in in chaos.chosen.items() if is_in is not None}
    assert {one: one in statics[chaos.static] for one in certain} == certain
    picture = await checks.assert_exact(chaos.db, chaos.project_id, statics, chaos.converted)
    assert {chaos.lasting, *chaos.segments} <= picture.segments.keys()
    assert await facts.wrong_summaries(chaos.db, chaos.project_id) == []
    await checks.assert_history(chaos.db, chaos.project_id, {}, chaos.converted)
