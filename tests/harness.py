"""Real servers for the tests: PostgreSQL, and Rapport on it, each a process of its own."""

import contextlib
import os
import pwd
import random
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import httpx2

Found = TypeVar("Found")
INSTALLED_BIN = Path("/usr/lib/postgresql/15/bin")
# New in each run, and the same in all processes of one: they have to find the same tests.
SEED = random.Random(os.environ.get("PYTEST_XDIST_TESTRUNUID") or os.urandom(8)).randrange(2**32)


def wait_for(look: Callable[[], Found], *, timeout_s: float = 60.0, what: str = "it") -> Found:
    """Call `look` until it returns something true, and return that."""
    deadline = time.monotonic() + timeout_s
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not happen within {timeout_s} s; last seen: {found!r}")
        time.sleep(0.05)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextlib.contextmanager
def installed_postgres(directory: Path) -> Iterator[str]:
    """Run the PostgreSQL 15 of the system's packages in `directory`; yield the URL of its database postgres."""
    if not (INSTALLED_BIN / "postgres").exists():
        raise RuntimeError(f"there is no PostgreSQL in {INSTALLED_BIN}: install the package postgresql-15")
    user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    as_user = ["runuser", "-u", user, "--"] if os.geteuid() == 0 else []
    data = directory / "postgres15"
    data.mkdir()
    if as_user:
        for parent in (data, *data.parents[:-1]):
            if parent.stat().st_uid == os.geteuid() and parent != data:
                parent.chmod(parent.stat().st_mode | 0o011)
        os.chown(data, pwd.getpwnam(user).pw_uid, -1)
    subprocess.run(
        [*as_user, INSTALLED_BIN / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    port = free_port()
    options = f"-c port={port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c max_connections=200"
    control = [*as_user, INSTALLED_BIN / "pg_ctl", "-D", data, "-l", data / "log", "-w"]
    subprocess.run([*control, "-o", options, "start"], check=True, stdout=subprocess.DEVNULL)
    try:
        yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], check=True, stdout=subprocess.DEVNULL)


class Server:
    """A `rapport serve` process with its API and worker."""

    def __init__(
        self, database_url: str, data_dir: Path, *arguments: str, env: Mapping[str, str] | None = None
    ) -> None:
        self.port = free_port()
        self.base_url = f"http://127.0.0.1:{self.port}"
        self.log_path = data_dir / f"serve-{self.port}.log"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("RAPPORT_")}
        environment |= {"RAPPORT_DATABASE_URL": database_url, "RAPPORT_DATA_DIR": str(data_dir), **(env or {})}
        command = [str(Path(sys.executable).with_name("rapport")), "serve", "--port", str(self.port), *arguments]
        with self.log_path.open("wb") as log:
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)

    def wait_until_ready(self, timeout_s: float = 120.0) -> None:
        """Wait until /health answers 200."""
        with httpx2.Client(base_url=self.base_url, timeout=20, verify=False) as http:  # no TLS: nothing to load

            def healthy() -> bool:
                if self.process.poll() is not None:
                    raise AssertionError(f"rapport serve ended with {self.process.returncode}:\n{self.log()}")
                try:
                    return http.get("/health").status_code == 200
                except httpx2.TransportError:
                    return False

            wait_for(healthy, timeout_s=timeout_s, what="/health")

    def log(self) -> str:
        """Return everything the server has printed."""
        return self.log_path.read_text(errors="replace")

    def children(self) -> dict[str, list[int]]:
        """Return the process ids of the API and worker children."""
        found: dict[str, list[int]] = {"api": [], "worker": []}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            with contextlib.suppress(OSError):
                status = (entry / "status").read_text()
                command = (entry / "cmdline").read_text().split("\0")
                parent = int(re.search(r"^PPid:\s+(\d+)", status, re.MULTILINE).group(1))  # type: ignore[union-attr]
                if parent == self.process.pid and "rapport.child" in command:
                    found[command[command.index("rapport.child") + 1]].append(int(entry.name))
        return found

    def stop(self, timeout_s: float = 90.0) -> int:
        """End the server with SIGTERM; return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout_s)

    def kill(self) -> None:
        """End the supervisor with SIGKILL."""
        self.process.kill()
        self.process.wait()


def client(base_url: str, app_id: str, app_token: str) -> httpx2.Client:
    """Return an HTTP client with the keys of a project."""
    headers = {"X-App-Id": app_id, "X-App-Token": app_token}
    return httpx2.Client(base_url=base_url, headers=headers, timeout=90, verify=False)


def async_client(base_url: str, headers: Mapping[str, Any]) -> httpx2.AsyncClient:
    """Return an asynchronous HTTP client with many connections."""
    limits = httpx2.Limits(max_connections=100, max_keepalive_connections=100)
    return httpx2.AsyncClient(base_url=base_url, headers=dict(headers), timeout=120, limits=limits, verify=False)
