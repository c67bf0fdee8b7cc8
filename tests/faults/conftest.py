"""Fixtures of the tests that start, kill and refuse real processes."""

import asyncio
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from faults.servers import OwnDatabase, Server
from harness import free_port
from rapport.core.embedded import EmbeddedPostgres
from rapport.core.migrations import migrate


@pytest.fixture
def place() -> Iterator[Path]:
    """Make a directory of the test's own; not pytest's, which closes its directories to the database's user."""
    path = Path(tempfile.mkdtemp(prefix="rapport-test-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def made() -> Iterator[Path]:
    """The files of an embedded database that was made and migrated, and then stopped."""
    path = Path(tempfile.mkdtemp(prefix="rapport-test-"))
    postgres = EmbeddedPostgres(path)
    with asyncio.Runner() as runner:
        runner.run(postgres.start())
        runner.run(migrate(postgres.url))
        runner.run(postgres.stop())
    yield postgres.directory
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def serve(serve_anew: Callable[..., Server], place: Path, made: Path) -> Callable[..., Server]:
    """As `serve_anew`, for tests of other things than the first start: the database is there."""
    (place / "data").mkdir(mode=0o700)
    subprocess.run(["cp", "-a", made, place / "data" / "postgres"], check=True)
    return serve_anew


@pytest.fixture
def serve_anew(place: Path) -> Iterator[Callable[..., Server]]:
    """Start servers; called again, it is the next start on the same data directory and port."""
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
