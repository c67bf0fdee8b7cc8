"""Writes of campaigns."""

from typing import Any

import msgspec
from msgspec import UNSET

from rapport.campaigns import codes, generation, queries, removal
from rapport.campaigns.gifts import keep_all_gifts
from rapport.campaigns.models import (
    AUTO_UPDATE,
    DISCOUNT_COUPONS,
    GIFT_VOUCHER,
    PROMOTION,
    STATIC,
    VOUCHER_TYPES,
    Campaign,
    Tiers,
)
from rapport.campaigns.schemas import (
    CampaignInput,
    CampaignUpdate,
    CampaignVoucherInput,
    CodeConfigInput,
    changed_instant,
    check_dates,
    duration_of,
    gift_of,
    instant,
    merged_metadata,
    refuse,
)
from rapport.campaigns.validity import WINDOWS, check_start, windows_of
from rapport.categories.actions import get_to_use
from rapport.categories.models import Category
from rapport.core.clock import LATEST
from rapport.core.db import Connection, UniqueViolation
from rapport.core.errors import DuplicateFound, InvalidPayload, NotFound
from rapport.core.ids import new_id
from rapport.core.queries import read_now
from rapport.customers.writes import Unit, Writer
from rapport.discounts.schemas import checked
from rapport.http.caller import Caller
from rapport.metadata.queries import load
from rapport.metadata.values import check
from rapport.rules import actions as rules
from rapport.rules.counted.queries import shut_redemptions_out

# What redemptions are decided on. Codes are locked by whoever redeems them, their campaign is not: so what changes it
# waits for the redemptions under way, and those that begin later see the change.
_DECISIVE = ("active", "start_date", "expiration_date", *WINDOWS, "discount", "gift")
_UNSERVED = ("access_settings", "referral_program", "loyalty_tiers_expiration")
_NO_CODES = {"length": 0, "charset": "", "pattern": ""}


def _offer(campaign_type: str, voucher: CampaignVoucherInput) -> dict[str, Any]:
    """Return what the codes of a campaign are worth, as `discount` and `gift`. Raises InvalidPayload."""
    wanted = VOUCHER_TYPES[campaign_type]
    if voucher.type is not None and voucher.type != wanted:
        raise InvalidPayload(f"Property .voucher.type of a campaign of type {campaign_type} should be {wanted}")
    name, other = ("gift", "discount") if wanted == GIFT_VOUCHER else ("discount", "gift")
    if getattr(voucher, other) is not None:
        raise InvalidPayload(f"Property .voucher.{other} does not belong to a campaign of type {campaign_type}")
    if getattr(voucher, name) is None:
        raise InvalidPayload(f"Missing required property .voucher.{name}")
    if voucher.gift is not None:
        return {"discount": None, "gift": gift_of(voucher.gift, ".voucher.gift")}
    assert voucher.discount is not None
    return {"discount": checked(voucher.discount.given(), ".voucher.discount"), "gift": None}


def _has_tiers(data: CampaignInput) -> bool:
    """Whether a request says anything of tiers; what, the feature that keeps them reads."""
    said = data.promotion.get("tiers") if isinstance(data.promotion, dict) else data.promotion
    return said is not None and said != []


