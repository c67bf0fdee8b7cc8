"""A set of rules parsed and decided: `parse` → `RuleSet` (and what it `needs`), `judge` → `Violation` or None. Pure.

`kinds.KINDS` is the table of rule names.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Final

from rapport.core import jsons
from rapport.rules import bundles, items, logic
from rapport.rules.bundles import Bundle, Identified
from rapport.rules.errors import InvalidValidationRules
from rapport.rules.facts import At, Count, Facts, Item
from rapport.rules.items import COLLECTION, Goods, Selector
from rapport.rules.kinds import HOLDER, KINDS, PER_CUSTOMER, SEGMENT, Gap, Row, gap
from rapport.rules.reading import Condition, path_of, read_conditions
from rapport.segments.times import Clock

__all__ = [
    "HOLDER", "MESSAGES", "PER_CUSTOMER", "SEGMENT", "InvalidValidationRules", "Needs", "RuleSet", "Violation",
    "identified", "judge", "parse",
]  # fmt: skip

MAX_RULES: Final = 50
MAX_RULES_IN_ALL: Final = 200
MAX_MESSAGE_LENGTH: Final = 1_000
MAX_CACHED: Final = 4_096

MESSAGES: Final[Mapping[str, str]] = {
    "missing_customer": "Missing customer",
    "missing_amount": "Missing amount",
    "missing_order_items": "Missing order items",
    "customer_rules_violated": "customer does not match validation rules",
    "order_rules_violated": "order does not match validation rules",
    "redemption_rules_violated": "redemption does not match validation rules",
}
_ABSENT: Final[Mapping[str, str]] = {
    "missing_customer": "Customer is required to validate rules",
    "missing_amount": "Order amount is required to validate rules",
    "missing_order_items": "Order items are required to validate rules",
}

Check = Callable[[At, Clock], bool]


@dataclass(frozen=True, slots=True)
class Leaf:
    """One rule: its number, its row of the table, whether it holds, and the message that the shop set for it.

    `conditions` are those on values, `selector` and `nested` belong to rules about items.
    """

    number: str
    row: Row
    conditions: tuple[Condition, ...]
    selector: Selector | None
    nested: "RuleSet"
    message: str | None
    check: Check = field(compare=False, repr=False)

    @property
    def name(self) -> str:
        """The name of the rule."""
        return self.row.name


@dataclass(frozen=True, slots=True)
class Needs:
    """What has to be read for a set of rules to be decided: ids of segments and collections, and numbers."""

    segments: frozenset[str] = frozenset()
    collections: frozenset[str] = frozenset()
    counts: frozenset[Count] = frozenset()
    customer: bool = False
    items: bool = False


@dataclass(frozen=True, slots=True)
class RuleSet:
    """A parsed set of rules; those that `logic` does not name decide nothing."""

    leaves: Mapping[str, Leaf]
    expression: logic.Expression
    needs: Needs
    bundle: Bundle | None = None

    @property
    def segment_ids(self) -> frozenset[str]:
        """The segments that the rules name."""
        return self.needs.segments

    @property
    def is_about_cart(self) -> bool:
        """Whether the rules may hold otherwise once something else is off the order, or added to it."""
        return self.bundle is not None or any(leaf.row.is_about_cart for leaf in self.leaves.values())


_NOTHING: Final = RuleSet({}, logic.Every(()), Needs())


@dataclass(frozen=True, slots=True)
class Violation:
    """Why a set of rules does not hold: the reference's key, and the shop's message if it set one.

    `number`, `name`: the first rule that failed; `bundle`: what there is of the bundle that is not there. `details` say
    it in words.
    """

    key: str
    message: str | None
    number: str | None = None
    name: str | None = None
    bundle: Identified | None = None

    @property
    def details(self) -> str:
        """What failed, for the error's details."""
        absent = _ABSENT.get(self.key)
        if absent is not None:
            return absent
        if self.bundle is not None:
            return "The bundle is not in the order"
        return "The rules do not hold" if self.name is None else f"Rule {self.number} ({self.name}) does not hold"


