"""What a rule may ask, and whether the circumstances of a redemption answer it. Pure.

`KINDS` is the table: one row a rule name, with the operators it takes and what they mean.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec

from rapport.core.errors import RapportError
from rapport.rules import logic

MAX_RULES = 50
MAX_OPERANDS = 1_000


class InvalidValidationRules(RapportError):
    """The rules name something that Rapport does not know, or say it wrongly."""

    key = "invalid_validation_rules"
    message = "Invalid Validation Rule Definition"


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What the rules of one redeemable are decided on.

    `redemption_number` is the ordinal of this redemption among those of the customer of what the rule is assigned to:
    1 for the first.
    """

    customer_id: str | None
    segments: frozenset[str]
    redemption_number: int
    is_holder: bool


Test = Callable[[Sequence[Any], Circumstances], bool]


@dataclass(frozen=True, slots=True)
class Kind:
    """One rule name: what its operands are, its operators, and what a violation is called."""

    operand: Callable[[Any], bool]
    expected: str
    operators: Mapping[str, Test]
    failure: Literal["customer_rules_violated", "redemption_rules_violated"]


def _in_segment(operands: Sequence[Any], at: Circumstances) -> bool:
    return not at.segments.isdisjoint(operands)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 255 and "\x00" not in value


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 1_000_000_000


SEGMENT: Final = "customer.segment"
PER_CUSTOMER: Final = "redemption.count.per_customer"
HOLDER: Final = "publication.redeemable_by_linked_customer"

KINDS: Final[Mapping[str, Kind]] = {
    SEGMENT: Kind(
        _is_text,
        "ids of segments",
        {
            "$is": _in_segment,
            "$in": _in_segment,
            "$is_not": lambda operands, at: not _in_segment(operands, at),
            "$not_in": lambda operands, at: not _in_segment(operands, at),
        },
        "customer_rules_violated",
    ),
    PER_CUSTOMER: Kind(
        _is_count,
        "a whole number",
        {
            "$is": lambda operands, at: at.redemption_number in operands,
            "$less_than": lambda operands, at: any(at.redemption_number < one for one in operands),
            "$less_than_or_equal": lambda operands, at: any(at.redemption_number <= one for one in operands),
        },
        "redemption_rules_violated",
    ),
    HOLDER: Kind(
        lambda value: value is True,
        "true",
        {"$is": lambda _operands, at: at.is_holder},
        "customer_rules_violated",
    ),
}


class Leaf(msgspec.Struct, frozen=True):
    """One rule: its name, its (operator, operands), and the message that the shop set for its violation."""

    name: str
    conditions: tuple[tuple[str, tuple[Any, ...]], ...]
    message: str | None

    def holds(self, at: Circumstances) -> bool:
        """Return whether every condition of the rule is met."""
        kind = KINDS[self.name]
        return all(kind.operators[operator](operands, at) for operator, operands in self.conditions)


class RuleSet(msgspec.Struct, frozen=True):
    """A parsed set of rules."""

    leaves: dict[str, Leaf]
    expression: logic.Expression

    @property
    def segment_ids(self) -> frozenset[str]:
        """The segments that the rules name."""
        return frozenset(
            operand
            for leaf in self.leaves.values()
            if leaf.name == SEGMENT
            for _, operands in leaf.conditions
            for operand in operands
        )

    @property
    def counts(self) -> bool:
        """Whether the customer's earlier redemptions are to be counted."""
        return any(leaf.name == PER_CUSTOMER for leaf in self.leaves.values())


@dataclass(frozen=True, slots=True)
class Violation:
    """Why a rule set does not hold: the reference's key, and the shop's message if it set one."""

    key: str
    message: str | None


