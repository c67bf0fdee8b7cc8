"""All SQL that uses vouchers and gift cards, and gives uses and credits back.

A limit is held by the statement that counts: no row means that it is reached. What validation sessions hold back counts
as used for everybody else; a session's own locks are cleared before, in the same transaction.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from rapport.core.db import Connection, columns
from rapport.core.ids import new_id
from rapport.redemptions.models import Redemption

_COLUMNS = columns(Redemption)
_NAMES = Redemption.__struct_fields__
_INSERT = (
    f"INSERT INTO redemptions (project_id, {_COLUMNS}) "
    f"VALUES ($1, {', '.join(f'${number}' for number in range(2, len(_NAMES) + 2))})"
)
_KEPT = """
INSERT INTO redemptions (project_id, id, object, result, parent_id, voucher_id, voucher_code, campaign_id, campaign,
    customer_id, order_id, amounts, metadata, channel, created_at, effects, credits)
SELECT $1, $4, 'redemption', 'SUCCESS', $5, $6, $3, $7, $8, $9, $10, $11, $12, $13, $2, $14, {credits} FROM taken
"""
# What was changed of a code while this waited for its row counts; nothing of its campaign changes meanwhile.
_FREE = """
active AND (quantity IS NULL OR redeemed_quantity + locked_quantity < quantity)
    AND (start_date IS NULL OR start_date <= $2) AND (expiration_date IS NULL OR expiration_date > $2)
"""
_TAKE = f"""
WITH taken AS (
    UPDATE vouchers SET redeemed_quantity = redeemed_quantity + 1, updated_at = $2
    WHERE project_id = $1 AND code = $3 AND {_FREE}
    RETURNING redeemed_quantity, holder_id
), kept AS ({_KEPT.format(credits="NULL")})
SELECT redeemed_quantity, holder_id, NULL::bigint AS balance FROM taken
"""
# An untouched card is worth $16, what its campaign says. Where somebody took off by hand what a session holds back,
# there is less than nothing left for others, and a use that asks for no credits still is one.
_TAKE_CREDITS = f"""
WITH taken AS (
    UPDATE vouchers SET redeemed_quantity = redeemed_quantity + 1, updated_at = $2,
        gift_amount = coalesce(gift_amount, $16), balance = coalesce(balance, $16) - $15
    WHERE project_id = $1 AND code = $3 AND {_FREE} AND ($15 = 0 OR coalesce(balance, $16) - locked_credits >= $15)
    RETURNING redeemed_quantity, holder_id, balance, gift_amount - gift_subtracted AS total
), kept AS ({_KEPT.format(credits="$15::bigint")}), booked AS (
    INSERT INTO voucher_transactions (project_id, id, voucher_id, campaign_id, type, source, amount, balance, total,
        details, created_at)
    SELECT $1, $17, $6, $7, 'CREDITS_REDEMPTION', 'API', -$15::bigint, balance, total, $18, $2
    FROM taken WHERE $15::bigint > 0
)
SELECT redeemed_quantity, holder_id, balance FROM taken
"""
# Those in the bin among them, by their ids: a code changes on the way into the bin and back.
_GIVE_BACK = """
WITH locked AS MATERIALIZED (
    SELECT id FROM vouchers WHERE project_id = $1 AND id = ANY ($2) ORDER BY code FOR NO KEY UPDATE
), given AS (
    SELECT * FROM unnest($2::text[], $3::bigint[], $4::text[], $5::jsonb[])
        AS given (voucher_id, credits, transaction_id, details)
), back AS (
    UPDATE vouchers SET redeemed_quantity = greatest(0, redeemed_quantity - 1),
        balance = CASE WHEN given.credits > 0 THEN balance + given.credits ELSE balance END
    FROM locked JOIN given ON given.voucher_id = locked.id
    WHERE vouchers.project_id = $1 AND vouchers.id = locked.id
    RETURNING vouchers.id, vouchers.campaign_id, vouchers.balance, gift_amount - gift_subtracted AS total,
        given.credits, given.transaction_id, given.details
)
INSERT INTO voucher_transactions (project_id, id, voucher_id, campaign_id, type, source, related_transaction_id, amount,
    balance, total, details, created_at)
SELECT $1, transaction_id, id, campaign_id, 'CREDITS_REFUND', 'API', (
    SELECT spent.id FROM voucher_transactions AS spent
    WHERE spent.project_id = $1 AND spent.voucher_id = back.id AND spent.type = 'CREDITS_REDEMPTION'
        AND spent.details #>> '{redemption,id}' = back.details #>> '{redemption,id}' LIMIT 1
), credits, balance, total, details, $6
FROM back WHERE credits > 0
"""


class Taken(msgspec.Struct, frozen=True):
    """What a voucher is after a use: how often it is used, whose it is, and what is left on a gift card."""

    redeemed_quantity: int
    holder_id: str | None
    balance: int | None


async def take(conn: Connection, project_id: int, row: Redemption, worth: int | None = None) -> Taken | None:
    """Use a voucher once, its credits too if it is a gift card, and keep the redemption.

    `worth` is what an untouched gift card has on it. None: it cannot be used (any more).
    """
    parameters: list[Any] = [
        project_id,
        row.created_at,
        row.voucher_code,
        row.id,
        row.parent_id,
        row.voucher_id,
        row.campaign_id,
        row.campaign,
        row.customer_id,
        row.order_id,
        row.amounts,
        row.metadata,
        row.channel,
        row.effects,
    ]
    if row.credits is None:
        taken = await conn.fetchrow(_TAKE, *parameters)
    else:
        details = {"order": {"id": row.order_id}, "redemption": {"id": row.id}}
        taken = await conn.fetchrow(_TAKE_CREDITS, *parameters, row.credits, worth, new_id("vtx"), details)
    return None if taken is None else Taken(*taken)


async def insert(conn: Connection, project_id: int, rows: list[Redemption]) -> None:
    """Keep lines in the ledger."""
    if rows:
        await conn.executemany(_INSERT, [[project_id, *[getattr(row, name) for name in _NAMES]] for row in rows])


async def mark_rolled_back(conn: Connection, project_id: int, row: Redemption, rollback_id: str) -> bool:
    """Mark a redemption as undone by a rollback; return False if it is already, or is somebody else's by now."""
    done = await conn.execute(
        "UPDATE redemptions SET rollback_id = $3 WHERE project_id = $1 AND id = $2 AND object = 'redemption' "
        "AND result = 'SUCCESS' AND rollback_id IS NULL AND customer_id IS NOT DISTINCT FROM $4",
        project_id,
        row.id,
        rollback_id,
        row.customer_id,
    )
    return bool(done == "UPDATE 1")


async def give_back(conn: Connection, project_id: int, pairs: Sequence[tuple[Redemption, Redemption]]) -> None:
    """Take back the uses of vouchers, and the credits of gift cards, of redemptions and their (redemption, rollback).

    Of the vouchers that still exist, in the order of their codes.
    """
    used = [(row, rollback) for row, rollback in pairs if row.voucher_id is not None]
    if not used:
        return
    await conn.execute(
        _GIVE_BACK,
        project_id,
        [row.voucher_id for row, _ in used],
        [row.credits or 0 for row, _ in used],
        [new_id("vtx") for _ in used],
        [
            {"order": {"id": row.order_id}, "redemption": {"id": row.id}, "rollback": {"id": rollback.id}}
            for row, rollback in used
        ],
        used[0][1].created_at,
    )
