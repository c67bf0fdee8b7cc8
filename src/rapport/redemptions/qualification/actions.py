"""Finding what qualifies: each candidate is decided as a validation of it alone would be."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from rapport.core.clock import iso
from rapport.core.db import Connection
from rapport.customers.schemas import simple_view
from rapport.http.caller import Caller
from rapport.redemptions import deciding, reach
from rapport.redemptions.circumstances import Circumstances, read_circumstances
from rapport.redemptions.qualification import candidates
from rapport.redemptions.qualification.candidates import Candidate, about_products
from rapport.redemptions.qualification.schemas import DEFAULT_LIMIT, OptionsInput, QualificationInput, Scenario
from rapport.redemptions.redeemables.models import STACK, Redeemable
from rapport.redemptions.schemas import tracking_id
from rapport.redemptions.situations import Effect, Rules, Situation
from rapport.redemptions.stacking import StackingRules, Tried, shown
from rapport.redemptions.stacking_rules.queries import load
from rapport.redemptions.validation import situation_of
from rapport.redemptions.validation_views import (
    categories_view,
    named_view,
    result_view,
    shown_order,
    with_cart_view,
)
from rapport.rules.queries import assignments_of
from rapport.rules.schemas import assignments_list
from rapport.segments.membership import SegmentDecider
from rapport.vouchers.availability import Refusal

_PRODUCTS = ("PRODUCTS", "PRODUCTS_BY_CUSTOMER", "PRODUCTS_DISCOUNT", "PRODUCTS_DISCOUNT_BY_CUSTOMER")


class Qualified(msgspec.Struct, frozen=True):
    """A candidate that qualifies: what each of its redeemables does, one after another."""

    candidate: Candidate
    rules: list[Rules]
    effects: list[Effect]

    @property
    def saved(self) -> int:
        """How much less is to be paid."""
        return sum(effect.saved for effect in self.effects)


class Examined(msgspec.Struct, frozen=True):
    """All that qualifies, of what was looked at, the newest first."""

    at: Circumstances
    stacking: StackingRules
    qualified: list[Qualified]

    @property
    def tracking_id(self) -> str | None:
        """The customer's source id."""
        return None if self.at.customer is None else tracking_id(simple_view(self.at.customer))


async def examine(
    conn: Connection,
    caller: Caller,
    decider: SegmentDecider,
    data: QualificationInput,
    scenario: Scenario,
    *,
    completable: bool = False,
) -> Examined:
    """Return what qualifies in a scenario; with `completable` also what lacks only a part of a bundle.

    Raises NotFound for an unknown id, InvalidPayload, InvalidOrder.
    """
    asked = data.circumstances
    at = await read_circumstances(conn, caller, decider, asked)
    filters = None if data.options is None else data.options.filters
    holder_id = None if at.known is None else at.known.id
    found = await candidates.find(
        conn,
        caller.project_id,
        scenario,
        holder_id,
        at.moment.now,
        data.starting_after,
        filters,
        by_client=caller.source.is_public,
    )
    audience_only = scenario == "AUDIENCE_ONLY"
    redeemables = [one for candidate in found for one in candidate.redeemables]
    rules, situation = await situation_of(conn, caller, decider, asked, at, redeemables, audience_only=audience_only)
    stacking = await load(conn, caller.project_id)
    tried = _tried(found, rules, situation, stacking, completable=completable)
    if scenario in _PRODUCTS:
        discount_only = "DISCOUNT" in scenario
        tried = [one for one in tried if _is_about_products(one, discount_only=discount_only)]
    return Examined(at, stacking, tried)


def _is_about_products(one: Qualified, *, discount_only: bool) -> bool:
    return any(
        about_products(redeemable, parsed, discount_only=discount_only) and effect.has_effect
        for redeemable, parsed, effect in zip(one.candidate.redeemables, one.rules, one.effects, strict=True)
    )


def _tried(
    found: Sequence[Candidate],
    rules: Sequence[Rules],
    situation: Situation,
    stacking: StackingRules,
    *,
    completable: bool,
) -> list[Qualified]:
    """Decide about each candidate alone; the tiers of a stack all have to apply, one after another."""
    qualified, place = [], 0
    alone = msgspec.structs.replace(stacking, redeemables_application_mode="ALL")
    for candidate in found:
        count = len(candidate.redeemables)
        own = list(rules[place : place + count])
        place += count
        if count == 1:
            tried = deciding.decide_each(candidate.redeemables, own, situation, stacking)
            effects = [one.applied for one in tried if one.applied is not None]
            if completable and not effects:
                effects = _completable(candidate.redeemables[0], tried[0], situation)
        else:
            decision = deciding.decide(candidate.redeemables, own, situation, alone)
            effects = [effect for _, effect in decision.applied]
        if len(effects) == count:
            qualified.append(Qualified(candidate, own, effects))
    return qualified


def _completable(redeemable: Redeemable, tried: Tried[Effect, Refusal], at: Situation) -> list[Effect]:
    """Return what lacks only some of a bundle as something that takes nothing off yet."""
    bundle = None if tried.refusal is None else tried.refusal.bundle
    if bundle is None or not bundle.identified or at.order is None:
        return []
    cart, discount = deciding.cart_of(at.order), deciding.stated(redeemable.discount or {})
    credits_used = None if redeemable.gift is None else 0
    return [Effect(before=cart, cart=cart, credits=credits_used, discount=discount, has_effect=False, bundle=bundle)]


