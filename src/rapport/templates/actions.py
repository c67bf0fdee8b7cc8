"""Writes of campaign templates, and of what is made from them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar

import msgspec

from rapport.campaigns import actions as campaigns
from rapport.campaigns.models import DISCOUNT_COUPONS, PROMOTION, Campaign
from rapport.core.db import Connection, UniqueViolation
from rapport.core.errors import DuplicateFound, InvalidPayload, NotFound, RapportError
from rapport.core.ids import new_id
from rapport.core.jsons import check_limits
from rapport.core.queries import read_now
from rapport.http.caller import Caller
from rapport.product_collections.actions import hold
from rapport.promotions import actions as promotions
from rapport.promotions.models import Tier
from rapport.rules import actions as rule_actions
from rapport.rules import queries as rules
from rapport.rules.models import ValidationRule
from rapport.segments import queries as segments
from rapport.templates import configurations, queries
from rapport.templates.models import Template
from rapport.templates.schemas import CampaignSetup, TemplateInput, TemplateUpdate, TierSetup

RESOURCE = "campaign_template"
MAX_TEMPLATES = 1_000
_OF_THE_ROW = ("id", "created_at", "updated_at")


class NotSupportedByTemplate(RapportError):
    """There are templates of discount coupons and gift cards only, and tiers are made from those of discounts."""

    key: ClassVar[str] = "campaign_type_is_not_supported_by_campaign_template"
    message: ClassVar[str] = "Campaign of the given type is not supported by campaign template"


class TooManyTemplates(RapportError):
    """The project has as many campaign templates as one project may have."""

    key = "too_many_campaign_templates"
    message = "Too many campaign templates"


def _taken(name: str) -> DuplicateFound:
    return DuplicateFound(RESOURCE, name, f"Duplicated {RESOURCE} exists with name {name}")


async def _rules_of(conn: Connection, project_id: int, object_id: str) -> list[dict[str, Any]]:
    """Return the rules that hold for a campaign or a tier itself, as values to be kept."""
    assigned = (await rules.assignments_of(conn, project_id, [object_id])).get(object_id, [])
    found = [await rules.find(conn, project_id, one.rule_id) for one in assigned]
    return [
        {name: value for name, value in msgspec.structs.asdict(rule).items() if name not in _OF_THE_ROW}
        for rule in found
        if rule is not None
    ]


async def _original(conn: Connection, project_id: int, data: TemplateInput) -> tuple[str, str, dict[str, Any]]:
    """Return the id of what the template is of, the type of its campaigns, and what it keeps of it.

    Raises NotFound, NotSupportedByTemplate.
    """
    if data.promotion_tier_id is not None:
        tier = await promotions.get(conn, project_id, data.promotion_tier_id)
        return tier.id, DISCOUNT_COUPONS, configurations.of_tier(tier)
    campaign = await campaigns.get_locked(conn, project_id, data.campaign_id or "")
    if campaign.campaign_type == PROMOTION:
        raise NotSupportedByTemplate(f"Campaign {campaign.id} is of type {campaign.campaign_type}")
    return campaign.id, campaign.campaign_type, configurations.of_campaign(campaign)


async def create(caller: Caller, data: TemplateInput) -> Template:
    """Create a template of a campaign or a tier as it is now (`create-campaign-template`).

    Raises InvalidPayload, NotFound, NotSupportedByTemplate, DuplicateFound for the name, TooManyTemplates.
    """
    check_limits(msgspec.to_builtins(data))
    if (data.campaign_id is None) is (data.promotion_tier_id is None):
        raise InvalidPayload("Either .campaign_id or .promotion_tier_id should be given")

    async def work(conn: Connection) -> Template:
        await queries.lock_all(conn, caller.project_id)
        if await queries.count(conn, caller.project_id) >= MAX_TEMPLATES:
            raise TooManyTemplates(f"A project may have {MAX_TEMPLATES} campaign templates")
        original_id, campaign_type, configuration = await _original(conn, caller.project_id, data)
        now = await read_now(conn, caller.db.clock_offset)
        template = Template(
            id=queries.new_template_id(now),
            name=data.name,
            description=data.description or None,
            campaign_type=campaign_type,
            configuration=configuration,
            rules=await _rules_of(conn, caller.project_id, original_id),
            created_at=now,
            updated_at=None,
        )
        await queries.insert(conn, caller.project_id, template)
        return template

    try:
        return await caller.db.transaction(work)
    except UniqueViolation as error:
        raise _taken(data.name) from error


async def get(conn: Connection, project_id: int, template_id: str, *, lock: bool = False) -> Template:
    """Return a template. Raises NotFound."""
    template = await queries.find(conn, project_id, template_id, lock=lock)
    if template is None:
        raise NotFound(RESOURCE, template_id)
    return template


async def update(caller: Caller, template_id: str, data: TemplateUpdate) -> Template:
    """Change a template's name or description (`update-campaign-template`). Raises NotFound, DuplicateFound."""
    check_limits(msgspec.to_builtins(data))

    async def work(conn: Connection) -> Template:
        template = await get(conn, caller.project_id, template_id, lock=True)
        changed = msgspec.structs.replace(
            template,
            name=data.name or template.name,
            description=template.description if data.description is None else data.description or None,
            updated_at=await read_now(conn, caller.db.clock_offset),
        )
        await queries.update(conn, caller.project_id, changed)
        return changed

    try:
        return await caller.db.transaction(work)
    except UniqueViolation as error:
        raise _taken(data.name or "") from error


