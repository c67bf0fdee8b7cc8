"""All SQL of validation sessions.

A lock is a row of `voucher_locks`, and the voucher's row has their sums, which are held to be within its limits by one
conditional statement. What has expired still counts in the sums until it is cleared away, so whoever finds no room and
stale locks clears them first.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from rapport.core.db import Connection

# The locks that are taken away are those that a statement of its own would take: the sums follow the rows.
_CLEAR = """
WITH locked AS MATERIALIZED (
    SELECT id FROM vouchers WHERE project_id = $1 AND code = ANY ($2) ORDER BY code FOR NO KEY UPDATE
), gone AS (
    DELETE FROM voucher_locks USING locked
    WHERE voucher_locks.project_id = $1 AND voucher_locks.voucher_id = locked.id
        AND (voucher_locks.expires_at <= $3 OR voucher_locks.session_key = $4)
    RETURNING voucher_locks.*
), summed AS (
    SELECT voucher_id, sum(quantity) AS quantity, sum(credits) AS credits FROM gone GROUP BY voucher_id
), freed AS (
    UPDATE vouchers SET locked_quantity = locked_quantity - summed.quantity,
        locked_credits = locked_credits - summed.credits
    FROM summed WHERE vouchers.project_id = $1 AND vouchers.id = summed.voucher_id
)
SELECT count(*) FILTER (WHERE session_key = $4 AND expires_at > $3) FROM gone
"""
_HOLD = """
WITH held AS (
    UPDATE vouchers SET locked_quantity = locked_quantity + $4, locked_credits = locked_credits + $5
    WHERE project_id = $1 AND code = $2 AND active
        AND (quantity IS NULL OR redeemed_quantity + locked_quantity + $4 <= quantity)
        AND ($5 = 0 OR coalesce(balance, $6) >= locked_credits + $5)
    RETURNING id
)
INSERT INTO voucher_locks (project_id, voucher_id, session_key, quantity, credits, created_at, expires_at)
SELECT $1, held.id, $3, $4, $5, $7, $8 FROM held
"""


class Wanted(msgspec.Struct, frozen=True):
    """What a session is to hold back of a voucher: uses, and credits in minor units.

    `worth` is what a gift card has on it as long as nobody used it.
    """

    code: str
    quantity: int
    credits: int = 0
    worth: int | None = None


async def lock_vouchers(conn: Connection, project_id: int, codes: Sequence[str]) -> None:
    """Lock the rows of vouchers in the order of their codes, so that the next statement sees what was committed."""
    await conn.execute(
        "SELECT id FROM vouchers WHERE project_id = $1 AND code = ANY ($2) ORDER BY code FOR NO KEY UPDATE",
        project_id,
        list(codes),
    )


async def begin(conn: Connection, project_id: int, key: str, codes: Sequence[str]) -> list[str]:
    """Lock a session, the vouchers with these codes and those that it holds back; return the codes of all of them.

    The session comes first, so that of two requests with one key the second sees what the first held back; then the
    vouchers in the order of their codes, as everywhere.
    """
    await conn.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended('session ' || $2::text, $1::bigint))", project_id, key
    )
    rows = await conn.fetch(
        "SELECT vouchers.code FROM voucher_locks JOIN vouchers "
        "ON vouchers.project_id = $1 AND vouchers.id = voucher_locks.voucher_id "
        "WHERE voucher_locks.project_id = $1 AND voucher_locks.session_key = $2",
        project_id,
        key,
    )
    all_codes = sorted({*codes, *(row["code"] for row in rows)})
    await lock_vouchers(conn, project_id, all_codes)
    return all_codes


async def clear(conn: Connection, project_id: int, codes: Sequence[str], now: datetime, key: str | None) -> int:
    """Take away the locks of vouchers that expired, and those of one session; return how many of those still held.

    Locks the rows of the vouchers in the order of their codes.
    """
    return int(await conn.fetchval(_CLEAR, project_id, list(codes), now, key))


async def hold(conn: Connection, project_id: int, key: str, wanted: Wanted, now: datetime, until: datetime) -> bool:
    """Hold back uses and credits of a voucher for a session; return False where there are not as many left."""
    done = await conn.execute(
        _HOLD, project_id, wanted.code, key, wanted.quantity, wanted.credits, wanted.worth, now, until
    )
    return bool(done == "INSERT 0 1")
