"""All SQL of the redemption ledger, and the taking of a voucher."""

from collections.abc import AsyncIterator
from typing import Any

from rapport.core.db import Connection, columns
from rapport.customers.queries import OF_CUSTOMER
from rapport.http.lists import After, Before, Equals, Found, ListFilter, ListSpec, Page
from rapport.http.queries import fetch_page
from rapport.orders.models import Order
from rapport.redemptions.models import Redemption

_COLUMNS = columns(Redemption)
_NAMES = Redemption.__struct_fields__

_EQUALS = {
    "voucher_code": "voucher_code",
    "related_object_id": "voucher_id",
    "related_object_parent_id": "campaign_id",
    "parent_redemption_id": "parent_id",
    "failure_code": "failure_code",
    "object": "object",
    "result": "result",
    "customer_id": "customer_id",
    "campaign_name": "campaign",
}
REDEMPTIONS = ListSpec(
    data_ref="redemptions",
    table="redemptions",
    row=Redemption,
    orders={"created_at": "created_at", "id": "id", "voucher_code": "voucher_code", "customer_id": "customer_id"},
    default_order="-created_at",
    filters={
        "campaign": ListFilter("(campaign = {0} OR campaign_id = {0})"),
        "customer": OF_CUSTOMER,
        "created_at[before]": Before("created_at"),
        "created_at[after]": After("created_at"),
        "[created_at][before]": Before("created_at"),
        "[created_at][after]": After("created_at"),
        **{name: Equals(column) for name, column in _EQUALS.items()},
        **{f"filters[{name}][conditions][$is][0]": Equals(column) for name, column in _EQUALS.items()},
    },
    max_page=1000,
)
ENTRIES = ListSpec(
    data_ref="redemption_entries",
    table="redemptions",
    row=Redemption,
    orders={"created_at": "created_at"},
    default_order="-created_at",
    max_page=1000,
)

# The counter and the ledger move together or not at all: no row means that the limit is reached.
_TAKE = """
WITH taken AS (
    UPDATE vouchers SET redeemed_quantity = redeemed_quantity + 1, updated_at = $2
    WHERE project_id = $1 AND code = $3 AND active AND (quantity IS NULL OR redeemed_quantity < quantity)
    RETURNING redeemed_quantity, holder_id
), kept AS (
    INSERT INTO redemptions (project_id, id, object, result, parent_id, voucher_id, voucher_code, campaign_id, campaign,
        customer_id, order_id, amounts, metadata, channel, created_at)
    SELECT $1, $4, 'redemption', 'SUCCESS', $5, $6, $3, $7, $8, $9, $10, $11, $12, $13, $2 FROM taken
)
SELECT redeemed_quantity, holder_id FROM taken
"""
# A stack counts once for each of its vouchers, a rollback that failed once.
_TOTALS = """
SELECT count(*) FILTER (WHERE done AND object = 'redemption') AS total_redeemed,
    count(*) FILTER (WHERE object = 'redemption' AND result = 'FAILURE') AS total_failed,
    count(*) FILTER (WHERE done AND object = 'redemption') AS total_succeeded,
    count(*) FILTER (WHERE done AND object = 'redemption_rollback') AS total_rolled_back,
    count(*) FILTER (WHERE object = 'redemption_rollback' AND result = 'FAILURE') AS total_rollback_failed,
    count(*) FILTER (WHERE done AND object = 'redemption_rollback') AS total_rollback_succeeded
FROM (
    SELECT object, result, result = 'SUCCESS' AND voucher_id IS NOT NULL AS done
    FROM redemptions WHERE project_id = $1 AND customer_id = $2
) AS lines
"""
_INSERT = (
    f"INSERT INTO redemptions (project_id, {_COLUMNS}) "
    f"VALUES ($1, {', '.join(f'${number}' for number in range(2, len(_NAMES) + 2))})"
)


async def take(conn: Connection, project_id: int, row: Redemption) -> tuple[int, str | None] | None:
    """Use the voucher once and keep the redemption; return how often it is used now and whose it is.

    None: it cannot be used.
    """
    taken = await conn.fetchrow(
        _TAKE,
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
    )
    return None if taken is None else (taken["redeemed_quantity"], taken["holder_id"])


