"""Changing the balance of a gift card by hand."""

from typing import ClassVar

from rapport.campaigns import queries as campaigns
from rapport.campaigns.models import GIFT_VOUCHERS, Campaign
from rapport.core.db import Connection
from rapport.core.errors import Forbidden, InvalidPayload, NotFound, RapportError
from rapport.customers.writes import Unit, Writer
from rapport.http.caller import Caller
from rapport.vouchers import actions as vouchers
from rapport.vouchers.ledger.models import Movement, Transaction
from rapport.vouchers.ledger.moving import lock_holder, move
from rapport.vouchers.ledger.schemas import BalanceInput


class NoGiftCard(RapportError):
    """The voucher is no gift card."""

    key: ClassVar[str] = "invalid_voucher"
    message: ClassVar[str] = "Invalid Voucher"


async def campaign_of_cards(conn: Connection, project_id: int, reference: str) -> Campaign:
    """Return a campaign whose vouchers have balances. Raises NotFound, and Forbidden for others, as the reference."""
    campaign = await campaigns.find(conn, project_id, reference)
    if campaign is None:
        raise NotFound("campaign", reference)
    if campaign.campaign_type != GIFT_VOUCHERS:
        raise Forbidden("Transactions are allowed only for gift campaigns")
    return campaign


async def change(writer: Writer, caller: Caller, reference: str, data: BalanceInput) -> Transaction:
    """Add to a gift card's balance, or take off (`update-voucher-balance`); return what was written in the ledger.

    The holder of a card is locked first, as by everything that is logged for them. Raises NotFound, NoGiftCard,
    InsufficientBalance, InvalidPayload for an amount of 0 or more than a card can hold.
    """
    if data.amount == 0:
        raise InvalidPayload("Property .amount should not be 0")

    async def work(unit: Unit) -> Transaction:
        voucher = await vouchers.get(unit.conn, unit.project_id, reference)
        if voucher.gift is None:
            raise NoGiftCard(f"Voucher {voucher.code} is no gift card")
        await lock_holder(unit, voucher)
        movement = Movement(
            type="CREDITS_ADDITION" if data.amount > 0 else "CREDITS_REMOVAL",
            amount=data.amount,
            source=caller.source.channel,
            source_id=data.source_id,
            reason=data.reason,
        )
        return await move(unit, voucher, movement)

    return await writer.commit(caller, work)
