"""`rapport import customers`: beside a server, from a file or from standard input."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import facts
from rapport.core.db import Database

COMMAND = [sys.executable, "-c", "from rapport.cli import main; main()", "import"]


@pytest.fixture
async def name(db: Database, project_id: int) -> str:
    """The name of the test's project."""
    async with db.read() as conn:
        return str(await conn.fetchval("SELECT name FROM projects WHERE project_id = $1", project_id))


def run(
    *arguments: str, database_url: str, content: bytes = b"", kind: str = "customers"
) -> subprocess.CompletedProcess[bytes]:
    """Run the command to its end."""
    command = [*COMMAND, kind, *arguments, "--database-url", database_url]
    return subprocess.run(command, input=content, capture_output=True, timeout=60, check=False)


def test_a_file_is_imported_and_its_failed_rows_are_written(
    api: Any, name: str, database_url: str, tmp_path: Path
) -> None:
    path = tmp_path / "people.csv"
    path.write_text("source_id,name,birthdate\na,A,\nb,B,never\nc,C,\n")
    done = run(str(path), "--project", name, database_url=database_url)
    assert done.returncode == 1, done.stderr
    failed = tmp_path / "people.csv.failures.csv"
    told, where = done.stdout.decode().splitlines()
    assert told.endswith(": 3 rows: 2 created, 0 updated, 0 unchanged, 1 failed")
    assert where == f"failed rows: {failed}"
    line = '3,birthdate,"The value should be a date, as 2026-01-31",b,B,never'
    assert failed.read_bytes().decode().splitlines()[1] == line
    assert b"3 rows" in done.stderr
    assert api.call("GET", "/v1/customers")["total"] == 2
    assert api.call("GET", "/v1/imports")["imports"][0]["file_name"] == "people.csv"


async def test_standard_input_is_tried_without_writing(
    db: Database, project_id: int, name: str, database_url: str
) -> None:
    arguments = ("-", "--project", name, "--dry-run", "--separator", "semicolon")
    done = run(*arguments, database_url=database_url, content=b"source_id;name\na;A\n")
    assert (done.returncode, b"1 would be created" in done.stdout) == (0, True), done.stderr
    assert await facts.counts(db, project_id) == {}


def test_what_cannot_be_imported_is_one_line(name: str, database_url: str, tmp_path: Path) -> None:
    missing = run(str(tmp_path / "none.csv"), "--project", name, database_url=database_url)
    assert (missing.returncode, missing.stderr.count(b"\n")) == (1, 1)
    assert b"none.csv cannot be read" in missing.stderr
    path = tmp_path / "people.csv"
    path.write_text("name\nA\n")
    unknown = run(str(path), "--project", "nobody's", database_url=database_url)
    assert (unknown.returncode, b"there is no project" in unknown.stderr) == (1, True)
    useless = run(str(path), "--project", name, database_url=database_url)
    assert (useless.returncode, b"There is no column that says who a row is about" in useless.stdout) == (1, True)


def test_orders_come_in_as_lines_of_json(api: Any, name: str, database_url: str, tmp_path: Path) -> None:
    path = tmp_path / "orders.ndjson"
    path.write_text('{"source_id": "o1", "customer": {"source_id": "ann"}, "amount": 5}\n{"amount": -1}\n')
    done = run(str(path), "--project", name, kind="orders", database_url=database_url)
    assert done.returncode == 1, done.stderr
    assert b": 2 rows: 1 created, 0 updated, 0 unchanged, 1 failed" in done.stdout
    failed = (tmp_path / "orders.ndjson.failures.csv").read_text().splitlines()
    assert failed[1].endswith('"{""amount"": -1}"')
    assert api.call("GET", "/v1/orders/o1")["amount"] == 5
    assert api.call("GET", "/v1/imports")["imports"][0]["options"]["segment_events"] is False
