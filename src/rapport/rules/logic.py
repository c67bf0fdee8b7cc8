"""The logic of a rule set, such as `1 and (2 or not 3)`: parsed by hand, evaluated on truth values, never executed."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

MAX_LENGTH = 2_000
MAX_DEPTH = 50
_TOKEN = re.compile(r"\s*(?:(?P<word>and|or|not|AND|OR|NOT)\b|(?P<name>[0-9]{1,9})\b|(?P<sign>[()]))", re.ASCII)


class InvalidLogic(ValueError):
    """The text is not a logical expression over rule numbers; the argument says where it goes wrong."""


@dataclass(frozen=True, slots=True)
class Rule:
    """The outcome of one rule, by its number."""

    name: str


@dataclass(frozen=True, slots=True)
class Not:
    """True when its part is not."""

    part: "Expression"


@dataclass(frozen=True, slots=True)
class Every:
    """True when all parts are; with no parts, true."""

    parts: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Any:
    """True when at least one part is."""

    parts: tuple["Expression", ...]


Expression = Rule | Not | Every | Any


def evaluate(expression: Expression, outcomes: Mapping[str, bool]) -> bool:
    """Return whether the expression holds, given the outcome of each rule."""
    match expression:
        case Rule(name):
            return outcomes[name]
        case Not(part):
            return not evaluate(part, outcomes)
        case Every(parts):
            return all(evaluate(part, outcomes) for part in parts)
        case Any(parts):
            return any(evaluate(part, outcomes) for part in parts)


def names(expression: Expression) -> frozenset[str]:
    """Return the numbers of the rules that the expression mentions."""
    match expression:
        case Rule(name):
            return frozenset({name})
        case Not(part):
            return names(part)
        case Every(parts) | Any(parts):
            return frozenset().union(*(names(part) for part in parts))


def parse(text: str) -> Expression:
    """Read an expression; `not` binds tighter than `and`, `and` tighter than `or`. Raises InvalidLogic."""
    if len(text) > MAX_LENGTH:
        raise InvalidLogic(f"longer than {MAX_LENGTH} characters")
    if not text.strip():
        return Every(())
    reader = _Reader(_tokens(text))
    expression = reader.either(0)
    if reader.next() is not None:
        raise InvalidLogic(f"unexpected {reader.next()!r}")
    return expression


def _tokens(text: str) -> list[str]:
    found, position = [], 0
    while text[position:].strip():
        token = _TOKEN.match(text, position)
        if token is None:
            raise InvalidLogic(f"unexpected {text[position:].strip()[:20]!r}")
        found.append(token.group().strip().lower())
        position = token.end()
    return found


class _Reader:
    """The tokens not read yet."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._position = 0

    def next(self) -> str | None:
        return self._tokens[self._position] if self._position < len(self._tokens) else None

    def take(self, token: str) -> bool:
        if self.next() != token:
            return False
        self._position += 1
        return True

    def either(self, depth: int) -> Expression:
        parts = [self.every(depth)]
        while self.take("or"):
            parts.append(self.every(depth))
        return parts[0] if len(parts) == 1 else Any(tuple(parts))

    def every(self, depth: int) -> Expression:
        parts = [self.single(depth)]
        while self.take("and"):
            parts.append(self.single(depth))
        return parts[0] if len(parts) == 1 else Every(tuple(parts))

    def single(self, depth: int) -> Expression:
        if depth > MAX_DEPTH:
            raise InvalidLogic(f"nested deeper than {MAX_DEPTH} levels")
        if self.take("not"):
            return Not(self.single(depth + 1))
        if self.take("("):
            inner = self.either(depth + 1)
            if not self.take(")"):
                raise InvalidLogic("a parenthesis is not closed")
            return inner
        token = self.next()
        if token is None or not token.isdigit():
            raise InvalidLogic("a rule number is missing" if token is None else f"unexpected {token!r}")
        self._position += 1
        return Rule(token)
