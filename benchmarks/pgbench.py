"""pgbench with the very statements of Rapport: they are recorded, and parameters become pgbench variables."""

import os
import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.recording import Statement
from rapport.core import jsons
from rapport.core.clock import iso

PROGRAM = Path("/usr/lib/postgresql/15/bin/pgbench")
_PLACE = re.compile(r"\$(\d+)")
_RATE = re.compile(r"tps = ([\d.]+)")
# A moment so near is the time at which a statement was recorded.
_RECENT = timedelta(minutes=5)


@dataclass(frozen=True)
class Expression:
    """A piece of SQL in the place of a parameter; may use pgbench variables."""

    text: str


_NEW_ENTRY = Expression("'ev_' || gen_random_uuid()")
_NOW = Expression("clock_timestamp()")


class Script:
    """A pgbench script, built from recorded statements."""

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

    def transaction(
        self,
        statements: Sequence[Statement],
        instead: Mapping[str, Expression],
        *,
        keep: str | None = None,
        kept: int = 0,
    ) -> None:
        """Add a transaction.

        Parameters that are equal to a key of `instead` become its expression, also within lists. The ids of log entries
        are made anew, the time is that of the run. With `keep`, the row that the statement number `kept` returns is
        kept in variables of that prefix.
        """
        self.set("BEGIN;")
        for number, statement in enumerate(statements):
            self._add(statement, instead, keep if number == kept else None)
        self.set("COMMIT;")

    def _add(self, statement: Statement, instead: Mapping[str, Expression], gset: str | None) -> None:
        number = len(self._lines)
        places = {
            index: self._place(f"p{number}_{index}", parameter, instead)
            for index, parameter in enumerate(statement.parameters, start=1)
        }
        bound = " ".join(_PLACE.sub(lambda found: places[int(found[1])], statement.sql).split())
        bound = bound.replace("HH24:MI:SS", 'HH24":"MI":"SS')  # where pgbench would see variables
        self._lines.append(f"{bound} \\gset {gset}" if gset else f"{bound};")

    def _place(self, name: str, parameter: Any, instead: Mapping[str, Expression]) -> str:
        if parameter is None:
            return "NULL"
        if isinstance(parameter, list) and any(isinstance(_changed(item, instead), Expression) for item in parameter):
            items = [self._place(f"{name}_{index}", item, instead) for index, item in enumerate(parameter)]
            return f"ARRAY[{', '.join(items)}]"
        changed = _changed(parameter, instead)
        if isinstance(changed, Expression):
            return changed.text
        self.variables[name] = _text(parameter)
        return f":{name}"


def _changed(value: Any, instead: Mapping[str, Expression]) -> Any:
    if isinstance(value, str):
        return instead.get(value, _NEW_ENTRY if re.fullmatch(r"ev_\w{24}", value) else value)
    if isinstance(value, datetime) and abs(datetime.now(UTC) - value) < _RECENT:
        return _NOW
    return value


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

    A transaction here is one run of the script. `owner` is the system user who may open the socket directory of the
    embedded database where root runs the benchmark.
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
