"""Asking whether vouchers could be redeemed, without redeeming them: reads only, takes no lock."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from rapport.activity import queries as activity
from rapport.activity.log import Entry
from rapport.core.clock import LATEST, iso
from rapport.core.db import Connection
from rapport.core.errors import NotFound
from rapport.core.ids import new_id
from rapport.customers import queries as customers
from rapport.customers.deciding import Moment
from rapport.customers.models import Customer
from rapport.customers.schemas import CustomerInput, simple_view
from rapport.customers.schemas import apply as apply_customer
from rapport.http.caller import Caller
from rapport.metadata.values import check as check_metadata
from rapport.orders import queries as orders
from rapport.orders.catalogue import told
from rapport.orders.models import Order
from rapport.orders.schemas import OrderInput
from rapport.orders.schemas import apply as apply_order
from rapport.orders.schemas import checked as checked_order
from rapport.orders.schemas import view as order_view
from rapport.redemptions import deciding, queries
from rapport.redemptions.actions import is_amount_missing
from rapport.redemptions.deciding import Situation
from rapport.redemptions.schemas import MAX_REDEEMABLES, RedeemInput, check, check_order, customer_of, tracking_id
from rapport.segments.membership import SegmentDecider
from rapport.vouchers.availability import Refusal
from rapport.vouchers.queries import Redeemable, find_redeemables

STACKING_RULES: dict[str, Any] = {
    "redeemables_limit": MAX_REDEEMABLES,
    "applicable_redeemables_limit": MAX_REDEEMABLES,
    "applicable_redeemables_per_category_limit": MAX_REDEEMABLES,
    "applicable_redeemables_category_limits": {},
    "applicable_exclusive_redeemables_limit": 1,
    "applicable_exclusive_redeemables_per_category_limit": 1,
    "exclusive_categories": [],
    "joint_categories": [],
    "redeemables_application_mode": "ALL",
    "redeemables_sorting_rule": "REQUESTED_ORDER",
    "redeemables_products_application_mode": "STACK",
    "redeemables_no_effect_rule": "REDEEM_ANYWAY",
    "no_effect_skip_categories": [],
    "no_effect_redeem_anyway_categories": [],
    "redeemables_rollback_order_mode": "WITH_ORDER",
}
_NOTHING = {"data": [], "total": 0, "data_ref": "data", "object": "list"}
_ONLY_STORED = ("id", "created_at", "updated_at", "status")


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer to one code: its error, or the voucher with the order's amounts after it (None: no order)."""

    code: str
    redeemable: Redeemable | None
    error: dict[str, Any] | None
    amounts: dict[str, int] | None


@dataclass(frozen=True, slots=True)
class Validation:
    """The answer to a request."""

    id: str
    outcomes: list[Outcome]
    customer: Customer | None
    order: dict[str, Any] | None

    @property
    def valid(self) -> bool:
        """Whether everything asked for could be redeemed together."""
        return all(outcome.error is None for outcome in self.outcomes)

    @property
    def tracking_id(self) -> str | None:
        """The customer's source id."""
        return None if self.customer is None else tracking_id(simple_view(self.customer))


async def validate(caller: Caller, decider: SegmentDecider, data: RedeemInput) -> Validation:
    """Decide about a request as a redemption would, on the data as they are now (`validate-stacked-discounts`).

    Nobody is created and nothing is held back; a customer who is known gets an entry in the activity log.
    Raises NotFound for an unknown customer or order id, InvalidPayload, InvalidOrder.
    """
    check(data)
    async with caller.db.read() as conn:
        stored = await _read_order(conn, caller.project_id, data.order)
        named = customer_of(data) or _customer_of_order(data.order)
        reference = None if named is None else _reference(named)
        known = await _known_customer(conn, caller.project_id, named, reference, stored)
        moment = await decider.open(conn, caller.db, caller.project_id, [])
        customer = _as_asked(named, known, moment)
        asked = data.order
        if asked is not None:
            asked = await told(conn, caller.project_id, asked, moment.schemas, moment.now)
        order = _order_as_asked(asked, stored, moment)
        if data.metadata is not None:
            check_metadata(moment.schemas.of("redemption"), data.metadata)
        if order is not None and named is not None:
            order = msgspec.structs.replace(order, customer_id=None if known is None else known.id)
        check_order(stored, order)
        codes = [redeemable.id for redeemable in data.redeemables]
        found = await find_redeemables(conn, caller.project_id, codes)
        outcomes = await _decide(conn, caller, decider, data, found, moment, customer, order)
        validation = Validation(new_id("valid"), outcomes, customer, _shown_order(order, stored, outcomes))
        if known is not None:
            await activity.append(
                conn, caller.project_id, moment.now, caller.request_id, caller.source, [_entry(validation, moment)]
            )
    return validation


