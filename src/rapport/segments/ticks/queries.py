"""All SQL of the passing of time."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from rapport.core.db import Connection
from rapport.segments.fields import Field
from rapport.segments.json_values import instant_of_sql, is_day_sql, jsonpath
from rapport.segments.ticks.crossings import Place, Scan
from rapport.segments.tree import EVENTS, ORDERS

_SELECT = """
SELECT {{number}} AS number, {at} AS at, {owner} AS customer_id FROM {rows} AND project_id = $1
    AND {owner} IS NOT NULL AND {at} >= {{least}} AND {at} < {{most}} {{rest}} ORDER BY {at}, {owner}
"""
_MANY = """
SELECT found.number, found.at::text, found.customer_id
FROM unnest({{numbers}}::int[], {{names}}::text[], {{leasts}}::{kind}[], {{mosts}}::{kind}[])
    AS wanted (number, name, least, most)
CROSS JOIN LATERAL ({select} LIMIT $2) AS found
"""
_ON = """
SELECT number, at::text, customer_id FROM ({select} LIMIT $7) AS found WHERE $2::text IS NOT NULL
"""
_AFTER = "AND ({at}, {owner}) > ($5::text::{kind}, $6)"


class _Texts(NamedTuple):
    """The statements for one place: many scans at once, and one that goes on."""

    many: str
    on: str


def _texts(rows: str, at: str, owner: str, kind: str) -> _Texts:
    """Write the statements; `rows` is a table and a condition, with `{value}` for the name of a scan."""
    select = _SELECT.format(rows=rows, at=at, owner=owner)
    many = select.format(number="wanted.number", least="wanted.least", most="wanted.most", rest="", value="wanted.name")
    rest = _AFTER.format(at=at, owner=owner, kind=kind)
    on = select.format(number="0", least="$3::" + kind, most="$4::" + kind, rest=rest, value="$2")
    return _Texts(_MANY.format(kind=kind, select=many), _ON.format(select=on))


_INSTANT = "timestamptz"
_MONTH = "EXTRACT(MONTH FROM birthdate)"
# The indexes are customers_by_…, events_by_created_at, orders_counted_by_created_at, and the key of segment_moments.
_TEXTS: dict[tuple[Place, str], _Texts] = {
    **{
        ("column", column): _texts(f"customers WHERE {column} IS NOT NULL", column, "id", _INSTANT)
        for column in ("created_at", "updated_at", "last_order_at")
    },
    ("days", ""): _texts("customers WHERE birthdate IS NOT NULL", "birthdate", "id", "date"),
    ("months", ""): _texts("customers WHERE birthdate IS NOT NULL", _MONTH, "id", "numeric"),
    ("moments", ""): _texts("segment_moments WHERE field = {value} AND NOT is_day", "at", "customer_id", _INSTANT),
    ("days of moments", ""): _texts("segment_moments WHERE field = {value} AND is_day", "at", "customer_id", _INSTANT),
    ("events", ""): _texts("events WHERE name = {value}", "created_at", "customer_id", _INSTANT),
    ("orders", ""): _texts("orders WHERE status IN ('PAID', 'FULFILLED')", "created_at", "customer_id", _INSTANT),
}


class Tick(NamedTuple):
    """A moment of the clock in a project, with the version of its segments and the transactions that ran at it.

    Who writes with a number below `before` may have looked at an earlier clock; below `running` everything is over.
    """

    project_id: int
    now: datetime
    zone_name: str
    version: int
    ticked_to: datetime
    before: int
    running: int


class Found(NamedTuple):
    """A customer found by a scan (its number), and the date they were found at."""

    number: int
    at: Any
    customer_id: str


async def read_ticks(conn: Connection, offset: timedelta) -> list[Tick]:
    """Return the moment for each project in which time has to be dealt with.

    The clock is from before the statement's view of what is committed: a segment that is not in that view is filled in
    as of a later moment, and who has no transaction number yet will look at a later one.
    """
    rows = await conn.fetch(
        "SELECT project_id, date_trunc('milliseconds', statement_timestamp() + $1::interval), time_zone, "
        "segments_version, ticked_to, pg_snapshot_xmax(pg_current_snapshot())::text::bigint, "
        "pg_snapshot_xmin(pg_current_snapshot())::text::bigint "
        "FROM segment_ticks JOIN projects USING (project_id) ORDER BY project_id",
        offset,
    )
    return [Tick(*row) for row in rows]


def _place(one: Scan) -> tuple[Place, str]:
    return one.place, one.name if one.place == "column" else ""


async def scan(conn: Connection, project_id: int, scans: Sequence[Scan], most: int) -> list[Found]:
    """Return the first customers that each scan finds, up to `most` a scan, in the order of date and customer."""
    parameters: list[Any] = [project_id, most]
    texts = []
    for place in dict.fromkeys(map(_place, scans)):
        numbers = [number for number, one in enumerate(scans) if _place(one) == place]
        places = (f"${len(parameters) + more}" for more in range(1, 5))
        texts.append(
            _TEXTS[place].many.format(**dict(zip(("numbers", "names", "leasts", "mosts"), places, strict=True)))
        )
        parameters += [
            numbers,
            [scans[number].name for number in numbers],
            [scans[number].least for number in numbers],
            [scans[number].most for number in numbers],
        ]
    rows = await conn.fetch(" UNION ALL ".join(texts), *parameters) if texts else []
    return [Found(*row) for row in rows]


async def scan_on(conn: Connection, project_id: int, one: Scan, after: tuple[str, str], most: int) -> list[Found]:
    """Go on with a scan after the date (as it was returned) and customer where it stopped."""
    text = _TEXTS[_place(one)].on
    rows = await conn.fetch(text, project_id, one.name, one.least, one.most, *after, most)
    return [Found(*row) for row in rows]


async def set_ticked(conn: Connection, project_id: int, ticked_to: datetime) -> None:
    """Note up to which moment time has been dealt with."""
    await conn.execute(
        "UPDATE segment_ticks SET ticked_to = $2 WHERE project_id = $1 AND ticked_to < $2", project_id, ticked_to
    )


async def projects_ahead(conn: Connection, now: datetime) -> list[int]:
    """Return the projects in which time has been dealt with further than the clock says now."""
    rows = await conn.fetch("SELECT project_id FROM segment_ticks WHERE ticked_to > $1 ORDER BY project_id", now)
    return [row["project_id"] for row in rows]


async def turn_back(conn: Connection, project_id: int, now: datetime) -> None:
    """Have time dealt with from `now` on, which is earlier than what was dealt with."""
    await conn.execute("UPDATE segment_ticks SET ticked_to = $2 WHERE project_id = $1", project_id, now)


def _moments_sql(field: Field, parameters: list[Any]) -> str:
    """Return SELECT (is_day, at, customer_id) of the dates in a field of customers `c`."""

    def bind(value: object, kind: str) -> str:
        parameters.append(value)
        return f"${len(parameters)}::" + kind

    if field.json is None:
        source = field.sql(bind)
        return f"SELECT false, ({source}), c.id FROM customers AS c WHERE ({source}) IS NOT NULL"
    rows = f"jsonb_path_query({field.json.column}, {bind(jsonpath(field.json.keys), 'jsonpath')}) AS q(v)"
    text = "(q.v #>> '{}')"
    at = f"CASE WHEN {is_day_sql(text)} THEN ({text} || 'T00:00:00Z')::timestamptz ELSE {instant_of_sql(text)} END"
    return (
        f"SELECT {is_day_sql(text)}, {at}, c.id FROM customers AS c, {rows} "
        f"WHERE jsonb_typeof(q.v) = 'string' AND ({at}) IS NOT NULL"
    )


async def fill_moments(conn: Connection, project_id: int, first: str, last: str, field: Field, now: datetime) -> None:
    """Write the dates that the customers after `first` up to `last`, by id, have in a field."""
    parameters: list[Any] = [project_id, first, last, field.path, now]
    chosen = _moments_sql(field, parameters)
    await conn.execute(
        "INSERT INTO segment_moments (project_id, field, is_day, at, customer_id, ahead) "
        "SELECT $1, $4, date.is_day, date_trunc('milliseconds', date.at), date.customer_id, "
        f"date.at > $5::timestamptz - interval '2 days' FROM ({chosen} "
        "AND c.project_id = $1 AND c.id > $2 AND c.id <= $3) AS date (is_day, at, customer_id) ON CONFLICT DO NOTHING",
        *parameters,
    )


# The times still to come in columns, events and orders: they are found by segment_moments when they come. A birthdate
# counts from up to a day before its midnight in UTC on.
_AHEAD = """
INSERT INTO segment_moments (project_id, field, is_day, at, customer_id, ahead)
SELECT $1, $2, {is_day}, {at}, {owner}, true FROM {rows} AND $4::text IS NOT NULL ON CONFLICT DO NOTHING
"""
_AHEAD_OF: dict[str, str] = {
    **{
        column: _AHEAD.format(
            is_day="false",
            at=column,
            owner="id",
            rows=f"customers WHERE project_id = $1 AND {column} > $3::timestamptz",
        )
        for column in ("created_at", "updated_at", "last_order_at")
    },
    "birthdate": _AHEAD.format(
        is_day="true",
        at="birthdate::timestamp AT TIME ZONE 'UTC'",
        owner="id",
        rows="customers WHERE project_id = $1 AND birthdate > ($3::timestamptz - interval '2 days')::date",
    ),
    EVENTS: _AHEAD.format(
        is_day="false",
        at="created_at",
        owner="customer_id",
        rows="events WHERE project_id = $1 AND created_at > $3 AND name = $4 AND EXISTS ("
        "SELECT FROM customers WHERE customers.project_id = $1 AND customers.id = customer_id)",
    ),
    ORDERS: _AHEAD.format(
        is_day="false",
        at="created_at",
        owner="customer_id",
        rows="orders WHERE project_id = $1 AND created_at > $3 AND status IN ('PAID', 'FULFILLED') "
        "AND EXISTS (SELECT FROM customers WHERE customers.project_id = $1 AND customers.id = customer_id)",
    ),
}


async def fill_moments_ahead(
    conn: Connection, project_id: int, field: str, place: str, name: str, now: datetime
) -> None:
    """Write the times after now in a column of customers, the orders, or the events of a name."""
    await conn.execute(_AHEAD_OF[place], project_id, field, now, name)
