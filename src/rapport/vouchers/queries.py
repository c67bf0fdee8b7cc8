"""All SQL of vouchers."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from rapport.core.db import Connection, columns
from rapport.core.ids import new_id
from rapport.http.conditions import Conditions
from rapport.http.lists import After, Before, Equals, Found, ListFilter, ListSpec, Page
from rapport.http.queries import fetch_page
from rapport.vouchers.models import DISCOUNT_VOUCHER, Voucher

_GIFT_AMOUNT = "coalesce(vouchers.gift_amount, (campaigns.gift ->> 'amount')::bigint)"
# A word of its own is a voucher's category though none is called so: its campaign's is not its, then.
_CATEGORY_ID = "(CASE WHEN vouchers.category IS NULL THEN campaigns.category_id ELSE vouchers.category_id END)"
_ISO = '\'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"\''
_OWN_WINDOWS = (
    "num_nonnulls(vouchers.validity_timeframe, vouchers.validity_day_of_week, vouchers.validity_hours, "
    "campaigns.validity_timeframe, campaigns.validity_day_of_week, campaigns.validity_hours) > 0"
)
# What was not touched of a voucher is its campaign's. The id of its images tells neither code nor secret.
FIELDS = f"""
vouchers.project_id, vouchers.id, vouchers.code, vouchers.campaign_id, campaigns.name AS campaign,
coalesce(vouchers.discount, campaigns.discount) AS discount, vouchers.quantity, vouchers.redeemed_quantity,
vouchers.active, coalesce(vouchers.start_date, campaigns.start_date) AS start_date,
coalesce(vouchers.expiration_date, campaigns.expiration_date) AS expiration_date, vouchers.additional_info,
vouchers.metadata, vouchers.holder_id, vouchers.publication_id, vouchers.created_at, vouchers.updated_at,
campaigns.type AS campaign_type, campaigns.active AS campaign_active, campaigns.start_date AS campaign_start_date,
campaigns.expiration_date AS campaign_expiration_date, vouchers.type,
CASE WHEN vouchers.type = 'GIFT_VOUCHER' THEN jsonb_build_object('amount', {_GIFT_AMOUNT},
    'subtracted_amount', vouchers.gift_subtracted, 'balance', coalesce(vouchers.balance, {_GIFT_AMOUNT}),
    'effect', coalesce(vouchers.gift_effect, campaigns.gift ->> 'effect')) END AS gift,
coalesce(vouchers.validity_timeframe, campaigns.validity_timeframe) AS validity_timeframe,
coalesce(vouchers.validity_day_of_week, campaigns.validity_day_of_week) AS validity_day_of_week,
coalesce(vouchers.validity_hours, campaigns.validity_hours) AS validity_hours,
CASE WHEN {_OWN_WINDOWS} THEN
    (SELECT projects.time_zone FROM projects WHERE projects.project_id = vouchers.project_id) END AS time_zone,
coalesce(vouchers.category, campaigns.category) AS category,
{_CATEGORY_ID} AS category_id,
coalesce(campaigns.is_referral_code, false) AS is_referral_code, campaigns.campaign_type AS campaign_kind,
(SELECT projects.id || '.' || vouchers.id || '.'
    || left(encode(sha256(projects.link_secret || convert_to('asset ' || vouchers.id, 'UTF8')), 'hex'), 32)
    FROM projects WHERE projects.project_id = vouchers.project_id) AS asset_id,
CASE WHEN {_CATEGORY_ID} IS NOT NULL THEN (
    SELECT jsonb_strip_nulls(jsonb_build_object('id', place.id, 'name', place.name, 'hierarchy', place.hierarchy,
        'object', 'category', 'created_at', to_char(place.created_at AT TIME ZONE 'UTC', {_ISO}),
        'updated_at', to_char(place.updated_at AT TIME ZONE 'UTC', {_ISO})))
    FROM categories AS place WHERE place.project_id = vouchers.project_id
        AND place.id = {_CATEGORY_ID}) END AS in_category
