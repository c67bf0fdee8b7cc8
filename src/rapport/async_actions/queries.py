"""All SQL of asynchronous actions."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from rapport.activity.log import Signature
from rapport.async_actions.models import Action
from rapport.core.db import Connection, columns
from rapport.core.ids import new_id
from rapport.http.lists import Before, Found, ListSpec, Page
from rapport.http.queries import fetch_page

ACTIONS = ListSpec(
    data_ref="async_actions",
    table="async_actions",
    row=Action,
    orders={"created_at": "created_at"},
    default_order="-created_at",
    filters={"end_date": Before("created_at")},
)
_COLUMNS = columns(Action)
_NOW = "date_trunc('milliseconds', clock_timestamp() + {}::interval)"


async def enqueue(
    conn: Connection,
    signature: Signature,
    kind: str,
    parameters: dict[str, Any],
    *,
    offset: timedelta,
    total: int | None = None,
    action_id: str | None = None,
) -> str:
    """Ask for something to be done, in the caller's transaction; return the id of the action."""
    made = action_id or new_id("aa")
    await conn.execute(
        "INSERT INTO async_actions (project_id, id, type, status, parameters, cursor, total, request_id, source, "
        "created_at, updated_at, next_step_at) "
        "SELECT $1, $2, $3, 'ENQUEUED', $4, '{}', $5, $6, $7, moment.at, moment.at, clock_timestamp() "
        f"FROM (SELECT {_NOW.format('$8')} AS at) AS moment",
        signature.project_id,
        made,
        kind,
        parameters,
        total,
        signature.request_id,
        msgspec.to_builtins(signature.source),
        offset,
    )
    return made


async def record(
    conn: Connection,
    signature: Signature,
    kind: str,
    parameters: dict[str, Any],
    done: str,
    count: int,
    offset: timedelta,
) -> str:
    """Note something that the caller's transaction has done already as an action that is over; return its id.

    `done` says what was done to `count` things.
    """
    made = await enqueue(conn, signature, kind, parameters, offset=offset, total=count)
    action = await find(conn, signature.project_id, made)
    assert action is not None
    result = {"message": done, "done_count": count}
    over = msgspec.structs.replace(action, status="DONE", done_count=count, result=result)
    await save(conn, signature.project_id, over, offset=offset)
    return made


async def find(conn: Connection, project_id: int, action_id: str, *, lock: bool = False) -> Action | None:
    """Return the action with this id, locked if asked for, or None."""
    suffix = " FOR NO KEY UPDATE" if lock else ""
    row = await conn.fetchrow(
        f"SELECT {_COLUMNS} FROM async_actions WHERE project_id = $1 AND id = $2{suffix}", project_id, action_id
    )
    return None if row is None else Action(*row)


async def list_page(conn: Connection, project_id: int, page: Page) -> Found[Action]:
    """Return one page of actions."""
    return await fetch_page(conn, ACTIONS, project_id, page)


async def projects_with_work(conn: Connection, kinds: Sequence[str]) -> list[int]:
    """Return the projects that have an action of these types whose turn has come."""
    rows = await conn.fetch(
        "SELECT DISTINCT project_id FROM async_actions "
        "WHERE status IN ('ENQUEUED', 'IN_PROGRESS') AND type = ANY ($1) AND next_step_at <= clock_timestamp()",
        kinds,
    )
    return [row["project_id"] for row in rows]


async def lock_next(conn: Connection, project_id: int, kinds: Sequence[str], *, in_order: bool) -> Action | None:
    """Lock and return the action whose turn it is and that no other worker has, or None (async_actions_waiting).

    `in_order`: one is begun only when those of these types that were asked for before it are over.
    """
    row = await conn.fetchrow(
        f"SELECT {_COLUMNS} FROM async_actions AS one WHERE project_id = $1 AND type = ANY ($2) "
        "AND status IN ('ENQUEUED', 'IN_PROGRESS') AND next_step_at <= clock_timestamp() "
        "AND NOT ($3 AND EXISTS (SELECT FROM async_actions AS earlier WHERE earlier.project_id = $1 "
        "AND earlier.type = ANY ($2) AND earlier.status IN ('ENQUEUED', 'IN_PROGRESS') "
        "AND (earlier.created_at, earlier.id) < (one.created_at, one.id))) "
        "ORDER BY next_step_at, id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED",
        project_id,
        kinds,
        in_order,
    )
    return None if row is None else Action(*row)


async def save(
    conn: Connection, project_id: int, action: Action, *, offset: timedelta, pause_s: float = 0.0, worked_ms: int = 0
) -> None:
    """Write how far a locked action came; its next turn comes after those that wait, `pause_s` seconds from now.

    The parameters of one that is over are removed: they may hold data of people, and nobody needs them any more.
    """
    await conn.execute(
        "UPDATE async_actions SET status = $3, cursor = $4, total = $5, done_count = $6, failed_count = $7, "
        "parameters = CASE WHEN $3 IN ('DONE', 'FAILED') THEN '{}' ELSE parameters END, "
        f"result = $8, failures = $9, updated_at = {_NOW.format('$10')}, "
        "next_step_at = clock_timestamp() + make_interval(secs => $11), worked_ms = worked_ms + $12 "
        "WHERE project_id = $1 AND id = $2",
        project_id,
        action.id,
        action.status,
        action.cursor,
        action.total,
        action.done_count,
        action.failed_count,
        action.result,
        action.failures,
        offset,
        pause_s,
        worked_ms,
    )


async def projects_with_old(conn: Connection, before: datetime) -> list[int]:
    """Return the projects that have actions which were over before then; the index is async_actions_over."""
    rows = await conn.fetch(
        "SELECT DISTINCT project_id FROM async_actions WHERE status IN ('DONE', 'FAILED') AND updated_at < $1", before
    )
    return [row["project_id"] for row in rows]


async def remove_old(conn: Connection, project_id: int, before: datetime, most: int) -> int:
    """Remove up to `most` actions that were over before then; return how many (async_actions_over)."""
    done = await conn.execute(
        "DELETE FROM async_actions WHERE project_id = $1 AND id IN (SELECT id FROM async_actions "
        "WHERE project_id = $1 AND status IN ('DONE', 'FAILED') AND updated_at < $2 ORDER BY updated_at LIMIT $3)",
        project_id,
        before,
        most,
    )
    return int(done.removeprefix("DELETE "))
