"""Conditions of a rule: JSON read into tests, by the one table of operators that filters have too."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from rapport.rules.errors import InvalidValidationRules
from rapport.rules.kinds import Row
from rapport.rules.timeframes import LISTED, TIMED, Listed, Timed
from rapport.segments import times
from rapport.segments.evaluate import Facts as Seen
from rapport.segments.evaluate import build_leaf
from rapport.segments.fields import Field, Kind, UnknownField, keys_of
from rapport.segments.json_values import elements, moment_of, text_of
from rapport.segments.operands import WrongOperand, nothing
from rapport.segments.operators import BY_NAME, Meaning, Operator
from rapport.segments.times import Clock

MAX_OPERANDS: Final = 1_000
MAX_PROPERTY_LENGTH: Final = 255

# Tells of a root whether it fulfils a condition; the segments are the customer's.
Check = Callable[[Any, frozenset[str], Clock], bool]

_MOMENTS: Final = BY_NAME["$is"].meanings[Kind.INSTANT]
# A comparison with a date: the tests of moments of which any has to hold.
_WITH_DATES: Final[Mapping[str, tuple[Meaning, ...]]] = {
    "$more_than": (BY_NAME["$after"].meanings[Kind.JSON],),
    "$less_than": (BY_NAME["$before"].meanings[Kind.JSON],),
    "$more_than_equal": (BY_NAME["$after"].meanings[Kind.JSON], _MOMENTS),
    "$less_than_equal": (BY_NAME["$before"].meanings[Kind.JSON], _MOMENTS),
}


@dataclass(frozen=True, slots=True)
class Condition:
    """One operator with its operands as they were read."""

    operator: str
    operands: tuple[Any, ...]
    check: Check


def path_of(row: Row, raw: Any) -> tuple[str, ...]:
    """Return the keys that the `property` of a rule names. Raises InvalidValidationRules."""
    if not row.takes_property:
        if raw:
            raise InvalidValidationRules(f"Rule '{row.name}' takes no 'property'")
        return ()
    if raw is None or raw == "":
        raise InvalidValidationRules(f"Rule '{row.name}' must have a 'property'")
    if not isinstance(raw, str) or len(raw) > MAX_PROPERTY_LENGTH or "\x00" in raw:
        raise InvalidValidationRules(
            f"Rule '{row.name}': property should be a text of at most {MAX_PROPERTY_LENGTH} characters"
        )
    try:
        return keys_of(raw)
    except UnknownField:
        return (raw,)


def read_conditions(row: Row, keys: tuple[str, ...], raw: Any) -> tuple[Condition, ...]:
    """Read the `conditions` of a rule. Raises InvalidValidationRules."""
    if not isinstance(raw, dict) or not raw:
        raise InvalidValidationRules(f"Rule '{row.name}' must have 'conditions'")
    return tuple(_condition(row, keys, name, operands) for name, operands in raw.items())


def listed(row: Row, name: str, raw: Any) -> list[Any]:
    """Return the operands of an operator as a list. Raises InvalidValidationRules."""
    found = raw if isinstance(raw, list) else [raw]
    if len(found) > MAX_OPERANDS:
        raise InvalidValidationRules(f"Rule '{row.name}': '{name}' has more than {MAX_OPERANDS} operands")
    return found


def refuse_operator(row: Row, name: str, allowed: list[str]) -> InvalidValidationRules:
    """Return the error about an operator that a rule does not take."""
    return InvalidValidationRules(f"Rule '{row.name}' does not take '{name[:50]}'; it takes: {', '.join(allowed)}")


def allowed_operators(row: Row) -> list[str]:
    """Return the names of the operators that apply to a rule."""
    if row.only:
        return ["$is"]
    extra = [*TIMED, *LISTED] if row.kind is Kind.JSON and row.takes_property else []
    return [name for name, operator in BY_NAME.items() if row.kind in operator.meanings] + extra


def _condition(row: Row, keys: tuple[str, ...], name: str, raw: Any) -> Condition:
    if name not in allowed_operators(row):
        raise refuse_operator(row, name, allowed_operators(row))
    given = listed(row, name, raw)
    if row.only and not (given and all(any(one is value for value in row.only) for one in given)):
        wanted = " or ".join(str(value).lower() for value in row.only)
        raise InvalidValidationRules(f"Rule '{row.name}': the operand of '{name}' should be {wanted}")
    try:
        if name in TIMED:
            return _timed(name, TIMED[name], keys, given)
        if name in LISTED:
            return _listed(name, LISTED[name], keys, given)
        return _of_filters(row, name, keys, given)
    except WrongOperand as error:
        raise InvalidValidationRules(f"Rule '{row.name}': '{name}' {error}") from None


def _of_filters(row: Row, name: str, keys: tuple[str, ...], given: list[Any]) -> Condition:
    operator = BY_NAME[name]
    meaning = operator.meanings[row.kind]
    if not given and meaning.read is not nothing:
        raise WrongOperand("has no operand")
    is_dated = row.takes_property and operator.name in _WITH_DATES and all(map(_is_date, given))
    meanings = _WITH_DATES[operator.name] if is_dated else (meaning,)
    tests = []
    operands: tuple[Any, ...] = ()
    for one in meanings:
        operands = tuple(dict.fromkeys(one.read(value) for value in given or [True]))
        found = Field(row.name, row.kind, _reader(row, keys), lambda _bind: "")
        meant = Operator(operator.name, {row.kind: one}, negated=operator.negated)
        tests.append(build_leaf(found, meant, operands, None, tuple(given), {}).check)

    def check(root: Any, segments: frozenset[str], clock: Clock) -> bool:
        seen = Seen(root, segments, {})
        return any(test(seen, clock) for test in tests)

    return Condition(name, operands, check)


def _is_date(value: Any) -> bool:
    return isinstance(value, str) and times.parse(value) is not None


def _reader(row: Row, keys: tuple[str, ...]) -> Callable[[Any], Any]:
    if row.kind is Kind.JSON:
        return lambda root: elements(root, keys)
    return lambda root: root


def _timed(name: str, timed: Timed, keys: tuple[str, ...], given: list[Any]) -> Condition:
    if not given:
        raise WrongOperand("has no operand")
    operands = tuple(timed.read(one) for one in given)

    def check(root: Any, _segments: frozenset[str], clock: Clock) -> bool:
        moments = [moment for value in elements(root, keys) if (moment := moment_of(value)) is not None]
        return any(timed.test(moment, operand, clock) for moment in moments for operand in operands)

    return Condition(name, operands, check)


def _listed(name: str, kind: Listed, keys: tuple[str, ...], given: list[Any]) -> Condition:
    wanted = frozenset(kind.read(one) for one in given)

    def check(root: Any, _segments: frozenset[str], _clock: Clock) -> bool:
        values = frozenset(text for value in elements(root, keys) if (text := text_of(value)) is not None)
        return kind.test(values, wanted)

    return Condition(name, tuple(wanted), check)
