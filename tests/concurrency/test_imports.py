"""Imports beside each other, beside writers of the same customers, and by several workers at once."""

import asyncio
from typing import Any

import httpx2

import facts
import harness
import imports
from rapport.core.db import Database
from rapport.customers.writes import Writer
from rapport.imports.worker import steps
from rapport.segments.membership import SegmentDecider

OSLO = facts.where("address.city", "$is", "Oslo")
CITIES = ("Oslo", "Rome")


async def drive(db: Database, api: Any, *action_ids: str) -> list[Any]:
    """Take steps as three further workers do, until these actions are over; return the imports."""
    workers = [steps(Writer(db, SegmentDecider())) for _ in range(3)]
    for _ in range(2_000):
        if all(imports.is_over(api, one) for one in action_ids):
            return [imports.find(api, one) for one in action_ids]
        await asyncio.gather(*(worker.run(db) for worker in workers))
        await asyncio.sleep(0.01)
    raise AssertionError("the imports do not end")


async def test_several_workers_apply_each_row_once(api: Any, db: Database, project_id: int) -> None:
    segment_id = facts.new_segment(api, OSLO)
    rows = "".join(f"s{number % 900},{CITIES[number % 2]},{number}\n" for number in range(1_800))
    (one,) = await drive(db, api, imports.send(api, f"source_id,city,n\n{rows}")["async_action_id"])
    assert (one["state"], imports.counts(one)) == ("DONE", (900, 900, 0, 0))
    types = await facts.log_types(db, project_id)
    assert (types.count("customer.created"), types.count("customer.updated")) == (900, 900)
    assert len(await facts.assert_exact(db, project_id, segment_id, OSLO)) == 450


async def test_two_imports_of_the_same_customers_end_consistent(api: Any, db: Database, project_id: int) -> None:
    segment_id = facts.new_segment(api, OSLO)
    files = [
        f"source_id,city,m{run}\n" + "".join(f"s{number},{CITIES[run]},{number}\n" for number in order)
        for run, order in enumerate((range(800), range(799, -1, -1)))
    ]
    found = await drive(db, api, *(imports.send(api, one)["async_action_id"] for one in files))
    assert sum(one["created"] for one in found) == 800
    assert sum(one["updated"] for one in found) == 800
    assert [one["failed"] for one in found] == [0, 0]
    async with db.read() as conn:
        rows = await conn.fetch("SELECT metadata FROM customers WHERE project_id = $1", project_id)
    assert all(row["metadata"].keys() == {"m0", "m1"} for row in rows)
    await facts.assert_exact(db, project_id, segment_id, OSLO)


async def test_writers_beside_an_import_lose_nothing_and_are_not_lost(
    api: Any, db: Database, project_id: int, server: harness.Server
) -> None:
    segment_id = facts.new_segment(api, OSLO)
    content = "source_id,city,imported\n" + "".join(f"s{number},Oslo,yes\n" for number in range(600))
    action_id = imports.send(api, content, mode="merge")["async_action_id"]
    headers = {name: api.headers[name] for name in ("x-app-id", "x-app-token")}

    async def write(http: httpx2.AsyncClient, number: int) -> None:
        body = {"source_id": f"s{number * 7 % 600}", "metadata": {"written": number}, "address": {"city": "Rome"}}
        answer = await http.post("/v1/customers", json=body)
        assert answer.status_code == 200, answer.text

    async with harness.async_client(server.base_url, headers) as http:
        _, (one,) = await asyncio.gather(
            asyncio.gather(*(write(http, number) for number in range(200))), drive(db, api, action_id)
        )
    assert one["failed"] == 0
    assert one["created"] + one["updated"] == 600
    async with db.read() as conn:
        rows = await conn.fetch("SELECT metadata FROM customers WHERE project_id = $1", project_id)
    assert len(rows) == 600
    assert all(row["metadata"]["imported"] == "yes" for row in rows)
    assert sorted(row["metadata"]["written"] for row in rows if "written" in row["metadata"]) == list(range(200))
    types = await facts.log_types(db, project_id)
    assert types.count("customer.created") == 600
    await facts.assert_exact(db, project_id, segment_id, OSLO)
