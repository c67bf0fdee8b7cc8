"""What the operations of vouchers answer, as the OpenAPI document declares it."""

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from rapport.campaigns.answers import DiscountAnswer
from rapport.http.answers import Count, Instant
from rapport.rules.answers import AssignmentsAnswer


class RedemptionCounter(msgspec.Struct, kw_only=True):
    """How often a code may be redeemed (null: without limit), and was."""

    quantity: Count | None
    redeemed_quantity: Count
    object: Literal["list"]
    url: str


class PublicationCounter(msgspec.Struct, kw_only=True):
    """How often a code was published."""

    object: Literal["list"]
    count: Count
    url: str


class VoucherAnswer(msgspec.Struct, kw_only=True):
    """A voucher; what it has not of its own is its campaign's."""

    id: str
    code: str
    campaign: str | None
    campaign_id: str | None
    category: None
    category_id: None
    categories: list[Any]
    type: Literal["DISCOUNT_VOUCHER"]
    discount: DiscountAnswer
    gift: None
    loyalty_card: None
    start_date: Instant | None
    expiration_date: Instant | None
    validity_timeframe: None
    validity_day_of_week: None
    active: bool
    additional_info: str | None
    metadata: dict[str, Any]
    is_referral_code: bool
    created_at: Instant
    updated_at: Instant | None
    redemption: RedemptionCounter
    publish: PublicationCounter
    object: Literal["voucher"]
    holder_id: str | UnsetType = UNSET
    validation_rules_assignments: AssignmentsAnswer | UnsetType = UNSET
