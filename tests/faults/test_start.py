"""A server that cannot start says why in one line, and touches nothing."""

import asyncio
import http.server
import json
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from faults.servers import OwnDatabase, Server, refuses_connections, run
from harness import free_port, wait_for
from rapport.core import preflight, queries
from rapport.core.embedded import EmbeddedPostgres
from rapport.settings import StartError

Serve = Callable[..., Server]
REVISIONS = "SELECT version_num FROM alembic_version"


def refused(*arguments: str, **environment: str) -> str:
    """Run a command that must fail with one line; return the line."""
    done = run(*arguments, **environment)
    assert done.returncode == 1, done
    assert done.stdout == ""
    told = [line for line in done.stderr.splitlines() if "[info" not in line]
    assert len(told) == 1, done.stderr
    assert told[0].startswith("rapport: ")
    return str(told[0]).removeprefix("rapport: ")


def test_a_port_in_use_is_one_line_and_no_database_is_made(place: Path) -> None:
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as other:
        port = other.server_port

        line = refused("serve", "--port", str(port), "--data-dir", str(place / "data"))

    assert line == f"port {port} on 127.0.0.1 is in use by another program; choose another with --port"
    assert not (place / "data" / "postgres").exists()


def test_an_address_of_another_machine_is_one_line(place: Path) -> None:
    line = refused("serve", "--host", "192.0.2.1", "--port", "0", "--data-dir", str(place / "data"))

    assert line.startswith("cannot listen on 192.0.2.1 port 0")


def test_a_second_server_on_the_data_directory_is_refused_and_the_first_goes_on(serve: Serve) -> None:
    server = serve()

    line = refused("serve", "--port", str(free_port()), "--data-dir", str(server.data_dir))

    assert line.startswith(f"the data directory {server.data_dir} is in use by another server ")
    assert f"(process {server.process.pid})" in line
    assert server.healthy()


def test_an_unreachable_database_is_one_line(place: Path) -> None:
    url = f"postgresql://shop:secret@127.0.0.1:{free_port()}/rapport"

    line = refused("serve", "--port", "0", "--data-dir", str(place / "data"), "--database-url", url)

    assert line.startswith("the database shop@127.0.0.1:")
    assert "cannot be reached" in line
    assert "secret" not in line


def test_a_database_url_of_another_kind_is_one_line() -> None:
    line = refused("migrate", RAPPORT_DATABASE_URL="mysql://localhost/rapport")

    assert line == "RAPPORT_DATABASE_URL: is not a URL such as postgresql://user:password@host:5432/database"


def test_a_wrong_password_is_one_line_that_does_not_show_it(database: OwnDatabase) -> None:
    database.execute("DROP ROLE IF EXISTS shop", "CREATE ROLE shop LOGIN PASSWORD 'right'")
    rules = database.postgres.directory / "pg_hba.conf"
    before = rules.read_text()
    rules.write_text("local all shop scram-sha-256\n" + before)
    database.execute("SELECT pg_reload_conf()")

    line = refused("migrate", "--database-url", database.url(user="shop", password="guessed"))

    assert line == "the password for the database shop@local socket/postgres is wrong"
    rules.write_text(before)
    database.execute("SELECT pg_reload_conf()")


def test_a_database_that_does_not_exist_is_one_line(database: OwnDatabase) -> None:
    line = refused("migrate", "--database-url", database.url("nowhere"))

    assert line.startswith("there is no such database: postgres@local socket/nowhere")


def test_a_user_who_may_not_create_tables_is_one_line(database: OwnDatabase) -> None:
    database.execute("DROP ROLE IF EXISTS reader", "CREATE ROLE reader LOGIN")
    database.fresh("closed")

    line = refused("migrate", "--database-url", database.url("closed", user="reader"))

    assert line.endswith("the user may not create tables in its schema; make it the owner of the database")


def test_a_database_that_is_not_utf8_is_one_line(database: OwnDatabase) -> None:
    database.execute(
        "DROP DATABASE IF EXISTS old_letters",
        "CREATE DATABASE old_letters TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE_PROVIDER libc LOCALE 'C'",
    )

    line = refused("migrate", "--database-url", database.url("old_letters"))

    assert line.endswith("its encoding is SQL_ASCII, Rapport needs UTF8")


def test_a_read_only_standby_is_one_line(place: Path) -> None:
    with asyncio.Runner() as runner:
        primary = EmbeddedPostgres(place / "data")
        (place / "data").mkdir()
        runner.run(primary.start())
        runner.run(primary.stop())
        (primary.directory / "standby.signal").touch()
        # A standby never says "ready" in its pid file, so it is waited for by connecting.
        start = runner.get_loop().create_task(primary.start())
        with ThreadPoolExecutor(1) as pool:
            refusing = pool.submit(wait_and_refuse, primary.url)
            runner.run(asyncio.wait({asyncio.wrap_future(refusing, loop=runner.get_loop())}))
        start.cancel()
        runner.run(primary.stop())

    assert refusing.result().endswith("it is a read-only standby; give the address of the primary")


def wait_and_refuse(url: str) -> str:
    return refused("migrate", "--database-url", url)


