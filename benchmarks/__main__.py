"""Run the benchmarks and print ratios: `make bench`.

Each workload runs over HTTP against a real server with a worker, then as pgbench with the same statements on the same
database, with the same number of connections, each for some seconds.
"""

import argparse
import asyncio
import contextlib
import functools
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import load, pgbench, redemption, upsert
from rapport.core.embedded import running_url


@dataclass(frozen=True)
class Running:
    """A server under test."""

    port: int
    url: str
    headers: dict[str, str]


@contextlib.contextmanager
def server(workers: int) -> Iterator[Running]:
    """Run `rapport serve` on an embedded database of its own."""
    with tempfile.TemporaryDirectory(prefix="rapport-bench-") as directory, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        key, token = str(uuid.uuid4()), str(uuid.uuid4())
        environment = os.environ | {"RAPPORT_BOOTSTRAP_APP_ID": key, "RAPPORT_BOOTSTRAP_APP_TOKEN": token}
        command = [str(Path(sys.executable).with_name("rapport")), "serve", "--port", str(port)]
        command += ["--workers", str(workers), "--data-dir", directory]
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            _until_ready(process, port)
            url = running_url(Path(directory))
            if url is None:
                raise RuntimeError("the embedded database is not running")
            yield Running(port, url, {"X-App-Id": key, "X-App-Token": token})
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def _until_ready(process: "subprocess.Popen[bytes]", port: int) -> None:
    for _ in range(600):
        if process.poll() is not None:
            raise RuntimeError("rapport serve ended")
        with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2):
            return
        time.sleep(0.1)
    raise RuntimeError("rapport serve does not answer")


def _checked(result: load.Result, *allowed: int) -> load.Result:
    if set(result.statuses) - set(allowed):
        raise RuntimeError(f"unexpected answers: {result.statuses}")
    return result


def main() -> None:
    """Run what the command line asks for and print the ratios."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    owner = "pgserver" if os.geteuid() == 0 else None
    table = Table("Workload", "HTTP /s", "p50 ms", "p99 ms", "pgbench /s", "ratio", "aim")
    with server(options.workers) as running:
        for fill in (upsert.fill, redemption.fill):
            _checked(load.run(running.port, 1, 3600, lambda _, fill=fill: fill(running.headers)), 200)
        for name, requests, script in workloads(running):
            measured = _checked(load.run(running.port, options.connections, options.seconds, requests), 200)
            made = script()
            bare = pgbench.run(running.url, made, clients=options.connections, seconds=options.seconds, owner=owner)
            table.add_row(
                name,
                f"{measured.per_second:,.0f}",
                f"{measured.percentile_ms(50):.1f}",
                f"{measured.percentile_ms(99):.1f}",
                f"{bare:,.0f}",
                f"{measured.per_second / bare:.2f}",
                "0.30",
            )
    Console(width=100).print(table)


def workloads(running: Running) -> Iterator[tuple[str, Callable[[int], Iterator[bytes]], Callable[[], pgbench.Script]]]:
    """Yield each workload: its name, what a connection sends, and the script that does the same."""
    for name, new in (("customer upsert: update", False), ("customer upsert: create", True)):
        yield (
            name,
            functools.partial(upsert.requests, running.headers, new=new),
            functools.partial(upsert.script, 1, new=new),
        )
    for name, hot in (("redemption: 1,000 codes", False), ("redemption: one hot code", True)):
        yield (
            name,
            functools.partial(redemption.requests, running.headers, hot=hot),
            lambda hot=hot: asyncio.run(redemption.script(running.url, 1, hot=hot)),
        )


if __name__ == "__main__":
    main()
