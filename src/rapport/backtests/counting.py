"""Counts what became of one order: the tally, the samples, and what the draft's own rules count. Pure."""

from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from rapport.backtests.models import Kind
from rapport.backtests.replay import Outcome, Trial
from rapport.backtests.tally import SAMPLES_OF_ONE_REASON, Tally
from rapport.orders.models import Order
from rapport.redemptions.models import Redemption
from rapport.rules.counters import Spent

# counted_by, name and period of a row of backtest_counts.
Key = tuple[str, str, str]
SEEN = "seen"


def seen_key(customer_id: str) -> Key:
    """Return the key of the row that says that a customer was there."""
    return SEEN, customer_id, ""


@dataclass(slots=True)
class Page:
    """What is counted while a few orders are replayed: rows that were there, rows that changed, samples to keep."""

    counts: dict[Key, Spent]
    changed: set[Key] = field(default_factory=set)
    samples: list[tuple[Kind, Order, dict[str, Any]]] = field(default_factory=list)

    def put(self, key: Key, spent: Spent) -> None:
        """Keep a number."""
        self.counts[key] = spent
        self.changed.add(key)


def count(tally: Tally, page: Page, order: Order, outcome: Outcome, mine: list[Redemption], tried: Trial) -> None:
    """Count an order; `mine` are the redemptions on it of the campaign that the draft is compared with."""
    _customers(tally, page, order, outcome)
    tally.orders += 1
    tally.amount += order.amount
    if outcome.use is not None:
        tally.qualified += 1
        tally.qualified_amount += outcome.use.redeemed.orders_amount
        tally.discount_amount += outcome.off
        tally.compared.newly_qualified_orders += not mine
        if tally.has_room("qualified"):
            page.samples.append(("qualified", order, _amounts(order, outcome)))
    else:
        _refused(tally, page, order, outcome)
    if mine:
        _compared(tally, page, order, outcome, mine, tried)


def by_month(tally: Tally, order: Order, outcome: Outcome, zone: ZoneInfo) -> None:
    """Count an order in its month."""
    month = tally.month_of(order.created_at, zone)
    month.orders += 1
    month.orders_amount += order.amount
    month.qualified += outcome.use is not None
    month.discount_amount += outcome.off


def _customers(tally: Tally, page: Page, order: Order, outcome: Outcome) -> None:
    if order.customer_id is None:
        tally.without_customer += 1
        return
    key = seen_key(order.customer_id)
    before = page.counts.get(key)
    qualifies = int(outcome.use is not None)
    if before is None:
        tally.customers += 1
    tally.qualified_customers += int(qualifies and (before is None or not before.number))
    if before is None or before.number < qualifies:
        page.put(key, Spent(qualifies))


def _amounts(order: Order, outcome: Outcome) -> dict[str, Any]:
    return {"amount": order.amount, "total_amount": order.total_amount, "discount_amount": outcome.off}


def _refused(tally: Tally, page: Page, order: Order, outcome: Outcome) -> None:
    refusal = outcome.refusal
    assert refusal is not None
    reason = tally.reason_of(refusal.key, refusal.message, outcome.number, outcome.name)
    reason.count += 1
    for number in outcome.failed:
        tally.rules[number].refused += 1
        tally.rules[number].refused_alone += number in outcome.alone
    if reason.count <= SAMPLES_OF_ONE_REASON and tally.has_room("refused"):
        page.samples.append(("refused", order, _amounts(order, outcome) | why(outcome)))


def why(outcome: Outcome) -> dict[str, Any]:
    """Return why an order is refused, as a sample tells it."""
    refusal = outcome.refusal
    assert refusal is not None
    return {
        "reason": {
            "key": refusal.key,
            "message": refusal.shop_message or refusal.message,
            "number": outcome.number,
            "name": outcome.name,
        },
        "rules": list(outcome.failed),
        "rules_alone": list(outcome.alone),
    }


def _compared(tally: Tally, page: Page, order: Order, outcome: Outcome, mine: list[Redemption], tried: Trial) -> None:
    compared, number = tally.compared, len(mine)
    stored = sum((one.amounts or {}).get("total_applied_discount_amount", 0) for one in mine)
    compared.redemptions += number
    compared.discount_amount += stored
    compared.draft_discount_amount += outcome.off
    told: dict[str, Any] = _amounts(order, outcome) | {
        "redemptions": [one.id for one in mine],
        "redeemed_discount_amount": stored,
    }
    if outcome.use is None:
        compared.would_be_refused += number
        told |= {"change": "would_be_refused"} | why(outcome)
    elif tried.has_discount and outcome.off != stored:
        compared.amount_changes += number
        told |= {"change": "amount_changes"}
    else:
        compared.unchanged += number
        return
    if tally.has_room("compared"):
        page.samples.append(("compared", order, told))
