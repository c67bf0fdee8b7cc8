"""Writing down what was decided about a redemption: the order, the uses, the ledger, the summaries and the log."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import msgspec

from rapport.campaigns.gifts import keep_gifts
from rapport.core.clock import iso
from rapport.core.db import Restart
from rapport.core.ids import new_id
from rapport.customers.models import Customer
from rapport.customers.schemas import simple_view
from rapport.customers.writes import Unit
from rapport.discounts.cart import Cart
from rapport.orders import standing
from rapport.orders.actions import Placed, place
from rapport.orders.models import Order
from rapport.orders.schemas import view as order_view
from rapport.promotions.answers import shown as shown_tiers
from rapport.promotions.models import Summary
from rapport.promotions.queries import add_to_summaries
from rapport.redemptions.attempts import Attempt, Redeemed
from rapport.redemptions.deciding import Decision
from rapport.redemptions.effects import onto, shifted
from rapport.redemptions.models import FAILURE, REDEMPTION, SUCCESS, Redemption
from rapport.redemptions.redeemables.models import Redeemable
from rapport.redemptions.schemas import NothingThere, Refused, channel_of
from rapport.redemptions.sessions import queries as sessions
from rapport.redemptions.situations import Situation
from rapport.redemptions.uses import queries as uses
from rapport.redemptions.uses.queries import Taken
from rapport.redemptions.views import NOTHING, Related, event_view
from rapport.rules import budgets
from rapport.rules.counted.queries import let_units_go
from rapport.vouchers.availability import Refusal
from rapport.vouchers.models import Voucher
from rapport.vouchers.schemas import campaign_view
from rapport.vouchers.schemas import event_view as voucher_event


def _row(attempt: Attempt, prefix: str, redeemable: Redeemable | None, **values: Any) -> Redemption:
    voucher = None if redeemable is None else redeemable.voucher
    tier = None if redeemable is None else redeemable.tier
    return Redemption(
        id=new_id(prefix),
        object=REDEMPTION,
        voucher_id=None if voucher is None else voucher.id,
        voucher_code=None if voucher is None else voucher.code,
        promotion_tier_id=None if tier is None else tier.id,
        promotion_stack_id=None if redeemable is None else redeemable.stack_id,
        campaign_id=None if redeemable is None else redeemable.campaign_id,
        campaign=None if redeemable is None else redeemable.campaign,
        customer_id=attempt.customer_id,
        metadata=attempt.data.metadata,
        channel=channel_of(attempt.unit.signature.source),
        created_at=attempt.unit.now,
        **values,
    )


def _amounts(cart: Cart | None) -> dict[str, int] | None:
    return None if cart is None else cart.amounts()


def holders_beside(attempt: Attempt, decision: Decision) -> set[str]:
    """Return who, besides the customer, holds a gift card that pays."""
    vouchers = [attempt.redeemables[place].voucher for place, effect in decision.applied if effect.credits]
    holders = {one.holder_id for one in vouchers if one is not None and one.holder_id is not None}
    return holders - {attempt.customer_id or ""}


async def succeed(attempt: Attempt, decision: Decision, at: Situation) -> Redeemed:
    """Write down a redemption; the vouchers are taken as late as can be, and what rules count is counted last.

    Raises Restart when one was used up or changed hands since it was read: the whole is undone and decided anew.
    """
    unit = attempt.unit
    applied = [(attempt.redeemables[place], effect) for place, effect in decision.applied]
    order_id = None if attempt.order is None else attempt.order.id
    parent = None
    if len(applied) > 1:
        parent = _row(attempt, "r", None, result=SUCCESS, order_id=order_id, amounts=_amounts(decision.cart))
    rows = [
        _row(
            attempt,
            "r",
            redeemable,
            result=SUCCESS,
            parent_id=None if parent is None else parent.id,
            order_id=order_id,
            amounts=_amounts(effect.cart),
            credits=effect.credits,
            effects=effect.items,
        )
        for redeemable, effect in applied
    ]
    order = await _place(attempt, decision, rows, parent)
    credited = sum(effect.credits or 0 for _, effect in applied)
    _count(attempt, succeeded=len(rows))
    taken = await _take(attempt, rows, parent, [redeemable for redeemable, _ in applied], at)
    if credited:
        await keep_gifts(unit, attempt.customer_id, credited)
        for holder_id in sorted(holders_beside(attempt, decision)):
            await keep_gifts(unit, holder_id)
    if any(redeemable.is_counted for redeemable, _ in applied) and any(
        await budgets.take(unit.conn, unit.project_id, decision.uses, at.standing, at.zone, at.exact)
    ):
        raise Restart
    await add_to_summaries(unit.conn, unit.project_id, tier_totals(rows))
    redeemables = [_after(redeemable, taken.get(redeemable.id), unit) for redeemable, _ in applied]
    tiers = await _tiers(unit, redeemables)
    customer = attempt.customer
    for row, redeemable in zip(rows, redeemables, strict=True):
        log(unit, "customer.redemption.succeeded", row, _related(redeemable, tiers), customer, order)
    shown = None if customer is None else simple_view(customer)
    told = order
    if attempt.is_order_hidden and attempt.order is not None and decision.cart is not None:
        told = with_cart(attempt.order, decision.cart)
    return Redeemed(
        rows,
        redeemables,
        parent,
        shown,
        told,
        attempt.redeemables,
        decision,
        attempt.rules,
        tiers,
        attempt.is_order_hidden,
    )


def tier_totals(rows: Iterable[Redemption], sign: int = 1) -> dict[str, Summary]:
    """Return what lines of the ledger add to what tiers came to (-1: take away from it), by the tiers' ids."""
    found: dict[str, Summary] = defaultdict(Summary)
    for row in rows:
        if row.promotion_tier_id is not None:
            amounts = row.amounts or {}
            own = Summary(1, amounts.get("total_amount", 0), amounts.get("total_applied_discount_amount", 0))
            found[row.promotion_tier_id] = found[row.promotion_tier_id].plus(own, sign)
    return found


