"""What the operations of redemptions and validations answer, as the OpenAPI document declares it."""

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from rapport.campaigns.answers import DiscountAnswer
from rapport.categories.schemas import CategoryAnswer
from rapport.customers.answers import SimpleCustomer
from rapport.http.answers import Count, Instant
from rapport.http.errors import ErrorBody
from rapport.orders.answers import OrderAmounts, OrderAnswer
from rapport.redemptions.sessions.schemas import SessionAnswer
from rapport.redemptions.stacking_rules.schemas import StackingRulesBody


class ChannelAnswer(msgspec.Struct, kw_only=True):
    """Through which key a redemption came."""

    channel_id: str
    channel_type: Literal["API"]


class Named(msgspec.Struct, kw_only=True):
    """Another redemption or rollback, and when it was."""

    id: str
    date: Instant


class RelatedRedemptions(msgspec.Struct, kw_only=True):
    """What undid a redemption, and what belongs to a stack."""

    rollbacks: list[Named] | UnsetType = UNSET
    redemptions: list[Named] | UnsetType = UNSET


class GiftUsed(msgspec.Struct, kw_only=True):
    """What was taken off a gift card, or put back (less than 0), in minor units."""

    amount: int


class RedeemedTier(msgspec.Struct, kw_only=True):
    """The tier: whole where it exists (`TierAnswer`); of a deleted one this is what the ledger knows."""

    id: str
    campaign_id: str | None
    promotion_id: str | None
    object: Literal["promotion_tier"]


class RedeemedVoucher(msgspec.Struct, kw_only=True):
    """The voucher: whole where it exists (`VoucherAnswer`); of a deleted one this is what the ledger knows."""

    id: str
    code: str | None
    campaign: str | None
    campaign_id: str | None
    object: Literal["voucher"]


class RedeemedOrder(OrderAmounts, kw_only=True):
    """The order of a redemption; a client key is not told what became of one that was there before."""

    source_id: str | None
    id: str | UnsetType = UNSET
    status: Literal["CREATED", "PAID", "CANCELED", "FULFILLED"] | UnsetType = UNSET
    created_at: Instant | UnsetType = UNSET
    updated_at: Instant | None | UnsetType = UNSET


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
    order: RedeemedOrder | None
    channel: ChannelAnswer
    customer: SimpleCustomer | None
    related_object_type: Literal["redemption", "voucher", "promotion_tier"]
    related_object_id: str
    voucher: RedeemedVoucher | None
    promotion_tier: RedeemedTier | UnsetType = UNSET
    amount: int | UnsetType = UNSET
    gift: GiftUsed | UnsetType = UNSET
    failure_code: str | None | UnsetType = UNSET
    failure_message: str | None | UnsetType = UNSET
    reason: str | None | UnsetType = UNSET
    related_redemptions: RelatedRedemptions | UnsetType = UNSET


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


class GiftResult(msgspec.Struct, kw_only=True):
    """What may be used of a gift card, what is, and what sessions of others hold back; in minor units."""

    balance: Count
    credits: Count | None
    locked_credits: Count | UnsetType = UNSET
    amount: Count | UnsetType = UNSET
    effect: str | None | UnsetType = UNSET


class ResultDetails(msgspec.Struct, kw_only=True):
    """Why something may not be redeemed (in the shop's own words, if it has some) or was left out."""

    key: str
    message: str


class BundleItem(msgspec.Struct, kw_only=True):
    """Units of a line of the order that belong to bundles."""

    id: str
    object: Literal["product", "sku"]
    item_index: Count
    item_quantity: Count


class MissingBundleItem(msgspec.Struct, kw_only=True):
    """Units that the order lacks for a first bundle."""

    id: str
    object: Literal["product", "sku", "products_collection"]
    item_quantity: Count


class BundleAnswer(msgspec.Struct, kw_only=True):
    """How many of the bundles that a rule asks for are in the order; what is missing, where there is none."""

    quantity: Count
    limit: Count
    identified: list[BundleItem]
    missing: list[MissingBundleItem] | UnsetType = UNSET


class RedeemableResult(msgspec.Struct, kw_only=True):
    """What a redeemable takes off, or why it may not be redeemed or is left out."""

    discount: DiscountAnswer | UnsetType = UNSET
    gift: GiftResult | UnsetType = UNSET
    bundle: BundleAnswer | UnsetType = UNSET
    error: ErrorBody | UnsetType = UNSET
    details: ResultDetails | UnsetType = UNSET


class StackedCategory(msgspec.Struct, kw_only=True):
    """A category, with what the stacking rules make of it if they say anything."""

    id: str
    name: str
    hierarchy: Count
    object: Literal["category"]
    created_at: Instant
    updated_at: Instant | UnsetType = UNSET
    stacking_rules_type: Literal["JOINT", "EXCLUSIVE"] | UnsetType = UNSET


