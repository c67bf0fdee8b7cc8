"""Lines of the ledger as the API and events show them."""

from datetime import datetime
from typing import Any

import msgspec

from rapport.core.clock import iso
from rapport.orders.models import Order
from rapport.orders.schemas import view as order_view
from rapport.redemptions.models import FAILURE, ROLLBACK, Redemption
from rapport.redemptions.schemas import tracking_id
from rapport.vouchers.models import Voucher
from rapport.vouchers.schemas import view as voucher_view


class Related(msgspec.Struct, frozen=True):
    """What a line of the ledger is about, as far as it still exists; a tier as the API shows it."""

    voucher: Voucher | None = None
    tier: dict[str, Any] | None = None


NOTHING = Related()


def order_with(order: Order, row: Redemption) -> dict[str, Any]:
    """Return the order with its amounts as they were with this redemption."""
    return order_view(order) | (row.amounts or {})


def _voucher(row: Redemption, voucher: Voucher | None, base_url: str) -> dict[str, Any] | None:
    if row.voucher_id is None:
        return None
    if voucher is not None:
        return voucher_view(voucher, None, base_url)
    shown = {"id": row.voucher_id, "code": row.voucher_code, "campaign": row.campaign, "campaign_id": row.campaign_id}
    return shown | {"object": "voucher"}


def _tier(row: Redemption, tier: dict[str, Any] | None) -> dict[str, Any]:
    if tier is not None:
        return tier
    shown = {"id": row.promotion_tier_id, "campaign_id": row.campaign_id, "promotion_id": row.campaign_id}
    return shown | {"object": "promotion_tier"}


def view(
    row: Redemption,
    customer: dict[str, Any] | None,
    order: Order | None,
    related: Related = NOTHING,
    base_url: str = "",
) -> dict[str, Any]:
    """Return the redemption or rollback object of the API; `base_url` is put before the links to a code's images."""
    shown: dict[str, Any] = {
        "id": row.id,
        "object": row.object,
        "date": iso(row.created_at),
        "customer_id": row.customer_id,
        "tracking_id": tracking_id(customer),
        "metadata": row.metadata,
        "redemption": row.redemption_id if row.object == ROLLBACK else row.parent_id,
        "result": row.result,
        "status": row.status,
        "order": None if order is None else order_with(order, row),
        "channel": row.channel,
        "customer": customer,
        "related_object_type": row.related_object_type,
        "related_object_id": row.related_object_id,
        "voucher": _voucher(row, related.voucher, base_url),
    }
    if row.promotion_tier_id is not None:
        shown["promotion_tier"] = _tier(row, related.tier)
    if row.credits is not None:
        amount = -row.credits if row.object == ROLLBACK else row.credits
        shown |= {"amount": amount, "gift": {"amount": amount}}
    if row.result == FAILURE:
        shown |= {"failure_code": row.failure_code, "failure_message": row.failure_message}
    if row.object == ROLLBACK:
        shown["reason"] = row.reason
    elif row.rollback_id is not None:
        shown["related_redemptions"] = {"rollbacks": [{"id": row.rollback_id}]}
    return shown


def related_view(redemption_id: str, created_at: datetime) -> dict[str, Any]:
    """Return one of the `related_redemptions` of a redemption or rollback."""
    return {"id": redemption_id, "date": iso(created_at)}


def event_view(row: Redemption, customer: dict[str, Any] | None) -> dict[str, Any]:
    """Return the redemption as events carry it; order, voucher and campaign stand beside it."""
    shown = {
        "id": row.id,
        "customer_id": row.customer_id,
        "tracking_id": tracking_id(customer),
        "date": iso(row.created_at),
        "result": row.result,
        "status": row.status,
        "redemption": row.redemption_id if row.object == ROLLBACK else row.parent_id,
        "amount": None if row.credits is None else (-row.credits if row.object == ROLLBACK else row.credits),
        "metadata": row.metadata or {},
        "failure_code": row.failure_code,
        "failure_message": row.failure_message,
        "reason": row.reason,
        "channel": row.channel,
        "object": row.object,
    }
    return {name: value for name, value in shown.items() if value is not None or name == "customer_id"}
