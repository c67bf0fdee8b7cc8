"""The examples work, and say in one line what does not."""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

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


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Run the script in this process, which has loaded the SDK: that takes longer than all the rest."""
    spec = importlib.util.spec_from_file_location("cdnow_load", SCRIPT)
    assert spec
    assert spec.loader
    script = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, script)  # its dataclasses look themselves up
    spec.loader.exec_module(script)

    def run_here(path: Path, address: str, app_id: str, app_token: str) -> None:
        given = ["load.py", str(path), "--address", address, "--app-id", app_id, "--app-token", app_token]
        monkeypatch.setattr(sys, "argv", given)
        script.main()

    return run_here


def refused(run_here: Callable[..., None], *arguments: Any) -> str:
    """Return the line that the script ends with: for Python, exit code 1 and that line on standard error."""
    with pytest.raises(SystemExit) as ended:
        run_here(*arguments)
    return str(ended.value.code)


def test_the_cdnow_example_loads_a_file_and_does_so_twice(
    server: harness.Server, key: NewKey, sample: Path, here: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    ours = (server.base_url, key.app_id, key.app_token)
    done = run(sample, *ours)
    assert done.returncode == 0, done.stderr
    here(sample, *ours)
    for told in (done.stdout, capsys.readouterr().out):
        assert "2 customers" in told
        rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in told.splitlines() if "│" in line]
        assert rows == [
            ["5 purchases or more", "0"],
            ["Spent more than $100", "0"],
            ["One purchase, less than $50 in all", "0"],
            ["Last purchase before 1998-06-01", "2"],
            ["Bought in the last 30 days", "0"],
        ]


def test_what_the_cdnow_example_cannot_do_is_one_line(
    server: harness.Server, key: NewKey, sample: Path, here: Callable[..., None]
) -> None:
    ours = (server.base_url, key.app_id, key.app_token)
    done = run(sample.parent / "none.txt", *ours)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert "No such file" in done.stderr
    assert done.stderr == f"{refused(here, sample.parent / 'none.txt', *ours)}\n"
    sample.write_text("not purchases\n")
    assert refused(here, sample, *ours) == f"load.py: {sample} is not a file of CDNOW purchases"
    sample.write_text("00001 0001 199701 1 x\n")
    assert refused(here, sample, *ours) == f"load.py: {sample} is not a file of CDNOW purchases"
    sample.write_text(LINES)
    line = refused(here, sample, server.base_url, key.app_id, "wrong")
    assert line == "load.py: the server answered 401 Unauthorized: Unknown X-App-Id or wrong X-App-Token"
    line = refused(here, sample, f"http://127.0.0.1:{harness.free_port()}", key.app_id, key.app_token)
    assert "Connection refused" in line
