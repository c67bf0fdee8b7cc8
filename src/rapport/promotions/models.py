"""Tiers and stacks of in-cart promotions as values."""

from datetime import datetime
from typing import Any, Final

import msgspec

from rapport.rules.models import Assigned

TIER: Final = "promotion_tier"
STACK: Final = "promotion_stack"


class Tier(msgspec.Struct, frozen=True):
    """One tier with what its campaign says: both have to hold for it to be applied.

    `discount` is the reference's discount object. The tiers of a campaign have different ranks (`hierarchy`), the lower
    is applied first. Windows of time are as the API shows them (see `campaigns.windows`).
    """

    id: str
    campaign_id: str
    name: str
    banner: str | None
    discount: dict[str, Any]
    hierarchy: int
    metadata: dict[str, Any]
    active: bool
    start_date: datetime | None
    expiration_date: datetime | None
    validity_timeframe: dict[str, Any] | None
    validity_day_of_week: list[int] | None
    validity_hours: dict[str, Any] | None
    category_id: str | None
    created_at: datetime
    updated_at: datetime | None
    campaign: str
    campaign_type: str
    campaign_active: bool
    campaign_start_date: datetime | None
    campaign_expiration_date: datetime | None
    campaign_validity_timeframe: dict[str, Any] | None
    campaign_validity_day_of_week: list[int] | None
    campaign_validity_hours: dict[str, Any] | None
    campaign_category_id: str | None

    @property
    def category_ids(self) -> list[str]:
        """The categories that count for it: its own, or else its campaign's."""
        own = self.category_id or self.campaign_category_id
        return [] if own is None else [own]


class Stack(msgspec.Struct, frozen=True):
    """One row of promotion_stacks: tiers of one campaign, in the order in which they are applied."""

    id: str
    campaign_id: str
    name: str
    tier_ids: list[str]
    hierarchy_mode: str
    category_id: str | None
    created_at: datetime
    updated_at: datetime | None


class RedeemableTier(msgspec.Struct, frozen=True):
    """A tier with the rules that hold for it: assigned to it, or to its campaign."""

    tier: Tier
    assigned: list[Assigned]


class RedeemableStack(msgspec.Struct, frozen=True):
    """A stack with its tiers in their order, each with its rules."""

    stack: Stack
    tiers: list[RedeemableTier]


class Summary(msgspec.Struct, frozen=True):
    """What a tier came to: redemptions that stand, the totals of their orders, what was taken off; in minor units."""

    redeemed: int = 0
    total_amount: int = 0
    total_discount_amount: int = 0

    def plus(self, other: "Summary", sign: int = 1) -> "Summary":
        """Return the sum, or with `sign` -1 the difference."""
        return Summary(
            self.redeemed + sign * other.redeemed,
            self.total_amount + sign * other.total_amount,
            self.total_discount_amount + sign * other.total_discount_amount,
        )
