"""A voucher as a value, with what it has from its campaign."""

from datetime import datetime
from typing import Any

import msgspec

DISCOUNT_VOUCHER = "DISCOUNT_VOUCHER"


class Voucher(msgspec.Struct, frozen=True):
    """One voucher, joined with its campaign.

    `discount`, `start_date` and `expiration_date` are the voucher's own, or else its campaign's. `quantity` is how
    often it may be redeemed, None without limit. A voucher is published once `publication_id` is set; `holder_id` is
    the customer whose code it is.
    """

    id: str
    code: str
    campaign_id: str | None
    campaign: str | None
    discount: dict[str, Any]
    quantity: int | None
    redeemed_quantity: int
    active: bool
    start_date: datetime | None
    expiration_date: datetime | None
    additional_info: str | None
    metadata: dict[str, Any]
    holder_id: str | None
    publication_id: str | None
    created_at: datetime
    updated_at: datetime | None
    campaign_type: str | None
    campaign_active: bool | None
    campaign_start_date: datetime | None
    campaign_expiration_date: datetime | None
