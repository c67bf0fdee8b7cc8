"""Redeeming vouchers: all of a request's or none, each use counted by the database, failures kept with their reason."""

from dataclasses import dataclass, field
from typing import Any

import msgspec
from msgspec import UNSET

from rapport.activity.log import Signature
from rapport.core.clock import iso
from rapport.core.db import Restart, UniqueViolation
from rapport.core.errors import DuplicateFound, NotFound
from rapport.core.ids import new_id
from rapport.core.jsons import check_limits
from rapport.customers.models import Customer
from rapport.customers.schemas import simple_view
from rapport.customers.writes import Unit, Writer
from rapport.metadata.values import check as check_metadata
from rapport.orders.actions import Placed, open_order, place
from rapport.orders.models import Order
from rapport.orders.schemas import OrderInput
from rapport.orders.schemas import view as order_view
from rapport.redemptions import deciding, queries
from rapport.redemptions.deciding import Situation
from rapport.redemptions.models import FAILURE, REDEMPTION, SUCCESS, Redemption
from rapport.redemptions.schemas import RedeemInput, Refused, channel_of, check, check_order, customer_of, event_view
from rapport.vouchers.availability import Refusal
from rapport.vouchers.models import Voucher
from rapport.vouchers.queries import Redeemable, find_redeemables
from rapport.vouchers.schemas import campaign_view
from rapport.vouchers.schemas import event_view as voucher_event


@dataclass(frozen=True, slots=True)
class Redeemed:
    """What was redeemed: each voucher's redemption, the parent if there are several, the order if there is one."""

    rows: list[Redemption]
    vouchers: list[Voucher]
    parent: Redemption | None
    customer: dict[str, Any] | None
    order: Order | None


@dataclass(slots=True)
class _Attempt:
    """One run of a redemption inside its unit."""

    unit: Unit
    data: RedeemInput
    placed: Placed | None = None
    customer_id: str | None = None
    redeemables: list[Redeemable] = field(default_factory=list)

    @property
    def customer(self) -> Customer | None:
        return self.unit.find(self.customer_id)

    @property
    def order(self) -> Order | None:
        return None if self.placed is None else self.placed.after


async def redeem(writer: Writer, signature: Signature, data: RedeemInput) -> Redeemed:
    """Redeem up to five vouchers, all or none (`redeem-stacked-discounts`, `redeem-voucher`).

    The customer is upserted; the order is created or updated, PAID unless the request says otherwise, with the
    discounts taken off one after another. A refusal commits too: the failure is kept, counted and logged; then
    Refused is raised.
    Raises NotFound for an unknown voucher, customer or order (nothing is kept then), InvalidPayload, InvalidOrder,
    DuplicateFound.
    """
    check(data)
    check_limits(data.metadata, ".metadata")

    async def work(unit: Unit) -> Redeemed | Refused:
        attempt = _Attempt(unit, data)
        await _open(attempt)
        await _find(attempt)
        refused = await _decide(attempt)
        if any(refused):
            return await _fail(attempt, refused)
        return await _succeed(attempt)

    try:
        done = await writer.commit(signature, work)
    except UniqueViolation as error:
        source_id = data.order.source_id if data.order is not None else None
        raise DuplicateFound("order", str(source_id)) from error
    if isinstance(done, Refused):
        raise done
    return done


async def _open(attempt: _Attempt) -> None:
    """Lock the customers, then the order."""
    unit, data = attempt.unit, attempt.data
    customer = customer_of(data)
    if data.order is not None:
        order = data.order
        if customer is not None:
            order = msgspec.structs.replace(order, customer=customer, customer_id=UNSET)
        attempt.placed = await open_order(unit, order, None)
        check_order(attempt.placed.before, attempt.placed.after)
        attempt.customer_id = attempt.placed.after.customer_id
    elif customer is not None:
        attempt.customer_id = (await unit.upsert(customer))[0].id
    else:
        await unit.open()
    schema = unit.moment.schemas.of("redemption")
    if schema is not None:
        attempt.data = msgspec.structs.replace(data, metadata=check_metadata(schema, data.metadata or {}) or None)


