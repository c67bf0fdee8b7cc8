"""The database: a pool of connections, transactions that are run again after a deadlock, JSON codecs.

The only module that knows the driver; `queries.py` modules receive a `Connection`.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
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
_ATTEMPTS = 8


async def _prepare(conn: Connection) -> None:
    await conn.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        encoder=lambda value: b"\x01" + jsons.encode(value),
        decoder=lambda data: jsons.decode(data[1:]),
        format="binary",
    )


async def _keep(_conn: Connection) -> None:
    """Give a connection back as it is: nothing here leaves session state behind, and a reset costs a round trip."""


class Database:
    """A pool of connections to one database, and the offset of its clock."""

    def __init__(self, pool: asyncpg.Pool, clock_offset: timedelta) -> None:
        """Use `connect` to make one."""
        self._pool = pool
        self.clock_offset = clock_offset

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Connection]:
        """Lend a connection without a transaction: each statement sees what is committed when it starts."""
        async with self._pool.acquire() as conn:
            yield conn

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Connection]:
        """Lend a connection on which every statement sees the same: what was committed when the first one started."""
        async with self._pool.acquire() as conn, conn.transaction(isolation="repeatable_read", readonly=True):
            yield conn

    async def transaction(self, work: Callable[[Connection], Awaitable[Result]]) -> Result:
        """Run `work` in one READ COMMITTED transaction and commit.

        After a deadlock or a serialization failure the whole of `work` runs again (up to eight times), so it must keep
        nothing of a failed run. Any other error rolls back and is raised.
        """
        for attempt in range(_ATTEMPTS):
            try:
                async with self._pool.acquire() as conn, conn.transaction():
                    return await work(conn)
            except Contention:
                if attempt == _ATTEMPTS - 1:
                    raise
                await asyncio.sleep(random.uniform(0, 0.01 * 2**attempt))  # noqa: S311 (jitter, not a secret)
        raise AssertionError("unreachable")

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
