"""All SQL of publications, and the choice of a code that nobody has."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from rapport.core.db import Connection, columns
from rapport.customers.queries import OF_CUSTOMER
from rapport.http.conditions import Conditions, Reader, optional_text_field, text_field
from rapport.http.lists import Equals, Found, ListFilter, ListSpec, OneOf, Page
from rapport.http.queries import fetch_page
from rapport.publications.models import PublicationRow
from rapport.vouchers.queries import FROZEN

_COLUMNS = columns(PublicationRow)
_NAMES = PublicationRow.__struct_fields__
# Of what was published: a publication publishes vouchers of one kind only.
_VOUCHER_TYPE = """(SELECT vouchers.type FROM vouchers
    WHERE vouchers.project_id = publications.project_id AND vouchers.id = publications.voucher_ids[1])"""
_TRACKING_ID = """(SELECT customers.source_id FROM customers
    WHERE customers.project_id = publications.project_id AND customers.id = publications.customer_id)"""
_TYPES = {"discount": "DISCOUNT_VOUCHER", "gift": "GIFT_VOUCHER", "loyalty": "LOYALTY_CARD"}
# No code is a referral code.
_REFERRAL = OneOf("NOT {}::boolean", ("true", "false"), {"true": True, "false": False})

FILTERS: Final[Mapping[str, Reader]] = {
    "customer_id": optional_text_field("customer_id"),
    "campaign_name": optional_text_field("campaign"),
    "result": text_field("result"),
    "failure_code": optional_text_field("failure_code"),
    "source_id": optional_text_field("source_id"),
    "parent_object_id": optional_text_field("campaign_id"),
    "related_object_id": optional_text_field("voucher_ids[1]"),
    "voucher_type": optional_text_field(_VOUCHER_TYPE),
    "is_referral_code": text_field("'false'::text"),
}

PUBLICATIONS = ListSpec(
    data_ref="publications",
    table="publications",
    row=PublicationRow,
    orders={
        "created_at": "created_at",
        "id": "id",
        "voucher_code": "voucher_codes[1]",
        "tracking_id": _TRACKING_ID,
        "customer_id": "customer_id",
        "channel": "channel",
    },
    default_order="-created_at",
    filters={
        "campaign": ListFilter("(campaign = {0} OR campaign_id = {0})"),
        "customer": OF_CUSTOMER,
        "voucher": ListFilter(
            "id = (SELECT publication_id FROM vouchers WHERE vouchers.project_id = $1 AND vouchers.code = {})"
        ),
        "result": Equals("result"),
        "source_id": Equals("source_id"),
        "voucher_type": OneOf(f"{_VOUCHER_TYPE} = {{}}", tuple(_TYPES), _TYPES),
        "is_referral_code": _REFERRAL,
    },
    max_page=1000,
)

# Taking a code freezes what it offers: what its campaign changes later holds for the codes that nobody has.
# The choice stands in a materialized part of its own: a join may run a subquery again, and that would take more codes.
_TAKE = """
WITH free AS MATERIALIZED (
    SELECT id FROM vouchers
    WHERE project_id = $1 AND campaign_id = $2 AND publication_id IS NULL AND active
        AND (quantity IS NULL OR redeemed_quantity < quantity) AND (expiration_date IS NULL OR expiration_date > $5)
    ORDER BY right(id, 8) LIMIT $7 FOR NO KEY UPDATE {waiting}
)
UPDATE vouchers SET holder_id = $3, publication_id = $4, updated_at = $5,
    {frozen}
FROM free, campaigns
WHERE vouchers.project_id = $1 AND vouchers.id = free.id AND campaigns.project_id = $1 AND campaigns.id = $2
RETURNING vouchers.id, vouchers.code
"""
_TAKE_CODE = f"""
WITH chosen AS MATERIALIZED (
    SELECT id, campaign_id FROM vouchers
    WHERE project_id = $1 AND code = $2 AND publication_id IS NULL FOR NO KEY UPDATE
)
UPDATE vouchers SET holder_id = $3, publication_id = $4, updated_at = $5,
    {FROZEN}
