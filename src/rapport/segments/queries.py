"""All SQL of segments."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from rapport.core.db import Connection, columns
from rapport.http.lists import Equals, Found, ListSpec, Page
from rapport.http.queries import fetch_page
from rapport.segments.filters import Window
from rapport.segments.models import Membership, Segment, Unsettled
from rapport.segments.sql import Condition

SEGMENTS = ListSpec(
    data_ref="data",
    table="segments",
    row=Segment,
    orders={"created_at": "created_at"},
    default_order="-created_at",
    filters={"name": Equals("name"), "type": Equals("type")},
)
_COLUMNS = columns(Segment)

# The time is a parameter: compared with a function of the clock, every customer would be read.
_DUE = """
SELECT id FROM customers WHERE project_id = $1 AND next_check_at <= $2
ORDER BY next_check_at LIMIT $3 FOR NO KEY UPDATE SKIP LOCKED
"""

# One round trip after the locks: the time, the zone, which definitions are current, and what the customers are in.
_OPEN = """
SELECT date_trunc('milliseconds', clock_timestamp() + $2::interval) AS now, time_zone, segments_version,
    ARRAY (
        SELECT ARRAY[customer_id, segment_id] FROM segment_members
        WHERE project_id = $1 AND customer_id = ANY ($3::text[])
    ) AS members
FROM projects WHERE project_id = $1
"""

# The newest events of each customer inside each window; the index is the key of events.
_WINDOWS = """
SELECT wanted.number::int AS number, customer.id AS customer_id,
    ARRAY (
        SELECT event.created_at FROM events AS event
        WHERE event.project_id = $1 AND event.customer_id = customer.id AND event.name = wanted.name
            AND event.created_at >= wanted.since AND event.created_at < wanted.until
        ORDER BY event.created_at DESC LIMIT wanted.most
    ) AS times
FROM unnest($2::text[]) AS customer (id),
    unnest($3::text[], $4::timestamptz[], $5::timestamptz[], $6::int[])
        WITH ORDINALITY AS wanted (name, since, until, most, number)
"""


async def open_moment(
    conn: Connection, project_id: int, offset: timedelta, customer_ids: list[str]
) -> tuple[datetime, str, int, list[tuple[str, str]]]:
    """Return the time, the project's zone, the version of its segments, and (customer, segment) memberships."""
    row = await conn.fetchrow(_OPEN, project_id, offset, customer_ids)
    if row is None:
        raise LookupError(project_id)
    return row["now"], row["time_zone"], row["segments_version"], [tuple(pair) for pair in row["members"]]


async def event_times(
    conn: Connection,
    project_id: int,
    now: datetime,
    zone: ZoneInfo,
    customer_ids: list[str],
    windows: tuple[Window, ...],
) -> list[tuple[int, str, list[datetime]]]:
    """Return for each window (by number) and customer the times of the newest events in it, newest first."""
    bounds = [window.bounds(now, zone) for window in windows]
    rows = await conn.fetch(
        _WINDOWS,
        project_id,
        customer_ids,
        [window.name for window in windows],
        [since for since, _ in bounds],
        [until for _, until in bounds],
        [window.limit for window in windows],
    )
    return [(row["number"] - 1, row["customer_id"], row["times"]) for row in rows]


async def read_version(conn: Connection, project_id: int) -> int:
    """Return the version of the project's segments."""
    return int(await conn.fetchval("SELECT segments_version FROM projects WHERE project_id = $1", project_id))


async def all_with_filter(conn: Connection, project_id: int) -> list[Segment]:
    """Return every segment that has a filter and is not deleted."""
    rows = await conn.fetch(
        f"SELECT {_COLUMNS} FROM segments WHERE project_id = $1 AND state <> 'deleted' AND filter IS NOT NULL",
        project_id,
    )
    return [Segment(*row) for row in rows]


async def enter(conn: Connection, project_id: int, at: datetime, pairs: list[tuple[str, str]]) -> None:
    """Write memberships (segment, customer)."""
    await conn.execute(
        "INSERT INTO segment_members (project_id, segment_id, customer_id, entered_at) "
        "SELECT $1, pair.segment_id, pair.customer_id, $2 "
        "FROM unnest($3::text[], $4::text[]) AS pair (segment_id, customer_id)",
        project_id,
        at,
        [segment_id for segment_id, _ in pairs],
        [customer_id for _, customer_id in pairs],
    )


async def leave(conn: Connection, project_id: int, pairs: list[tuple[str, str]]) -> None:
    """Remove memberships (segment, customer)."""
    await conn.execute(
        "DELETE FROM segment_members USING unnest($2::text[], $3::text[]) AS pair (segment_id, customer_id) "
        "WHERE project_id = $1 AND segment_members.segment_id = pair.segment_id "
        "AND segment_members.customer_id = pair.customer_id",
        project_id,
        [segment_id for segment_id, _ in pairs],
        [customer_id for _, customer_id in pairs],
    )


