"""Processes are killed, and the server goes on; it is told to end, and finishes what it has begun."""

import asyncio
import json
import os
import signal
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from faults.servers import Server, alive, refuses_connections
from harness import wait_for

Serve = Callable[..., Server]


def ask(server: Server, query: str) -> int:
    """Ask the server's database for a number."""

    async def work() -> int:
        conn = await asyncpg.connect(server.url)
        found = await conn.fetchval(query)
        await conn.close()
        return int(found)

    return asyncio.run(work())


def count_customers(server: Server) -> int:
    return ask(server, "SELECT count(*) FROM customers")


def wait_until_all_are_connected(server: Server) -> None:
    """Wait for the second API process and the worker: the server is ready with its first."""
    wait_for(lambda: server.errors.count("the API is at work") == len(server.children("api")))
    wait_for(lambda: "the worker is at work" in server.errors)


def with_customers_locked(server: Server, during: Callable[[], Any]) -> tuple[int, Any]:
    """Send a request that has to wait for a lock, call `during` once it waits, let go, return the request's answer."""

    async def work() -> tuple[int, Any]:
        conn = await asyncpg.connect(server.url)
        transaction = conn.transaction()
        await transaction.start()
        await conn.execute("LOCK TABLE customers IN ACCESS EXCLUSIVE MODE")
        request = asyncio.get_running_loop().run_in_executor(
            pool, server.request, "POST", "/v1/customers", {"source_id": "waits"}
        )
        while not await conn.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
            await asyncio.sleep(0.02)
        try:
            during()
            await transaction.rollback()
            await conn.close()
        finally:
            answer = (await asyncio.gather(request, return_exceptions=True))[0]
        if isinstance(answer, BaseException):
            raise answer
        status, body = answer
        return status, body

    with ThreadPoolExecutor(1) as pool:
        return asyncio.run(work())


def test_a_killed_api_process_is_replaced_and_requests_go_on(serve: Serve) -> None:
    server = serve("--workers", "2")
    before = server.children("api")
    assert len(before) == 2

    os.kill(before[0], signal.SIGKILL)

    assert server.request("POST", "/v1/customers", {"source_id": "next"})[0] == 200
    wait_for(lambda: len(server.children("api")) == 2)
    after = server.children("api")
    assert before[0] not in after
    assert before[1] in after
    assert "ended=SIGKILL" in server.errors


def test_a_killed_worker_is_replaced(serve: Serve) -> None:
    server = serve()
    (before,) = server.children("worker")
    wait_for(lambda: server.errors.count("the worker is at work") == 1)

    os.kill(before, signal.SIGKILL)

    assert wait_for(lambda: [pid for pid in server.children("worker") if pid != before])
    wait_for(lambda: server.errors.count("the worker is at work") == 2)


def test_without_a_worker_there_is_none(serve: Serve) -> None:
    server = serve("--no-worker", "--workers", "1")

    assert len(server.children("api")) == 1
    assert server.children("worker") == []


def test_the_children_of_a_killed_server_end_and_the_next_start_is_clean(serve: Serve) -> None:
    server = serve()
    children = server.children("api") + server.children("worker")
    database = server.database_pid
    assert server.request("POST", "/v1/customers", {"source_id": "kept"})[0] == 200

    server.process.kill()
    server.process.wait()

    wait_for(lambda: not any(alive(pid) for pid in children))
    assert refuses_connections(server.port)
    again = serve()
    assert server.credentials == again.credentials
    assert again.request("GET", "/v1/customers/kept")[1]["source_id"] == "kept"
    assert not alive(database)
    assert again.stop() == 0


def test_server_and_database_killed_together_lose_nothing_that_was_answered(serve: Serve) -> None:
    server = serve()
    sources = [f"answered-{number}" for number in range(20)]
    for source in sources:
        assert server.request("POST", "/v1/customers", {"source_id": source})[0] == 200

    os.kill(server.database_pid, signal.SIGKILL)
    server.process.kill()
    server.process.wait()

    again = serve()
    assert [again.request("GET", f"/v1/customers/{source}")[0] for source in sources] == [200] * 20
    assert count_customers(again) == 20


