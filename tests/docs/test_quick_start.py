"""The commands of the pages work as written."""

import os
import re
import subprocess
from pathlib import Path

import pytest

import harness
from rapport.projects.models import NewKey

ROOT = Path(__file__).resolve().parents[2]


def commands_of(page: str) -> str:
    return "\n".join(re.findall(r"```sh\n(.*?)```", (ROOT / page).read_text(), re.DOTALL))


def run(shell: str, commands: str, server: harness.Server, key: NewKey) -> list[str]:
    """Run the commands in a shell that stops at the first mistake; return the lines of what is printed."""
    environment = os.environ | {"RAPPORT": f"{server.base_url}/v1", "APP_ID": key.app_id, "APP_TOKEN": key.app_token}
    done = subprocess.run([shell, "-eu", "-c", commands], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip().splitlines()


@pytest.mark.parametrize("shell", ["bash", "sh"])
def test_the_commands_of_the_quick_start_lead_to_a_redeemed_code(
    server: harness.Server, key: NewKey, shell: str
) -> None:
    answers = run(shell, commands_of("docs/quick-start.md"), server, key)
    assert '"valid":true' in answers[-3]
    assert '"result":"SUCCESS"' in answers[-2]
    assert '"total_amount":18000' in answers[-2]
    assert '"customer.redemption.succeeded"' in answers[-1]


def test_the_commands_of_the_readme_put_a_customer_into_a_segment(server: harness.Server, key: NewKey) -> None:
    lines = commands_of("README.md").splitlines()
    commands = "\n".join(line for line in lines if not line.startswith(("make ", "export ")))
    segment, order, segments = run("bash", commands, server, key)
    assert '"initial_sync_status"' in segment
    assert '"status":"PAID"' in order
    assert '"name":"Active spenders"' in segments


def test_the_commands_about_distributions_send_a_message(server: harness.Server, key: NewKey) -> None:
    definition = next(line for line in commands_of("docs/quick-start.md").splitlines() if line.startswith("call()"))
    messages = "call $RAPPORT/distributions/$(call $RAPPORT/distributions | grep -o 'dist_[0-9A-Za-z]*')/messages"
    commands = f"{definition}\n{commands_of('docs/distributions.md')}\nsleep 3\n{messages}"
    answers = run("bash", commands, server, key)
    assert '"total":1' in answers[-1]
    assert '"state":"SENT"' in answers[-1]
    assert '"code":"REVIEW-' in answers[-1]


def test_the_commands_about_exports_ask_for_a_file(server: harness.Server, key: NewKey) -> None:
    definition = next(line for line in commands_of("docs/quick-start.md").splitlines() if line.startswith("call()"))
    (made,) = run("bash", f"{definition}\n{commands_of('docs/exports.md')}", server, key)
    assert '"status":"SCHEDULED"' in made
    assert '"columns":["source_id","email","orders_total_amount","metadata.tier","address.city"]' in made
