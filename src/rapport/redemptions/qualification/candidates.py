"""What could qualify, of every kind, as something to be redeemed."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

import msgspec

from rapport.campaigns.models import GIFT_VOUCHER, PROMOTION, Campaign
from rapport.categories import queries as categories
from rapport.categories.models import Category
from rapport.core.db import Connection
from rapport.promotions.queries import active_tiers
from rapport.promotions.stacks.queries import active_stacks
from rapport.redemptions.qualification import queries
from rapport.redemptions.qualification.schemas import FiltersInput, Scenario
from rapport.redemptions.redeemables.models import STACK, TIER, VOUCHER, Redeemable
from rapport.redemptions.redeemables.queries import named_category, tier_redeemable, with_categories
from rapport.rules.models import Assigned
from rapport.vouchers.models import Voucher

Kind = Literal["voucher", "promotion_tier", "promotion_stack", "campaign"]
CAMPAIGN = "campaign"
# How many of each kind are looked at in one request.
MOST = 500
_KINDS: dict[str, tuple[str, ...]] = {
    "CUSTOMER_WALLET": (VOUCHER,),
    "PROMOTION_STACKS": (STACK,),
    "AUDIENCE_ONLY": (VOUCHER, TIER, CAMPAIGN),
}
_ALL = (VOUCHER, TIER, CAMPAIGN)


class Candidate(msgspec.Struct, frozen=True):
    """Something that may qualify: one redeemable, or the tiers of a stack, which qualify together."""

    object: str
    id: str
    created_at: datetime
    redeemables: list[Redeemable]
    name: str | None = None

    @property
    def values(self) -> dict[str, str | None]:
        """What filters look at."""
        first = self.redeemables[0]
        voucher = first.voucher
        category = first.categories[0].id if first.categories else None
        return {
            "category_id": category,
            "campaign_id": first.campaign_id,
            "campaign_type": PROMOTION if voucher is None else voucher.campaign_kind,
            "resource_id": self.id if voucher is None else voucher.id,
            "resource_type": self.object,
            "voucher_type": None if voucher is None else voucher.type,
            "code": voucher.code if voucher is not None and self.object == VOUCHER else None,
            "holder_role": "OWNER" if voucher is not None and voucher.holder_id is not None else None,
        }


def as_voucher(campaign: Campaign, assigned: list[Assigned], known: Mapping[str, Category]) -> Redeemable:
    """Return a campaign as what a code of it would be, fresh and nobody's; `known` are categories by their ids."""
    gift = campaign.gift and {**campaign.gift, "balance": campaign.gift["amount"], "subtracted_amount": 0}
    voucher = Voucher(
        id=campaign.id,
        code=campaign.id,
        campaign_id=campaign.id,
        campaign=campaign.name,
        discount=campaign.discount,
        quantity=None,
        redeemed_quantity=0,
        active=True,
        start_date=campaign.start_date,
        expiration_date=campaign.expiration_date,
        additional_info=None,
        metadata=campaign.metadata,
        holder_id=None,
        publication_id=None,
        created_at=campaign.created_at,
        updated_at=campaign.updated_at,
        campaign_type=campaign.type,
        campaign_active=campaign.active,
        campaign_start_date=campaign.start_date,
        campaign_expiration_date=campaign.expiration_date,
        type=campaign.voucher_type or GIFT_VOUCHER,
        gift=gift,
        validity_timeframe=campaign.validity_timeframe,
        validity_day_of_week=campaign.validity_day_of_week,
        validity_hours=campaign.validity_hours,
        campaign_kind=campaign.campaign_type,
    )
    category = known.get(campaign.category_id or "")
    return Redeemable(
        object=CAMPAIGN,
        id=campaign.id,
        voucher=voucher,
        assigned=assigned,
        categories=() if category is None else (named_category(category),),
    )


async def find(
    conn: Connection,
    project_id: int,
    scenario: Scenario,
    holder_id: str | None,
    now: datetime,
    before: datetime | None,
    filters: FiltersInput | None,
    *,
    by_client: bool,
) -> list[Candidate]:
    """Return what may qualify in a scenario, made before a moment, the newest first; at most `MOST` of each kind.

    `by_client`: a key that anybody can read asks, which finds no codes that are worth something to whoever knows them.
    """
    kinds = _KINDS.get(scenario, _ALL)
    found: list[Candidate] = []
    if VOUCHER in kinds:
        vouchers = await queries.find_vouchers(
            conn,
            project_id,
            holder_id,
            now,
            before,
            MOST,
            anybodys=scenario != "CUSTOMER_WALLET",
            by_client=by_client,
        )
        found += [_of_voucher(one) for one in vouchers]
    if TIER in kinds:
        tiers = [tier_redeemable(one) for one in await active_tiers(conn, project_id, now, MOST)]
        found += [_of_tier(one) for one in await with_categories(conn, project_id, tiers)]
    if STACK in kinds:
        for stack in await active_stacks(conn, project_id, now, MOST):
            parts = [tier_redeemable(one, stack.stack.id) for one in stack.tiers]
            parts = await with_categories(conn, project_id, parts)
            found.append(Candidate(STACK, stack.stack.id, stack.stack.created_at, parts, stack.stack.name))
    if CAMPAIGN in kinds:
        campaigns = await queries.find_campaigns(conn, project_id, before, MOST)
        ids = {campaign.category_id for campaign, _ in campaigns if campaign.category_id is not None}
        known = await categories.find_many(conn, project_id, sorted(ids)) if ids else {}
        for campaign, assigned in campaigns:
            one = as_voucher(campaign, assigned, known)
            found.append(Candidate(CAMPAIGN, campaign.id, campaign.created_at, [one], campaign.name))
    wanted = [
        one
        for one in found
        if (before is None or one.created_at < before) and (filters is None or filters.hold(one.values))
    ]
    return sorted(wanted, key=lambda one: (one.created_at, one.id), reverse=True)


def _of_voucher(redeemable: Redeemable) -> Candidate:
    assert redeemable.voucher is not None
    return Candidate(VOUCHER, redeemable.id, redeemable.voucher.created_at, [redeemable])


def _of_tier(redeemable: Redeemable) -> Candidate:
    assert redeemable.tier is not None
    return Candidate(TIER, redeemable.id, redeemable.tier.created_at, [redeemable], redeemable.tier.name)


def about_products(redeemable: Redeemable, rules: list[Any], *, discount_only: bool) -> bool:
    """Whether it is about products: its discount is on items, or (not `discount_only`) its rules need them."""
    discount = redeemable.discount or redeemable.gift or {}
    effect = str(discount.get("effect") or "")
    on_items = discount.get("type") == "UNIT" or effect.startswith(("APPLY_TO_ITEMS", "ADD_"))
    if on_items or discount_only:
        return on_items
    return any(rule_set.needs.items for _, rule_set in rules)
