"""The quick start works as written."""

import os
import re
import subprocess
from pathlib import Path

import harness
from rapport.projects.models import NewKey

PAGE = Path(__file__).resolve().parents[2] / "docs" / "quick-start.md"


def test_the_commands_of_the_quick_start_lead_to_a_redeemed_code(server: harness.Server, key: NewKey) -> None:
    commands = "\n".join(re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.DOTALL))
    environment = os.environ | {"RAPPORT": f"{server.base_url}/v1", "APP_ID": key.app_id, "APP_TOKEN": key.app_token}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    answers = done.stdout.strip().splitlines()
    assert '"valid":true' in answers[-3]
    assert '"result":"SUCCESS"' in answers[-2]
    assert '"total_amount":18000' in answers[-2]
    assert '"customer.redemption.succeeded"' in answers[-1]
