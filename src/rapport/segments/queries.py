"""All SQL of segments."""

from collections.abc import Collection
from datetime import timedelta

from rapport.core.db import Connection, columns
from rapport.http.lists import Equals, ListSpec
from rapport.segments.models import Segment

SEGMENTS = ListSpec(
    data_ref="data",
    table="segments",
    row=Segment,
    orders={"created_at": "created_at"},
    default_order="-created_at",
    filters={"name": Equals("name"), "type": Equals("type")},
)
_COLUMNS = columns(Segment)
# What users see of the table.
VISIBLE = "state <> 'deleted' AND replaces IS NULL"


async def insert(conn: Connection, project_id: int, segment: Segment, conditions: int, offset: timedelta) -> Segment:
    """Insert a segment as of now and make every writer reload its definitions."""
    version = await bump_version(conn, project_id)
    row = await conn.fetchrow(
        "INSERT INTO segments (project_id, id, name, type, filter, conditions, names, version, replaces, state, "
        "created_at, updated_at) SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, "
        "date_trunc('milliseconds', clock_timestamp() + $11::interval), NULL "
        f"RETURNING {_COLUMNS}",
        project_id,
        segment.id,
        segment.name,
        segment.type,
        segment.filter,
        conditions,
        segment.names,
        version,
        segment.replaces,
        segment.state,
        offset,
    )
    return Segment(*row)


async def begin_time(conn: Connection, project_id: int, offset: timedelta) -> None:
    """Have the passing of time dealt with from now on, where it is not yet."""
    await conn.execute(
        "INSERT INTO segment_ticks (project_id, ticked_to) "
        "SELECT $1, date_trunc('milliseconds', clock_timestamp() + $2::interval) ON CONFLICT DO NOTHING",
        project_id,
        offset,
    )


async def bump_version(conn: Connection, project_id: int) -> int:
    """Make every writer reload what has changed of the definitions; return the version to write into those rows."""
    return int(
        await conn.fetchval(
            "UPDATE projects SET segments_version = segments_version + 1 WHERE project_id = $1 "
            "RETURNING segments_version",
            project_id,
        )
    )


async def count(conn: Connection, project_id: int) -> tuple[int, int]:
    """Return how many segments a project has, and how many conditions they have in all."""
    row = await conn.fetchrow(
        "SELECT count(*) FILTER (WHERE replaces IS NULL), coalesce(sum(conditions), 0)::bigint FROM segments "
        "WHERE project_id = $1 AND state <> 'deleted'",
        project_id,
    )
    return row[0], row[1]


async def find(conn: Connection, project_id: int, segment_id: str) -> Segment | None:
    """Return a segment, or None."""
    row = await conn.fetchrow(
        f"SELECT {_COLUMNS} FROM segments WHERE project_id = $1 AND id = $2 AND {VISIBLE}",
        project_id,
        segment_id,
    )
    return None if row is None else Segment(*row)


async def lock_definitions(conn: Connection, project_id: int) -> None:
    """Let one change of the project's segments, or of what uses them, happen at a time."""
    await conn.execute("SELECT FROM projects WHERE project_id = $1 FOR NO KEY UPDATE", project_id)


async def existing(conn: Connection, project_id: int, segment_ids: Collection[str]) -> dict[str, Segment]:
    """Return those of the segments that there are, by id."""
    rows = await conn.fetch(
        f"SELECT {_COLUMNS} FROM segments WHERE project_id = $1 AND id = ANY ($2) AND {VISIBLE}",
        project_id,
        list(segment_ids),
    )
    return {row["id"]: Segment(*row) for row in rows}


async def graph(conn: Connection, project_id: int) -> dict[str, list[str]]:
    """Return which segments each segment names, in its filter and in one that is being built for it."""
    rows = await conn.fetch(
        "SELECT coalesce(replaces, id) AS id, names FROM segments "
        "WHERE project_id = $1 AND names <> '{}' AND state <> 'deleted'",
        project_id,
    )
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault(row["id"], []).extend(row["names"])
    return found


