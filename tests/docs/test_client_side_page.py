"""The page about client keys: its commands work as written, and it names every operation with its switch."""

import os
import re
import subprocess
from pathlib import Path

import harness
from api.test_client_settings import OPERATIONS
from management import managed
from rapport.core.db import Database
from rapport.http.caller import KEY_CACHE_S
from rapport.http.client_side import SWITCHES
from rapport.http.origins import find_entry
from rapport.projects.models import NewKey
from rapport.projects.schemas import MAX_DOMAINS

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "client-side.md").read_text()


def rows() -> list[list[str]]:
    """Return the rows of the page's tables."""
    lines = [line for line in PAGE.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


async def test_the_commands_do_what_the_page_says(server: harness.Server, db: Database, key: NewKey) -> None:
    async with managed(server, db, key.project) as management:
        environment = os.environ | {
            "RAPPORT_URL": server.base_url,
            "MANAGEMENT_ID": management.key.app_id,
            "MANAGEMENT_TOKEN": management.key.app_token,
        }
        script = "\n".join(re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL))
        done = subprocess.run(
            ["bash", "-eu", "-c", script], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert '"client_publish_enabled":false' in done.stdout
        project = management.call("GET", "")
    assert project["client_trusted_domains"] == ["https://shop.example", "*.shop.example"]
    assert [one for one in SWITCHES if not project[one]] == ["client_publish_enabled"]


def test_the_page_names_every_operation_with_its_switch() -> None:
    told = {
        operation: re.findall(r"`(\w+)`", disabled)
        for operations, disabled in (row for row in rows() if "/client/" in row[0])
        for operation in re.findall(r"`([^`]+)`", operations)
    }
    known = {f"{method} {path}": switch for method, path, _, _, switch in OPERATIONS.values()}
    assert {one.replace("{source_id}", "ann"): next(iter(found), None) for one, found in told.items()} == known
    assert all(switch in PAGE for switch in SWITCHES)


def test_the_page_names_entries_that_are_taken_and_the_limits_that_there_are() -> None:
    entries = [entry for row in rows() if "/client/" not in row[0] for entry in re.findall(r"`([^`]+)`", row[0])]
    assert len(entries) == 7
    assert [entry for entry in entries if entry != "*" and find_entry(entry) is None] == []
    assert f"Up to {MAX_DOMAINS} entries of 255 characters" in PAGE
    assert f"for {KEY_CACHE_S:.0f} seconds" in PAGE
