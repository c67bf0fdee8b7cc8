"""A voucher as a value, with what it has from its campaign."""

from datetime import datetime
from typing import Any

import msgspec

from rapport.campaigns.models import DISCOUNT_VOUCHER, GIFT_VOUCHER

__all__ = ["DISCOUNT_VOUCHER", "GIFT_VOUCHER", "Voucher"]


class Voucher(msgspec.Struct, frozen=True):
    """One voucher, joined with its campaign.

    `discount`, `gift`, the dates and the windows of time are the voucher's own, or else its campaign's. A voucher has a
    `discount`, or it is a gift card and has a `gift`: `amount` (all that was ever put on it), `subtracted_amount`
    (taken off by hand), `balance` (what is left), in minor units, and `effect`. `quantity` is how often it may be
    redeemed, None without limit. A voucher is published once `publication_id` is set; `holder_id` is the customer whose
    code it is. `time_zone` is the project's, where there are windows of time. Who knows `asset_id` sees its images.
    `in_category`: the category of `category_id`, as the API shows it.
    """

    id: str
    code: str
    campaign_id: str | None
    campaign: str | None
    discount: dict[str, Any] | None
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
    type: str = DISCOUNT_VOUCHER
    gift: dict[str, Any] | None = None
    validity_timeframe: dict[str, Any] | None = None
    validity_day_of_week: list[int] | None = None
    validity_hours: dict[str, Any] | None = None
    time_zone: str | None = None
    category: str | None = None
    category_id: str | None = None
    is_referral_code: bool | None = None
    campaign_kind: str | None = None
    asset_id: str | None = None
    in_category: dict[str, Any] | None = None


def nowhere_stored(code: str, discount: dict[str, Any], made: datetime) -> Voucher:
    """Return a code without a campaign and without any limit, for decisions about what no code has yet."""
    return Voucher(
        id=code,
        code=code,
        campaign_id=None,
        campaign=None,
        discount=discount,
        quantity=None,
        redeemed_quantity=0,
        active=True,
        start_date=None,
        expiration_date=None,
        additional_info=None,
        metadata={},
        holder_id=None,
        publication_id=None,
        created_at=made,
        updated_at=None,
        campaign_type=None,
        campaign_active=None,
        campaign_start_date=None,
        campaign_expiration_date=None,
    )
