"""The commands of docs/backtests.md do what the page says."""

import json
import os
import re
import subprocess
from pathlib import Path

import harness
from rapport.backtests.actions import MAX_BACKTESTS
from rapport.backtests.tally import SAMPLES
from rapport.projects.models import NewKey

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "backtests.md").read_text()


def commands_of(page: str) -> str:
    return "\n".join(re.findall(r"```sh\n(.*?)```", page, re.DOTALL))


def test_the_commands_do_what_the_page_says(server: harness.Server, key: NewKey, tmp_path: Path) -> None:
    quick_start = commands_of((DOCS / "quick-start.md").read_text())
    definition = next(line for line in quick_start.splitlines() if line.startswith("call()"))
    environment = os.environ | {"RAPPORT": f"{server.base_url}/v1", "APP_ID": key.app_id, "APP_TOKEN": key.app_token}
    commands = f"{definition}\n{commands_of(PAGE)}"
    done = subprocess.run(
        ["bash", "-eu", "-c", commands], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    result = found["result"]
    assert (result["orders"]["total"], result["orders"]["qualified"]) == (3, 1)
    assert result["discount"] == {"total": 650, "average": 650}
    assert [(one["number"], one["refused"], one["refused_alone"]) for one in result["rules"]] == [
        ("1", 1, 1),
        ("2", 1, 1),
    ]
    assert [one["rules"] for one in result["sample"]["refused"]] == [["1"], ["2"]]


def test_the_limits_on_the_page_are_those_that_hold() -> None:
    assert f"may have {MAX_BACKTESTS} back-tests" in PAGE
    assert f"up to {SAMPLES} orders" in PAGE
