"""All SQL of privacy: receipts, and what they count."""

from datetime import datetime
from typing import Any

from rapport.core.db import Connection


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
