"""`rapport serve`: the supervisor of the API processes, the worker and the embedded database.

It owns the lock of the data directory and the listening socket, brings the database up to date, starts the others,
starts them again when they die, and at the end lets them finish: requests first, the database last.
"""

import asyncio
import contextlib
import errno
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog

from rapport import __version__
from rapport.core import datadir, migrations, preflight
from rapport.core.db import Database
from rapport.core.embedded import EmbeddedPostgres
from rapport.core.processes import LONGEST_PAUSE_S, Child, describe_exit
from rapport.projects import actions
from rapport.settings import Bootstrap, Settings, StartError, variable

BACKLOG = 2048
READY_TIMEOUT_S = 60.0
KILL_AFTER_S = 10.0  # on top of the time for draining
SPARE_CONNECTIONS = 30

log = structlog.get_logger()


async def serve(settings: Settings, *, with_worker: bool = True, demo: bool = False) -> None:
    """Run the server until SIGTERM, SIGINT or SIGHUP. Raises StartError where it cannot start."""
    await Supervisor(settings, with_worker=with_worker, demo=demo).run()


class Supervisor:
    """One running server."""

    def __init__(self, settings: Settings, *, with_worker: bool, demo: bool) -> None:
        """Take what to run; `run` runs it."""
        self._settings = settings
        self._with_worker = with_worker
        self._demo = demo
        self._postgres: EmbeddedPostgres | None = None
        self._keys: list[Bootstrap] = []
        self._children: list[Child] = []
        self._keepers: list[asyncio.Task[None]] = []
        self._stop = asyncio.Event()
        self._force = asyncio.Event()

    async def run(self) -> None:
        """Run until told to stop, then end everything in order."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, self._on_signal, number)
        datadir.prepare(self._settings.data_dir)
        with datadir.lock(self._settings.data_dir), listening(self._settings.host, self._settings.port) as listener:
            life = asyncio.create_task(self._live(listener))
            told = asyncio.create_task(self._stop.wait())
            try:
                await asyncio.wait({life, told}, return_when=asyncio.FIRST_COMPLETED)
                if life.done():
                    life.result()
            finally:
                self._stop.set()
                told.cancel()
                life.cancel()
                await asyncio.gather(life, return_exceptions=True)
                listener.close()
                await self._drain()
                if self._postgres:
                    await self._postgres.stop()
                log.info("stopped")

    def _on_signal(self, number: signal.Signals) -> None:
        if self._stop.is_set():
            if number == signal.SIGINT:
                log.warning("not waiting for requests in flight")
                self._force.set()
            return
        log.info("stopping, requests in flight are finished", signal=signal.Signals(number).name)
        self._stop.set()

    async def _live(self, listener: socket.socket) -> None:
        embedded = self._settings.database_url is None
        settings = await self._prepare_database()
        environment = settings.environment()
        for number in range(settings.workers):
            arguments = ("api", "--fd", str(listener.fileno()))
            self._add(Child(f"api-{number + 1}", _command(*arguments), environment, pass_fds=[listener.fileno()]))
        if self._with_worker:
            self._add(Child("worker", _command("worker"), environment))
        if self._postgres:
            self._keepers.append(asyncio.create_task(_keep_database(self._postgres), name="database"))
        address = _address(listener)
        await self._until_ready(listener)
        say(announcement(settings, address, self._keys, embedded=embedded))
        if self._demo:
            await self._load_demo(settings, address)
        done, _ = await asyncio.wait(self._keepers, return_when=asyncio.FIRST_COMPLETED)
        for keeper in done:  # none ends before it is told to, unless by a bug
            keeper.result()

    def _add(self, child: Child) -> None:
        self._children.append(child)
        self._keepers.append(asyncio.create_task(child.keep(), name=child.name))

    async def _prepare_database(self) -> Settings:
        """Start or check the database, migrate it, settle the keys; return the settings with its address."""
        settings = self._settings
        url = settings.database_url
        if url is None:
            connections = (settings.workers + 1) * settings.pool_size + SPARE_CONNECTIONS
            self._postgres = EmbeddedPostgres(settings.data_dir, max_connections=connections)
            await self._postgres.start()
            url = self._postgres.url
        db = await preflight.open_database(url, clock_offset=settings.clock_offset)
        try:
            await preflight.check_server(db, url)
            await migrations.migrate(url)
            self._keys = await settle_keys(db, self._settings)
        finally:
            await db.close()
        return settings.model_copy(update={"database_url": url})

    async def _until_ready(self, listener: socket.socket) -> None:
        try:
            async with asyncio.timeout(READY_TIMEOUT_S):
                while not await _is_healthy(listener):
                    if any(child.ends for child in self._children if child.name != "worker"):
                        raise StartError("an API process ended while starting; the log says why")
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise StartError(f"the API is not ready after {READY_TIMEOUT_S:.0f} s; the log says why") from None

    async def _load_demo(self, settings: Settings, address: str) -> None:
        marker = settings.data_dir / datadir.DEMO_MARKER
        key = next((key for key in self._keys if key.kind == "server"), None)
        if not marker.exists():
            if key is None:
                log.warning("the demo is not loaded: it needs a server key whose token is known")
                return
            known = {"bootstrap_app_id": key.app_id, "bootstrap_app_token": key.app_token}
            environment = settings.model_copy(update=known).environment()
            await Child("demo", (sys.executable, "-m", "rapport.demo_start", address), environment).run()
        if marker.exists():
            say(marker.read_text(encoding="utf-8").splitlines())
        else:
            log.error("the demo was not loaded; the next start tries again")

    async def _drain(self) -> None:
        """End the children: asked first, killed when they take too long or a second SIGINT says so."""
        for child in self._children:
            child.end()
        names = {child.name for child in self._children}
        ended = asyncio.gather(
            *(keeper for keeper in self._keepers if keeper.get_name() in names), return_exceptions=True
        )
        forced = asyncio.create_task(self._force.wait())
        limit_s = self._settings.drain_timeout_s + KILL_AFTER_S
        waiting: list[asyncio.Future[Any]] = [ended, forced]
        await asyncio.wait(waiting, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
        forced.cancel()
        for child in self._children:
            if child.pid is not None:
                log.warning("a process did not end, killing it", child=child.name, pid=child.pid)
            child.kill()
        await ended
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)


async def settle_keys(db: Database, settings: Settings) -> list[Bootstrap]:
    """Make sure that somebody can call the API; return the keys whose tokens are known here.

    The configured keys if there are any; for the embedded database those kept in its data directory, made at the first
    start; for another database a new server key, once, if its default project has none.
    """
    if settings.bootstrap_keys:
        await actions.bootstrap(db, settings.bootstrap_keys)
        return settings.bootstrap_keys
    if settings.database_url is None:
        kept = datadir.read_credentials(settings.data_dir)
        if not kept:
            kept = [actions.random_key("server"), actions.random_key("client")]
            datadir.write_credentials(settings.data_dir, kept)
        await actions.bootstrap(db, kept)
        return kept
    fresh = actions.random_key("server")
    if not await actions.bootstrap_if_keyless(db, fresh):
        return []
    # Said now: were the start to fail further on, nobody would ever learn it.
    say([key_line(fresh, fresh.app_token), "  (shown this once; `rapport keys create` makes more)"])
    return [fresh]


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """Listen on an address: connections made from now on wait until an API process takes them. Raises StartError."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError:
        raise StartError(f"cannot listen on {host!r}: it is not an address of this machine") from None
    with socket.socket(family, kind, protocol) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
            listener.listen(BACKLOG)
        except OSError as error:
            reasons = {
                errno.EADDRINUSE: f"port {port} on {host} is in use by another program; choose another with --port",
                errno.EACCES: f"no permission to listen on port {port}; choose one above 1023 with --port",
            }
            reason = reasons.get(error.errno or 0, f"cannot listen on {host} port {port}: {error.strerror}")
            raise StartError(reason) from None
        yield listener


