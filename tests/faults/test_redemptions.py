"""API processes are killed in the middle of redemptions: what was answered stands, counter and ledger agree."""

import asyncio
import os
import signal
from collections.abc import Callable

import httpx2

import harness
from promotions import stack
from rapport.core.db import connect
from rapport.projects.actions import create_key

LIMIT = 150
RACERS = 400


async def test_redemptions_survive_the_killing_of_the_api(
    start_server: Callable[..., harness.Server], new_database: Callable[[str], str]
) -> None:
    url = new_database("redemptions")
    server = start_server(url, "--workers", "2")
    db = await connect(url)
    key = await create_key(db, "Redemptions", "server")
    headers = {"X-App-Id": key.app_id, "X-App-Token": key.app_token}
    answered: list[str] = []
    refused = 0

    async def one(client: httpx2.AsyncClient, turn: asyncio.Semaphore, number: int) -> None:
        nonlocal refused
        async with turn:
            try:
                answer = await client.post("/v1/redemptions", json=stack("CODE", customer=f"c{number % 50}"))
            except httpx2.TransportError:
                return
            if answer.status_code == 200:
                answered.append(answer.json()["redemptions"][0]["id"])
            else:
                assert answer.json()["key"] == "quantity_exceeded"
                refused += 1

    async with harness.async_client(server.base_url, headers) as client:
        voucher = {"discount": {"type": "AMOUNT", "amount_off": 1}, "redemption": {"quantity": LIMIT}}
        (await client.post("/v1/vouchers/CODE", json=voucher)).raise_for_status()
        pids = server.children()["api"]  # looked up before, since it takes a while
        turn = asyncio.Semaphore(20)
        racing = asyncio.gather(*(one(client, turn, number) for number in range(RACERS)))
        while len(answered) < 30:
            await asyncio.sleep(0.01)
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        await racing
    async with db.read() as conn:
        used = await conn.fetchval("SELECT redeemed_quantity FROM vouchers WHERE code = 'CODE'")
        ledger = {row["id"] for row in await conn.fetch("SELECT id FROM redemptions WHERE result = 'SUCCESS'")}
        orders = await conn.fetchval("SELECT count(*) FROM orders")
        counted = await conn.fetchval("SELECT sum((redemptions ->> 'total_succeeded')::int) FROM customers")
        logged = await conn.fetchval("SELECT count(*) FROM activity WHERE type = 'customer.redemption.succeeded'")
    assert set(answered) <= ledger
    assert used == len(ledger) == orders == counted == logged <= LIMIT
    assert len(answered) + refused < RACERS, "nobody was cut off: the test shows nothing"
    await db.close()
    assert server.stop() == 0