def judge(rules: RuleSet, facts: Facts) -> Violation | None:
    """Return the violation, or None if the rules hold.

    What a rule cannot do without may be missing (a customer, an amount, items): that is the violation, unless the
    others decide alone.
    """
    at, clock = At(facts), Clock(facts.now, facts.zone)
    outcomes: dict[str, bool] = {}
    gaps: dict[str, Gap] = {}
    for number, leaf in rules.leaves.items():
        missing = gap(leaf.row, at)
        if missing is None:
            outcomes[number] = leaf.check(at, clock)
        else:
            gaps[number] = missing
    least, most = (logic.evaluate(rules.expression, outcomes | dict.fromkeys(gaps, guess)) for guess in (False, True))
    if least and most:
        return _without_bundle(rules, facts)
    if gaps and (least or most):
        number, key = next(iter(gaps.items()))
        return Violation(key, None, number, rules.leaves[number].name)
    return _violation(rules, outcomes)


def identified(rules: RuleSet, facts: Facts) -> Identified | None:
    """Return the bundles that an order has; None where the rules ask for none."""
    lines = () if facts.order is None else facts.order.items
    return None if rules.bundle is None else bundles.identify(rules.bundle, lines, facts.collections)


def _without_bundle(rules: RuleSet, facts: Facts) -> Violation | None:
    if rules.bundle is not None and (facts.order is None or not facts.order.items):
        return Violation("missing_order_items", None)
    found = identified(rules, facts)
    return None if found is None or found.quantity else Violation("order_rules_violated", None, bundle=found)


def _violation(rules: RuleSet, outcomes: Mapping[str, bool]) -> Violation:
    failed = [rules.leaves[number] for number, outcome in outcomes.items() if not outcome] or list(
        rules.leaves.values()
    )
    keys = {leaf.row.failure for leaf in failed}
    key = keys.pop() if len(keys) == 1 else "redemption_rules_violated"
    message = next((leaf.message for leaf in failed if leaf.message is not None), None)
    return Violation(key, message, failed[0].number, failed[0].name)


def parse(raw: Mapping[str, Any], bundle_rules: Mapping[str, Any] | None = None) -> RuleSet:
    """Read the `rules` of a validation rule, and its stored `bundle_rules`. Raises InvalidValidationRules.

    The same content is read once.
    """
    both = [raw, bundle_rules or {}]
    try:
        content = jsons.encode(both)
    except (ValueError, OverflowError, TypeError):
        return _parse(*both)
    return _cached(content)


@lru_cache(maxsize=MAX_CACHED)
def _cached(content: bytes) -> RuleSet:
    return _parse(*jsons.decode(content))


def _parse(raw: Mapping[str, Any], bundle_rules: Mapping[str, Any]) -> RuleSet:
    found = _rules(raw, KINDS, ".rules")
    if sum(1 + len(leaf.nested.leaves) for leaf in found.leaves.values()) > MAX_RULES_IN_ALL:
        raise InvalidValidationRules(f"A validation rule may have {MAX_RULES_IN_ALL} rules in all")
    bundle = bundles.read(bundle_rules)
    if bundle is None:
        return found
    collections = found.needs.collections | bundles.collections_of(bundle)
    return replace(found, bundle=bundle, needs=replace(found.needs, collections=collections, items=True))


def _rules(raw: Any, kinds: Mapping[str, Row], place: str) -> RuleSet:
    if raw is None:
        return _NOTHING
    if not isinstance(raw, dict):
        raise InvalidValidationRules(f"Property {place} should be an object")
    numbered = {name: rule for name, rule in raw.items() if name != "logic"}
    if len(numbered) > MAX_RULES:
        raise InvalidValidationRules(f"A validation rule may have {MAX_RULES} rules")
    leaves = {name: _leaf(name, rule, kinds, place) for name, rule in numbered.items()}
    text = raw.get("logic")
    if text is not None and not isinstance(text, str):
        raise InvalidValidationRules(f"Property {place}.logic should be string")
    try:
        expression = logic.parse(text if text and text.strip() else " and ".join(leaves))
    except logic.InvalidLogic as error:
        raise InvalidValidationRules(f"Property {place}.logic: {error}") from error
    mentioned = logic.names(expression)
    if unknown := sorted(mentioned - set(leaves)):
        raise InvalidValidationRules(f"Property {place}.logic names rule {unknown[0]}, which is not there")
    used = {number: leaf for number, leaf in leaves.items() if number in mentioned}
    return RuleSet(used, expression, _needs(leaves.values(), used.values()))


