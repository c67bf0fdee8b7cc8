"""Whether the database can be used: reachable, the right password, new enough, taking writes. One clear line if not."""

import asyncio
from datetime import timedelta
from urllib.parse import urlsplit

from rapport.core import queries
from rapport.core.db import Database, connect
from rapport.settings import StartError

OLDEST_SUPPORTED = 150_000
CONNECT_TIMEOUT_S = 10.0
STARTING_TIMEOUT_S = 60.0
_STARTING_UP = "57P03"
_REFUSALS = {
    "28P01": "the password for the database {place} is wrong",
    "28000": "the database {place} does not accept this user ({error})",
    "3D000": "there is no such database: {place} ({error}); create it first",
    "53300": "the database {place} has no connection left for Rapport ({error})",
    "42501": "the user of the database {place} may not do what Rapport needs ({error})",
}


async def open_database(
    url: str,
    *,
    clock_offset: timedelta = timedelta(0),
    max_size: int = 2,
    statement_timeout_s: int = 30,
    name: str = "rapport",
) -> Database:
    """Connect, or raise StartError with one line that says what to mend. A server that is starting up is waited for."""
    deadline = asyncio.get_running_loop().time() + STARTING_TIMEOUT_S
    while True:
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                return await connect(
                    url,
                    clock_offset=clock_offset,
                    max_size=max_size,
                    statement_timeout_s=statement_timeout_s,
                    name=name,
                )
        except Exception as error:
            code = getattr(error, "sqlstate", None)
            if code != _STARTING_UP or asyncio.get_running_loop().time() > deadline:
                raise StartError(explain(url, error)) from error
        await asyncio.sleep(0.2)


async def check_server(db: Database, url: str, *, oldest: int = OLDEST_SUPPORTED) -> queries.Server:
    """Return the facts about the server. Raises StartError when Rapport does not run on it."""
    async with db.read() as conn:
        server = await queries.get_server(conn)
    problem = find_problem(server, oldest=oldest)
    if problem:
        raise StartError(f"the database {place(url)} cannot be used: {problem}")
    return server


def find_problem(server: queries.Server, *, oldest: int = OLDEST_SUPPORTED) -> str | None:
    """Return why Rapport does not run on this server, or None."""
    if server.version_num < oldest:
        return f"it is PostgreSQL {server.version}, Rapport needs PostgreSQL {oldest // 10_000} or newer"
    if server.is_standby:
        return "it is a read-only standby; give the address of the primary"
    if server.is_read_only:
        return "its transactions are read-only (default_transaction_read_only is on)"
    if server.encoding != "UTF8":
        return f"its encoding is {server.encoding}, Rapport needs UTF8"
    if not server.may_create:
        return "the user may not create tables in its schema; make it the owner of the database"
    return None


def explain(url: str, error: BaseException) -> str:
    """Say in one line why the database at `url` could not be opened, never showing the password."""
    pattern = _REFUSALS.get(getattr(error, "sqlstate", None) or "")
    if pattern:
        return pattern.format(place=place(url), error=_first_line(error))
    if isinstance(error, TimeoutError):
        return f"the database {place(url)} did not answer within {CONNECT_TIMEOUT_S:.0f} s"
    if isinstance(error, OSError):
        return f"the database {place(url)} cannot be reached: {error.strerror or _first_line(error)}"
    return f"the database {place(url)} cannot be used: {_first_line(error)}"


def place(url: str) -> str:
    """Return the part of a database URL that may be shown: user, host, port and name."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "(unreadable address)"
    address = f"{parts.hostname or 'local socket'}{port}{parts.path}"
    return f"{parts.username}@{address}" if parts.username else address


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
