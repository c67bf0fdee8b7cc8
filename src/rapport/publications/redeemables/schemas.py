"""Redeemables on the wire."""

from datetime import datetime
from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from rapport.core.clock import iso
from rapport.http.answers import Instant
from rapport.publications.redeemables.queries import Held
from rapport.vouchers.answers import VoucherAnswer
from rapport.vouchers.availability import unavailable
from rapport.vouchers.models import Voucher
from rapport.vouchers.schemas import view as voucher_view

# Why a voucher cannot be used, as the status that a wallet shows. Outside of its hours it is still active.
_STATUSES = {
    "voucher_disabled": "DISABLED",
    "campaign_not_active": "DISABLED",
    "voucher_not_active": "NOT_ACTIVE_YET",
    "voucher_expired": "EXPIRED",
    "quantity_exceeded": "USED",
}


class RedeemableAnswer(msgspec.Struct, kw_only=True):
    """A voucher that a customer holds, and whether it can be used now."""

    type: Literal["voucher"]
    voucher: VoucherAnswer
    status: Literal["ACTIVE", "USED", "DISABLED", "NOT_ACTIVE_YET", "EXPIRED", "NO_BALANCE"]


class HeldAnswer(msgspec.Struct, kw_only=True):
    """That a customer holds a redeemable."""

    id: str
    created_at: Instant
    redeemable_id: str
    redeemable_object: Literal["voucher"]
    customer_id: str
    holder_role: Literal["OWNER"]
    campaign_id: str | None
    campaign_type: str | None
    voucher_type: str
    redeemable: RedeemableAnswer


class HeldList(msgspec.Struct, kw_only=True):
    """A part of what a customer holds; `more_starting_after` is what to ask for the next one with."""

    object: Literal["list"]
    data_ref: Literal["data"]
    data: list[HeldAnswer]
    total: int
    has_more: bool
    more_starting_after: str | UnsetType = UNSET


def status(voucher: Voucher, shown: dict[str, Any], now: datetime) -> str:
    """Return the status of a voucher, `shown` as the API shows it. Pure."""
    refusal = unavailable(voucher, now)
    if refusal is not None:
        return _STATUSES.get(refusal.key, "ACTIVE")
    gift = shown["gift"]
    return "NO_BALANCE" if gift is not None and not gift["balance"] else "ACTIVE"


def view(held: Held, voucher: Voucher, now: datetime, base_url: str) -> dict[str, Any]:
    """Return the `CustomerRedeemable` of the reference; `base_url` is put before the links to a code's images."""
    shown = voucher_view(voucher, None, base_url)
    return {
        "id": held.id,
        "created_at": iso(held.created_at),
        "redeemable_id": held.redeemable_id,
        "redeemable_object": "voucher",
        "customer_id": held.customer_id,
        "holder_role": "OWNER",
        "campaign_id": held.campaign_id,
        "campaign_type": held.campaign_type,
        "voucher_type": shown["type"],
        "redeemable": {"type": "voucher", "voucher": shown, "status": status(voucher, shown, now)},
    }