def _needs(leaves: Iterable[Leaf], used: Iterable[Leaf]) -> Needs:
    """Collect what rules need; the segments and collections of unused rules too, so that none is deleted under them."""
    all_leaves, used_leaves = list(leaves), list(used)
    return Needs(
        segments=frozenset(
            str(operand)
            for leaf in all_leaves
            if leaf.name == SEGMENT
            for condition in leaf.conditions
            for operand in condition.operands
        ),
        collections=frozenset(one.id for leaf in all_leaves for one in _goods(leaf) if one.id is not None),
        counts=frozenset(leaf.row.count for leaf in used_leaves if leaf.row.count is not None),
        customer=any(leaf.row.needs == "missing_customer" for leaf in used_leaves),
        items=any(leaf.row.needs == "missing_order_items" for leaf in used_leaves),
    )


def _goods(leaf: Leaf) -> list[Goods]:
    entries = () if leaf.selector is None else leaf.selector.entries
    return [one for _, goods in entries for one in goods if one.object == COLLECTION]


def _leaf(number: str, raw: Any, kinds: Mapping[str, Row], place: str) -> Leaf:
    if not (number.isascii() and number.isdigit() and len(number) < 10):
        raise InvalidValidationRules(f"Property {place}.{number[:50]} should be named by a number")
    if not isinstance(raw, dict) or not isinstance(raw.get("name"), str):
        raise InvalidValidationRules(f"Rule {number} should be an object with a 'name'")
    name = raw["name"]
    row = kinds.get(name)
    if row is None:
        raise InvalidValidationRules(f"Rule '{name[:100]}' is not known here; known are: {', '.join(kinds)}")
    keys = path_of(row, raw.get("property"))
    nested = _rules(raw.get("rules"), row.nested, f"{place}.{number}.rules")
    if nested.leaves and row.selects is None:
        raise InvalidValidationRules(f"Rule '{name}' takes no 'rules'")
    message = _message(name, raw.get("error"))
    if row.selects is None or row.takes_property:
        conditions = read_conditions(row, keys, raw.get("conditions"))
        check = _values(row, conditions) if row.selects is None else _by_metadata(row, conditions, nested)
        return Leaf(number, row, conditions, None, nested, message, check)
    selector = items.read_selector(row, raw.get("conditions"))
    return Leaf(number, row, (), selector, nested, message, _by_goods(row, selector, nested))


def _values(row: Row, conditions: tuple[Condition, ...]) -> Check:
    """Make the check of a rule about values: every condition is fulfilled by any value, or by each."""

    def check(at: At, clock: Clock) -> bool:
        roots, segments = row.roots(at), at.facts.segments
        if row.each and not roots:
            return False
        quantifier = all if row.each else any
        return all(quantifier(one.check(root, segments, clock) for root in roots) for one in conditions)

    return check


def _selection(row: Row, selects: Callable[[Item, At, Clock], bool], nested: RuleSet) -> Check:
    assert row.mode is not None
    mode = row.mode

    def check(at: At, clock: Clock) -> bool:
        everything = () if at.facts.order is None else at.facts.order.items
        selected = [item for item in everything if selects(item, at, clock)]

        def fits(inner: At) -> bool:
            outcomes = {number: leaf.check(inner, clock) for number, leaf in nested.leaves.items()}
            return logic.evaluate(nested.expression, outcomes)

        return items.holds(mode, selected, at, fits)

    return check


def _by_goods(row: Row, selector: Selector, nested: RuleSet) -> Check:
    return _selection(row, lambda item, at, _clock: selector.selects(item, at.facts), nested)


def _by_metadata(row: Row, conditions: tuple[Condition, ...], nested: RuleSet) -> Check:
    def selects(item: Item, at: At, clock: Clock) -> bool:
        return all(one.check(item.product_metadata, at.facts.segments, clock) for one in conditions)

    return _selection(row, selects, nested)


def _message(name: str, error: Any) -> str | None:
    if error is None:
        return None
    if not isinstance(error, dict):
        raise InvalidValidationRules(f"Rule '{name}': error should be an object with a 'message'")
    message = error.get("message")
    if message is not None and (not isinstance(message, str) or len(message) > MAX_MESSAGE_LENGTH):
        raise InvalidValidationRules(
            f"Rule '{name}': error.message should be a string of at most {MAX_MESSAGE_LENGTH} characters"
        )
    return message
