"""Codes of a campaign, made at random and imported from a file, against a bare COPY of the same rows."""

import asyncio
import json
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

from benchmarks import queries, uploading
from benchmarks.report import Line
from benchmarks.world import World

_JSON = {"Content-Type": "application/json"}
_BODY = {
    "name": "Benchmark",
    "campaign_type": "DISCOUNT_COUPONS",
    "type": "STATIC",
    "voucher": {
        "type": "DISCOUNT_VOUCHER",
        "discount": {"type": "PERCENT", "percent_off": 10, "effect": "APPLY_TO_ORDER"},
        "redemption": {"quantity": 1},
        "code_config": {"length": 12},
    },
}


async def measure(world: World) -> AsyncIterator[Line]:
    """Yield a line for codes that are generated, and one for as many that a file brings; `rows` of each."""
    began = time.monotonic()
    made = await _campaign(world, "Generated", world.rows)
    while True:
        campaign = await uploading.call(world, "GET", f"/v1/campaigns/{made}", world.running.headers)
        if campaign["vouchers_count"] == world.rows:
            break
        await asyncio.sleep(uploading.LOOK_EVERY_S)
    yield await _against(world, f"{world.rows:,} codes generated", made, time.monotonic() - began)
    with tempfile.TemporaryDirectory(prefix="rapport-bench-") as directory:
        path = Path(directory) / "codes.csv"
        path.write_text("Code\n" + "".join(f"shop-{number}\n" for number in range(world.rows)))
        brought = await _campaign(world, "Imported", 0)
        began = time.monotonic()
        target = f"/v1/campaigns/{brought}/importCSV"
        action_id = await uploading.upload(world, world.running.headers, target, path)
        done = await uploading.wait(world, world.running.headers, action_id)
        took_s = time.monotonic() - began
    if done != world.rows:
        raise RuntimeError(f"the import has {done} codes of {world.rows}")
    yield await _against(world, f"{world.rows:,} codes imported from CSV", brought, took_s)


async def _campaign(world: World, name: str, count: int) -> str:
    body = json.dumps({**_BODY, "name": name, "vouchers_count": count})
    made = await uploading.call(world, "POST", "/v1/campaigns", {**world.running.headers, **_JSON}, body)
    return str(made["id"])


async def _against(world: World, name: str, campaign_id: str, took_s: float) -> Line:
    async with world.db.read() as conn:
        alone_s = await queries.copy_codes(conn, campaign_id)
    rate, bare = world.rows / took_s, world.rows / alone_s
    return Line(name, f"{rate:,.0f}/s", f"COPY: {bare:,.0f} rows/s", rate / bare)
