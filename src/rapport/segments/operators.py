"""Operators: one row each, with the operands it takes, the fields it applies to, and its meaning in Python and in SQL.

A meaning is written for one form of value: text, number, count, moment. How a field's value takes that form (a metadata
value read as a number, say) belongs to the field and is the same for every operator.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import partial
from operator import ge, gt, le, lt
from typing import Any

from rapport.segments import operands
from rapport.segments.fields import Kind
from rapport.segments.times import Clock, Day, Moment, Period, Span, day_of, month_of, month_start, start, start_of_day

Read = Callable[[Any], Any]
Predicate = Callable[[Any], bool]


class Form(Enum):
    """The form of value that a `ValueTest` looks at, with the SQL type of its operands."""

    TEXT = "text"
    NUMBER = "numeric"
    COUNT = "bigint"


class Index(Enum):
    """How the matcher finds, among many operands for one field, those whose test a value fulfils.

    EACH: it does not, every operand is tried. SAME: there is only one operand.
    """

    EACH = "each"
    SAME = "same"
    EQUAL = "equal"
    PREFIX = "prefix"
    SUFFIX = "suffix"
    OVER = "over"
    FROM = "from"
    UNDER = "under"
    UP_TO = "up to"
    PAST_OVER = "past over"
    PAST_UNDER = "past under"
    AHEAD_OVER = "ahead over"
    AHEAD_UNDER = "ahead under"


@dataclass(frozen=True, slots=True)
class ValueTest:
    """A test of one value against all operands, true if any of them fits; its verdict never changes by itself.

    `python` makes the predicate; `sql` has `{value}` and `{operands}` (an array) for placeholders, `one` is the same
    with `{operand}` where there is only one; both may be NULL for NULL. `bound` makes of an operand what is bound in
    SQL. `decisive` picks the operand that decides about all, where one does.
    """

    form: Form
    read: Read
    python: Callable[[Sequence[Any]], Predicate]
    sql: str
    index: Index = Index.EACH
    one: str = ""
    bound: Callable[[Any], Any] | None = None
    decisive: Callable[[Sequence[Any]], Any] | None = None


@dataclass(frozen=True, slots=True)
class TimeTest:
    """A test whether a moment lies in the span that an operand means at a given time.

    The span serves Python and SQL alike. `holds` turns it round: from which instant (included) to which (excluded) the
    test holds for a moment; None for a test that time does not touch.
    """

    read: Read
    span: Callable[[Any, Clock], Span]
    holds: Callable[[Any, Moment, Clock], Period] | None = None
    index: Index = Index.EACH


@dataclass(frozen=True, slots=True)
class Recurring:
    """A test of the month of a date, which comes round every year; `sql` has `{value}` and `{month}`."""

    read: Read
    month: Callable[[Clock], int]
    turns: Callable[[Day, Clock], int]
    sql: str

    def is_in(self, day: Day, clock: Clock) -> bool:
        """Tell in Python what `sql` tells."""
        return month_of(day.ordinal) == self.month(clock)


@dataclass(frozen=True, slots=True)
class Presence:
    """A test whether there is any value (`wanted`), or none."""

    read: Read
    wanted: bool


@dataclass(frozen=True, slots=True)
class Narrowing:
    """Not a test: narrows which events or orders are counted; `bound` names the attribute of the window."""

    read: Read
    bound: str


Meaning = ValueTest | TimeTest | Recurring | Presence | Narrowing


@dataclass(frozen=True, slots=True)
class Operator:
    """One row: the name, its meaning for each kind of field it applies to, other spellings.

    `negated`: holds exactly where the meaning does not, missing values included.
    """

    name: str
    meanings: Mapping[Kind, Meaning] = field(compare=False, repr=False)
    aliases: tuple[str, ...] = ()
    negated: bool = False


def _among(wanted: Sequence[Any]) -> Predicate:
    return frozenset(wanted).__contains__


def _above(wanted: Sequence[Any]) -> Predicate:
    return partial(lt, min(wanted))


def _below(wanted: Sequence[Any]) -> Predicate:
    return partial(gt, max(wanted))


def _from(wanted: Sequence[Any]) -> Predicate:
    return partial(le, min(wanted))


def _up_to(wanted: Sequence[Any]) -> Predicate:
    return partial(ge, max(wanted))


def _pattern(before: str, after: str) -> Callable[[str], str]:
    """Return what makes a pattern for LIKE of a text."""
    return lambda part: before + re.sub(r"([\\%_])", r"\\\1", part) + after


# Text: compared code point by code point.
_EQUAL = ValueTest(
    Form.TEXT, operands.text, _among, "{value} = ANY ({operands})", Index.EQUAL, one="{value} = {operand}"
)
_LIKE = ValueTest(Form.TEXT, operands.text, _among, "{value} LIKE ANY ({operands})", one="{value} LIKE {operand}")
_CONTAINS = replace(
    _LIKE,
    python=lambda wanted: lambda value: any(part in value for part in wanted),
    bound=_pattern("%", "%"),
)
_STARTS = replace(
    _LIKE,
    python=lambda wanted: lambda value: value.startswith(tuple(wanted)),
    bound=_pattern("", "%"),
    index=Index.PREFIX,
)
_ENDS = replace(
    _LIKE,
    python=lambda wanted: lambda value: value.endswith(tuple(wanted)),
    bound=_pattern("%", ""),
    index=Index.SUFFIX,
)


def _compared(form: Form, python: Callable[[Sequence[Any]], Predicate], sign: str, index: Index) -> ValueTest:
    """Make a test that compares by `sign`; one operand decides about all, but for `=`."""
    read = operands.count if form is Form.COUNT else operands.number
    decisive = {">": min, ">=": min, "<": max, "<=": max}.get(sign)
    sql, one = f"{{value}} {sign} ANY ({{operands}})", f"{{value}} {sign} {{operand}}"
    return ValueTest(form, read, python, sql, index, one, decisive=decisive)


# Numbers: exact decimals.
_NUMBER_EQUAL = _compared(Form.NUMBER, _among, "=", Index.EQUAL)
_MORE = _compared(Form.NUMBER, _above, ">", Index.OVER)
_LESS = _compared(Form.NUMBER, _below, "<", Index.UNDER)
_MORE_EQUAL = _compared(Form.NUMBER, _from, ">=", Index.FROM)
_LESS_EQUAL = _compared(Form.NUMBER, _up_to, "<=", Index.UP_TO)

# Counts: elements of a list, events, orders.
_COUNT = _compared(Form.COUNT, _among, "=", Index.EQUAL)
_COUNT_MORE = _compared(Form.COUNT, _above, ">", Index.OVER)
_COUNT_LESS = _compared(Form.COUNT, _below, "<", Index.UNDER)

_ANY = Presence(operands.nothing, wanted=True)
_NONE = Presence(operands.nothing, wanted=False)


def _after(moment: Moment) -> Moment:
    """Return what follows: the next day, or the next millisecond."""
    return Day(moment.ordinal + 1) if isinstance(moment, Day) else moment + 1


def _day_of(moment: Moment, clock: Clock) -> int:
    return moment.ordinal if isinstance(moment, Day) else day_of(clock.zone, moment)


def _on_day(moment: Moment, days: int, clock: Clock) -> Period:
    day = _day_of(moment, clock) + days
    return start_of_day(clock.zone, day), start_of_day(clock.zone, day + 1)


def _month_before(_operand: Any, moment: Moment, clock: Clock) -> Period:
    day = _day_of(moment, clock)
    return start(month_start(day, -1), clock.zone), start(month_start(day, 0), clock.zone)


def _month_turn(day: Day, clock: Clock) -> int:
    """Return when the current month next starts or stops being the one before the month of `day`."""
    before = (month_of(day.ordinal) - 2) % 12 + 1
    ahead = (before - month_of(clock.today)) % 12 or 1
    return start(month_start(clock.today, ahead), clock.zone)


# Moments: a calendar day stands for its whole length in the project's zone.
_SAME = TimeTest(operands.moment, lambda moment, _clock: Span(moment, _after(moment)))
_BEFORE = TimeTest(operands.moment, lambda moment, _clock: Span(None, moment))
_AFTER = TimeTest(operands.moment, lambda moment, _clock: Span(_after(moment), None))
_MORE_THAN_AGO = TimeTest(
    operands.span,
    lambda span, clock: Span(None, clock.now - span),
    lambda span, moment, clock: (start(moment, clock.zone) + span + 1, None),
    Index.PAST_OVER,
)
_LESS_THAN_AGO = TimeTest(
    operands.span,
    lambda span, clock: Span(clock.now - span + 1, clock.now + 1),
    lambda span, moment, clock: (start(moment, clock.zone), start(moment, clock.zone) + span),
    Index.PAST_UNDER,
)
_MORE_THAN_FUTURE = TimeTest(
    operands.span,
    lambda span, clock: Span(clock.now + span + 1, None),
    lambda span, moment, clock: (None, start(moment, clock.zone) - span),
    Index.AHEAD_OVER,
)
_LESS_THAN_FUTURE = TimeTest(
    operands.span,
    lambda span, clock: Span(clock.now + 1, clock.now + span),
    lambda span, moment, clock: (start(moment, clock.zone) - span + 1, start(moment, clock.zone)),
    Index.AHEAD_UNDER,
)
_DAYS_AGO = TimeTest(
    operands.days,
    lambda days, clock: Span(Day(clock.today - days), Day(clock.today - days + 1)),
    lambda days, moment, clock: _on_day(moment, days, clock),
)
_DAYS_IN_FUTURE = TimeTest(
    operands.days,
    lambda days, clock: Span(Day(clock.today + days), Day(clock.today + days + 1)),
    lambda days, moment, clock: _on_day(moment, -days, clock),
)
_NEXT_MONTH = TimeTest(
    operands.nothing,
    lambda _operand, clock: Span(month_start(clock.today, 1), month_start(clock.today, 2)),
    _month_before,
    Index.SAME,
)
_BIRTHDAY_NEXT_MONTH = Recurring(
    operands.nothing,
    lambda clock: month_of(clock.today) % 12 + 1,
    _month_turn,
    "EXTRACT(MONTH FROM {value}) = {month}",
)


def _texts(test: ValueTest, *kinds: Kind) -> dict[Kind, Meaning]:
    """Apply a test of text to kinds of field; where nobody declared a type, numbers and booleans serve as operands."""
    loose = replace(test, read=operands.scalar)
    return {kind: loose if kind in (Kind.JSON, Kind.PRODUCTS) else test for kind in kinds}


def _all(meaning: Meaning, *kinds: Kind) -> dict[Kind, Meaning]:
    return dict.fromkeys(kinds, meaning)


_WORDS = (Kind.TEXT, Kind.JSON, Kind.PRODUCTS)
_MOMENTS = (Kind.INSTANT, Kind.DATE)
_ON_WORDS = {name: _texts(test, *_WORDS) for name, test in (("has", _CONTAINS), ("starts", _STARTS), ("ends", _ENDS))}
_IS = {**_texts(_EQUAL, *_WORDS, Kind.SEGMENTS), **_all(_NUMBER_EQUAL, Kind.NUMBER), **_all(_SAME, *_MOMENTS)}
_VALUED = tuple(kind for kind in Kind if kind is not Kind.SEGMENTS)
_AMOUNTS = (Kind.NUMBER, Kind.JSON)
_TIMED = (*_MOMENTS, Kind.JSON)
_COUNTED = (Kind.JSON, Kind.PRODUCTS, Kind.EVENTS, Kind.ORDERS)


def _narrowing(bound: str, read: Read) -> dict[Kind, Meaning]:
    return _all(Narrowing(read, bound), Kind.EVENTS, Kind.ORDERS)


OPERATORS: tuple[Operator, ...] = (
    Operator("$is", _IS),
    Operator("$is_not", _IS, negated=True),
    Operator("$in", _IS),
    Operator("$not_in", _IS, negated=True),
    Operator("$contains", _ON_WORDS["has"], ("$contain",)),
    Operator("$not_contain", _ON_WORDS["has"], ("$not_contains",), negated=True),
    Operator("$starts_with", _ON_WORDS["starts"]),
    Operator("$ends_with", _ON_WORDS["ends"]),
    Operator("$has_value", _all(_ANY, *_VALUED)),
    Operator("$is_unknown", _all(_NONE, *_VALUED)),
    Operator("$more_than", {**_all(_MORE, *_AMOUNTS), **_all(_MORE_THAN_AGO, *_MOMENTS)}),
    Operator("$less_than", {**_all(_LESS, *_AMOUNTS), **_all(_LESS_THAN_AGO, *_MOMENTS)}),
    Operator("$more_than_equal", _all(_MORE_EQUAL, *_AMOUNTS), ("$more_than_or_equal", "$greater_than_or_equal")),
    Operator("$less_than_equal", _all(_LESS_EQUAL, *_AMOUNTS), ("$less_than_or_equal",)),
    Operator("$before", {**_all(_BEFORE, *_TIMED), **_narrowing("before", operands.moment)}),
    Operator("$after", {**_all(_AFTER, *_TIMED), **_narrowing("after", operands.moment)}),
    Operator("$more_than_ago", _all(_MORE_THAN_AGO, *_TIMED)),
    Operator("$less_than_ago", {**_all(_LESS_THAN_AGO, *_TIMED), **_narrowing("last", operands.span)}),
    Operator("$is_days_ago", _all(_DAYS_AGO, *_TIMED)),
    Operator("$more_than_future", _all(_MORE_THAN_FUTURE, *_TIMED)),
    Operator("$less_than_future", _all(_LESS_THAN_FUTURE, *_TIMED)),
    Operator("$is_days_in_future", _all(_DAYS_IN_FUTURE, *_TIMED)),
    Operator("$next_month", {**_all(_NEXT_MONTH, Kind.INSTANT, Kind.JSON), Kind.DATE: _BIRTHDAY_NEXT_MONTH}),
    Operator("$count", _all(_COUNT, *_COUNTED)),
    Operator("$count_more", _all(_COUNT_MORE, *_COUNTED)),
    Operator("$count_less", _all(_COUNT_LESS, *_COUNTED)),
    # Of orders: the sum of their total amounts in minor units.
    Operator("$sum_more_than", _all(_MORE, Kind.ORDERS)),
    Operator("$sum_less_than", _all(_LESS, Kind.ORDERS)),
    Operator("$sum_more_than_equal", _all(_MORE_EQUAL, Kind.ORDERS), ("$sum_more_than_or_equal",)),
    Operator("$sum_less_than_equal", _all(_LESS_EQUAL, Kind.ORDERS), ("$sum_less_than_or_equal",)),
)
BY_NAME: Mapping[str, Operator] = {name: one for one in OPERATORS for name in (one.name, *one.aliases)}