async def _read_order(conn: Connection, project_id: int, data: OrderInput | None) -> Order | None:
    if data is None:
        return None
    if isinstance(data.id, str):
        found = await orders.find(conn, project_id, data.id)
        if found is None:
            raise NotFound("order", data.id)
        return found
    return await orders.find(conn, project_id, data.source_id) if isinstance(data.source_id, str) else None


def _blank_order(moment: Moment) -> Order:
    return Order(
        id="", source_id=None, status="CREATED", customer_id=None, referrer_id=None, amount=0, initial_amount=None,
        discount_amount=0, total_amount=0, applied_discount_amount=0, items=[], metadata={}, redemptions={},
        created_at=moment.now, updated_at=None,
    )  # fmt: skip


def _customer_of_order(data: OrderInput | None) -> CustomerInput | None:
    if data is None:
        return None
    if isinstance(data.customer, CustomerInput):
        return data.customer
    return CustomerInput(id=data.customer_id) if isinstance(data.customer_id, str) else None


def _reference(named: CustomerInput) -> str | None:
    if isinstance(named.id, str):
        return named.id
    return named.source_id if isinstance(named.source_id, str) else None


async def _known_customer(
    conn: Connection, project_id: int, named: CustomerInput | None, reference: str | None, order: Order | None
) -> Customer | None:
    if named is None:
        reference = None if order is None else order.customer_id
    if reference is None:
        return None
    found = await customers.find(conn, project_id, reference)
    if found is None and named is not None and isinstance(named.id, str):
        raise NotFound("customer", named.id)
    return found


def _as_asked(named: CustomerInput | None, known: Customer | None, moment: Moment) -> Customer | None:
    """Return the customer as a redemption would leave them before it decides."""
    if named is None:
        return known
    blank = Customer(id=new_id("cust"), created_at=moment.now, updated_at=LATEST)
    asked = apply_customer(named, known or blank)
    if known is not None and named.metadata is None:
        return asked
    before = None if known is None else known.metadata
    metadata = check_metadata(moment.schemas.of("customer"), asked.metadata, before=before)
    return msgspec.structs.replace(asked, metadata=metadata)


def _order_as_asked(data: OrderInput | None, stored: Order | None, moment: Moment) -> Order | None:
    if data is None:
        return None
    return checked_order(data, apply_order(data, stored or _blank_order(moment)), stored, moment.schemas)


async def _decide(
    conn: Connection,
    caller: Caller,
    decider: SegmentDecider,
    data: RedeemInput,
    found: dict[str, Redeemable],
    moment: Moment,
    customer: Customer | None,
    order: Order | None,
) -> list[Outcome]:
    codes = [redeemable.id for redeemable in data.redeemables]
    known = [found[code] for code in codes if code in found]
    rules = deciding.rule_sets(known)
    segments: frozenset[str] = frozenset()
    redeemed: Any = {}
    if customer is not None and any(rules):
        named = deciding.named_segments(rules)
        segments = await decider.among(conn, caller.project_id, moment, customer, named)
        wanted = deciding.counted_objects(known, rules)
        redeemed = await queries.count_of_customer(conn, caller.project_id, customer.id, wanted)
    at = Situation(
        now=moment.now,
        customer_id=None if customer is None else customer.id,
        segments=segments,
        redeemed=redeemed,
        order=order,
        is_amount_missing=is_amount_missing(data.order, order),
    )
    refused = dict(zip([one.voucher.code for one in known], deciding.refusals(known, rules, at), strict=True))
    fine = [one for one in known if refused[one.voucher.code] is None]
    amounts = [] if order is None else deciding.amounts_of(fine, order)
    shown = dict(zip([one.voucher.code for one in fine], amounts, strict=False))
    return [
        Outcome(code, found.get(code), _error(caller, code, found, refused.get(code)), shown.get(code))
        for code in codes
    ]


