"""The making of many codes is cut off by kill -9 again and again, and still makes each code once."""

import os
import signal
import time
from collections.abc import Callable

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
            workers = server.children()["worker"]
            if killed < 3 and counts[-1] > before and workers:
                os.kill(workers[0], signal.SIGKILL)
                killed, before = killed + 1, counts[-1]
            time.sleep(0.02)
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
    await db.close()
    assert server.stop() == 0