def announcement(settings: Settings, address: str, keys: list[Bootstrap], *, embedded: bool) -> list[str]:
    """Return the lines printed when the server is ready.

    A configured token is not repeated; a key made for a database of one's own was shown when it was made.
    """
    configured = bool(settings.bootstrap_keys)
    lines = [f"Rapport {__version__} is ready at {address}", f"  API reference  {address}/docs"]
    if configured:
        lines += [key_line(key, "(as configured)") for key in keys]
    elif embedded:
        lines += [key_line(key, key.app_token) for key in keys]
    if settings.smtp is None:
        lines.append(f"  mail           is kept in {settings.outbox}; set {variable('smtp_url')} to send it")
    else:
        lines.append(f"  mail           is sent by {settings.smtp.host}:{settings.smtp.port}")
    if embedded:
        lines.append(f"  data           is kept in {settings.data_dir} (embedded PostgreSQL)")
    if settings.clock_offset:
        lines.append(f"  clock          is moved by {settings.clock_offset}")
    return lines


def key_line(key: Bootstrap, token: str) -> str:
    """Return a line that shows a key as the two headers of a request."""
    return f"  {key.kind} key".ljust(17) + f"X-App-Id: {key.app_id}  X-App-Token: {token}"


def say(lines: list[str]) -> None:
    """Print lines for people; logs go to standard error."""
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


async def _keep_database(postgres: EmbeddedPostgres) -> None:
    """Start the embedded database again whenever it ends; its clients connect anew by themselves."""
    while True:
        code = await postgres.wait()
        log.error("the embedded database ended, starting it again", ended=describe_exit(code))
        pause_s = 0.1
        while True:
            try:
                await postgres.start()
                break
            except StartError as error:
                pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
                log.error("the embedded database stays away", error=str(error), pause_s=pause_s)
                await asyncio.sleep(pause_s)


async def _is_healthy(listener: socket.socket) -> bool:
    host, port = _reachable(listener)
    try:
        async with asyncio.timeout(2.0):
            reader, writer = await asyncio.open_connection(host, port)
            with contextlib.closing(writer):
                writer.write(b"GET /health HTTP/1.1\r\nHost: rapport\r\nConnection: close\r\n\r\n")
                return (await reader.readline()).split(b" ")[1:2] == [b"200"]
    except (OSError, TimeoutError):
        return False


def _reachable(listener: socket.socket) -> tuple[str, int]:
    host, port = listener.getsockname()[:2]
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port  # noqa: S104 (compared, not bound)


def _address(listener: socket.socket) -> str:
    host, port = _reachable(listener)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _command(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "rapport.child", *arguments)