async def naming(conn: Connection, project_id: int, segment_id: str) -> list[str]:
    """Return the segments whose filters, old or new, name this one."""
    rows = await conn.fetch(
        "SELECT DISTINCT coalesce(replaces, id) AS id FROM segments "
        "WHERE project_id = $1 AND names @> ARRAY[$2] AND state <> 'deleted' ORDER BY 1",
        project_id,
        segment_id,
    )
    return [row["id"] for row in rows]


async def replacing(conn: Connection, project_id: int, segment_ids: Collection[str]) -> dict[str, Segment]:
    """Return, by segment, the hidden rows that build members by a new filter; the index is segments_replacing."""
    rows = await conn.fetch(
        f"SELECT {_COLUMNS} FROM segments "
        "WHERE project_id = $1 AND replaces = ANY ($2) AND replaces IS NOT NULL AND state <> 'deleted'",
        project_id,
        list(segment_ids),
    )
    return {row["replaces"]: Segment(*row) for row in rows}


async def set_type(
    conn: Connection, project_id: int, segment_id: str, kind: str, state: str, offset: timedelta
) -> None:
    """Give a segment another type and state, as of now; a state that the worker has to see to begins anew."""
    version = await bump_version(conn, project_id)
    await conn.execute(
        "UPDATE segments SET type = $3, state = $4, version = $5, "
        "built_to = CASE WHEN state = $4 AND state <> 'switching' THEN built_to END, "
        "settled_after = CASE WHEN state = $4 AND state <> 'switching' THEN settled_after END, "
        "updated_at = date_trunc('milliseconds', clock_timestamp() + $6::interval) WHERE project_id = $1 AND id = $2",
        project_id,
        segment_id,
        kind,
        state,
        version,
        offset,
    )


async def touch(conn: Connection, project_id: int, segment_id: str, offset: timedelta) -> None:
    """Note that a segment was changed now."""
    await conn.execute(
        "UPDATE segments SET updated_at = date_trunc('milliseconds', clock_timestamp() + $3::interval) "
        "WHERE project_id = $1 AND id = $2",
        project_id,
        segment_id,
        offset,
    )


async def drop_replacing(conn: Connection, project_id: int, segment_id: str) -> None:
    """Give up what is built beside a segment."""
    for beside in (await replacing(conn, project_id, [segment_id])).values():
        await mark_deleted(conn, project_id, beside.id)


async def rename(conn: Connection, project_id: int, segment_id: str, name: str, offset: timedelta) -> None:
    """Give a segment another name, as of now."""
    version = await bump_version(conn, project_id)
    await conn.execute(
        "UPDATE segments SET name = $3, version = $4, "
        "updated_at = date_trunc('milliseconds', clock_timestamp() + $5::interval) WHERE project_id = $1 AND id = $2",
        project_id,
        segment_id,
        name,
        version,
        offset,
    )


async def mark_deleted(conn: Connection, project_id: int, segment_id: str) -> None:
    """Take a segment, and what builds a new filter of it, away from users and writers; the worker removes the rows."""
    version = await bump_version(conn, project_id)
    await conn.execute(
        "UPDATE segments SET state = 'deleted', settled_after = NULL, version = $3 "
        "WHERE project_id = $1 AND (id = $2 OR replaces = $2)",
        project_id,
        segment_id,
        version,
    )


async def existing_customers(conn: Connection, project_id: int, ids: list[str]) -> list[str]:
    """Lock, in order, the customers that exist among `ids`, so that none is deleted meanwhile; return their ids."""
    rows = await conn.fetch(
        "SELECT id FROM customers WHERE project_id = $1 AND id = ANY ($2) ORDER BY id FOR KEY SHARE", project_id, ids
    )
    return [row["id"] for row in rows]