async def insert(conn: Connection, project_id: int, rows: list[Redemption]) -> None:
    """Keep lines in the ledger."""
    await conn.executemany(_INSERT, [[project_id, *[getattr(row, name) for name in _NAMES]] for row in rows])


async def find(conn: Connection, project_id: int, redemption_id: str) -> Redemption | None:
    """Return a line of the ledger, or None."""
    row = await conn.fetchrow(
        f"SELECT {_COLUMNS} FROM redemptions WHERE project_id = $1 AND id = $2", project_id, redemption_id
    )
    return None if row is None else Redemption(*row)


async def find_standing(conn: Connection, project_id: int, ids: list[str]) -> list[Redemption]:
    """Return those of the redemptions (of an order: single ones and parents) that are not undone, oldest first."""
    rows = await conn.fetch(
        f"SELECT {_COLUMNS} FROM redemptions WHERE project_id = $1 AND id = ANY ($2) AND rollback_id IS NULL "
        "ORDER BY created_at, (amounts ->> 'discount_amount')::bigint, id",
        project_id,
        ids,
    )
    return [Redemption(*row) for row in rows]


async def children(conn: Connection, project_id: int, parent_id: str) -> list[Redemption]:
    """Return the redemptions of a stack, in the order in which they were applied."""
    rows = await conn.fetch(
        f"SELECT {_COLUMNS} FROM redemptions WHERE project_id = $1 AND parent_id = $2 "
        "ORDER BY (amounts ->> 'discount_amount')::bigint, id",
        project_id,
        parent_id,
    )
    return [Redemption(*row) for row in rows]


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


async def list_page(conn: Connection, project_id: int, page: Page) -> Found[Redemption]:
    """Return one page of the ledger."""
    return await fetch_page(conn, REDEMPTIONS, project_id, page)


async def list_of_voucher(conn: Connection, project_id: int, voucher_id: str, page: Page) -> Found[Redemption]:
    """Return one page of what happened with a voucher."""
    return await fetch_page(conn, ENTRIES, project_id, page, where={"voucher_id": voucher_id})


async def find_orders(conn: Connection, project_id: int, ids: list[str]) -> dict[str, Order]:
    """Return the orders that exist among `ids`, by id."""
    rows = await conn.fetch(
        f"SELECT {columns(Order)} FROM orders WHERE project_id = $1 AND id = ANY ($2)", project_id, ids
    )
    return {row["id"]: Order(*row) for row in rows}


async def find_customers(conn: Connection, project_id: int, ids: list[str]) -> dict[str, dict[str, Any]]:
    """Return the `SimpleCustomer` of the customers that exist among `ids`, by id."""
    rows = await conn.fetch(
        "SELECT id, source_id, name, email, metadata FROM customers WHERE project_id = $1 AND id = ANY ($2)",
        project_id,
        ids,
    )
    return {
        row["id"]: {name: value for name, value in row.items() if value is not None} | {"object": "customer"}
        for row in rows
    }


async def stream_of_customer(conn: Connection, project_id: int, customer_id: str) -> AsyncIterator[Redemption]:
    """Yield a customer's lines of the ledger, oldest first, inside a transaction; redemptions_of_customer."""
    query = f"SELECT {_COLUMNS} FROM redemptions WHERE project_id = $1 AND customer_id = $2 ORDER BY created_at, id"
    async for row in conn.cursor(query, project_id, customer_id, prefetch=500):
        yield Redemption(*row)


async def erase_of_customer(conn: Connection, project_id: int, customer_id: str) -> int:
    """Take out of a customer's lines of the ledger what names them; return how many. The amounts stay."""
    done = await conn.execute(
        "UPDATE redemptions SET customer_id = NULL, metadata = NULL, reason = NULL "
        "WHERE project_id = $1 AND customer_id = $2",
        project_id,
        customer_id,
    )
    return int(done.rpartition(" ")[2])


async def totals_of_customer(conn: Connection, project_id: int, customer_id: str) -> dict[str, int]:
    """Return the numbers of `summary.redemptions` as the ledger has them; the index is redemptions_of_customer."""
    row = await conn.fetchrow(_TOTALS, project_id, customer_id)
    return dict(row)
