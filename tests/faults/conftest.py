"""Fixtures of the tests that start, kill and refuse real processes."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from faults.servers import OwnDatabase, Server
from harness import free_port


@pytest.fixture
def place() -> Iterator[Path]:
    """Make a directory of the test's own; not pytest's, which closes its directories to the database's user."""
    path = Path(tempfile.mkdtemp(prefix="rapport-test-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def serve(place: Path) -> Iterator[Callable[..., Server]]:
    """Start servers; `serve()` again is the next start on the same data directory and port."""
    started: list[Server] = []
    port = free_port()

    def start(*arguments: str, **environment: str) -> Server:
        server = Server(place / "data", port, *arguments, **environment)
        started.append(server)
        return server.start()

    yield start
    for server in started:
        if hasattr(server, "process"):
            server.clean_up()


@pytest.fixture(scope="module")
def database() -> Iterator[OwnDatabase]:
    path = Path(tempfile.mkdtemp(prefix="rapport-test-"))
    own = OwnDatabase(path)
    own.start()
    yield own
    own.close()
    shutil.rmtree(path, ignore_errors=True)
