"""Stacking rules on the wire (`ManagementProjectsStackingRules` of the reference)."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from rapport.core.clock import iso
from rapport.core.errors import InvalidPayload
from rapport.http.answers import Count, Instant
from rapport.redemptions import stacking
from rapport.redemptions.stacking import MAX_REDEEMABLES, StackingRules
from rapport.redemptions.stacking_rules.queries import Stored, read

MAX_CATEGORIES = 100
MAX_EXCLUSIVE = 5

CategoryId = Annotated[str, Meta(min_length=1, max_length=100, pattern=r"\A[^\x00]+\Z")]
Categories = Annotated[list[CategoryId], Meta(max_length=MAX_CATEGORIES)]
Limit = Annotated[int, Meta(ge=1, le=MAX_REDEEMABLES)]
ExclusiveLimit = Annotated[int, Meta(ge=1, le=MAX_EXCLUSIVE)]
CategoryLimits = Annotated[dict[CategoryId, Annotated[int, Meta(ge=1, le=10)]], Meta(max_length=MAX_CATEGORIES)]


class StackingRulesInput(msgspec.Struct, kw_only=True):
    """What a request says about stacking rules; what is absent stays as it is."""

    redeemables_limit: Limit | UnsetType = UNSET
    applicable_redeemables_limit: Limit | UnsetType = UNSET
    applicable_redeemables_per_category_limit: Limit | None | UnsetType = UNSET
    applicable_redeemables_category_limits: CategoryLimits | UnsetType = UNSET
    applicable_exclusive_redeemables_limit: ExclusiveLimit | UnsetType = UNSET
    applicable_exclusive_redeemables_per_category_limit: Limit | None | UnsetType = UNSET
    exclusive_categories: Categories | UnsetType = UNSET
    joint_categories: Categories | UnsetType = UNSET
    discount_calculation_mode: Literal["INITIAL_AMOUNT", "DISCOUNTED_AMOUNT"] | UnsetType = UNSET
    initial_amount_mode_categories: Categories | UnsetType = UNSET
    discounted_amount_mode_categories: Categories | UnsetType = UNSET
    redeemables_application_mode: Literal["ALL", "PARTIAL"] | UnsetType = UNSET
    redeemables_sorting_rule: Literal["CATEGORY_HIERARCHY", "REQUESTED_ORDER"] | UnsetType = UNSET
    redeemables_products_application_mode: Literal["STACK", "ONCE"] | UnsetType = UNSET
    redeemables_no_effect_rule: Literal["REDEEM_ANYWAY", "SKIP"] | UnsetType = UNSET
    no_effect_skip_categories: Categories | UnsetType = UNSET
    no_effect_redeem_anyway_categories: Categories | UnsetType = UNSET
    redeemables_rollback_order_mode: Literal["WITH_ORDER", "WITHOUT_ORDER"] | UnsetType = UNSET


class StackingRulesBody(msgspec.Struct, kw_only=True):
    """The rules as an answer beside something else has them."""

    redeemables_limit: Count
    applicable_redeemables_limit: Count
    applicable_redeemables_per_category_limit: Count | None
    applicable_redeemables_category_limits: dict[str, Count]
    applicable_exclusive_redeemables_limit: Count
    applicable_exclusive_redeemables_per_category_limit: Count | None
    exclusive_categories: list[str]
    joint_categories: list[str]
    discount_calculation_mode: Literal["INITIAL_AMOUNT", "DISCOUNTED_AMOUNT"]
    initial_amount_mode_categories: list[str]
    discounted_amount_mode_categories: list[str]
    redeemables_application_mode: Literal["ALL", "PARTIAL"]
    redeemables_sorting_rule: Literal["CATEGORY_HIERARCHY", "REQUESTED_ORDER"]
    redeemables_products_application_mode: Literal["STACK", "ONCE"]
    redeemables_no_effect_rule: Literal["REDEEM_ANYWAY", "SKIP"]
    no_effect_skip_categories: list[str]
    no_effect_redeem_anyway_categories: list[str]
    redeemables_rollback_order_mode: Literal["WITH_ORDER", "WITHOUT_ORDER"]
    grouped_redeemables_sorting_rule: Literal["JOINT_ALWAYS_LAST"]


class StackingRulesAnswer(StackingRulesBody, kw_only=True):
    """The rules of a project."""

    id: str
    created_at: Instant
    updated_at: Instant | None


class StackingRulesList(msgspec.Struct, kw_only=True):
    """The one set of rules of a project, or none where the defaults hold."""

    object: Literal["list"]
    data_ref: Literal["data"]
    data: list[StackingRulesAnswer]
    total: Count


_DISJOINT = (
    ("exclusive_categories", "joint_categories"),
    ("no_effect_skip_categories", "no_effect_redeem_anyway_categories"),
    ("initial_amount_mode_categories", "discounted_amount_mode_categories"),
)


def changed(data: StackingRulesInput, before: StackingRules) -> StackingRules:
    """Return the rules with what a request says. Raises InvalidPayload for what contradicts itself."""
    values = {name: getattr(data, name) for name in data.__struct_fields__}
    given = {
        name: tuple(dict.fromkeys(value)) if isinstance(value, list) else value
        for name, value in values.items()
        if value is not UNSET
    }
    rules = msgspec.structs.replace(before, **given)
    if rules.applicable_redeemables_limit > rules.redeemables_limit:
        raise InvalidPayload(
            f"Property .applicable_redeemables_limit must be <= {rules.redeemables_limit}, the .redeemables_limit"
        )
    per_category = rules.applicable_redeemables_per_category_limit
    if per_category is not None and per_category > rules.applicable_redeemables_limit:
        raise InvalidPayload(
            "Property .applicable_redeemables_per_category_limit must be <= "
            f"{rules.applicable_redeemables_limit}, the .applicable_redeemables_limit"
        )
    for one, other in _DISJOINT:
        if both := sorted(set(getattr(rules, one)) & set(getattr(rules, other))):
            raise InvalidPayload(f"Category {both[0]} may not be in both .{one} and .{other}")
    return rules


def view(stored: Stored) -> dict[str, Any]:
    """Return the stacking rules object of the API."""
    return {
        "id": stored.id,
        **stacking.shown(read(stored.rules)),
        "created_at": iso(stored.created_at),
        "updated_at": None if stored.updated_at is None else iso(stored.updated_at),
    }