async def _find(attempt: _Attempt) -> None:
    codes = [redeemable.id for redeemable in attempt.data.redeemables]
    found = await find_redeemables(attempt.unit.conn, attempt.unit.project_id, codes)
    for code in codes:
        if code not in found:
            raise NotFound("voucher", code)
    attempt.redeemables = [found[code] for code in codes]


def is_amount_missing(data: OrderInput | None, order: Order | None) -> bool:
    """Return whether there is an order that says nothing about what it costs."""
    if data is None or order is None or order.amount or isinstance(data.amount, int):
        return False
    return not any("amount" in item for item in order.items)


async def _decide(attempt: _Attempt) -> list[Refusal | None]:
    unit, customer = attempt.unit, attempt.customer
    rules = deciding.rule_sets(attempt.redeemables)
    segments: frozenset[str] = frozenset()
    redeemed: Any = {}
    if customer is not None and any(rules):
        segments = await unit.segments_among(customer, deciding.named_segments(rules))
        wanted = deciding.counted_objects(attempt.redeemables, rules)
        redeemed = await queries.count_of_customer(unit.conn, unit.project_id, customer.id, wanted)
    at = Situation(
        now=unit.now,
        customer_id=attempt.customer_id,
        segments=segments,
        redeemed=redeemed,
        order=attempt.order,
        is_amount_missing=is_amount_missing(attempt.data.order, attempt.order),
    )
    return deciding.refusals(attempt.redeemables, rules, at)


def _row(attempt: _Attempt, prefix: str, voucher: Voucher | None, **values: Any) -> Redemption:
    return Redemption(
        id=new_id(prefix),
        object=REDEMPTION,
        voucher_id=None if voucher is None else voucher.id,
        voucher_code=None if voucher is None else voucher.code,
        campaign_id=None if voucher is None else voucher.campaign_id,
        campaign=None if voucher is None else voucher.campaign,
        customer_id=attempt.customer_id,
        metadata=attempt.data.metadata,
        channel=channel_of(attempt.unit.signature.source),
        created_at=attempt.unit.now,
        **values,
    )


async def _succeed(attempt: _Attempt) -> Redeemed:
    unit = attempt.unit
    vouchers = [redeemable.voucher for redeemable in attempt.redeemables]
    amounts: list[Any] = [None] * len(vouchers)
    if attempt.order is not None:
        amounts = list(deciding.amounts_of(attempt.redeemables, attempt.order))
    order_id = None if attempt.order is None else attempt.order.id
    parent = None
    if len(vouchers) > 1:
        whole = None
        if attempt.order is not None:
            applied = sum(one["applied_discount_amount"] for one in amounts)
            whole = deciding.amounts(attempt.order, amounts[-1]["discount_amount"], applied)
        parent = _row(attempt, "r", None, result=SUCCESS, order_id=order_id, amounts=whole)
    parent_id = None if parent is None else parent.id
    rows = [
        _row(attempt, "r", voucher, result=SUCCESS, parent_id=parent_id, order_id=order_id, amounts=one)
        for voucher, one in zip(vouchers, amounts, strict=True)
    ]
    order = await _place(attempt, rows, parent)
    _count(attempt, succeeded=len(rows))
    vouchers = await _take(attempt, rows, parent, vouchers)
    customer = attempt.customer
    shown = None if customer is None else simple_view(customer)
    for row, voucher in zip(rows, vouchers, strict=True):
        log(unit, "customer.redemption.succeeded", row, voucher, customer, order)
    return Redeemed(rows, vouchers, parent, shown, order)


