"""The making and the removing of many codes are cut off by kill -9 again and again, and still count each code once."""

import os
import signal
import time
from collections.abc import Callable
from typing import Any

import httpx2

import harness
from rapport.core.db import connect
from rapport.projects.actions import create_key

WANTED = 60_000


async def test_codes_are_made_once_although_the_worker_is_killed_meanwhile(
    start_server: Callable[..., harness.Server], new_database: Callable[[str], str]
) -> None:
    url = new_database("codes")
    server = start_server(url, "--workers", "1")
    db = await connect(url)
    key = await create_key(db, "Codes", "server")
    with harness.client(server.base_url, key.app_id, key.app_token) as client:
        voucher = {"type": "DISCOUNT_VOUCHER", "discount": {"type": "AMOUNT", "amount_off": 1}}
        body = {"name": "Many", "type": "STATIC", "vouchers_count": WANTED, "voucher": voucher}
        campaign = client.post("/v1/campaigns", json=body).raise_for_status().json()
        counts, killed, before = [0], 0, -1
        deadline = time.monotonic() + 120
        while True:
            found = client.get("/v1/campaigns/Many").raise_for_status().json()
            counts.append(found["vouchers_count"])
            if found["creation_status"] == "DONE":
                break
            assert time.monotonic() < deadline, counts
            if killed < 3 and counts[-1] > before and (workers := server.children()["worker"]):
                os.kill(workers[0], signal.SIGKILL)
                killed, before = killed + 1, counts[-1]
            time.sleep(0.02)
        generated = client.get("/v1/async-actions").raise_for_status().json()["async_actions"][0]
        done = client.get(f"/v1/async-actions/{generated['id']}").raise_for_status().json()
        assert (done["status"], done["progress"]) == ("DONE", 100)
        assert done["result"] == {"message": f"Generated {WANTED} vouchers.", "done_count": WANTED}
    assert killed == 3
    assert counts == sorted(counts)
    assert counts[-1] == WANTED
    async with db.read() as conn:
        made, wanted = await conn.fetchrow(
            "SELECT codes_made, codes_wanted FROM campaigns WHERE id = $1", campaign["id"]
        )
        distinct = await conn.fetchval(
            "SELECT count(DISTINCT code) FROM vouchers WHERE campaign_id = $1", campaign["id"]
        )
    assert made == wanted == distinct == WANTED
    with harness.client(server.base_url, key.app_id, key.app_token) as client:
        begun = client.delete(f"/v1/campaigns/{campaign['id']}", params={"force": "true"}).raise_for_status().json()
        removed, progress, killed = kill_while_removing(client, server, begun["async_action_id"])
    assert killed == 3
    assert progress == sorted(progress)
    assert removed["result"] == {"message": f"Deleted {WANTED} vouchers.", "done_count": WANTED}
    async with db.read() as conn:
        assert await conn.fetchval("SELECT count(*) FROM vouchers") == 0
        assert await conn.fetchval("SELECT count(*) FROM campaigns") == 0
    await db.close()
    assert server.stop() == 0


def kill_while_removing(
    client: httpx2.Client, server: harness.Server, action_id: str
) -> tuple[dict[str, Any], list[int], int]:
    """Kill the worker three times while an action goes on; return its end, its progress, and the number of kills."""
    progress, killed, before = [0], 0, -1
    deadline = time.monotonic() + 120
    while True:
        found = client.get(f"/v1/async-actions/{action_id}").raise_for_status().json()
        progress.append(found["progress"])
        if found["status"] == "DONE":
            return found, progress, killed
        assert time.monotonic() < deadline, progress
        if killed < 3 and progress[-1] > before and (workers := server.children()["worker"]):
            os.kill(workers[0], signal.SIGKILL)
            killed, before = killed + 1, progress[-1]
        time.sleep(0.02)
