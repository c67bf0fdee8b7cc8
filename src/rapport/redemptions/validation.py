"""Asking whether something could be redeemed, without redeeming it; a session holds it back until it is."""

from typing import Any

from rapport.activity import queries as activity
from rapport.activity.log import Entry
from rapport.core.clock import iso
from rapport.core.db import Connection, Restart
from rapport.core.ids import new_id
from rapport.customers.models import Customer
from rapport.customers.schemas import simple_view
from rapport.http.caller import Caller
from rapport.redemptions import deciding
from rapport.redemptions.attempts import is_amount_missing
from rapport.redemptions.circumstances import Circumstances, read_circumstances
from rapport.redemptions.deciding import Decision, Rules
from rapport.redemptions.reading import Asked, read_situation
from rapport.redemptions.redeemables.models import VOUCHER
from rapport.redemptions.redeemables.queries import Found, find_redeemables
from rapport.redemptions.schemas import RedeemInput, check, check_count
from rapport.redemptions.sessions import queries as sessions
from rapport.redemptions.sessions.queries import Wanted
from rapport.redemptions.sessions.schemas import Session, opened
from rapport.redemptions.validation_views import Validation, redeemables_view, shown_order
from rapport.segments.membership import SegmentDecider


async def validate(caller: Caller, decider: SegmentDecider, data: RedeemInput) -> Validation:
    """Decide about a request as a redemption would, on the data as they are now (`validate-stacked-discounts`).

    Nobody is created, and nothing is held back without a session; a customer who is known gets an entry in the activity
    log. Raises NotFound for an unknown customer or order id, InvalidPayload, InvalidOrder.
    """
    check(data)
    session = opened(data.session)
    if session is None:
        async with caller.db.read() as conn:
            return await _validate(conn, caller, decider, data, None)
    held = session

    async def work(conn: Connection) -> Validation:
        return await _validate(conn, caller, decider, data, held)

    return await caller.db.transaction(work)


async def _validate(
    conn: Connection, caller: Caller, decider: SegmentDecider, data: RedeemInput, session: Session | None
) -> Validation:
    at = await read_circumstances(conn, caller, decider, data)
    asked = [one.asked for one in data.redeemables]
    key = session.key if session is not None else data.session and data.session.key
    if session is not None:
        codes = sorted(one.id for one in asked if one.object == VOUCHER)
        await sessions.lock_vouchers(conn, caller.project_id, codes)
        await sessions.clear(conn, caller.project_id, codes, at.moment.now, session.key)
    found = await find_redeemables(conn, caller.project_id, asked, at.moment.now, key)
    check_count(data, found.rules)
    rules, decision = await decide(conn, caller, decider, data, at, found)
    validation = Validation(
        id=new_id("valid"),
        redeemables=found.redeemables,
        rules=rules,
        decision=decision,
        stacking=found.rules,
        customer=at.customer,
        order=shown_order(at, decision.cart),
        session=session,
        request_id=caller.request_id,
    )
    if session is not None and validation.valid:
        await _hold(conn, caller, at, validation, session)
    if at.known is not None:
        entry = _entry(validation, at)
        await activity.append(conn, caller.project_id, at.moment.now, caller.request_id, caller.source, [entry])
    return validation


async def decide(
    conn: Connection, caller: Caller, decider: SegmentDecider, data: RedeemInput, at: Circumstances, found: Found
) -> tuple[list[Rules], Decision]:
    """Decide about redeemables in these circumstances."""
    rules = deciding.rule_sets(found.redeemables)
    key = caller.source.api_key or {}
    asked = Asked(
        customer=at.customer,
        order=at.order,
        is_amount_missing=is_amount_missing(data.order, at.order),
        metadata=data.metadata or {},
        api_key=tuple(key[name] for name in ("app_id", "name") if key.get(name)),
    )

    async def among(customer: Customer, wanted: Any) -> frozenset[str]:
        return await decider.among(conn, caller.project_id, at.moment, customer, wanted)

    situation = await read_situation(
        conn, caller.project_id, at.moment, asked, found.redeemables, rules, segments_among=among
    )
    return rules, deciding.decide(found.redeemables, rules, situation, found.rules)


async def _hold(conn: Connection, caller: Caller, at: Circumstances, validation: Validation, session: Session) -> None:
    """Hold back what applies. Raises Restart when somebody was faster: the whole is decided anew."""
    until = session.expires_at(at.moment.now)
    wanted = []
    for place, effect in validation.decision.applied:
        one = validation.redeemables[place]
        if one.voucher is not None and (one.voucher.quantity is not None or effect.credits):
            quantity = 0 if one.voucher.quantity is None else 1
            worth = None if one.gift is None else one.gift["amount"]
            wanted.append(Wanted(one.id, quantity, effect.credits or 0, worth))
    for one_wanted in sorted(wanted, key=lambda each: each.code):
        if not await sessions.hold(conn, caller.project_id, session.key, one_wanted, at.moment.now, until):
            raise Restart


def _entry(validation: Validation, at: Circumstances) -> Entry:
    assert validation.customer is not None
    customer = simple_view(validation.customer)
    payload = {
        "customer": customer,
        "validation": {
            "id": validation.id,
            "status": "VALID" if validation.valid else "INVALID",
            "created_at": iso(at.moment.now),
            "customer_id": validation.customer.id,
            **redeemables_view(validation, None),
        },
    }
    kind = "customer.validation.succeeded" if validation.valid else "customer.validation.failed"
    return Entry(kind, validation.customer.id, payload)
