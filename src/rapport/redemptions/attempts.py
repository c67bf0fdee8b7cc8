"""One run of a redemption: who and what is locked, what is read, and what is decided on it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from msgspec import UNSET

from rapport.activity.log import Signature
from rapport.core.errors import InvalidPayload, NotFound
from rapport.customers.models import Customer
from rapport.customers.writes import Unit
from rapport.metadata.values import check as check_metadata
from rapport.orders.actions import Placed, open_order
from rapport.orders.models import Order
from rapport.orders.schemas import OrderInput
from rapport.redemptions import deciding, stacking
from rapport.redemptions.deciding import Decision
from rapport.redemptions.models import Redemption
from rapport.redemptions.reading import Asked, read_situation
from rapport.redemptions.redeemables.models import VOUCHER, Redeemable
from rapport.redemptions.redeemables.queries import Found, find_redeemables
from rapport.redemptions.schemas import NothingThere, RedeemInput, check_count, check_order, customer_of
from rapport.redemptions.sessions.queries import lock_vouchers
from rapport.redemptions.situations import Situation
from rapport.redemptions.stacking import StackingRules


@dataclass(frozen=True, slots=True)
class Redeemed:
    """What was redeemed: the redemption of each redeemable that was applied, in the order of their application.

    `parent` if there are several, `order` if there is one. `all` are the redeemables of the request, and `decision`
    what became of them. `is_order_hidden`: the order was there before, and whoever asks may not know what is stored;
    then `order` is what the request said of it, with its amounts.
    """

    rows: list[Redemption]
    redeemables: list[Redeemable]
    parent: Redemption | None
    customer: dict[str, Any] | None
    order: Order | None
    all: list[Redeemable]
    decision: Decision
    stacking: StackingRules
    tiers: dict[str, dict[str, Any]]
    is_order_hidden: bool = False


@dataclass(slots=True)
class Attempt:
    """One run of a redemption inside its unit."""

    unit: Unit
    data: RedeemInput
    placed: Placed | None = None
    customer_id: str | None = None
    redeemables: list[Redeemable] = field(default_factory=list)
    rules: StackingRules = stacking.DEFAULTS

    @property
    def customer(self) -> Customer | None:
        """The customer, locked, as they are by now."""
        return self.unit.find(self.customer_id)

    @property
    def order(self) -> Order | None:
        """The order as the request wants it."""
        return None if self.placed is None else self.placed.after

    @property
    def is_order_hidden(self) -> bool:
        """Whether the order is there already, and whoever asks has a key that anybody can read."""
        return self.is_public and self.placed is not None and self.placed.before is not None

    @property
    def is_public(self) -> bool:
        """Whether whoever asks has a key that anybody can read."""
        return self.unit.signature.source.is_public

    @property
    def session_key(self) -> str | None:
        """The session whose locks may be used."""
        return None if self.data.session is None else self.data.session.key


async def open_attempt(unit: Unit, data: RedeemInput, also_lock: Sequence[str]) -> Attempt:
    """Lock the customers, `also_lock` (ids) among them, then the order.

    Raises NotFound, InvalidPayload, InvalidOrder.
    """
    attempt = Attempt(unit, data)
    customer = customer_of(data)
    if data.order is not None:
        order = data.order
        if customer is not None:
            order = msgspec.structs.replace(order, customer=customer, customer_id=UNSET)
        attempt.placed = await open_order(unit, order, None, also_lock=also_lock, unread=attempt.is_public)
        check_order(attempt.placed.before, attempt.placed.after)
        if attempt.is_order_hidden and is_amount_missing(data.order, attempt.order):
            raise InvalidPayload("Property .order should say what the order costs")
        attempt.customer_id = attempt.placed.after.customer_id
    elif customer is not None:
        attempt.customer_id = (await unit.upsert(customer, also_lock=also_lock))[0].id
    else:
        await (unit.lock_all([*also_lock]) if also_lock else unit.open())
    schema = unit.moment.schemas.of("redemption")
    if schema is not None:
        attempt.data = msgspec.structs.replace(data, metadata=check_metadata(schema, data.metadata or {}) or None)
    return attempt


async def find(attempt: Attempt, *, wait: bool) -> None:
    """Read what is to be redeemed; with `wait`, under the locks of the vouchers.

    Raises NotFound where all must apply and something is not there, InvalidPayload for too many.
    """
    unit = attempt.unit
    asked = [one.asked for one in attempt.data.redeemables]
    if wait:
        await lock_vouchers(unit.conn, unit.project_id, [one.id for one in asked if one.object == VOUCHER])
    found: Found = await find_redeemables(unit.conn, unit.project_id, asked, unit.now, attempt.session_key, shown=True)
    check_count(attempt.data, found.rules)
    if found.missing and found.rules.redeemables_application_mode == "ALL":
        raise NotFound(found.missing[0].object, found.missing[0].id)
    if len(found.missing) == len(found.redeemables):
        raise NothingThere(found.missing)
    attempt.redeemables, attempt.rules = found.redeemables, found.rules


def is_amount_missing(data: OrderInput | None, order: Order | None) -> bool:
    """Return whether there is an order that says nothing about what it costs."""
    if data is None or order is None or order.amount or isinstance(data.amount, int):
        return False
    return not any("amount" in item for item in order.items)


async def decide(attempt: Attempt) -> tuple[Decision, Situation]:
    """Decide about all of the request, on what is locked."""
    unit = attempt.unit
    rules = deciding.rule_sets(attempt.redeemables)
    asked = Asked(
        customer=attempt.customer,
        order=attempt.order,
        is_amount_missing=is_amount_missing(attempt.data.order, attempt.order),
        metadata=attempt.data.metadata or {},
        api_key=key_of(unit.signature),
        session_key=attempt.session_key,
    )
    at = await read_situation(
        unit.conn,
        unit.project_id,
        unit.moment,
        asked,
        attempt.redeemables,
        rules,
        segments_among=unit.segments_among,
    )
    return deciding.decide(attempt.redeemables, rules, at, attempt.rules), at


def key_of(signature: Signature) -> tuple[str, ...]:
    """Return the app id and the name of the key of a request."""
    key = signature.source.api_key or {}
    return tuple(key[name] for name in ("app_id", "name") if key.get(name))