async def _tiers(unit: Unit, redeemables: list[Redeemable]) -> dict[str, dict[str, Any]]:
    tiers = [one.tier for one in redeemables if one.tier is not None]
    return {one["id"]: one for one in await shown_tiers(unit.conn, unit.project_id, tiers)}


def _related(redeemable: Redeemable, tiers: dict[str, dict[str, Any]]) -> Related:
    return Related(redeemable.voucher, None if redeemable.tier is None else tiers.get(redeemable.tier.id))


def _after(redeemable: Redeemable, taken: Taken | None, unit: Unit) -> Redeemable:
    """Return a redeemable as its use left it."""
    voucher = redeemable.voucher
    if voucher is None or taken is None:
        return redeemable
    gift = voucher.gift
    if gift is not None and taken.balance is not None:
        gift = {**gift, "balance": taken.balance}
    after = msgspec.structs.replace(voucher, redeemed_quantity=taken.redeemed_quantity, updated_at=unit.now, gift=gift)
    return msgspec.structs.replace(redeemable, voucher=after)


async def _take(
    attempt: Attempt, rows: list[Redemption], parent: Redemption | None, redeemables: list[Redeemable], at: Situation
) -> dict[str, Taken]:
    """Use each voucher once, in the order of their codes so that stacks do not deadlock; return what they are then.

    Raises Restart where a voucher is another's by now, or where a formula counted its uses and there are more.
    """
    unit = attempt.unit
    await uses.insert(
        unit.conn,
        unit.project_id,
        [*([] if parent is None else [parent]), *(row for row in rows if row.voucher_id is None)],
    )
    pairs = sorted(
        ((row, one) for row, one in zip(rows, redeemables, strict=True) if one.voucher is not None),
        key=lambda pair: str(pair[0].voucher_code),
    )
    if any(one.held.stale or one.held.own for _, one in pairs):
        codes = [one.id for _, one in pairs]
        await sessions.clear(unit.conn, unit.project_id, codes, unit.now, attempt.session_key)
    if attempt.session_key is not None:
        ids = [one.object_id for one in redeemables]
        await let_units_go(unit.conn, unit.project_id, attempt.session_key, ids, unit.now)
    taken: dict[str, Taken] = {}
    for row, one in pairs:
        assert one.voucher is not None
        worth = None if one.gift is None else one.gift["amount"]
        done = await uses.take(unit.conn, unit.project_id, row, worth)
        if done is None or done.holder_id != one.voucher.holder_id:
            raise Restart
        used = at.formulas.get(one.id, {}).get("VOUCHER_REDEMPTION_COUNT")
        if used is not None and done.redeemed_quantity != used + 1:
            raise Restart
        taken[one.id] = done
    return taken


async def _place(
    attempt: Attempt, decision: Decision, rows: list[Redemption], parent: Redemption | None
) -> Order | None:
    """Write the order with its discounts and its redemptions."""
    cart, start = decision.cart, decision.start
    if attempt.placed is None or attempt.data.order is None or cart is None or start is None:
        return None
    before, order = attempt.placed.before, attempt.placed.after
    last = parent or rows[-1]
    if before is not None and attempt.is_order_hidden:
        order, status = _hidden(before, attempt.placed, start, cart), before.status
        shift = len(order.items) - len(cart.lines)
    else:
        order, status, shift = with_cart(order, cart), order.status, 0
        if not isinstance(attempt.data.order.status, str) and status != "FULFILLED":
            status = "PAID"
    records = {
        row.id: standing.record(row.applied_amount, shifted(row.effects, len(start.lines), shift)) for row in rows
    }
    changed = msgspec.structs.replace(
        order, status=status, redemptions={**order.redemptions, last.id: _order_entry(last, rows, records)}
    )
    return await place(attempt.unit, Placed(before, changed, attempt.placed.catalogue))


def _hidden(before: Order, placed: Placed, start: Cart, cart: Cart) -> Order:
    """Return a stored order as a key that anybody can read changes it: what it costs, and nothing else.

    What was decided on the request alone is off beside what earlier redemptions have off it; unless that, with a
    discount that the request names, is more than the order costs: then only what the request says is off.
    """
    if placed.costs is None:
        bare = msgspec.structs.replace(
            before,
            redemptions=standing.emptied(before.redemptions),
            **{name: getattr(placed.after, name) for name in _COST},
        )
        return msgspec.structs.replace(with_cart(bare, cart), customer_id=placed.after.customer_id)
    return msgspec.structs.replace(onto(placed.costs, start, cart), customer_id=placed.after.customer_id)


