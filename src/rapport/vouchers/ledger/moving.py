"""Changing what is on a gift card inside a unit: the line of its ledger, and what its holder is told."""

from typing import ClassVar

import msgspec

from rapport.campaigns.gifts import keep_gifts
from rapport.core.db import Restart
from rapport.core.errors import InvalidPayload, RapportError
from rapport.customers.schemas import simple_view
from rapport.customers.writes import Unit
from rapport.vouchers import queries as vouchers
from rapport.vouchers.ledger import queries
from rapport.vouchers.ledger.models import Movement, Transaction
from rapport.vouchers.ledger.schemas import balance_view, view
from rapport.vouchers.models import Voucher
from rapport.vouchers.schemas import campaign_view, event_view


class InsufficientBalance(RapportError):
    """There is not so much on the card."""

    key: ClassVar[str] = "insufficient_card_balance"
    message: ClassVar[str] = "Insufficient card balance"


async def lock_holder(unit: Unit, voucher: Voucher) -> None:
    """Open a unit with the holder of a voucher, if there is one: they are locked before it."""
    await unit.lock_all([] if voucher.holder_id is None else [voucher.holder_id])


async def move(unit: Unit, voucher: Voucher, movement: Movement) -> Transaction:
    """Change the balance of a card whose holder is locked, and return what was written in the ledger.

    What is added is logged for the holder. Raises InsufficientBalance, InvalidPayload for more than a card can hold,
    Restart where the card is somebody else's by now.
    """
    added = movement.amount > 0
    done = await queries.move(unit.conn, unit.project_id, voucher.id, movement, unit.now)
    if done is None and added:
        raise InvalidPayload("Property .amount is more than a card can hold")
    if done is None:
        raise InsufficientBalance(f"There is less than that on {voucher.code}", resource_id=voucher.id)
    now = await vouchers.find(unit.conn, unit.project_id, voucher.code)
    if now is None or now.holder_id != voucher.holder_id:
        raise Restart  # published or deleted since
    await keep_gifts(unit, voucher.holder_id)
    holder = unit.find(voucher.holder_id)
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
