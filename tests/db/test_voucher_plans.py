"""What is asked of vouchers and their ledger is found by indexes, however many there are."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from rapport.core.clock import EARLIEST
from rapport.core.db import Connection, Database
from rapport.http.conditions import read_conditions
from rapport.http.lists import read_page
from rapport.redemptions.models import Redemption
from rapport.redemptions.qualification.queries import find_vouchers
from rapport.redemptions.uses.queries import give_back
from rapport.vouchers import queries
from rapport.vouchers.filters import filters
from rapport.vouchers.ledger.queries import erase_words

_MANY = (
    """
    INSERT INTO vouchers (project_id, id, code, discount, active, metadata, holder_id, created_at)
    SELECT $1, 'v_' || n, 'CODE-' || n, '{"type": "AMOUNT", "amount_off": 1}', true, '{}', 'cust_' || n / 3,
        '2025-01-01'::timestamptz + n * interval '1 minute'
    FROM generate_series(1, 20000) AS n
    """,
    """
    INSERT INTO voucher_transactions (project_id, id, voucher_id, type, amount, balance, total, details, reason,
        created_at)
    SELECT $1, 'vtx_' || n, 'v_' || n % 2, 'CREDITS_REDEMPTION', -1, 20000 - n, 20000,
        jsonb_build_object('redemption', jsonb_build_object('id', 'r_' || n)), CASE n % 1000 WHEN 0 THEN 'x' END, now()
    FROM generate_series(1, 20000) AS n
    """,
)

# Newer than all others, nobody's, and used up one day.
_LIMITED = """
INSERT INTO vouchers (project_id, id, code, discount, active, metadata, quantity, created_at)
SELECT $1, 'w_' || n, 'LIMITED-' || n, '{"type": "AMOUNT", "amount_off": 1}', true, '{}', 1,
    '2026-01-01'::timestamptz + n * interval '1 second'
FROM generate_series(1, 20000) AS n
"""


class Explained:
    """Takes the place of a connection: explains what it is asked, and answers nothing."""

    def __init__(self, conn: Connection) -> None:
        self.conn = conn
        self.plans: list[str] = []

    async def fetch(self, query: str, *parameters: object) -> list[Any]:
        """Explain a query."""
        rows = await self.conn.fetch("EXPLAIN " + query, *parameters)
        self.plans.append("\n".join(row[0] for row in rows))
        return []

    async def execute(self, query: str, *parameters: object) -> None:
        """Explain a statement."""
        await self.fetch(query, *parameters)

    async def fetchval(self, query: str, *parameters: object) -> int:
        """Explain a query."""
        await self.fetch(query, *parameters)
        return 0


@pytest.fixture
async def large(db: Database, project_id: int) -> AsyncIterator[Explained]:
    """A connection to many vouchers, which are gone when it is given back."""
    async with db.read() as conn:
        transaction = conn.transaction()
        await transaction.start()
        for statement in _MANY:
            await conn.execute(statement, project_id)
        await conn.execute("ANALYZE vouchers, voucher_transactions")
        yield Explained(conn)
        await transaction.rollback()


@pytest.mark.parametrize(
    ("ids", "condition", "index"),
    [
        (["v_1", "v_2", "v_3"], None, "vouchers_project_id_id_key"),
        ([], ("code", "CODE-1"), "vouchers_pkey"),
        ([], ("holder_id", "cust_1"), "vouchers_of_holder"),
    ],
)
async def test_ids_codes_and_holders_are_found_by_their_indexes(
    large: Explained, project_id: int, ids: list[str], condition: tuple[str, str] | None, index: str
) -> None:
    given = [] if condition is None else [(f"filters[{condition[0]}][conditions][$is]", condition[1])]
    page = read_page(queries.VOUCHERS, {})
    asked = read_conditions(given, filters(EARLIEST))
    await queries.list_page(large, project_id, page, asked, ids)  # type: ignore[arg-type]
    assert len(large.plans) == 2
    for plan in large.plans:
        assert index in plan, plan
        assert "Seq Scan on vouchers" not in plan, plan


def line(name: str, **values: Any) -> Redemption:
    """Return a line of the ledger of redemptions."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return Redemption(id=name, object="redemption", result="SUCCESS", channel={}, created_at=at, **values)


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
async def test_a_refund_finds_what_was_spent_by_its_index(large: Explained, project_id: int, mode: str) -> None:
    await large.conn.execute("SELECT set_config('plan_cache_mode', $1, true)", mode)
    pair = line("r_5", voucher_id="v_1", credits=1), line("rr_5", voucher_id="v_1", credits=1)
    await give_back(large, project_id, [pair])  # type: ignore[arg-type]
    assert "voucher_transactions_of_redemption" in large.plans[0], large.plans[0]
    assert "Seq Scan on voucher" not in large.plans[0], large.plans[0]


async def test_words_about_a_person_are_found_by_indexes(large: Explained, project_id: int) -> None:
    assert await erase_words(large, project_id, "cust_5", ["ann@example.com"]) == []  # type: ignore[arg-type]
    for index in ("voucher_transactions_with_words", "vouchers_of_holder"):
        assert index in large.plans[0], large.plans[0]
    assert "Seq Scan on vouchers" not in large.plans[0], large.plans[0]


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
async def test_codes_for_anybody_are_found_behind_any_number_that_are_not(
    large: Explained, project_id: int, mode: str
) -> None:
    await large.conn.execute(_LIMITED, project_id)
    await large.conn.execute("UPDATE vouchers SET holder_id = NULL WHERE id IN ('v_1', 'v_2')")
    await large.conn.execute("ANALYZE vouchers")
    await large.conn.execute("SELECT set_config('plan_cache_mode', $1, true)", mode)
    asked: Any = (project_id, None, EARLIEST, None, 10)
    found = await find_vouchers(large.conn, *asked, anybodys=True, by_client=True)
    assert [one.id for one in found] == ["CODE-2", "CODE-1"]
    shown = await find_vouchers(large.conn, *asked, anybodys=True, by_client=False)
    assert {one.id[:7] for one in shown} == {"LIMITED"}
    assert len(shown) == 10
    await find_vouchers(large, *asked, anybodys=True, by_client=True)  # type: ignore[arg-type]
    assert "vouchers_for_anybody" in large.plans[0], large.plans[0]
    assert "Seq Scan on vouchers" not in large.plans[0], large.plans[0]
