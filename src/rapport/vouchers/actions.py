"""Writes of vouchers."""

from typing import Any

import msgspec

from rapport.campaigns import actions as campaigns
from rapport.campaigns import codes, generation
from rapport.campaigns import queries as campaign_queries
from rapport.campaigns.codes import CodeConfig
from rapport.campaigns.gifts import keep_gifts
from rapport.campaigns.models import Campaign
from rapport.campaigns.schemas import (
    CodeConfigInput,
    changed_instant,
    check_dates,
    gift_of,
    merged_metadata,
    refuse,
)
from rapport.campaigns.validity import WINDOWS, check_start, windows_of
from rapport.core.db import Connection, Restart
from rapport.core.errors import DuplicateFound, InvalidPayload, NotFound, RapportError
from rapport.core.ids import new_id
from rapport.core.queries import read_now
from rapport.customers.schemas import simple_view
from rapport.customers.writes import Unit, Writer
from rapport.discounts.schemas import Gift, checked
from rapport.http.caller import Caller
from rapport.metadata.queries import load
from rapport.metadata.values import check
from rapport.rules import actions as rules
from rapport.rules import queries as assignments
from rapport.rules.counted.queries import forget_units_of, shut_redemptions_out
from rapport.vouchers import drafts, placing, queries, removal
from rapport.vouchers.ledger.models import Movement, Type
from rapport.vouchers.ledger.moving import lock_holder, move
from rapport.vouchers.models import Voucher
from rapport.vouchers.queries import NewVoucher
from rapport.vouchers.schemas import AddedVoucherInput, VoucherInput, VoucherUpdate, campaign_view, event_view

_DRAWS = 20


class InvalidVoucher(RapportError):
    """The voucher cannot become what is asked for."""

    key = "invalid_voucher"
    message = "Invalid Voucher"


async def get(conn: Connection, project_id: int, reference: str) -> Voucher:
    """Return the voucher with this code or id. Raises NotFound."""
    voucher = await queries.find(conn, project_id, reference)
    if voucher is None:
        raise NotFound("voucher", reference)
    return voucher


async def create(caller: Caller, data: VoucherInput, code: str | None) -> Voucher:
    """Create a voucher, its code given or drawn (`create-voucher`, `generate-random-code`).

    In the campaign that it names what is not said is the campaign's, else it stands alone. Raises InvalidPayload,
    DuplicateFound for the code, NotFound for the campaign or a validation rule, NoFreeCode.
    """
    wanted, reference = code or data.code, data.campaign_id or data.campaign

    async def work(conn: Connection) -> Voucher:
        config = (data.code_config or CodeConfigInput()).configure(".code_config")
        await rules.prepare(conn, caller.project_id, data.validation_rules or [])
        if reference is None:
            new = drafts.standalone(data)
        else:
            campaign = await campaigns.get_locked(conn, caller.project_id, reference)
            if data.campaign not in (None, campaign.name, campaign.id):
                raise InvalidPayload("Properties .campaign and .campaign_id name different campaigns")
            new = drafts.of_campaign(data, campaign)
            config = campaign.codes if data.code_config is None else config
            await campaign_queries.add_wanted(conn, caller.project_id, campaign.id, 1, 1)
        taken = await _insert(caller, conn, new, wanted, config)
        now = await read_now(conn, caller.db.clock_offset)
        await rules.assign(conn, caller.project_id, now, data.validation_rules or [], "voucher", new.id)
        return await get(conn, caller.project_id, taken)

    return await caller.db.transaction(work)


async def _checked(caller: Caller, conn: Connection, new: NewVoucher) -> NewVoucher:
    """Return a voucher in its category, its metadata as their schema wants them. Raises MetadataInvalid, NotFound."""
    schema = (await load(conn, caller.project_id)).of("voucher")
    known = await placing.load(conn, caller.project_id, new.category, new.category_id)
    place = placing.placed(known, new.category, new.category_id)
    return msgspec.structs.replace(new, metadata=check(schema, new.metadata), **place)


async def _insert(caller: Caller, conn: Connection, new: NewVoucher, code: str | None, config: CodeConfig) -> str:
    new = await _checked(caller, conn, new)
    if code is not None:
        codes.check_text(code, ".code")
        if len(code) > codes.MAX_CODE_LENGTH:
            raise InvalidPayload(f"Property .code is longer than {codes.MAX_CODE_LENGTH} characters")
        named = msgspec.structs.replace(new, code=code)
        if not await queries.insert(conn, caller.project_id, named, caller.db.clock_offset):
            raise DuplicateFound("voucher", code)
        return code
    for drawn in codes.draw(config, _DRAWS)[:_DRAWS]:
        named = msgspec.structs.replace(new, code=drawn)
        if await queries.insert(conn, caller.project_id, named, caller.db.clock_offset):
            return drawn
    raise generation.NoFreeCode


