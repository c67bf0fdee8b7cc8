"""Redemptions on the wire."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta

from rapport.activity.log import Source
from rapport.campaigns.schemas import Unserved, refuse
from rapport.core.errors import MAX_DETAILS, InvalidPayload, InvalidQueryParams, NotFound, RapportError
from rapport.core.jsons import check_limits
from rapport.customers.schemas import CustomerInput, Identifier, Metadata
from rapport.orders.models import MAX_AMOUNT, Order
from rapport.orders.schemas import OrderInput, Status
from rapport.redemptions.redeemables.models import STACK, VOUCHER, Redeemable
from rapport.redemptions.redeemables.queries import Asked
from rapport.redemptions.sessions.schemas import SessionInput
from rapport.redemptions.stacking import MAX_REDEEMABLES, StackingRules
from rapport.vouchers.availability import Refusal
from rapport.vouchers.schemas import Code

# How the reference's tracking ids begin, which are hashes of source ids.
HASHED = "track_"
CANCELED = "CANCELED"


class Refused(RapportError):
    """A redemption, a rollback or a validation came to nothing; the reason is the reference's."""

    def __init__(self, refusal: Refusal, resource_id: str | None = None, resource_type: str | None = None) -> None:
        super().__init__(refusal.details, resource_id=resource_id, resource_type=resource_type)
        self.key, self.message = refusal.key, refusal.message  # type: ignore[misc] # the reason is data here
        self.shop_error = None if refusal.shop_message is None else {"message": refusal.shop_message}


class NothingThere(NotFound):
    """Nothing of a request applies, and so much of it is not there: all of it is told, codes before all else.

    Whoever counts failed attempts counts each: see `vouchers.guessing`.
    """

    def __init__(self, missing: Sequence[Redeemable]) -> None:
        """Name what is missing, at least one."""
        errors = [NotFound(one.object, one.id) for one in sorted(missing, key=lambda one: one.object != VOUCHER)]
        super().__init__(str(errors[0].resource_type), str(errors[0].resource_id))
        self.details = "; ".join(error.details for error in errors)[:MAX_DETAILS]


class InvalidOrder(RapportError):
    """The order is another one than the redemption's, another customer's, or canceled."""

    key = "invalid_order"
    message = "Invalid order"


class DuplicatedRedeemables(RapportError):
    """Duplicated redeemables detected in one redemption."""

    key = "duplicated_redeemables"
    message = "Duplicated redeemables detected"


class InvalidRedeemables(RapportError):
    """The redeemables cannot be in one request."""

    key = "invalid_redeemables"
    message = "Invalid redeemables"


class GiftInput(msgspec.Struct, kw_only=True):
    """How much of a gift card is to be used, in minor units."""

    credits: Annotated[int, Meta(ge=0, le=MAX_AMOUNT)] | None = None


class RedeemableInput(msgspec.Struct, kw_only=True):
    """One of the things to redeem: a voucher or gift card by its code, a tier or a stack by its id."""

    object: Literal["voucher", "gift_card", "promotion_tier", "promotion_stack"]
    id: Code
    gift: GiftInput | None = None
    reward: Unserved = None

    @property
    def asked(self) -> Asked:
        """The thing, whatever kind of voucher it is called."""
        kind = "voucher" if self.object == "gift_card" else self.object
        return Asked(kind, self.id, None if self.gift is None else self.gift.credits)


class OptionsInput(msgspec.Struct, kw_only=True):
    """What an answer is to be expanded by."""

    expand: Annotated[list[Literal["order", "redemption", "redeemable", "category"]], Meta(max_length=20)] | None = None


class RedeemInput(msgspec.Struct, kw_only=True):
    """`RedemptionsRedeemRequestBody` and `ValidationsValidateRequestBody` of the reference."""

    redeemables: Annotated[list[RedeemableInput], Meta(min_length=1, max_length=MAX_REDEEMABLES)]
    order: OrderInput | None = None
    customer: CustomerInput | None = None
    tracking_id: Identifier | None = None
    metadata: Metadata | None = None
    session: SessionInput | None = None
    options: OptionsInput | None = None

    def shows(self, name: str) -> bool:
        """Whether the answer is to have something: the order of each redeemable, where the request does not choose."""
        expand = None if self.options is None else self.options.expand
        return name == "order" if expand is None else name in expand

    def asks_for(self, name: str) -> bool:
        """Whether the request chooses something."""
        return self.options is not None and name in (self.options.expand or ())


