"""Campaigns as the API shows them: with their numbers of codes, their rules, categories and tiers."""

from collections.abc import Sequence
from typing import Any

from rapport.campaigns import queries
from rapport.campaigns.models import PROMOTION, Campaign, Tiers
from rapport.campaigns.schemas import view
from rapport.categories import queries as categories
from rapport.categories.schemas import view as category_view
from rapport.core.db import Connection
from rapport.rules import queries as rules
from rapport.rules.schemas import assignments_list


async def shown(
    conn: Connection, project_id: int, campaigns: Sequence[Campaign], tiers: Tiers | None = None
) -> list[dict[str, Any]]:
    """Return campaigns as the API shows them; `tiers` shows those of campaigns of type PROMOTION."""
    counts = await queries.count_codes(conn, project_id, campaigns)
    assigned = await rules.assignments_of(conn, project_id, [one.id for one in campaigns])
    known = await categories.find_many(conn, project_id, [one.category_id for one in campaigns if one.category_id])
    promotions: dict[str, dict[str, Any]] = {}
    if tiers is not None:
        with_tiers = [one.id for one in campaigns if one.campaign_type == PROMOTION]
        promotions = await tiers.shown(conn, project_id, with_tiers) if with_tiers else {}
    found = []
    for campaign in campaigns:
        rule_list = assignments_list(assigned.get(campaign.id, []))
        one = view(campaign, counts.get(campaign.id, 0), rule_list)
        category = known.get(campaign.category_id or "")
        if category is not None:
            one |= {"category": category.name, "categories": [category_view(category)]}
        if campaign.id in promotions:
            one["promotion"] = promotions[campaign.id]
        found.append(one)
    return found
