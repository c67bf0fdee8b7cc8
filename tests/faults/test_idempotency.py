"""The API is killed, or loses the database, between effect and answer: a repeat finds one effect and its answer."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import httpx2
import pytest

import harness
from harness import Server
from rapport.core.db import Database, connect
from rapport.projects.actions import create_key

BODY = {"event": "seen", "customer": {"source_id": "ann"}}
# The answer waits before it is written, or the commit waits after everything was written.
STOPS = {
    "before the answer is kept": "CREATE TRIGGER stop BEFORE UPDATE ON idempotency_keys",
    "while it commits": "CREATE CONSTRAINT TRIGGER stop AFTER UPDATE ON idempotency_keys DEFERRABLE INITIALLY DEFERRED",
}


@dataclass
class World:
    """A server on a database of its own."""

    server: Server
    db: Database
    headers: dict[str, str]

    async def send(self) -> httpx2.Response | None:
        """Send the request; None if the connection broke."""
        async with harness.async_client(self.server.base_url, self.headers) as client:
            try:
                return await client.post("/v1/events", json=BODY, headers={"Idempotency-Key": "k"})
            except httpx2.TransportError:
                return None

    async def count(self, table: str) -> int:
        """Count the rows of a table."""
        async with self.db.read() as conn:
            return int(await conn.fetchval(f"SELECT count(*) FROM {table}"))

    async def execute(self, *statements: str) -> None:
        """Run statements."""
        async with self.db.read() as conn:
            for statement in statements:
                await conn.execute(statement)

    async def wait_until_it_sleeps(self) -> None:
        """Wait until the trigger holds a request up."""
        async with asyncio.timeout(20):
            while not await self.sleeping():
                await asyncio.sleep(0.02)

    async def sleeping(self) -> int:
        """Return how many sessions are in a trigger's sleep."""
        async with self.db.read() as conn:
            return int(
                await conn.fetchval(
                    "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' "
                    "AND datname = current_database()"
                )
            )


@pytest.fixture(scope="module")
async def shared(
    new_database: Callable[[str], str], start_server: Callable[..., Server]
) -> AsyncIterator[tuple[Server, Database]]:
    """A server on a database of its own."""
    url = new_database("idempotency")
    server = start_server(url, "--workers", "1", "--no-worker")
    db = await connect(url)
    yield server, db
    await db.close()
    server.stop()


@pytest.fixture
async def world(shared: tuple[Server, Database]) -> World:
    """The server with nothing in its database but keys."""
    server, db = shared
    key = await create_key(db, "Idempotency", "server")
    world = World(server, db, {"X-App-Id": key.app_id, "X-App-Token": key.app_token})
    await world.execute("TRUNCATE events, idempotency_keys")
    return world


async def stop_at(world: World, place: str) -> None:
    """Hold requests up for a second at a place."""
    await world.execute(
        "CREATE OR REPLACE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN PERFORM pg_sleep(1); RETURN NEW; END $$",
        f"{STOPS[place]} FOR EACH ROW EXECUTE FUNCTION stop()",
    )


async def go_on(world: World) -> None:
    """Hold nothing up any more."""
    async with asyncio.timeout(20):
        while await world.sleeping():
            await asyncio.sleep(0.02)
    await world.execute("DROP TRIGGER stop ON idempotency_keys")


async def assert_one_effect(world: World, *, replayed: bool) -> None:
    """The request sent again is answered, and has been done once in all."""
    await asyncio.to_thread(world.server.wait_until_ready)
    answer = await world.send()
    assert answer is not None
    assert answer.status_code == 200, answer.text
    assert ("idempotency-replayed" in answer.headers) is replayed
    async with world.db.read() as conn:
        stored = await conn.fetch("SELECT id FROM events")
    assert len(stored) == 1
    last = await world.send()
    assert last is not None
    assert last.content == answer.content
    assert await world.count("events") == 1


@pytest.mark.parametrize("place", STOPS)
async def test_killing_the_api_between_effect_and_answer_leaves_one_effect(world: World, place: str) -> None:
    await stop_at(world, place)
    first = asyncio.create_task(world.send())
    await world.wait_until_it_sleeps()
    for pid in world.server.children()["api"]:
        os.kill(pid, signal.SIGKILL)
    assert await first is None
    await go_on(world)
    await assert_one_effect(world, replayed=place == "while it commits")


async def test_losing_the_database_between_effect_and_answer_leaves_one_effect(world: World) -> None:
    await stop_at(world, "before the answer is kept")
    first = asyncio.create_task(world.send())
    await world.wait_until_it_sleeps()
    await world.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
    answer = await first
    assert answer is not None
    assert (answer.status_code, answer.json()["key"]) == (503, "service_unavailable")
    assert await world.count("events") == 0
    await go_on(world)
    await assert_one_effect(world, replayed=False)


async def test_repeats_wait_for_a_request_that_is_held_up(world: World) -> None:
    await stop_at(world, "while it commits")
    answers = await asyncio.gather(*(world.send() for _ in range(3)))
    await go_on(world)
    assert len({answer.content for answer in answers if answer is not None}) == 1
    assert await world.count("events") == 1


async def test_an_answer_is_there_after_all_connections_were_lost(world: World) -> None:
    first = await world.send()
    assert first is not None
    await world.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'rapport-api' "
        "AND datname = current_database()"
    )
    answers = [await world.send() for _ in range(3)]
    last = answers[-1]
    assert last is not None
    assert last.content == first.content
    assert await world.count("events") == 1