class RedeemOneInput(msgspec.Struct, kw_only=True):
    """The body of the older operations about one voucher or one tier, which is named in the path."""

    order: OrderInput | None = None
    customer: CustomerInput | None = None
    tracking_id: Identifier | None = None
    metadata: Metadata | None = None
    session: SessionInput | None = None
    gift: GiftInput | None = None
    reward: Unserved = None
    options: OptionsInput | None = None

    def of(self, reference: str, kind: Literal["voucher", "promotion_tier"] = "voucher") -> RedeemInput:
        """Return the same request in the newer form. Raises InvalidPayload."""
        refuse(self, ("reward",))
        return RedeemInput(
            redeemables=[RedeemableInput(object=kind, id=reference, gift=self.gift)],
            order=self.order,
            customer=self.customer,
            tracking_id=self.tracking_id,
            metadata=self.metadata,
            session=self.session,
            options=self.options,
        )


class CircumstancesInput(msgspec.Struct, kw_only=True):
    """What every request says that names no redeemables: whose cart it is, and what is in it."""

    order: OrderInput | None = None
    customer: CustomerInput | None = None
    tracking_id: Identifier | None = None
    metadata: Metadata | None = None

    @property
    def circumstances(self) -> RedeemInput:
        """The request as one about redeemables that are still to be found."""
        return RedeemInput(
            redeemables=[],
            order=self.order,
            customer=self.customer,
            tracking_id=self.tracking_id,
            metadata=self.metadata,
        )


class PromotionsInput(CircumstancesInput, kw_only=True):
    """The body of `validate-promotions`."""

    options: OptionsInput | None = None


class NamedOrder(msgspec.Struct, kw_only=True):
    """The order that a rollback expects, and what becomes of it besides; its amounts are worked out."""

    id: Identifier | None = None
    source_id: Identifier | None = None
    status: Status | None = None
    metadata: Metadata | None = None

    @property
    def says_something(self) -> bool:
        """Whether there has to be an order."""
        return any(getattr(self, name) is not None for name in self.__struct_fields__)

    @property
    def change(self) -> OrderInput:
        """What is to be set on the order."""
        return OrderInput(status=self.status, metadata=self.metadata)


class RollbackInput(msgspec.Struct, kw_only=True):
    """`RedemptionsRollbackCreateRequestBody` of the reference."""

    reason: Annotated[str, Meta(max_length=1_000)] | None = None
    customer: CustomerInput | None = None
    tracking_id: Identifier | None = None
    order: NamedOrder | None = None
    metadata: Metadata | None = None


Tracked = TypeVar("Tracked", RedeemOneInput, RollbackInput)


def check(data: RedeemInput) -> None:
    """Refuse what is not served, what is there twice, and a stack beside something else.

    Raises InvalidPayload, DuplicatedRedeemables, InvalidRedeemables.
    """
    for number, redeemable in enumerate(data.redeemables):
        refuse(redeemable, ("reward",), f".redeemables[{number}]")
    if len({(one.asked.object, one.id) for one in data.redeemables}) < len(data.redeemables):
        raise DuplicatedRedeemables("Duplicated redeemables detected in one redemption")
    if len(data.redeemables) > 1 and any(one.object == STACK for one in data.redeemables):
        raise InvalidRedeemables("A promotion stack cannot be combined with other redeemables")


def check_count(data: RedeemInput, rules: StackingRules) -> None:
    """Refuse more redeemables than the project allows in one request. Raises InvalidPayload."""
    if len(data.redeemables) > rules.redeemables_limit:
        raise InvalidPayload(f"Property .redeemables should have at most {rules.redeemables_limit} items")


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


def tracked(data: Tracked, query: Mapping[str, str]) -> Tracked:
    """Return a request with the tracking id of its query, where the body has none. Raises InvalidQueryParams."""
    said = query.get("tracking_id")
    if said and data.tracking_id is None:
        try:
            check_limits(said)
            data.tracking_id = msgspec.convert(said, Identifier)
        except (InvalidPayload, msgspec.ValidationError) as error:
            raise InvalidQueryParams("Query parameter tracking_id should have 1 to 255 characters, no NUL") from error
    return data


def channel_of(source: Source) -> dict[str, str]:
    """Return through which channel a redemption came, in the reference's shape."""
    return {"channel_id": (source.api_key or {}).get("app_id", "rapport"), "channel_type": "API"}


def tracking_id(customer: dict[str, Any] | None) -> str | None:
    """Return what names a customer in `tracking_id`: their source id."""
    return None if customer is None else customer.get("source_id")
