"""The database: a pool of connections, transactions that are run again after a deadlock, JSON codecs.

The only module that knows the driver; `queries.py` modules receive a `Connection`.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from contextvars import ContextVar
from datetime import timedelta
from typing import Any, TypeAlias, TypeVar

import asyncpg

from rapport.core import jsons

Connection: TypeAlias = asyncpg.Connection
Row: TypeAlias = asyncpg.Record
UniqueViolation = asyncpg.UniqueViolationError
DatabaseUnavailable = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    # A connection that was cut off in the middle of a statement, met once more before its end is noticed.
    asyncpg.InternalClientError,
)
StatementTimeout = asyncpg.QueryCanceledError
# The server refused a value it was given: too long, out of range, not text. A caller's mistake that a check missed.
RefusedValue = (asyncpg.DataError, asyncpg.ProgramLimitExceededError)

Result = TypeVar("Result")


class Restart(Exception):
    """What the transaction read before its locks is no longer so: undo it and run it again."""


# What a transaction is run again for, and what is raised when even the last run ended so.
Contention = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError, Restart)
ATTEMPTS = 8
# How often the first transaction of several that are held together is, before all of them are begun anew.
_ATTEMPTS_INSIDE = 4


@asynccontextmanager
async def under_way(statement: Coroutine[Any, Any, Result]) -> AsyncIterator[asyncio.Task[Result]]:
    """Let a statement go out; it is over at the end of the context, in which other work is done meanwhile."""
    task = asyncio.create_task(statement)
    try:
        await asyncio.sleep(0)
        yield task
    finally:
        await task


def _decode(data: bytes) -> Any:
    """Read a binary jsonb; most that there are in a row of a customer are empty."""
    if data == b"\x01{}":
        return {}
    return [] if data == b"\x01[]" else jsons.decode(data[1:])


async def _prepare(conn: Connection) -> None:
    await conn.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        encoder=lambda value: b"\x01" + jsons.encode(value),
        decoder=_decode,
        format="binary",
    )


async def _keep(_conn: Connection) -> None:
    """Give a connection back as it is: nothing here leaves session state behind, and a reset costs a round trip."""


class Held:
    """One transaction for all that is done in a context, committed by whoever holds it: see `Database.hold`.

    Until something is `kept`, whatever fails is undone together with what `begin` did, and the next use begins anew;
    the first transaction is run again after contention as any other. Afterwards, each further one is a savepoint.
    `contended`: something was undone that would have been run again; the whole is to be rolled back and done again.
    `broken`: a read failed, and nothing can be committed.
    """

    def __init__(self, db: "Database", conn: Connection, begin: Callable[[Connection], Awaitable[None]]) -> None:
        """Made by `Database.hold`."""
        self._db = db
        self.kept = False
        self.contended = False
        self.broken = False
        self._conn = conn
        self._begin = begin
        self._outer: Any = None
        # A request may do two things side by side; they take turns on the one connection.
        self._lock = asyncio.Lock()
        self._owner: Any = None
        self._over = False

    def holds(self, db: "Database") -> bool:
        """Whether what is done with this database belongs here; not any more once it is over."""
        return db is self._db and not self._over

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        task = asyncio.current_task()
        if self._owner is task:
            yield
            return
        async with self._lock:
            self._owner = task
            try:
                yield
            finally:
                self._owner = None

    async def open(self) -> Connection:
        """Begin if that is to be done, and return the connection. Raises what `begin` raises."""
        if self._outer is None:
            self._outer = self._conn.transaction()
            await self._outer.start()
            try:
                await self._begin(self._conn)
            except BaseException:
                await self.undo()
                raise
        return self._conn

    async def transaction(self, work: Callable[[Connection], Awaitable[Result]]) -> Result:
        """Run `work`; what it wrote is kept with all the rest, or not at all where it raises."""
        async with self._turn():
            try:
                return await (self._further(work) if self.kept else self._first(work))
            except Contention:
                self.contended = True
                raise

    async def _first(self, work: Callable[[Connection], Awaitable[Result]]) -> Result:
        async def once() -> Result:
            conn = await self.open()
            try:
                return await work(conn)
            except BaseException:
                await self.undo()
                raise

        result = await _repeated(once, _ATTEMPTS_INSIDE)
        self.kept = True
        return result

    async def _further(self, work: Callable[[Connection], Awaitable[Result]]) -> Result:
        conn = await self.open()
        async with conn.transaction():
            return await work(conn)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Connection]:
        """Lend the connection: statements see what was written before."""
        async with self._turn():
            conn = await self.open()
            try:
                yield conn
            except asyncpg.PostgresError:
                self.broken = self.kept
                if not self.kept:
                    await self.undo()
                raise

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Connection]:
        """As `Database.snapshot`; after something was written, each statement sees what is committed when it starts."""
        async with self._turn():
            if self.kept:
                yield await self.open()
                return
            await self.undo()
            async with self._conn.transaction(isolation="repeatable_read", readonly=True):
                yield self._conn

    async def commit(self) -> None:
        """Make it last."""
        outer, self._outer = self._outer, None
        await outer.commit()

    async def undo(self) -> None:
        """Take back everything."""
        outer, self._outer = self._outer, None
        self.kept = False
        if outer is not None and not self._conn.is_closed():
            await outer.rollback()

    async def close(self) -> None:
        """Take back what was not committed; whoever still uses the database does so on their own from here on."""
        self._over = True
        await self.undo()


async def _repeated(attempt: Callable[[], Awaitable[Result]], attempts: int = ATTEMPTS) -> Result:
    """Make an attempt again and again after contention, so many times in all."""
    for number in range(attempts - 1):
        try:
            return await attempt()
        except Contention:
            await asyncio.sleep(random.uniform(0, 0.01 * 2**number))  # noqa: S311 (jitter, not a secret)
    return await attempt()


_HELD: ContextVar[Held | None] = ContextVar("held", default=None)


def _held(db: "Database") -> Held | None:
    held = _HELD.get()
    return held if held is not None and held.holds(db) else None


class Database:
    """A pool of connections to one database, and the offset of its clock."""

    def __init__(self, pool: asyncpg.Pool, clock_offset: timedelta) -> None:
        """Use `connect` to make one."""
        self._pool = pool
        self.clock_offset = clock_offset

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Connection]:
        """Lend a connection without a transaction: each statement sees what is committed when it starts."""
        held = _held(self)
        async with self._pool.acquire() if held is None else held.read() as conn:
            yield conn

    @asynccontextmanager
    async def hold(self, begin: Callable[[Connection], Awaitable[None]]) -> AsyncIterator[Held]:
        """Do all that this context and its tasks do with the database in one transaction, until the end of the block.

        Each time that it begins (more than once where it is undone), `begin` runs first. Nothing is committed but by
        `Held.commit`; only the first transaction is run again inside: see `Held.contended`.
        """
        async with self._pool.acquire() as conn:
            held = Held(self, conn, begin)
            token = _HELD.set(held)
            try:
                yield held
            finally:
                _HELD.reset(token)
                await held.close()

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Connection]:
        """Lend a connection on which every statement sees the same: what was committed when the first one started."""
        held = _held(self)
        if held is not None:
            async with held.snapshot() as conn:
                yield conn
            return
        async with self._pool.acquire() as conn, conn.transaction(isolation="repeatable_read", readonly=True):
            yield conn

    async def transaction(self, work: Callable[[Connection], Awaitable[Result]]) -> Result:
        """Run `work` in one READ COMMITTED transaction and commit.

        After a deadlock or a serialization failure the whole of `work` runs again (up to eight times), so it must keep
        nothing of a failed run. Any other error rolls back and is raised.
        """
        held = _held(self)
        if held is not None:
            return await held.transaction(work)

        async def once() -> Result:
            async with self._pool.acquire() as conn, conn.transaction():
                return await work(conn)

        return await _repeated(once)

    async def close(self) -> None:
        """Give all connections back and close them."""
        await self._pool.close()


async def connect(
    url: str,
    *,
    clock_offset: timedelta = timedelta(0),
    min_size: int = 1,
    max_size: int = 10,
    statement_timeout_s: int = 30,
    name: str = "rapport",
) -> Database:
    """Open a pool on the database at `url`.

    Statements end after `statement_timeout_s`; a transaction left idle for as long is ended by the server, so that a
    stuck client cannot hold up the activity log. Raises the driver's errors where the database is not to be had.
    """
    pool = await asyncpg.create_pool(
        url,
        min_size=min_size,
        max_size=max_size,
        init=_prepare,
        reset=_keep,
        command_timeout=None,
        server_settings={
            "application_name": name,
            "statement_timeout": f"{statement_timeout_s}s",
            "idle_in_transaction_session_timeout": f"{statement_timeout_s}s",
            "timezone": "UTC",
            "jit": "off",
        },
    )
    return Database(pool, clock_offset)


def columns(kind: Any) -> str:
    """Return the field names of a msgspec struct as a column list, in order."""
    return ", ".join(kind.__struct_fields__)