async def _take(
    attempt: _Attempt, rows: list[Redemption], parent: Redemption | None, vouchers: list[Voucher]
) -> list[Voucher]:
    """Use each voucher once, in the order of their codes so that stacks do not deadlock, as late as can be.

    Raises Restart when one was used up or changed hands since it was read: the whole is undone and decided anew.
    """
    unit = attempt.unit
    if parent is not None:
        await queries.insert(unit.conn, unit.project_id, [parent])
    used = {}
    holders = {one.code: one.holder_id for one in vouchers}
    for row in sorted(rows, key=lambda row: str(row.voucher_code)):
        taken = await queries.take(unit.conn, unit.project_id, row)
        if taken is None or taken[1] != holders[str(row.voucher_code)]:
            raise Restart
        used[row.voucher_code] = taken[0]
    return [msgspec.structs.replace(one, redeemed_quantity=used[one.code], updated_at=unit.now) for one in vouchers]


async def _place(attempt: _Attempt, rows: list[Redemption], parent: Redemption | None) -> Order | None:
    """Write the order with its discounts and its redemptions."""
    if attempt.placed is None or attempt.data.order is None:
        return None
    order = attempt.placed.after
    last = parent or rows[-1]
    assert last.amounts is not None
    status = order.status
    if not isinstance(attempt.data.order.status, str) and status != "FULFILLED":
        status = "PAID"
    changed = msgspec.structs.replace(
        order,
        status=status,
        discount_amount=last.amounts["discount_amount"],
        applied_discount_amount=last.amounts["applied_discount_amount"],
        total_amount=last.amounts["total_amount"],
        redemptions={**order.redemptions, last.id: _order_entry(last, rows)},
    )
    return await place(attempt.unit, Placed(attempt.placed.before, changed, attempt.placed.catalogue))


def _order_entry(last: Redemption, rows: list[Redemption]) -> dict[str, Any]:
    entry: dict[str, Any] = {"date": iso(last.created_at)}
    if last.voucher_id is None:
        stacked = [row.id for row in rows]
        return entry | {"related_object_type": "redemption", "related_object_id": last.id, "stacked": stacked}
    entry |= {"related_object_type": "voucher", "related_object_id": last.voucher_id}
    return entry if last.campaign_id is None else entry | {"related_object_parent_id": last.campaign_id}


async def _fail(attempt: _Attempt, refused: list[Refusal | None]) -> Refused:
    """Keep the failures; the order stays as it was. Return the first as the error to raise after the commit."""
    unit, customer = attempt.unit, attempt.customer
    failed = [
        (
            refusal,
            redeemable.voucher,
            _row(
                attempt,
                "rf",
                redeemable.voucher,
                result=FAILURE,
                failure_code=refusal.key,
                failure_message=refusal.message,
            ),
        )
        for redeemable, refusal in zip(attempt.redeemables, refused, strict=True)
        if refusal is not None
    ]
    _count(attempt, failed=len(failed))
    await queries.insert(unit.conn, unit.project_id, [row for _, _, row in failed])
    for _, voucher, row in failed:
        log(unit, "customer.redemption.failed", row, voucher, customer, None)
    refusal, _, row = failed[0]
    return Refused(refusal, row.id, REDEMPTION)


def _count(attempt: _Attempt, succeeded: int = 0, failed: int = 0) -> None:
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


def log(
    unit: Unit,
    kind: str,
    row: Redemption,
    voucher: Voucher | None,
    customer: Customer | None,
    order: Order | None,
) -> None:
    """Log a line of the ledger as the reference's events are shaped (`EventCustomerRedemption`)."""
    shown = None if customer is None else simple_view(customer)
    payload: dict[str, Any] = {
        "customer": shown,
        "order": None if order is None else order_view(order) | (row.amounts or {}),
        "campaign": None if voucher is None else campaign_view(voucher),
        "voucher": None if voucher is None else _own(voucher_event(voucher), row),
        "redemption" if row.object == REDEMPTION else "redemption_rollback": event_view(row, shown),
    }
    unit.log(kind, customer, {name: part for name, part in payload.items() if part is not None}, row.campaign_id)
