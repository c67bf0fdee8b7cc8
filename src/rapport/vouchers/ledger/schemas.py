"""The ledger of gift cards on the wire."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from rapport.core.clock import iso
from rapport.http.answers import Count, Instant
from rapport.http.lists import Part
from rapport.vouchers.ledger.models import MAX_BALANCE, Transaction, Type


class BalanceInput(msgspec.Struct, kw_only=True):
    """`VouchersBalanceUpdateRequestBody` of the reference; an amount less than 0 is taken off."""

    amount: Annotated[int, Meta(ge=-MAX_BALANCE, le=MAX_BALANCE)]
    source_id: Annotated[str, Meta(max_length=255)] | None = None
    reason: Annotated[str, Meta(max_length=1_000)] | None = None


class RelatedVoucher(msgspec.Struct, kw_only=True):
    """Whose balance it is."""

    id: str
    type: Literal["voucher"] = "voucher"


class BalanceAnswer(msgspec.Struct, kw_only=True):
    """A balance after a change; `total` is all that was put on, less what was taken off by hand. Minor units."""

    amount: int
    total: int
    balance: Count
    type: Literal["gift_voucher"] = "gift_voucher"
    operation_type: Literal["MANUAL", "AUTOMATIC"]
    object: Literal["balance"] = "balance"
    related_object: RelatedVoucher


class NamedOrder(msgspec.Struct, kw_only=True):
    """The order that was paid with the card."""

    id: str
    source_id: str | None = None


class NamedObject(msgspec.Struct, kw_only=True):
    """A redemption or a rollback."""

    id: str


class TransactionDetails(msgspec.Struct, kw_only=True):
    """The balance afterwards, and what the change belongs to."""

    balance: BalanceAnswer
    order: NamedOrder | UnsetType = UNSET
    redemption: NamedObject | UnsetType = UNSET
    rollback: NamedObject | UnsetType = UNSET


class TransactionAnswer(msgspec.Struct, kw_only=True):
    """One change of a balance."""

    id: str
    source_id: str | None
    voucher_id: str
    campaign_id: str | None
    source: str | None
    reason: str | None
    type: Type
    details: TransactionDetails
    related_transaction_id: str | None
    created_at: Instant


class TransactionsAnswer(msgspec.Struct, kw_only=True):
    """A part of a ledger; `more_starting_after` is where the next one begins."""

    data: list[TransactionAnswer]
    has_more: bool
    more_starting_after: str | UnsetType = UNSET
    object: Literal["list"] = "list"
    data_ref: Literal["data"] = "data"


def balance_view(row: Transaction) -> BalanceAnswer:
    """Return the balance that a change left."""
    by_hand = row.type in {"CREDITS_ADDITION", "CREDITS_REMOVAL"}
    return BalanceAnswer(
        amount=row.amount,
        total=row.total,
        balance=row.balance,
        operation_type="MANUAL" if by_hand else "AUTOMATIC",
        related_object=RelatedVoucher(id=row.voucher_id),
    )


def view(row: Transaction) -> TransactionAnswer:
    """Return a change of a balance as the API shows it."""
    belongs: dict[str, Any] = {
        name: msgspec.convert(row.details[name], kind)
        for name, kind in (("order", NamedOrder), ("redemption", NamedObject), ("rollback", NamedObject))
        if row.details.get(name) is not None
    }
    return TransactionAnswer(
        id=row.id,
        source_id=row.source_id,
        voucher_id=row.voucher_id,
        campaign_id=row.campaign_id,
        source=row.source,
        reason=row.reason,
        type=row.type,
        details=TransactionDetails(balance=balance_view(row), **belongs),
        related_transaction_id=row.related_transaction_id,
        created_at=iso(row.created_at),
    )


def list_view(part: Part[Transaction]) -> TransactionsAnswer:
    """Return a part of the ledger as the API shows it."""
    more = part.items[-1].id if part.has_more else UNSET
    return TransactionsAnswer(data=[*map(view, part.items)], has_more=part.has_more, more_starting_after=more)
