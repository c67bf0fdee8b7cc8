"""All SQL of previews."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from rapport.core.db import Connection, columns
from rapport.core.ids import new_id
from rapport.customers.models import Customer
from rapport.segments.sql import Condition

# Whether the customer has not unsubscribed from a channel, as `consents/state.py` reads it: a word on the channel is
# newer than that on all of them.
_WANTED = (
    "(coalesce(c.consents #> '{{unsubscribed,channels,{0},given}}', c.consents #> '{{unsubscribed,given}}', 'false') "
    "= 'false')"
)
_HAS_PUSH = 'c.devices @? \'$[*] ? (@.channel == "push" || @.platform == "ios" || @.platform == "android")\''
# A channel reaches a customer for whom this holds. The one place that knows.
REACHABLE: Mapping[str, str] = {
    "email": f"c.email IS NOT NULL AND {_WANTED.format('email')}",
    "sms": f"c.phone IS NOT NULL AND {_WANTED.format('sms')}",
    "push": f"{_HAS_PUSH} AND {_WANTED.format('push')}",
    "webhook": "TRUE",
}
# Of a compiled filter: the project comes before its parameters, all else after them.
FIRST_PARAMETER = 2
# How many customers, from a random one on, are looked at for a sample before the count.
_PROBED = 2_000

_COLUMNS = columns(Customer)
_NUMBERS = ", ".join(
    ["count(*) AS number", *(f"count(*) FILTER (WHERE {test}) AS {channel}" for channel, test in REACHABLE.items())]
)


async def open_preview(conn: Connection, project_id: int, offset: timedelta) -> tuple[datetime, str]:
    """Return the time and the project's zone; the transaction plans every statement for its very values."""
    row = await conn.fetchrow(
        "SELECT date_trunc('milliseconds', clock_timestamp() + $2::interval) AS now, time_zone, "
        "set_config('plan_cache_mode', 'force_custom_plan', TRUE) FROM projects WHERE project_id = $1",
        project_id,
        offset,
    )
    return row["now"], row["time_zone"]


def _after(condition: Condition, number: int) -> str:
    """Return the placeholder of the `number`-th parameter after the filter's."""
    return f"${FIRST_PARAMETER - 1 + len(condition.parameters) + number}"


async def probe(conn: Connection, project_id: int, condition: Condition, most: int) -> list[Customer]:
    """Return up to `most` customers that a filter holds for, among the few that follow a random one."""
    rows = await conn.fetch(
        f"SELECT {_COLUMNS} FROM (SELECT * FROM customers WHERE project_id = $1 AND id > {_after(condition, 1)} "
        f"ORDER BY id LIMIT {_PROBED}) AS c WHERE {condition.text} LIMIT {_after(condition, 2)}",
        project_id,
        *condition.parameters,
        new_id("cust"),
        most,
    )
    return [Customer(*row) for row in rows]


async def count(conn: Connection, project_id: int, condition: Condition) -> Any:
    """Count, in one scan, the customers that a filter holds for and those of them that each channel reaches."""
    return await conn.fetchrow(
        f"SELECT {_NUMBERS} FROM customers AS c WHERE c.project_id = $1 AND {condition.text}",
        project_id,
        *condition.parameters,
    )


async def count_and_pick(conn: Connection, project_id: int, condition: Condition, most: int) -> Any:
    """Count as `count` does, and return the ids (`picked`) of the first `most` of them in the same scan.

    Slower than `count` where many match: each of them is numbered on its way.
    """
    return await conn.fetchrow(
        f"SELECT {_NUMBERS}, array_agg(c.id) FILTER (WHERE c.place <= {_after(condition, 1)}) AS picked FROM ("
        "SELECT *, row_number() OVER () AS place FROM customers AS c "
        f"WHERE c.project_id = $1 AND {condition.text}) AS c",
        project_id,
        *condition.parameters,
        most,
    )
