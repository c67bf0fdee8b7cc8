"""What a formula is made of, and what it is worth: exact numbers, text, yes and no.

Every node is worth something in a scope, which is the mapping of names to what is known: `ORDER_AMOUNT` to a number,
`CUSTOMER_METADATA` to the metadata. Whatever cannot be worked out (nothing known under a name, a division by zero, a
text where a number belongs, a number out of all proportion) raises the one error, FormulaError; nothing else is raised.
"""

import math
from collections.abc import Callable, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any, ClassVar, Final

import msgspec

from rapport.core.errors import RapportError

MAX_BITS: Final = 4_096
MAX_EXPONENT: Final = 1_000
MAX_ROUND_PLACES: Final = 10

Scope = Mapping[str, Any]
Value = Fraction | str | bool | tuple[Any, ...]


class FormulaError(RapportError):
    """The formula cannot be read, or cannot be worked out with what is known."""

    key: ClassVar[str] = "invalid_formula"
    message: ClassVar[str] = "Invalid formula"


class Node(msgspec.Struct, frozen=True):
    """A part of a formula."""

    def value(self, scope: Scope) -> Value:
        """Return what it is worth. Raises FormulaError."""
        raise NotImplementedError


class Constant(Node, frozen=True):
    """A number or a text that stands in the formula."""

    constant: Fraction | str

    def value(self, scope: Scope) -> Value:  # noqa: ARG002 (the same whatever is known)
        """Return it."""
        return self.constant


class Variable(Node, frozen=True):
    """A value of the cart or of the redeemable, such as `ORDER_AMOUNT`."""

    name: str

    def value(self, scope: Scope) -> Value:
        """Return what is known under the name."""
        known = scope.get(self.name)
        if known is None:
            raise FormulaError(f"{self.name} is not known")
        return read(known, self.name)


class Attribute(Node, frozen=True):
    """One value of somebody's or something's metadata, such as `CUSTOMER_METADATA("age")`."""

    name: str
    key: str

    def value(self, scope: Scope) -> Value:
        """Return the metadata value."""
        metadata = scope.get(self.name)
        known = metadata.get(self.key) if isinstance(metadata, Mapping) else None
        if known is None:
            raise FormulaError(f'{self.name}("{self.key}") is not known')
        return read(known, f'{self.name}("{self.key}")')


class Negative(Node, frozen=True):
    """A minus before a value."""

    operand: Node

    def value(self, scope: Scope) -> Value:
        """Return the number with the other sign."""
        return -number(self.operand.value(scope))


class Not(Node, frozen=True):
    """The contrary of a condition."""

    operand: Node

    def value(self, scope: Scope) -> Value:
        """Return whether the condition fails."""
        return not truth(self.operand.value(scope))


class Arithmetic(Node, frozen=True):
    """A chain of `+` and `-`, or of `*` and `/`, from left to right."""

    first: Node
    rest: tuple[tuple[str, Node], ...]

    def value(self, scope: Scope) -> Value:
        """Return the number."""
        result = number(self.first.value(scope))
        for operator, operand in self.rest:
            result = _within_bounds(ARITHMETIC[operator](result, number(operand.value(scope))))
        return result


class Comparison(Node, frozen=True):
    """Two values held against each other."""

    left: Node
    operator: str
    right: Node

    def value(self, scope: Scope) -> Value:
        """Return whether it holds."""
        return COMPARISONS[self.operator](self.left.value(scope), self.right.value(scope))


class Junction(Node, frozen=True):
    """Conditions of which all (`AND`), or any (`OR`), must hold; those after the one that decides are not looked at."""

    operator: str
    operands: tuple[Node, ...]

    def value(self, scope: Scope) -> Value:
        """Return whether they hold."""
        found = (truth(operand.value(scope)) for operand in self.operands)
        return all(found) if self.operator == "AND" else any(found)


class Choice(Node, frozen=True):
    """`IF`: one of two, the other is not looked at."""

    condition: Node
    then: Node
    otherwise: Node

    def value(self, scope: Scope) -> Value:
        """Return the one that the condition says."""
        return (self.then if truth(self.condition.value(scope)) else self.otherwise).value(scope)


class Switch(Node, frozen=True):
    """`SWITCH`: what belongs to the first case that the subject equals; the last is for all others."""

    subject: Node
    cases: tuple[tuple[Node, Node], ...]
    otherwise: Node

    def value(self, scope: Scope) -> Value:
        """Return the one that the subject says."""
        subject = self.subject.value(scope)
        for case, result in self.cases:
            if _equal(subject, case.value(scope)):
                return result.value(scope)
        return self.otherwise.value(scope)


class Call(Node, frozen=True):
    """A function of numbers."""

    function: str
    arguments: tuple[Node, ...]

    def value(self, scope: Scope) -> Value:
        """Return the number."""
        return _within_bounds(FUNCTIONS[self.function].result(*(number(each.value(scope)) for each in self.arguments)))


class Function(msgspec.Struct, frozen=True):
    """How many numbers a function takes, and what it makes of them."""

    least: int
    most: int
    result: Callable[..., Fraction]


