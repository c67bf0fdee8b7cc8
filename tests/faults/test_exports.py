"""Exports beside writers, deletions, erasures and dying workers: a file is whole and of one moment, or not there."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

import harness
from distribution_world import World, make_world, start_without_worker
from exports_world import create, download, table
from rapport.core.db import Connection, Database
from rapport.customers import queries as customers
from rapport.exports import queries
from rapport.exports.holding import holding
from rapport.exports.models import MAX_FAILURES, MAX_UNFINISHED, Claimed
from rapport.exports.tasks import Expiry, Exporting

WEEK = timedelta(days=7)
MANY = 50_000


class Paused(Exporting):
    """Writes small pieces, and stops after the first until it is told to go on."""

    def __init__(self, piece_bytes: int = 64) -> None:
        super().__init__(WEEK, piece_bytes=piece_bytes)
        self.reached, self.go_on = asyncio.Event(), asyncio.Event()

    async def _keep(self, db: Database, project_id: int, claimed: Claimed, number: int, data: bytes, rows: int) -> None:
        await super()._keep(db, project_id, claimed, number, data, rows)
        self.reached.set()
        await self.go_on.wait()


@pytest.fixture(scope="module")
def own_url(new_database: Callable[[str], str]) -> str:
    return new_database("export_faults")


@pytest.fixture(scope="module")
def own_server(start_server: Callable[..., harness.Server], own_url: str) -> harness.Server:
    return start_without_worker(start_server, own_url)


@pytest.fixture
async def world(
    own_server: harness.Server, own_url: str, run_dir: Path, request: pytest.FixtureRequest
) -> AsyncIterator[World]:
    async with make_world(own_server, own_url, run_dir, request.node.name) as made:
        yield made


async def write_one(world: World) -> bool:
    """Write the project's next file; return whether there was one."""
    return await Exporting(WEEK).write_next(world.db, world.project_id)


async def write(world: World) -> None:
    """Write all files of the project that wait."""
    while await write_one(world):
        pass


async def paused(world: World, piece_bytes: int = 64) -> tuple[Paused, asyncio.Task[bool]]:
    """Begin to write a file and stop in the middle."""
    exporting = Paused(piece_bytes)
    task = asyncio.create_task(exporting.write_next(world.db, world.project_id))
    await asyncio.wait_for(exporting.reached.wait(), 20)
    return exporting, task


def get(world: World, export_id: str) -> dict[str, Any]:
    """Return an export."""
    return world.api.call("GET", f"/v1/exports/{export_id}")  # type: ignore[no-any-return]


def names(world: World, export_id: str) -> list[str]:
    """Return the first column of an export's file, without the header."""
    return [row[0] for row in table(download(get(world, export_id)["result"]["url"]))[1:]]


async def pieces(world: World) -> list[tuple[str, int]]:
    """Return the export and the attempt of every piece of a file that the project has."""
    async with world.db.read() as conn:
        rows = await conn.fetch(
            "SELECT DISTINCT export_id, attempt FROM export_chunks WHERE project_id = $1 ORDER BY 1, 2",
            world.project_id,
        )
    return [tuple(row) for row in rows]


async def change(world: World, text: str) -> None:
    """Change the project's exports straight in the database."""
    async with world.db.read() as conn:
        await conn.execute(f"UPDATE exports SET {text} WHERE project_id = $1", world.project_id)


async def erase(conn: Connection, world: World, customer_id: str) -> list[int]:
    """Do what a permanent deletion does, as far as customers and exports are concerned."""
    customer = await customers.lock(conn, world.project_id, customer_id)
    assert customer is not None
    await customers.delete(conn, world.project_id, customer.id)
    return [await holding.erase(conn, world.project_id, customer) for _ in range(2)]


async def until(world: World, question: str) -> None:
    """Wait until a question about the project, `$1`, has an answer other than 0."""
    async with world.db.read() as conn, asyncio.timeout(30):
        while not await conn.fetchval(question, world.project_id):
            await asyncio.sleep(0.02)