def test_a_killed_database_is_started_again_and_its_clients_connect_anew(serve: Serve) -> None:
    server = serve()
    wait_until_all_are_connected(server)
    processes = server.children("api") + server.children("worker")
    assert server.request("POST", "/v1/customers", {"source_id": "kept"})[0] == 200
    database = server.database_pid

    os.kill(database, signal.SIGKILL)

    wait_for(lambda: "starting it again" in server.errors)
    wait_for(server.healthy)
    assert server.request("GET", "/v1/customers/kept")[0] == 200
    assert server.request("POST", "/v1/customers", {"source_id": "new"})[0] == 200
    assert server.database_pid != database
    assert server.children("api") + server.children("worker") == processes


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_told_to_end_it_finishes_requests_in_flight_and_takes_no_new_ones(serve: Serve, number: signal.Signals) -> None:
    server = serve()
    database = server.database_pid

    def during() -> None:
        server.process.send_signal(number)
        wait_for(lambda: refuses_connections(server.port))
        assert server.process.poll() is None

    status, customer = with_customers_locked(server, during)

    assert (status, customer["source_id"]) == (200, "waits")
    assert server.process.wait(90) == 0
    assert not alive(database)
    assert not (server.data_dir / "postgres" / "postmaster.pid").exists()
    assert refuses_connections(server.port)
    assert "Traceback" not in server.errors


def test_a_second_interrupt_does_not_wait_for_requests_and_keeps_what_was_committed(serve: Serve) -> None:
    server = serve()
    assert server.request("POST", "/v1/customers", {"source_id": "kept"})[0] == 200

    def during() -> None:
        server.process.send_signal(signal.SIGINT)
        wait_for(lambda: refuses_connections(server.port))
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(25) == 0

    with pytest.raises((OSError, asyncpg.PostgresError, asyncpg.InterfaceError)):
        with_customers_locked(server, during)

    again = serve()
    assert count_customers(again) == 1


def test_the_keys_are_printed_at_every_start_and_kept_for_their_owner_only(serve_anew: Serve) -> None:
    first = serve_anew()
    shown = [line for line in first.announced if "X-App-Token" in line]
    assert first.credentials["app_token"] in shown[0]
    assert f"{first.data_dir}/outbox" in "".join(first.announced)
    modes = {name: stat.S_IMODE((first.data_dir / name).stat().st_mode) for name in ("credentials.json", "outbox")}
    assert modes == {"credentials.json": 0o600, "outbox": 0o700}
    assert stat.S_IMODE((first.data_dir / "postgres").stat().st_mode) == 0o700
    assert first.stop() == 0

    second = serve_anew()

    assert [line for line in second.announced if "X-App-Token" in line] == shown


def test_what_an_interrupted_first_start_left_is_replaced(serve_anew: Serve, place: Path) -> None:
    half_made = place / "data" / "postgres.new"
    half_made.mkdir(parents=True)
    (half_made / "PG_VERSION").write_text("18\n")

    server = serve_anew()

    assert server.healthy()
    assert not half_made.exists()


def test_a_process_number_left_from_before_a_reboot_does_not_keep_the_database_from_starting(serve: Serve) -> None:
    server = serve()
    lines = (server.data_dir / "postgres" / "postmaster.pid").read_text().splitlines()
    database = server.database_pid
    server.process.kill()
    server.process.wait()
    os.kill(database, signal.SIGKILL)
    wait_for(lambda: not alive(database))
    (server.data_dir / "postgres" / "postmaster.pid").write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")

    assert serve().healthy()


def test_a_data_directory_with_a_path_too_long_for_a_socket_works(serve_anew: Serve, place: Path) -> None:
    deep = place / ("a" * 60) / ("b" * 60)
    server = serve_anew("--data-dir", str(deep))

    assert json.loads((deep / "credentials.json").read_text())
    assert server.stop() == 0
