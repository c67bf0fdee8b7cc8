"""What the operations of campaigns answer, as the OpenAPI document declares it."""

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from rapport.campaigns.validity import Weekday
from rapport.categories.schemas import CategoryAnswer
from rapport.http.answers import Count, Instant
from rapport.rules.answers import AssignmentsAnswer

CreationStatus = Literal["DONE", "IN_PROGRESS", "FAILED"]


class DiscountAnswer(msgspec.Struct, kw_only=True):
    """What a code takes off an order, or adds to it; amounts in minor units."""

    type: Literal["PERCENT", "AMOUNT", "UNIT", "FIXED"]
    percent_off: float | UnsetType = UNSET
    percent_off_formula: str | UnsetType = UNSET
    amount_off: Count | UnsetType = UNSET
    amount_off_formula: str | UnsetType = UNSET
    amount_limit: Count | UnsetType = UNSET
    aggregated_amount_limit: Count | UnsetType = UNSET
    unit_off: Count | UnsetType = UNSET
    unit_off_formula: str | UnsetType = UNSET
    unit_type: str | UnsetType = UNSET
    units: list[Any] | UnsetType = UNSET
    product: dict[str, Any] | UnsetType = UNSET
    sku: dict[str, Any] | UnsetType = UNSET
    fixed_amount: Count | UnsetType = UNSET
    fixed_amount_formula: str | UnsetType = UNSET
    is_dynamic: bool | UnsetType = UNSET
    effect: str | UnsetType = UNSET


class GiftAnswer(msgspec.Struct, kw_only=True):
    """A gift card: all that was put on it, what was taken off by hand, and what is left; in minor units."""

    amount: Count
    subtracted_amount: Count
    balance: Count
    effect: Literal["APPLY_TO_ORDER", "APPLY_TO_ITEMS"] | UnsetType = UNSET


class TimeframeAnswer(msgspec.Struct, kw_only=True):
    """Every how long a window opens, and for how long."""

    interval: str
    duration: str


class DailyAnswer(msgspec.Struct, kw_only=True):
    """From when to when on which days of the week."""

    start_time: str
    expiration_time: str
    days_of_week: list[Weekday]


class HoursAnswer(msgspec.Struct, kw_only=True):
    """Hours of the day."""

    daily: list[DailyAnswer]


class RedemptionLimit(msgspec.Struct, kw_only=True):
    """How often each code may be redeemed; null is without limit."""

    quantity: Count | None


class CodeConfigAnswer(msgspec.Struct, kw_only=True):
    """How codes look."""

    length: Count | UnsetType = UNSET
    charset: str | UnsetType = UNSET
    prefix: str | UnsetType = UNSET
    postfix: str | UnsetType = UNSET
    pattern: str | UnsetType = UNSET


class CampaignVoucherAnswer(msgspec.Struct, kw_only=True):
    """What a campaign's codes are like."""

    type: Literal["DISCOUNT_VOUCHER", "GIFT_VOUCHER"]
    discount: DiscountAnswer | UnsetType = UNSET
    gift: GiftAnswer | UnsetType = UNSET
    redemption: RedemptionLimit
    code_config: CodeConfigAnswer
    is_referral_code: bool
    start_date: Instant | UnsetType = UNSET
    expiration_date: Instant | UnsetType = UNSET
    validity_timeframe: TimeframeAnswer | UnsetType = UNSET
    validity_day_of_week: list[Weekday] | UnsetType = UNSET
    validity_hours: HoursAnswer | UnsetType = UNSET


class CampaignAnswer(msgspec.Struct, kw_only=True):
    """A campaign."""

    id: str
    name: str
    description: str | UnsetType = UNSET
    campaign_type: Literal["DISCOUNT_COUPONS", "GIFT_VOUCHERS", "PROMOTION"]
    type: Literal["STATIC", "AUTO_UPDATE"]
    voucher: CampaignVoucherAnswer | UnsetType = UNSET
    auto_join: bool
    join_once: bool
    use_voucher_metadata_schema: bool
    vouchers_count: Count
    active: bool
    metadata: dict[str, Any]
    created_at: Instant
    updated_at: Instant | None
    creation_status: CreationStatus
    vouchers_generation_status: CreationStatus
    protected: bool
    category_id: str | None
    categories: list[CategoryAnswer]
    object: Literal["campaign"]
    category: str | UnsetType = UNSET
    validity_timeframe: TimeframeAnswer | UnsetType = UNSET
    validity_day_of_week: list[Weekday] | UnsetType = UNSET
    validity_hours: HoursAnswer | UnsetType = UNSET
    promotion: dict[str, Any] | UnsetType = UNSET
    start_date: Instant | UnsetType = UNSET
    expiration_date: Instant | UnsetType = UNSET
    activity_duration_after_publishing: str | UnsetType = UNSET
    validation_rules_assignments: AssignmentsAnswer | UnsetType = UNSET


class Done(msgspec.Struct, kw_only=True):
    """Nothing more to say."""