"""
# What publishing a code writes into it: what its campaign changes later holds for the codes that nobody has. $6 is the
# end of its activity after publishing.
FROZEN = f"""
discount = coalesce(vouchers.discount, campaigns.discount),
start_date = coalesce(vouchers.start_date, campaigns.start_date),
expiration_date = least(coalesce(vouchers.expiration_date, campaigns.expiration_date), $6),
gift_amount = CASE WHEN vouchers.type = 'GIFT_VOUCHER' THEN {_GIFT_AMOUNT} END,
balance = CASE WHEN vouchers.type = 'GIFT_VOUCHER' THEN coalesce(vouchers.balance, {_GIFT_AMOUNT}) END,
gift_effect = coalesce(vouchers.gift_effect, campaigns.gift ->> 'effect'),
validity_timeframe = coalesce(vouchers.validity_timeframe, campaigns.validity_timeframe),
validity_day_of_week = coalesce(vouchers.validity_day_of_week, campaigns.validity_day_of_week),
validity_hours = coalesce(vouchers.validity_hours, campaigns.validity_hours)
"""
TABLES = """
vouchers LEFT JOIN campaigns ON campaigns.project_id = vouchers.project_id AND campaigns.id = vouchers.campaign_id
"""
_COLUMNS = columns(Voucher)
# A voucher in the bin, or whose campaign is in the bin or deleted, is not there for anybody.
EXISTS = "(NOT vouchers.binned AND (vouchers.campaign_id IS NULL OR campaigns.state = 'live'))"

VOUCHERS = ListSpec(
    data_ref="vouchers",
    table=f"(SELECT {FIELDS} FROM {TABLES} WHERE {EXISTS}) AS vouchers",
    row=Voucher,
    orders={"created_at": "created_at", "updated_at": "coalesce(updated_at, created_at)", "code": "code"},
    default_order="-created_at",
    filters={
        "campaign": Equals("campaign"),
        "campaign_id": Equals("campaign_id"),
        "category": ListFilter("(category = {0} OR category_id = {0} OR in_category ->> 'name' = {0})"),
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

_INSERT = """
INSERT INTO vouchers (project_id, id, code, campaign_id, discount, quantity, active, start_date, expiration_date,
    additional_info, metadata, type, gift_amount, balance, gift_effect, validity_timeframe, validity_day_of_week,
    validity_hours, category, category_id, created_at)
SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13, $14, $15, $16, $17, $18, $19,
    date_trunc('milliseconds', clock_timestamp() + $20::interval)
