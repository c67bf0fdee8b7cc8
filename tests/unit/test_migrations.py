"""The steps of the schema: each follows the one before it, and is named by its version."""

import subprocess
import sys

from alembic.config import Config
from alembic.script import ScriptDirectory

from rapport.core import migrations


def test_versions_are_what_alembic_runs_in_its_order() -> None:
    config = Config()
    config.set_main_option("script_location", str(migrations.directory()))
    config.set_main_option("path_separator", "os")
    scripts = ScriptDirectory.from_config(config)
    run = [script.revision for script in scripts.iterate_revisions("head", "base")][::-1]
    assert migrations.versions() == run
    assert migrations.newest_version() == run[-1]


def test_what_runs_them_is_not_loaded_by_who_has_none_to_run() -> None:
    loaded = "import sys, rapport.cli as all; [all.load(name) for name in all.COMMANDS]; print(*sys.modules)"
    names = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True).stdout.split()
    assert {"rapport.core.migrations", "rapport.serve", "rapport.app", "rapport.worker"}.issubset(names)
    assert not {"alembic", "sqlalchemy", "rapport.core.steps"}.intersection(names)