FROM chosen LEFT JOIN campaigns ON campaigns.project_id = $1 AND campaigns.id = chosen.campaign_id
WHERE vouchers.project_id = $1 AND vouchers.id = chosen.id
RETURNING vouchers.id, vouchers.code
"""


async def insert(conn: Connection, project_id: int, row: PublicationRow) -> bool:
    """Insert a publication; return False if another has its source id."""
    places = ", ".join(f"${number}" for number in range(2, len(_NAMES) + 2))
    done = await conn.execute(
        f"INSERT INTO publications (project_id, {_COLUMNS}) VALUES ($1, {places}) ON CONFLICT DO NOTHING",
        project_id,
        *[getattr(row, name) for name in _NAMES],
    )
    return bool(done == "INSERT 0 1")


async def find_by_source_id(conn: Connection, project_id: int, source_id: str) -> PublicationRow | None:
    """Return the publication that succeeded with this source id, or None. Index: publications_by_source_id."""
    row = await conn.fetchrow(
        f"SELECT {_COLUMNS} FROM publications WHERE project_id = $1 AND source_id = $2 AND result = 'SUCCESS'",
        project_id,
        source_id,
    )
    return None if row is None else PublicationRow(*row)


async def find_joined(conn: Connection, project_id: int, customer_id: str, campaign_id: str) -> PublicationRow | None:
    """Return a (locked) customer's first publication from a campaign whose voucher still exists, or None.

    The index is publications_of_customer.
    """
    row = await conn.fetchrow(
        f"SELECT {_COLUMNS} FROM publications WHERE project_id = $1 AND customer_id = $2 AND campaign_id = $3 "
        "AND result = 'SUCCESS' AND EXISTS (SELECT FROM vouchers WHERE vouchers.project_id = $1 "
        "AND vouchers.id = publications.voucher_ids[1] AND NOT vouchers.binned) ORDER BY created_at, id LIMIT 1",
        project_id,
        customer_id,
        campaign_id,
    )
    return None if row is None else PublicationRow(*row)


async def lock_unpublished(conn: Connection, project_id: int, campaign_id: str, count: int, now: datetime) -> int:
    """Lock up to `count` codes that nobody has; return how many there are. Index: vouchers_to_publish."""
    rows = await conn.fetch(
        "SELECT id FROM vouchers WHERE project_id = $1 AND campaign_id = $2 AND publication_id IS NULL AND active "
        "AND (quantity IS NULL OR redeemed_quantity < quantity) AND (expiration_date IS NULL OR expiration_date > $4) "
        "ORDER BY right(id, 8) LIMIT $3 FOR NO KEY UPDATE",
        project_id,
        campaign_id,
        count,
        now,
    )
    return len(rows)


async def take_unpublished(  # noqa: PLR0913 (what is written into the voucher)
    conn: Connection,
    project_id: int,
    campaign_id: str,
    customer_id: str,
    publication_id: str,
    now: datetime,
    until: datetime | None,
    count: int,
    *,
    wait: bool,
) -> list[tuple[str, str]]:
    """Give up to `count` codes that nobody has to a customer; return their ids and codes.

    Codes that somebody else is just taking are passed over, or waited for if `wait`. Index: vouchers_to_publish.
    """
    rows = await conn.fetch(
        _TAKE.format(frozen=FROZEN, waiting="" if wait else "SKIP LOCKED"),
        project_id,
        campaign_id,
        customer_id,
        publication_id,
        now,
        until,
        count,
    )
    return [(row["id"], row["code"]) for row in rows]


async def take_code(
    conn: Connection,
    project_id: int,
    code: str,
    customer_id: str,
    publication_id: str,
    now: datetime,
    until: datetime | None,
) -> tuple[str, str] | None:
    """Give a particular code to a customer; return its id and code, or None if it is published already."""
    row = await conn.fetchrow(_TAKE_CODE, project_id, code, customer_id, publication_id, now, until)
    return None if row is None else (row["id"], row["code"])


# Of one voucher there is one, or none.
OF_VOUCHER: Final = replace(PUBLICATIONS, filters={})


async def list_of_voucher(
    conn: Connection, project_id: int, publication_id: str | None, page: Page
) -> Found[PublicationRow]:
    """Return the publication of a voucher, if there is one, as a page of a list."""
    return await fetch_page(conn, OF_VOUCHER, project_id, page, where={"id": publication_id or ""})


async def list_page(
    conn: Connection, project_id: int, page: Page, filters: Conditions | None = None
) -> Found[PublicationRow]:
    """Return one page of publications."""
    conditions = () if filters is None else ((filters.text, filters.values),)
    return await fetch_page(conn, PUBLICATIONS, project_id, page, conditions=conditions)


async def stream_of_customer(conn: Connection, project_id: int, customer_id: str) -> AsyncIterator[PublicationRow]:
    """Yield a customer's publications, oldest first, inside a transaction; the index is publications_of_customer."""
    query = f"SELECT {_COLUMNS} FROM publications WHERE project_id = $1 AND customer_id = $2 ORDER BY created_at, id"
    async for row in conn.cursor(query, project_id, customer_id, prefetch=500):
        yield PublicationRow(*row)


async def erase_of_customer(conn: Connection, project_id: int, customer_id: str) -> int:
    """Take out of a customer's publications what names them; return how many. The codes stay published."""
    done = await conn.execute(
        "UPDATE publications SET customer_id = NULL, source_id = NULL, metadata = '{}' "
        "WHERE project_id = $1 AND customer_id = $2",
        project_id,
        customer_id,
    )
    return int(done.rpartition(" ")[2])
