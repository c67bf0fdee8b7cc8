"""Whether vouchers may be redeemed, and what they take off: decided from values, for redemptions and validations alike.

Pure: no connection, no clock.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from rapport.orders.models import Order
from rapport.rules import conditions
from rapport.rules.conditions import Circumstances, RuleSet
from rapport.rules.models import Assigned
from rapport.vouchers.availability import Refusal, unavailable
from rapport.vouchers.discounts import stack
from rapport.vouchers.models import Voucher
from rapport.vouchers.queries import Redeemable

_WHOLE = "APPLY_TO_ORDER"
_MESSAGES = {
    "missing_customer": "Missing customer",
    "customer_rules_violated": "customer does not match validation rules",
    "redemption_rules_violated": "redemption does not match validation rules",
}


@dataclass(frozen=True, slots=True)
class Situation:
    """Who redeems, when, and against which order (None: without an order).

    `redeemed` counts the customer's earlier redemptions by voucher id and by campaign id, where rules ask for them.
    """

    now: datetime
    customer_id: str | None
    segments: frozenset[str]
    redeemed: Mapping[str, int]
    order: Order | None
    is_amount_missing: bool


def rule_sets(redeemables: Sequence[Redeemable]) -> list[list[tuple[Assigned, RuleSet]]]:
    """Return the parsed rules of each redeemable."""
    return [[(one, conditions.parse(one.rules)) for one in redeemable.assigned] for redeemable in redeemables]


def named_segments(rules: list[list[tuple[Assigned, RuleSet]]]) -> frozenset[str]:
    """Return the segments that rules ask about."""
    return frozenset().union(*(rule_set.segment_ids for parsed in rules for _, rule_set in parsed))


def counted_objects(redeemables: Sequence[Redeemable], rules: list[list[tuple[Assigned, RuleSet]]]) -> list[str]:
    """Return the vouchers and campaigns for which a rule asks how often the customer redeemed them."""
    return sorted(
        {
            _object_of(redeemable.voucher, assigned)
            for redeemable, parsed in zip(redeemables, rules, strict=True)
            for assigned, rule_set in parsed
            if rule_set.counts
        }
    )


def _object_of(voucher: Voucher, assigned: Assigned) -> str:
    if assigned.related_object_type == "voucher" or voucher.campaign_id is None:
        return voucher.id
    return voucher.campaign_id


def refusals(
    redeemables: Sequence[Redeemable], rules: list[list[tuple[Assigned, RuleSet]]], at: Situation
) -> list[Refusal | None]:
    """Return for each redeemable, in order, why it may not be redeemed, or None."""
    seen: dict[str, int] = {}
    found = []
    for redeemable, parsed in zip(redeemables, rules, strict=True):
        voucher = redeemable.voucher
        found.append(
            unavailable(voucher, at.now)
            or _unserved(voucher)
            or _violation(voucher, parsed, at, seen)
            or _amount_refusal(at)
        )
        for object_id in {voucher.id, voucher.campaign_id or voucher.id}:
            seen[object_id] = seen.get(object_id, 0) + 1
    return found


def _unserved(voucher: Voucher) -> Refusal | None:
    discount = voucher.discount or {}
    if discount.get("type") in {"PERCENT", "AMOUNT"} and discount.get("effect", _WHOLE) == _WHOLE:
        return None
    return Refusal("invalid_voucher", "Invalid Voucher", f"{voucher.code} is of a kind that is not redeemed yet")


def _amount_refusal(at: Situation) -> Refusal | None:
    if not at.is_amount_missing:
        return None
    return Refusal("missing_amount", "Missing amount", "Property .order.amount is required, or items with prices")


def _violation(
    voucher: Voucher, parsed: list[tuple[Assigned, RuleSet]], at: Situation, seen: Mapping[str, int]
) -> Refusal | None:
    for assigned, rule_set in parsed:
        object_id = _object_of(voucher, assigned)
        violation = conditions.judge(
            rule_set,
            Circumstances(
                customer_id=at.customer_id,
                segments=at.segments,
                redemption_number=at.redeemed.get(object_id, 0) + seen.get(object_id, 0) + 1,
                is_holder=at.customer_id is not None and at.customer_id == voucher.holder_id,
            ),
        )
        if violation is not None:
            details = f"{voucher.code} cannot be redeemed because of violated validation rules: {assigned.rule_id}"
            if violation.key == "missing_customer":
                details = "Customer is required to validate rules"
            message = violation.message or (assigned.error or {}).get("message")
            return Refusal(violation.key, _MESSAGES[violation.key], details, message)
    return None


def amounts_of(redeemables: Sequence[Redeemable], order: Order) -> list[dict[str, int]]:
    """Return the order's amounts after each redeemable in turn, as the API shows them."""
    remaining = order.amount - order.discount_amount - order.items_discount_amount
    shown = []
    discount = order.discount_amount
    for off in stack([redeemable.voucher.discount or {} for redeemable in redeemables], max(0, remaining)):
        discount += off
        shown.append(amounts(order, discount, off))
    return shown


def amounts(order: Order, discount: int, applied: int) -> dict[str, int]:
    """Return an order's amounts with these discounts on the whole order, in all and applied just now."""
    return {
        "amount": order.amount,
        "discount_amount": discount,
        "total_discount_amount": discount + order.items_discount_amount,
        "total_amount": max(0, order.amount - discount - order.items_discount_amount),
        "applied_discount_amount": applied,
        "total_applied_discount_amount": applied,
    }
