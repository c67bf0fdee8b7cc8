"""Asking whether a validation rule holds, by itself: `validationRules.validate` of the official JavaScript SDK."""

from datetime import datetime
from typing import Any

from rapport.core.errors import NotFound
from rapport.customers.schemas import simple_view
from rapport.http.caller import Caller
from rapport.redemptions import deciding, reach
from rapport.redemptions.circumstances import read_circumstances
from rapport.redemptions.redeemables.models import VOUCHER, Redeemable
from rapport.redemptions.schemas import CircumstancesInput, tracking_id
from rapport.redemptions.stacking_rules.queries import load
from rapport.redemptions.validation import situation_of
from rapport.redemptions.validation_views import error_view
from rapport.rules import queries as rules
from rapport.rules.models import Assigned, ValidationRule
from rapport.segments.membership import SegmentDecider
from rapport.vouchers.models import nowhere_stored


async def validate_rule(
    caller: Caller, decider: SegmentDecider, rule_id: str, data: CircumstancesInput
) -> dict[str, Any]:
    """Return whether a rule would hold now for a code that nobody has used yet, and what of the order it is about.

    Nobody is created and nothing is written. Raises NotFound for an unknown rule, customer or order id, InvalidPayload,
    InvalidOrder.
    """
    async with caller.db.read() as conn:
        rule = await rules.find(conn, caller.project_id, rule_id)
        if rule is None:
            raise NotFound("validation_rules", rule_id)
        at = await read_circumstances(conn, caller, decider, data.circumstances, validates=True)
        redeemable = _nothing_but(rule, at.moment.now)
        parsed, situation = await situation_of(conn, caller, decider, data.circumstances, at, [redeemable])
        stacking = await load(conn, caller.project_id)
    refusal, reached, cart = deciding.judge(redeemable, parsed[0], situation, stacking)
    applicable_to, inapplicable_to = reach.views(reach.entries(parsed[0]), reached, cart)
    shown: dict[str, Any] = {
        "valid": refusal is None,
        "rule_id": rule.id,
        "tracking_id": None if at.customer is None else tracking_id(simple_view(at.customer)),
        "applicable_to": applicable_to,
        "inapplicable_to": inapplicable_to,
    }
    if refusal is None:
        return shown
    error = error_view(redeemable, refusal, caller.request_id)
    return shown | {"reason": error["message"], "error": error}


def _nothing_but(rule: ValidationRule, now: datetime) -> Redeemable:
    """Return a code without a campaign that only this rule is assigned to; it is nowhere stored."""
    assigned = Assigned(rule.id, VOUCHER, rule.rules, rule.error, rule.applicable_to, rule.bundle_rules)
    voucher = nowhere_stored(rule.id, {"type": "PERCENT", "percent_off": 0}, now)
    return Redeemable(object=VOUCHER, id=rule.id, assigned=[assigned], voucher=voucher, is_counted=False)
