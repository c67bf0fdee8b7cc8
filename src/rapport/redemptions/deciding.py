"""Whether redeemables may be redeemed, and what they take off: decided from values, whoever asks.

Redemptions, validations and qualifications all decide here. Pure: no connection, no clock.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from rapport.core.errors import InvalidPayload
from rapport.discounts import applying
from rapport.discounts.applicable import EVERYTHING, Applicable
from rapport.discounts.applied import Applied
from rapport.discounts.cart import Cart
from rapport.discounts.expressions import FormulaError
from rapport.orders.models import Order
from rapport.redemptions import effects, reach
from rapport.redemptions.limiting import MissingCustomer, limited
from rapport.redemptions.redeemables.models import Redeemable
from rapport.redemptions.situations import Effect, Rules, Situation, redeemed_of
from rapport.redemptions.stacking import StackingRules, Tried, Verdict, settle
from rapport.rules import budgets, conditions
from rapport.rules.bundles import Identified
from rapport.rules.conditions import RuleSet
from rapport.rules.counters import Counter, Use
from rapport.rules.facts import Facts, OrderFacts, item_of
from rapport.rules.models import Assigned
from rapport.rules.unit_limits import limits_of
from rapport.vouchers.availability import Refusal

DEFAULT_EFFECT: Final = "APPLY_TO_ORDER"
# Those of a request that come first count.
OF_CAMPAIGN: Final = ("CAMPAIGN_REDEMPTION_COUNT", "CAMPAIGN_CUSTOMER_REDEMPTION_COUNT")


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of each redeemable, in the order of the request; what applies, in the order of its application.

    `uses`: for each that applies, what rules count of it.
    """

    verdicts: list[Verdict[Effect, Refusal]]
    applied: list[tuple[int, Effect]]
    uses: list[Use]
    start: Cart | None

    @property
    def cart(self) -> Cart | None:
        """The cart after everything, with all that was applied."""
        last = self.applied[-1][1].cart if self.applied else self.start
        return None if last is None or self.start is None else last.since(self.start)


def rule_sets(redeemables: Sequence[Redeemable], *, audience_only: bool = False) -> list[Rules]:
    """Return the parsed rules of each redeemable; with `audience_only`, what is not about the customer holds."""
    parsed = [
        [(one, conditions.parse(one.rules, one.bundle_rules)) for one in redeemable.assigned]
        for redeemable in redeemables
    ]
    if not audience_only:
        return parsed
    return [[(one, _about_customer(rule_set)) for one, rule_set in rules] for rules in parsed]


def _about_customer(rule_set: RuleSet) -> RuleSet:
    leaves = {
        number: leaf
        if leaf.row.failure == "customer_rules_violated"
        else dataclasses.replace(leaf, row=dataclasses.replace(leaf.row, needs=None), check=lambda _at, _clock: True)
        for number, leaf in rule_set.leaves.items()
    }
    needs = dataclasses.replace(rule_set.needs, counts=frozenset(), collections=frozenset())
    return dataclasses.replace(rule_set, leaves=leaves, needs=needs, bundle=None)


def times_of(bundle: Identified | None) -> int:
    """Return for how many bundles a discount is given at once."""
    return 1 if bundle is None else max(1, bundle.quantity)


def stated(discount: Mapping[str, Any]) -> dict[str, Any]:
    """Return a discount as answers tell it where there is nothing to work its formula out for."""
    told = {name: value for name, value in discount.items() if not name.endswith("_formula")}
    return {"is_dynamic": False} | told


def cart_of(order: Order) -> Cart:
    """Return the cart of an order: what is off by what came before is off, nothing is applied yet."""
    return Cart.of(order.amount, order.discount_amount, order.items, order.initial_amount)


def decide(
    redeemables: Sequence[Redeemable], rules: Sequence[Rules], at: Situation, stacking: StackingRules
) -> Decision:
    """Decide about all redeemables of a request together; a stack is the only thing in its request."""
    if any(redeemable.stack_id is not None for redeemable in redeemables):
        stacking = stacking.for_stack()
    run = _Run(redeemables, rules, at, stacking)
    verdicts = settle(
        stacking,
        [redeemable.categories for redeemable in redeemables],
        run.barred(),
        run.attempt,
        run.accept,
        run.restart,
    )
    return Decision(verdicts, run.applied, run.uses, run.start)