async def add_to_campaign(
    caller: Caller, reference: str, data: AddedVoucherInput, code: str | None, count: int
) -> Voucher | str:
    """Add vouchers to a campaign (`add-vouchers-to-campaign`, `add-voucher-with-specific-code-to-campaign`).

    Returns the voucher if it is one, or else the id of the action. More than a thousand are left to the worker.
    Raises NotFound, InvalidPayload, DuplicateFound, NoFreeCode.
    """
    wanted = code or data.code
    if count > 1 and wanted is not None:
        raise InvalidPayload("Property .code needs a vouchers_count of 1")
    if count > generation.AT_ONCE and (data.differs or data.code_config is not None):
        raise InvalidPayload(f"Vouchers that differ from the campaign are at most {generation.AT_ONCE} in a request")

    async def work(conn: Connection) -> Voucher | str:
        campaign = await campaigns.get_locked(conn, caller.project_id, reference)
        drafts.check_has_vouchers(campaign)
        config = campaign.codes if data.code_config is None else data.code_config.configure(".code_config")
        codes.check_space(config, count, ".code_config")
        new = drafts.of_campaign(VoucherInput(**msgspec.structs.asdict(data)), campaign) if data.differs else None
        if count > 1:
            return await _add_many(caller, conn, campaign, count, config, new)
        new = new or drafts.of_campaign(VoucherInput(), campaign)
        await campaign_queries.add_wanted(conn, caller.project_id, campaign.id, 1, 1)
        return await get(conn, caller.project_id, await _insert(caller, conn, new, wanted, config))

    return await caller.db.transaction(work)


async def _add_many(
    caller: Caller, conn: Connection, campaign: Campaign, count: int, config: CodeConfig, new: NewVoucher | None
) -> str:
    made = 0
    if new is not None:
        made = await _insert_alike(caller, conn, new, count, config)
    elif count <= generation.AT_ONCE:
        now = await read_now(conn, caller.db.clock_offset)
        made = len(await generation.make_all(conn, caller.project_id, campaign, now, count, config))
    await campaign_queries.add_wanted(conn, caller.project_id, campaign.id, count, made)
    return await generation.note(conn, caller, campaign.id, count, made=made > 0)


async def _insert_alike(caller: Caller, conn: Connection, new: NewVoucher, count: int, config: CodeConfig) -> int:
    """Insert vouchers that differ in nothing but their codes, which are drawn. Raises NoFreeCode."""
    new = await _checked(caller, conn, new)
    now = await read_now(conn, caller.db.clock_offset)
    made = 0
    for _ in range(_DRAWS):
        drawn = codes.draw(config, max(count - made, _DRAWS))
        taken = await queries.taken(conn, caller.project_id, drawn)
        free = [code for code in drawn if code not in taken][: count - made]
        alike = [msgspec.structs.replace(new, id=new_id("v"), code=code) for code in free]
        made += len(await queries.insert_many(conn, caller.project_id, alike, now))
        if made == count:
            return made
    raise generation.NoFreeCode(f"Only {made} of {count} codes could be made", resource_id=new.campaign_id)


def _changes(data: VoucherUpdate, voucher: Voucher) -> dict[str, Any]:
    changes: dict[str, Any] = {} if data.active is None else {"active": data.active}
    if data.additional_info is not None:
        changes["additional_info"] = data.additional_info or None
    for name in ("start_date", "expiration_date"):
        if getattr(data, name) is not None:
            changes[name] = changed_instant(getattr(data, name), None, f".{name}")
    changes |= windows_of(data)
    start = changes.get("start_date", voucher.start_date)
    check_dates(start, changes.get("expiration_date", voucher.expiration_date))
    check_start(changes.get("validity_timeframe", voucher.validity_timeframe), start)
    if data.metadata is not None:
        changes["metadata"] = merged_metadata(voucher.metadata, data.metadata)
    changes |= _changed_offer(data, voucher)
    if data.redemption is not None and isinstance(data.redemption.quantity, int):
        changes["quantity"] = data.redemption.quantity
        if data.redemption.quantity < voucher.redeemed_quantity:
            raise InvalidPayload(f"Property .redemption.quantity is less than {voucher.redeemed_quantity} redemptions")
    return changes


def _changed_offer(data: VoucherUpdate, voucher: Voucher) -> dict[str, Any]:
    """Return what an update makes of a voucher's discount, or of how a gift card is spent; for its amount see below.

    The `type` is passed over: the official SDK sends that of a discount voucher with whatever it changes.
    Raises InvalidPayload, InvalidVoucher.
    """
    if data.gift is not None:
        gift = _said_gift(data.gift)
        if voucher.gift is None:
            raise InvalidVoucher("A voucher with a discount has no gift")
        return {"gift_effect": gift["effect"]}
    if data.discount is None:
        return {}
    if voucher.discount is None:
        raise InvalidVoucher("A gift card has no discount")
    discount = checked(data.discount.given(), ".discount", voucher.discount)
    if discount["type"] != voucher.discount["type"]:
        raise InvalidVoucher("It is not possible to change Voucher discount type")
    return {"discount": discount}


