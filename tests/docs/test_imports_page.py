"""The commands of the page about imports work as written."""

import os
import re
import subprocess
from pathlib import Path

import harness
from rapport.imports.models import MAX_ROW_BYTES
from rapport.imports.reading import MAX_COLUMNS
from rapport.imports.tasks import MOST_ROWS
from rapport.projects.models import NewKey
from rapport.settings import Settings

PAGE = Path(__file__).resolve().parents[2] / "docs" / "imports.md"


def test_the_command_that_sends_a_file_is_accepted(server: harness.Server, key: NewKey, tmp_path: Path) -> None:
    command = re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.DOTALL)[0]
    environment = os.environ | {"RAPPORT": f"{server.base_url}/v1", "APP_ID": key.app_id, "APP_TOKEN": key.app_token}
    done = subprocess.run(
        ["bash", "-eu", "-c", command], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r'\{"async_action_id":"aa_\w{24}"\}', done.stdout)


def test_the_limits_are_those_of_the_page() -> None:
    text = PAGE.read_text()
    settings = Settings.model_fields
    assert f"{settings['import_max_bytes'].default // 2**30} GiB" in text
    assert f"`RAPPORT_IMPORT_KEPT_DAYS` ({settings['import_kept_days'].default}) days" in text
    assert f"{MAX_ROW_BYTES // 1024} KiB a row" in text
    assert f"{MAX_COLUMNS:,} columns" in text
    assert f"up to {MOST_ROWS:,} rows" in text
