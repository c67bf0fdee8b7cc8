"""Fixtures: one PostgreSQL and one Rapport for the whole run, one project of its own for every test."""

import asyncio
import contextlib
import gc
import importlib
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import hypothesis
import pytest

import harness
import truth
from rapport.core import jsons
from rapport.core.db import Database, connect
from rapport.core.embedded import EmbeddedPostgres
from rapport.core.migrations import migrate
from rapport.projects.actions import create_key
from rapport.projects.models import NewKey

# Directories of tests that take long.
SLOW = frozenset({"concurrency", "docs", "faults", "fuzz", "property", "seeded", "story"})
SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"

hypothesis.settings.register_profile("default", deadline=None, print_blob=True)
hypothesis.settings.register_profile("soak", deadline=None, print_blob=True, max_examples=5_000)
hypothesis.settings.load_profile("soak" if os.environ.get("RAPPORT_SOAK") else "default")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--postgres", choices=["embedded", "15"], default="embedded", help="the PostgreSQL to test on")


def pytest_report_header(config: pytest.Config) -> str:
    return f"postgres: {config.getoption('--postgres')}"


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Keep what collecting makes out of the looks for garbage: a million objects that stay, again at every look."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not os.environ.get("RAPPORT_SOAK"):
        skip = pytest.mark.skip(reason="a long proof: make soak")
        for item in items:
            if "soak" in item.keywords:
                item.add_marker(skip)
    if config.getoption("--postgres") == "15":
        # What starts the embedded database itself, or none at all, is the same whatever the other tests run on.
        same = [item for item in items if "serve_anew" in item.fixturenames or "postgres_url" not in item.fixturenames]
        config.hook.pytest_deselected(items=same)
        items[:] = [item for item in items if item not in same]
    # Files that take long come first: then no process is left with one while the others have nothing to do any more.
    items.sort(key=_is_quick)


def _is_quick(item: pytest.Item) -> bool:
    return SLOW.isdisjoint(item.path.parts)


