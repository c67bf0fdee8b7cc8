"""All SQL of failed attempts."""

from collections.abc import Sequence
from datetime import timedelta

from rapport.core.db import Connection
from rapport.http.attempts.budgets import WINDOW, Subject

_NOW = "date_trunc('milliseconds', clock_timestamp() + {}::interval)"
# A moment further ahead than this was written by a clock that has been moved back since: it counts for nothing.
_NONSENSE = 2 * WINDOW

# `excluded` holds now + cost, and cost. Whoever comes at the same time waits for the row and goes on from what it holds
# then; a budget that the cost would overdraw is left as it is, and no row comes back for it.
_SPEND = f"""
INSERT INTO failed_attempts AS kept (project_id, subject, full_at, cost)
SELECT $1, asked.subject, now + asked.cost, asked.cost
FROM unnest($2::bytea[], $3::interval[]) AS asked (subject, cost), (SELECT {_NOW.format("$4")} AS now) AS moment
ORDER BY asked.subject
ON CONFLICT (project_id, subject) DO UPDATE SET cost = excluded.cost,
    full_at = CASE WHEN kept.full_at > excluded.full_at - excluded.cost + $6::interval THEN excluded.full_at
        ELSE greatest(kept.full_at + excluded.cost, excluded.full_at) END
WHERE kept.full_at <= excluded.full_at - 2 * excluded.cost + $5::interval
    OR kept.full_at > excluded.full_at - excluded.cost + $6::interval
RETURNING kept.subject
"""


async def spend(
    conn: Connection, project_id: int, subjects: Sequence[Subject], attempts: int, offset: timedelta
) -> bool:
    """Take failed attempts off the budgets; return False if one of them is used up: then the caller undoes all."""
    done = await conn.fetch(
        _SPEND,
        project_id,
        [one.digest for one in subjects],
        [one.cost(attempts) for one in subjects],
        offset,
        WINDOW,
        _NONSENSE,
    )
    return len(done) == len(subjects)


async def left(conn: Connection, project_id: int, subjects: Sequence[Subject], offset: timedelta) -> dict[bytes, float]:
    """Return in how many seconds budgets will be full again; those that are full are left out. Index: primary key."""
    rows = await conn.fetch(
        "SELECT subject, extract(epoch FROM full_at - now)::float8 AS left_s "
        f"FROM failed_attempts, (SELECT {_NOW.format('$3')} AS now) AS moment "
        "WHERE project_id = $1 AND subject = ANY ($2) AND full_at > now AND full_at <= now + $4::interval",
        project_id,
        [one.digest for one in subjects],
        offset,
        _NONSENSE,
    )
    return {row["subject"]: row["left_s"] for row in rows}


async def projects_with_full(conn: Connection, offset: timedelta) -> list[int]:
    """Return the projects that have budgets which are full again. Index: failed_attempts_by_full_at."""
    rows = await conn.fetch(
        f"SELECT project_id FROM projects, (SELECT {_NOW.format('$1')} AS now) AS moment WHERE EXISTS ("
        "SELECT FROM failed_attempts AS kept WHERE kept.project_id = projects.project_id "
        "AND (kept.full_at <= now OR kept.full_at > now + $2::interval)) ORDER BY project_id",
        offset,
        _NONSENSE,
    )
    return [row["project_id"] for row in rows]


async def remove_full(conn: Connection, project_id: int, offset: timedelta, limit: int) -> int:
    """Remove up to `limit` budgets that are full again; return how many. Index: failed_attempts_by_full_at."""
    removed: int = await conn.fetchval(
        f"WITH moment AS MATERIALIZED (SELECT {_NOW.format('$2')} AS now), "
        "gone AS MATERIALIZED (SELECT subject FROM failed_attempts, moment WHERE project_id = $1 "
        "AND (full_at <= now OR full_at > now + $3::interval) "
        "LIMIT $4 FOR UPDATE OF failed_attempts SKIP LOCKED), "
        "removed AS (DELETE FROM failed_attempts USING gone WHERE failed_attempts.project_id = $1 "
        "AND failed_attempts.subject = gone.subject RETURNING 1) SELECT count(*) FROM removed",
        project_id,
        offset,
        _NONSENSE,
        limit,
    )
    return removed
