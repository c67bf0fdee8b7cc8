"""Real servers as processes and databases of their own: what the tests of this directory start, kill and refuse."""

import asyncio
import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import asyncpg
import psutil

from harness import wait_for
from rapport.core.embedded import EmbeddedPostgres

COMMAND = [sys.executable, "-c", "from rapport.cli import main; main()"]


def clean_environment(**extra: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAPPORT_")}
    return kept | {"RAPPORT_WORKERS": "1", "COLUMNS": "200"} | extra


def alive(pid: int) -> bool:
    """Whether a process runs; one that ended and was not collected by its parent does not."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    return False


def refuses_connections(port: int) -> bool:
    """Whether nobody listens on a port."""
    try:
        with socket.create_connection(("127.0.0.1", port), 1.0):
            return False
    except OSError:
        return True


class Server:
    """`rapport serve` as its users start it."""

    def __init__(self, data_dir: Path, port: int, *arguments: str, **environment: str) -> None:
        self.data_dir = data_dir
        self.port = port
        self.errors_path = data_dir.with_suffix(".err")
        self._arguments = ("serve", "--data-dir", str(data_dir), "--port", str(port), *arguments)
        self._environment = clean_environment(**environment)
        self.announced: list[str] = []

    def start(self) -> "Server":
        """Start the server and wait until it says that it is ready."""
        with self.errors_path.open("ab") as errors:
            self.process = subprocess.Popen(
                [*COMMAND, *self._arguments],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        assert self.process.stdout
        first = self.process.stdout.readline()
        assert "is ready at" in first, self.errors
        self.announced = [first]
        while not self.announced[-1].startswith("  data"):
            self.announced.append(self.process.stdout.readline())
        return self

    @property
    def errors(self) -> str:
        """Return what it wrote to standard error."""
        return self.errors_path.read_text()

    @property
    def credentials(self) -> dict[str, str]:
        """Return the server key kept in the data directory."""
        keys = json.loads((self.data_dir / "credentials.json").read_text())
        return next(key for key in keys if key["kind"] == "server")

    @property
    def url(self) -> str:
        """Return the address of the embedded database."""
        return f"postgresql://postgres@/postgres?host={self.data_dir}/postgres&port=5432"

    @property
    def database_pid(self) -> int:
        """Return the process number of the embedded database."""
        return int((self.data_dir / "postgres" / "postmaster.pid").read_text().split()[0])

    def children(self, kind: str) -> list[int]:
        """Return the process numbers of the API processes (`api`) or the worker (`worker`)."""
        found = []
        for child in psutil.Process(self.process.pid).children():
            with contextlib.suppress(psutil.Error):
                if child.cmdline()[1:4] == ["-m", "rapport.child", kind]:
                    found.append(child.pid)
        return sorted(found)

    def request(self, method: str, path: str, body: Any = None, timeout_s: float = 90.0) -> tuple[int, Any]:
        """Send one request with the server key; return the status and the decoded body."""
        keys = self.credentials
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_s)
        headers = {
            "X-App-Id": keys["app_id"],
            "X-App-Token": keys["app_token"],
            "Content-Type": "application/json",
        }
        with contextlib.closing(connection):
            connection.request(method, path, json.dumps(body) if body is not None else None, headers)
            answer = connection.getresponse()
            content = answer.read()
            return answer.status, json.loads(content) if content else None

    def healthy(self) -> bool:
        """Whether /health answers 200."""
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.request("GET", "/health", timeout_s=60.0)[0] == 200
        return False

    def stop(self, timeout_s: float = 90.0) -> int:
        """End the server with SIGTERM; return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout_s)

    def clean_up(self) -> None:
        """End whatever is left of this server, database included."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        assert self.process.stdout
        self.process.stdout.close()
        with contextlib.suppress(OSError, IndexError):
            pid = self.database_pid
            with contextlib.suppress(psutil.Error):
                if psutil.Process(pid).name().startswith("postgres"):
                    os.kill(pid, signal.SIGQUIT)
                    wait_for(lambda: not alive(pid))


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command `rapport` to its end."""
    return subprocess.run(
        [*COMMAND, *arguments],
        env=clean_environment(**environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


class OwnDatabase:
    """A PostgreSQL that is not embedded as far as the server under test knows."""

    def __init__(self, directory: Path) -> None:
        self._runner = asyncio.Runner()
        self.postgres = EmbeddedPostgres(directory)

    def start(self) -> None:
        """Start the database."""
        self._runner.run(self.postgres.start())

    def stop(self) -> None:
        """Stop the database."""
        self._runner.run(self.postgres.stop())

    def close(self) -> None:
        """Stop the database for good."""
        self.stop()
        self._runner.close()

    def url(self, database: str = "postgres", user: str = "postgres", password: str = "") -> str:
        """Return an address."""
        secret = f":{password}" if password else ""
        return f"postgresql://{user}{secret}@/{database}?host={self.postgres.directory}&port=5432"

    def execute(self, *statements: str, database: str = "postgres") -> None:
        """Run statements, each on its own."""

        async def work() -> None:
            conn = await asyncpg.connect(self.url(database))
            for statement in statements:
                await conn.execute(statement)
            await conn.close()

        asyncio.run(work())

    def rows(self, query: str, database: str = "postgres") -> list[dict[str, Any]]:
        """Run a query and return its rows."""

        async def work() -> list[dict[str, Any]]:
            conn = await asyncpg.connect(self.url(database))
            found = await conn.fetch(query)
            await conn.close()
            return [dict(row) for row in found]

        return asyncio.run(work())

    def fresh(self, name: str) -> str:
        """Make an empty database and return its address."""
        self.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)", f"CREATE DATABASE {name}")
        return self.url(name)
