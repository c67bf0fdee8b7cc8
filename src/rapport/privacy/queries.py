"""All SQL of privacy: receipts, and persons in what is kept of asynchronous actions."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from rapport.async_actions.models import Action
from rapport.core.db import Connection, columns

_ACTION = columns(Action)
# An action says whom it is about in its own words; there is no index, and few actions.
_NAMING = (
    "project_id = $1 AND EXISTS (SELECT FROM unnest($2::text[]) AS named (value) "
    "WHERE strpos(parameters::text || coalesce(result::text, ''), named.value) > 0)"
)


async def insert_receipt(
    conn: Connection, project_id: int, receipt_id: str, customer_hash: bytes, counts: dict[str, Any], at: datetime
) -> None:
    """Keep that somebody was deleted for good: not who, but for those who know the id and the project's secret."""
    await conn.execute(
        "INSERT INTO permanent_deletions (project_id, id, customer_hash, counts, created_at) "
        "VALUES ($1, $2, $3, $4, $5)",
        project_id,
        receipt_id,
        customer_hash,
        counts,
        at,
    )


async def count_orders(conn: Connection, project_id: int, customer_id: str) -> int:
    """Return how many orders a customer placed; the index is orders_of_customer."""
    return int(
        await conn.fetchval(
            "SELECT count(*) FROM orders WHERE project_id = $1 AND customer_id = $2", project_id, customer_id
        )
    )


async def stream_actions(conn: Connection, project_id: int, named: list[str]) -> AsyncIterator[Action]:
    """Yield the actions whose parameters or result hold one of these texts (as JSON writes them), oldest first."""
    query = f"SELECT {_ACTION} FROM async_actions WHERE {_NAMING} ORDER BY created_at, id"
    async for row in conn.cursor(query, project_id, named, prefetch=20):
        yield Action(*row)


async def lock_finished_actions(conn: Connection, project_id: int, named: list[str]) -> list[tuple[str, Any]]:
    """Lock the actions that are over and hold one of these texts; return id and result."""
    rows = await conn.fetch(
        f"SELECT id, result FROM async_actions WHERE {_NAMING} AND status IN ('DONE', 'FAILED') ORDER BY id FOR UPDATE",
        project_id,
        named,
    )
    return [(row["id"], row["result"]) for row in rows]


async def empty_action(conn: Connection, project_id: int, action_id: str, result: Any) -> None:
    """Forget what a locked action was to do and how far it came; keep this result."""
    await conn.execute(
        "UPDATE async_actions SET parameters = '{}', cursor = '{}', result = $3 WHERE project_id = $1 AND id = $2",
        project_id,
        action_id,
        result,
    )
