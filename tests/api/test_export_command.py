"""`rapport export`: the same files, straight from the database."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from exports_world import conditions, table
from rapport.projects.models import NewKey


@pytest.fixture
def export(database_url: str, key: NewKey, tmp_path: Path) -> Any:
    """Run `rapport export` on the test's project; return the finished process."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAPPORT_")}
    environment |= {"RAPPORT_DATABASE_URL": database_url, "RAPPORT_DATA_DIR": str(tmp_path)}
    program = str(Path(sys.executable).with_name("rapport"))

    def run(*arguments: str) -> subprocess.CompletedProcess[bytes]:
        command = [program, "export", *arguments, "--project", key.project]
        return subprocess.run(command, env=environment, capture_output=True, check=False)

    return run


def test_customers_are_written_to_the_standard_output_and_nothing_else(api: Any, export: Any) -> None:
    for source_id in ("a", "b", "c"):
        api.call("POST", "/v1/customers", {"source_id": source_id, "name": "=x", "metadata": {"n": source_id}})
    filters = json.dumps({"source_id": conditions(**{"in": ["a", "c"]})})
    done = export("customers", "--fields", "source_id,name,metadata", "--filter", filters, "--order", "-source_id")
    assert done.returncode == 0, done.stderr
    assert done.stdout == b"source_id,name,metadata.n\r\nc,'=x,c\r\na,'=x,a\r\n"
    assert b"2 rows" in done.stderr


def test_members_of_a_segment_are_written_to_a_file(api: Any, export: Any, tmp_path: Path) -> None:
    customer = api.call("POST", "/v1/customers", {"source_id": "a"})
    segment = api.call("POST", "/v1/segments", {"name": "S", "type": "static", "customers": [customer["id"]]})
    path = tmp_path / "members.csv"
    done = export("segment-members", "--segment", segment["id"], "--output", str(path))
    assert done.returncode == 0, done.stderr
    assert [row[:2] for row in table(path.read_bytes())] == [["id", "source_id"], [customer["id"], "a"]]
    assert [one.name for one in tmp_path.iterdir()] == ["members.csv"]


def test_bad_input_is_one_line_and_no_file(export: Any, tmp_path: Path) -> None:
    path = tmp_path / "no.csv"
    for arguments, said in (
        (("orders", "--fields", "x"), "Unsupported field used: x"),
        (("segment-members", "--segment", "seg_x"), "Cannot find segment with id seg_x"),
    ):
        done = export(*arguments, "--output", str(path))
        assert done.returncode == 1
        assert said in done.stderr.decode()
        assert "Traceback" not in done.stderr.decode()
        assert not list(tmp_path.iterdir())