def judge(rules: RuleSet, at: Circumstances) -> Violation | None:
    """Return the violation, or None if the rules hold."""
    if rules.leaves and at.customer_id is None:
        return Violation("missing_customer", None)
    outcomes = {name: leaf.holds(at) for name, leaf in rules.leaves.items()}
    if logic.evaluate(rules.expression, outcomes):
        return None
    failed = [leaf for name, leaf in rules.leaves.items() if not outcomes[name]] or list(rules.leaves.values())
    keys = {KINDS[leaf.name].failure for leaf in failed}
    key = "customer_rules_violated" if keys == {"customer_rules_violated"} else "redemption_rules_violated"
    return Violation(key, next((leaf.message for leaf in failed if leaf.message is not None), None))


def parse(raw: Mapping[str, Any]) -> RuleSet:
    """Read the `rules` of a validation rule: numbered rules and their `logic`. Raises InvalidValidationRules."""
    numbered = {name: rule for name, rule in raw.items() if name != "logic"}
    if len(numbered) > MAX_RULES:
        raise InvalidValidationRules(f"A validation rule may have {MAX_RULES} rules")
    leaves = {name: _leaf(name, rule) for name, rule in numbered.items()}
    text = raw.get("logic")
    if text is not None and not isinstance(text, str):
        raise InvalidValidationRules("Property .rules.logic should be string")
    try:
        expression = logic.parse(text or " and ".join(leaves))
    except logic.InvalidLogic as error:
        raise InvalidValidationRules(f"Property .rules.logic: {error}") from error
    mentioned = logic.names(expression)
    if unknown := sorted(mentioned - set(leaves)):
        raise InvalidValidationRules(f"Property .rules.logic names rule {unknown[0]}, which is not there")
    if unused := sorted(set(leaves) - mentioned):
        raise InvalidValidationRules(f"Rule {unused[0]} is not named in .rules.logic")
    return RuleSet(leaves, expression)


def _leaf(number: str, raw: Any) -> Leaf:
    if not (number.isascii() and number.isdigit() and len(number) < 10):
        raise InvalidValidationRules(f"Property .rules.{number[:50]} should be named by a number")
    if not isinstance(raw, dict) or not isinstance(raw.get("name"), str):
        raise InvalidValidationRules(f"Rule {number} should be an object with a 'name'")
    name = raw["name"]
    kind = KINDS.get(name)
    if kind is None:
        raise InvalidValidationRules(f"Rule '{name[:100]}' is not supported; supported are: {', '.join(KINDS)}")
    if raw.get("rules") or raw.get("property"):
        raise InvalidValidationRules(f"Rule '{name}' takes neither 'rules' nor a 'property'")
    conditions = raw.get("conditions")
    if not isinstance(conditions, dict) or not conditions:
        raise InvalidValidationRules(f"Rule '{name}' must have 'conditions'")
    read = tuple(_condition(name, kind, operator, operands) for operator, operands in conditions.items())
    return Leaf(name, read, _message(name, raw.get("error")))


def _condition(name: str, kind: Kind, operator: str, operands: Any) -> tuple[str, tuple[Any, ...]]:
    if operator not in kind.operators:
        allowed = ", ".join(kind.operators)
        raise InvalidValidationRules(f"Rule '{name}' does not take '{operator[:50]}'; it takes: {allowed}")
    listed = operands if isinstance(operands, list) else [operands]
    if not 0 < len(listed) <= MAX_OPERANDS or not all(kind.operand(one) for one in listed):
        raise InvalidValidationRules(f"Rule '{name}': the operand of '{operator}' should be {kind.expected}")
    return operator, tuple(listed)


def _message(name: str, error: Any) -> str | None:
    if error is None:
        return None
    message = error.get("message") if isinstance(error, dict) else None
    if message is not None and (not isinstance(message, str) or len(message) > 1_000):
        raise InvalidValidationRules(f"Rule '{name}': error.message should be a string of at most 1000 characters")
    if not isinstance(error, dict):
        raise InvalidValidationRules(f"Rule '{name}': error should be an object with a 'message'")
    return message
