"""All SQL that reads the redemption ledger."""

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Any, Final

from rapport.core.db import Connection, columns
from rapport.core.ids import new_id
from rapport.customers.queries import OF_CUSTOMER
from rapport.http.conditions import Conditions, Reader, optional_text_field, text_field
from rapport.http.lists import After, Before, Equals, Found, ListFilter, ListSpec, Page
from rapport.http.queries import fetch_page
from rapport.orders.models import Order
from rapport.redemptions.models import FAILURE, SUCCESS, Redemption

_COLUMNS = columns(Redemption)
# Redemptions of one moment in the order of their application: each finds more off than the one before it.
_OFF = "coalesce(amounts ->> 'total_discount_amount', amounts ->> 'discount_amount')::bigint"

_TEXTS = {
    "voucher_code": "voucher_code",
    "related_object_parent_id": "campaign_id",
    "parent_redemption_id": "parent_id",
    "failure_code": "failure_code",
    "customer_id": "customer_id",
    "campaign_name": "campaign",
}
_ALWAYS = ("object", "result")
RESULTS: Final = (SUCCESS, FAILURE)
_read_related = optional_text_field("coalesce(voucher_id, promotion_tier_id)")


def _of_related(operator: str, name: str, given: list[str]) -> tuple[str, list[Any]] | None:
    """Read a condition on what a redemption is of; being one of some is what there are indexes for."""
    read = _read_related(operator, name, given)
    if operator in ("$is", "$in"):
        return "(voucher_id = ANY ({}::text[]) OR promotion_tier_id = ANY ({}::text[]))", [given, given]
    return read


FILTERS: Final[Mapping[str, Reader]] = {
    "related_object_id": _of_related,
    **{name: optional_text_field(column) for name, column in _TEXTS.items()},
    **{name: text_field(name) for name in _ALWAYS},
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
        "related_object_id": ListFilter("(voucher_id = {0} OR promotion_tier_id = {0})"),
        "object": Equals("object"),
        **{name: Equals(column) for name, column in _TEXTS.items()},
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

# A stack counts once for each of its vouchers, a rollback that failed once.
_TOTALS = """
SELECT count(*) FILTER (WHERE done AND object = 'redemption') AS total_redeemed,
    count(*) FILTER (WHERE object = 'redemption' AND result = 'FAILURE') AS total_failed,
    count(*) FILTER (WHERE done AND object = 'redemption') AS total_succeeded,
    count(*) FILTER (WHERE done AND object = 'redemption_rollback') AS total_rolled_back,
    count(*) FILTER (WHERE object = 'redemption_rollback' AND result = 'FAILURE') AS total_rollback_failed,
    count(*) FILTER (WHERE done AND object = 'redemption_rollback') AS total_rollback_succeeded,
    coalesce(sum(credits) FILTER (WHERE done AND object = 'redemption' AND rollback_id IS NULL), 0) AS redeemed_amount,
    (SELECT coalesce(sum(balance), 0) FROM vouchers WHERE project_id = $1 AND holder_id = $2 AND NOT binned
        AND type = 'GIFT_VOUCHER' AND NOT EXISTS (SELECT FROM campaigns WHERE campaigns.project_id = $1
            AND campaigns.id = vouchers.campaign_id AND campaigns.state <> 'live')) AS amount_to_go
FROM (
    SELECT object, credits, rollback_id, result,
        result = 'SUCCESS' AND (voucher_id IS NOT NULL OR promotion_tier_id IS NOT NULL) AS done
    FROM redemptions WHERE project_id = $1 AND customer_id = $2
) AS lines
"""


async def find(conn: Connection, project_id: int, redemption_id: str) -> Redemption | None:
    """Return a line of the ledger, or None."""
    row = await conn.fetchrow(
        f"SELECT {_COLUMNS} FROM redemptions WHERE project_id = $1 AND id = $2", project_id, redemption_id
    )
    return None if row is None else Redemption(*row)


async def find_times(conn: Connection, project_id: int, ids: list[str]) -> dict[str, datetime]:
    """Return when lines of the ledger were written, by their ids."""
    rows = await conn.fetch(
        "SELECT id, created_at FROM redemptions WHERE project_id = $1 AND id = ANY ($2)", project_id, ids
    )
    return {row["id"]: row["created_at"] for row in rows}


async def find_standing(conn: Connection, project_id: int, ids: list[str]) -> list[Redemption]:
    """Return those of the redemptions (of an order: single ones and parents) that are not undone, oldest first."""
    rows = await conn.fetch(
        f"SELECT {_COLUMNS} FROM redemptions WHERE project_id = $1 AND id = ANY ($2) AND rollback_id IS NULL "
        f"ORDER BY created_at, {_OFF}, id",
        project_id,
        ids,
    )
    return [Redemption(*row) for row in rows]


async def children(conn: Connection, project_id: int, parent_id: str) -> list[Redemption]:
    """Return the redemptions of a stack, in the order in which they were applied."""
    rows = await conn.fetch(
        f"SELECT {_COLUMNS} FROM redemptions WHERE project_id = $1 AND parent_id = $2 ORDER BY {_OFF}, id",
        project_id,
        parent_id,
    )
    return [Redemption(*row) for row in rows]


async def list_page(
    conn: Connection, project_id: int, page: Page, results: list[str], filters: Conditions | None
) -> Found[Redemption]:
    """Return one page of the ledger: of all results, or of some of them."""
    of_results = (("result = ANY ({}::text[])", (results,)),) if results else ()
    further = () if filters is None else ((filters.text, filters.values),)
    return await fetch_page(conn, REDEMPTIONS, project_id, page, conditions=(*of_results, *further))


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
    """Take out of a customer's lines of the ledger what names them; return how many. The amounts stay.

    So does that they are one person's, by an id that says nothing: limits on different customers go on.
    """
    done = await conn.execute(
        "UPDATE redemptions SET customer_id = NULL, metadata = NULL, reason = NULL, former_customer = $3 "
        "WHERE project_id = $1 AND customer_id = $2",
        project_id,
        customer_id,
        new_id("gone"),
    )
    return int(done.rpartition(" ")[2])


async def totals_of_customer(conn: Connection, project_id: int, customer_id: str) -> dict[str, Any]:
    """Return the numbers of `summary.redemptions` as the ledger has them, and what gift cards paid and still hold.

    The indexes are redemptions_of_customer and vouchers_of_holder.
    """
    row = dict(await conn.fetchrow(_TOTALS, project_id, customer_id))
    gift = {name: int(row.pop(name)) for name in ("redeemed_amount", "amount_to_go")}
    return {**row, "gift": gift}
