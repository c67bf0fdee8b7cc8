"""Tiers of in-cart promotions on the wire."""

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from rapport.campaigns.validity import WINDOWS, WindowsInput
from rapport.categories.models import Category
from rapport.categories.schemas import view as category_view
from rapport.core.clock import iso
from rapport.core.errors import InvalidPayload
from rapport.customers.schemas import Metadata
from rapport.discounts.schemas import Discount, checked
from rapport.promotions.models import Summary, Tier
from rapport.rules.models import Assignment
from rapport.rules.schemas import assignments_list

MAX_TIERS = 500
MAX_RANK = 1_000_000
MAX_RULES = 50

Name = Annotated[str, Meta(min_length=1, max_length=255)]
Banner = Annotated[str, Meta(max_length=2_000)]
CategoryKey = Annotated[str, Meta(max_length=255)]
Rank = Annotated[int, Meta(ge=0, le=MAX_RANK)]
RuleIds = Annotated[list[Annotated[str, Meta(max_length=255)]], Meta(max_length=MAX_RULES)]


class ActionInput(msgspec.Struct, kw_only=True):
    """What a tier does to an order."""

    discount: Discount | None = None


class RuleGiven(msgspec.Struct, kw_only=True):
    """One assignment as an answer shows it; only its rule counts."""

    rule_id: Annotated[str, Meta(max_length=255)]


class RulesGiven(msgspec.Struct, kw_only=True):
    """A list of assignments as an answer shows it."""

    data: Annotated[list[RuleGiven], Meta(max_length=MAX_RULES)] | None = None


class _RulesInput(WindowsInput, kw_only=True):
    """The windows of a tier, and its rules in either of the two ways in which the reference takes them."""

    validation_rules: RuleIds | None = None
    validation_rule_assignments: RulesGiven | None = None

    @property
    def rule_ids(self) -> list[str] | None:
        """The ids of the rules that are to hold; None where the request says nothing."""
        if self.validation_rules is not None:
            return list(dict.fromkeys(self.validation_rules))
        given = self.validation_rule_assignments
        if given is None or given.data is None:
            return None
        return list(dict.fromkeys(one.rule_id for one in given.data))


class TierInput(_RulesInput, kw_only=True):
    """`PromotionsTiersCreateRequestBody` of the reference."""

    name: Name
    action: ActionInput | None = None
    banner: Banner | None = None
    metadata: Metadata | None = None
    hierarchy: Rank | None = None
    active: bool | None = None
    start_date: str | None = None
    expiration_date: str | None = None
    category: CategoryKey | None = None
    category_id: CategoryKey | None = None


class TierUpdate(_RulesInput, kw_only=True):
    """`PromotionsTiersUpdateRequestBody` of the reference: what is absent or null stays.

    The official SDK sends null for whatever it was not given. An empty banner, date, category or window is removed.
    """

    name: Name | None = None
    action: ActionInput | None = None
    banner: Banner | None = None
    metadata: Metadata | None = None
    hierarchy: Rank | None = None
    active: bool | None = None
    start_date: str | None = None
    expiration_date: str | None = None
    category: CategoryKey | None = None
    category_id: CategoryKey | None = None


class PromotionInput(msgspec.Struct, kw_only=True):
    """The tiers that a new campaign begins with."""

    tiers: Annotated[list[TierInput], Meta(max_length=MAX_TIERS)] | None = None


class PromotionBody(msgspec.Struct, kw_only=True):
    """The part of `CampaignsCreatePromotionCampaign` that is about tiers."""

    promotion: PromotionInput


def discount_of(action: ActionInput | None, current: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the discount of a tier as it is stored. Raises InvalidPayload."""
    if action is None or action.discount is None:
        if current is not None:
            return current
        raise InvalidPayload("Missing required property .action.discount")
    return checked(action.discount.given(), ".action.discount", current)


def _times(tier: Tier, prefix: str = "") -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for name in ("start_date", "expiration_date"):
        at = getattr(tier, prefix + name)
        if at is not None:
            shown[name] = iso(at)
    windows = {name: getattr(tier, prefix + name) for name in WINDOWS}
    return shown | {name: window for name, window in windows.items() if window is not None}


def _campaign_view(tier: Tier) -> dict[str, Any]:
    return {
        "id": tier.campaign_id,
        "name": tier.campaign,
        "campaign_type": tier.campaign_type,
        "active": tier.campaign_active,
        "category_id": tier.campaign_category_id,
        "object": "campaign",
        **_times(tier, "campaign_"),
    }


def _summary_view(summary: Summary) -> dict[str, Any]:
    return {
        "redemptions": {"total_redeemed": summary.redeemed},
        "orders": {
            "total_amount": summary.total_amount,
            "total_discount_amount": summary.total_discount_amount,
        },
    }


def view(
    tier: Tier, summary: Summary | None, assignments: Sequence[Assignment], category: Category | None
) -> dict[str, Any]:
    """Return the promotion tier object of the API, without a summary where there is none."""
    shown: dict[str, Any] = {"id": tier.id, "created_at": iso(tier.created_at), "name": tier.name}
    if tier.updated_at is not None:
        shown["updated_at"] = iso(tier.updated_at)
    if tier.banner is not None:
        shown["banner"] = tier.banner
    if summary is not None:
        shown["summary"] = _summary_view(summary)
    return shown | {
        "action": {"discount": tier.discount},
        "metadata": tier.metadata,
        "hierarchy": tier.hierarchy,
        "promotion_id": tier.campaign_id,
        "campaign": _campaign_view(tier),
        "campaign_id": tier.campaign_id,
        "active": tier.active,
        **_times(tier),
        "object": "promotion_tier",
        "validation_rule_assignments": assignments_list(list(assignments)),
        "category_id": tier.category_id,
        "categories": [] if category is None else [category_view(category)],
    }