ON CONFLICT DO NOTHING
"""


_INSERT_MANY = """
WITH made AS (
    INSERT INTO vouchers (project_id, id, code, campaign_id, discount, quantity, active, start_date, expiration_date,
        additional_info, metadata, type, gift_amount, balance, gift_effect, validity_timeframe, validity_day_of_week,
        validity_hours, category, category_id, redeemed_quantity, created_at)
    SELECT $1, id, code, campaign_id, discount, quantity, active, start_date, expiration_date, additional_info,
        metadata, type, gift_amount, gift_amount - redeemed_amount, gift_effect, validity_timeframe,
        validity_day_of_week, validity_hours, category, category_id, redeemed_quantity, $3
    FROM jsonb_to_recordset($2) AS one (id text, code text, campaign_id text, discount jsonb, quantity bigint,
        active boolean, start_date timestamptz, expiration_date timestamptz, additional_info text, metadata jsonb,
        type text, gift_amount bigint, redeemed_amount bigint, gift_effect text, validity_timeframe jsonb,
        validity_day_of_week jsonb, validity_hours jsonb, category text, category_id text, redeemed_quantity bigint)
    ORDER BY code COLLATE "C"
    ON CONFLICT DO NOTHING
    RETURNING id, campaign_id, gift_amount, balance
), spent AS (
    INSERT INTO voucher_transactions (project_id, id, voucher_id, campaign_id, type, source, amount, balance, total,
        details, created_at)
    SELECT $1, one.transaction_id, made.id, made.campaign_id, 'CREDITS_REDEMPTION', 'IMPORT', -one.redeemed_amount,
        made.balance, made.gift_amount, '{}', $3
    FROM made JOIN jsonb_to_recordset($2) AS one (id text, transaction_id text, redeemed_amount bigint)
        ON one.id = made.id
    WHERE one.redeemed_amount > 0
)
SELECT id FROM made
"""


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
    type: str = DISCOUNT_VOUCHER
    gift_amount: int | None = None
    gift_effect: str | None = None
    validity_timeframe: dict[str, Any] | None = None
    validity_day_of_week: list[int] | None = None
    validity_hours: dict[str, Any] | None = None
    category: str | None = None
    category_id: str | None = None
    redeemed_quantity: int = 0
    redeemed_amount: int = 0


_NEW_COLUMNS = NewVoucher.__struct_fields__[:18]


async def find(conn: Connection, project_id: int, reference: str) -> Voucher | None:
    """Return the voucher with this code or id (the code wins), or None."""
    for column in ("code", "id"):
        row = await conn.fetchrow(
            f"SELECT {_COLUMNS} FROM (SELECT {FIELDS} FROM {TABLES} "
            f"WHERE vouchers.project_id = $1 AND vouchers.{column} = $2 AND {EXISTS}) AS found",
            project_id,
            reference,
        )
        if row is not None:
            return Voucher(*row)
    return None


async def find_many(conn: Connection, project_id: int, ids: list[str]) -> dict[str, Voucher]:
    """Return the vouchers that exist among `ids`, by id."""
    rows = await conn.fetch(
        f"SELECT {_COLUMNS} FROM (SELECT {FIELDS} FROM {TABLES} "
        f"WHERE vouchers.project_id = $1 AND vouchers.id = ANY ($2) AND {EXISTS}) AS found",
        project_id,
        ids,
    )
    return {row["id"]: Voucher(*row) for row in rows}


async def insert(conn: Connection, project_id: int, new: NewVoucher, offset: timedelta) -> bool:
    """Insert a voucher; return False if its code is taken."""
    done = await conn.execute(_INSERT, project_id, *[getattr(new, name) for name in _NEW_COLUMNS], offset)
    return bool(done == "INSERT 0 1")


async def taken(conn: Connection, project_id: int, codes: Sequence[str]) -> set[str]:
    """Return those of the codes that some voucher has, those in the bin among them."""
    rows = await conn.fetch("SELECT code FROM vouchers WHERE project_id = $1 AND code = ANY ($2)", project_id, codes)
    return {row["code"] for row in rows}


async def insert_many(conn: Connection, project_id: int, some: Sequence[NewVoucher], at: datetime) -> set[str]:
    """Insert vouchers, in the order of their codes; return the ids of those whose codes were free.

    What was spent of a gift card before is a line of its ledger.
    """
    if not some:
        return set()
    rows = [
        {**msgspec.structs.asdict(one), "transaction_id": new_id("vtx") if one.redeemed_amount else None}
        for one in some
    ]
    return {row["id"] for row in await conn.fetch(_INSERT_MANY, project_id, rows, at)}


async def lock_many(conn: Connection, project_id: int, codes: Sequence[str]) -> dict[str, tuple[str, dict[str, Any]]]:
    """Lock vouchers in the order of their codes; return the id and the metadata of each by its code."""
    rows = await conn.fetch(
        f"SELECT vouchers.code, vouchers.id, vouchers.metadata FROM {TABLES} "
        f"WHERE vouchers.project_id = $1 AND vouchers.code = ANY ($2) AND {EXISTS} "
        "ORDER BY vouchers.code FOR NO KEY UPDATE OF vouchers",
        project_id,
        codes,
    )
    return {row["code"]: (row["id"], row["metadata"]) for row in rows}


async def set_metadata(conn: Connection, project_id: int, changed: dict[str, dict[str, Any]], at: datetime) -> None:
    """Write the metadata of locked vouchers, by their ids."""
    if changed:
        await conn.execute(
            "UPDATE vouchers SET metadata = one.metadata, updated_at = $4 "
            "FROM unnest($2::text[], $3::jsonb[]) AS one (id, metadata) "
            "WHERE vouchers.project_id = $1 AND vouchers.id = one.id",
            project_id,
            list(changed),
            list(changed.values()),
            at,
        )


async def delete_unused(conn: Connection, project_id: int, ids: Sequence[str]) -> list[tuple[str, str | None, bool]]:
    """Delete those of the vouchers that were neither published nor used; return id, campaign, and whether it is gone.

    Those in the bin count as gone already; the ledger of a card that was used elsewhere stays.
    """
    rows = await conn.fetch(
        "WITH locked AS MATERIALIZED (SELECT id, campaign_id, publication_id IS NULL AND NOT EXISTS "
        "(SELECT FROM redemptions WHERE redemptions.project_id = $1 AND redemptions.voucher_id = vouchers.id) AS free "
        "FROM vouchers WHERE project_id = $1 AND id = ANY ($2) AND NOT binned ORDER BY code FOR UPDATE), "
        "gone AS (DELETE FROM vouchers USING locked "
        "WHERE vouchers.project_id = $1 AND vouchers.id = locked.id AND locked.free), "
        "unassigned AS (DELETE FROM validation_rule_assignments USING locked "
        "WHERE project_id = $1 AND related_object_id = locked.id AND locked.free) "
        "SELECT id, campaign_id, free FROM locked",
        project_id,
        ids,
    )
    return [(row["id"], row["campaign_id"], row["free"]) for row in rows]


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


async def list_page(
    conn: Connection, project_id: int, page: Page, filters: Conditions | None, ids: list[str]
) -> Found[Voucher]:
    """Return one page of the vouchers that fit the filters and, where there are any `ids`, have one of these."""
    conditions: list[tuple[str, tuple[object, ...]]] = []
    if filters is not None:
        conditions.append((filters.text, filters.values))
    if ids:
        conditions.append(("id = ANY ({}::text[])", (ids,)))
    return await fetch_page(conn, VOUCHERS, project_id, page, conditions=tuple(conditions))


async def stream_of_holder(conn: Connection, project_id: int, customer_id: str) -> AsyncIterator[Voucher]:
    """Yield the vouchers that a customer holds, oldest first, inside a transaction; the index is vouchers_of_holder."""
    query = (
        f"SELECT {_COLUMNS} FROM (SELECT {FIELDS} FROM {TABLES} WHERE vouchers.project_id = $1 "
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


async def holders_of(conn: Connection, project_id: int, ids: Sequence[str]) -> set[str]:
    """Return who holds the gift cards among these vouchers, those in the bin among them."""
    rows = await conn.fetch(
        "SELECT DISTINCT holder_id FROM vouchers WHERE project_id = $1 AND id = ANY ($2) AND type = 'GIFT_VOUCHER' "
        "AND holder_id IS NOT NULL",
        project_id,
        ids,
    )
    return {row["holder_id"] for row in rows}


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