def _error(caller: Caller, code: str, found: dict[str, Redeemable], refusal: Refusal | None) -> dict[str, Any] | None:
    if code not in found:
        missing = NotFound("voucher", code)
        return {
            "code": missing.code,
            "key": missing.key,
            "message": missing.message,
            "details": missing.details,
            "request_id": caller.request_id,
            "resource_id": code,
            "resource_type": "voucher",
        }
    if refusal is None:
        return None
    shown: dict[str, Any] = {
        "code": 400,
        "key": refusal.key,
        "message": refusal.message,
        "details": refusal.details,
        "request_id": caller.request_id,
    }
    return shown if refusal.shop_message is None else shown | {"error": {"message": refusal.shop_message}}


def _shown_order(order: Order | None, stored: Order | None, outcomes: Sequence[Outcome]) -> dict[str, Any] | None:
    if order is None:
        return None
    shown = order_view(order)
    if stored is None:
        shown = {name: value for name, value in shown.items() if name not in _ONLY_STORED}
    amounts = [outcome.amounts for outcome in outcomes if outcome.amounts is not None]
    if not amounts:
        return shown
    applied = sum(one["applied_discount_amount"] for one in amounts)
    return shown | amounts[-1] | {"applied_discount_amount": applied, "total_applied_discount_amount": applied}


def _entry(validation: Validation, moment: Moment) -> Entry:
    assert validation.customer is not None
    customer = simple_view(validation.customer)
    payload = {
        "customer": customer,
        "validation": {
            "id": validation.id,
            "status": "VALID" if validation.valid else "INVALID",
            "created_at": iso(moment.now),
            "customer_id": validation.customer.id,
            **redeemables_view(validation, brief=True),
        },
    }
    kind = "customer.validation.succeeded" if validation.valid else "customer.validation.failed"
    return Entry(kind, validation.customer.id, payload)


def redeemables_view(validation: Validation, *, brief: bool = False) -> dict[str, Any]:
    """Return the three lists of an answer: what applies (or the reasons why not), what does not, what was left out."""
    inapplicable = [_inapplicable(one) for one in validation.outcomes if one.error is not None]
    if validation.valid:
        applicable = [_applicable(one, None if brief else validation.order) for one in validation.outcomes]
        return {"redeemables": applicable, "inapplicable_redeemables": [], "skipped_redeemables": []}
    skipped = [
        {"status": "SKIPPED", "id": one.code, "object": "voucher", "result": {}}
        for one in validation.outcomes
        if one.error is None
    ]
    return {
        "redeemables": [*inapplicable, *skipped],
        "inapplicable_redeemables": inapplicable,
        "skipped_redeemables": skipped,
    }


def _inapplicable(outcome: Outcome) -> dict[str, Any]:
    shown = {"status": "INAPPLICABLE", "id": outcome.code, "object": "voucher", "result": {"error": outcome.error}}
    return shown if outcome.redeemable is None else shown | {"metadata": outcome.redeemable.voucher.metadata}


def _applicable(outcome: Outcome, order: dict[str, Any] | None) -> dict[str, Any]:
    assert outcome.redeemable is not None
    shown: dict[str, Any] = {"status": "APPLICABLE", "id": outcome.code, "object": "voucher"}
    if order is not None:
        shown["order"] = order | (outcome.amounts or {})
    return shown | {
        "applicable_to": _NOTHING,
        "inapplicable_to": _NOTHING,
        "result": {"discount": outcome.redeemable.voucher.discount},
        "metadata": outcome.redeemable.voucher.metadata,
        "categories": [],
    }


def view(validation: Validation) -> dict[str, Any]:
    """Return the answer of `validate-stacked-discounts`."""
    shown: dict[str, Any] = {"id": validation.id, "valid": validation.valid, **redeemables_view(validation)}
    if validation.order is not None and validation.valid:
        shown["order"] = validation.order
    return shown | {"tracking_id": validation.tracking_id, "stacking_rules": STACKING_RULES}


def single_view(validation: Validation) -> dict[str, Any]:
    """Return the answer of `validate-voucher`, the older operation about one voucher."""
    outcome = validation.outcomes[0]
    metadata = {} if outcome.redeemable is None else outcome.redeemable.voucher.metadata
    shown: dict[str, Any] = {"valid": validation.valid, "code": outcome.code, "tracking_id": validation.tracking_id}
    if outcome.error is not None:
        return shown | {"reason": outcome.error["message"], "error": outcome.error, "metadata": metadata}
    assert outcome.redeemable is not None
    shown |= {
        "applicable_to": _NOTHING,
        "inapplicable_to": _NOTHING,
        "discount": outcome.redeemable.voucher.discount,
        "metadata": metadata,
    }
    return shown if validation.order is None else shown | {"order": validation.order}