@pytest.mark.parametrize(
    ("number", "reported", "accepted"), [(140_011, "14.11", False), (150_000, "15.0", True), (180_004, "18.4", True)]
)
def test_a_server_older_than_15_is_refused_by_the_number_it_reports(number: int, reported: str, accepted: bool) -> None:
    server = queries.Server(
        version_num=number, version=reported, encoding="UTF8", is_standby=False, is_read_only=False, may_create=True
    )

    problem = preflight.find_problem(server)

    assert problem == (None if accepted else "it is PostgreSQL 14.11, Rapport needs PostgreSQL 15 or newer")


def test_a_real_server_older_than_the_oldest_supported_is_refused(database: OwnDatabase) -> None:
    async def check() -> None:
        db = await preflight.open_database(database.url())
        try:
            await preflight.check_server(db, database.url(), oldest=190_000)
        finally:
            await db.close()

    with pytest.raises(StartError, match=r"it is PostgreSQL 18\.\d+, Rapport needs PostgreSQL 19 or newer"):
        asyncio.run(check())


def test_servers_that_start_together_migrate_once(database: OwnDatabase) -> None:
    url = database.fresh("together")

    with ThreadPoolExecutor(5) as pool:
        done = list(pool.map(lambda _: run("migrate", "--database-url", url), range(5)))

    assert [one.returncode for one in done] == [0] * 5
    assert sum(one.stdout.startswith("migrated to ") for one in done) == 1
    assert sum(one.stdout.startswith("already up to date ") for one in done) == 4
    assert len(database.rows(REVISIONS, "together")) == 1


def test_a_database_used_by_a_newer_rapport_is_refused_and_left_alone(database: OwnDatabase, place: Path) -> None:
    url = database.fresh("newer")
    assert run("migrate", "--database-url", url).returncode == 0
    database.execute("UPDATE alembic_version SET version_num = '9999'", database="newer")

    for command in (["migrate"], ["serve", "--port", "0", "--data-dir", str(place / "data")], ["worker"]):
        line = refused(*command, RAPPORT_DATABASE_URL=url)
        assert "is at 9999, which this Rapport does not know" in line

    assert database.rows(REVISIONS, "newer") == [{"version_num": "9999"}]
    assert database.rows("SELECT id FROM projects", "newer") == []


def test_a_worker_on_a_database_that_is_not_migrated_says_what_to_do(database: OwnDatabase) -> None:
    line = refused("worker", "--database-url", database.fresh("empty"))

    assert line.endswith("run `rapport migrate`")


def test_a_data_directory_that_cannot_be_written_is_one_line(place: Path) -> None:
    (place / "data").write_text("a file")

    line = refused("serve", "--port", "0", "--data-dir", str(place / "data"))

    assert line.startswith(f"cannot use the data directory {place}/data")


def test_a_database_made_by_another_postgresql_is_one_line(place: Path) -> None:
    (place / "data" / "postgres").mkdir(parents=True)
    (place / "data" / "postgres" / "PG_VERSION").write_text("16\n")

    line = refused("serve", "--port", "0", "--data-dir", str(place / "data"))

    assert "was made by PostgreSQL 16, this Rapport brings PostgreSQL 18" in line
    assert sorted(path.name for path in (place / "data" / "postgres").iterdir()) == ["PG_VERSION"]


def test_a_damaged_database_is_one_line(serve: Serve) -> None:
    server = serve()
    assert server.stop() == 0
    shutil.rmtree(server.data_dir / "postgres" / "global")

    line = refused("serve", "--port", str(server.port), "--data-dir", str(server.data_dir))

    assert line.startswith("the embedded database did not start: ")
    assert line.endswith(f"(more in {server.data_dir}/postgres.log)")


def test_a_clock_offset_that_is_none_is_one_line() -> None:
    line = refused("doctor", RAPPORT_CLOCK_OFFSET="soon")

    assert line == "RAPPORT_CLOCK_OFFSET: 'soon' is not a span of time such as +31d, -2h, +90m, 10s or +1d12h"


def test_a_client_that_waits_while_the_server_starts_is_answered(serve_anew: Serve) -> None:
    """The socket listens from the beginning, so nobody has to try again."""
    server = serve_anew()
    assert server.stop() == 0
    again = Server(server.data_dir, server.port)
    with ThreadPoolExecutor(1) as pool:
        starting = pool.submit(again.start)
        wait_for(lambda: not refuses_connections(server.port), what="listening")
        status, _ = again.request("GET", "/health", timeout_s=120.0)
        starting.result()
    try:
        assert status == 200
    finally:
        again.clean_up()


def test_keys_are_made_while_the_server_runs_and_while_it_does_not(serve: Serve) -> None:
    server = serve()
    arguments = ("keys", "create", "--project", "Shop", "--json", "--data-dir", str(server.data_dir))
    first = run(*arguments, "--time-zone", "Europe/Warsaw")
    for name in ("", "  ", "Shop\n2", "x" * 256):
        options = ("--project", name, "--data-dir", str(server.data_dir))
        assert refused("keys", "create", *options).endswith("characters that can be printed, and not only spaces")
    assert server.stop() == 0
    second = run(*arguments)

    made = [json.loads(done.stdout) for done in (first, second)]
    assert made[0].keys() == {"project_id", "project", "kind", "app_id", "app_token"}
    assert made[0]["project_id"] == made[1]["project_id"]
    assert made[0]["app_id"] != made[1]["app_id"]
    assert "is Europe/Warsaw, not UTC" in refused(*arguments, "--time-zone", "UTC")