# What of an order says what it costs.
_COST = ("amount", "initial_amount", "discount_amount", "applied_discount_amount", "total_amount", "items")


def with_cart(order: Order, cart: Cart) -> Order:
    """Return the order with the items and the amounts of a cart that was made from it."""
    grown = cart.amount != order.amount
    return msgspec.structs.replace(
        order,
        amount=cart.amount,
        initial_amount=cart.initial_amount if grown else order.initial_amount,
        discount_amount=cart.discount_amount,
        applied_discount_amount=cart.applied_discount_amount,
        total_amount=cart.total_amount,
        items=cart.items() if order.items or cart.lines else order.items,
    )


def _order_entry(last: Redemption, rows: list[Redemption], records: standing.Records) -> dict[str, Any]:
    entry: dict[str, Any] = {"date": iso(last.created_at), standing.STANDING: records}
    if last.is_parent:
        stacked = [row.id for row in rows]
        return entry | {"related_object_type": "redemption", "related_object_id": last.id, "stacked": stacked}
    entry |= {"related_object_type": last.related_object_type, "related_object_id": last.related_object_id}
    return entry if last.campaign_id is None else entry | {"related_object_parent_id": last.campaign_id}


async def fail(attempt: Attempt, decision: Decision) -> Refused | NothingThere:
    """Keep the failures; the order stays as it was. Return the error to raise after the commit.

    It is the first failure, unless something is not there: then it is that, and the others are kept all the same. Where
    nothing was refused that is there, and yet nothing applies, what was left out failed.
    """
    unit, customer = attempt.unit, attempt.customer
    pairs = list(zip(attempt.redeemables, decision.verdicts, strict=True))
    there = [(one, verdict) for one, verdict in pairs if one.source is not None]
    reasons = [(one, verdict.refusal) for one, verdict in there if verdict.refusal is not None]
    if not reasons:
        reasons = [
            (one, Refusal(verdict.skip.key, verdict.skip.message, one.id)) for one, verdict in there if verdict.skip
        ]
    failed = [
        (
            refusal,
            redeemable,
            _row(
                attempt,
                "rf",
                redeemable,
                result=FAILURE,
                failure_code=refusal.key,
                failure_message=refusal.message,
            ),
        )
        for redeemable, refusal in reasons
    ]
    _count(attempt, failed=len(failed))
    await uses.insert(unit.conn, unit.project_id, [row for _, _, row in failed])
    tiers = await _tiers(unit, [one for _, one, _ in failed])
    for _, redeemable, row in failed:
        log(unit, "customer.redemption.failed", row, _related(redeemable, tiers), customer, None)
    missing = [one for one, _ in pairs if one.source is None]
    if missing:
        return NothingThere(missing)
    refusal, _, row = failed[0]
    return Refused(refusal, row.id, REDEMPTION)


def _count(attempt: Attempt, succeeded: int = 0, failed: int = 0) -> None:
    counted(attempt.unit, attempt.customer_id, total_redeemed=succeeded, total_succeeded=succeeded, total_failed=failed)


def counted(unit: Unit, customer_id: str | None, **more: int) -> None:
    """Add to the numbers of a locked customer's `summary.redemptions`."""
    customer = unit.find(customer_id)
    if customer is not None:
        changed = {name: customer.redemptions[name] + number for name, number in more.items()}
        unit.put(msgspec.structs.replace(customer, redemptions={**customer.redemptions, **changed}))


def _own(voucher: dict[str, Any], row: Redemption) -> dict[str, Any]:
    """Return the voucher without its holder, unless the entry is about them: it outlives anybody else's name."""
    if voucher.get("holder_id") == row.customer_id:
        return voucher
    return {name: value for name, value in voucher.items() if name != "holder_id"}


def _campaign(voucher: Voucher | None, tier: dict[str, Any] | None) -> dict[str, Any] | None:
    if voucher is not None:
        return campaign_view(voucher)
    return None if tier is None else tier.get("campaign")


def log(
    unit: Unit,
    kind: str,
    row: Redemption,
    related: Related = NOTHING,
    customer: Customer | None = None,
    order: Order | None = None,
) -> None:
    """Log a line of the ledger as the reference's events are shaped (`EventCustomerRedemption`)."""
    shown = None if customer is None else simple_view(customer)
    payload: dict[str, Any] = {
        "customer": shown,
        "order": None if order is None else order_view(order) | (row.amounts or {}),
        "campaign": _campaign(related.voucher, related.tier),
        "voucher": None if related.voucher is None else _own(voucher_event(related.voucher), row),
        "promotion_tier": related.tier,
        "redemption" if row.object == REDEMPTION else "redemption_rollback": event_view(row, shown),
    }
    unit.log(kind, customer, {name: part for name, part in payload.items() if part is not None}, row.campaign_id)
