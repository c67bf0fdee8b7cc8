"""All SQL of distributions, and of how far the activity log has been read for them."""

from datetime import timedelta

from rapport.core.db import Connection, columns
from rapport.distributions.models import Distribution, Listening
from rapport.http.lists import Equals, Found, ListSpec, Page
from rapport.http.queries import fetch_page

READER = "distributions"

DISTRIBUTIONS = ListSpec(
    data_ref="data",
    table="distributions",
    row=Distribution,
    orders={"created_at": "created_at"},
    default_order="-created_at",
    filters={"name": Equals("name"), "segment_id": Equals("segment_id"), "campaign_id": Equals("campaign_id")},
)
_DISTRIBUTION = columns(Distribution)
_SETTABLE = tuple(
    name for name in Distribution.__struct_fields__ if name not in {"id", "created_at", "updated_at", "active"}
)
_NOW = "date_trunc('milliseconds', clock_timestamp() + {}::interval)"

# A reader whose project has nothing that listens is passed over, however much there is to read. The order makes the
# database look at the end of activity_in_order; without it, it would rather read the table until it finds one.
_PROJECTS_WITH_ENTRIES = """
SELECT reader.project_id FROM activity_readers AS reader
CROSS JOIN LATERAL (
    SELECT active_from FROM distributions
    WHERE distributions.project_id = reader.project_id AND active AND deleted_at IS NULL
    ORDER BY active_from LIMIT 1
) AS listening
CROSS JOIN LATERAL (
    SELECT 1 FROM activity
    WHERE activity.project_id = reader.project_id
        AND (activity.xid, activity.seq) > (greatest(reader.xid, listening.active_from), reader.seq)
    ORDER BY activity.xid, activity.seq LIMIT 1
) AS entry
WHERE reader.name = $1
ORDER BY reader.project_id
"""


async def insert(conn: Connection, project_id: int, new: Distribution, offset: timedelta) -> Distribution:
    """Insert a distribution as of now."""
    names = ("id", "active", *_SETTABLE)
    places = ", ".join(f"${index}" for index in range(3, len(names) + 3))
    row = await conn.fetchrow(
        f"INSERT INTO distributions (project_id, created_at, active_from, {', '.join(names)}) "
        f"SELECT $1, {_NOW.format('$2')}, pg_current_xact_id(), {places} RETURNING {_DISTRIBUTION}",
        project_id,
        offset,
        *[getattr(new, name) for name in names],
    )
    await conn.execute(
        "INSERT INTO activity_readers (project_id, name, xid, seq) SELECT $1, $2, '0'::xid8, 0 ON CONFLICT DO NOTHING",
        project_id,
        READER,
    )
    return Distribution(*row)


async def find(conn: Connection, project_id: int, distribution_id: str, *, lock: bool = False) -> Distribution | None:
    """Return a distribution that is not deleted, locked if asked for, or None."""
    row = await conn.fetchrow(
        f"SELECT {_DISTRIBUTION} FROM distributions WHERE project_id = $1 AND id = $2 AND deleted_at IS NULL"
        + (" FOR NO KEY UPDATE" if lock else ""),
        project_id,
        distribution_id,
    )
    return None if row is None else Distribution(*row)


async def existed(conn: Connection, project_id: int, distribution_id: str) -> bool:
    """Whether there is, or was, such a distribution: its messages can be read in either case."""
    found = await conn.fetchval(
        "SELECT true FROM distributions WHERE project_id = $1 AND id = $2", project_id, distribution_id
    )
    return found is not None


async def count(conn: Connection, project_id: int) -> int:
    """Return how many distributions a project has."""
    return int(
        await conn.fetchval(
            "SELECT count(*) FROM distributions WHERE project_id = $1 AND deleted_at IS NULL", project_id
        )
    )


