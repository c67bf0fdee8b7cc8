"""Undoing redemptions, at most once each."""

from dataclasses import dataclass
from typing import Any

import msgspec

from rapport.activity.log import Signature
from rapport.campaigns.gifts import keep_gifts
from rapport.core.clock import iso
from rapport.core.db import Restart
from rapport.core.errors import NotFound, RapportError
from rapport.core.ids import new_id
from rapport.core.jsons import check_limits
from rapport.customers.queries import find as find_customer
from rapport.customers.schemas import CustomerInput, simple_view
from rapport.customers.writes import Unit, Writer
from rapport.metadata.values import check
from rapport.orders import queries as orders
from rapport.orders.actions import Placed, place
from rapport.orders.models import Order
from rapport.orders.schemas import apply, checked
from rapport.promotions.queries import add_to_summaries
from rapport.redemptions import effects, queries
from rapport.redemptions.deciding import cart_of
from rapport.redemptions.keeping import counted, log, tier_totals
from rapport.redemptions.models import FAILURE, REDEMPTION, ROLLBACK, SUCCESS, Redemption
from rapport.redemptions.schemas import (
    CANCELED,
    InvalidOrder,
    NamedOrder,
    Refused,
    RollbackInput,
    channel_of,
    customer_of,
)
from rapport.redemptions.showing import related as related_of
from rapport.redemptions.stacking_rules.queries import load
from rapport.redemptions.uses import queries as uses
from rapport.redemptions.views import Related
from rapport.rules import budgets
from rapport.rules.counters import Redeemed as Counted
from rapport.vouchers.availability import Refusal
from rapport.vouchers.queries import holders_of


class InvalidRedemptionParent(RapportError):
    """You can rollback only a redemption that does not have parent redemption."""

    key = "invalid_redemption_parent"
    message = "Invalid redemption parent"


class InvalidRedemption(RapportError):
    """The redemption cannot be rolled back in this way."""

    key = "invalid_redemption"
    message = "Invalid redemption"


class InvalidCustomer(RapportError):
    """Customer is not related with redemption."""

    key = "invalid_customer"
    message = "Invalid customer"


_ALREADY = Refusal("already_rolled_back", "Already rolled back", "Redemption has been already rolled back.")


@dataclass(frozen=True, slots=True)
class RolledBack:
    """What was undone: the rollback of each redemption, of their parent if there is one, and the order.

    `related` has what they are about, by its id.
    """

    rows: list[Redemption]
    related: dict[str, Related]
    parent: Redemption | None
    customer: dict[str, Any] | None
    order: Order | None


async def roll_back(
    writer: Writer, signature: Signature, redemption_id: str, data: RollbackInput, *, stacked: bool
) -> RolledBack:
    """Undo a redemption, a whole stack if `stacked` (`rollback-redemption`, `rollback-stacked-redemptions`).

    The vouchers get their uses back, the order loses the discounts and is CANCELED unless another redemption on it
    stands or the request names a status. What the request says about the customer, and about the metadata of the
    order, is set. A second rollback is kept as failed, with nothing else, and Refused is raised.
    Raises NotFound, InvalidRedemption, InvalidRedemptionParent, InvalidOrder, InvalidCustomer.
    """
    check_limits(data.metadata, ".metadata")

    async def work(unit: Unit) -> RolledBack | Refused:
        await budgets.begin(unit.conn, unit.project_id)
        row = await _get(unit, redemption_id, stacked=stacked)
        children = [row]
        if row.is_parent:
            children = await queries.children(unit.conn, unit.project_id, row.id)
        holders = await _holders(unit, children)
        order = await _lock(unit, row, data, holders)
        checked = msgspec.structs.replace(data, metadata=_metadata(unit, data))
        root = _rollback(unit, row, checked, SUCCESS)
        if not await uses.mark_rolled_back(unit.conn, unit.project_id, row, root.id):
            if (await _get(unit, row.id, stacked=stacked)).customer_id != row.customer_id:
                raise Restart  # merged or erased since
            return await _fail(unit, row, checked)
        done = await _undo(unit, row, children, root, order, checked)
        if await _holders(unit, children) != holders:
            raise Restart
        for holder_id in sorted(holders - {row.customer_id or ""}):
            await keep_gifts(unit, holder_id)
        return done

    done = await writer.commit(signature, work)
    if isinstance(done, Refused):
        raise done
    return done


