"""What another feature adds to campaigns of type PROMOTION: in the same transaction, and shown with them."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from rapport.campaigns import actions
from rapport.campaigns.models import Campaign
from rapport.campaigns.schemas import CampaignInput
from rapport.core.db import Database
from rapport.core.errors import InvalidPayload


class Recorded:
    """Tiers that are only remembered."""

    def __init__(self, error: Exception | None = None) -> None:
        self.seen: list[tuple[str, Any]] = []
        self._error = error

    async def create(self, conn: Any, caller: Any, campaign: Campaign, promotion: Any) -> None:
        """Remember what was asked for."""
        _ = conn, caller
        self.seen.append((campaign.id, promotion))
        if self._error is not None:
            raise self._error

    async def shown(self, conn: Any, project_id: int, campaign_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Return no tiers."""
        _ = conn, project_id
        return {one: {"tiers": []} for one in campaign_ids}


async def _create(db: Database, project_id: int, tiers: Recorded) -> Campaign:
    data = msgspec.convert(
        {"name": "Cart", "campaign_type": "PROMOTION", "promotion": {"tiers": [{"name": "One"}]}}, CampaignInput
    )
    caller: Any = type("Caller", (), {"db": db, "project_id": project_id})()
    return await actions.create(caller, data, tiers)


async def test_tiers_are_created_with_their_campaign(db: Database, project_id: int) -> None:
    tiers = Recorded()
    campaign = await _create(db, project_id, tiers)
    assert tiers.seen == [(campaign.id, {"tiers": [{"name": "One"}]})]


async def test_a_tier_that_cannot_be_undoes_its_campaign(db: Database, project_id: int) -> None:
    with pytest.raises(InvalidPayload):
        await _create(db, project_id, Recorded(InvalidPayload("Property .promotion.tiers[0] is wrong")))
    async with db.read() as conn:
        assert await conn.fetchval("SELECT count(*) FROM campaigns WHERE project_id = $1", project_id) == 0
