"""Changing the balance of a gift card by hand."""

from typing import ClassVar

import msgspec

from rapport.campaigns import queries as campaigns
from rapport.campaigns.models import GIFT_VOUCHERS, Campaign
from rapport.core.db import Connection, Restart
from rapport.core.errors import Forbidden, InvalidPayload, NotFound, RapportError
from rapport.customers.schemas import simple_view
from rapport.customers.writes import Unit, Writer
from rapport.http.caller import Caller
from rapport.vouchers import actions as vouchers
from rapport.vouchers.gifts import keep_gifts
from rapport.vouchers.ledger import queries
from rapport.vouchers.ledger.models import Movement, Transaction
from rapport.vouchers.ledger.schemas import BalanceInput, balance_view, view
from rapport.vouchers.models import Voucher
from rapport.vouchers.schemas import campaign_view, event_view


class InsufficientBalance(RapportError):
    """There is not so much on the card."""

    key: ClassVar[str] = "insufficient_card_balance"
    message: ClassVar[str] = "Insufficient card balance"


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
    added = data.amount > 0

    async def work(unit: Unit) -> Transaction:
        voucher = await vouchers.get(unit.conn, unit.project_id, reference)
        if voucher.gift is None:
            raise NoGiftCard(f"Voucher {voucher.code} is no gift card")
        holder = None
        if voucher.holder_id is None:
            await unit.open()
        else:
            holder = await unit.find_locked(voucher.holder_id)
        movement = Movement(
            type="CREDITS_ADDITION" if added else "CREDITS_REMOVAL",
            amount=data.amount,
            source=caller.source.channel,
            source_id=data.source_id,
            reason=data.reason,
        )
        done = await queries.move(unit.conn, unit.project_id, voucher.id, movement, unit.now)
        if done is None:
            raise _refused(voucher, added=added)
        now = await vouchers.get(unit.conn, unit.project_id, voucher.code)
        if now.holder_id != voucher.holder_id:
            raise Restart  # published since
        if holder is not None:
            await keep_gifts(unit, holder.id)
        if holder is not None and added:
            payload = {
                "customer": simple_view(holder),
                "campaign": campaign_view(now),
                "voucher": event_view(now),
                "balance": msgspec.to_builtins(balance_view(done)),
                "transaction": msgspec.to_builtins(view(done)),
            }
            unit.log("customer.voucher.gift.balance_added", holder, payload, now.campaign_id)
        return done

    return await writer.commit(caller, work)


def _refused(voucher: Voucher, *, added: bool) -> RapportError:
    if added:
        return InvalidPayload("Property .amount is more than a card can hold")
    return InsufficientBalance(f"There is less than that on {voucher.code}", resource_id=voucher.id)
