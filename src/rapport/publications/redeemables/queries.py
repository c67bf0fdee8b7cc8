"""All SQL of a customer's redeemables."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

import msgspec

from rapport.core.db import Connection
from rapport.http.conditions import Conditions, Reader, instant_field, optional_text_field, text_field
from rapport.http.lists import Found, ListSpec, Page
from rapport.http.queries import fetch_page


class Held(msgspec.Struct, frozen=True):
    """That a customer holds a voucher, and since when."""

    id: str
    created_at: datetime
    redeemable_id: str
    customer_id: str
    campaign_id: str | None
    campaign_type: str | None


# Ids are in the order of time: milliseconds, then what keeps two of one moment apart.
_HELD = """
(SELECT held.project_id, held.customer_id, held.redeemable_id, held.created_at, held.campaign_id, held.campaign_type,
    held.voucher_type, 'rh_' || lpad(to_hex((extract(epoch FROM held.created_at) * 1000)::bigint), 12, '0')
        || left(md5(held.redeemable_id), 12) AS id
FROM (SELECT vouchers.project_id, vouchers.holder_id AS customer_id, vouchers.id AS redeemable_id,
        coalesce(publications.created_at, vouchers.created_at) AS created_at, vouchers.campaign_id,
        campaigns.campaign_type, vouchers.type AS voucher_type
    FROM vouchers
    LEFT JOIN campaigns ON campaigns.project_id = vouchers.project_id AND campaigns.id = vouchers.campaign_id
    LEFT JOIN publications ON publications.project_id = vouchers.project_id
        AND publications.id = vouchers.publication_id
    WHERE vouchers.holder_id IS NOT NULL AND NOT vouchers.binned
        AND (vouchers.campaign_id IS NULL OR campaigns.state = 'live')) AS held) AS redeemables
"""
REDEEMABLES: Final = ListSpec(
    data_ref="data",
    table=_HELD,
    row=Held,
    orders={"id": "id"},
    default_order="-id",
    by_id=True,
)
FILTERS: Final[Mapping[str, Reader]] = {
    "id": text_field("id"),
    "created_at": instant_field("created_at"),
    "redeemable_id": text_field("redeemable_id"),
    "redeemable_object": text_field("'voucher'::text"),
    "holder_role": text_field("'OWNER'::text"),
    "campaign_id": optional_text_field("campaign_id"),
    "campaign_type": optional_text_field("campaign_type"),
    "voucher_type": text_field("voucher_type"),
}


async def list_of_customer(
    conn: Connection, project_id: int, customer_id: str, page: Page, filters: Conditions | None
) -> Found[Held]:
    """Return one page of what a customer holds, the latest first. Index: vouchers_of_holder."""
    conditions = () if filters is None else ((filters.text, filters.values),)
    return await fetch_page(
        conn, REDEEMABLES, project_id, page, where={"customer_id": customer_id}, conditions=conditions
    )
