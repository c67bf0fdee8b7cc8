"""A change of a gift card's balance as a value."""

from datetime import datetime
from typing import Any, Final, Literal

import msgspec

Type = Literal["CREDITS_REDEMPTION", "CREDITS_REFUND", "CREDITS_ADDITION", "CREDITS_REMOVAL"]
# What a card may hold and may ever have held, in minor units.
MAX_BALANCE: Final = 2**53 - 1


class Movement(msgspec.Struct, frozen=True, kw_only=True):
    """A change that is asked for: `amount` in minor units, less than 0 where money goes.

    `is_correction`: what is taken off was never to be on the card, so that all that was put on it is less, too.
    `details` names what it belongs to: `order` (id, source_id), `redemption` and `rollback` (id).
    """

    type: Type
    amount: int
    source: str | None = None
    source_id: str | None = None
    reason: str | None = None
    related_transaction_id: str | None = None
    details: dict[str, Any] = {}
    is_correction: bool = False


class Transaction(msgspec.Struct, frozen=True):
    """One row: a change that was made.

    `balance` and `total` (all that was put on, less what was taken off by hand) are those of the card afterwards.
    """

    id: str
    voucher_id: str
    campaign_id: str | None
    type: Type
    source_id: str | None
    source: str | None
    reason: str | None
    related_transaction_id: str | None
    amount: int
    balance: int
    total: int
    details: dict[str, Any]
    created_at: datetime
