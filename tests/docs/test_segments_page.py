"""The commands of the page about segments work as written."""

import os
import re
import subprocess
from pathlib import Path

import harness
from rapport.projects.models import NewKey
from rapport.segments.actions import MAX_CHAIN, MAX_CONDITIONS, MAX_SEGMENTS
from rapport.segments.preview.actions import AT_ONCE
from rapport.segments.preview.schemas import DEFAULT_SAMPLE, MAX_SAMPLE
from rapport.segments.schemas import MAX_STATIC_CUSTOMERS
from rapport.segments.static.files import MAX_ROWS
from rapport.segments.static.schemas import MAX_CUSTOMERS

DOCS = Path(__file__).resolve().parents[2] / "docs"


def commands_of(page: str) -> str:
    return "\n".join(re.findall(r"```sh\n(.*?)```", (DOCS / page).read_text(), re.DOTALL))


def test_the_commands_about_segments_do_what_the_page_says(server: harness.Server, key: NewKey) -> None:
    definition = next(line for line in commands_of("quick-start.md").splitlines() if line.startswith("call()"))
    environment = os.environ | {"RAPPORT": f"{server.base_url}/v1", "APP_ID": key.app_id, "APP_TOKEN": key.app_token}
    commands = f"{definition}\n{commands_of('segments.md')}"
    done = subprocess.run(["bash", "-eu", "-c", commands], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    customer, edited, preview, evidence, as_of, history, removed, added = done.stdout.strip().splitlines()
    assert '"source_id":"ann"' in customer
    assert '"name":"Oslo or Bergen"' in edited
    assert '"count":1' in preview
    assert '"reachable":{"email":1,"sms":0,"push":0,"webhook":1}' in preview
    assert '"object":"segment_evidence"' in evidence
    assert '"data":[]' in as_of
    assert '"object":"list"' in history
    assert '"left":1,"unchanged":0' in removed
    assert '"entered":1,"left":0,"unchanged":0' in added


def test_the_page_names_the_limits_that_there_are() -> None:
    text = re.sub(r"\s+", " ", (DOCS / "segments.md").read_text())
    assert f"may have {MAX_SEGMENTS:,} segments with {MAX_CONDITIONS:,} conditions in all" in text
    assert f"up to {MAX_CHAIN} in a row" in text
    assert f"some of them: {DEFAULT_SAMPLE}, or as many as `sample` asks for, at most {MAX_SAMPLE}" in text
    assert f"ids (at most {MAX_STATIC_CUSTOMERS:,})" in text
    assert f"1 to {MAX_CUSTOMERS:,} ids" in text
    assert f"At most {MAX_ROWS:,} lines" in text
    assert AT_ONCE == 3
    assert "runs three at a time" in text
