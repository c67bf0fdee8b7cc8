"""The demo shop is loaded once, however often its load was interrupted."""

import random
from typing import Any

import httpx2
import pytest

import harness
from rapport import demo
from rapport.core.clock import parse_instant
from rapport.core.db import Database
from rapport.projects.models import NewKey
from rapport.settings import Bootstrap, load

CUSTOMERS = 12


async def stored(db: Database, project_id: int) -> dict[str, list[str]]:
    async with db.read() as conn:
        events = await conn.fetch(
            "SELECT source_id || ' ' || events.name AS one FROM events JOIN customers ON customers.project_id = $1 "
            "AND customers.id = customer_id WHERE events.project_id = $1",
            project_id,
        )
        orders = await conn.fetch(
            "SELECT source_id || ' ' || amount AS one FROM orders WHERE project_id = $1", project_id
        )
    return {"events": sorted(row["one"] for row in events), "orders": sorted(row["one"] for row in orders)}


def expected() -> list[str]:
    found = ["demo-1 demo_started"]
    for number in range(1, CUSTOMERS + 1):
        draw = random.Random(demo.SEED * CUSTOMERS + number)
        demo.customer(number, draw)
        for path, body in demo.history(number, parse_instant("2026-01-31T12:00:00Z"), draw):
            if path == "/v1/events":
                found.append(f"demo-{number} {body['event']}")
    return sorted(found)


@pytest.mark.parametrize("calls", [2, 9, 40])
async def test_an_interrupted_load_is_completed_and_nothing_is_doubled(
    server: harness.Server, key: NewKey, db: Database, project_id: int, monkeypatch: pytest.MonkeyPatch, calls: int
) -> None:
    made = Bootstrap(kind="server", app_id=key.app_id, app_token=key.app_token)
    post, left = demo._post, calls

    async def post_until_the_end(client: httpx2.AsyncClient, path: str, body: dict[str, Any]) -> dict[str, Any]:
        nonlocal left
        left -= 1
        answer = await post(client, path, body)
        if left < 0:
            raise ConnectionError(path)
        return answer

    monkeypatch.setattr(demo, "CUSTOMERS", CUSTOMERS)
    monkeypatch.setattr(demo, "_post", post_until_the_end)
    with pytest.raises((ConnectionError, ExceptionGroup)):
        await demo.load(load(), server.base_url, made)
    monkeypatch.setattr(demo, "_post", post)
    lines = await demo.load(load(), server.base_url, made)
    whole = await stored(db, project_id)
    assert whole["events"] == expected()
    assert len(whole["orders"]) == len(set(whole["orders"])) > CUSTOMERS
    assert len(lines) == 4
    await demo.load(load(), server.base_url, made)
    assert await stored(db, project_id) == whole
