"""The commands of the pages about consents and customer signals work as written, and they name the limits there are."""

import os
import re
import subprocess
from pathlib import Path

import harness
from rapport.consents.actions import MAX_DEFINITIONS
from rapport.consents.links import LASTS
from rapport.consents.schemas import MAX_NAMED, MAX_PROOF_BYTES
from rapport.consents.settling import LIMIT_S
from rapport.customers.in_store import MAX_LOCATIONS
from rapport.customers.models import CHANNELS, INTERACTIONS
from rapport.devices.actions import MAX_DEVICES
from rapport.projects.models import NewKey

DOCS = Path(__file__).resolve().parents[2] / "docs"


def commands_of(page: str) -> str:
    return "\n".join(re.findall(r"```sh\n(.*?)```", (DOCS / page).read_text(), re.DOTALL))


def run(page: str, server: harness.Server, key: NewKey) -> list[str]:
    definition = next(line for line in commands_of("quick-start.md").splitlines() if line.startswith("call()"))
    environment = os.environ | {"RAPPORT": f"{server.base_url}/v1", "APP_ID": key.app_id, "APP_TOKEN": key.app_token}
    commands = f"{definition}\n{commands_of(page)}"
    done = subprocess.run(["bash", "-eu", "-c", commands], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip().splitlines()


def text_of(page: str) -> str:
    return re.sub(r"\s+", " ", (DOCS / page).read_text())


def test_the_commands_about_consents_do_what_the_page_says(server: harness.Server, key: NewKey) -> None:
    made, _, said, history, inbound = run("consents.md", server, key)
    assert '"name":"newsletter"' in made
    assert '"channels":{"email":{"given":true' in said
    assert '"source":"signup form"' in history
    assert '"meaning":"stop","word":"stop","customers":1' in inbound


def test_the_commands_about_signals_do_what_the_page_says(server: harness.Server, key: NewKey) -> None:
    _, device, devices, interaction, _, event, order, customer = run("customer-signals.md", server, key)
    assert '"id":"phone-1"' in device
    assert '"total":1' in devices
    assert '"type":"opened"' in interaction
    assert '"location":{"id":"oslo-1","name":"Oslo"}' in event
    assert '"amount":1999' in order
    assert '"in_store":{"visits":{"count":1}' in customer
    assert '"marketing":{"email":{"opened"' in customer


def test_the_pages_name_the_limits_that_there_are() -> None:
    consents, signals = text_of("consents.md"), text_of("customer-signals.md")
    limits = f"{MAX_DEFINITIONS} consents in a project, {MAX_NAMED} in a request, {MAX_PROOF_BYTES:,} bytes in a proof"
    assert limits in consents
    assert f"after {LIMIT_S:.0f} seconds at the latest" in consents
    assert LASTS.days == 5 * 365
    assert all(f"`{channel}`" in consents for channel in CHANNELS)
    assert f"A customer has {MAX_DEVICES} devices at most" in signals
    assert f"The {MAX_LOCATIONS} locations visited last" in signals
    assert all(f"`{kind}`" in signals for kind in INTERACTIONS)
