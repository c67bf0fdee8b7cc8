"""The command `rapport`: a module for each command, of which only the one that is called is loaded."""

import importlib
import sys
from typing import Any, Final, NamedTuple

from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from rapport.settings import StartError


class Entry(NamedTuple):
    """A command, or a group of them: the module beside this one that has it, and its line in the list of commands."""

    module: str
    told: str


COMMANDS: Final = {
    "serve": Entry("serving", "Run the API, the worker and, without a database URL, the embedded PostgreSQL."),
    "worker": Entry("working", "Run a worker of its own."),
    "migrate": Entry("migrating", "Bring the schema of the database up to date."),
    "doctor": Entry("examining", "Look for what is wrong; exit code 1 when something is."),
    "export": Entry("exporting", "Write a CSV file, straight from the database and as of one moment."),
    "keys": Entry("keys", "API keys."),
    "privacy": Entry("privacy", "What is held on persons."),
    "schemas": Entry("schemas", "Metadata schemas and custom event schemas."),
    "import": Entry("importing", "Imports of files."),
}


class Commands(TyperGroup):
    """The commands by name and line; what one does is loaded when it is called."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command that is called, and load it."""
        name, _, rest = super().resolve_command(ctx, args)
        return name, load(name) if name else None, rest


def load(name: str) -> Any:
    """Load the module of a command, and return what it has."""
    module = importlib.import_module(f"{__name__}.{COMMANDS[name].module}")
    return get_command(module.app)


def main() -> None:
    """Run the command line; what keeps it from starting is one line and exit code 1."""
    lines = [TyperCommand(name, help=entry.told) for name, entry in COMMANDS.items()]
    told = "Rapport, a self-hosted promotion CRM."
    try:
        Commands(commands=lines, help=told, no_args_is_help=True, rich_markup_mode=None)()
    except StartError as error:
        sys.stderr.write(f"rapport: {' '.join(str(error).split())}\n")
        sys.exit(1)