async def leave_all(conn: Connection, project_id: int, customer_id: str) -> None:
    """Remove a customer from every segment."""
    await conn.execute(
        "DELETE FROM segment_members WHERE project_id = $1 AND customer_id = $2", project_id, customer_id
    )


async def insert(conn: Connection, project_id: int, segment: Segment, conditions: int, offset: timedelta) -> Segment:
    """Insert a segment as of now and make every writer reload its definitions."""
    row = await conn.fetchrow(
        "INSERT INTO segments (project_id, id, name, type, filter, conditions, state, created_at, updated_at) "
        f"SELECT $1, $2, $3, $4, $5, $6, $7, date_trunc('milliseconds', clock_timestamp() + $8::interval), NULL "
        f"RETURNING {_COLUMNS}",
        project_id,
        segment.id,
        segment.name,
        segment.type,
        segment.filter,
        conditions,
        segment.state,
        offset,
    )
    await bump_version(conn, project_id)
    return Segment(*row)


async def bump_version(conn: Connection, project_id: int) -> None:
    """Make every writer reload the project's definitions."""
    await conn.execute("UPDATE projects SET segments_version = segments_version + 1 WHERE project_id = $1", project_id)


async def count(conn: Connection, project_id: int) -> tuple[int, int]:
    """Return how many segments a project has, and how many conditions they have in all."""
    row = await conn.fetchrow(
        "SELECT count(*), coalesce(sum(conditions), 0)::bigint FROM segments "
        "WHERE project_id = $1 AND state <> 'deleted'",
        project_id,
    )
    return row[0], row[1]


async def find(conn: Connection, project_id: int, segment_id: str) -> Segment | None:
    """Return a segment, or None."""
    row = await conn.fetchrow(
        f"SELECT {_COLUMNS} FROM segments WHERE project_id = $1 AND id = $2 AND state <> 'deleted'",
        project_id,
        segment_id,
    )
    return None if row is None else Segment(*row)


async def lock_definitions(conn: Connection, project_id: int) -> list[Segment]:
    """Let one change of the project's segments happen at a time; return those there are."""
    await conn.execute("SELECT FROM projects WHERE project_id = $1 FOR NO KEY UPDATE", project_id)
    rows = await conn.fetch(
        f"SELECT {_COLUMNS} FROM segments WHERE project_id = $1 AND state <> 'deleted'",
        project_id,
    )
    return [Segment(*row) for row in rows]


async def mark_deleted(conn: Connection, project_id: int, segment_id: str) -> None:
    """Take a segment away from users and writers; the worker removes its rows."""
    await conn.execute(
        "UPDATE segments SET state = 'deleted', settled_after = NULL WHERE project_id = $1 AND id = $2",
        project_id,
        segment_id,
    )
    await bump_version(conn, project_id)


async def existing_customers(conn: Connection, project_id: int, ids: list[str]) -> list[str]:
    """Lock, in order, the customers that exist among `ids`, so that none is deleted meanwhile; return their ids."""
    rows = await conn.fetch(
        "SELECT id FROM customers WHERE project_id = $1 AND id = ANY ($2) ORDER BY id FOR KEY SHARE", project_id, ids
    )
    return [row["id"] for row in rows]


async def of_customer(conn: Connection, project_id: int, customer_id: str) -> list[Membership]:
    """Return the segments that a customer is in, oldest membership first."""
    rows = await conn.fetch(
        "SELECT segment_id, name, type, entered_at FROM segment_members "
        "JOIN segments ON segments.project_id = segment_members.project_id AND segments.id = segment_id "
        "WHERE segment_members.project_id = $1 AND customer_id = $2 AND state <> 'deleted' "
        "ORDER BY entered_at, segment_id",
        project_id,
        customer_id,
    )
    return [Membership(*row) for row in rows]


async def list_page(conn: Connection, project_id: int, page: Page) -> Found[Segment]:
    """Return one page of segments."""
    return await fetch_page(conn, SEGMENTS, project_id, page, conditions=(("state <> 'deleted'", ()),))


async def members(
    conn: Connection, project_id: int, condition: Condition, *, after: str = "", limit: int | None = None
) -> list[str]:
    """Return the ids of the customers that a compiled filter is true for (`first_parameter` 4), in order of id."""
    rows = await conn.fetch(
        f"SELECT c.id FROM customers AS c WHERE c.project_id = $1 AND c.id > $2 AND ({condition.text}) "
        "ORDER BY c.id LIMIT $3",
        project_id,
        after,
        limit,
        *condition.parameters,
    )
    return [row["id"] for row in rows]


async def stored_members(conn: Connection, project_id: int, segment_id: str) -> list[str]:
    """Return the ids of a segment's members, in order."""
    rows = await conn.fetch(
        "SELECT customer_id FROM segment_members WHERE project_id = $1 AND segment_id = $2 ORDER BY customer_id",
        project_id,
        segment_id,
    )
    return [row["customer_id"] for row in rows]