async def update(
    conn: Connection, project_id: int, changed: Distribution, *, woken: bool, offset: timedelta
) -> Distribution:
    """Write a locked distribution; `woken`: it was made active just now, and what went before does not fire it."""
    sets = ", ".join(f"{name} = ${index}" for index, name in enumerate(("active", *_SETTABLE), start=5))
    row = await conn.fetchrow(
        f"UPDATE distributions SET updated_at = {_NOW.format('$3')}, "
        f"active_from = CASE WHEN $4 THEN pg_current_xact_id() ELSE active_from END, {sets} "
        f"WHERE project_id = $1 AND id = $2 RETURNING {_DISTRIBUTION}",
        project_id,
        changed.id,
        offset,
        woken,
        changed.active,
        *[getattr(changed, name) for name in _SETTABLE],
    )
    return Distribution(*row)


async def mark_deleted(conn: Connection, project_id: int, distribution_id: str, offset: timedelta) -> None:
    """Take a distribution away from users and from the trigger."""
    await conn.execute(
        f"UPDATE distributions SET active = false, deleted_at = {_NOW.format('$3')} WHERE project_id = $1 AND id = $2",
        project_id,
        distribution_id,
        offset,
    )


async def list_page(conn: Connection, project_id: int, page: Page) -> Found[Distribution]:
    """Return one page of distributions."""
    return await fetch_page(conn, DISTRIBUTIONS, project_id, page, conditions=(("deleted_at IS NULL", ()),))


async def of_segment(conn: Connection, project_id: int, segment_id: str) -> list[str]:
    """Return the ids of the distributions that a segment triggers; the index is distributions_of_segment."""
    rows = await conn.fetch(
        "SELECT id FROM distributions "
        "WHERE project_id = $1 AND segment_id = $2 AND deleted_at IS NULL ORDER BY created_at, id",
        project_id,
        segment_id,
    )
    return [row["id"] for row in rows]


async def of_consent(conn: Connection, project_id: int, consent_id: str) -> list[str]:
    """Return the ids of the distributions that need a consent; the index is distributions_of_consent."""
    rows = await conn.fetch(
        "SELECT id FROM distributions "
        "WHERE project_id = $1 AND consent_id = $2 AND deleted_at IS NULL ORDER BY created_at, id",
        project_id,
        consent_id,
    )
    return [row["id"] for row in rows]


async def projects_with_entries(conn: Connection) -> list[int]:
    """Return the projects in which something listens and something may have happened; one index probe each."""
    return [row["project_id"] for row in await conn.fetch(_PROJECTS_WITH_ENTRIES, READER)]


async def lock_position(conn: Connection, project_id: int) -> tuple[int, int] | None:
    """Lock how far the log has been read; None while somebody else reads on."""
    row = await conn.fetchrow(
        "SELECT xid::text AS position, seq FROM activity_readers WHERE project_id = $1 AND name = $2 "
        "FOR NO KEY UPDATE SKIP LOCKED",
        project_id,
        READER,
    )
    return None if row is None else (int(row["position"]), row["seq"])


async def move_position(conn: Connection, project_id: int, position: tuple[int, int]) -> None:
    """Note how far the log has been read."""
    await conn.execute(
        "UPDATE activity_readers SET xid = $3::text::xid8, seq = $4 WHERE project_id = $1 AND name = $2",
        project_id,
        READER,
        str(position[0]),
        position[1],
    )


async def listening(conn: Connection, project_id: int) -> list[Listening]:
    """Return the active distributions; the index is distributions_listening."""
    rows = await conn.fetch(
        "SELECT id, trigger_type, segment_id, event, channel, active_from::text AS since "
        "FROM distributions WHERE project_id = $1 AND active AND deleted_at IS NULL",
        project_id,
    )
    return [
        Listening(
            id=row["id"],
            trigger_type=row["trigger_type"],
            segment_id=row["segment_id"],
            event=row["event"],
            channel=row["channel"],
            active_from=int(row["since"]),
        )
        for row in rows
    ]
