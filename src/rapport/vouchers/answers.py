"""What the operations of vouchers answer, as the OpenAPI document declares it."""

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from rapport.campaigns.answers import DiscountAnswer, GiftAnswer, HoursAnswer, TimeframeAnswer
from rapport.campaigns.validity import Weekday
from rapport.categories.schemas import CategoryAnswer
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


class AssetAnswer(msgspec.Struct, kw_only=True):
    """An image; its URL needs no key."""

    id: str
    url: str


class AssetsAnswer(msgspec.Struct, kw_only=True):
    """Images of the code."""

    qr: AssetAnswer
    barcode: AssetAnswer


class VoucherAnswer(msgspec.Struct, kw_only=True):
    """A voucher; what it has not of its own is its campaign's."""

    id: str
    code: str
    campaign: str | None
    campaign_id: str | None
    category: str | None
    category_id: str | None
    categories: list[CategoryAnswer]
    type: Literal["DISCOUNT_VOUCHER", "GIFT_VOUCHER"]
    discount: DiscountAnswer | None
    gift: GiftAnswer | None
    loyalty_card: None
    start_date: Instant | None
    expiration_date: Instant | None
    validity_timeframe: TimeframeAnswer | None
    validity_day_of_week: list[Weekday] | None
    validity_hours: HoursAnswer | None
    active: bool
    additional_info: str | None
    metadata: dict[str, Any]
    assets: AssetsAnswer | None
    is_referral_code: bool
    created_at: Instant
    updated_at: Instant | None
    redemption: RedemptionCounter
    publish: PublicationCounter
    object: Literal["voucher"]
    holder_id: str | UnsetType = UNSET
    validation_rules_assignments: AssignmentsAnswer | UnsetType = UNSET
