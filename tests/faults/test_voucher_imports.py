"""kill -9 of the worker while it imports codes: each is there once, and the numbers say so."""

import os
import signal
import time
from collections.abc import Callable

import harness
from rapport.core.db import connect
from rapport.projects.actions import create_key

WANTED = 40_000


async def test_codes_of_a_file_are_there_once_although_the_worker_is_killed_meanwhile(
    start_server: Callable[..., harness.Server], new_database: Callable[[str], str]
) -> None:
    url = new_database("imported_codes")
    server = start_server(url, "--workers", "1")
    db = await connect(url)
    key = await create_key(db, "Codes", "server")
    with harness.client(server.base_url, key.app_id, key.app_token) as client:
        voucher = {"type": "GIFT_VOUCHER", "gift": {"amount": 100}}
        body = {"name": "Cards", "campaign_type": "GIFT_VOUCHERS", "vouchers_count": 0, "voucher": voucher}
        campaign = client.post("/v1/campaigns", json=body).raise_for_status().json()
        client.post(f"/v1/campaigns/{campaign['id']}/vouchers/CODE-7").raise_for_status()
        lines = [f"CODE-{number},{number % 3}" for number in range(WANTED)]
        file = {"file": ("codes.csv", "\n".join(["Code,Redeemed Amount", *lines]).encode(), "text/csv")}
        begun = client.post(f"/v1/campaigns/{campaign['id']}/importCSV", files=file).raise_for_status().json()
        path = f"/v1/async-actions/{begun['async_action_id']}"
        progress, killed, before = [0], 0, -1
        deadline = time.monotonic() + 120
        while True:
            found = client.get(path).raise_for_status().json()
            progress.append(found["progress"])
            if found["status"] in {"DONE", "FAILED"}:
                break
            assert time.monotonic() < deadline, progress
            if killed < 3 and progress[-1] > before and (workers := server.children()["worker"]):
                os.kill(workers[0], signal.SIGKILL)
                killed, before = killed + 1, progress[-1]
            time.sleep(0.02)
        assert (found["status"], killed) == ("DONE", 3)
        assert progress == sorted(progress)
        assert (found["result"]["done_count"], found["result"]["failed_count"]) == (WANTED - 1, 1)
        assert [one["source_id"] for one in found["result"]["failed"]] == ["CODE-7"]
        assert client.get("/v1/campaigns/Cards").json()["vouchers_count"] == WANTED
    async with db.read() as conn:
        rows, distinct = await conn.fetchrow("SELECT count(*), count(DISTINCT code) FROM vouchers")
        made = await conn.fetchval("SELECT codes_made FROM campaigns")
        spent, lines_of = await conn.fetchrow("SELECT -sum(amount), count(*) FROM voucher_transactions")
        wrong = await conn.fetchval(
            "SELECT count(*) FROM vouchers WHERE coalesce(balance, 100) <> 100 + coalesce((SELECT sum(amount) "
            "FROM voucher_transactions AS line WHERE line.project_id = vouchers.project_id "
            "AND line.voucher_id = vouchers.id), 0)"
        )
    assert rows == distinct == made == WANTED
    counted = [number % 3 for number in range(WANTED) if number != 7]
    assert (spent, lines_of, wrong) == (sum(counted), sum(one > 0 for one in counted), 0)
    await db.close()
    assert server.stop() == 0