async def delete(caller: Caller, template_id: str) -> None:
    """Delete a template for good (`delete-campaign-template`); what was made from it stays. Raises NotFound."""

    async def work(conn: Connection) -> None:
        if not await queries.delete(conn, caller.project_id, template_id):
            raise NotFound(RESOURCE, template_id)

    await caller.db.transaction(work)


async def _copy_rules(
    conn: Connection, project_id: int, kept: Sequence[dict[str, Any]], name: str, now: datetime
) -> list[str]:
    """Create the rules that a template keeps, called after what they are for; return their ids.

    Raises NotFound for a segment or a product collection that is deleted since.
    """
    made = []
    named = {segment_id for one in kept for segment_id in one["segment_ids"]}
    if named:
        await segments.lock_definitions(conn, project_id)
        existing = await segments.existing(conn, project_id, named)
        for segment_id in sorted(named - existing.keys()):
            raise NotFound("segment", segment_id)
    await hold(conn, project_id, {collection_id for one in kept for collection_id in one.get("collection_ids", ())})
    for one in kept:
        own = {"id": new_id("val"), "name": f"{one['name']} ({name})"[:255], "created_at": now, "updated_at": None}
        rule = ValidationRule(**(one | own))
        await rules.insert(conn, project_id, rule)
        made.append(rule.id)
    return made


async def set_campaign_up(caller: Caller, template_id: str, data: CampaignSetup) -> tuple[Campaign, list[str]]:
    """Create a campaign from a template (`create-campaign-from-template`), with rules of its own; return their ids.

    Raises NotFound, InvalidPayload, DuplicateFound for the name.
    """

    async def work(conn: Connection) -> tuple[Campaign, list[str]]:
        template = await get(conn, caller.project_id, template_id)
        asked = configurations.campaign_input(template.configuration, data)
        now = await read_now(conn, caller.db.clock_offset)
        made = await _copy_rules(conn, caller.project_id, template.rules, data.name, now)
        asked = msgspec.structs.replace(asked, validation_rules=made)
        return await campaigns.add(conn, caller, asked), made

    try:
        return await caller.db.transaction(work)
    except UniqueViolation as error:
        raise campaigns.taken(data.name) from error


async def set_tier_up(caller: Caller, template_id: str, data: TierSetup) -> tuple[Tier, list[str]]:
    """Add a tier to a campaign from a template (`add-tier-from-template`), with rules of its own; return their ids.

    Raises NotFound, NotAPromotion, NotSupportedByTemplate, InvalidPayload.
    """

    async def work(conn: Connection) -> tuple[Tier, list[str]]:
        template = await get(conn, caller.project_id, template_id)
        if template.campaign_type != DISCOUNT_COUPONS:
            raise NotSupportedByTemplate(f"A tier cannot be made from a template of type {template.campaign_type}")
        asked = configurations.tier_input(template.configuration, data)
        now = await read_now(conn, caller.db.clock_offset)
        made = await _copy_rules(conn, caller.project_id, template.rules, data.name, now)
        await rule_actions.prepare(conn, caller.project_id, made)
        campaign = await promotions.get_promotion(conn, caller.project_id, data.campaign_id)
        asked = msgspec.structs.replace(asked, validation_rules=made)
        return (await promotions.add(conn, caller, campaign, [asked], now))[0], made

    return await caller.db.transaction(work)
