"""What a draft does with one order at its time: decided by the code that a redemption decides with. Pure.

The draft is a code without limit that stands for itself: what its rules count is counted of the replay alone.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from rapport.backtests.models import Draft
from rapport.core.clock import EARLIEST
from rapport.discounts.formulas import given_names
from rapport.redemptions import deciding
from rapport.redemptions.reach import products_of
from rapport.redemptions.redeemables.models import VOUCHER, Redeemable
from rapport.redemptions.situations import Rules, Situation, redeemed_of
from rapport.redemptions.stacking import StackingRules
from rapport.redemptions.variables import formulas_of
from rapport.rules import budgets, conditions, logic, unit_limits
from rapport.rules.conditions import Check, Leaf, RuleSet, Violation
from rapport.rules.counters import CountedBy, Counter, Redeemed, Spent, Use, Watch, asked, counter, counts_of
from rapport.rules.facts import Facts
from rapport.rules.models import Assigned
from rapport.vouchers.availability import Refusal
from rapport.vouchers.models import nowhere_stored

DRAFT: Final = "draft"
_COUNTS: Final[Mapping[str, CountedBy]] = {
    "VOUCHER_REDEMPTION_COUNT": "all",
    "CAMPAIGN_REDEMPTION_COUNT": "all",
    "VOUCHER_CUSTOMER_REDEMPTION_COUNT": "customer",
    "CAMPAIGN_CUSTOMER_REDEMPTION_COUNT": "customer",
}
NO_DISCOUNT: Final[Mapping[str, Any]] = {"type": "AMOUNT", "amount_off": 0, "effect": "APPLY_TO_ORDER"}


@dataclass(frozen=True, slots=True)
class Trial:
    """A draft ready to be tried.

    `lenient`: its rules without their logic, which hold for whatever order: they show what a refused order would have
    come to. `uncounted`: its rules as if they counted nothing. `names`: what its formulas name.
    """

    redeemable: Redeemable
    rules: Rules
    lenient: Rules
    uncounted: Rules
    stacking: StackingRules
    has_discount: bool
    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an order: what is counted of it (`use`), or why it is refused, with the rule at fault.

    Of a refused order `failed` are all rules that keep it out, and `alone` those of them that do so by themselves.
    """

    use: Use | None = None
    refusal: Refusal | None = None
    number: str | None = None
    name: str | None = None
    failed: tuple[str, ...] = ()
    alone: tuple[str, ...] = ()

    @property
    def off(self) -> int:
        """What the draft takes off, in minor units."""
        return 0 if self.use is None else self.use.redeemed.discount_amount


def trial(draft: Draft, stacking: StackingRules) -> Trial:
    """Return a draft ready to be tried, in a project that stacks so."""
    rule_set = conditions.parse(draft.rules, draft.bundle_rules)
    assigned = Assigned(
        rule_id=draft.validation_rule or DRAFT,
        related_object_type=VOUCHER,
        rules=draft.rules,
        error=draft.error,
        applicable_to=draft.applicable_to,
        bundle_rules=draft.bundle_rules,
    )
    if draft.discount is None:
        stacking = msgspec.structs.replace(
            stacking, redeemables_no_effect_rule="REDEEM_ANYWAY", no_effect_skip_categories=()
        )
    code = nowhere_stored(DRAFT, dict(draft.discount or NO_DISCOUNT), EARLIEST)
    return Trial(
        redeemable=Redeemable(object=VOUCHER, id=DRAFT, assigned=[assigned], voucher=code),
        rules=[(assigned, rule_set)],
        lenient=[(assigned, dataclasses.replace(rule_set, expression=logic.Every(()), bundle=None))],
        uncounted=[
            (
                msgspec.structs.replace(assigned, applicable_to=unit_limits.without_limits(draft.applicable_to)),
                dataclasses.replace(rule_set, needs=dataclasses.replace(rule_set.needs, counts=frozenset())),
            )
        ],
        stacking=stacking,
        has_discount=draft.discount is not None,
        names=given_names(draft.discount, formulas_of([(assigned, rule_set)])),
    )


def counters(tried: Trial, at: Situation) -> set[Counter]:
    """Return what the draft's rules and formulas count of who redeems at this moment."""
    redeemed = redeemed_of(tried.redeemable, at, None)
    uses = [Use(redeemed, tuple(tried.rules), Facts(now=at.now, zone=at.zone))]
    products = products_of([] if at.order is None else at.order.items, at.collections)
    return asked(uses, at.zone) | unit_limits.asked(uses, products) | set(_named(tried, at).values())


