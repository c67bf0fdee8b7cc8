"""All SQL of vouchers."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from rapport.core.db import Connection, columns
from rapport.http.lists import After, Before, Equals, Found, ListFilter, ListSpec, Page
from rapport.http.queries import fetch_page
from rapport.rules.models import Assigned
from rapport.vouchers.models import Voucher

_FIELDS = """
vouchers.project_id, vouchers.id, vouchers.code, vouchers.campaign_id, campaigns.name AS campaign,
coalesce(vouchers.discount, campaigns.discount) AS discount, vouchers.quantity, vouchers.redeemed_quantity,
vouchers.active, coalesce(vouchers.start_date, campaigns.start_date) AS start_date,
coalesce(vouchers.expiration_date, campaigns.expiration_date) AS expiration_date, vouchers.additional_info,
vouchers.metadata, vouchers.holder_id, vouchers.publication_id, vouchers.created_at, vouchers.updated_at,
campaigns.type AS campaign_type, campaigns.active AS campaign_active, campaigns.start_date AS campaign_start_date,
campaigns.expiration_date AS campaign_expiration_date
"""
_TABLES = """
vouchers LEFT JOIN campaigns ON campaigns.project_id = vouchers.project_id AND campaigns.id = vouchers.campaign_id
"""
_COLUMNS = columns(Voucher)
# A voucher in the bin, or whose campaign is in the bin or deleted, is not there for anybody.
_EXISTS = "(NOT vouchers.binned AND (vouchers.campaign_id IS NULL OR campaigns.state = 'live'))"

VOUCHERS = ListSpec(
    data_ref="vouchers",
    table=f"(SELECT {_FIELDS} FROM {_TABLES} WHERE {_EXISTS}) AS vouchers",
    row=Voucher,
    orders={"created_at": "created_at", "updated_at": "coalesce(updated_at, created_at)", "code": "code"},
    default_order="-created_at",
    filters={
        "campaign": Equals("campaign"),
        "campaign_id": Equals("campaign_id"),
        "customer": ListFilter(
            "holder_id IN (SELECT id FROM customers WHERE project_id = $1 AND (id = {0} OR source_id = {0}) "
            "UNION ALL SELECT customer_id FROM customer_aliases WHERE project_id = $1 AND reference = {0})"
        ),
        "code": Equals("code"),
        "created_at[before]": Before("created_at"),
        "created_at[after]": After("created_at"),
        "[created_at][before]": Before("created_at"),
        "[created_at][after]": After("created_at"),
        "updated_at[before]": Before("updated_at"),
        "updated_at[after]": After("updated_at"),
    },
    max_page=1000,
)

# What is to be redeemed, with its campaign and every rule that holds for it: one round trip for the whole decision.
_REDEEMABLES = f"""
SELECT {_COLUMNS}, (
    SELECT coalesce(jsonb_agg(jsonb_build_array(rule.id, assignment.related_object_type, rule.rules, rule.error,
        rule.applicable_to)
        ORDER BY assignment.created_at, assignment.id), '[]')
    FROM validation_rule_assignments AS assignment
    JOIN validation_rules AS rule ON rule.project_id = $1 AND rule.id = assignment.rule_id
    WHERE assignment.project_id = $1 AND assignment.related_object_id IN (found.id, found.campaign_id)
) AS assigned
FROM (SELECT {_FIELDS} FROM {_TABLES}
    WHERE vouchers.project_id = $1 AND vouchers.code = ANY ($2) AND {_EXISTS}) AS found
"""
_INSERT = """
INSERT INTO vouchers (project_id, id, code, campaign_id, discount, quantity, active, start_date, expiration_date,
    additional_info, metadata, created_at)
SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, date_trunc('milliseconds', clock_timestamp() + $12::interval)
ON CONFLICT DO NOTHING
"""


class Redeemable(msgspec.Struct, frozen=True):
    """A voucher with the rules that hold for it."""

    voucher: Voucher
    assigned: list[Assigned]


class NewVoucher(msgspec.Struct, frozen=True, kw_only=True):
    """A voucher to be inserted; what is None of its campaign's properties is the campaign's."""

    id: str
    code: str
    campaign_id: str | None
    discount: dict[str, Any] | None
    quantity: int | None
    active: bool
    start_date: datetime | None
    expiration_date: datetime | None
    additional_info: str | None
    metadata: dict[str, Any]


async def find(conn: Connection, project_id: int, reference: str) -> Voucher | None:
    """Return the voucher with this code or id (the code wins), or None."""
    for column in ("code", "id"):
        row = await conn.fetchrow(
            f"SELECT {_COLUMNS} FROM (SELECT {_FIELDS} FROM {_TABLES} "
            f"WHERE vouchers.project_id = $1 AND vouchers.{column} = $2 AND {_EXISTS}) AS found",
            project_id,
            reference,
        )
        if row is not None:
            return Voucher(*row)
    return None


async def find_many(conn: Connection, project_id: int, ids: list[str]) -> dict[str, Voucher]:
    """Return the vouchers that exist among `ids`, by id."""
    rows = await conn.fetch(
        f"SELECT {_COLUMNS} FROM (SELECT {_FIELDS} FROM {_TABLES} "
        f"WHERE vouchers.project_id = $1 AND vouchers.id = ANY ($2) AND {_EXISTS}) AS found",
        project_id,
        ids,
    )
    return {row["id"]: Voucher(*row) for row in rows}


async def find_redeemables(conn: Connection, project_id: int, codes: list[str]) -> dict[str, Redeemable]:
    """Return the vouchers with these codes, by code, each with the rules that hold for it and for its campaign."""
    rows = await conn.fetch(_REDEEMABLES, project_id, codes)
    found = {}
    for row in rows:
        *values, assigned = row
        voucher = Voucher(*values)
        found[voucher.code] = Redeemable(voucher, [Assigned(*one) for one in assigned])
    return found


async def insert(conn: Connection, project_id: int, new: NewVoucher, offset: timedelta) -> bool:
    """Insert a voucher; return False if its code is taken."""
    done = await conn.execute(_INSERT, project_id, *[getattr(new, name) for name in new.__struct_fields__], offset)
    return bool(done == "INSERT 0 1")


async def lock(conn: Connection, project_id: int, code: str) -> bool:
    """Lock the voucher with this code; return whether it is there."""
    row = await conn.fetchrow(
        "SELECT id FROM vouchers WHERE project_id = $1 AND code = $2 FOR NO KEY UPDATE", project_id, code
    )
    return row is not None


async def update(conn: Connection, project_id: int, code: str, changes: dict[str, Any], offset: timedelta) -> None:
    """Write some columns of a locked voucher; the names are ours."""
    sets = ", ".join(f"{name} = ${number}" for number, name in enumerate(changes, start=4))
    await conn.execute(
        f"UPDATE vouchers SET updated_at = date_trunc('milliseconds', clock_timestamp() + $3::interval), {sets} "
        "WHERE project_id = $1 AND code = $2",
        project_id,
        code,
        offset,
        *changes.values(),
    )


async def delete(conn: Connection, project_id: int, code: str) -> None:
    """Delete a voucher's row."""
    await conn.execute("DELETE FROM vouchers WHERE project_id = $1 AND code = $2", project_id, code)


async def hide(conn: Connection, project_id: int, code: str, hidden: str) -> None:
    """Put a locked voucher's row away under a code that nobody can give."""
    await conn.execute(
        "UPDATE vouchers SET code = $3, binned = true, active = false WHERE project_id = $1 AND code = $2",
        project_id,
        code,
        hidden,
    )


