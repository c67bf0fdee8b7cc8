"""Writes of sessions."""

from rapport.core.db import Connection, Database
from rapport.core.errors import NotFound
from rapport.core.queries import read_now
from rapport.redemptions.sessions import queries
from rapport.rules.counted.queries import let_units_go
from rapport.vouchers import actions as vouchers


async def release(db: Database, project_id: int, reference: str, key: str) -> None:
    """Let go of what a session holds back of a voucher (`release-validation-session`).

    Raises NotFound for the voucher, and for a session that holds nothing back of it (any more).
    """

    async def work(conn: Connection) -> None:
        voucher = await vouchers.get(conn, project_id, reference)
        await queries.lock_vouchers(conn, project_id, [voucher.code])
        now = await read_now(conn, db.clock_offset)
        uses = await queries.clear(conn, project_id, [voucher.code], now, key)
        units = await let_units_go(conn, project_id, key, [voucher.id], now)
        if not uses and not units:
            raise NotFound("session", key)

    await db.transaction(work)
