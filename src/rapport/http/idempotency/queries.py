"""All SQL of idempotency keys and of the answers kept with them."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from rapport.core.db import Connection, columns

# A row is in force for so long by the database's clock: before and after, so that a clock which is moved back by more
# does not keep answers for ages.
RETENTION = timedelta(hours=24)
_NOW = "date_trunc('milliseconds', clock_timestamp() + {}::interval)"

# Waits for a request with the same key that is just at work; no row comes back if that one has committed.
_CLAIM = f"""
INSERT INTO idempotency_keys AS kept (project_id, app_id, key, fingerprint, created_at)
SELECT $1, $2, $3, $4, {_NOW.format("$5")}
ON CONFLICT (project_id, app_id, key) DO UPDATE SET fingerprint = excluded.fingerprint,
    created_at = excluded.created_at, status = NULL, content_type = NULL, answer = NULL, erased = false
WHERE kept.created_at NOT BETWEEN excluded.created_at - $6::interval AND excluded.created_at + $6::interval
RETURNING true
"""
# position() finds bytes; the values come as they stand in JSON. A sequential look at the answers of 24 hours.
_MENTIONS = """
project_id = $1 AND answer IS NOT NULL AND EXISTS (
    SELECT FROM unnest($2::bytea[]) AS value WHERE position(value IN idempotency_keys.answer) > 0)
"""


class Name(msgspec.Struct, frozen=True):
    """What a key is called: the project, the API key of the request, and the key that the request carried."""

    project_id: int
    app_id: str
    key: str


class Kept(msgspec.Struct, frozen=True):
    """An answer as it is kept; `status` is None only inside the transaction that has not answered yet."""

    fingerprint: bytes
    status: int | None
    content_type: str | None
    answer: bytes | None
    erased: bool


_COLUMNS = columns(Kept)


async def claim(conn: Connection, name: Name, fingerprint: bytes, offset: timedelta) -> bool:
    """Take a key for this transaction; return False if another request has committed with it and is in force."""
    taken = await conn.fetchval(_CLAIM, name.project_id, name.app_id, name.key, fingerprint, offset, RETENTION)
    return taken is not None


async def find(conn: Connection, name: Name) -> Kept | None:
    """Return what is kept under a key, or None."""
    row = await conn.fetchrow(
        f"SELECT {_COLUMNS} FROM idempotency_keys WHERE project_id = $1 AND app_id = $2 AND key = $3",
        name.project_id,
        name.app_id,
        name.key,
    )
    return None if row is None else Kept(*row)


async def store(conn: Connection, name: Name, status: int, content_type: str | None, answer: bytes) -> None:
    """Write the answer to a key that this transaction has claimed."""
    await conn.execute(
        "UPDATE idempotency_keys SET status = $4, content_type = $5, answer = $6 "
        "WHERE project_id = $1 AND app_id = $2 AND key = $3",
        name.project_id,
        name.app_id,
        name.key,
        status,
        content_type,
        answer,
    )


async def store_erased(conn: Connection, name: Name) -> None:
    """Write to a key that this transaction has claimed that the request was done, and that its answer is not kept."""
    await conn.execute(
        "UPDATE idempotency_keys SET erased = true WHERE project_id = $1 AND app_id = $2 AND key = $3",
        name.project_id,
        name.app_id,
        name.key,
    )


async def projects_with_expired(conn: Connection, offset: timedelta) -> list[int]:
    """Return the projects that have keys which are out of force. Index: idempotency_keys_by_created_at."""
    rows = await conn.fetch(
        f"SELECT project_id FROM projects, (SELECT {_NOW.format('$1')} AS now) AS moment WHERE EXISTS ("
        "SELECT FROM idempotency_keys AS kept WHERE kept.project_id = projects.project_id "
        "AND (kept.created_at < now - $2::interval OR kept.created_at > now + $2::interval)) ORDER BY project_id",
        offset,
        RETENTION,
    )
    return [row["project_id"] for row in rows]


async def remove_expired(conn: Connection, project_id: int, offset: timedelta, limit: int) -> int:
    """Remove up to `limit` keys that are out of force; return how many. Index: idempotency_keys_by_created_at.

    A key that a request is just taking over is left to it.
    """
    removed: int = await conn.fetchval(
        f"WITH moment AS MATERIALIZED (SELECT {_NOW.format('$2')} AS now), "
        "gone AS MATERIALIZED (SELECT app_id, key FROM idempotency_keys, moment WHERE project_id = $1 "
        "AND (created_at < now - $3::interval OR created_at > now + $3::interval) "
        "LIMIT $4 FOR UPDATE OF idempotency_keys SKIP LOCKED), "
        "removed AS (DELETE FROM idempotency_keys USING gone WHERE idempotency_keys.project_id = $1 "
        "AND idempotency_keys.app_id = gone.app_id AND idempotency_keys.key = gone.key RETURNING 1) "
        "SELECT count(*) FROM removed",
        project_id,
        offset,
        RETENTION,
        limit,
    )
    return removed


async def mentions(conn: Connection, project_id: int, values: Sequence[bytes]) -> AsyncIterator[dict[str, Any]]:
    """Yield the kept answers that hold one of the values, oldest first."""
    after: tuple[datetime, str, str] | None = None
    while True:
        rows = await conn.fetch(
            f"SELECT app_id, key, status, answer, created_at FROM idempotency_keys WHERE {_MENTIONS} "
            "AND ($3::timestamptz IS NULL OR (created_at, app_id, key) > ($3, $4, $5)) "
            "ORDER BY created_at, app_id, key LIMIT 100",
            project_id,
            list(values),
            *(after or (None, "", "")),
        )
        if not rows:
            return
        for row in rows:
            yield dict(row)
        after = rows[-1]["created_at"], rows[-1]["app_id"], rows[-1]["key"]


async def erase(conn: Connection, project_id: int, values: Sequence[bytes], texts: Sequence[str]) -> int:
    """Erase the kept answers that hold one of the values; return how many.

    The keys stay, so that a late repeat does not do again what was done, unless the key itself holds one of the texts.
    """
    removed = await conn.fetch(
        "DELETE FROM idempotency_keys WHERE project_id = $1 "
        "AND EXISTS (SELECT FROM unnest($2::text[]) AS value WHERE strpos(key, value) > 0) RETURNING 1 AS one",
        project_id,
        list(texts),
    )
    erased = await conn.fetch(
        f"UPDATE idempotency_keys SET answer = NULL, erased = true WHERE {_MENTIONS} RETURNING 1 AS one",
        project_id,
        list(values),
    )
    return len(removed) + len(erased)