async def show(conn: Connection, project_id: int, voucher_id: str, code: str, *, active: bool) -> bool:
    """Bring a voucher back from the bin; return whether it was there. Fails where its code is taken."""
    done = await conn.execute(
        "UPDATE vouchers SET code = $3, binned = false, active = $4 WHERE project_id = $1 AND id = $2 AND binned",
        project_id,
        voucher_id,
        code,
        active,
    )
    return bool(done == "UPDATE 1")


async def remove_hidden(conn: Connection, project_id: int, voucher_id: str) -> None:
    """Delete the row of a voucher that is in the bin."""
    await conn.execute("DELETE FROM vouchers WHERE project_id = $1 AND id = $2 AND binned", project_id, voucher_id)


async def give_back(conn: Connection, project_id: int, voucher_ids: list[str]) -> None:
    """Take back one use of each voucher that still exists, in the order of their codes.

    Those in the bin among them, by their ids: a code changes on the way into the bin and back.
    """
    await conn.execute(
        "WITH locked AS MATERIALIZED (SELECT id FROM vouchers WHERE project_id = $1 AND id = ANY ($2) "
        "ORDER BY code FOR NO KEY UPDATE) "
        "UPDATE vouchers SET redeemed_quantity = redeemed_quantity - 1 FROM locked "
        "WHERE vouchers.project_id = $1 AND vouchers.id = locked.id AND redeemed_quantity > 0",
        project_id,
        voucher_ids,
    )


async def list_page(conn: Connection, project_id: int, page: Page) -> Found[Voucher]:
    """Return one page of vouchers."""
    return await fetch_page(conn, VOUCHERS, project_id, page)


async def stream_of_holder(conn: Connection, project_id: int, customer_id: str) -> AsyncIterator[Voucher]:
    """Yield the vouchers that a customer holds, oldest first, inside a transaction; the index is vouchers_of_holder."""
    query = (
        f"SELECT {_COLUMNS} FROM (SELECT {_FIELDS} FROM {_TABLES} WHERE vouchers.project_id = $1 "
        "AND vouchers.holder_id = $2) AS held ORDER BY created_at, id"
    )
    async for row in conn.cursor(query, project_id, customer_id, prefetch=200):
        yield Voucher(*row)


async def erase_holder(conn: Connection, project_id: int, customer_id: str) -> int:
    """Let the vouchers that a customer holds be nobody's, though published; return how many (vouchers_of_holder)."""
    done = await conn.execute(
        "UPDATE vouchers SET holder_id = NULL WHERE project_id = $1 AND holder_id = $2", project_id, customer_id
    )
    return int(done.rpartition(" ")[2])


async def move_to_holder(
    conn: Connection, project_id: int, giver_id: str, taker_id: str, only: Sequence[str] | None
) -> list[str]:
    """Give the vouchers that a customer holds, all or some, to another; return their ids (vouchers_of_holder)."""
    rows = await conn.fetch(
        "UPDATE vouchers SET holder_id = $3 WHERE project_id = $1 AND holder_id = $2 "
        "AND ($4::text[] IS NULL OR id IN (SELECT unnest($4::text[]))) RETURNING id",
        project_id,
        giver_id,
        taker_id,
        only,
    )
    return [row["id"] for row in rows]


async def remove_key(conn: Connection, project_id: int, key: str, after: str, count: int) -> tuple[str | None, int]:
    """Remove a key from the metadata of the next `count` vouchers after an id; return the last, and how many had it."""
    row = await conn.fetchrow(
        "WITH part AS (SELECT id, metadata FROM vouchers WHERE project_id = $1 AND id > $2 ORDER BY id LIMIT $4), "
        "changed AS (UPDATE vouchers AS one SET metadata = one.metadata - $3 FROM part "
        "WHERE one.project_id = $1 AND one.id = part.id AND part.metadata ? $3 RETURNING one.id) "
        "SELECT (SELECT max(id) FROM part), (SELECT count(*) FROM changed)",
        project_id,
        after,
        key,
        count,
    )
    return row[0], row[1]
