"""Validation rules on the wire."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from rapport.core.clock import iso
from rapport.core.errors import InvalidPayload
from rapport.rules.models import Assignment, ValidationRule

Name = Annotated[str, Meta(min_length=1, max_length=255)]
Type = Literal["expression", "basic", "advanced", "complex"]
Related = Literal["voucher", "promotion_tier", "campaign", "earning_rule", "distribution", "reward_assignment"]
# `context_type` of the reference's `ValidationRuleBase`; kept and shown, it changes nothing.
Context = Literal[
    "earning_rule.order.paid",
    "earning_rule.custom_event",
    "earning_rule.customer.segment.entered",
    "earning_rule.customer.tier.joined",
    "earning_rule.customer.tier.left",
    "earning_rule.customer.tier.upgraded",
    "earning_rule.customer.tier.downgraded",
    "earning_rule.customer.tier.prolonged",
    "campaign.discount_coupons",
    "campaign.discount_coupons.discount.apply_to_order",
    "campaign.discount_coupons.discount.apply_to_items",
    "campaign.discount_coupons.discount.apply_to_items_proportionally",
    "campaign.discount_coupons.discount.apply_to_items_proportionally_by_quantity",
    "campaign.discount_coupons.discount.apply_to_items_by_quantity",
    "campaign.discount_coupons.discount.fixed.apply_to_items",
    "campaign.discount_coupons.discount.percent.apply_to_items",
    "campaign.gift_vouchers",
    "campaign.gift_vouchers.gift.apply_to_order",
    "campaign.gift_vouchers.gift.apply_to_items",
    "campaign.referral_program",
    "campaign.referral_program.discount.apply_to_order",
    "campaign.referral_program.discount.apply_to_items",
    "campaign.referral_program.discount.apply_to_items_proportionally",
    "campaign.referral_program.discount.apply_to_items_proportionally_by_quantity",
    "campaign.referral_program.discount.apply_to_items_by_quantity",
    "campaign.referral_program.discount.fixed.apply_to_items",
    "campaign.referral_program.discount.percent.apply_to_items",
    "campaign.promotion",
    "campaign.promotion.discount.apply_to_order",
    "campaign.promotion.discount.apply_to_items",
    "campaign.promotion.discount.apply_to_items_proportionally",
    "campaign.promotion.discount.apply_to_items_proportionally_by_quantity",
    "campaign.promotion.discount.apply_to_items_by_quantity",
    "campaign.promotion.discount.fixed.apply_to_items",
    "campaign.promotion.discount.percent.apply_to_items",
    "campaign.loyalty_program",
    "voucher.discount_voucher",
    "voucher.discount_voucher.discount.apply_to_order",
    "voucher.discount_voucher.discount.apply_to_items",
    "voucher.discount_voucher.discount.apply_to_items_proportionally",
    "voucher.discount_voucher.discount.apply_to_items_proportionally_by_quantity",
    "voucher.discount_voucher.discount.apply_to_items_by_quantity",
    "voucher.discount_voucher.discount.fixed.apply_to_items",
    "voucher.discount_voucher.discount.percent.apply_to_items",
    "voucher.gift_voucher",
    "voucher.gift_voucher.gift.apply_to_order",
    "voucher.gift_voucher.gift.apply_to_items",
    "voucher.loyalty_card",
    "distribution.custom_event",
    "distribution.order.paid",
    "distribution.order.created",
    "distribution.order.canceled",
    "distribution.order.updated",
    "reward_assignment.pay_with_points",
    "global",
]


class RuleError(msgspec.Struct, kw_only=True):
    """What a shop wants its customer to read when the rules do not hold."""

    message: Annotated[str, Meta(max_length=1_000)] | None = None


class ValidationRuleInput(msgspec.Struct, kw_only=True):
    """`ValidationRulesCreateRequestBody` of the reference."""

    name: Name
    rules: dict[str, Any] | None = None
    error: RuleError | None = None
    applicable_to: dict[str, Any] | None = None
    type: Type | None = None
    context_type: Context | None = None
    bundle_rules: dict[str, Any] | None = None


class ValidationRuleUpdate(msgspec.Struct, kw_only=True):
    """`ValidationRulesUpdateRequestBody` of the reference.

    What is absent or null stays; an error whose message is empty is removed, and so are bundle rules that are null.
    """

    name: Name | None = None
    rules: dict[str, Any] | None = None
    error: RuleError | None = None
    applicable_to: dict[str, Any] | None = None
    type: Type | None = None
    context_type: Context | None = None
    bundle_rules: dict[str, Any] | UnsetType | None = UNSET


Reference = Annotated[str, Meta(min_length=1, max_length=255)]


class AssignmentInput(msgspec.Struct, kw_only=True):
    """`ValidationRulesAssignmentsCreateRequestBody` of the reference; or what it is in the official JavaScript SDK.

    That one has a type of its own for the body: `{"voucher": …}`, `{"campaign": …}` or `{"promotion_tier": …}`.
    """

    related_object_type: Related | None = None
    related_object_id: Reference | None = None
    voucher: Reference | None = None
    campaign: Reference | None = None
    promotion_tier: Reference | None = None

    def related(self) -> tuple[Related, str]:
        """Return the kind of what a rule is assigned to, and its id, code or name. Raises InvalidPayload."""
        older: dict[Related, str | None] = {
            "voucher": self.voucher,
            "campaign": self.campaign,
            "promotion_tier": self.promotion_tier,
        }
        named = [(kind, reference) for kind, reference in older.items() if reference is not None]
        if self.related_object_type is None and self.related_object_id is None and named:
            if len(named) > 1:
                raise InvalidPayload("Only one of .voucher, .campaign and .promotion_tier can be assigned to")
            return named[0]
        if self.related_object_type is None:
            raise InvalidPayload("Missing required property .related_object_type")
        if self.related_object_id is None:
            raise InvalidPayload("Missing required property .related_object_id")
        return self.related_object_type, self.related_object_id


def rule_view(rule: ValidationRule, assignments_count: int) -> dict[str, Any]:
    """Return the validation rule object of the API."""
    shown: dict[str, Any] = {
        "id": rule.id,
        "name": rule.name,
        "rules": rule.rules,
        "bundle_rules": rule.bundle_rules,
        "applicable_to": rule.applicable_to,
        "type": rule.type,
        "context_type": rule.context_type,
        "assignments_count": assignments_count,
        "created_at": iso(rule.created_at),
        "updated_at": None if rule.updated_at is None else iso(rule.updated_at),
        "object": "validation_rules",
    }
    if rule.error is not None:
        shown["error"] = rule.error
    return shown


def assignment_view(assignment: Assignment) -> dict[str, Any]:
    """Return the assignment object of the API."""
    return {
        "id": assignment.id,
        "rule_id": assignment.rule_id,
        "related_object_id": assignment.related_object_id,
        "related_object_type": assignment.related_object_type,
        "created_at": iso(assignment.created_at),
        "object": "validation_rules_assignment",
    }


def assignments_list(assignments: list[Assignment]) -> dict[str, Any]:
    """Return the `validation_rules_assignments` part of a campaign or voucher."""
    return {
        "object": "list",
        "data_ref": "data",
        "data": [assignment_view(one) for one in assignments],
        "total": len(assignments),
    }
