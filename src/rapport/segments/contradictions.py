"""Conditions on one field that exclude each other, whatever a customer is like: a mistake worth telling of. Pure.

Only what can never hold is found, and not all of that: where a list may be the value, one element may fulfil one
condition and another the other.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from rapport.segments.fields import Kind
from rapport.segments.operands import MAX_COUNT
from rapport.segments.operators import Form, Index, Meaning, Presence, Recurring, TimeTest, ValueTest
from rapport.segments.times import DAY_MS, Clock, Day, Moment, Period, Span, merge, start
from rapport.segments.tree import Window

_COUNTS = (Kind.EVENTS, Kind.ORDERS)
# Of the spans that move with the time only their distances matter.
_CLOCK = Clock(datetime(2026, 1, 1, 12, tzinfo=UTC), ZoneInfo("UTC"))


class Test(NamedTuple):
    """One operator with its operands."""

    meaning: Meaning
    operands: Sequence[Any]
    negated: bool


def exclude_each_other(kind: Kind, tests: Sequence[Test]) -> bool:
    """Tell whether several conditions on one field of this kind can never all hold."""
    if len(tests) < 2:
        return False
    if kind in _COUNTS:
        return not _has_number(tests)
    unknown, known = _asks(tests, wanted=False), any(not one.negated and _needs_value(one.meaning) for one in tests)
    counts = [one for one in tests if _form(one) is Form.COUNT]
    if (unknown and known) or not _has_count(counts, unknown=unknown, known=known):
        return True
    if kind in (Kind.INSTANT, Kind.DATE):
        return _has_no_moment(tests)
    return _has_no_scalar(tests) if kind in (Kind.TEXT, Kind.NUMBER) else _is_ruled_out(tests)


def is_empty(window: Window) -> bool:
    """Tell whether nothing can ever be in a window: `after` leaves nothing before `before`."""
    if window.after is None or window.before is None:
        return False
    after = Day(window.after.ordinal + 1) if isinstance(window.after, Day) else window.after + 1
    return not _meeting([[Span(after, None)], [Span(None, window.before)]])


def _form(one: Test) -> Form | None:
    return one.meaning.form if isinstance(one.meaning, ValueTest) else None


def _needs_value(meaning: Meaning) -> bool:
    if isinstance(meaning, ValueTest):
        return meaning.form is not Form.COUNT
    return isinstance(meaning, TimeTest | Recurring) or (isinstance(meaning, Presence) and meaning.wanted)


def _asks(tests: Sequence[Test], *, wanted: bool) -> bool:
    return any(isinstance(one.meaning, Presence) and one.meaning.wanted is wanted for one in tests)


def _fitting(tests: Iterable[Test]) -> Callable[[Any], bool]:
    """Return what tells whether tests of one form all hold for a value."""
    predicates = [(_predicate(one), one.negated) for one in tests]
    return lambda value: all(fits(value) is not negated for fits, negated in predicates)


def _predicate(one: Test) -> Callable[[Any], bool]:
    if not isinstance(one.meaning, ValueTest):
        raise TypeError(one)
    return one.meaning.python(one.operands)


def _has_count(tests: Sequence[Test], *, unknown: bool, known: bool) -> bool:
    """Tell whether there is a number of elements that all counting tests allow."""
    least, most = (1 if known else 0), (0 if unknown else MAX_COUNT + 1)
    return any(map(_fitting(tests), range(least, most + 1)))


def _has_number(tests: Sequence[Test]) -> bool:
    """Tell whether there is a number of events or orders, and a sum, that all tests allow; of none the sum is 0."""
    counts = [one for one in tests if _form(one) is Form.COUNT]
    sums = [one for one in tests if _form(one) is Form.NUMBER]
    if not _asks(tests, wanted=True) and _fitting(counts)(0) and _fitting(sums)(0):
        return True
    some = not _asks(tests, wanted=False) and _has_count(counts, unknown=False, known=True)
    return some and _has_interval(sums)


def _has_interval(tests: Sequence[Test]) -> bool:
    """Tell whether there is a number that all comparisons allow."""
    least: tuple[Decimal, bool] | None = None
    most: tuple[Decimal, bool] | None = None
    for one in tests:
        meaning = one.meaning
        if not isinstance(meaning, ValueTest) or meaning.decisive is None:
            continue
        bound, included = meaning.decisive(one.operands), meaning.index in (Index.FROM, Index.UP_TO)
        if meaning.index in (Index.OVER, Index.FROM):
            # Of equal bounds the one that is not included is the stricter.
            least = max((bound, not included), least or (bound, not included))
        else:
            most = min((bound, included), most or (bound, included))
    if least is None or most is None:
        return True
    return least[0] < most[0] or (least[0] == most[0] and not least[1] and most[1])


def _has_no_scalar(tests: Sequence[Test]) -> bool:
    """Tell whether no single text or number fulfils all tests of a value."""
    of_value = [one for one in tests if isinstance(one.meaning, ValueTest)]
    for one in of_value:
        if isinstance(one.meaning, ValueTest) and one.meaning.index is Index.EQUAL and not one.negated:
            return not any(map(_fitting(of_value), one.operands))
    return _is_ruled_out(tests) or not _has_interval([one for one in of_value if not one.negated])


def _is_ruled_out(tests: Sequence[Test]) -> bool:
    """Tell whether one test of text asks for just what the negated ones forbid; also for lists."""
    texts = [one for one in tests if _form(one) is Form.TEXT]
    forbidden = [(_predicate(one), _is_containing(one.meaning)) for one in texts if one.negated]
    for one in texts:
        # What equals an operand is forbidden with it; what only contains it, where containing it is.
        whole = isinstance(one.meaning, ValueTest) and one.meaning.index is Index.EQUAL
        ruling = [forbids for forbids, containing in forbidden if whole or containing]
        if not one.negated and all(any(forbids(part) for forbids in ruling) for part in one.operands):
            return True
    return False


def _is_containing(meaning: Meaning) -> bool:
    return isinstance(meaning, ValueTest) and meaning.index is Index.EACH


def _has_no_moment(tests: Sequence[Test]) -> bool:
    """Tell whether no moment fulfils all tests that stay, or all that move with the time."""
    fixed: list[list[Span]] = []
    moving: list[list[Span]] = []
    for one in tests:
        if one.negated or not isinstance(one.meaning, TimeTest) or one.meaning.index is Index.SAME:
            continue
        (fixed if one.meaning.holds is None else moving).append(
            [one.meaning.span(operand, _CLOCK) for operand in one.operands]
        )
    return not _meeting(fixed) or not _meeting(moving)


def _meeting(tests: Sequence[Sequence[Span]]) -> bool:
    """Tell whether some moment may be in a span of each test, whatever the time zone."""
    bounds = [bound for spans in tests for span in spans for bound in span if bound is not None]
    # Against an instant, a day may begin anywhere within a day and a half.
    slack = 2 * DAY_MS if len({type(bound) is Day for bound in bounds}) > 1 else 0
    found: list[Period] = [(None, None)]
    for spans in tests:
        found = _common(found, merge([(_at(span.start, -slack), _at(span.end, slack)) for span in spans]))
    return bool(found)


def _at(bound: Moment | None, slack: int) -> int | None:
    if bound is None:
        return None
    return start(bound, _CLOCK.zone) + (slack if isinstance(bound, Day) else 0)


def _common(one: Sequence[Period], other: Sequence[Period]) -> list[Period]:
    return merge(
        [
            (
                max((bound for bound in (first[0], second[0]) if bound is not None), default=None),
                min((bound for bound in (first[1], second[1]) if bound is not None), default=None),
            )
            for first in one
            for second in other
        ]
    )
