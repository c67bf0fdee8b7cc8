"""Writes of campaigns."""

from typing import Any

import msgspec
from msgspec import UNSET

from rapport.campaigns import codes, generation, queries, removal
from rapport.campaigns.models import AUTO_UPDATE, DISCOUNT_COUPONS, Campaign
from rapport.campaigns.schemas import (
    TIMEFRAMES,
    CampaignInput,
    CampaignUpdate,
    CodeConfigInput,
    changed_instant,
    check_dates,
    discount_of,
    duration_of,
    instant,
    merged_metadata,
    refuse,
)
from rapport.core.clock import LATEST
from rapport.core.db import Connection, UniqueViolation
from rapport.core.errors import DuplicateFound, InvalidPayload, NotFound
from rapport.core.ids import new_id
from rapport.core.queries import read_now
from rapport.http.caller import Caller
from rapport.metadata.queries import load
from rapport.metadata.values import check
from rapport.rules import actions as rules

_UNSERVED = (*TIMEFRAMES, "access_settings", "use_voucher_metadata_schema", "referral_program", "promotion")


def _campaign(data: CampaignInput) -> Campaign:
    refuse(data, (*_UNSERVED, "loyalty_tiers_expiration"))
    refuse(data.voucher, ("is_referral_code",), ".voucher")
    config = (data.voucher.code_config or CodeConfigInput()).configure(".voucher.code_config")
    count = 1 if data.vouchers_count is None else data.vouchers_count
    codes.check_space(config, count, ".voucher.code_config")
    start = instant(data.start_date, ".start_date")
    end = instant(data.expiration_date, ".expiration_date")
    check_dates(start, end)
    redemption = data.voucher.redemption
    return Campaign(
        id=new_id("camp"),
        name=data.name,
        description=data.description,
        campaign_type=DISCOUNT_COUPONS,
        type=data.type or AUTO_UPDATE,
        join_once=bool(data.join_once),
        auto_join=bool(data.auto_join),
        start_date=start,
        expiration_date=end,
        activity_duration=duration_of(data.activity_duration_after_publishing, ".activity_duration_after_publishing"),
        discount=discount_of(data.voucher.discount, ".voucher.discount"),
        quantity=1 if redemption is None or redemption.quantity is UNSET else redemption.quantity,
        code_config=msgspec.to_builtins(config),
        metadata=merged_metadata({}, data.metadata),
        active=data.active is not False,
        codes_wanted=count,
        codes_made=count if count <= generation.AT_ONCE else 0,
        codes_failed=False,
        created_at=LATEST,
        updated_at=None,
    )


async def create(caller: Caller, data: CampaignInput) -> Campaign:
    """Create a campaign (`create-campaign`).

    Up to 1,000 codes are there when this returns; more are made by the worker, and `creation_status` tells.
    Raises InvalidPayload, DuplicateFound for the name, NotFound for a validation rule.
    """
    asked = _campaign(data)

    async def work(conn: Connection) -> Campaign:
        now = await read_now(conn, caller.db.clock_offset)
        schema = (await load(conn, caller.project_id)).of("campaign")
        campaign = msgspec.structs.replace(asked, created_at=now, metadata=check(schema, asked.metadata))
        await queries.insert(conn, caller.project_id, campaign)
        await rules.assign(conn, caller.project_id, now, data.validation_rules or [], "campaign", campaign.id)
        if campaign.codes_made:
            await generation.make_all(conn, caller.project_id, campaign, now, campaign.codes_made)
        if campaign.codes_wanted > 1:
            await generation.note(conn, caller, campaign.id, campaign.codes_wanted, made=campaign.codes_made > 0)
        return campaign

    try:
        return await caller.db.transaction(work)
    except UniqueViolation as error:
        details = f"Duplicated campaign exists with name {data.name}"
        raise DuplicateFound("campaign", data.name, details) from error


async def get_locked(conn: Connection, project_id: int, reference: str, lock: str = "NO KEY UPDATE") -> Campaign:
    """Lock and return the campaign with this id or name. Raises NotFound."""
    campaign = await queries.find(conn, project_id, reference, lock=lock)
    if campaign is None:
        raise NotFound("campaign", reference)
    return campaign


def _changes(data: CampaignUpdate, campaign: Campaign) -> dict[str, Any]:
    plain = ("type", "join_once", "auto_join", "active")
    changes: dict[str, Any] = {name: getattr(data, name) for name in plain if getattr(data, name) is not None}
    if data.description is not None:
        changes["description"] = data.description or None
    for name in ("start_date", "expiration_date"):
        changes[name] = changed_instant(getattr(data, name), getattr(campaign, name), f".{name}")
    if data.activity_duration_after_publishing is not None:
        path = ".activity_duration_after_publishing"
        changes["activity_duration"] = duration_of(data.activity_duration_after_publishing or None, path)
    if data.discount is not None:
        changes["discount"] = discount_of(data.discount, ".discount", campaign.discount)
        if changes["discount"]["type"] != campaign.discount["type"]:
            raise InvalidPayload("Property .discount.type cannot be changed")
    metadata = merged_metadata(campaign.metadata, data.metadata)
    gone = set(data.unset_metadata_fields or ())
    changes["metadata"] = {name: value for name, value in metadata.items() if name not in gone}
    return changes


async def update(caller: Caller, reference: str, data: CampaignUpdate) -> Campaign:
    """Change a campaign (`update-campaign`); codes that have not been published follow it.

    Raises NotFound, InvalidPayload.
    """
    refuse(data, (*TIMEFRAMES, "access_settings"))

    async def work(conn: Connection) -> Campaign:
        lock = "NO KEY UPDATE" if data.type is None else "UPDATE"  # while the type changes, nobody makes codes
        campaign = await get_locked(conn, caller.project_id, reference, lock)
        changed = msgspec.structs.replace(campaign, **_changes(data, campaign))
        if data.metadata is not None or data.unset_metadata_fields:
            schema = (await load(conn, caller.project_id)).of("campaign")
            metadata = check(schema, changed.metadata, before=campaign.metadata)
            changed = msgspec.structs.replace(changed, metadata=metadata)
        check_dates(changed.start_date, changed.expiration_date)
        if changed == campaign:
            return campaign
        now = await read_now(conn, caller.db.clock_offset)
        changed = msgspec.structs.replace(changed, updated_at=now)
        await queries.update(conn, caller.project_id, changed)
        if changed.type != campaign.type:
            await queries.recount(conn, caller.project_id, campaign.id)
            return await get_locked(conn, caller.project_id, campaign.id)
        return changed

    return await caller.db.transaction(work)


async def set_active(caller: Caller, reference: str, *, active: bool) -> Campaign:
    """Enable or disable a campaign (`enable-campaign`, `disable-campaign`). Raises NotFound."""
    return await update(caller, reference, CampaignUpdate(active=active))


async def delete(caller: Caller, reference: str, *, force: bool) -> str:
    """Delete a campaign and its codes (`delete-campaign`); return the id of the action. Raises NotFound.

    Without `force` they go into the bin. The ledger stays.
    """

    async def work(conn: Connection) -> str:
        campaign = await get_locked(conn, caller.project_id, reference, "UPDATE")
        if force:
            return await removal.for_good(conn, caller, campaign.id)
        return await removal.into_bin(conn, caller, campaign)

    return await caller.db.transaction(work)
