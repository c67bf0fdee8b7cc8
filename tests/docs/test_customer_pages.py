"""The commands of the pages about persons work as written."""

import os
import re
import subprocess
from pathlib import Path

import harness
from rapport.projects.models import NewKey

DOCS = Path(__file__).resolve().parents[2] / "docs"


def answers(page: str, server: harness.Server, key: NewKey) -> list[str]:
    """Run the commands of a page; return what each of them prints."""
    quick_start = (DOCS / "quick-start.md").read_text()
    definition = next(line for line in quick_start.splitlines() if line.startswith("call()"))
    commands = "\n".join(re.findall(r"```sh\n(.*?)```", (DOCS / page).read_text(), re.DOTALL))
    environment = os.environ | {"RAPPORT": f"{server.base_url}/v1", "APP_ID": key.app_id, "APP_TOKEN": key.app_token}
    shell = ["bash", "-eu", "-c", f"{definition}\n{commands}"]
    done = subprocess.run(shell, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip().splitlines()


def test_the_commands_about_privacy_do_what_the_page_says(server: harness.Server, key: NewKey) -> None:
    _, _, data, receipt = answers("privacy.md", server, key)
    keys = re.findall(r"^\| (`.*?`) \|", (DOCS / "privacy.md").read_text(), re.MULTILINE)
    for name in re.findall(r"`(\w+)`", " ".join(keys)):
        assert f'"{name}":' in data
    assert "newsletter_opened" in data
    assert '"object":"pernament_deletion"' in receipt
    assert '"events":1' in receipt


def test_the_commands_about_merging_do_what_the_page_says(server: harness.Server, key: NewKey) -> None:
    _, _, duplicates, preview, merged, undone = answers("merging.md", server, key)
    assert '"reason":"email","strength":"strong","count":2' in duplicates
    assert '"object":"merge_preview"' in preview
    assert '"total_amount":6500' in preview
    assert '"status":"DONE"' in merged
    assert '"total_amount":6500' in merged
    assert '"status":"UNDONE"' in undone
