"""The profile on the wire."""

from typing import Any, Generic, Literal, TypeVar
from urllib.parse import quote

import msgspec

from rapport.activity.schemas import CustomerActivity
from rapport.activity.schemas import view as activity_view
from rapport.campaigns.answers import DiscountAnswer, GiftAnswer
from rapport.core.clock import iso
from rapport.customers.answers import CustomerAnswer
from rapport.customers.schemas import view as customer_view
from rapport.distributions.answers import MessageAnswer
from rapport.distributions.messages.schemas import view as message_view
from rapport.events.schemas import CustomerEvent, event_view
from rapport.http.answers import Count, Instant
from rapport.orders.answers import OrderAnswer
from rapport.orders.schemas import view as order_view
from rapport.profiles.queries import Known, Part
from rapport.publications.models import PublicationRow
from rapport.redemptions.models import Redemption
from rapport.segments.history.schemas import CustomerSegment, segments_view
from rapport.vouchers.availability import unavailable
from rapport.vouchers.models import Voucher
from rapport.vouchers.schemas import gift_view

Item = TypeVar("Item")
State = Literal["ACTIVE", "SCHEDULED", "DISABLED", "USED_UP", "EXPIRED"]
_STATES: dict[str, State] = {
    "voucher_disabled": "DISABLED",
    "campaign_not_active": "DISABLED",
    "voucher_not_active": "SCHEDULED",
    "voucher_not_active_now": "SCHEDULED",
    "voucher_expired": "EXPIRED",
    "quantity_exceeded": "USED_UP",
}


class Section(msgspec.Struct, Generic[Item], kw_only=True):
    """The latest of one kind. `total` is how many there are; where `total_is_exact` is false there are more than that.

    `url` is the list of all of them.
    """

    items: list[Item]
    total: Count
    total_is_exact: bool
    url: str


class HeldCode(msgspec.Struct, kw_only=True):
    """A code that the customer holds. `balance` is how often it can still be redeemed; null is without limit."""

    id: str
    code: str
    type: Literal["DISCOUNT_VOUCHER", "GIFT_VOUCHER"]
    campaign: str | None
    campaign_id: str | None
    discount: DiscountAnswer | None
    gift: GiftAnswer | None
    state: State
    quantity: Count | None
    redeemed_quantity: Count
    balance: Count | None
    start_date: Instant | None
    expiration_date: Instant | None
    publication_id: str | None
    metadata: dict[str, Any]
    created_at: Instant
    object: Literal["voucher"]


class ProfileRedemption(msgspec.Struct, kw_only=True):
    """A redemption or a rollback, succeeded or failed, and then why. Of a stack itself, `voucher_code` is null."""

    id: str
    object: Literal["redemption", "redemption_rollback"]
    date: Instant
    result: Literal["SUCCESS", "FAILURE"]
    status: Literal["SUCCEEDED", "FAILED", "ROLLED_BACK"]
    failure_code: str | None
    failure_message: str | None
    reason: str | None
    voucher_id: str | None
    voucher_code: str | None
    campaign: str | None
    campaign_id: str | None
    order_id: str | None
    applied_discount_amount: Count | None


class ProfilePublication(msgspec.Struct, kw_only=True):
    """Codes given to the customer, or that this failed, and why."""

    id: str
    created_at: Instant
    result: Literal["SUCCESS", "FAILURE"]
    failure_code: str | None
    failure_message: str | None
    campaign: str | None
    campaign_id: str | None
    channel: str
    voucher_codes: list[str]
    object: Literal["publication"]


class Profile(msgspec.Struct, kw_only=True):
    """All that is known of a customer at one moment (`as_of`).

    `codes` are those the customer holds; `expired_promotions` those of them that can no more be redeemed because their
    time is over, the latest first. `consents` are those of the customer object.
    """

    customer: CustomerAnswer
    consents: dict[str, Any]
    segments: Section[CustomerSegment]
    activity: Section[CustomerActivity]
    orders: Section[OrderAnswer]
    events: Section[CustomerEvent]
    messages: Section[MessageAnswer]
    codes: Section[HeldCode]
    redemptions: Section[ProfileRedemption]
    publications: Section[ProfilePublication]
    expired_promotions: Section[HeldCode]
    as_of: Instant
    object: Literal["customer_profile"]