def _codes(data: CampaignInput, campaign_type: str) -> dict[str, Any]:
    """Return what a campaign's codes are like, and how many are wanted. Raises InvalidPayload."""
    if campaign_type == PROMOTION:
        if data.voucher is not None:
            raise InvalidPayload("Property .voucher does not belong to a campaign of type PROMOTION")
        if data.vouchers_count:
            raise InvalidPayload("Property .vouchers_count does not belong to a campaign of type PROMOTION")
        nothing = {"discount": None, "gift": None, "quantity": None, "code_config": _NO_CODES}
        return nothing | {"codes_wanted": 0, "codes_made": 0, "is_referral_code": False}
    if _has_tiers(data):
        raise InvalidPayload(f"Property .promotion does not belong to a campaign of type {campaign_type}")
    if data.voucher is None:
        raise InvalidPayload("Missing required property .voucher")
    refuse(data.voucher, ("loyalty_card",), ".voucher")
    config = (data.voucher.code_config or CodeConfigInput()).configure(".voucher.code_config")
    count = 1 if data.vouchers_count is None else data.vouchers_count
    codes.check_space(config, count, ".voucher.code_config")
    redemption = data.voucher.redemption
    given = UNSET if redemption is None else redemption.quantity
    return _offer(campaign_type, data.voucher) | {
        "quantity": (1 if campaign_type == DISCOUNT_COUPONS else None) if given is UNSET else given,
        "code_config": msgspec.to_builtins(config),
        "codes_wanted": count,
        "codes_made": count if count <= generation.AT_ONCE else 0,
        "is_referral_code": bool(data.voucher.is_referral_code),
    }


def _campaign(data: CampaignInput) -> Campaign:
    refuse(data, _UNSERVED)
    start = instant(data.start_date, ".start_date")
    end = instant(data.expiration_date, ".expiration_date")
    check_dates(start, end)
    windows = windows_of(data)
    check_start(windows.get("validity_timeframe"), start)
    campaign_type = data.campaign_type or DISCOUNT_COUPONS
    return Campaign(
        id=new_id("camp"),
        name=data.name,
        description=data.description,
        campaign_type=campaign_type,
        type=data.type or (STATIC if campaign_type == PROMOTION else AUTO_UPDATE),
        join_once=bool(data.join_once),
        auto_join=bool(data.auto_join),
        start_date=start,
        expiration_date=end,
        activity_duration=duration_of(data.activity_duration_after_publishing, ".activity_duration_after_publishing"),
        metadata=merged_metadata({}, data.metadata),
        active=data.active is not False,
        codes_failed=False,
        created_at=LATEST,
        updated_at=None,
        category=data.category or None,
        category_id=data.category_id or None,
        use_voucher_metadata_schema=bool(data.use_voucher_metadata_schema),
        **_codes(data, campaign_type),
        **windows,
    )


def _kept_category(category: Category | None) -> dict[str, str | None]:
    """Return what a campaign keeps of its category."""
    if category is None:
        return {"category": None, "category_id": None}
    return {"category": category.name, "category_id": category.id}


def taken(name: str) -> DuplicateFound:
    """Return the error for a name that another campaign has."""
    return DuplicateFound("campaign", name, f"Duplicated campaign exists with name {name}")


async def add(conn: Connection, caller: Caller, data: CampaignInput, tiers: Tiers | None = None) -> Campaign:
    """As `create`, in the caller's transaction; a name that is taken fails as UniqueViolation, see `taken`."""
    asked = _campaign(data)
    if _has_tiers(data) and tiers is None:
        raise InvalidPayload("Property .promotion is not supported yet")
    now = await read_now(conn, caller.db.clock_offset)
    schema = (await load(conn, caller.project_id)).of(asked.metadata_schema)
    category = await get_to_use(conn, caller.project_id, asked.category_id, asked.category)
    campaign = msgspec.structs.replace(
        asked, created_at=now, metadata=check(schema, asked.metadata), **_kept_category(category)
    )
    await queries.insert(conn, caller.project_id, campaign)
    await rules.assign(conn, caller.project_id, now, data.validation_rules or [], "campaign", campaign.id)
    if campaign.codes_made:
        await generation.make_all(conn, caller.project_id, campaign, now, campaign.codes_made)
    if tiers is not None and _has_tiers(data):
        await tiers.create(conn, caller, campaign, data.promotion)
    if campaign.codes_wanted > 1:
        await generation.note(conn, caller, campaign.id, campaign.codes_wanted, made=campaign.codes_made > 0)
    return campaign


