"""The worker is killed in the middle of a back-test: each order is still replayed once, and nothing is left behind."""

import os
import random
import signal
import time
from collections.abc import Callable
from typing import Any

import harness
from rapport.core.db import connect
from rapport.projects.actions import create_key

ORDERS = 4_000
PEOPLE = 500
KILLS = 3
DAY = "2026-01-{:02d}T12:00:00.000Z"
RULES = {
    "1": {"name": "redemption.count.per_customer", "conditions": {"$less_than_equal": [3]}},
    "2": {"name": "redemption.count", "conditions": {"$less_than_equal": [1_200]}},
}


async def test_a_back_test_survives_the_death_of_the_worker(
    start_server: Callable[..., harness.Server], new_database: Callable[[str], str]
) -> None:
    rng = random.Random()
    url = new_database("backtest_faults")
    server = start_server(url, "--workers", "1")
    db = await connect(url)
    key = await create_key(db, "Back-tests", "server")
    with harness.client(server.base_url, key.app_id, key.app_token) as client:
        for part in range(0, ORDERS, 2_000):
            rows = [
                {
                    "source_id": f"o{number}",
                    "status": "PAID",
                    "amount": 1_000,
                    "customer": {"source_id": f"c{number % PEOPLE}"},
                    "created_at": DAY.format(1 + number * 28 // ORDERS),
                }
                for number in range(part, part + 2_000)
            ]
            client.post("/v1/orders/import", json=rows).raise_for_status()
        harness.wait_for(lambda: client.get("/v1/orders").json()["total"] == ORDERS, timeout_s=120, what="orders")
        draft = {"rules": RULES, "discount": {"type": "AMOUNT", "amount_off": 50}}
        made = client.post("/v1/backtests", json=draft).raise_for_status().json()
        done, killed, seen = kill_until_done(server, client, made["id"], rng)
        assert killed == KILLS
        assert seen == sorted(seen)
        result = done["result"]
        assert result["orders"] == {
            "total": ORDERS,
            "qualified": 1_200,
            "refused": ORDERS - 1_200,
            "without_customer": 0,
            "amount": ORDERS * 1_000,
            "qualified_amount": 1_200_000,
        }
        assert result["customers"] == {"total": PEOPLE, "qualified": PEOPLE}
        assert result["discount"] == {"total": 60_000, "average": 50}
        assert sum(one["orders"] for one in result["months"]) == ORDERS
        assert len(result["sample"]["qualified"]) == 20
        action = client.get(f"/v1/async-actions/{made['async_action_id']}").json()
        assert (action["status"], action["progress"], action["result"]["done_count"]) == ("DONE", 100, ORDERS)
    async with db.read() as conn:
        assert await conn.fetchval("SELECT count(*) FROM backtest_counts") == 0
        assert await conn.fetchval("SELECT count(*) FROM redemptions") == 0
    await db.close()
    assert server.stop() == 0


def kill_until_done(
    server: harness.Server, client: Any, backtest_id: str, rng: random.Random
) -> tuple[dict[str, Any], int, list[int]]:
    """Kill the worker at random moments of a back-test; return it once it is done, the kills, and the progress seen."""
    killed, seen = 0, [0]
    deadline = time.monotonic() + 180
    while True:
        found = client.get(f"/v1/backtests/{backtest_id}").raise_for_status().json()
        seen.append(found["progress"])
        if found["status"] in {"DONE", "FAILED"}:
            assert found["status"] == "DONE"
            return found, killed, seen
        assert time.monotonic() < deadline, seen
        if killed < KILLS and (workers := server.children()["worker"]):
            time.sleep(rng.uniform(0.0, 0.05))
            os.kill(workers[0], signal.SIGKILL)
            killed += 1
        time.sleep(0.02)