@pytest.fixture(scope="session")
def run_dir() -> Iterator[Path]:
    """A directory that the database's own user may enter; pytest closes its own to everybody at the next run."""
    directory = Path(tempfile.mkdtemp(prefix="rapport-test-"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
async def postgres_url(request: pytest.FixtureRequest, run_dir: Path) -> AsyncIterator[str]:
    """The URL of an empty database server's database `postgres`."""
    if request.config.getoption("--postgres") == "15":
        with harness.installed_postgres(run_dir) as url:
            await _never_sync(url)
            yield url
        return
    embedded = EmbeddedPostgres(run_dir, max_connections=200)
    await embedded.start()
    await _never_sync(embedded.url)
    yield embedded.url
    await embedded.stop()


async def _never_sync(url: str) -> None:
    """Let a server not wait for the disk: processes are killed here, but the machine's power stays on."""
    db = await connect(url)
    async with db.read() as conn:
        for name in ("fsync", "full_page_writes"):
            await conn.execute(f"ALTER SYSTEM SET {name} = off")
        await conn.execute("SELECT pg_reload_conf()")
    await db.close()


@pytest.fixture(scope="session")
async def migrated(postgres_url: str) -> str:
    """The name of a database that is migrated, empty and copied by others."""
    await _create(postgres_url, "migrated", "template1")
    await migrate(_url_of(postgres_url, "migrated"))
    return "migrated"


@pytest.fixture(scope="session")
def new_database(postgres_url: str, migrated: str) -> Callable[[str], str]:
    """Make a database of this name on the test server, its schema up to date; return its URL."""

    def make(name: str) -> str:
        with ThreadPoolExecutor(1) as thread:
            thread.submit(asyncio.run, _create(postgres_url, name, migrated)).result()
        return _url_of(postgres_url, name)

    return make


async def _create(postgres_url: str, name: str, template: str) -> None:
    db = await connect(postgres_url)
    async with db.read() as conn:
        await conn.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    await db.close()


def _url_of(postgres_url: str, name: str) -> str:
    return urlsplit(postgres_url)._replace(path=f"/{name}").geturl()


@pytest.fixture(scope="session")
def database_url(new_database: Callable[[str], str]) -> str:
    """The database that the shared server runs on."""
    return new_database("rapport")


@contextlib.contextmanager
def _starting(run_dir: Path) -> Iterator[Callable[..., harness.Server]]:
    started: list[harness.Server] = []

    def start(
        database_url: str, *arguments: str, env: dict[str, str] | None = None, wait: bool = True
    ) -> harness.Server:
        data_dir = Path(tempfile.mkdtemp(prefix="data-", dir=run_dir))
        server = harness.Server(database_url, data_dir, *arguments, env=env)
        started.append(server)
        if wait:
            server.wait_until_ready()
        return server

    yield start
    for server in started:
        if server.process.poll() is None:
            server.stop()


@pytest.fixture(scope="module")
def start_server(run_dir: Path) -> Iterator[Callable[..., harness.Server]]:
    """Start a Rapport on a database; those still running at the end of the file are stopped, or they go on working."""
    with _starting(run_dir) as start:
        yield start


@pytest.fixture(scope="session")
def server(run_dir: Path, database_url: str) -> Iterator[harness.Server]:
    """The Rapport that most tests talk to: two API processes and a worker."""
    with _starting(run_dir) as start:
        yield start(database_url, "--workers", "2")


@pytest.fixture(scope="session")
async def db(server: harness.Server, database_url: str) -> AsyncIterator[Database]:
    """The server's database."""
    _ = server
    database = await connect(database_url, max_size=20)
    yield database
    await database.close()


@pytest.fixture
async def key(db: Database, request: pytest.FixtureRequest) -> NewKey:
    """A project of the test's own, and a server key to it."""
    return await create_key(db, f"{request.node.name[:80]} {os.urandom(4).hex()}", "server")


@pytest.fixture
async def project_id(db: Database, key: NewKey) -> int:
    """The number of the test's project."""
    async with db.read() as conn:
        return int(await conn.fetchval("SELECT project_id FROM projects WHERE id = $1", key.project_id))


class Api(httpx2.Client):
    """A client that says what went wrong, and holds every answer against the server's OpenAPI document."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"verify": False, **options})  # no TLS: nothing to load

    def request(self, *arguments: Any, **options: Any) -> httpx2.Response:
        """As usual, and the answer has to be one that the document has."""
        answer = super().request(*arguments, **options)
        truth.check(answer)
        return answer

    def call(self, method: str, path: str, body: Any = None, *, status: int = 200, **options: Any) -> Any:
        """Make a call, assert its status, and return the JSON of the answer (numbers with a fraction as Decimal)."""
        if body is not None:
            options["content"] = jsons.encode(body)
            options["headers"] = {"Content-Type": "application/json"}
        answer = self.request(method, path, **options)
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text}"
        return jsons.decode(answer.content) if answer.content else None

    def fails(self, method: str, path: str, body: Any = None, *, status: int, key: str, **options: Any) -> Any:
        """Make a call that must be refused with this status and key, in the reference's shape; return the error."""
        error = self.call(method, path, body, status=status, **options)
        assert error["code"] == status, error
        assert error["key"] == key, error
        assert {"message", "details", "request_id"} <= set(error), error
        return error


@pytest.fixture
def api(server: harness.Server, key: NewKey) -> Iterator[Api]:
    """A client with the keys of the test's own project."""
    headers = {"X-App-Id": key.app_id, "X-App-Token": key.app_token}
    with Api(base_url=server.base_url, headers=headers, timeout=90) as client:
        yield client


@pytest.fixture
def sdk(server: harness.Server, key: NewKey) -> Any:
    """The official SDK, unmodified, pointed at the server; loading it takes longer than many a file of tests."""
    voucherify = importlib.import_module("voucherify")
    configuration = voucherify.Configuration(host=server.base_url)
    configuration.api_key = {"X-App-Id": key.app_id, "X-App-Token": key.app_token}
    return voucherify.ApiClient(configuration)


@pytest.fixture(scope="session")
def cdnow() -> Path:
    """The directory of the CDNOW purchase histories."""
    directory = SHARED_DATA / "cdnow"
    if not directory.is_dir():
        pytest.skip(f"the CDNOW data are not in {directory}")
    return directory