async def create(caller: Caller, data: CampaignInput, tiers: Tiers | None = None) -> Campaign:
    """Create a campaign (`create-campaign`); `tiers` creates what `promotion` says, in the same transaction.

    Up to 1,000 codes are there when this returns; more are made by the worker, and `creation_status` tells.
    Raises InvalidPayload, DuplicateFound for the name, NotFound for a validation rule.
    """

    async def work(conn: Connection) -> Campaign:
        return await add(conn, caller, data, tiers)

    try:
        return await caller.db.transaction(work)
    except UniqueViolation as error:
        raise taken(data.name) from error


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
    changes |= windows_of(data) | _changed_offer(data, campaign)
    metadata = merged_metadata(campaign.metadata, data.metadata)
    gone = set(data.unset_metadata_fields or ())
    changes["metadata"] = {name: value for name, value in metadata.items() if name not in gone}
    return changes


def _changed_offer(data: CampaignUpdate, campaign: Campaign) -> dict[str, Any]:
    """Return what an update makes of a campaign's discount or gift. Raises InvalidPayload."""
    for name in ("discount", "gift"):
        if getattr(data, name) is not None and getattr(campaign, name) is None:
            raise InvalidPayload(f"Property .{name} does not belong to a campaign of type {campaign.campaign_type}")
    if data.gift is not None:
        return {"gift": gift_of(data.gift, ".gift")}
    if data.discount is None or campaign.discount is None:
        return {}
    discount = checked(data.discount.given(), ".discount", campaign.discount)
    if discount["type"] != campaign.discount["type"]:
        raise InvalidPayload("Property .discount.type cannot be changed")
    return {"discount": discount}


async def update(caller: Caller, reference: str, data: CampaignUpdate) -> Campaign:
    """Change a campaign (`update-campaign`); codes that have not been published follow it.

    Raises NotFound, InvalidPayload.
    """
    refuse(data, _UNSERVED)

    async def work(conn: Connection) -> Campaign:
        if any(getattr(data, name) is not None for name in _DECISIVE):
            await shut_redemptions_out(conn, caller.project_id)
        lock = "NO KEY UPDATE" if data.type is None else "UPDATE"  # while the type changes, nobody makes codes
        campaign = await get_locked(conn, caller.project_id, reference, lock)
        changed = msgspec.structs.replace(campaign, **_changes(data, campaign))
        if data.category_id is not None or data.category is not None:
            category = await get_to_use(conn, caller.project_id, data.category_id, data.category)
            changed = msgspec.structs.replace(changed, **_kept_category(category))
        if data.metadata is not None or data.unset_metadata_fields:
            schema = (await load(conn, caller.project_id)).of(changed.metadata_schema)
            metadata = check(schema, changed.metadata, before=campaign.metadata)
            changed = msgspec.structs.replace(changed, metadata=metadata)
        check_dates(changed.start_date, changed.expiration_date)
        check_start(changed.validity_timeframe, changed.start_date)
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


async def delete(writer: Writer, caller: Caller, reference: str, *, force: bool) -> str:
    """Delete a campaign and its codes (`delete-campaign`); return the id of the action. Raises NotFound.

    Without `force` they go into the bin. The ledger stays. What the holders of its gift cards have left follows.
    """

    async def work(unit: Unit) -> str:
        conn, project_id = unit.conn, unit.project_id
        await shut_redemptions_out(conn, project_id)
        seen = await queries.find(conn, project_id, reference)
        if seen is None:
            raise NotFound("campaign", reference)
        holders = await removal.lock_holders(unit, seen.id, seen.campaign_type)
        campaign = await get_locked(conn, project_id, seen.id, "UPDATE")
        await removal.check_holders(unit, campaign.id, campaign.campaign_type, holders)
        if force:
            done = await removal.for_good(conn, caller, campaign.id)
        else:
            done = await removal.into_bin(conn, caller, campaign, at_once=holders is not None)
        await keep_all_gifts(unit, holders or [])
        return done

    return await writer.commit(caller, work)
