"""Many requests over 64 connections, and the two sizes of the tests that send them: of seconds, and of a long proof."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from harness import Server, async_client
from rapport.core.db import Database

CONNECTIONS = 64
Outcome = Counter[tuple[int, str | None]]


async def attack(server: Server, api: Any, requests: list[tuple[str, Any]]) -> Outcome:
    """Send POST requests over 64 connections; return how often each (status, key) was answered."""
    headers = {name: api.headers[name] for name in ("X-App-Id", "X-App-Token")}
    turn = asyncio.Semaphore(CONNECTIONS)
    async with async_client(server.base_url, headers) as client:

        async def one(path: str, body: Any) -> tuple[int, str | None]:
            async with turn:
                answer = await client.post(path, json=body)
            return answer.status_code, answer.json().get("key")

        return Counter(await asyncio.gather(*(one(path, body) for path, body in requests)))


async def until_waiting(db: Database, task: asyncio.Task[Any]) -> None:
    """Return once a request waits for a lock of the database, or is over."""
    async with db.read() as conn:
        while not task.done() and not await conn.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        ):
            await asyncio.sleep(0.01)


def sizes(short: Any, long: Any) -> list[Any]:
    """Return the sizes of a test to parametrize it with; the long one is for `make soak`."""
    marks = [pytest.mark.soak, pytest.mark.timeout(7_200)]
    return [pytest.param(short, id="short"), pytest.param(long, id="long", marks=marks)]