def _metadata(unit: Unit, data: RollbackInput) -> dict[str, Any] | None:
    """Return what is said about a rollback: as about a redemption, but it may be nothing."""
    if data.metadata is None:
        return None
    return check(unit.moment.schemas.of("redemption"), data.metadata)


async def _get(unit: Unit, redemption_id: str, *, stacked: bool) -> Redemption:
    row = await queries.find(unit.conn, unit.project_id, redemption_id)
    if row is None:
        raise NotFound("redemption", redemption_id)
    if row.object != REDEMPTION or row.result != SUCCESS:
        raise InvalidRedemption("You can rollback only a redemption that succeeded.")
    if row.parent_id is not None:
        raise InvalidRedemptionParent("You can rollback only a redemption that does not have parent redemption.")
    if row.is_parent and not stacked:
        raise InvalidRedemption(
            "You can rollback only a single redemption. Use different endpoint for stacked redemption."
        )
    return row


async def _holders(unit: Unit, children: list[Redemption]) -> set[str]:
    """Return who holds the gift cards that get credits back."""
    cards = [child.voucher_id for child in children if child.credits and child.voucher_id is not None]
    return await holders_of(unit.conn, unit.project_id, cards) if cards else set()


async def _lock(unit: Unit, row: Redemption, data: RollbackInput, holders: set[str]) -> Order | None:
    """Lock the customers and the order of a redemption, and see that they are the expected ones."""
    named = None if data.customer is not None and not data.customer.is_named else customer_of(data)
    seen = None if row.order_id is None else await orders.find(unit.conn, unit.project_id, row.order_id)
    people = {row.customer_id, None if seen is None else seen.customer_id, *holders}
    await unit.lock_all(sorted(person for person in people if person is not None))
    if named is not None:
        await _check_customer(unit, row, named)
    if data.customer is not None and data.customer.has_data and unit.find(row.customer_id) is None:
        raise InvalidCustomer("Customer is not related with redemption.")
    if seen is None:
        if data.order is not None and data.order.says_something:
            raise InvalidOrder("Order is not related with redemption.")
        return None
    order = await orders.find(unit.conn, unit.project_id, seen.id, lock=True)
    if order is None or order.customer_id != seen.customer_id:
        raise Restart
    if data.order is not None:
        _check_order(order, data.order)
    return order


async def _check_customer(unit: Unit, row: Redemption, named: CustomerInput) -> None:
    reference = named.id if isinstance(named.id, str) else named.source_id
    if not isinstance(reference, str):
        return
    customer = await find_customer(unit.conn, unit.project_id, reference)
    if customer is None:
        raise NotFound("customer", reference)
    if customer.id != row.customer_id:
        raise InvalidCustomer("Customer is not related with redemption.")


def _check_order(order: Order, named: NamedOrder) -> None:
    if (named.id is not None and named.id != order.id) or (
        named.source_id is not None and named.source_id != order.source_id
    ):
        raise InvalidOrder("Order is not related with redemption.")


def _rollback(unit: Unit, row: Redemption, data: RollbackInput, result: str, **values: Any) -> Redemption:
    return Redemption(
        id=new_id("rr" if result == SUCCESS else "rrf"),
        object=ROLLBACK,
        result=result,
        redemption_id=row.id,
        voucher_id=row.voucher_id,
        voucher_code=row.voucher_code,
        promotion_tier_id=row.promotion_tier_id,
        promotion_stack_id=row.promotion_stack_id,
        credits=row.credits,
        campaign_id=row.campaign_id,
        campaign=row.campaign,
        customer_id=row.customer_id,
        order_id=row.order_id,
        metadata=data.metadata,
        reason=data.reason,
        channel=channel_of(unit.signature.source),
        created_at=unit.now,
        **values,
    )


async def _fail(unit: Unit, row: Redemption, data: RollbackInput) -> Refused:
    failed = _rollback(unit, row, data, FAILURE, failure_code=_ALREADY.key, failure_message=_ALREADY.message)
    await uses.insert(unit.conn, unit.project_id, [failed])
    counted(unit, row.customer_id, total_rollback_failed=1)
    related = await related_of(unit.conn, unit.project_id, [row])
    customer = unit.find(row.customer_id)
    log(unit, "customer.redemption.rollback.failed", failed, related[row.related_object_id], customer, None)
    return Refused(_ALREADY, failed.id, ROLLBACK)


