"""The page about metadata: its commands work as written, and it names the types, operators and limits there are."""

import os
import re
import subprocess
from pathlib import Path

import harness
from management import managed
from rapport.core.db import Database
from rapport.metadata import actions, defining, values
from rapport.metadata.models import STANDARD, TYPES
from rapport.projects.models import NewKey
from rapport.segments.operators import OPERATORS, TimeTest
from rapport.segments.typed import APPLY

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "metadata.md").read_text()


def commands_of(text: str) -> str:
    return "\n".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL))


async def test_the_commands_do_what_the_page_says(server: harness.Server, db: Database, key: NewKey) -> None:
    quick_start = commands_of((DOCS / "quick-start.md").read_text())
    definition = next(line for line in quick_start.splitlines() if line.startswith("call()"))
    async with managed(server, db, key.project) as management:
        environment = os.environ | {
            "RAPPORT": f"{server.base_url}/v1",
            "APP_ID": key.app_id,
            "APP_TOKEN": key.app_token,
            "PROJECT": server.base_url + management.path,
            "MANAGEMENT_ID": management.key.app_id,
            "MANAGEMENT_TOKEN": management.key.app_token,
        }
    script = f"{definition}\n{commands_of(PAGE)}"
    done = subprocess.run(["bash", "-eu", "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    customer, schema, changed, purge, event_schema, event = done.stdout.strip().splitlines()
    assert all(part in customer for part in ('"tier":"gold"', '"renewal":"2026-05-01"', '"children":2'))
    assert '"objectType":null' in schema
    assert '"deleted":true' in changed
    assert '"async_action_id":"aa_' in purge
    assert '"object":"custom-event-schema"' in event_schema
    assert '"metadata":{"stars":5}' in event


def test_the_page_names_every_type_and_its_operators() -> None:
    tables = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line[:2] == "| "]
    types = [row for row in tables if len(row) == 3][1:]
    assert sorted(row[0].strip("`") for row in types) == sorted(TYPES)
    operators = [row for row in tables if len(row) == 2]
    always = set(re.findall(r"`([^`]+)`", operators[0][1]))
    times = {
        one.name for one in OPERATORS if any(isinstance(meaning, TimeTest) for meaning in one.meanings.values())
    } - {"$more_than", "$less_than"} - {"$is", "$is_not", "$in", "$not_in"}  # fmt: skip
    told: dict[str, set[str]] = {}
    for kinds, listed in operators[1:]:
        found = set(re.findall(r"`([^`]+)`", listed)) | always
        for kind in re.findall(r"`([^`]+)`", kinds):
            told[kind] = found | times if "all operators of time" in listed else found
    assert told == {kind: set(names) for kind, names in APPLY.items()}


def test_the_page_names_the_limits_that_there_are() -> None:
    text = re.sub(r"\s+", " ", PAGE)
    assert f"{defining.MAX_ACTIVE} definitions in a schema and {defining.MAX_DEFINITIONS} with removed ones" in text
    assert f"{actions.MAX_SCHEMAS} metadata schemas and {actions.MAX_EVENT_SCHEMAS} schemas of custom events" in text
    assert f"names of {defining.MAX_NAME} characters, of events {defining.MAX_EVENT_NAME}" in text
    listed, length = defining.MAX_LISTED, defining.MAX_LISTED_LENGTH
    assert f"{listed} values in `eq` and `ne`, of {length:,} characters each" in text
    assert f"at most {values.MAX_ELEMENTS:,} elements" in text
    assert f"{actions.MAX_WAIT_S:.0f} seconds at most" in text
    assert f"none of {', '.join(f'`{name}`' for name in STANDARD)} describes" in text