@contextmanager
def worker_process(world: World) -> Iterator[subprocess.Popen[bytes]]:
    """Run a real `rapport worker`; end it if the test did not."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAPPORT_")}
    environment |= {"RAPPORT_DATABASE_URL": world.database_url, "RAPPORT_DATA_DIR": str(world.outbox.parent)}
    command = [str(Path(sys.executable).with_name("rapport")), "worker"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def memory_mb(process_id: int, name: str) -> float:
    """Return what a process takes of memory: now (`VmRSS`), or at most so far (`VmHWM`)."""
    status = Path(f"/proc/{process_id}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith(name))
    return int(line.split()[1]) / 1024


async def fill(world: World, number: int) -> None:
    """Insert many customers."""
    async with world.db.read() as conn:
        await conn.execute(
            "INSERT INTO customers (project_id, id, source_id, name, address, metadata, system_metadata, source, "
            "orders_count, orders_amount, last_order_products, redemptions, loyalty, referrals, events, created_at, "
            "updated_at) SELECT $1, 'cust_' || i, 'c' || i, 'Name ' || i, '{}', jsonb_build_object('text', "
            "repeat('x', 800)), '{}', 'API', 0, 0, '[]', '{}', '{}', '{}', '{}', now(), now() "
            "FROM generate_series(1, $2) AS i",
            world.project_id,
            number,
        )


async def test_a_file_is_as_of_one_moment_although_writers_go_on(world: World) -> None:
    await fill(world, 1_000)
    made = create(world.api, "customer", fields=["name", "metadata"], order="created_at")
    exporting, task = await paused(world, 10_000)
    async with world.db.read() as conn:
        await conn.execute("UPDATE customers SET name = 'changed' WHERE project_id = $1", world.project_id)
    world.customer("new", name="new", metadata={"another": 1})
    world.api.call("DELETE", "/v1/customers/c1000", status=204)
    exporting.go_on.set()
    assert await task
    assert sorted(names(world, made["id"])) == sorted(f"Name {number}" for number in range(1, 1_001))


async def test_a_file_cannot_be_had_before_it_is_whole(world: World) -> None:
    world.customer("a", name="a" * 200)
    made = create(world.api, "customer")
    exporting, task = await paused(world)
    found = get(world, made["id"])
    assert (found["status"], found["result"], "file" in found) == ("IN_PROGRESS", None, False)
    exporting.go_on.set()
    await task
    assert get(world, made["id"])["status"] == "DONE"


async def test_an_export_that_is_deleted_while_it_is_written_leaves_nothing(world: World) -> None:
    world.customer("a", name="a" * 200)
    made = create(world.api, "customer")
    exporting, task = await paused(world)
    world.api.call("DELETE", f"/v1/exports/{made['id']}", status=204)
    exporting.go_on.set()
    await task
    assert await pieces(world) == []
    world.api.fails("GET", f"/v1/exports/{made['id']}", status=404, key="not_found")


async def test_a_worker_that_was_thought_dead_adds_nothing_to_the_file_of_another(world: World) -> None:
    world.customer("a", name="a" * 200)
    made = create(world.api, "customer", fields=["name"])
    exporting, task = await paused(world)
    assert not await write_one(world)  # its worker is believed
    await change(world, "lease_until = clock_timestamp() - interval '1 second'")
    world.customer("b", name="b")
    await write(world)
    exporting.go_on.set()
    await task
    assert sorted(names(world, made["id"])) == ["a" * 200, "b"]
    assert await pieces(world) == [(made["id"], 2)]


async def test_a_download_of_a_file_that_is_removed_meanwhile_breaks_off(world: World) -> None:
    world.customer("a", name="a" * 200)
    made = create(world.api, "customer")
    await write(world)
    url = get(world, made["id"])["result"]["url"]
    await change(world, "byte_count = byte_count + 1")  # as if a piece were gone
    with pytest.raises(httpx2.RemoteProtocolError):
        httpx2.get(url)


async def test_one_export_of_a_project_is_written_at_a_time_and_the_others_wait(world: World) -> None:
    world.customer("a", name="a" * 200)
    made = [create(world.api, "customer")["id"] for _ in range(3)]
    exporting, task = await paused(world)
    assert not await write_one(world)
    assert [get(world, one)["status"] for one in made] == ["IN_PROGRESS", "SCHEDULED", "SCHEDULED"]
    exporting.go_on.set()
    await task
    await asyncio.gather(write(world), write(world))
    assert [get(world, one)["status"] for one in made] == ["DONE"] * 3


async def test_only_so_many_exports_may_wait(world: World) -> None:
    for _ in range(MAX_UNFINISHED):
        made = create(world.api, "order")
    body = {"exported_object": "order"}
    world.api.fails("POST", "/v1/exports", body, status=429, key="too_many_exports")
    world.api.call("DELETE", f"/v1/exports/{made['id']}", status=204)
    world.api.call("POST", "/v1/exports", body)
    world.api.fails("POST", "/v1/orders/export", {}, status=429, key="too_many_exports")


async def test_what_fails_is_tried_again_and_then_given_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    made = create(world.api, "customer")

    async def fail(*_: Any) -> None:
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(queries, "open_cursor", fail)
    for number in range(MAX_FAILURES):
        found = get(world, made["id"])
        assert found["status"] == "SCHEDULED", number
        await change(world, "next_attempt_at = clock_timestamp()")
        assert await write_one(world)
    found = get(world, made["id"])
    assert (found["status"], found["result"]) == ("ERROR", None)
    assert found["error"] == "Something went wrong on our side"


async def test_an_export_whose_workers_die_again_and_again_is_given_up(world: World) -> None:
    made = create(world.api, "customer")
    for _ in range(MAX_FAILURES):
        exporting, task = await paused(world)
        exporting._put_back = lambda *_: asyncio.sleep(0)  # type: ignore[assignment,method-assign] # dead: it says nothing
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await change(world, "lease_until = clock_timestamp()")
    assert not await write_one(world)
    found = get(world, made["id"])
    assert (found["status"], found["result"]) == ("ERROR", None)
    assert "worker ended" in found["error"]
    assert await pieces(world) == []


async def test_a_worker_that_is_stopped_gives_its_export_back(world: World) -> None:
    made = create(world.api, "customer")
    _, task = await paused(world)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert get(world, made["id"])["status"] == "SCHEDULED"
    await write(world)
    assert get(world, made["id"])["status"] == "DONE"


async def test_an_export_of_a_segment_that_is_gone_ends_with_the_reason(world: World) -> None:
    segment_id = await world.segment()
    made = create(world.api, "segment_members", segment_id=segment_id)
    world.api.call("DELETE", f"/v1/segments/{segment_id}", status=204)
    await write(world)
    found = get(world, made["id"])
    assert (found["status"], found["error"]) == ("ERROR", f"Cannot find segment with id {segment_id}")


async def test_a_file_is_removed_when_its_time_is_over(world: World) -> None:
    world.customer("a")
    made = create(world.api, "customer")
    await write(world)
    url = get(world, made["id"])["result"]["url"]
    async with world.later(WEEK - timedelta(minutes=1)) as db:
        assert not await Expiry().run(db)
    assert download(url)
    async with world.later(WEEK + timedelta(minutes=1)) as db:
        assert await Expiry().run(db)
    found = get(world, made["id"])
    assert (found["status"], found["result"], found["file"]["state"]) == ("DONE", None, "EXPIRED")
    assert await pieces(world) == []
    assert httpx2.get(url).status_code == 404


async def test_an_erasure_takes_the_person_out_of_every_file(world: World) -> None:
    ann = world.customer("ann", name="Ann")
    world.customer("bob", name="Bob" * 50)
    done = create(world.api, "customer", fields=["name"])["id"]
    await write(world)
    url = get(world, done)["result"]["url"]
    running = create(world.api, "customer", fields=["name"])["id"]
    exporting, task = await paused(world)
    waiting = create(world.api, "customer", fields=["name"])["id"]
    naming = create(world.api, "customer", filters={"email": {"conditions": {"$is": [world.address("ann")]}}})["id"]
    # What names the person is counted, and nothing the second time; the files are not, for they are not about anybody.
    assert await world.db.transaction(lambda conn: erase(conn, world, ann["id"])) == [1, 0]
    assert await pieces(world) == []
    exporting.go_on.set()
    await task
    found = get(world, done)
    assert (found["status"], found["result"], found["file"]["state"]) == ("DONE", None, "ERASED")
    assert httpx2.get(url).status_code == 404
    world.api.fails("GET", f"/v1/exports/{naming}", status=404, key="not_found")
    assert [get(world, one)["status"] for one in (running, waiting)] == ["SCHEDULED"] * 2
    await write(world)
    assert names(world, running) == names(world, waiting) == ["Bob" * 50]


async def test_an_export_that_is_claimed_beside_an_erasure_waits_for_its_end(world: World) -> None:
    ann = world.customer("ann", name="Ann")
    made = create(world.api, "customer", fields=["name"])["id"]
    erased, commit = asyncio.Event(), asyncio.Event()

    async def slowly(conn: Connection) -> None:
        await erase(conn, world, ann["id"])
        erased.set()
        await commit.wait()

    erasing = asyncio.create_task(world.db.transaction(slowly))
    await asyncio.wait_for(erased.wait(), 20)
    writing = asyncio.create_task(write_one(world))
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%export_gates%'"
    async with world.db.read() as conn, asyncio.timeout(20):
        while not await conn.fetchval(waiting):
            await asyncio.sleep(0.01)
    commit.set()
    await erasing
    assert await writing
    assert names(world, made) == []


async def test_a_worker_killed_in_the_middle_leaves_no_file_and_another_writes_it_in_bounded_memory(
    world: World,
) -> None:
    await fill(world, MANY)
    made = create(world.api, "customer", fields=["source_id", "name", "metadata.text", "created_at"])
    with worker_process(world) as worker:
        await until(world, "SELECT count(*) FROM export_chunks WHERE project_id = $1")
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    found = get(world, made["id"])
    assert (found["status"], found["result"]) == ("IN_PROGRESS", None)
    assert await pieces(world) == [(made["id"], 1)]
    with worker_process(world) as worker:
        await until(
            world,
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'rapport-worker' AND $1 > 0 "
            "AND query LIKE '%FROM exports%' AND datname = current_database()",
        )
        before_mb = memory_mb(worker.pid, "VmRSS")
        await change(world, "lease_until = clock_timestamp()")
        harness.wait_for(lambda: get(world, made["id"])["status"] == "DONE", timeout_s=60, what="the file")
        grown_mb = memory_mb(worker.pid, "VmHWM") - before_mb
    found = get(world, made["id"])
    data = download(found["result"]["url"])
    assert found["file"]["rows"] == MANY
    assert found["file"]["bytes"] == len(data) > 40_000_000
    _, *rows = table(data)
    assert sorted(row[0] for row in rows) == sorted(f"c{number}" for number in range(1, MANY + 1))
    assert await pieces(world) == [(made["id"], 2)]
    assert grown_mb < 40, grown_mb
