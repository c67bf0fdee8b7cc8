"""Writes of tiers of in-cart promotions. Whatever changes a campaign's tiers or stacks has locked its row."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from rapport.campaigns import actions as campaigns
from rapport.campaigns.models import PROMOTION, Campaign
from rapport.campaigns.schemas import changed_instant, check_dates, instant, merged_metadata
from rapport.campaigns.validity import WINDOWS, check_start, windows_of
from rapport.categories.actions import get_to_use
from rapport.core.db import Connection
from rapport.core.errors import InvalidPayload, NotFound, RapportError, ResourceInUse
from rapport.core.ids import new_id
from rapport.core.jsons import check_limits
from rapport.core.queries import read_now
from rapport.http.caller import Caller
from rapport.metadata.queries import load
from rapport.metadata.values import check
from rapport.promotions import hierarchy, queries
from rapport.promotions.models import TIER, Tier
from rapport.promotions.schemas import MAX_TIERS, TierInput, TierUpdate, discount_of
from rapport.promotions.stacks import queries as stacks
from rapport.rules import actions as rules
from rapport.rules import queries as assignments
from rapport.rules.counted.queries import forget_units_of, shut_redemptions_out

# What redemptions are decided on; see campaigns/actions.py.
_DECISIVE = ("active", "action", "start_date", "expiration_date", *WINDOWS)


class NotAPromotion(RapportError):
    """Only a campaign of in-cart promotions has tiers and stacks."""

    key = "not_a_promotion_campaign"
    message = "The campaign is not of type PROMOTION"


class TooManyTiers(RapportError):
    """The campaign has as many tiers as one campaign may have."""

    key = "too_many_promotion_tiers"
    message = "Too many promotion tiers"


async def get_promotion(conn: Connection, project_id: int, reference: str) -> Campaign:
    """Lock and return a campaign of in-cart promotions. Raises NotFound, NotAPromotion."""
    campaign = await campaigns.get_locked(conn, project_id, reference)
    if campaign.campaign_type != PROMOTION:
        raise NotAPromotion(f"Campaign {campaign.id} is of type {campaign.campaign_type}")
    return campaign


async def get(conn: Connection, project_id: int, tier_id: str) -> Tier:
    """Return a tier. Raises NotFound."""
    tier = await queries.find(conn, project_id, tier_id)
    if tier is None:
        raise NotFound(TIER, tier_id)
    return tier


async def _get_locked(
    conn: Connection, project_id: int, tier_id: str, *, is_decisive: bool, rule_ids: Sequence[str] = ()
) -> Tier:
    """Return a tier as it is once its campaign is locked. Raises NotFound.

    Redemptions under way are waited for before where they are decided on what is to change, or on rules that are to be
    assigned.
    """
    tier = await get(conn, project_id, tier_id)
    if is_decisive:
        await shut_redemptions_out(conn, project_id)
    else:
        await rules.prepare(conn, project_id, rule_ids)
    await campaigns.get_locked(conn, project_id, tier.campaign_id)
    return await get(conn, project_id, tier_id)


def _new(data: TierInput, campaign: Campaign, rank: int, category_id: str | None, now: datetime) -> Tier:
    check_limits(data.name, ".name")
    check_limits(data.banner, ".banner")
    start = instant(data.start_date or None, ".start_date")
    end = instant(data.expiration_date or None, ".expiration_date")
    check_dates(start, end)
    windows = dict.fromkeys(WINDOWS) | windows_of(data)
    check_start(windows["validity_timeframe"], start or campaign.start_date)
    return Tier(
        id=new_id("promo"),
        campaign_id=campaign.id,
        name=data.name,
        banner=data.banner or None,
        discount=discount_of(data.action),
        hierarchy=rank,
        metadata=merged_metadata({}, data.metadata),
        active=data.active is not False,
        start_date=start,
        expiration_date=end,
        category_id=category_id,
        created_at=now,
        updated_at=None,
        campaign=campaign.name,
        campaign_type=campaign.campaign_type,
        campaign_active=campaign.active,
        campaign_start_date=campaign.start_date,
        campaign_expiration_date=campaign.expiration_date,
        campaign_validity_timeframe=campaign.validity_timeframe,
        campaign_validity_day_of_week=campaign.validity_day_of_week,
        campaign_validity_hours=campaign.validity_hours,
        campaign_category_id=campaign.category_id,
        **windows,
    )


async def add(
    conn: Connection, caller: Caller, campaign: Campaign, given: Sequence[TierInput], now: datetime, path: str = ""
) -> list[Tier]:
    """Add tiers to a locked campaign, one after another; `path` is where the list is in the body, if it is one.

    Raises InvalidPayload, NotFound for a rule or a category, TooManyTiers.
    """
    schema = (await load(conn, caller.project_id)).of("promotion_tier")
    ranks = await queries.ranks(conn, caller.project_id, campaign.id)
    if len(ranks) + len(given) > MAX_TIERS:
        raise TooManyTiers(f"A campaign may have {MAX_TIERS} tiers")
    made = []
    for number, data in enumerate(given):
        rank = hierarchy.last(ranks) if data.hierarchy is None else data.hierarchy
        category = await get_to_use(conn, caller.project_id, data.category_id, data.category)
        try:
            tier = _new(data, campaign, rank, None if category is None else category.id, now)
            tier = msgspec.structs.replace(tier, metadata=check(schema, tier.metadata))
        except InvalidPayload as error:
            if path:
                error.details = error.details.replace("roperty .", f"roperty {path}[{number}].", 1)
            raise
        passed = hierarchy.added(ranks, rank)
        if passed:
            await queries.set_ranks(conn, caller.project_id, passed, now)
        await queries.insert(conn, caller.project_id, tier)
        await rules.assign(conn, caller.project_id, now, data.rule_ids or [], TIER, tier.id)
        ranks |= passed | {tier.id: rank}
        made.append(tier)
    return made


async def create(caller: Caller, reference: str, data: TierInput) -> Tier:
    """Add a tier to a campaign (`add-promotion-tier-to-campaign`).

    Raises NotFound, NotAPromotion, InvalidPayload, TooManyTiers.
    """

    async def work(conn: Connection) -> Tier:
        await rules.prepare(conn, caller.project_id, data.rule_ids or [])
        campaign = await get_promotion(conn, caller.project_id, reference)
        now = await read_now(conn, caller.db.clock_offset)
        return (await add(conn, caller, campaign, [data], now))[0]

    return await caller.db.transaction(work)


def _changes(data: TierUpdate, tier: Tier) -> dict[str, Any]:
    changes: dict[str, Any] = {
        name: getattr(data, name) for name in ("name", "active") if getattr(data, name) is not None
    }
    if data.name is not None:
        check_limits(data.name, ".name")
    if data.banner is not None:
        check_limits(data.banner, ".banner")
        changes["banner"] = data.banner or None
    for name in ("start_date", "expiration_date"):
        changes[name] = changed_instant(getattr(data, name), getattr(tier, name), f".{name}")
    changes |= windows_of(data)
    changes["discount"] = discount_of(data.action, tier.discount)
    changes["metadata"] = merged_metadata(tier.metadata, data.metadata)
    return changes


async def _changed(conn: Connection, project_id: int, data: TierUpdate, tier: Tier) -> Tier:
    """Return a tier as a request wants it, but for its rank. Raises InvalidPayload, NotFound for a category."""
    changes = _changes(data, tier)
    if data.category_id is not None or data.category is not None:
        category = await get_to_use(conn, project_id, data.category_id, data.category)
        changes["category_id"] = None if category is None else category.id
    changed = msgspec.structs.replace(tier, **changes)
    check_dates(changed.start_date, changed.expiration_date)
    check_start(changed.validity_timeframe, changed.start_date or changed.campaign_start_date)
    if data.metadata is not None:
        schema = (await load(conn, project_id)).of("promotion_tier")
        metadata = check(schema, changed.metadata, before=tier.metadata)
        changed = msgspec.structs.replace(changed, metadata=metadata)
    return changed


async def _move(conn: Connection, project_id: int, tier: Tier, rank: int, now: datetime) -> None:
    ranks: Mapping[str, int] = await queries.ranks(conn, project_id, tier.campaign_id)
    passed = hierarchy.moved(ranks, tier.id, rank)
    if passed:
        await queries.set_ranks(conn, project_id, passed, now)


async def set_rules(conn: Connection, project_id: int, tier_id: str, wanted: Sequence[str], now: datetime) -> bool:
    """Let exactly these rules hold for a tier; return whether that is a change. Raises NotFound."""
    held = (await assignments.assignments_of(conn, project_id, [tier_id])).get(tier_id, [])
    gone = [one for one in held if one.rule_id not in wanted]
    for one in gone:
        await assignments.unassign(conn, project_id, one.rule_id, one.id)
    made = await rules.assign(conn, project_id, now, list(wanted), TIER, tier_id)
    return bool(gone or made)


async def update(caller: Caller, tier_id: str, data: TierUpdate) -> Tier:
    """Change a tier (`update-promotion-tier`); one that goes to another's rank moves those in between.

    Raises NotFound, InvalidPayload.
    """

    async def work(conn: Connection) -> Tier:
        is_decisive = any(getattr(data, name) is not None for name in _DECISIVE)
        tier = await _get_locked(
            conn, caller.project_id, tier_id, is_decisive=is_decisive, rule_ids=data.rule_ids or []
        )
        changed = await _changed(conn, caller.project_id, data, tier)
        now = await read_now(conn, caller.db.clock_offset)
        if data.hierarchy is not None and data.hierarchy != tier.hierarchy:
            await _move(conn, caller.project_id, tier, data.hierarchy, now)
            changed = msgspec.structs.replace(changed, hierarchy=data.hierarchy)
        ruled = data.rule_ids is not None and await set_rules(conn, caller.project_id, tier.id, data.rule_ids, now)
        if changed == tier and not ruled:
            return tier
        changed = msgspec.structs.replace(changed, updated_at=now)
        await queries.update(conn, caller.project_id, changed)
        return changed

    return await caller.db.transaction(work)


async def set_active(caller: Caller, tier_id: str, *, active: bool) -> Tier:
    """Enable or disable a tier (`enable-promotion-tier`, `disable-promotion-tier`). Raises NotFound."""
    return await update(caller, tier_id, TierUpdate(active=active))


async def delete(caller: Caller, tier_id: str) -> None:
    """Delete a tier for good (`delete-promotion-tier`); its redemptions stay.

    Raises NotFound, and ResourceInUse while it is in a stack: what the stack takes off would change.
    """

    async def work(conn: Connection) -> None:
        tier = await _get_locked(conn, caller.project_id, tier_id, is_decisive=True)
        used_by = await stacks.using_tier(conn, caller.project_id, tier.campaign_id, tier.id)
        if used_by:
            raise ResourceInUse(
                f"The tier is in promotion_stack {', '.join(used_by)}", resource_id=tier.id, resource_type=TIER
            )
        await assignments.unassign_objects(conn, caller.project_id, [tier.id])
        await forget_units_of(conn, caller.project_id, tier.id)
        await queries.delete(conn, caller.project_id, tier.id)

    await caller.db.transaction(work)
