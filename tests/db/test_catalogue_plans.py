"""What orders and rules ask of the catalogue is found by its indexes, however large it is."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from rapport.core.db import Connection, Database
from rapport.product_collections.queries import collections_of
from rapport.products.queries import find_named

_MANY = (
    """
    INSERT INTO products (project_id, id, source_id, attributes, metadata, created_at)
    SELECT $1, 'prod_' || n, 'p' || n, '[]', '{}', now() FROM generate_series(1, 20000) AS n
    """,
    """
    INSERT INTO skus (project_id, id, product_id, source_id, attributes, metadata, created_at)
    SELECT $1, 'sku_' || n, 'prod_' || n, 's' || n, '{}', '{}', now() FROM generate_series(1, 20000) AS n
    """,
)


class Explained:
    """Takes the place of a connection: explains what it is asked, and answers with one row of nothing."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn
        self.plan = ""

    async def fetch(self, query: str, *parameters: object) -> list[Any]:
        """Explain a query."""
        rows = await self._conn.fetch("EXPLAIN " + query, *parameters)
        self.plan = "\n".join(row[0] for row in rows)
        return []

    async def fetchrow(self, query: str, *parameters: object) -> dict[str, Any]:
        """Explain a query."""
        await self.fetch(query, *parameters)
        return {"items": None, "members": None, "filters": None, "now": None, "time_zone": "UTC"}


@pytest.fixture
async def large(db: Database, project_id: int) -> AsyncIterator[Explained]:
    """A connection to a large catalogue, which is gone when it is given back."""
    async with db.read() as conn:
        transaction = conn.transaction()
        await transaction.start()
        for statement in _MANY:
            await conn.execute(statement, project_id)
        await conn.execute("ANALYZE products, skus")
        yield Explained(conn)
        await transaction.rollback()


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
async def test_what_orders_name_is_found_by_the_keys_and_source_ids(
    large: Explained, project_id: int, mode: str
) -> None:
    await large._conn.execute("SELECT set_config('plan_cache_mode', $1, true)", mode)
    await find_named(large, project_id, (["prod_1"], ["p2", "p3"]), (["sku_4"], ["s5"]))  # type: ignore[arg-type]
    assert "Seq Scan" not in large.plan, large.plan
    for index in ("products_pkey", "products_by_source_id", "skus_pkey", "skus_by_source_id"):
        assert index in large.plan, large.plan


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
async def test_what_rules_ask_for_is_found_by_the_keys(large: Explained, project_id: int, mode: str) -> None:
    await large._conn.execute("SELECT set_config('plan_cache_mode', $1, true)", mode)
    await collections_of(large, project_id, ["prod_1", "prod_2"], ["sku_4"], ["pc_1"])  # type: ignore[arg-type]
    for table in ("products", "skus"):
        assert f"Seq Scan on {table}" not in large.plan, large.plan
    for index in ("products_pkey", "skus_pkey", "skus_of_product"):
        assert index in large.plan, large.plan
