"""All SQL of the ledger of gift cards; what changes a balance and what writes the ledger is one statement."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from rapport.core.db import Connection, columns
from rapport.core.ids import new_id
from rapport.http.conditions import Conditions, Reader, text_field
from rapport.http.lists import ListSpec, Page, Part
from rapport.http.queries import fetch_part
from rapport.vouchers.ledger.models import MAX_BALANCE, Movement, Transaction

TRANSACTIONS: Final = ListSpec(
    data_ref="data",
    table="voucher_transactions",
    row=Transaction,
    orders={"id": "number"},
    default_order="-id",
    tie="id",
    by_id=True,
)
FILTERS: Final[Mapping[str, Reader]] = {name: text_field(name) for name in ("id", "voucher_id")}
_COLUMNS = columns(Transaction)

# A card that nobody touched has what its campaign says. No row: it is no gift card, or would be overdrawn or too full.
# A waiting statement reads the row anew after the one before it, so that no two of them spend the same money.
_CAMPAIGN = (
    "(SELECT (gift ->> 'amount')::bigint FROM campaigns "
    "WHERE campaigns.project_id = $1 AND campaigns.id = vouchers.campaign_id)"
)
_MOVE = f"""
WITH changed AS (
    UPDATE vouchers SET balance = coalesce(balance, {_CAMPAIGN}) + $4,
        gift_amount = coalesce(gift_amount, {_CAMPAIGN})
            + CASE WHEN $5 = 'CREDITS_ADDITION' OR $12::boolean THEN $4 ELSE 0 END,
        gift_subtracted = gift_subtracted - CASE WHEN $5 = 'CREDITS_REMOVAL' AND NOT $12 THEN $4 ELSE 0 END,
        updated_at = $11
    WHERE project_id = $1 AND id = $2 AND type = 'GIFT_VOUCHER' AND (NOT binned OR $5 = 'CREDITS_REFUND')
        AND coalesce(balance, {_CAMPAIGN}) + $4 BETWEEN 0 AND {MAX_BALANCE}
        AND ($5 <> 'CREDITS_ADDITION' OR coalesce(gift_amount, {_CAMPAIGN}) + $4 <= {MAX_BALANCE})
    RETURNING campaign_id, balance, gift_amount - gift_subtracted AS total
)
INSERT INTO voucher_transactions (project_id, id, voucher_id, campaign_id, type, source_id, source, reason,
    related_transaction_id, amount, balance, total, details, created_at)
SELECT $1, $3, $2, changed.campaign_id, $5, $6, $7, $8, $9, $4, changed.balance, changed.total, $10, $11 FROM changed
RETURNING {_COLUMNS}
"""

# Cards that a person holds, and those published to them that are deleted by now. A shorter value than $4 may be a part
# of anything: it counts only where it is the whole text. The indexes are vouchers_of_holder, publications_of_customer,
# voucher_transactions_of_voucher and voucher_transactions_with_words.
_OF_CUSTOMER = """
SELECT id FROM voucher_transactions WHERE project_id = $1 AND voucher_id IN (
    SELECT vouchers.id FROM vouchers WHERE vouchers.project_id = $1 AND vouchers.holder_id = $2
    UNION SELECT unnest(voucher_ids) FROM publications WHERE publications.project_id = $1 AND customer_id = $2)
UNION SELECT id FROM voucher_transactions
WHERE project_id = $1 AND (source_id IS NOT NULL OR reason IS NOT NULL) AND EXISTS (
    SELECT FROM unnest($3::text[]) AS one (value) WHERE lower(one.value) IN (lower(source_id), lower(reason))
        OR length(one.value) >= $4 AND strpos(lower(concat_ws(' ', source_id, reason)), lower(one.value)) > 0)
"""
_TELLING_LENGTH = 6


async def stream_of_customer(
    conn: Connection, project_id: int, customer_id: str, named: Sequence[str]
) -> AsyncIterator[Transaction]:
    """Yield the lines of a customer's cards and those with `named` in their words, oldest first, in a transaction."""
    query = (
        f"SELECT {_COLUMNS} FROM voucher_transactions WHERE project_id = $1 AND id IN ({_OF_CUSTOMER}) ORDER BY number"
    )
    async for row in conn.cursor(query, project_id, customer_id, named, _TELLING_LENGTH, prefetch=500):
        yield Transaction(*row)


async def erase_words(conn: Connection, project_id: int, customer_id: str, named: Sequence[str]) -> list[str]:
    """Take the words out of the lines that `stream_of_customer` yields; return the ids of these. The amounts stay."""
    rows = await conn.fetch(
        "UPDATE voucher_transactions SET source_id = NULL, reason = NULL WHERE project_id = $1 "
        f"AND (source_id IS NOT NULL OR reason IS NOT NULL) AND id IN ({_OF_CUSTOMER}) RETURNING id",
        project_id,
        customer_id,
        named,
        _TELLING_LENGTH,
    )
    return [row["id"] for row in rows]


async def lock_told(conn: Connection, project_id: int, ids: Sequence[str]) -> list[tuple[str, dict[str, Any]]]:
    """Lock what the activity of the cards' holders tells of these lines: id, payload. Index: activity_of_customer."""
    rows = await conn.fetch(
        "SELECT activity.id, activity.payload FROM voucher_transactions AS line "
        "JOIN vouchers ON vouchers.project_id = $1 AND vouchers.id = line.voucher_id "
        "JOIN activity ON activity.project_id = $1 AND activity.customer_id = vouchers.holder_id "
        "AND activity.created_at >= line.created_at AND activity.type = 'customer.voucher.gift.balance_added' "
        "AND activity.payload #>> '{transaction,id}' = line.id "
        "WHERE line.project_id = $1 AND line.id = ANY ($2) FOR UPDATE OF activity",
        project_id,
        ids,
    )
    return [(row["id"], row["payload"]) for row in rows]


async def move(
    conn: Connection, project_id: int, voucher_id: str, movement: Movement, at: datetime
) -> Transaction | None:
    """Change the balance of a gift card, and write it down.

    None: there is no such card, it has not so much, or more would be on it than a card can hold.
    """
    row = await conn.fetchrow(
        _MOVE,
        project_id,
        voucher_id,
        new_id("vtx"),
        movement.amount,
        movement.type,
        movement.source_id,
        movement.source,
        movement.reason,
        movement.related_transaction_id,
        movement.details,
        at,
        movement.is_correction,
    )
    return None if row is None else Transaction(*row)


async def list_of_voucher(conn: Connection, project_id: int, voucher_id: str, page: Page) -> Part[Transaction]:
    """Return one part of what happened to a card. Index: voucher_transactions_of_voucher."""
    return await fetch_part(conn, TRANSACTIONS, project_id, page, where={"voucher_id": voucher_id})


async def list_of_campaign(
    conn: Connection, project_id: int, campaign_id: str, page: Page, filters: Conditions | None
) -> Part[Transaction]:
    """Return one part of what happened to the cards of a campaign. Index: voucher_transactions_of_campaign."""
    conditions = () if filters is None else ((filters.text, filters.values),)
    where = {"campaign_id": campaign_id}
    return await fetch_part(conn, TRANSACTIONS, project_id, page, where=where, conditions=conditions)
