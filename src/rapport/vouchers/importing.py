"""Many vouchers at once, with codes that they have already: what an import brings in, and what undoing it removes."""

from collections.abc import Sequence
from typing import Any

import msgspec

from rapport.campaigns import codes
from rapport.campaigns import queries as campaigns
from rapport.campaigns.models import Campaign
from rapport.campaigns.schemas import merged_metadata, refuse
from rapport.core.errors import DuplicateFound, InvalidPayload, NotFound, RapportError
from rapport.customers.writes import Unit
from rapport.discounts.schemas import MAX_AMOUNT, whole
from rapport.metadata.values import check
from rapport.vouchers import drafts, placing, queries
from rapport.vouchers.queries import NewVoucher
from rapport.vouchers.schemas import VoucherInput


class Brought(msgspec.Struct, frozen=True, kw_only=True):
    """A voucher of an import: what it says, and how often and how much of it was spent elsewhere (minor units)."""

    data: VoucherInput
    redeemed_quantity: int = 0
    redeemed_amount: int = 0


async def lock_campaign(unit: Unit, campaign_id: str) -> Campaign:
    """Lock and return the campaign that vouchers are imported into. Raises NotFound, InvalidPayload."""
    campaign = await campaigns.find_kept(unit.conn, unit.project_id, campaign_id, lock="NO KEY UPDATE")
    if campaign is None:
        raise NotFound("campaign", campaign_id)
    drafts.check_has_vouchers(campaign)
    return campaign


async def bring(unit: Unit, some: Sequence[Brought], campaign_id: str | None) -> list[str | RapportError]:
    """Insert vouchers; return the id of each, or why it is not there. A code that is taken is a DuplicateFound.

    The campaign's row is locked first, as by what generates codes: its numbers and its codes move together.
    Raises NotFound for the campaign.
    """
    campaign = None if campaign_id is None else await lock_campaign(unit, campaign_id)
    await unit.open()
    schema = unit.moment.schemas.of("voucher")
    keys = {key for one in some for key in (one.data.category, one.data.category_id)}
    known = await placing.load(unit.conn, unit.project_id, *keys)
    read: list[NewVoucher | RapportError] = []
    for one in some:
        try:
            new = new_voucher(one, campaign)
            place = placing.placed(known, new.category, new.category_id)
            read.append(msgspec.structs.replace(new, metadata=check(schema, new.metadata), **place))
        except RapportError as error:
            read.append(error)
    wanted = [one for one in read if isinstance(one, NewVoucher)]
    made = await queries.insert_many(unit.conn, unit.project_id, wanted, unit.now)
    if campaign is not None and made:
        await campaigns.add_wanted(unit.conn, unit.project_id, campaign.id, len(made), len(made))
    return [_outcome(one, made) for one in read]


def _outcome(one: NewVoucher | RapportError, made: set[str]) -> str | RapportError:
    if isinstance(one, RapportError):
        return one
    return one.id if one.id in made else DuplicateFound("voucher", one.code)


def new_voucher(brought: Brought, campaign: Campaign | None) -> NewVoucher:
    """Return what is to be inserted; what is not said is the campaign's. Raises InvalidPayload."""
    brought = _with_balance(brought)
    data = brought.data
    code = data.code or ""
    if not 1 <= len(code) <= codes.MAX_CODE_LENGTH:
        raise InvalidPayload(f"Property .code should have 1 to {codes.MAX_CODE_LENGTH} characters")
    codes.check_text(code, ".code")
    refuse(data, ("campaign", "campaign_id", "code_config", "validation_rules"))
    new = drafts.standalone(data) if campaign is None else drafts.of_campaign(data, campaign)
    if new.quantity is not None and brought.redeemed_quantity > new.quantity:
        raise InvalidPayload(f"It was redeemed more often than its quantity, {new.quantity}")
    if brought.redeemed_amount:
        new = _spent(new, brought.redeemed_amount, campaign)
    return msgspec.structs.replace(new, code=code, redeemed_quantity=brought.redeemed_quantity)


def _with_balance(brought: Brought) -> Brought:
    """Take the part of a gift card's amount that its balance lacks as spent elsewhere. Raises InvalidPayload."""
    gift = brought.data.gift
    if gift is None or gift.amount is None or gift.balance is None:
        return brought
    balance = whole(gift.balance, ".gift.balance", MAX_AMOUNT)
    spent = whole(gift.amount, ".gift.amount", MAX_AMOUNT) - balance - brought.redeemed_amount
    if spent < 0:
        raise InvalidPayload("Property .gift.balance is more than what is left of the amount")
    data = msgspec.structs.replace(brought.data, gift=msgspec.structs.replace(gift, balance=None))
    return msgspec.structs.replace(brought, data=data, redeemed_amount=brought.redeemed_amount + spent)


def _spent(new: NewVoucher, amount: int, campaign: Campaign | None) -> NewVoucher:
    gift: dict[str, Any] = (None if campaign is None else campaign.gift) or {}
    whole = new.gift_amount if new.gift_amount is not None else gift.get("amount")
    if whole is None:
        raise InvalidPayload("Only of a gift card an amount is redeemed")
    if amount > whole:
        raise InvalidPayload(f"More is redeemed than the card's amount, {whole}")
    return msgspec.structs.replace(new, gift_amount=whole, redeemed_amount=amount)


async def take_back(unit: Unit, ids: Sequence[str]) -> dict[str, bool]:
    """Delete vouchers that nobody has and nobody used; return of each that exists whether it is gone."""
    await unit.open()
    found = await queries.delete_unused(unit.conn, unit.project_id, ids)
    for campaign_id in sorted({one for _, one, gone in found if one is not None and gone}):
        number = sum(gone and one == campaign_id for _, one, gone in found)
        await campaigns.add_wanted(unit.conn, unit.project_id, campaign_id, -number, -number, number)
    return {voucher_id: gone for voucher_id, _, gone in found}


async def tag(unit: Unit, changes: Sequence[tuple[str, dict[str, Any]]]) -> list[str | RapportError]:
    """Set metadata of vouchers by their codes; return the id of each, or why it is as it was.

    The rows are locked in the order of their codes. A code that is named twice has both, one after the other.
    """
    await unit.open()
    schema = unit.moment.schemas.of("voucher")
    known = await queries.lock_many(unit.conn, unit.project_id, sorted({code for code, _ in changes}))
    changed: dict[str, dict[str, Any]] = {}
    outcomes: list[str | RapportError] = []
    for code, metadata in changes:
        if code not in known:
            outcomes.append(NotFound("voucher", code))
            continue
        voucher_id, before = known[code]
        try:
            after = check(schema, merged_metadata(before, metadata), before=before)
        except RapportError as error:
            outcomes.append(error)
            continue
        known[code] = voucher_id, after
        changed[voucher_id] = after
        outcomes.append(voucher_id)
    await queries.set_metadata(unit.conn, unit.project_id, changed, unit.now)
    return outcomes
