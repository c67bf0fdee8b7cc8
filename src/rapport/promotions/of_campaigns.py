"""The tiers that a campaign is created with and shown with: what `campaigns` asks of this feature."""

from collections.abc import Sequence
from typing import Any

from rapport.campaigns.models import Campaign
from rapport.core import jsons
from rapport.core.db import Connection
from rapport.core.queries import read_now
from rapport.http.bodies import parse
from rapport.http.caller import Caller
from rapport.promotions import actions, queries
from rapport.promotions.answers import shown, tiers_list
from rapport.promotions.schemas import PromotionBody


class CampaignTiers:
    """`campaigns.models.Tiers`, made of the tables of this feature."""

    async def create(self, conn: Connection, caller: Caller, campaign: Campaign, promotion: Any) -> None:
        """Create the tiers that the `promotion` of a new campaign lists, in its transaction; none where it is empty.

        Raises InvalidPayload, NotFound for a rule or a category.
        """
        if not promotion:
            return
        body = parse(jsons.encode({"promotion": promotion}), PromotionBody)
        now = await read_now(conn, caller.db.clock_offset)
        await actions.add(conn, caller, campaign, body.promotion.tiers or [], now, ".promotion.tiers")

    async def shown(self, conn: Connection, project_id: int, campaign_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Return the `promotion` of each of these campaigns as the API shows it: its tiers by rank."""
        found = await queries.of_campaigns(conn, project_id, campaign_ids)
        tiers = [tier for campaign_id in campaign_ids for tier in found.get(campaign_id, [])]
        views: dict[str, list[dict[str, Any]]] = {campaign_id: [] for campaign_id in campaign_ids}
        for one in await shown(conn, project_id, tiers, summarized=True):
            views[one["campaign_id"]].append(one)
        return {campaign_id: tiers_list(part) for campaign_id, part in views.items()}
