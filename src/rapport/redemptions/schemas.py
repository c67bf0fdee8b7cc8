"""Redemptions on the wire."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from rapport.activity.log import Source
from rapport.campaigns.schemas import Unserved, refuse
from rapport.core.clock import iso
from rapport.core.errors import InvalidPayload, RapportError
from rapport.customers.schemas import CustomerInput, Identifier, Metadata
from rapport.orders.models import Order
from rapport.orders.schemas import OrderInput
from rapport.orders.schemas import view as order_view
from rapport.redemptions.models import FAILURE, REDEMPTION, ROLLBACK, Redemption
from rapport.vouchers.availability import Refusal
from rapport.vouchers.models import Voucher
from rapport.vouchers.schemas import Code
from rapport.vouchers.schemas import view as voucher_view

MAX_REDEEMABLES = 5
# How the reference's tracking ids begin, which are hashes of source ids.
HASHED = "track_"
CANCELED = "CANCELED"


class Refused(RapportError):
    """A redemption, a rollback or a validation came to nothing; the reason is the reference's."""

    def __init__(self, refusal: Refusal, resource_id: str | None = None, resource_type: str | None = None) -> None:
        super().__init__(refusal.details, resource_id=resource_id, resource_type=resource_type)
        self.key, self.message = refusal.key, refusal.message  # type: ignore[misc] # the reason is data here
        self.shop_error = None if refusal.shop_message is None else {"message": refusal.shop_message}


class InvalidOrder(RapportError):
    """The order is another one than the redemption's, another customer's, or canceled."""

    key = "invalid_order"
    message = "Invalid order"


class DuplicatedRedeemables(RapportError):
    """Duplicated redeemables detected in one redemption."""

    key = "duplicated_redeemables"
    message = "Duplicated redeemables detected"


class RedeemableInput(msgspec.Struct, kw_only=True):
    """One of the things to redeem: a voucher by its code."""

    object: Literal["voucher"]
    id: Code
    gift: Unserved = None
    reward: Unserved = None


class RedeemInput(msgspec.Struct, kw_only=True):
    """`RedemptionsRedeemRequestBody` and `ValidationsValidateRequestBody` of the reference, for up to five vouchers."""

    redeemables: Annotated[list[RedeemableInput], Meta(min_length=1, max_length=MAX_REDEEMABLES)]
    order: OrderInput | None = None
    customer: CustomerInput | None = None
    tracking_id: Identifier | None = None
    metadata: Metadata | None = None
    session: Unserved = None


class RedeemOneInput(msgspec.Struct, kw_only=True):
    """The body of the older operations about one voucher, whose code is in the path."""

    order: OrderInput | None = None
    customer: CustomerInput | None = None
    tracking_id: Identifier | None = None
    metadata: Metadata | None = None
    session: Unserved = None
    gift: Unserved = None
    reward: Unserved = None

    def of(self, code: str) -> RedeemInput:
        """Return the same request in the newer form. Raises InvalidPayload."""
        refuse(self, ("gift", "reward"))
        return RedeemInput(
            redeemables=[RedeemableInput(object="voucher", id=code)],
            order=self.order,
            customer=self.customer,
            tracking_id=self.tracking_id,
            metadata=self.metadata,
            session=self.session,
        )


class NamedOrder(msgspec.Struct, kw_only=True):
    """The order that a rollback expects."""

    id: Identifier | None = None
    source_id: Identifier | None = None


class RollbackInput(msgspec.Struct, kw_only=True):
    """`RedemptionsRollbackCreateRequestBody` of the reference."""

    reason: Annotated[str, Meta(max_length=1_000)] | None = None
    customer: CustomerInput | None = None
    tracking_id: Identifier | None = None
    order: NamedOrder | None = None
    metadata: Metadata | None = None


def check(data: RedeemInput) -> None:
    """Refuse what is not served and what is there twice. Raises InvalidPayload, DuplicatedRedeemables."""
    refuse(data, ("session",))
    for number, redeemable in enumerate(data.redeemables):
        refuse(redeemable, ("gift", "reward"), f".redeemables[{number}]")
    if len({redeemable.id for redeemable in data.redeemables}) < len(data.redeemables):
        raise DuplicatedRedeemables("Duplicated redeemables detected in one redemption")


def check_order(before: Order | None, after: Order | None) -> None:
    """Refuse an order that is stored for another customer, and one that is canceled. Raises InvalidOrder."""
    if after is None:
        return
    if before is not None and before.customer_id not in (None, after.customer_id):
        raise InvalidOrder(f"Order {before.id} belongs to another customer", resource_id=before.id)
    if after.status == CANCELED:
        raise InvalidOrder("The order is canceled; name a status in .order.status to reopen it, or use another order")


def customer_of(data: RedeemInput | RollbackInput) -> CustomerInput | None:
    """Return the customer that a request names outside its order. Raises InvalidPayload.

    A tracking id is the customer's source id, in requests and answers alike.
    """
    if data.customer is not None:
        if data.customer.is_named or data.customer.has_data:
            return data.customer
        raise InvalidPayload("Property .customer should have id or source_id")
    if data.tracking_id is None:
        return None
    if data.tracking_id.startswith(HASHED):
        raise InvalidPayload("Property .tracking_id is a hash, which names nobody here; it should be a source_id")
    return CustomerInput(source_id=data.tracking_id)


def channel_of(source: Source) -> dict[str, str]:
    """Return through which channel a redemption came, in the reference's shape."""
    return {"channel_id": (source.api_key or {}).get("app_id", "rapport"), "channel_type": "API"}


def tracking_id(customer: dict[str, Any] | None) -> str | None:
    """Return what names a customer in `tracking_id`: their source id."""
    return None if customer is None else customer.get("source_id")


def _voucher(row: Redemption, voucher: Voucher | None) -> dict[str, Any] | None:
    if row.voucher_id is None:
        return None
    if voucher is not None:
        return voucher_view(voucher)
    shown = {"id": row.voucher_id, "code": row.voucher_code, "campaign": row.campaign, "campaign_id": row.campaign_id}
    return shown | {"object": "voucher"}


def order_with(order: Order, row: Redemption) -> dict[str, Any]:
    """Return the order with its amounts as they were with this redemption."""
    return order_view(order) | (row.amounts or {})


def view(
    row: Redemption, customer: dict[str, Any] | None, order: Order | None, voucher: Voucher | None
) -> dict[str, Any]:
    """Return the redemption or rollback object of the API."""
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
        "related_object_type": "redemption" if row.voucher_id is None else "voucher",
        "related_object_id": row.voucher_id or row.id,
        "voucher": _voucher(row, voucher),
    }
    if row.result == FAILURE:
        shown |= {"failure_code": row.failure_code, "failure_message": row.failure_message}
    if row.object == ROLLBACK:
        shown["reason"] = row.reason
    elif row.rollback_id is not None:
        shown["related_redemptions"] = {"rollbacks": [{"id": row.rollback_id}]}
    return shown


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
        "metadata": row.metadata or {},
        "failure_code": row.failure_code,
        "failure_message": row.failure_message,
        "reason": row.reason,
        "channel": row.channel,
        "object": row.object,
    }
    return {name: value for name, value in shown.items() if value is not None or name == "customer_id"}


PREFIXES = {(REDEMPTION, True): "r", (REDEMPTION, False): "rf", (ROLLBACK, True): "rr", (ROLLBACK, False): "rrf"}
