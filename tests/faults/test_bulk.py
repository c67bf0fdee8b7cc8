"""The worker is killed in the middle of bulk requests and imports: nothing is lost, nothing is done twice."""

import os
import random
import signal
import time
from collections.abc import Callable
from typing import Any

import harness
from rapport.core.db import Database, connect
from rapport.projects.actions import create_key

ROUNDS = 5 if os.environ.get("RAPPORT_SOAK") else 1
KILLS = 3
DAY = "2026-01-{:02d}T12:00:00.000Z"
BAD = {"source_id": "bad", "amount": -1}


def requests(round_number: int) -> dict[str, list[dict[str, Any]]]:
    """Return what is asked for in one round: 20 customers share 300 orders and 600 events; each 50th is bad."""
    orders: list[dict[str, Any]] = [
        {
            "source_id": f"o{round_number}.{number}",
            "status": "PAID",
            "amount": 10,
            "customer": {"source_id": f"c{number % 20}"},
            "created_at": DAY.format(number % 28 + 1),
        }
        for number in range(300)
    ]
    orders[::50] = [{**BAD, "source_id": f"bad{number}"} for number in range(6)]
    events: list[dict[str, Any]] = [
        {"event": "seen", "customer": {"source_id": f"c{number % 20}"}, "created_at": DAY.format(number % 28 + 1)}
        for number in range(600)
    ]
    customers = [{"source_id": f"c{number}", "metadata": {f"r{round_number}": number}} for number in range(100)]
    return {"/v1/orders/import": orders, "/v1/events/import": events, "/v1/customers/bulk/async": customers}


async def test_bulk_requests_survive_the_death_of_the_worker(
    start_server: Callable[..., harness.Server], new_database: Callable[[str], str]
) -> None:
    rng = random.Random()
    url = new_database("bulk_faults")
    server = start_server(url, "--workers", "1")
    db = await connect(url)
    key = await create_key(db, "Bulk", "server")
    killed = 0
    with harness.client(server.base_url, key.app_id, key.app_token) as client:
        for number in range(ROUNDS):
            ids = [
                client.post(path, json=body).raise_for_status().json()["async_action_id"]
                for path, body in requests(number).items()
            ]
            killed += kill_while(server, client, ids, rng)
            actions = [client.get(f"/v1/async-actions/{one}").json() for one in ids]
            assert [(one["status"], one["result"]["done_count"], one["result"]["failed_count"]) for one in actions] == [
                ("DONE", 294, 6),
                ("DONE", 600, 0),
                ("DONE", 100, 0),
            ]
            await check(db, number + 1)
    assert killed >= ROUNDS
    await db.close()
    assert server.stop() == 0


def kill_while(server: harness.Server, client: Any, ids: list[str], rng: random.Random) -> int:
    """Kill the worker at random moments until the actions are over; return how often."""
    killed = 0
    deadline = time.monotonic() + 120
    while any(client.get(f"/v1/async-actions/{one}").json()["status"] not in {"DONE", "FAILED"} for one in ids):
        assert time.monotonic() < deadline
        if killed < KILLS and (workers := server.children()["worker"]):
            time.sleep(rng.uniform(0.02, 0.3))
            os.kill(workers[0], signal.SIGKILL)
            killed += 1
        time.sleep(0.05)
    return killed


async def check(db: Database, rounds: int) -> None:
    """Assert that everything asked for so far was done once."""
    async with db.read() as conn:
        customers = await conn.fetch(
            "SELECT source_id, orders_count, orders_amount, events -> 'seen' ->> 'count' AS seen, metadata "
            "FROM customers WHERE source_id = ANY (SELECT 'c' || n FROM generate_series(0, 19) AS n)"
        )
        orders, events = await conn.fetchrow(
            "SELECT (SELECT count(*) FROM orders), (SELECT count(*) FROM events WHERE name = 'seen')"
        )
        logged = await conn.fetch(
            "SELECT type, count(*) AS number FROM activity WHERE type = ANY ($1) GROUP BY type ORDER BY type",
            ["customer.created", "customer.custom_event", "customer.order.created", "customer.order.paid"],
        )
        waiting = await conn.fetchval("SELECT count(*) FROM bulk_items WHERE status = 'WAITING'")
    assert (orders, events, waiting) == (294 * rounds, 600 * rounds, 0)
    assert [(row["type"], row["number"]) for row in logged] == [
        ("customer.created", 100),
        ("customer.custom_event", 600 * rounds),
        ("customer.order.created", 294 * rounds),
        ("customer.order.paid", 294 * rounds),
    ]
    assert len(customers) == 20
    assert sum(row["orders_count"] for row in customers) == 294 * rounds
    assert sum(row["orders_amount"] for row in customers) == 2940 * rounds
    assert {row["seen"] for row in customers} == {str(30 * rounds)}
    assert all(set(row["metadata"]) == {f"r{number}" for number in range(rounds)} for row in customers)