async def _undo(
    unit: Unit, row: Redemption, children: list[Redemption], root: Redemption, order: Order | None, data: RollbackInput
) -> RolledBack:
    if row.customer_id is not None and data.customer is not None and data.customer.has_data:
        unit.change(row.customer_id, data.customer)
    parent = root if row.is_parent else None
    rollbacks = [root]
    if parent is not None:
        rollbacks = [_rollback(unit, child, data, SUCCESS, parent_id=parent.id) for child in children]
        for child, rollback in zip(children, rollbacks, strict=True):
            await uses.mark_rolled_back(unit.conn, unit.project_id, child, rollback.id)
    if order is not None:
        order = await _place(unit, order, data.order or NamedOrder(), row, root, children)
        shown = _amounts(order)
        rollbacks = [msgspec.structs.replace(one, amounts=shown) for one in rollbacks]
        parent = None if parent is None else msgspec.structs.replace(parent, amounts=shown)
    counted(unit, row.customer_id, total_rolled_back=len(children), total_rollback_succeeded=len(children))
    await uses.insert(unit.conn, unit.project_id, rollbacks if parent is None else [parent, *rollbacks])
    await uses.give_back(unit.conn, unit.project_id, list(zip(children, rollbacks, strict=True)))
    credits_back = sum(child.credits or 0 for child in children)
    if credits_back:
        await keep_gifts(unit, row.customer_id, -credits_back)
    undone = [_counted(child) for child in children]
    await budgets.give_back(unit.conn, unit.project_id, undone, unit.moment.zone)
    await add_to_summaries(unit.conn, unit.project_id, tier_totals(children, -1))
    related = await related_of(unit.conn, unit.project_id, children)
    customer = unit.find(row.customer_id)
    for rollback in rollbacks:
        log(
            unit,
            "customer.redemption.rollback.succeeded",
            rollback,
            related[rollback.related_object_id],
            customer,
            order,
        )
    return RolledBack(rollbacks, related, parent, None if customer is None else simple_view(customer), order)


def _amounts(order: Order) -> dict[str, int]:
    """Return the amounts of an order after a rollback; what is applied is what the last redemption that stands did."""
    shown, applied = cart_of(order).amounts(), order.applied_discount_amount
    return shown | {"applied_discount_amount": applied, "total_applied_discount_amount": applied}


def _counted(row: Redemption) -> Counted:
    """Return a line of the ledger as what rules count sees it."""
    amounts = row.amounts or {}
    return Counted(
        object_id=row.related_object_id,
        kind="voucher" if row.voucher_id is not None else "promotion_tier",
        campaign_id=row.campaign_id,
        at=row.created_at,
        customer_id=row.customer_id,
        api_key=row.channel.get("channel_id"),
        user=None,
        orders_amount=amounts.get("amount", 0),
        discount_amount=amounts.get("total_applied_discount_amount", row.credits or 0),
        units=effects.units_of(row.effects),
    )


async def _place(
    unit: Unit, order: Order, said: NamedOrder, row: Redemption, root: Redemption, children: list[Redemption]
) -> Order:
    """Write the order without what was undone, or with it, where the project wants that; with what a request says."""
    rules = await load(unit.conn, unit.project_id)
    others = [one for one in order.redemptions if one != row.id]
    standing = await queries.find_standing(unit.conn, unit.project_id, others)
    change = said.change
    after = checked(change, apply(change, order), order, unit.moment.schemas)
    if rules.redeemables_rollback_order_mode != "WITHOUT_ORDER":
        after = effects.without(after, children, standing)
        if said.status is None and not standing:
            after = msgspec.structs.replace(after, status=CANCELED)
    return await place(unit, Placed(order, _noted(after, row, root)))


def _noted(order: Order, row: Redemption, root: Redemption) -> Order:
    entry = {**order.redemptions.get(row.id, {}), "rollback_id": root.id, "rollback_date": iso(root.created_at)}
    return msgspec.structs.replace(order, redemptions={**order.redemptions, row.id: entry})
