"""The server under test: `rapport serve` on an embedded database of its own, and what its processes use."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rapport.core.embedded import running_url


@dataclass(frozen=True)
class Running:
    """A server under test; `headers` open its default project."""

    port: int
    url: str
    headers: dict[str, str]
    pid: int
    database_pid: int

    def processes(self) -> dict[str, list[int]]:
        """Return the process numbers of API, worker and PostgreSQL."""
        parents = _parents()
        children = [pid for pid, parent in parents.items() if parent == self.pid]
        found: dict[str, list[int]] = {
            kind: [pid for pid in children if _is_child(pid, kind)] for kind in ("api", "worker")
        }
        found["postgres"] = [self.database_pid, *(pid for pid, one in parents.items() if one == self.database_pid)]
        return found

    def memory_mb(self) -> dict[str, float]:
        """Return the memory of each kind of process, shared pages divided among those that share them."""
        return {kind: sum(map(_proportional_kb, pids)) / 1024 for kind, pids in self.processes().items()}


@contextlib.contextmanager
def server(workers: int) -> Iterator[Running]:
    """Run `rapport serve` on an embedded database that is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="rapport-bench-") as directory, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        key, token = str(uuid.uuid4()), str(uuid.uuid4())
        environment = os.environ | {"RAPPORT_BOOTSTRAP_APP_ID": key, "RAPPORT_BOOTSTRAP_APP_TOKEN": token}
        command = [str(Path(sys.executable).with_name("rapport")), "serve", "--port", str(port)]
        command += ["--workers", str(workers), "--data-dir", directory]
        log_path = Path(directory) / "serve.log"
        with log_path.open("wb") as log:
            process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            _until_ready(process, port)
            url, database_pid = _database(Path(directory))
            yield Running(port, url, {"X-App-Id": key, "X-App-Token": token}, process.pid, database_pid)
        except BaseException:
            sys.stderr.write("".join(log_path.read_text(errors="replace").splitlines(keepends=True)[-40:]))
            raise
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(120)


def _until_ready(process: "subprocess.Popen[bytes]", port: int) -> None:
    for _ in range(600):
        if process.poll() is not None:
            raise RuntimeError("rapport serve ended")
        with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2):
            return
        time.sleep(0.1)
    raise RuntimeError("rapport serve does not answer")


def _database(directory: Path) -> tuple[str, int]:
    url = running_url(directory)
    if url is None:
        raise RuntimeError("the embedded database is not running")
    return url, int((directory / "postgres" / "postmaster.pid").read_text().split("\n", 1)[0])


def _parents() -> dict[int, int]:
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                parent = re.search(r"^PPid:\s+(\d+)", (entry / "status").read_text(), re.MULTILINE)
                if parent:
                    found[int(entry.name)] = int(parent[1])
    return found


def _is_child(pid: int, kind: str) -> bool:
    with contextlib.suppress(OSError):
        command = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
        return "rapport.child" in command and kind in command
    return False


def _proportional_kb(pid: int) -> int:
    with contextlib.suppress(OSError):
        found = re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
        return int(found[1]) if found else 0
    return 0
