"""Asking whether something could be redeemed, without redeeming it; a session holds it back until it is."""

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any, Final

import msgspec

from rapport.activity import queries as activity
from rapport.activity.log import Entry
from rapport.categories import queries as categories
from rapport.core.clock import iso
from rapport.core.db import Connection, Restart
from rapport.core.ids import new_id
from rapport.customers import queries as customers
from rapport.customers.models import Customer
from rapport.customers.schemas import simple_view
from rapport.http.caller import Caller
from rapport.http.conditions import Conditions
from rapport.promotions.queries import active_tiers
from rapport.promotions.schemas import MAX_TIERS
from rapport.redemptions import deciding
from rapport.redemptions.attempts import is_amount_missing, key_of
from rapport.redemptions.circumstances import Circumstances, read_circumstances
from rapport.redemptions.deciding import Decision
from rapport.redemptions.reading import Asked, read_situation
from rapport.redemptions.redeemables.models import VOUCHER, Redeemable
from rapport.redemptions.redeemables.queries import find_redeemables, tier_redeemable, with_categories
from rapport.redemptions.schemas import PromotionsInput, RedeemInput, check, check_count
from rapport.redemptions.sessions import queries as sessions
from rapport.redemptions.sessions.queries import Wanted
from rapport.redemptions.sessions.schemas import Session, opened
from rapport.redemptions.singles import promotion_answer
from rapport.redemptions.situations import Rules, Situation
from rapport.redemptions.stacking_rules.queries import load
from rapport.redemptions.validation_views import Validation, redeemables_view, shown_order
from rapport.rules import budgets
from rapport.rules.counted.queries import let_units_go
from rapport.segments.membership import SegmentDecider

# Whoever knows the key of a page can ask for sessions: goods of which there are not enough are not held back for long.
_MOST_FOR_PAGES: Final = timedelta(hours=1)


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
        await budgets.begin(conn, caller.project_id)
        return await _validate(conn, caller, decider, data, held)

    return await caller.db.transaction(work)


async def _validate(
    conn: Connection, caller: Caller, decider: SegmentDecider, data: RedeemInput, session: Session | None
) -> Validation:
    at = await read_circumstances(conn, caller, decider, data, validates=True)
    asked = [one.asked for one in data.redeemables]
    key = None if data.session is None else data.session.key
    if session is not None:
        key = session.key
        # Limits of each customer are held under this lock; customers come before vouchers, as everywhere.
        await customers.lock_many(conn, caller.project_id, [] if at.known is None else [at.known.id])
        codes = await sessions.begin(conn, caller.project_id, key, [one.id for one in asked if one.object == VOUCHER])
        await sessions.clear(conn, caller.project_id, codes, at.moment.now, key)
        await let_units_go(conn, caller.project_id, key, None, at.moment.now)
    found = await find_redeemables(conn, caller.project_id, asked, at.moment.now, key, shown=False)
    check_count(data, found.rules)
    rules, situation = await situation_of(conn, caller, decider, data, at, found.redeemables)
    decision = deciding.decide(found.redeemables, rules, situation, found.rules)
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
        await _hold_units(conn, caller, at, decision, situation, session)
    if at.known is not None:
        entry = _entry(validation, at)
        await activity.append(conn, caller.project_id, at.moment.now, caller.request_id, caller.source, [entry])
    return validation


async def situation_of(
    conn: Connection,
    caller: Caller,
    decider: SegmentDecider,
    data: RedeemInput,
    at: Circumstances,
    redeemables: Sequence[Redeemable],
    *,
    audience_only: bool = False,
) -> tuple[list[Rules], Situation]:
    """Return the rules of redeemables, and what they are decided on in these circumstances."""
    rules = deciding.rule_sets(redeemables, audience_only=audience_only)
    asked = Asked(
        customer=at.customer,
        order=at.order,
        is_amount_missing=is_amount_missing(data.order, at.order),
        metadata=at.metadata,
        api_key=key_of(caller),
        audience_only=audience_only,
        session_key=None if data.session is None else data.session.key,
    )

    async def among(customer: Customer, wanted: Collection[str]) -> frozenset[str]:
        return await decider.among(conn, caller.project_id, at.moment, customer, wanted)

    situation = await read_situation(
        conn, caller.project_id, at.moment, asked, redeemables, rules, segments_among=among
    )
    return rules, situation


async def validate_promotions(
    caller: Caller,
    decider: SegmentDecider,
    data: PromotionsInput,
    filters: Conditions | None = None,
    *,
    audience_only: bool = False,
) -> dict[str, Any]:
    """Return the tiers that could be redeemed now, each alone, by their ranks (`validate-promotions`).

    `audience_only`: only rules about the customer count.
    Raises NotFound for an unknown customer or order id, InvalidPayload, InvalidOrder.
    """
    asked = msgspec.structs.replace(data.circumstances, options=data.options)
    async with caller.db.read() as conn:
        at = await read_circumstances(conn, caller, decider, asked, validates=True)
        tiers = await active_tiers(conn, caller.project_id, at.moment.now, MAX_TIERS, filters)
        redeemables = await with_categories(conn, caller.project_id, [tier_redeemable(one) for one in tiers])
        rules, situation = await situation_of(
            conn, caller, decider, asked, at, redeemables, audience_only=audience_only
        )
        stacks = await load(conn, caller.project_id)
        known = None
        if asked.asks_for("category"):
            ids = {one.tier.campaign_category_id for one in tiers if one.tier.campaign_category_id is not None}
            known = await categories.find_many(conn, caller.project_id, sorted(ids))
        found = Validation(
            id=new_id("valid"),
            redeemables=redeemables,
            rules=rules,
            decision=Decision([], [], [], None),
            stacking=stacks,
            customer=at.customer,
            order=shown_order(at, None),
            session=None,
            request_id=caller.request_id,
        )
    tried = deciding.decide_each(redeemables, rules, situation, stacks)
    promotions = [
        promotion_answer(found, place, one.applied, known) for place, one in enumerate(tried) if one.applied is not None
    ]
    return {"valid": bool(promotions), "tracking_id": found.tracking_id, "promotions": promotions}


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


async def _hold_units(
    conn: Connection, caller: Caller, at: Circumstances, decision: Decision, situation: Situation, session: Session
) -> None:
    """Hold back the units that are discounted of limited goods. Raises Restart as `_hold` does."""
    if not any(use.redeemed.units for use in decision.uses):
        return
    until = session.expires_at(at.moment.now)
    if caller.source.is_public:
        until = min(until, at.moment.now + _MOST_FOR_PAGES)
    held = session.key, until
    people = () if at.known is None else (at.known.id,)
    standing, zone = situation.standing, at.moment.zone
    if any(await budgets.hold(conn, caller.project_id, decision.uses, standing, zone, held, people)):
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
    campaigns = (one.campaign_id for one in validation.redeemables)
    return Entry(kind, validation.customer.id, payload, next(filter(None, campaigns), None))