def _is_decided_otherwise(data: VoucherUpdate, voucher: Voucher) -> bool:
    """Tell whether redemptions that have read the voucher, and wait for it, would take something else off than it says.

    Whether it is active, its dates and its quantity they look at again. Raises InvalidPayload, InvalidVoucher.
    """
    changes = _changes(data, voucher)
    effect = None if voucher.gift is None else voucher.gift.get("effect")
    before = {"gift_effect": effect, **{name: getattr(voucher, name) for name in ("discount", *WINDOWS)}}
    return any(name in changes and changes[name] != before[name] for name in before)


def _correction(data: VoucherUpdate, voucher: Voucher, source: str) -> Movement | None:
    """Return what changes a card's amount, all that was ever put on it, to the one that an update says."""
    if data.gift is None or voucher.gift is None:
        return None
    more = _said_gift(data.gift)["amount"] - voucher.gift["amount"]
    kind: Type = "CREDITS_ADDITION" if more > 0 else "CREDITS_REMOVAL"
    return Movement(type=kind, amount=more, source=source, is_correction=True) if more else None


def _said_gift(gift: Gift) -> dict[str, Any]:
    return gift_of(msgspec.structs.replace(gift, balance=None, subtracted_amount=None), ".gift")


async def update(writer: Writer, caller: Caller, reference: str, data: VoucherUpdate) -> Voucher:
    """Change a voucher (`update-voucher`). Raises NotFound, InvalidPayload, InvalidVoucher, InsufficientBalance."""
    refuse(data, ("loyalty_card",))

    async def work(unit: Unit) -> Voucher:
        conn = unit.conn
        seen = await get(conn, caller.project_id, reference)
        if _is_decided_otherwise(data, seen):
            await shut_redemptions_out(conn, caller.project_id)
        await (unit.open() if data.gift is None else lock_holder(unit, seen))
        await queries.lock(conn, caller.project_id, seen.code)
        voucher = await get(conn, caller.project_id, seen.code)
        changes = _changes(data, voucher)
        if data.category is not None or data.category_id is not None:
            known = await placing.load(conn, caller.project_id, data.category, data.category_id)
            changes |= placing.placed(known, data.category, data.category_id)
        if "metadata" in changes:
            schema = unit.moment.schemas.of("voucher")
            changes["metadata"] = check(schema, changes["metadata"], before=voucher.metadata)
        if changes:
            await queries.update(conn, caller.project_id, seen.code, changes, caller.db.clock_offset)
        correction = _correction(data, voucher, caller.source.channel)
        if correction is not None:
            if voucher.holder_id != seen.holder_id:
                raise Restart  # published since
            await move(unit, voucher, correction)
        return await get(conn, caller.project_id, seen.code)

    return await writer.commit(caller, work)


async def set_active(writer: Writer, caller: Caller, reference: str, *, active: bool) -> Voucher:
    """Enable or disable a voucher (`enable-voucher`, `disable-voucher`). Raises NotFound."""
    return await update(writer, caller, reference, VoucherUpdate(active=active))


async def delete(writer: Writer, caller: Caller, reference: str, *, force: bool) -> None:
    """Delete a voucher (`delete-voucher`), for good with `force`, or else into the bin. Raises NotFound.

    Its redemptions stay in the ledger.
    """

    async def work(unit: Unit) -> None:
        seen = await get(unit.conn, unit.project_id, reference)
        holder = None
        if seen.holder_id is None:
            await unit.open()
        else:
            holder = await unit.find_locked(seen.holder_id)
        if seen.campaign_id is not None:
            await campaign_queries.add_wanted(unit.conn, unit.project_id, seen.campaign_id, -1, -1, 1)
        await queries.lock(unit.conn, unit.project_id, seen.code)
        voucher = await get(unit.conn, unit.project_id, seen.code)
        if voucher.holder_id != seen.holder_id:
            raise Restart  # published since
        await forget_units_of(unit.conn, unit.project_id, voucher.id)
        if force:
            await assignments.unassign_objects(unit.conn, unit.project_id, [voucher.id])
            await queries.delete(unit.conn, unit.project_id, voucher.code)
        else:
            await removal.into_bin(unit.conn, caller, voucher)
        if holder is not None:
            if voucher.gift is not None:
                await keep_gifts(unit, holder.id)
            payload = {
                "customer": simple_view(holder),
                "campaign": campaign_view(voucher),
                "voucher": event_view(voucher),
            }
            unit.log("customer.voucher.deleted", holder, payload, voucher.campaign_id)

    await writer.commit(caller, work)
