"""All SQL of membership inside the write path: what is stored of it, and the definitions it goes by."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from rapport.core.db import Connection, columns
from rapport.segments.models import Segment, Stored, StoredMoment
from rapport.segments.times import from_ms

_COLUMNS = columns(Segment)

# One round trip after the locks: the time, the zone, which definitions are current, how far time has been dealt with.
_OPEN = """
SELECT date_trunc('milliseconds', clock_timestamp() + $2::interval) AS now, time_zone, segments_version,
    ticked_to, ARRAY (
        SELECT DISTINCT customer_id FROM segment_moments AS date
        WHERE date.project_id = $1 AND customer_id = ANY ($3::text[]) AND ahead
            AND at > ticked_to - interval '2 days'
    ) AS ahead, metadata_version
FROM projects LEFT JOIN segment_ticks USING (project_id) WHERE project_id = $1
"""

# A back-fill locks no customer: it may have looked at a later clock than the writer who ends what it began.
_LEAVE = """
WITH gone AS (
    DELETE FROM segment_members AS member USING unnest($3::text[], $4::text[]) AS pair (segment_id, customer_id)
    WHERE project_id = $1 AND member.segment_id = pair.segment_id AND member.customer_id = pair.customer_id
    RETURNING member.segment_id, member.customer_id, member.entered_at
)
INSERT INTO segment_past (project_id, segment_id, customer_id, entered_at, left_at)
SELECT $1, segment_id, customer_id, entered_at, greatest(entered_at, $2::timestamptz)
FROM gone WHERE entered_at IS NOT NULL
"""

# The rows are read before they are changed: both parts see the state from before the statement.
_RULE_OUT = """
WITH pair AS (
    SELECT * FROM unnest($3::text[], $4::text[]) AS pair (segment_id, customer_id)
), past AS (
    INSERT INTO segment_past (project_id, segment_id, customer_id, entered_at, left_at)
    SELECT $1, segment_id, customer_id, entered_at, greatest(entered_at, $2::timestamptz)
    FROM segment_members JOIN pair USING (segment_id, customer_id)
    WHERE project_id = $1 AND entered_at IS NOT NULL
)
UPDATE segment_members AS member SET entered_at = NULL, logged = false FROM pair
WHERE project_id = $1 AND member.segment_id = pair.segment_id AND member.customer_id = pair.customer_id
"""

_LEAVE_ALL = """
WITH gone AS (
    DELETE FROM segment_members WHERE project_id = $1 AND customer_id = ANY ($2) AND segment_id <> ALL ($4::text[])
    RETURNING segment_id, customer_id, entered_at
)
INSERT INTO segment_past (project_id, segment_id, customer_id, entered_at, left_at)
SELECT $1, segment_id, customer_id, entered_at, greatest(entered_at, $3::timestamptz)
FROM gone WHERE entered_at IS NOT NULL
"""


_KEEP_MOMENTS = """
WITH gone AS (
    DELETE FROM segment_moments AS old
    USING unnest($7::text[], $8::boolean[], $9::timestamptz[], $10::text[]) AS date (field, is_day, at, customer_id)
    WHERE project_id = $1 AND old.field = date.field AND old.is_day = date.is_day AND old.at = date.at
        AND old.customer_id = date.customer_id
)
INSERT INTO segment_moments AS known (project_id, field, is_day, at, customer_id, ahead)
SELECT $1, *, at > $6::timestamptz - CASE WHEN is_day THEN interval '2 days' ELSE interval '0' END
FROM unnest($2::text[], $3::boolean[], $4::timestamptz[], $5::text[])
    AS date (field, is_day, at, customer_id)
ON CONFLICT (project_id, field, is_day, at, customer_id) DO UPDATE SET ahead = true WHERE excluded.ahead
"""


class Opened(NamedTuple):
    """The time, the project's zone, the version of its segments, and up to where time has been dealt with.

    `metadata_version` is that of its metadata schemas;
    `ahead`: the customers with a date that was still to come when it was written, and may have come since that.
    """

    now: datetime
    zone_name: str
    version: int
    ticked_to: datetime | None
    ahead: list[str]
    metadata_version: int


async def open_moment(conn: Connection, project_id: int, offset: timedelta, customer_ids: list[str]) -> Opened:
    """Return what decisions about these customers begin with."""
    row = await conn.fetchrow(_OPEN, project_id, offset, customer_ids)
    if row is None:
        raise LookupError(project_id)
    return Opened(*row)


async def read_version(conn: Connection, project_id: int) -> tuple[int, int]:
    """Return the version of the project's segments, and at which one a row was last removed for good."""
    row = await conn.fetchrow(
        "SELECT segments_version, segments_removed FROM projects WHERE project_id = $1", project_id
    )
    return row[0], row[1]


async def changed_since(conn: Connection, project_id: int, version: int) -> list[Segment]:
    """Return the segments with a filter that have changed after this version, deleted and hidden ones too."""
    rows = await conn.fetch(
        f"SELECT {_COLUMNS} FROM segments WHERE project_id = $1 AND version > $2 AND filter IS NOT NULL "
        "ORDER BY created_at, id",
        project_id,
        version,
    )
    return [Segment(*row) for row in rows]


