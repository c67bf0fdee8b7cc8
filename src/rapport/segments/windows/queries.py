"""All SQL that loads what the windows of filters look through."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from rapport.core.db import Connection
from rapport.segments.sql import COLLECTIONS, compile_where
from rapport.segments.tree import Where, Window

# The newest rows of each customer inside each window of one source and one `where`. The indexes are the key of events
# and orders_counted_of_customer. OFFSET 0: the array is made once and then looked at.
_WINDOWS = """
SELECT number, customer_id, pairs FROM (
    SELECT wanted.number, customer.id AS customer_id,
        ARRAY (
            SELECT ARRAY[floor(extract(epoch FROM r.created_at) * 1000)::bigint, {amount}]
            FROM {rows} AND r.project_id = $1 AND r.customer_id = customer.id
                AND r.created_at >= wanted.since AND r.created_at < wanted.until{where}
            ORDER BY r.created_at DESC LIMIT wanted.most
        ) AS pairs
    FROM unnest($2::text[]) AS customer (id),
        unnest({numbers}::int[], {names}::text[], {since}::timestamptz[], {until}::timestamptz[], {most}::int[])
            AS wanted (number, name, since, until, most)
    OFFSET 0
) AS found WHERE cardinality(pairs) > 0
"""


async def load_windows(
    conn: Connection,
    project_id: int,
    now: datetime,
    zone: ZoneInfo,
    customer_ids: Sequence[str],
    windows: Sequence[Window],
    *,
    ahead: bool = False,
) -> list[tuple[int, str, list[tuple[int, int]]]]:
    """Return for each window (by number) and customer what is in it: (milliseconds, amount), newest first.

    A pair of window and customer with nothing in it is left out. The amount is an order's total in minor units, 0 for
    an event. `ahead`: also what lies after `now`, and then all of it, whatever the windows' limits.
    """
    groups: dict[tuple[str, Where | None], list[int]] = {}
    for number, window in enumerate(windows):
        groups.setdefault((window.source, window.where), []).append(number)
    if not groups or not customer_ids:
        return []
    parameters: list[Any] = [project_id, list(customer_ids)]
    texts = [
        _group(source, where, [(number, windows[number]) for number in numbers], (now, zone, ahead), parameters)
        for (source, where), numbers in groups.items()
    ]
    rows = await conn.fetch(" UNION ALL ".join(texts), *parameters)
    return [(row["number"], row["customer_id"], [(at, amount) for at, amount in row["pairs"]]) for row in rows]


def _group(
    source: str,
    where: Where | None,
    windows: Sequence[tuple[int, Window]],
    moment: tuple[datetime, ZoneInfo, bool],
    parameters: list[Any],
) -> str:
    """Write the statement for the windows of one source and one `where`, adding to `parameters`."""
    now, zone, ahead = moment
    bounds = [window.bounds(now, zone, ahead=ahead) for _, window in windows]

    columns = {
        "numbers": [number for number, _ in windows],
        "names": [window.name for _, window in windows],
        "since": [since for since, _ in bounds],
        "until": [until for _, until in bounds],
        "most": [None if ahead else window.limit for _, window in windows],
    }
    placeholders = {name: f"${number}" for number, name in enumerate(columns, start=len(parameters) + 1)}
    parameters += columns.values()
    condition = ""
    if where is not None:
        compiled = compile_where(where, zone, first_parameter=len(parameters) + 1)
        parameters += compiled.parameters
        condition = f" AND {compiled.text}"
    rows = COLLECTIONS[source]
    return _WINDOWS.format(
        rows=rows.rows.format(name="wanted.name"), amount=rows.amount, where=condition, **placeholders
    )
