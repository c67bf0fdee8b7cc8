"""The examples work, and say in one line what does not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import harness
from rapport.projects.models import NewKey

SCRIPT = Path(__file__).resolve().parents[2] / "examples" / "cdnow" / "load.py"
LINES = "00001 0001 19970101  1   11.77\n00001 0001 19970118  2   29.73\n00021 0002 19970101  3   63.34\n"


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    path = tmp_path / "CDNOW_sample.txt"
    path.write_text(LINES)
    return path


def run(path: Path, address: str, app_id: str, app_token: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, SCRIPT, path, "--address", address, "--app-id", app_id, "--app-token", app_token]
    known = {name: value for name, value in os.environ.items() if not name.startswith("RAPPORT_")}
    return subprocess.run(command, env=known, capture_output=True, text=True, check=False)


def refused(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    return line


def test_the_cdnow_example_loads_a_file_and_does_so_twice(server: harness.Server, key: NewKey, sample: Path) -> None:
    for _ in range(2):
        done = run(sample, server.base_url, key.app_id, key.app_token)
        assert done.returncode == 0, done.stderr
        assert "2 customers" in done.stdout
        rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in done.stdout.splitlines() if "│" in line]
        assert rows == [
            ["5 purchases or more", "0"],
            ["Spent more than $100", "0"],
            ["One purchase, less than $50 in all", "0"],
            ["Last purchase before 1998-06-01", "2"],
            ["Bought in the last 30 days", "0"],
        ]


def test_what_the_cdnow_example_cannot_do_is_one_line(server: harness.Server, key: NewKey, sample: Path) -> None:
    ours = (server.base_url, key.app_id, key.app_token)
    assert "No such file" in refused(run(sample.parent / "none.txt", *ours))
    sample.write_text("not purchases\n")
    assert refused(run(sample, *ours)) == f"load.py: {sample} is not a file of CDNOW purchases"
    sample.write_text("00001 0001 199701 1 x\n")
    assert refused(run(sample, *ours)) == f"load.py: {sample} is not a file of CDNOW purchases"
    sample.write_text(LINES)
    line = refused(run(sample, server.base_url, key.app_id, "wrong"))
    assert line == "load.py: the server answered 401 Unauthorized: Unknown X-App-Id or wrong X-App-Token"
    line = refused(run(sample, f"http://127.0.0.1:{harness.free_port()}", key.app_id, key.app_token))
    assert "Connection refused" in line
