"""The commands of the page about redemptions work as written, and its table of defaults is the one that holds."""

import json
import os
import re
import subprocess
from pathlib import Path

import msgspec

import harness
from rapport.projects.models import NewKey
from rapport.redemptions.qualification.candidates import MOST
from rapport.redemptions.qualification.schemas import DEFAULT_LIMIT, MAX_LIMIT
from rapport.redemptions.sessions.schemas import DEFAULT_DAYS, MAX_DAYS
from rapport.redemptions.stacking import DEFAULTS

DOCS = Path(__file__).resolve().parents[2] / "docs"


def commands_of(page: str) -> str:
    return "\n".join(re.findall(r"```sh\n(.*?)```", (DOCS / page).read_text(), re.DOTALL))


def test_the_commands_do_what_the_page_says(server: harness.Server, key: NewKey) -> None:
    definition = next(line for line in commands_of("quick-start.md").splitlines() if line.startswith("call()"))
    environment = os.environ | {"RAPPORT": f"{server.base_url}/v1", "APP_ID": key.app_id, "APP_TOKEN": key.app_token}
    commands = f"{definition}\n{commands_of('redemptions.md')}"
    done = subprocess.run(["bash", "-eu", "-c", commands], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    _, _, qualified, valid, redeemed = map(json.loads, done.stdout.strip().splitlines())
    assert [one["id"] for one in qualified["redeemables"]["data"]] == ["CARD", "TENOFF"]
    assert (valid["valid"], valid["session"]["key"], valid["order"]["total_amount"]) == (True, "basket-1", 6000)
    assert (len(redeemed["redemptions"]), redeemed["order"]["total_amount"]) == (2, 6000)


def test_the_page_names_the_limits_and_defaults_that_there_are() -> None:
    page = (DOCS / "redemptions.md").read_text()
    text = re.sub(r"\s+", " ", page)
    assert f"({DEFAULT_LIMIT}, at most {MAX_LIMIT})" in text
    assert f"the newest {MOST} are looked at" in text
    assert DEFAULT_DAYS == 7
    assert f"{MAX_DAYS} days at most" in text
    defaults = msgspec.to_builtins(DEFAULTS)
    told = dict(re.findall(r"^\| `(\w+)`[^|]*\| `?([^`|]+?)`? \|", page, re.MULTILINE))
    for name, value in told.items():
        if name in defaults:
            assert json.dumps(defaults[name]).strip('"') == value, name
    assert len(set(told) & set(defaults)) > 10
