"""Repeats at the same moment: one effect, and everybody gets the same answer."""

import asyncio
import random
from collections import Counter
from typing import Any

import promotions
from harness import Server, async_client
from promotions import make_voucher, stack, used
from rapport.core.db import Database


async def send_all(server: Server, api: Any, requests: list[tuple[str, str, Any]]) -> list[Any]:
    """Send POST requests (key, path, body) at the same moment; return the answers."""
    headers = {name: api.headers[name] for name in ("X-App-Id", "X-App-Token")}
    async with async_client(server.base_url, headers) as client:
        return await asyncio.gather(
            *(client.post(path, json=body, headers={"Idempotency-Key": key}) for key, path, body in requests)
        )


async def test_fifty_requests_with_one_key_have_one_effect_and_one_answer(
    server: Server, api: Any, db: Database, project_id: int
) -> None:
    body = {"event": "seen", "customer": {"source_id": "ann"}}
    answers = await send_all(server, api, [("k", "/v1/events", body)] * 50)
    assert Counter(answer.status_code for answer in answers) == {200: 50}
    assert len({answer.content for answer in answers}) == 1
    assert Counter(answer.headers.get("idempotency-replayed") for answer in answers) == {"true": 49, None: 1}
    assert await promotions.rows(db, project_id, "events") == 1
    assert await promotions.rows(db, project_id, "idempotency_keys") == 1


async def test_fifty_requests_with_one_key_and_two_bodies_do_one_of_the_two(
    server: Server, api: Any, db: Database, project_id: int
) -> None:
    bodies = [{"event": name, "customer": {"source_id": "ann"}} for name in ("a", "b")]
    answers = await send_all(server, api, [("k", "/v1/events", bodies[number % 2]) for number in range(50)])
    assert Counter(answer.status_code for answer in answers) == {200: 25, 422: 25}
    assert len({answer.content for answer in answers if answer.status_code == 200}) == 1
    assert await promotions.rows(db, project_id, "events") == 1


async def test_under_load_with_repeats_every_key_counts_once_and_the_limit_holds(
    server: Server, api: Any, db: Database, project_id: int
) -> None:
    make_voucher(api, "CODE", redemption={"quantity": 25})
    requests = [
        (f"k{number}", "/v1/redemptions", stack("CODE", customer=f"c{number % 7}"))
        for number in range(40)
        for _ in range(3)
    ]
    random.Random(7).shuffle(requests)
    answers = await send_all(server, api, requests)
    by_key: dict[str, set[Any]] = {}
    for (key, _, _), answer in zip(requests, answers, strict=True):
        by_key.setdefault(key, set()).add((answer.status_code, answer.content))
    assert [found for found in by_key.values() if len(found) > 1] == []
    assert Counter(status for found in by_key.values() for status, _ in found) == {200: 25, 400: 15}
    assert used(api, "CODE") == 25
    async with db.read() as conn:
        ledger = await conn.fetch("SELECT result FROM redemptions WHERE project_id = $1", project_id)
    assert Counter(row["result"] for row in ledger) == {"SUCCESS": 25, "FAILURE": 15}
    repeats = await send_all(server, api, requests[::5])
    for (key, _, _), answer in zip(requests[::5], repeats, strict=True):
        assert by_key[key] == {(answer.status_code, answer.content)}
        assert answer.headers["idempotency-replayed"] == "true"
    assert used(api, "CODE") == 25
