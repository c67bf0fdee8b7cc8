"""The statements that the product sends: heard on a connection of this process while the product's own code runs."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import asyncpg

from rapport.activity.log import Internal, Source
from rapport.core import db as core_db
from rapport.core.db import Connection, Database
from rapport.customers.writes import Writer
from rapport.segments.membership import SegmentDecider

SOURCE = Source("API", {"name": "benchmark", "app_id": "00000000-0000-0000-0000-000000000000"})
_CONTROL = re.compile(r"(BEGIN|START|COMMIT|ROLLBACK|SAVEPOINT|RELEASE)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Statement:
    """One statement, as it went to the driver."""

    sql: str
    parameters: tuple[Any, ...]


Act = Callable[[Writer, Internal], Awaitable[Any]]


async def record(url: str, project_id: int, *acts: Act) -> list[list[Statement]]:
    """Do each of `acts`, one after another, and return for each the statements between BEGIN and COMMIT.

    They are really done, all of them twice, and heard the second time: then segments and types are known already.
    """
    heard: list[Statement] = []

    async def prepare(conn: Connection) -> None:
        await core_db._prepare(conn)
        conn.add_query_logger(lambda query: heard.append(Statement(query.query, tuple(query.args))))

    pool = await asyncpg.create_pool(url, min_size=1, max_size=1, init=prepare, reset=core_db._keep)
    writer = Writer(Database(pool, timedelta(0)), SegmentDecider())
    found = []
    for act in (*acts, *acts):
        heard.clear()
        await act(writer, Internal(project_id, "v-000000000000000000", SOURCE))
        await asyncio.sleep(0)  # the driver tells of a statement in the next turn of the loop
        found.append([one for one in heard if not _CONTROL.match(one.sql)])
    await pool.close()
    return found[len(acts) :]
