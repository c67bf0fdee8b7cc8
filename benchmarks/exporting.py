"""An export of customers, from the request to the finished file, against a bare COPY of the same columns."""

import asyncio
import json
import time
from collections.abc import AsyncIterator

from benchmarks import queries
from benchmarks.population import Population
from benchmarks.report import Aim, Line
from benchmarks.uploading import LOOK_EVERY_S, call
from benchmarks.world import World

FIELDS = (
    "id",
    "source_id",
    "name",
    "email",
    "created_at",
    "address_city",
    "address_country",
    "orders_total_amount",
    "orders_total_count",
    "metadata.tier",
)
"""`queries.copy_customers` has the same columns."""
_ROUNDS = 3
_LONGEST_S = 600


async def measure(world: World, people: Population) -> AsyncIterator[Line]:
    """Yield the line: the best of a few rounds of each, in turns."""
    own, bare = [], []
    for _ in range(_ROUNDS):
        own.append(await _export(world, people))
        async with world.db.read() as conn:
            started = time.perf_counter()
            length = await queries.copy_customers(conn, people.project_id)
            bare.append(time.perf_counter() - started)
    yield Line(
        f"export of {people.size:,} customers, {len(FIELDS)} columns, {length / 1_000_000:.1f} MB",
        f"{people.size / min(own):,.0f} rows/s",
        f"COPY TO: {people.size / min(bare):,.0f} rows/s",
        min(bare) / min(own),
        Aim(at_least=0.2),
    )


async def _export(world: World, people: Population) -> float:
    """Return the seconds from asking for a file until it can be downloaded. Raises where it is not whole."""
    body = json.dumps({"exported_object": "customer", "parameters": {"fields": FIELDS, "order": "created_at"}})
    headers = {**people.headers, "Content-Type": "application/json"}
    started = time.perf_counter()
    made = await call(world, "POST", "/v1/exports", headers, body)
    while True:
        found = await call(world, "GET", f"/v1/exports/{made['id']}", headers)
        took = time.perf_counter() - started
        if found["status"] == "DONE":
            break
        if found["status"] == "ERROR" or took > _LONGEST_S:
            raise RuntimeError(f"the export did not end: {found}")
        await asyncio.sleep(LOOK_EVERY_S)
    if found["file"]["rows"] != people.size:
        raise RuntimeError(f"the file has {found['file']['rows']} rows of {people.size}")
    return took
