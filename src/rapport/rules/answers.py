"""What the operations of validation rules answer, as the OpenAPI document declares it."""

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from rapport.http.answers import Count, Instant
from rapport.rules.applicable import Effect
from rapport.rules.schemas import Context, Related, Type


class RuleErrorAnswer(msgspec.Struct, kw_only=True):
    """What a shop wants its customer to read when the rules do not hold."""

    message: str


class ApplicableToAnswer(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Goods that a discount on items applies to, and how far."""

    object: Literal["product", "sku", "products_collection"]
    id: str
    effect: Effect
    source_id: str | None | UnsetType = UNSET
    product_id: str | UnsetType = UNSET
    product_source_id: str | UnsetType = UNSET
    type: str | UnsetType = UNSET
    strict: bool | UnsetType = UNSET
    price: Count | UnsetType = UNSET
    price_formula: str | UnsetType = UNSET
    quantity_limit: Count | UnsetType = UNSET
    aggregated_quantity_limit: Count | UnsetType = UNSET
    amount_limit: Count | UnsetType = UNSET
    aggregated_amount_limit: Count | UnsetType = UNSET
    skip_initially: Count | UnsetType = UNSET
    repeat: Count | UnsetType = UNSET
    target: Literal["ITEM", "UNIT"] | UnsetType = UNSET
    product_campaign_quantity_limit: Count | UnsetType = UNSET
    product_campaign_quantity_limit_formula: str | UnsetType = UNSET
    product_customer_campaign_quantity_limit: Count | UnsetType = UNSET
    product_customer_campaign_quantity_limit_formula: str | UnsetType = UNSET
    product_in_collection_campaign_quantity_limit: Count | UnsetType = UNSET
    product_in_collection_campaign_quantity_limit_formula: str | UnsetType = UNSET
    product_in_collection_customer_campaign_quantity_limit: Count | UnsetType = UNSET
    product_in_collection_customer_campaign_quantity_limit_formula: str | UnsetType = UNSET
    product_promotion_tier_quantity_limit: Count | UnsetType = UNSET
    product_promotion_tier_quantity_limit_formula: str | UnsetType = UNSET
    product_customer_promotion_tier_quantity_limit: Count | UnsetType = UNSET
    product_customer_promotion_tier_quantity_limit_formula: str | UnsetType = UNSET
    product_in_collection_promotion_tier_quantity_limit: Count | UnsetType = UNSET
    product_in_collection_promotion_tier_quantity_limit_formula: str | UnsetType = UNSET
    product_in_collection_customer_promotion_tier_quantity_limit: Count | UnsetType = UNSET
    product_in_collection_customer_promotion_tier_quantity_limit_formula: str | UnsetType = UNSET


class ApplicableAnswer(msgspec.Struct, kw_only=True):
    """Which items of an order a discount on items applies to."""

    excluded: list[ApplicableToAnswer]
    included: list[ApplicableToAnswer]
    included_all: bool


class ValidationRuleAnswer(msgspec.Struct, kw_only=True):
    """A validation rule."""

    id: str
    name: str
    rules: dict[str, Any]
    bundle_rules: dict[str, Any]
    applicable_to: ApplicableAnswer
    type: Type
    context_type: Context
    assignments_count: Count
    created_at: Instant
    updated_at: Instant | None
    object: Literal["validation_rules"]
    error: RuleErrorAnswer | UnsetType = UNSET


class AssignmentAnswer(msgspec.Struct, kw_only=True):
    """That a validation rule holds for a campaign, a voucher or something else."""

    id: str
    rule_id: str
    related_object_id: str
    related_object_type: Related
    created_at: Instant
    object: Literal["validation_rules_assignment"]


class AssignmentsAnswer(msgspec.Struct, kw_only=True):
    """The validation rules that hold for something."""

    object: Literal["list"]
    data_ref: Literal["data"]
    data: list[AssignmentAnswer]
    total: Count
