"""All SQL of privacy: receipts, and what they count."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rapport.core.db import Connection
from rapport.customers.queries import DIGITS_OF

_TAKEN = f"""
SELECT source_id AS value FROM customers
    WHERE project_id = $1 AND id <> ALL ($2::text[]) AND source_id = ANY ($3::text[])
UNION ALL SELECT email FROM customers
    WHERE project_id = $1 AND id <> ALL ($2::text[]) AND email IS NOT NULL AND email = ANY ($4::text[])
UNION ALL SELECT value FROM unnest($5::text[]) AS known (value) WHERE EXISTS (
    SELECT FROM customers WHERE project_id = $1 AND id <> ALL ($2::text[]) AND phone IS NOT NULL
        AND ({DIGITS_OF.format("phone")}) = ({DIGITS_OF.format("known.value")}))
"""


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


async def taken_by_others(
    conn: Connection,
    project_id: int,
    customer_ids: Sequence[str],
    source_ids: Sequence[str],
    emails: Sequence[str],
    phones: Sequence[str],
) -> set[str]:
    """Return those of the values that other customers have (the key, customers_by_email, customers_by_same_phone)."""
    rows = await conn.fetch(_TAKEN, project_id, customer_ids, source_ids, emails, phones)
    return {row["value"] for row in rows}


async def hold_customers(conn: Connection, project_id: int, customer_ids: Sequence[str]) -> set[str]:
    """Return those of the ids that a customer has or had who was merged; nobody of them is deleted meanwhile.

    Waits for a deletion of theirs that is under way: who is deleted by it is not returned.
    """
    kept = await conn.fetch(
        "SELECT id FROM customers WHERE project_id = $1 AND id = ANY ($2) ORDER BY id FOR KEY SHARE",
        project_id,
        customer_ids,
    )
    found = {row["id"] for row in kept}
    if missing := [one for one in customer_ids if one not in found]:
        rows = await conn.fetch(
            "SELECT reference FROM customer_aliases WHERE project_id = $1 AND reference = ANY ($2)", project_id, missing
        )
        found |= {row["reference"] for row in rows}
    return found


async def is_erased(conn: Connection, project_id: int, hashes: Sequence[bytes]) -> bool:
    """Tell whether one of these hashes is that of somebody who was deleted for good."""
    return bool(
        await conn.fetchval(
            "SELECT EXISTS (SELECT FROM permanent_deletions WHERE project_id = $1 AND customer_hash = ANY ($2))",
            project_id,
            hashes,
        )
    )