def decide_each(
    redeemables: Sequence[Redeemable], rules: Sequence[Rules], at: Situation, stacking: StackingRules
) -> list[Tried[Effect, Refusal]]:
    """Decide about each redeemable as if it were the only one."""
    run = _Run(redeemables, rules, at, stacking)
    return [run.attempt(place) for place in range(len(redeemables))]


def judge(
    redeemable: Redeemable, rules: Rules, at: Situation, stacking: StackingRules
) -> tuple[Refusal | None, Applicable | None, Cart | None]:
    """Return what of the rules alone is violated, which part of the cart they are about, and the cart."""
    return _Run([redeemable], [rules], at, stacking).judged()


class _Run:
    """The decision about one request while it is made."""

    def __init__(
        self, redeemables: Sequence[Redeemable], rules: Sequence[Rules], at: Situation, stacking: StackingRules
    ) -> None:
        self._redeemables, self._rules, self._at, self._stacking = redeemables, rules, at, stacking
        self.start = None if at.order is None else cart_of(at.order)
        self.restart()

    def restart(self) -> None:
        """Begin anew, with nothing accepted."""
        self._cart = self.start
        self.uses: list[Use] = []
        self._touched: set[int] = set()
        self.applied: list[tuple[int, Effect]] = []

    def barred(self) -> list[Refusal | None]:
        """Return for each why it may not be redeemed whatever is beside it: neither a discount nor a unit helps."""
        if len(self._redeemables) == 1:
            return [None]  # nothing is beside it: trying it says all
        found = []
        for redeemable, rules in zip(self._redeemables, self._rules, strict=True):
            fixed = [one for one in rules if not one[1].is_about_cart]
            refusal = redeemable.unavailable(self._at.now, self._at.zone.key)
            found.append(self._violation(redeemable, fixed, None) if refusal is None else refusal)
        return found

    def judged(self) -> tuple[Refusal | None, Applicable | None, Cart | None]:
        """Return what only the rules of the first say."""
        redeemable, rules, cart = self._redeemables[0], self._rules[0], self._cart
        return self._violation(redeemable, rules, None), None if cart is None else self._reached(rules, cart), cart

    def accept(self, place: int, effect: Effect | None) -> None:
        """Let one be applied: the next ones see what it left."""
        assert effect is not None
        use = self._use(self._redeemables[place], self._rules[place], effect)
        self.applied.append((place, effect))
        if effect.cart is not None:
            self._touched |= {index for index, line in enumerate(effect.cart.lines) if line.applied_discount_amount}
            self._cart = effect.cart.fresh()
        self.uses.append(use)

    def attempt(self, place: int) -> Tried[Effect, Refusal]:
        """Work out what one does to the cart as it is now, or why it may not be redeemed."""
        redeemable, rules = self._redeemables[place], self._rules[place]
        refusal = redeemable.unavailable(self._at.now, self._at.zone.key)
        if refusal is not None:
            return Tried(refusal=refusal)
        worked = self._effect(redeemable, rules)
        effect = worked if isinstance(worked, Effect) else None
        refusal = self._violation(redeemable, rules, effect)
        if refusal is None and self._at.is_amount_missing and not self._at.audience_only:
            refusal = Refusal(
                "missing_amount", "Missing amount", "Property .order.amount is required, or items with prices"
            )
        if refusal is None and isinstance(worked, Refusal):
            refusal = worked
        if refusal is not None or effect is None:
            return Tried(refusal=refusal)
        return Tried(applied=effect, has_effect=effect.has_effect)

    def _bundle(self, redeemable: Redeemable, rules: Rules) -> Identified | None:
        """Return the bundles that the order has; where several rules ask for some, the fewest."""
        asking = [rule_set for _, rule_set in rules if rule_set.bundle is not None]
        facts = self._facts(redeemable, None) if asking else None
        found = [one for rule_set in asking if facts and (one := conditions.identified(rule_set, facts)) is not None]
        return min(found, key=lambda one: one.quantity, default=None)

    def _reached(self, rules: Rules, cart: Cart) -> Applicable | None:
        saying = reach.entries(rules)
        found = None
        if saying:
            items = [item_of(index, raw) for index, raw in enumerate(cart.items())]
            found = reach.applicable(saying, items, self._at.collections)
        if self._stacking.redeemables_products_application_mode == "ONCE" and self._touched:
            whole = found or EVERYTHING
            found = msgspec.structs.replace(whole, excluded=whole.excluded | self._touched)
        return found

    def _limited(
        self, redeemable: Redeemable, rules: Rules, cart: Cart, effect: str
    ) -> tuple[Applicable | None, dict[Counter, int]]:
        """Return what may be touched, by what earlier redemptions left. Raises FormulaError, MissingCustomer."""
        reached = self._reached(rules, cart)
        included = [entry for one in reach.entries(rules) for entry in one.get("included", ())]
        if (
            reached is None
            or self._at.audience_only
            or not effect.startswith("APPLY_TO_ITEMS")
            or not any(map(limits_of, included))
        ):
            return reached, {}
        spent = dict(self._at.standing)
        for use in self.uses:
            budgets.count(use.redeemed, spent, self._at.zone)
        redeemed = redeemed_of(redeemable, self._at, None)
        return limited(included, reached, redeemed, spent, cart, self._variables(redeemable))

    def _effect(self, redeemable: Redeemable, rules: Rules) -> Effect | Refusal:
        cart = self._cart
        if redeemable.gift is not None:
            return self._credits(redeemable, rules, cart)
        discount = dict(redeemable.discount or {})
        discount.setdefault("effect", "ADD_NEW_ITEMS" if discount["type"] == "UNIT" else DEFAULT_EFFECT)
        if cart is None:
            return Effect(discount=stated(discount))
        bundle = self._bundle(redeemable, rules)
        times = times_of(bundle)
        try:
            reached, most = self._limited(redeemable, rules, cart, discount["effect"])
        except (FormulaError, MissingCustomer) as error:
            return _unlimited(redeemable, error)
        reached = applying.scaled(reached, discount, times)
        try:
            done = self._applied(redeemable, discount, cart, reached, times)
        except (FormulaError, InvalidPayload) as error:
            return Refusal("invalid_discount", "Discount cannot be worked out", f"{redeemable.id}: {error}")
        has_effect = done.off > 0 or bool(done.added) or bool(done.lines)
        return Effect(
            before=cart,
            cart=done.cart,
            off=done.off,
            saved=done.saved,
            credits=None,
            discount=done.discount,
            reached=reached,
            has_effect=has_effect,
            items=_differences(cart, done),
            bundle=bundle,
            most=most,
        )

    def _applied(
        self, redeemable: Redeemable, discount: Mapping[str, Any], cart: Cart, reached: Applicable | None, times: int
    ) -> Applied:
        """Apply a discount; a percentage on the whole order may be of what it cost before any other discount."""
        variables, products = self._variables(redeemable), self._at.products
        initial = self._stacking.takes_initial_amount([one.id for one in redeemable.categories])
        if (
            initial
            and discount["type"] == "PERCENT"
            and discount["effect"] == DEFAULT_EFFECT
            and self.start is not None
        ):
            first = applying.apply(discount, self.start, variables=variables, products=products, times=times)
            after = cart.less(min(first.off, cart.total_amount))
            return Applied.between(cart, after, discount=first.discount)
        return applying.apply(discount, cart, applicable=reached, variables=variables, products=products, times=times)

    def _credits(self, redeemable: Redeemable, rules: Rules, cart: Cart | None) -> Effect | Refusal:
        assert redeemable.gift is not None
        asked, balance = redeemable.asked_credits, redeemable.balance
        if asked is not None and asked > balance:
            return Refusal("gift_amount_exceeded", "gift amount exceeded", redeemable.id)
        if asked is None and not balance and cart is not None and cart.total_amount:
            return Refusal("gift_amount_exceeded", "gift amount exceeded", redeemable.id)
        if cart is None:
            if asked is None and not self._at.audience_only:
                return Refusal(
                    "missing_amount", "Missing amount", "An order amount or .gift.credits is required for a gift card"
                )
            used = asked or 0
            return Effect(off=used, credits=used)
        effect = redeemable.gift.get("effect") or DEFAULT_EFFECT
        try:
            reached, most = self._limited(redeemable, rules, cart, effect)
        except (FormulaError, MissingCustomer) as error:
            return _unlimited(redeemable, error)
        done = applying.credits(balance if asked is None else asked, effect, cart, reached)
        return Effect(
            before=cart,
            cart=done.cart,
            off=done.off,
            saved=done.saved,
            credits=done.off,
            reached=reached,
            has_effect=done.off > 0,
            items=_differences(cart, done),
            bundle=self._bundle(redeemable, rules),
            most=most,
        )

    def _variables(self, redeemable: Redeemable) -> dict[str, Any]:
        at, customer = self._at, self._at.customer
        known: dict[str, Any] = {
            "CUSTOMER_METADATA": {} if customer is None else customer.metadata,
            "ORDER_METADATA": {} if at.order is None else at.order.metadata,
            "REDEMPTION_METADATA": at.metadata,
            "REDEEMABLE_METADATA": redeemable.metadata,
            **at.formulas.get(redeemable.id, {}),
        }
        if redeemable.tier is not None:
            known["PROMOTION_TIER_METADATA"] = redeemable.metadata
        earlier = sum(use.redeemed.campaign_id == redeemable.campaign_id for use in self.uses)
        return known | {name: known[name] + earlier for name in OF_CAMPAIGN if name in known}

    def _facts(self, redeemable: Redeemable, effect: Effect | None) -> Facts:
        at, customer, cart = self._at, self._at.customer, self._cart
        order = None
        if cart is not None and at.order is not None:
            order = OrderFacts(
                amount=cart.amount,
                total_amount=cart.total_amount,
                initial_amount=cart.initial_amount,
                raw_items=cart.items(),
                metadata=at.order.metadata,
                is_amount_known=not at.is_amount_missing,
            )
        voucher = redeemable.voucher
        return Facts(
            now=at.now,
            zone=at.zone,
            customer_id=None if customer is None else customer.id,
            customer_metadata={} if customer is None else customer.metadata,
            segments=at.segments,
            is_holder=customer is not None and voucher is not None and voucher.holder_id == customer.id,
            order=order,
            metadata=at.metadata,
            api_key=at.api_key,
            gift_amount=None if effect is None else effect.credits,
            collections=at.collections,
        )

    def _use(self, redeemable: Redeemable, rules: Rules, effect: Effect | None) -> Use:
        most = {} if effect is None else effect.most
        return Use(redeemed_of(redeemable, self._at, effect), tuple(rules), self._facts(redeemable, effect), most)

    def _violation(self, redeemable: Redeemable, rules: Rules, effect: Effect | None) -> Refusal | None:
        if not rules:
            return None
        # The rules of those that were accepted are done with; what they add to the numbers counts.
        before = [dataclasses.replace(use, rules=()) for use in self.uses]
        uses = [*before, self._use(redeemable, rules, effect)]
        found = budgets.judge(uses, self._at.standing, self._at.zone)[-1]
        if found is None:
            return None
        return refusal_of(redeemable, *found)


def _differences(before: Cart, done: Applied) -> list[dict[str, Any]] | None:
    if not (done.lines or done.added):
        return None
    return effects.between(before.items(), done.cart.items(), done.covered)


def _unlimited(redeemable: Redeemable, error: FormulaError | MissingCustomer) -> Refusal:
    """Return why nothing is redeemed where a limit cannot be told."""
    if isinstance(error, MissingCustomer):
        key = "missing_customer"
        return Refusal(key, conditions.MESSAGES[key], "Customer is required: units are limited for each customer")
    return Refusal("invalid_discount", "Discount cannot be worked out", f"{redeemable.id}: {error}")


def refusal_of(redeemable: Redeemable, assigned: Assigned, violation: conditions.Violation) -> Refusal:
    """Return what a violation of a rule is called in an answer."""
    details = violation.details
    if not violation.key.startswith("missing_"):
        rule = assigned.rule_id
        details = f"{redeemable.id} cannot be redeemed because of violated validation rules: {rule}. {details}"
    message = violation.message or (assigned.error or {}).get("message")
    return Refusal(violation.key, conditions.MESSAGES[violation.key], details, message, violation.bundle)