async def claim(conn: Connection, project_id: int, pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Make rows that say "out" where (segment, customer) have none, so that the back-fill keeps off; return which.

    Waits for a back-fill that is just making one of them.
    """
    rows = await conn.fetch(
        "INSERT INTO segment_members (project_id, segment_id, customer_id, entered_at, logged) "
        "SELECT $1, pair.segment_id, pair.customer_id, NULL, false "
        "FROM unnest($2::text[], $3::text[]) AS pair (segment_id, customer_id) "
        "ON CONFLICT DO NOTHING RETURNING segment_id, customer_id",
        project_id,
        [segment_id for segment_id, _ in pairs],
        [customer_id for _, customer_id in pairs],
    )
    return [(row["segment_id"], row["customer_id"]) for row in rows]


async def stored_rows(
    conn: Connection, project_id: int, customer_ids: Sequence[str], segment_ids: Sequence[str]
) -> dict[str, dict[str, Stored]]:
    """Return, by customer, what is stored of their being in these segments."""
    rows = await conn.fetch(
        "SELECT customer_id, segment_id, entered_at, logged FROM segment_members "
        "WHERE project_id = $1 AND customer_id = ANY ($2) AND segment_id = ANY ($3)",
        project_id,
        customer_ids,
        segment_ids,
    )
    found: dict[str, dict[str, Stored]] = {}
    for row in rows:
        found.setdefault(row["customer_id"], {})[row["segment_id"]] = Stored(row["entered_at"], row["logged"])
    return found


async def enter(conn: Connection, project_id: int, at: datetime, rows: list[tuple[str, str, bool]]) -> None:
    """Write memberships: (segment, customer, whether the log has it)."""
    await conn.execute(
        "INSERT INTO segment_members AS member (project_id, segment_id, customer_id, entered_at, logged) "
        "SELECT $1, pair.segment_id, pair.customer_id, $2, pair.logged "
        "FROM unnest($3::text[], $4::text[], $5::boolean[]) AS pair (segment_id, customer_id, logged) "
        "ON CONFLICT (project_id, segment_id, customer_id) DO UPDATE "
        "SET entered_at = excluded.entered_at, logged = excluded.logged WHERE member.entered_at IS NULL",
        project_id,
        at,
        [segment_id for segment_id, _, _ in rows],
        [customer_id for _, customer_id, _ in rows],
        [logged for _, _, logged in rows],
    )


async def leave(conn: Connection, project_id: int, at: datetime, pairs: list[tuple[str, str]]) -> None:
    """End memberships (segment, customer)."""
    await conn.execute(_LEAVE, project_id, at, [one for one, _ in pairs], [who for _, who in pairs])


async def rule_out(conn: Connection, project_id: int, at: datetime, pairs: list[tuple[str, str]]) -> None:
    """End memberships of segments that are being filled, and keep the rows as decisions "out"."""
    await conn.execute(_RULE_OUT, project_id, at, [one for one, _ in pairs], [who for _, who in pairs])


async def set_logged(conn: Connection, project_id: int, pairs: list[tuple[str, str]]) -> None:
    """Note that the log has these memberships (segment, customer)."""
    await conn.execute(
        "UPDATE segment_members AS member SET logged = true FROM unnest($2::text[], $3::text[]) AS pair (segment_id, "
        "customer_id) WHERE project_id = $1 AND member.segment_id = pair.segment_id "
        "AND member.customer_id = pair.customer_id",
        project_id,
        [segment_id for segment_id, _ in pairs],
        [customer_id for _, customer_id in pairs],
    )


async def leave_all(
    conn: Connection, project_id: int, at: datetime, customer_ids: Sequence[str], building: list[str]
) -> None:
    """Remove deleted customers from every segment, and rule them out of those that are being filled."""
    await conn.execute(_LEAVE_ALL, project_id, customer_ids, at, building)
    pairs = [(segment_id, customer_id) for segment_id in building for customer_id in customer_ids]
    if pairs:
        await claim(conn, project_id, pairs)
        await rule_out(conn, project_id, at, pairs)
    await conn.execute(
        "DELETE FROM segment_moments WHERE project_id = $1 AND customer_id = ANY ($2)", project_id, customer_ids
    )


async def keep_moments(
    conn: Connection,
    project_id: int,
    now: datetime,
    added: list[tuple[str, StoredMoment, str]],
    removed: list[tuple[str, StoredMoment, str]],
) -> None:
    """Write and remove dates: (field, date, customer). None is in both."""

    def columns_of(some: list[tuple[str, StoredMoment, str]]) -> list[list[Any]]:
        return [
            [path for path, _, _ in some],
            [date.is_day for _, date, _ in some],
            [from_ms(date.at) for _, date, _ in some],
            [customer_id for _, _, customer_id in some],
        ]

    await conn.execute(_KEEP_MOMENTS, project_id, *columns_of(added), now, *columns_of(removed))
