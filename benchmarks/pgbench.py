"""pgbench with the very SQL of Rapport: statements are taken from its queries, parameters become pgbench variables."""

import os
import re
import subprocess
import tempfile
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from rapport.core import jsons
from rapport.core.clock import iso

PROGRAM = Path("/usr/lib/postgresql/15/bin/pgbench")
_PLACE = re.compile(r"\$(\d+)")
_RATE = re.compile(r"tps = ([\d.]+)")


@dataclass(frozen=True)
class Expression:
    """A piece of SQL in the place of a parameter; may use pgbench variables."""

    text: str


class Script:
    """A pgbench script, built from the statements that Rapport sends and the parameters it sends with them."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self.variables: dict[str, str] = {}

    @property
    def text(self) -> str:
        """The script as pgbench reads it."""
        return "\n".join(self._lines) + "\n"

    def set(self, line: str) -> None:
        r"""Add a line of pgbench's own, such as `\\set k random(1, 10)`."""
        self._lines.append(line)

    def add(self, sql: str, *parameters: Any, gset: str | None = None) -> None:
        """Add a statement; with `gset` its single row is kept in variables of that prefix."""
        number = len(self._lines)
        places: dict[int, str] = {}
        for index, parameter in enumerate(parameters, start=1):
            if isinstance(parameter, Expression):
                places[index] = parameter.text
            elif parameter is None:
                places[index] = "NULL"
            else:
                name = f"p{number}_{index}"
                self.variables[name] = _text(parameter)
                places[index] = f":{name}"
        bound = " ".join(_PLACE.sub(lambda found: places[int(found[1])], sql).split())
        self._lines.append(f"{bound} \\gset {gset}" if gset else f"{bound};")


def _text(value: Any) -> str:
    """Return a parameter as PostgreSQL reads it from text."""
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, timedelta):
        return f"{value.total_seconds()} seconds"
    if isinstance(value, str):
        return value
    if isinstance(value, dict | msgspec.Struct) or (isinstance(value, list) and not value):
        return jsons.encode(value).decode()
    if isinstance(value, list):
        return "{" + ",".join(_element(item) for item in value) + "}"
    return str(value)


def _element(value: Any) -> str:
    if value is None:
        return "NULL"
    return '"' + _text(value).replace("\\", "\\\\").replace('"', '\\"') + '"'


def run(url: str, script: Script, *, clients: int, seconds: int, owner: str | None = None) -> float:
    """Run a script on a database for some seconds; return the transactions per second that succeeded.

    `owner` is the system user who may open the socket directory of the embedded database where root runs the benchmark.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(script.text)
        file.flush()
        Path(file.name).chmod(0o644)
        command = [str(PROGRAM), "-n", "-M", "prepared", "-c", str(clients), "-j", "1", "-T", str(seconds)]
        command += [part for name, value in script.variables.items() for part in ("-D", f"{name}={value}")]
        command += ["-f", file.name, url]
        if owner is not None and os.geteuid() == 0:
            command = ["runuser", "-u", owner, "--", *command]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
    found = _RATE.search(done.stdout)
    if done.returncode != 0 or found is None:
        raise RuntimeError(f"pgbench failed: {done.stderr[-2000:]}\n{script.text}")
    return float(found[1])
