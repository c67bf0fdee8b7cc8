"""Whether vouchers may be redeemed, and what they take off: decided from values, for redemptions and validations alike.

Pure: no connection, no clock.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from rapport.activity.log import Source
from rapport.orders.models import Order
from rapport.redemptions.models import Redemption
from rapport.rules import budgets, conditions
from rapport.rules.conditions import MESSAGES, RuleSet
from rapport.rules.counters import Counter, Redeemed, Spent, Use
from rapport.rules.facts import Facts, OrderFacts
from rapport.rules.models import Assigned
from rapport.vouchers.availability import Refusal, unavailable
from rapport.vouchers.discounts import stack
from rapport.vouchers.models import Voucher
from rapport.vouchers.queries import Redeemable


@dataclass(frozen=True, slots=True)
class Situation:
    """Who redeems, when, and against which order (None: without an order). `metadata` is that of the redemption."""

    now: datetime
    zone: ZoneInfo
    customer_id: str | None
    order: Order | None
    is_amount_missing: bool
    source: Source
    segments: frozenset[str] = frozenset()
    customer_metadata: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)


def rule_sets(redeemables: Sequence[Redeemable]) -> list[list[tuple[Assigned, RuleSet]]]:
    """Return the parsed rules of each redeemable."""
    return [[(one, conditions.parse(one.rules)) for one in redeemable.assigned] for redeemable in redeemables]


def named_segments(rules: list[list[tuple[Assigned, RuleSet]]]) -> frozenset[str]:
    """Return the segments that rules ask about."""
    return frozenset().union(*(rule_set.segment_ids for parsed in rules for _, rule_set in parsed))


def uses(redeemables: Sequence[Redeemable], rules: list[list[tuple[Assigned, RuleSet]]], at: Situation) -> list[Use]:
    """Return each redeemable as its rules look at it."""
    amounts: Sequence[dict[str, int] | None] = [None] * len(redeemables)
    if at.order is not None:
        amounts = amounts_of(redeemables, at.order)
    return [
        Use(_redeemed(redeemable.voucher, at, shown), tuple(parsed), _facts(redeemable.voucher, at))
        for redeemable, parsed, shown in zip(redeemables, rules, amounts, strict=True)
    ]


def _redeemed(voucher: Voucher, at: Situation, amounts: dict[str, int] | None) -> Redeemed:
    return Redeemed(
        object_id=voucher.id,
        kind="voucher",
        campaign_id=voucher.campaign_id,
        at=at.now,
        customer_id=at.customer_id,
        api_key=(at.source.api_key or {}).get("app_id", "rapport"),
        user=None,
        orders_amount=0 if amounts is None else amounts["amount"],
        discount_amount=0 if amounts is None else amounts["total_applied_discount_amount"],
    )


def redeemed_before(row: Redemption) -> Redeemed:
    """Return a line of the ledger as counters see it."""
    amounts = row.amounts or {}
    return Redeemed(
        object_id=str(row.voucher_id),
        kind="voucher",
        campaign_id=row.campaign_id,
        at=row.created_at,
        customer_id=row.customer_id,
        api_key=row.channel.get("channel_id"),
        user=None,
        orders_amount=amounts.get("amount", 0),
        discount_amount=amounts.get("total_applied_discount_amount", 0),
    )


def _facts(voucher: Voucher, at: Situation) -> Facts:
    order = None
    if at.order is not None:
        off = at.order.discount_amount + at.order.items_discount_amount
        order = OrderFacts(
            amount=at.order.amount,
            total_amount=max(0, at.order.amount - off),
            initial_amount=at.order.initial_amount,
            raw_items=at.order.items,
            metadata=at.order.metadata,
            is_amount_known=not at.is_amount_missing,
        )
    key = at.source.api_key or {}
    return Facts(
        now=at.now,
        zone=at.zone,
        customer_id=at.customer_id,
        customer_metadata=at.customer_metadata,
        segments=at.segments,
        is_holder=at.customer_id is not None and at.customer_id == voucher.holder_id,
        order=order,
        metadata=at.metadata,
        api_key=tuple(key[name] for name in ("app_id", "name") if name in key),
    )


def refusals(
    redeemables: Sequence[Redeemable], wanted: Sequence[Use], at: Situation, standing: Mapping[Counter, Spent]
) -> list[Refusal | None]:
    """Return for each redeemable, in order, why it may not be redeemed, or None; `standing` is what was counted."""
    judged = budgets.judge(wanted, standing, at.zone)
    return [
        unavailable(redeemable.voucher, at.now) or _violation(redeemable.voucher, refusal) or _amount_refusal(at)
        for redeemable, refusal in zip(redeemables, judged, strict=True)
    ]


def _amount_refusal(at: Situation) -> Refusal | None:
    if not at.is_amount_missing:
        return None
    return Refusal("missing_amount", "Missing amount", "Property .order.amount is required, or items with prices")


def _violation(voucher: Voucher, refusal: budgets.Refusal | None) -> Refusal | None:
    if refusal is None:
        return None
    assigned, violation = refusal
    details = violation.details
    if not violation.key.startswith("missing_"):
        rule = assigned.rule_id
        details = f"{voucher.code} cannot be redeemed because of violated validation rules: {rule}. {details}"
    message = violation.message or (assigned.error or {}).get("message")
    return Refusal(violation.key, MESSAGES[violation.key], details, message)


def amounts_of(redeemables: Sequence[Redeemable], order: Order) -> list[dict[str, int]]:
    """Return the order's amounts after each redeemable in turn, as the API shows them."""
    remaining = order.amount - order.discount_amount - order.items_discount_amount
    shown = []
    discount = order.discount_amount
    for off in stack([redeemable.voucher.discount for redeemable in redeemables], max(0, remaining)):
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
