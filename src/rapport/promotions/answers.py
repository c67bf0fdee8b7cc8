"""What the operations of in-cart promotions answer, as the OpenAPI document declares it."""

from collections.abc import Sequence
from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from rapport.campaigns.answers import DiscountAnswer, HoursAnswer, TimeframeAnswer
from rapport.campaigns.validity import Weekday
from rapport.categories import queries as categories
from rapport.categories.schemas import CategoryAnswer
from rapport.core.db import Connection
from rapport.http.answers import Count, Instant
from rapport.promotions import queries
from rapport.promotions.models import Summary, Tier
from rapport.promotions.schemas import view
from rapport.rules import queries as rules
from rapport.rules.answers import AssignmentsAnswer


class ActionAnswer(msgspec.Struct, kw_only=True):
    """What a tier does to an order."""

    discount: DiscountAnswer


class RedeemedAnswer(msgspec.Struct, kw_only=True):
    """How often a tier was redeemed, without what was rolled back."""

    total_redeemed: Count


class OrdersAnswer(msgspec.Struct, kw_only=True):
    """What the orders came to, and what the tier took off them; in minor units."""

    total_amount: Count
    total_discount_amount: Count


class SummaryAnswer(msgspec.Struct, kw_only=True):
    """What a tier came to."""

    redemptions: RedeemedAnswer
    orders: OrdersAnswer


class TierCampaignAnswer(msgspec.Struct, kw_only=True):
    """The campaign of a tier."""

    id: str
    name: str
    campaign_type: str
    active: bool
    category_id: str | None
    object: Literal["campaign"]
    start_date: Instant | UnsetType = UNSET
    expiration_date: Instant | UnsetType = UNSET
    validity_timeframe: TimeframeAnswer | UnsetType = UNSET
    validity_day_of_week: list[Weekday] | UnsetType = UNSET
    validity_hours: HoursAnswer | UnsetType = UNSET


class TierAnswer(msgspec.Struct, kw_only=True):
    """A tier of an in-cart promotion."""

    id: str
    created_at: Instant
    name: str
    action: ActionAnswer
    metadata: dict[str, Any]
    hierarchy: Count
    promotion_id: str
    campaign: TierCampaignAnswer
    campaign_id: str
    active: bool
    object: Literal["promotion_tier"]
    validation_rule_assignments: AssignmentsAnswer
    category_id: str | None
    categories: list[CategoryAnswer]
    summary: SummaryAnswer | UnsetType = UNSET
    updated_at: Instant | UnsetType = UNSET
    banner: str | UnsetType = UNSET
    start_date: Instant | UnsetType = UNSET
    expiration_date: Instant | UnsetType = UNSET
    validity_timeframe: TimeframeAnswer | UnsetType = UNSET
    validity_day_of_week: list[Weekday] | UnsetType = UNSET
    validity_hours: HoursAnswer | UnsetType = UNSET


class TiersAnswer(msgspec.Struct, kw_only=True):
    """The tiers of a campaign, all of them."""

    object: Literal["list"]
    data_ref: Literal["tiers"]
    tiers: list[TierAnswer]
    total: Count
    has_more: bool


async def shown(
    conn: Connection, project_id: int, tiers: Sequence[Tier], *, summarized: bool = False
) -> list[dict[str, Any]]:
    """Return tiers as the API shows them, with their rules and their categories.

    `summarized`: also with what they came to.
    """
    if not tiers:
        return []
    ids = [tier.id for tier in tiers]
    summaries = await queries.summaries(conn, project_id, ids) if summarized else {}
    assigned = await rules.assignments_of(conn, project_id, ids)
    known = await categories.find_many(conn, project_id, [tier.category_id for tier in tiers if tier.category_id])
    return [
        view(
            tier,
            summaries.get(tier.id, Summary()) if summarized else None,
            assigned.get(tier.id, []),
            known.get(tier.category_id or ""),
        )
        for tier in tiers
    ]


def tiers_list(tiers: list[dict[str, Any]]) -> dict[str, Any]:
    """Return all tiers of a campaign as a list."""
    return {"object": "list", "data_ref": "tiers", "tiers": tiers, "total": len(tiers), "has_more": False}
