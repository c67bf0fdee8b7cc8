"""What the operations of campaigns answer, as the OpenAPI document declares it."""

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from rapport.http.answers import Count, Instant
from rapport.rules.answers import AssignmentsAnswer

CreationStatus = Literal["DONE", "IN_PROGRESS", "FAILED"]


class DiscountAnswer(msgspec.Struct, kw_only=True):
    """What a code takes off an order: per cent, or an amount in minor units."""

    type: Literal["PERCENT", "AMOUNT"]
    percent_off: float | UnsetType = UNSET
    amount_off: Count | UnsetType = UNSET
    amount_limit: Count | UnsetType = UNSET
    effect: Literal["APPLY_TO_ORDER"]


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

    type: Literal["DISCOUNT_VOUCHER"]
    discount: DiscountAnswer
    redemption: RedemptionLimit
    code_config: CodeConfigAnswer
    is_referral_code: bool
    start_date: Instant | UnsetType = UNSET
    expiration_date: Instant | UnsetType = UNSET


class CampaignAnswer(msgspec.Struct, kw_only=True):
    """A campaign."""

    id: str
    name: str
    description: str | UnsetType = UNSET
    campaign_type: Literal["DISCOUNT_COUPONS"]
    type: Literal["STATIC", "AUTO_UPDATE"]
    voucher: CampaignVoucherAnswer
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
    category_id: None
    categories: list[Any]
    object: Literal["campaign"]
    start_date: Instant | UnsetType = UNSET
    expiration_date: Instant | UnsetType = UNSET
    activity_duration_after_publishing: str | UnsetType = UNSET
    validation_rules_assignments: AssignmentsAnswer | UnsetType = UNSET


class Done(msgspec.Struct, kw_only=True):
    """Nothing more to say."""