async def qualify(caller: Caller, decider: SegmentDecider, data: QualificationInput) -> dict[str, Any]:
    """Return what a customer could redeem with a cart (`check-eligibility`).

    Raises NotFound for an unknown customer or order id, InvalidPayload, InvalidOrder.
    """
    options = data.options or OptionsInput()
    async with caller.db.read() as conn:
        found = await examine(conn, caller, decider, data, data.scenario or "ALL", completable=True)
        ordered, is_paged = _sorted(found.qualified, options)
        limit = options.limit or DEFAULT_LIMIT
        part = ordered[:limit]
        expand = frozenset(options.expand or ())
        views = [_view(found, one, expand) for one in part]
        _tell_locks(part, views, wanted=data.session is not None and data.session.type is not None)
        if "validation_rules" in expand:
            await _add_assignments(conn, caller.project_id, part, views)
    has_more = len(ordered) > limit
    listed: dict[str, Any] = {"object": "list", "data_ref": "data", "data": views, "total": len(views)}
    listed["has_more"] = has_more
    if has_more and is_paged:
        listed["more_starting_after"] = iso(part[-1].candidate.created_at)
    answer: dict[str, Any] = {"redeemables": listed, "tracking_id": found.tracking_id}
    order = shown_order(found.at, None)
    if order is not None:
        answer["order"] = order
    return answer | {"stacking_rules": shown(found.stacking)}


def _tell_locks(part: Sequence[Qualified], views: Sequence[dict[str, Any]], *, wanted: bool) -> None:
    """Say of gift cards what sessions hold back of them, be it nothing, where that is wanted; else leave it out."""
    for one, view in zip(part, views, strict=True):
        gift = view.get("result", {}).get("gift")
        if gift is not None and wanted:
            gift["locked_credits"] = one.candidate.redeemables[0].held.credits
        elif gift is not None:
            gift.pop("locked_credits", None)


def _sorted(found: list[Qualified], options: OptionsInput) -> tuple[list[Qualified], bool]:
    """Return what qualifies in the order that is wanted, and whether a next part can begin after the last of it."""
    rule = options.sorting_rule or "DEFAULT"
    if rule == "DEFAULT":
        return found, True
    return sorted(found, key=lambda one: one.saved, reverse=rule == "BEST_DEAL"), False


async def _add_assignments(
    conn: Connection, project_id: int, part: Sequence[Qualified], views: Sequence[dict[str, Any]]
) -> None:
    ids = {_object_id(one.candidate) for one in part}
    assigned = await assignments_of(conn, project_id, sorted(ids))
    for one, shown_one in zip(part, views, strict=True):
        shown_one["validation_rules_assignments"] = assignments_list(assigned.get(_object_id(one.candidate), []))


def _object_id(candidate: Candidate) -> str:
    return candidate.id if candidate.object == STACK else candidate.redeemables[0].object_id


def _view(found: Examined, one: Qualified, expand: frozenset[str]) -> dict[str, Any]:
    candidate = one.candidate
    parts = [
        _one_view(found, redeemable, parsed, effect, expand)
        for redeemable, parsed, effect in zip(candidate.redeemables, one.rules, one.effects, strict=True)
    ]
    if candidate.object != STACK:
        own = parts[0] | {"object": candidate.object, "id": candidate.id, "created_at": iso(candidate.created_at)}
        # A campaign is of no campaign: what its codes have as the campaign's name is its own.
        if candidate.object == candidates.CAMPAIGN and own.pop("campaign_id", None) is not None:
            own["name"] = own.pop("campaign_name")
        return own
    first = candidate.redeemables[0]
    stack: dict[str, Any] = {
        "id": candidate.id,
        "object": STACK,
        "created_at": iso(candidate.created_at),
        "name": candidate.name,
        "campaign_id": first.campaign_id,
        "campaign_name": first.campaign,
        "redeemables": parts,
    }
    last = one.effects[-1].cart
    order = shown_order(found.at, None)
    if order is not None and last is not None and one.effects[0].before is not None:
        stack["order"] = with_cart_view(order, last.since(one.effects[0].before))
    return stack


def _one_view(
    found: Examined, redeemable: Redeemable, rules: Rules, effect: Effect, expand: frozenset[str]
) -> dict[str, Any]:
    applicable_to, inapplicable_to = reach.views(reach.entries(rules), effect.reached, effect.before)
    shown_one: dict[str, Any] = {
        "id": redeemable.id,
        "object": redeemable.object,
        "created_at": iso(_created_at(redeemable)),
        "result": result_view(redeemable, effect),
        "applicable_to": applicable_to,
        "inapplicable_to": inapplicable_to,
    }
    order = shown_order(found.at, None)
    if order is not None and effect.cart is not None:
        shown_one["order"] = with_cart_view(order, effect.cart)
    if rules:
        shown_one["validation_rule_id"] = rules[0][0].rule_id
    if "redeemable" in expand:
        shown_one |= {"metadata": redeemable.metadata, **named_view(redeemable)}
    if "category" in expand:
        shown_one["categories"] = categories_view(redeemable, found.stacking)
    return shown_one


def _created_at(redeemable: Redeemable) -> datetime:
    assert redeemable.source is not None
    return redeemable.source.created_at