def _named(tried: Trial, at: Situation) -> dict[str, Counter]:
    """Return what the counts in the formulas stand for: the draft is its own campaign, with one code."""
    redeemed = redeemed_of(tried.redeemable, at, None)
    found = {
        name: counter(Watch(redeemed.object_id, by, "total"), redeemed, at.zone)
        for name, by in _COUNTS.items()
        if name in tried.names
    }
    return {name: one for name, one in found.items() if one is not None}


def replay(tried: Trial, at: Situation) -> Outcome:
    """Decide about one order; `at.standing` has what the draft's rules and formulas count, without this order."""
    known = {name: at.standing[one].number for name, one in _named(tried, at).items()}
    at = dataclasses.replace(at, formulas={DRAFT: {**at.formulas.get(DRAFT, {}), **known}})
    decision = deciding.decide([tried.redeemable], [tried.rules], at, tried.stacking)
    verdict = decision.verdicts[0]
    if verdict.status == "APPLICABLE":
        return Outcome(use=decision.uses[0])
    if verdict.refusal is not None:
        return _explained(tried, at, verdict.refusal)
    assert verdict.skip is not None
    return Outcome(refusal=Refusal(verdict.skip.key, verdict.skip.message, verdict.skip.message))


def _explained(tried: Trial, at: Situation, refusal: Refusal) -> Outcome:
    """Return a refusal with the rules that are at fault: each is looked at on what the order would have come to."""
    shown = deciding.decide([tried.redeemable], [tried.lenient], at, tried.stacking)
    if not shown.uses:
        return Outcome(refusal=refusal)
    [(assigned, rule_set)] = tried.rules
    facts = shown.uses[0].facts
    if rule_set.needs.counts:
        facts = dataclasses.replace(facts, counts=counts_of(shown.uses[0], assigned, rule_set, at.standing, at.zone))
    violation = conditions.judge(rule_set, facts)
    if violation is None:
        return Outcome(refusal=refusal)
    failed = at_fault(rule_set, facts)
    alone = tuple(number for number in failed if _would_hold_without(rule_set, number, facts))
    return Outcome(refusal=refusal, number=violation.number, name=violation.name, failed=failed, alone=alone)


def at_fault(rule_set: RuleSet, facts: Facts) -> tuple[str, ...]:
    """Return the rules whose outcome keeps an order out: what does not hold, and below a `not` what does."""
    wanted = _wanted(rule_set.expression, outcome=True)
    return tuple(
        number for number, leaf in rule_set.leaves.items() if (number, _violation(leaf, facts) is not None) in wanted
    )


def _violation(leaf: Leaf, facts: Facts) -> Violation | None:
    """Return what is wrong about one rule, as if it stood by itself."""
    single = RuleSet({leaf.number: leaf}, logic.Rule(leaf.number), conditions.Needs())
    return conditions.judge(single, facts)


def _always(*, outcome: bool) -> Check:
    return lambda _at, _clock: outcome


def _would_hold_without(rule_set: RuleSet, number: str, facts: Facts) -> bool:
    """Whether the rules hold once this one comes out as they want it."""
    leaf = rule_set.leaves[number]
    for outcome in (True, False):
        settled = dataclasses.replace(
            leaf, row=dataclasses.replace(leaf.row, needs=None), check=_always(outcome=outcome)
        )
        changed = dataclasses.replace(rule_set, leaves={**rule_set.leaves, number: settled})
        if conditions.judge(changed, facts) is None:
            return True
    return False


def _wanted(expression: logic.Expression, *, outcome: bool) -> frozenset[tuple[str, bool]]:
    """Return which outcome of which rule makes for the outcome of the whole."""
    match expression:
        case logic.Rule(name):
            return frozenset({(name, outcome)})
        case logic.Not(part):
            return _wanted(part, outcome=not outcome)
        case logic.Every(parts) | logic.Any(parts):
            return frozenset[tuple[str, bool]]().union(*(_wanted(part, outcome=outcome) for part in parts))


def after(redeemed: Redeemed, standing: Mapping[Counter, Spent], zone: ZoneInfo) -> dict[Counter, Spent]:
    """Return what is counted once an order has redeemed the draft."""
    spent = dict(standing)
    budgets.count(redeemed, spent, zone)
    return spent
