"""What validations answer."""

from dataclasses import dataclass
from typing import Any

from rapport.core.errors import NotFound
from rapport.customers.models import Customer
from rapport.customers.schemas import simple_view
from rapport.discounts.cart import Cart
from rapport.orders.schemas import view as order_view
from rapport.redemptions import reach, stacking
from rapport.redemptions.circumstances import Circumstances
from rapport.redemptions.deciding import Decision
from rapport.redemptions.redeemables.models import Redeemable
from rapport.redemptions.schemas import RedeemInput, tracking_id
from rapport.redemptions.sessions.schemas import Session
from rapport.redemptions.sessions.schemas import view as session_view
from rapport.redemptions.situations import Effect, Rules
from rapport.redemptions.stacking import StackingRules
from rapport.vouchers.availability import Refusal

_ONLY_STORED = ("id", "created_at", "updated_at", "status")


@dataclass(frozen=True, slots=True)
class Validation:
    """The answer to a request: what becomes of each redeemable, and the order as they would leave it."""

    id: str
    redeemables: list[Redeemable]
    rules: list[Rules]
    decision: Decision
    stacking: StackingRules
    customer: Customer | None
    order: dict[str, Any] | None
    session: Session | None
    request_id: str

    @property
    def valid(self) -> bool:
        """Whether what was asked for could be redeemed, or as much of it as the stacking rules want."""
        return stacking.is_valid(self.decision.verdicts, self.stacking)

    @property
    def tracking_id(self) -> str | None:
        """The customer's source id."""
        return None if self.customer is None else tracking_id(simple_view(self.customer))


def shown_order(at: Circumstances, cart: Cart | None) -> dict[str, Any] | None:
    """Return the order as answers show it: what is not stored has no id and no times."""
    if at.order is None:
        return None
    shown = order_view(at.order)
    if at.stored is None:
        shown = {name: value for name, value in shown.items() if name not in _ONLY_STORED}
    return shown if cart is None else with_cart_view(shown, cart)


def with_cart_view(order: dict[str, Any], cart: Cart) -> dict[str, Any]:
    """Return an order of an answer with the items and the amounts of a cart."""
    return order | cart.amounts() | {"items": cart.items()}


def error_view(redeemable: Redeemable, refusal: Refusal, request_id: str) -> dict[str, Any]:
    """Return the error object of something that may not be redeemed."""
    code = NotFound.code if redeemable.source is None else 400
    shown: dict[str, Any] = {
        "code": code,
        "key": refusal.key,
        "message": refusal.message,
        "details": refusal.details,
        "request_id": request_id,
    }
    if redeemable.source is None:
        shown |= {"resource_id": redeemable.id, "resource_type": redeemable.object}
    return shown if refusal.shop_message is None else shown | {"error": {"message": refusal.shop_message}}


def result_view(redeemable: Redeemable, effect: Effect) -> dict[str, Any]:
    """Return what a redeemable gives, and for which bundles."""
    given = given_view(redeemable, effect)
    return given if effect.bundle is None else given | {"bundle": effect.bundle.view()}


def given_view(redeemable: Redeemable, effect: Effect) -> dict[str, Any]:
    """Return what a redeemable gives."""
    if redeemable.gift is None:
        return {"discount": effect.discount}
    shown = {"balance": redeemable.balance, "credits": effect.credits}
    if redeemable.held.credits:
        shown["locked_credits"] = redeemable.held.credits
    return {"gift": shown}


def categories_view(redeemable: Redeemable, rules: StackingRules) -> list[dict[str, Any]]:
    """Return the categories of a redeemable, with what the stacking rules make of them."""
    shown = []
    for one in redeemable.categories:
        category: dict[str, Any] = {"id": one.id, "name": one.name, "hierarchy": one.hierarchy, "object": "category"}
        category["created_at"] = one.created_at
        if one.updated_at is not None:
            category["updated_at"] = one.updated_at
        if rules.is_joint([one]):
            category["stacking_rules_type"] = "JOINT"
        elif rules.is_exclusive([one]):
            category["stacking_rules_type"] = "EXCLUSIVE"
        shown.append(category)
    return shown


