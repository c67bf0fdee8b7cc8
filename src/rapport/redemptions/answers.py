"""What the operations of redemptions and validations answer, as the OpenAPI document declares it."""

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from rapport.campaigns.answers import DiscountAnswer
from rapport.customers.answers import SimpleCustomer
from rapport.http.answers import Count, Instant
from rapport.http.errors import ErrorBody
from rapport.orders.answers import OrderAmounts, OrderAnswer


class ChannelAnswer(msgspec.Struct, kw_only=True):
    """Through which key a redemption came."""

    channel_id: str
    channel_type: Literal["API"]


class Named(msgspec.Struct, kw_only=True):
    """Another redemption or rollback."""

    id: str


class RelatedRedemptions(msgspec.Struct, kw_only=True):
    """What undid a redemption, and what belongs to a stack."""

    rollbacks: list[Named] | UnsetType = UNSET
    redemptions: list[Named] | UnsetType = UNSET


class RedeemedVoucher(msgspec.Struct, kw_only=True):
    """The voucher: whole where it exists (`VoucherAnswer`); of a deleted one this is what the ledger knows."""

    id: str
    code: str | None
    campaign: str | None
    campaign_id: str | None
    object: Literal["voucher"]


class RedemptionAnswer(msgspec.Struct, kw_only=True):
    """A redemption or a rollback, of one voucher or of a stack.

    `order` has its amounts as they were with this redemption.
    """

    id: str
    object: Literal["redemption", "redemption_rollback"]
    date: Instant
    customer_id: str | None
    tracking_id: str | None
    metadata: dict[str, Any] | None
    redemption: str | None
    result: Literal["SUCCESS", "FAILURE"]
    status: Literal["SUCCEEDED", "FAILED", "ROLLED_BACK"]
    order: OrderAnswer | None
    channel: ChannelAnswer
    customer: SimpleCustomer | None
    related_object_type: Literal["redemption", "voucher"]
    related_object_id: str
    voucher: RedeemedVoucher | None
    failure_code: str | None | UnsetType = UNSET
    failure_message: str | None | UnsetType = UNSET
    reason: str | None | UnsetType = UNSET
    related_redemptions: RelatedRedemptions | UnsetType = UNSET


class RedeemedAnswer(msgspec.Struct, kw_only=True):
    """The redemptions of a request, one for each redeemable."""

    redemptions: list[RedemptionAnswer]
    parent_redemption: RedemptionAnswer | UnsetType = UNSET
    order: OrderAnswer | UnsetType = UNSET
    inapplicable_redeemables: list[Any]
    skipped_redeemables: list[Any]


class RolledBackAnswer(msgspec.Struct, kw_only=True):
    """The rollbacks of a stack, one for each redemption."""

    rollbacks: list[RedemptionAnswer]
    parent_rollback: RedemptionAnswer | UnsetType = UNSET
    order: OrderAnswer | UnsetType = UNSET


class VoucherRedemptionsAnswer(msgspec.Struct, kw_only=True):
    """A page of what happened with one voucher, with its counter."""

    object: Literal["list"]
    data_ref: Literal["redemption_entries"]
    redemption_entries: list[RedemptionAnswer]
    total: Count
    has_more: bool
    quantity: Count | None
    redeemed_quantity: Count
    url: str


class RedeemableResult(msgspec.Struct, kw_only=True):
    """What a redeemable takes off, or why it may not be redeemed."""

    discount: DiscountAnswer | UnsetType = UNSET
    error: ErrorBody | UnsetType = UNSET


class RedeemableAnswer(msgspec.Struct, kw_only=True):
    """One of the things to redeem."""

    status: Literal["APPLICABLE", "INAPPLICABLE", "SKIPPED"]
    id: str
    object: Literal["voucher"]
    result: RedeemableResult
    order: OrderAmounts | UnsetType = UNSET
    applicable_to: dict[str, Any] | UnsetType = UNSET
    inapplicable_to: dict[str, Any] | UnsetType = UNSET
    metadata: dict[str, Any] | UnsetType = UNSET
    categories: list[Any] | UnsetType = UNSET


class ValidationAnswer(msgspec.Struct, kw_only=True):
    """Whether the redeemables can be redeemed together, and the order as they would leave it."""

    id: str
    valid: bool
    redeemables: list[RedeemableAnswer]
    inapplicable_redeemables: list[RedeemableAnswer]
    skipped_redeemables: list[RedeemableAnswer]
    order: OrderAmounts | UnsetType = UNSET
    tracking_id: str | None
    stacking_rules: dict[str, Any]


class VoucherValidationAnswer(msgspec.Struct, kw_only=True):
    """Whether one code can be redeemed, and the order as it would leave it."""

    valid: bool
    code: str
    tracking_id: str | None
    metadata: dict[str, Any]
    reason: str | UnsetType = UNSET
    error: ErrorBody | UnsetType = UNSET
    applicable_to: dict[str, Any] | UnsetType = UNSET
    inapplicable_to: dict[str, Any] | UnsetType = UNSET
    discount: DiscountAnswer | UnsetType = UNSET
    order: OrderAmounts | UnsetType = UNSET
