"""What is asked of vouchers and their ledger is found by indexes, however many there are."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from rapport.core.clock import EARLIEST
from rapport.core.db import Connection, Database
from rapport.http.conditions import read_conditions
from rapport.http.lists import read_page
from rapport.vouchers import queries
from rapport.vouchers.filters import filters

_MANY = (
    """
    INSERT INTO vouchers (project_id, id, code, discount, active, metadata, holder_id, created_at)
    SELECT $1, 'v_' || n, 'CODE-' || n, '{"type": "AMOUNT", "amount_off": 1}', true, '{}', 'cust_' || n / 3,
        '2025-01-01'::timestamptz + n * interval '1 minute'
    FROM generate_series(1, 20000) AS n
    """,
)


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
        await conn.execute("ANALYZE vouchers")
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