def named_view(redeemable: Redeemable) -> dict[str, Any]:
    """Return what a redeemable is called besides its id."""
    shown: dict[str, Any] = {}
    if redeemable.campaign_id is not None:
        shown |= {"campaign_id": redeemable.campaign_id, "campaign_name": redeemable.campaign}
    if redeemable.tier is not None:
        shown["name"] = redeemable.tier.name
    return shown


def redeemables_view(validation: Validation, data: RedeemInput | None) -> dict[str, Any]:
    """Return the three lists of an answer: all, what does not apply and why, and what was left out.

    What cannot be redeemed stands before what was left out; without `data`, briefly.
    """
    verdicts = validation.decision.verdicts
    pairs = list(enumerate(verdicts))
    inapplicable = [_other(validation, place, data) for place, one in pairs if one.status == "INAPPLICABLE"]
    skipped = [_other(validation, place, data) for place, one in pairs if one.status == "SKIPPED"]
    applicable = [_applicable(validation, place, effect, data) for place, effect in validation.decision.applied]
    return {
        "redeemables": [*applicable, *inapplicable, *skipped],
        "inapplicable_redeemables": inapplicable,
        "skipped_redeemables": skipped,
    }


def _other(validation: Validation, place: int, data: RedeemInput | None) -> dict[str, Any]:
    return other_view(
        validation.redeemables[place],
        validation.decision.verdicts[place],
        validation.stacking,
        validation.request_id,
        data,
    )


def other_view(
    redeemable: Redeemable,
    verdict: stacking.Verdict[Effect, Refusal],
    rules: StackingRules,
    request_id: str,
    data: RedeemInput | None,
) -> dict[str, Any]:
    """Return something that is not applied, and why."""
    result: dict[str, Any] = {}
    if verdict.refusal is not None:
        result["error"] = error_view(redeemable, verdict.refusal, request_id)
        # What is not there has no more to it, as in the reference's example.
        if redeemable.source is not None:
            message = verdict.refusal.shop_message or verdict.refusal.message
            result["details"] = {"key": verdict.refusal.key, "message": message}
        if verdict.refusal.bundle is not None:
            result["bundle"] = verdict.refusal.bundle.view()
    elif verdict.skip is not None:
        result["details"] = {"key": verdict.skip.key, "message": verdict.skip.message}
    shown = {"status": verdict.status, "id": redeemable.id, "object": redeemable.object, "result": result}
    if redeemable.source is None:
        return shown
    return shown | _details(redeemable, rules, data)


def _details(redeemable: Redeemable, rules: StackingRules, data: RedeemInput | None) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    if data is None or data.shows("redeemable"):
        shown = named_view(redeemable) | {"metadata": redeemable.metadata}
    if data is not None and data.shows("category"):
        shown["categories"] = categories_view(redeemable, rules)
    return shown


def _applicable(validation: Validation, place: int, effect: Effect, data: RedeemInput | None) -> dict[str, Any]:
    redeemable = validation.redeemables[place]
    shown: dict[str, Any] = {"status": "APPLICABLE", "id": redeemable.id, "object": redeemable.object}
    if data is not None and data.shows("order") and validation.order is not None and effect.cart is not None:
        shown["order"] = with_cart_view(validation.order, effect.cart)
    applicable_to, inapplicable_to = reach.views(reach.entries(validation.rules[place]), effect.reached, effect.before)
    return shown | {
        "applicable_to": applicable_to,
        "inapplicable_to": inapplicable_to,
        "result": result_view(redeemable, effect),
        **_details(redeemable, validation.stacking, data),
    }


def answer_of(validation: Validation, data: RedeemInput) -> dict[str, Any]:
    """Return the answer of `validate-stacked-discounts`."""
    shown: dict[str, Any] = {
        "id": validation.id,
        "valid": validation.valid,
        **redeemables_view(validation, data),
    }
    if validation.order is not None and validation.valid:
        shown["order"] = validation.order
    if validation.session is not None and validation.valid:
        shown["session"] = session_view(validation.session)
    return shown | {
        "tracking_id": validation.tracking_id,
        "stacking_rules": stacking.shown(validation.stacking),
    }
