"""The command line: what is said of each command, and what is loaded for it."""

import subprocess
import sys

import pytest

from rapport import cli


def loaded_by(statement: str) -> set[str]:
    """Return the names of the modules that a process has after a statement."""
    program = f"import sys\n{statement}\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_the_list_of_commands_says_what_the_command_says(name: str) -> None:
    assert cli.load(name).help == cli.COMMANDS[name].told


def test_the_list_of_commands_loads_none_of_them() -> None:
    listing = "import contextlib, rapport.cli\nsys.argv = ['rapport', '--help']\n"
    listing += "with contextlib.suppress(SystemExit), contextlib.redirect_stdout(sys.stderr): rapport.cli.main()"
    names = {name for name in loaded_by(listing) if name.startswith("rapport")}
    assert names == {"rapport", "rapport.cli", "rapport.settings"}


@pytest.mark.parametrize(
    ("module", "others"),
    [
        ("rapport.cli.serving", {"rapport.app", "rapport.worker", "litestar"}),
        ("rapport.cli.importing", {"rapport.app", "rapport.worker"}),
        ("rapport.cli.examining", {"rapport.app", "rapport.worker", "litestar"}),
        ("rapport.child.worker", {"rapport.app", "uvicorn"}),
        ("rapport.child.api", {"rapport.worker"}),
    ],
)
def test_a_process_does_not_load_what_only_others_need(module: str, others: set[str]) -> None:
    names = loaded_by(f"import {module}")
    assert module in names
    assert not others & names