class RedeemableAnswer(msgspec.Struct, kw_only=True):
    """One of the things to redeem."""

    status: Literal["APPLICABLE", "INAPPLICABLE", "SKIPPED"]
    id: str
    object: Literal["voucher", "promotion_tier", "promotion_stack"]
    result: RedeemableResult
    order: OrderAmounts | UnsetType = UNSET
    applicable_to: dict[str, Any] | UnsetType = UNSET
    inapplicable_to: dict[str, Any] | UnsetType = UNSET
    metadata: dict[str, Any] | UnsetType = UNSET
    categories: list[StackedCategory] | UnsetType = UNSET
    campaign_id: str | UnsetType = UNSET
    campaign_name: str | None | UnsetType = UNSET
    name: str | UnsetType = UNSET


class RedeemedAnswer(msgspec.Struct, kw_only=True):
    """The redemptions of a request, one for each redeemable."""

    redemptions: list[RedemptionAnswer]
    parent_redemption: RedemptionAnswer | UnsetType = UNSET
    order: RedeemedOrder | UnsetType = UNSET
    inapplicable_redeemables: list[RedeemableAnswer]
    skipped_redeemables: list[RedeemableAnswer]


class ValidationAnswer(msgspec.Struct, kw_only=True):
    """Whether the redeemables can be redeemed together, and the order as they would leave it."""

    id: str
    valid: bool
    redeemables: list[RedeemableAnswer]
    inapplicable_redeemables: list[RedeemableAnswer]
    skipped_redeemables: list[RedeemableAnswer]
    order: OrderAmounts | UnsetType = UNSET
    session: SessionAnswer | UnsetType = UNSET
    tracking_id: str | None
    stacking_rules: StackingRulesBody


class TierCampaign(msgspec.Struct, kw_only=True):
    """The campaign of a tier, in short."""

    id: str
    active: bool
    object: Literal["campaign"]
    start_date: Instant | UnsetType = UNSET
    expiration_date: Instant | UnsetType = UNSET
    categories: list[CategoryAnswer] | UnsetType = UNSET


class TierValidationAnswer(msgspec.Struct, kw_only=True):
    """Whether one tier can be redeemed, and the order as it would leave it."""

    valid: bool
    id: str
    name: str
    hierarchy: Count
    metadata: dict[str, Any]
    object: Literal["promotion_tier"]
    campaign: TierCampaign
    tracking_id: str | None
    discount: DiscountAnswer
    banner: str | UnsetType = UNSET
    start_date: Instant | UnsetType = UNSET
    expiration_date: Instant | UnsetType = UNSET
    reason: str | UnsetType = UNSET
    error: ErrorBody | UnsetType = UNSET
    applicable_to: dict[str, Any] | UnsetType = UNSET
    inapplicable_to: dict[str, Any] | UnsetType = UNSET
    discount_amount: Count | UnsetType = UNSET
    applied_discount_amount: Count | UnsetType = UNSET
    category_id: str | UnsetType = UNSET
    categories: list[StackedCategory] | UnsetType = UNSET
    order: OrderAmounts | UnsetType = UNSET


class TiersValidationAnswer(msgspec.Struct, kw_only=True):
    """The tiers that could be redeemed, each alone, the highest rank first."""

    valid: bool
    tracking_id: str | None
    promotions: list[TierValidationAnswer]


class RuleValidationAnswer(msgspec.Struct, kw_only=True):
    """Whether a validation rule would hold by itself, and what of the order it is about."""

    valid: bool
    rule_id: str
    tracking_id: str | None
    applicable_to: dict[str, Any]
    inapplicable_to: dict[str, Any]
    reason: str | UnsetType = UNSET
    error: ErrorBody | UnsetType = UNSET


class VoucherValidationAnswer(msgspec.Struct, kw_only=True):
    """Whether one code can be redeemed, and the order as it would leave it."""

    valid: bool
    code: str
    tracking_id: str | None
    metadata: dict[str, Any]
    categories: list[StackedCategory] | UnsetType = UNSET
    reason: str | UnsetType = UNSET
    error: ErrorBody | UnsetType = UNSET
    applicable_to: dict[str, Any] | UnsetType = UNSET
    inapplicable_to: dict[str, Any] | UnsetType = UNSET
    discount: DiscountAnswer | UnsetType = UNSET
    gift: GiftResult | UnsetType = UNSET
    campaign: str | None | UnsetType = UNSET
    campaign_id: str | UnsetType = UNSET
    start_date: Instant | UnsetType = UNSET
    expiration_date: Instant | UnsetType = UNSET
    session: SessionAnswer | UnsetType = UNSET
    order: OrderAmounts | UnsetType = UNSET