def _code(voucher: Voucher, known: Known) -> dict[str, Any]:
    refusal = unavailable(voucher, known.now)
    ends = [date for date in (voucher.expiration_date, voucher.campaign_expiration_date) if date is not None]
    return {
        "id": voucher.id,
        "code": voucher.code,
        "type": voucher.type,
        "campaign": voucher.campaign,
        "campaign_id": voucher.campaign_id,
        "discount": voucher.discount,
        "gift": gift_view(voucher),
        "state": "ACTIVE" if refusal is None else _STATES[refusal.key],
        "quantity": voucher.quantity,
        "redeemed_quantity": voucher.redeemed_quantity,
        "balance": None if voucher.quantity is None else voucher.quantity - voucher.redeemed_quantity,
        "start_date": None if voucher.start_date is None else iso(voucher.start_date),
        "expiration_date": iso(min(ends)) if ends else None,
        "publication_id": voucher.publication_id,
        "metadata": voucher.metadata,
        "created_at": iso(voucher.created_at),
        "object": "voucher",
    }


def _redemption(row: Redemption) -> dict[str, Any]:
    return {
        "id": row.id,
        "object": row.object,
        "date": iso(row.created_at),
        "result": row.result,
        "status": row.status,
        "failure_code": row.failure_code,
        "failure_message": row.failure_message,
        "reason": row.reason,
        "voucher_id": row.voucher_id,
        "voucher_code": row.voucher_code,
        "campaign": row.campaign,
        "campaign_id": row.campaign_id,
        "order_id": row.order_id,
        "applied_discount_amount": None if row.amounts is None else row.applied_amount,
    }


def _publication(row: PublicationRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "created_at": iso(row.created_at),
        "result": row.result,
        "failure_code": row.failure_code,
        "failure_message": row.failure_message,
        "campaign": row.campaign,
        "campaign_id": row.campaign_id,
        "channel": row.channel,
        "voucher_codes": row.voucher_codes,
        "object": "publication",
    }


def view(known: Known) -> dict[str, Any]:
    """Return the profile as the API shows it (`Profile`)."""
    customer = customer_view(known.customer)
    parts = known.parts
    own, query = f"/v1/customers/{quote(known.customer.id, safe='')}", f"?customer={quote(known.customer.id, safe='')}"

    def section(part: Part, items: list[Any], url: str) -> dict[str, Any]:
        return {"items": items, "total": part.total, "total_is_exact": part.exact, "url": url}

    codes = f"/v1/vouchers{query}"
    return {
        "customer": customer,
        "consents": customer["consents"],
        "segments": section(parts["segments"], segments_view(parts["segments"].items).data, f"{own}/segments"),
        "activity": section(
            parts["activity"], [*map(activity_view, parts["activity"].items)], f"{own}/activity?additions=true"
        ),
        "orders": section(parts["orders"], [*map(order_view, parts["orders"].items)], f"/v1/orders{query}"),
        "events": section(parts["events"], [*map(event_view, parts["events"].items)], f"{own}/events"),
        "messages": section(parts["messages"], [*map(message_view, parts["messages"].items)], f"{own}/messages"),
        "codes": section(parts["codes"], [_code(one, known) for one in parts["codes"].items], codes),
        "redemptions": section(
            parts["redemptions"], [*map(_redemption, parts["redemptions"].items)], f"/v1/redemptions{query}"
        ),
        "publications": section(
            parts["publications"], [*map(_publication, parts["publications"].items)], f"/v1/publications{query}"
        ),
        "expired_promotions": section(parts["expired"], [_code(one, known) for one in parts["expired"].items], codes),
        "as_of": iso(known.now),
        "object": "customer_profile",
    }