async def project_with_unsettled(conn: Connection) -> list[int]:
    """Return the projects in which a segment waits for its back-fill or its removal."""
    rows = await conn.fetch("SELECT DISTINCT project_id FROM segments WHERE state <> 'live' ORDER BY project_id")
    return [row["project_id"] for row in rows]


async def claim_unsettled(conn: Connection, project_id: int) -> list[Unsettled]:
    """Lock the segments that are to be filled or removed and that nobody else works on, the oldest first."""
    rows = await conn.fetch(
        "SELECT id, state, settled_after::text::bigint AS settled_after, built_to FROM segments "
        "WHERE project_id = $1 AND state <> 'live' ORDER BY created_at, id FOR NO KEY UPDATE SKIP LOCKED",
        project_id,
    )
    return [Unsettled(*row) for row in rows]


async def set_settled_after(conn: Connection, project_id: int, segment_ids: list[str]) -> None:
    """Note up to which transaction writers may not know of the segments' change: all that run now."""
    await conn.execute(
        "UPDATE segments SET settled_after = pg_snapshot_xmax(pg_current_snapshot()) "
        "WHERE project_id = $1 AND id = ANY ($2)",
        project_id,
        segment_ids,
    )


async def customers_after(conn: Connection, project_id: int, after: str, limit: int) -> list[str]:
    """Return the next customer ids in key order."""
    rows = await conn.fetch(
        "SELECT id FROM customers WHERE project_id = $1 AND id > $2 ORDER BY id LIMIT $3", project_id, after, limit
    )
    return [row["id"] for row in rows]


async def set_built(
    conn: Connection, project_id: int, segment_ids: list[str], built_to: str | None, state: str
) -> None:
    """Note how far the back-fill of (locked) segments has come."""
    await conn.execute(
        "UPDATE segments SET built_to = $3, state = $4 WHERE project_id = $1 AND id = ANY ($2)",
        project_id,
        segment_ids,
        built_to,
        state,
    )


async def remove_members(conn: Connection, project_id: int, segment_id: str, limit: int) -> int:
    """Remove up to `limit` members of a deleted segment; return how many."""
    return int(
        await conn.fetchval(
            "WITH gone AS (DELETE FROM segment_members WHERE project_id = $1 AND segment_id = $2 AND customer_id IN "
            "(SELECT customer_id FROM segment_members WHERE project_id = $1 AND segment_id = $2 LIMIT $3) RETURNING 1) "
            "SELECT count(*) FROM gone",
            project_id,
            segment_id,
            limit,
        )
    )


async def remove(conn: Connection, project_id: int, segment_id: str) -> None:
    """Remove the row of a deleted segment."""
    await conn.execute(
        "DELETE FROM segments WHERE project_id = $1 AND id = $2 AND state = 'deleted'", project_id, segment_id
    )


async def projects_with_due(conn: Connection, now: datetime) -> list[int]:
    """Return the projects in which a customer is due to be looked at: one look into customers_to_check for each."""
    rows = await conn.fetch(
        "SELECT projects.project_id FROM projects, LATERAL ("
        "SELECT next_check_at FROM customers WHERE customers.project_id = projects.project_id "
        "AND next_check_at IS NOT NULL ORDER BY next_check_at LIMIT 1) AS earliest "
        "WHERE earliest.next_check_at <= $1 ORDER BY projects.project_id",
        now,
    )
    return [row["project_id"] for row in rows]


async def due_customers(conn: Connection, project_id: int, now: datetime, limit: int) -> list[str]:
    """Lock and return customers that are due and that nobody else is changing; the index is customers_to_check."""
    return [row["id"] for row in await conn.fetch(_DUE, project_id, now, limit)]


async def see_clock(conn: Connection, now: datetime) -> list[int]:
    """Note, to the minute, how far the clock has come; return the projects that have seen it further on than `now`."""
    await conn.execute(
        "UPDATE projects SET clock_seen = $1 "
        "WHERE clock_seen IS NULL OR clock_seen < $1::timestamptz - interval '1 minute'",
        now,
    )
    rows = await conn.fetch(
        "SELECT project_id FROM projects WHERE clock_seen > $1::timestamptz + interval '1 minute' ORDER BY project_id",
        now,
    )
    return [row["project_id"] for row in rows]


async def fill_again(conn: Connection, project_id: int, now: datetime) -> None:
    """Have every segment that has a filter filled anew, as of `now`."""
    await conn.execute("UPDATE projects SET clock_seen = $2 WHERE project_id = $1", project_id, now)
    await conn.execute(
        "UPDATE segments SET state = 'building', built_to = NULL, settled_after = NULL "
        "WHERE project_id = $1 AND state <> 'deleted' AND filter IS NOT NULL",
        project_id,
    )