def read(known: Any, name: str) -> Value:
    """Return a JSON value as formulas know it. Raises FormulaError."""
    if isinstance(known, bool | str):
        return known
    if isinstance(known, int | Fraction):
        return _within_bounds(Fraction(known))
    if isinstance(known, float) and math.isfinite(known):
        return _within_bounds(Fraction(str(known)))
    if isinstance(known, Decimal) and known.is_finite() and abs(known.adjusted()) <= MAX_EXPONENT:
        return _within_bounds(Fraction(known))
    if isinstance(known, list | tuple):
        return tuple(read(each, name) for each in known if not isinstance(each, list | tuple | Mapping))
    raise FormulaError(f"{name} is neither a number nor text")


def number(value: Value) -> Fraction:
    """Return a value that has to be a number. Raises FormulaError."""
    if not isinstance(value, Fraction):
        raise FormulaError(f"{_named(value)} stands where a number belongs")
    return value


def truth(value: Value) -> bool:
    """Return a value that has to be a condition. Raises FormulaError."""
    if not isinstance(value, bool):
        raise FormulaError(f"{_named(value)} stands where a condition belongs")
    return value


def rounded(value: Fraction, places: int = 0) -> Fraction:
    """Return a number rounded to so many decimal places, a half away from zero."""
    scaled = abs(value) * Fraction(10) ** places
    whole = (2 * scaled.numerator + scaled.denominator) // (2 * scaled.denominator)
    return (1 if value >= 0 else -1) * Fraction(whole) / Fraction(10) ** places


def _named(value: Value) -> str:
    if isinstance(value, str):
        return "Text"
    if isinstance(value, bool):
        return "A condition"
    return "A list" if isinstance(value, tuple) else "A number"


def _within_bounds(value: Fraction) -> Fraction:
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > MAX_BITS:
        raise FormulaError("A number is out of bounds")
    return value


def _divided(one: Fraction, other: Fraction) -> Fraction:
    if other == 0:
        raise FormulaError("Division by zero")
    return one / other


def _equal(one: Value, other: Value) -> bool:
    """Values of different kinds are not equal; a list only equals a list."""
    return type(one) is type(other) and one == other


def _ordered(test: Callable[[Any, Any], bool]) -> Callable[[Value, Value], bool]:
    def compare(one: Value, other: Value) -> bool:
        if type(one) is not type(other) or not isinstance(one, Fraction | str):
            raise FormulaError(f"{_named(one)} cannot be compared with {_named(other).lower()}")
        return test(one, other)

    return compare


def _contains(one: Value, other: Value) -> bool:
    """Tell whether a list contains a value, or a text a text."""
    if isinstance(one, tuple):
        return any(_equal(each, other) for each in one)
    if isinstance(one, str) and isinstance(other, str):
        return other in one
    raise FormulaError(f"{_named(one)} cannot contain {_named(other).lower()}")


def _texts(test: Callable[[str, str], bool]) -> Callable[[Value, Value], bool]:
    def compare(one: Value, other: Value) -> bool:
        if not isinstance(one, str) or not isinstance(other, str):
            raise FormulaError("Only text starts or ends with something")
        return test(one, other)

    return compare


def _round(value: Fraction, places: Fraction = Fraction(0)) -> Fraction:
    if places.denominator != 1 or abs(places) > MAX_ROUND_PLACES:
        raise FormulaError(f"Numbers are rounded to {-MAX_ROUND_PLACES} to {MAX_ROUND_PLACES} places")
    return rounded(value, int(places))


def _remainder(one: Fraction, other: Fraction) -> Fraction:
    if other == 0:
        raise FormulaError("Division by zero")
    return one % other


ARITHMETIC: Final[Mapping[str, Callable[[Fraction, Fraction], Fraction]]] = {
    "+": lambda one, other: one + other,
    "-": lambda one, other: one - other,
    "*": lambda one, other: one * other,
    "/": _divided,
}
COMPARISONS: Final[Mapping[str, Callable[[Value, Value], bool]]] = {
    "=": _equal,
    "!=": lambda one, other: not _equal(one, other),
    "<": _ordered(lambda one, other: one < other),
    "<=": _ordered(lambda one, other: one <= other),
    ">": _ordered(lambda one, other: one > other),
    ">=": _ordered(lambda one, other: one >= other),
    "CONTAINS": _contains,
    "NOT CONTAINS": lambda one, other: not _contains(one, other),
    "STARTS WITH": _texts(str.startswith),
    "ENDS WITH": _texts(str.endswith),
}
MANY: Final = 50
FUNCTIONS: Final[Mapping[str, Function]] = {
    "MIN": Function(1, MANY, lambda *numbers: min(numbers)),
    "MAX": Function(1, MANY, lambda *numbers: max(numbers)),
    "SUM": Function(1, MANY, lambda *numbers: sum(numbers, Fraction(0))),
    "ABS": Function(1, 1, abs),
    "ROUND": Function(1, 2, _round),
    "FLOOR": Function(1, 1, lambda value: Fraction(math.floor(value))),
    "CEIL": Function(1, 1, lambda value: Fraction(math.ceil(value))),
    "CEILING": Function(1, 1, lambda value: Fraction(math.ceil(value))),
    "MOD": Function(2, 2, _remainder),
}
