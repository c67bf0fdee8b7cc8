"""What is asked of the database server itself: its version, whether it takes writes, the state of the schema."""

from datetime import datetime, timedelta

import msgspec

from rapport.core.db import Connection


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """The facts about a database server that decide whether Rapport runs on it."""

    version_num: int
    version: str
    encoding: str
    is_standby: bool
    is_read_only: bool
    may_create: bool


class Sessions(msgspec.Struct, frozen=True, kw_only=True):
    """The connections of one process kind; `active_at` is the last time any of them began or ended a statement."""

    count: int
    active_at: datetime | None
    now: datetime


async def read_now(conn: Connection, offset: timedelta) -> datetime:
    """Return the time: the database's clock, moved by `offset`, in milliseconds."""
    now: datetime = await conn.fetchval("SELECT date_trunc('milliseconds', clock_timestamp() + $1::interval)", offset)
    return now


async def get_server(conn: Connection) -> Server:
    """Return the facts about the server at the other end."""
    row = await conn.fetchrow(
        """
        SELECT current_setting('server_version_num')::integer AS version_num,
               current_setting('server_version') AS version,
               current_setting('server_encoding') AS encoding,
               pg_is_in_recovery() AS is_standby,
               current_setting('default_transaction_read_only')::boolean AS is_read_only,
               coalesce(has_schema_privilege(current_schema(), 'CREATE'), false) AS may_create
        """
    )
    return Server(**dict(row or {}))


async def find_schema_version(conn: Connection) -> str | None:
    """Return the name of the last migration applied; None where there is none."""
    if await conn.fetchval("SELECT to_regclass('alembic_version')") is None:
        return None
    return await conn.fetchval("SELECT version_num FROM alembic_version")  # type: ignore[no-any-return]


async def get_sessions(conn: Connection, name: str) -> Sessions:
    """Return what the connections with this application name are doing."""
    row = await conn.fetchrow(
        """
        SELECT count(*) AS count, max(state_change) AS active_at, clock_timestamp() AS now
        FROM pg_stat_activity WHERE application_name = $1 AND datname = current_database()
        """,
        name,
    )
    return Sessions(**dict(row or {}))
