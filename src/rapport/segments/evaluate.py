"""The meaning of a filter in Python, for one customer: does it match, and until when does that hold by itself. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import accumulate
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from rapport.core.clock import MILLISECOND, iso
from rapport.customers.models import Customer
from rapport.segments.fields import Field, Kind
from rapport.segments.json_values import PRODUCT_TEXTS, moment_of, number_of, text_of
from rapport.segments.operators import (
    Form,
    Meaning,
    Narrowing,
    Operator,
    Predicate,
    Presence,
    Recurring,
    TimeTest,
    ValueTest,
)
from rapport.segments.times import Clock, from_ms, merge, within
from rapport.segments.tree import ORDERS, Check, Facts, Filter, Group, Leaf, Watch, Window

__all__ = ["ExplainedGroup", "ExplainedLeaf", "Facts", "Verdict", "evaluate", "explain", "matches"]

Values = Callable[[Customer], Iterable[Any]]


class Verdict(NamedTuple):
    """Whether a customer matches, and the first moment (ms) at which that may change while nothing is written."""

    matches: bool
    until: datetime | None


def evaluate(filter_: Filter, facts: Facts, now: datetime, zone: ZoneInfo) -> Verdict:
    """Tell whether the customer matches at `now`, and until when at least.

    `until` is later than `now`, or None for never. It may be early (another evaluation then gives the next),
    never late. `zone` is the project's: calendar days are its days.
    """
    clock = Clock(now, zone)
    watch = filter_.root.watch
    if watch is None:
        return Verdict(filter_.root.check(facts, clock), None)
    matched, until = watch(facts, clock)
    return Verdict(matched, None if until is None else from_ms(until))


def matches(filter_: Filter, facts: Facts, now: datetime, zone: ZoneInfo) -> bool:
    """Tell whether the customer matches at `now`; `zone` is the project's."""
    return filter_.root.check(facts, Clock(now, zone))


@dataclass(frozen=True, slots=True)
class ExplainedLeaf:
    """One condition with what it saw.

    `operands` and `scope` (what narrows the events or orders that count) as they were written. `values`: the value of
    the field, its elements where it is a list, nothing where it is missing; of events and orders their `count` (and
    `sum`) as one object; of segments those named that the customer is in. All are fit for JSON.
    """

    field: str
    operator: str
    operands: tuple[Any, ...]
    scope: Mapping[str, Any]
    negated: bool
    values: tuple[Any, ...]
    matches: bool


@dataclass(frozen=True, slots=True)
class ExplainedGroup:
    """A group with what came of its conditions and groups, in the order of the filter."""

    junction: str
    matches: bool
    children: tuple["ExplainedLeaf | ExplainedGroup", ...]


def explain(filter_: Filter, facts: Facts, now: datetime, zone: ZoneInfo) -> ExplainedGroup:
    """Tell of each part of a filter whether it holds at `now`, and what it saw."""
    return _explain_group(filter_.root, facts, Clock(now, zone))


def _explain_group(group: Group, facts: Facts, clock: Clock) -> ExplainedGroup:
    children = tuple(
        _explain_group(child, facts, clock) if isinstance(child, Group) else _explain_leaf(child, facts, clock)
        for child in group.children
    )
    return ExplainedGroup(group.junction, group.check(facts, clock), children)


def _explain_leaf(leaf: Leaf, facts: Facts, clock: Clock) -> ExplainedLeaf:
    return ExplainedLeaf(
        field=leaf.field.path,
        operator=leaf.operator.name,
        operands=leaf.written,
        scope=leaf.scope,
        negated=leaf.operator.negated,
        values=_seen(leaf, facts, clock),
        matches=leaf.check(facts, clock),
    )


def _seen(leaf: Leaf, facts: Facts, clock: Clock) -> tuple[Any, ...]:
    window, kind = leaf.window, leaf.field.kind
    if window is not None:
        unlimited = replace(window, limit=None)
        counted, _ = _in_window(facts.windows.get(window, ()), unlimited, _milliseconds(window.last), clock)
        amounts = {"sum": sum(amount for _, amount in counted)} if window.source == ORDERS else {}
        return ({"count": len(counted), **amounts},)
    if kind is Kind.SEGMENTS:
        return tuple(sorted(facts.segments & set(map(str, leaf.operands))))
    value = leaf.field.read(facts.customer)
    if kind in (Kind.JSON, Kind.PRODUCTS):
        return tuple(value)
    if value is None:
        return ()
    if kind is Kind.DATE:
        return (date.fromordinal(value.ordinal).isoformat(),)
    moment = from_ms(value) if kind is Kind.INSTANT else None
    return (value if moment is None else iso(moment),)


def build_leaf(
    field: Field,
    operator: Operator,
    operands: tuple[Any, ...],
    window: Window | None,
    written: tuple[Any, ...],
    scope: Mapping[str, Any],
) -> Leaf:
    """Make a leaf, its meaning resolved once and for all; `written` and `scope` as the leaf's own."""
    check, watch = _leaf(field, operator.meanings[field.kind], operands, window)
    if operator.negated:
        check, watch = _not(check), watch and _not_watch(watch)
    return Leaf(field, operator, operands, window, check, watch, written, scope)


def build_group(junction: str, children: tuple[Leaf | Group, ...]) -> Group:
    """Make a group; what time does not touch is looked at first."""
    ordered = sorted(children, key=lambda child: (child.watch is not None, isinstance(child, Group)))
    checks = [child.check for child in ordered]
    decisive = junction == "or"
    watch = _watch_group(decisive, ordered) if any(child.watch for child in ordered) else None
    return Group(junction, children, _any(checks) if decisive else _all(checks), watch)


def _any(checks: Sequence[Check]) -> Check:
    if len(checks) == 1:
        return checks[0]
    return lambda facts, clock: any(check(facts, clock) for check in checks)


def _all(checks: Sequence[Check]) -> Check:
    if len(checks) == 1:
        return checks[0]
    if len(checks) == 2:  # as most have; a third of the time of the loop
        one, other = checks
        return lambda facts, clock: one(facts, clock) and other(facts, clock)
    return lambda facts, clock: all(check(facts, clock) for check in checks)


def _watch_group(decisive: bool, ordered: Sequence[Leaf | Group]) -> Watch:
    """Watch a group in which a child that is `decisive` decides: False in an `and`, True in an `or`."""
    static = [child.check for child in ordered if child.watch is None]
    timed = [child.watch for child in ordered if child.watch is not None]

    def watch(facts: Facts, clock: Clock) -> tuple[bool, int | None]:
        if any(check(facts, clock) is decisive for check in static):
            return decisive, None
        deciding: list[int] = []
        others: list[int] = []
        for child in timed:
            verdict, until = child(facts, clock)
            if until is None:
                if verdict is decisive:
                    return decisive, None
            else:
                (deciding if verdict is decisive else others).append(until)
        # As long as one deciding child stays as it is, so does the group: every one of them has to turn first.
        if deciding:
            return decisive, max(deciding)
        return not decisive, min(others, default=None)

    return watch


def _not(check: Check) -> Check:
    return lambda facts, clock: not check(facts, clock)


def _not_watch(watch: Watch) -> Watch:
    def turned(facts: Facts, clock: Clock) -> tuple[bool, int | None]:
        verdict, until = watch(facts, clock)
        return not verdict, until

    return turned


def _leaf(
    field: Field, meaning: Meaning, operands: tuple[Any, ...], window: Window | None
) -> tuple[Check, Watch | None]:
    match meaning:
        case Presence() | ValueTest() if window is not None:
            watch = _window(meaning, operands, window)
            return lambda facts, clock: watch(facts, clock)[0], watch
        case Presence():
            return _presence(field, meaning), None
        case ValueTest():
            return _test(field, meaning, operands), None
        case TimeTest():
            return _time(field, meaning, operands)
        case Recurring():
            return _recurring(field, meaning)
        case Narrowing():
            raise TypeError(field.path)


def _presence(field: Field, meaning: Presence) -> Check:
    read, wanted = field.read, meaning.wanted
    if field.kind in (Kind.JSON, Kind.PRODUCTS):
        return lambda facts, _clock: bool(read(facts.customer)) is wanted
    return lambda facts, _clock: (read(facts.customer) is not None) is wanted


def _test(field: Field, meaning: ValueTest, operands: tuple[Any, ...]) -> Check:
    fits = meaning.python(operands)
    if field.kind is Kind.SEGMENTS:
        return lambda facts, _clock: any(map(fits, facts.segments))
    if meaning.form is Form.COUNT:
        read = field.read
        return lambda facts, _clock: fits(len(read(facts.customer)))
    values = values_as(field, {Form.TEXT: text_of, Form.NUMBER: number_of}[meaning.form])
    return lambda facts, _clock: any(map(fits, values(facts.customer)))


def values_as(field: Field, as_form: Callable[[Any], Any]) -> Values:
    """Return a reader of the values of a field in one form; those that cannot take it are left out."""
    read = field.read
    if field.kind is Kind.JSON:
        return lambda customer: [form for value in read(customer) if (form := as_form(value)) is not None]
    if field.kind is Kind.PRODUCTS:
        return lambda customer: [
            form
            for product in read(customer)
            if isinstance(product, dict)
            for key in PRODUCT_TEXTS
            if (form := as_form(product.get(key))) is not None
        ]
    return lambda customer: () if (value := read(customer)) is None else (value,)


def _time(field: Field, meaning: TimeTest, operands: tuple[Any, ...]) -> tuple[Check, Watch | None]:
    values = values_as(field, moment_of)
    span, holds = meaning.span, meaning.holds

    def check(facts: Facts, clock: Clock) -> bool:
        return any(
            within(value, span(operand, clock), clock.zone) for value in values(facts.customer) for operand in operands
        )

    if holds is None:
        return check, None

    def watch(facts: Facts, clock: Clock) -> tuple[bool, int | None]:
        periods = merge(holds(one, value, clock) for value in values(facts.customer) for one in operands)
        turning = (at for period in periods for at in period if at is not None and at > clock.now)
        return check(facts, clock), min(turning, default=None)

    return check, watch


def _recurring(field: Field, meaning: Recurring) -> tuple[Check, Watch]:
    values = values_as(field, moment_of)

    def check(facts: Facts, clock: Clock) -> bool:
        return any(meaning.is_in(value, clock) for value in values(facts.customer))

    def watch(facts: Facts, clock: Clock) -> tuple[bool, int | None]:
        turning = (meaning.turns(value, clock) for value in values(facts.customer))
        return check(facts, clock), min(turning, default=None)

    return check, watch


def _window(meaning: Presence | ValueTest, operands: tuple[Any, ...], window: Window) -> Watch:
    """Watch what is counted, or summed, in a window."""
    fits: Predicate = (
        meaning.python(operands) if isinstance(meaning, ValueTest) else lambda number: (number > 0) is meaning.wanted
    )
    sums = isinstance(meaning, ValueTest) and meaning.form is Form.NUMBER
    last = _milliseconds(window.last)

    def watch(facts: Facts, clock: Clock) -> tuple[bool, int | None]:
        found = facts.windows.get(window)
        if not found:
            return fits(0), None
        counted, later = _in_window(found, window, last, clock)
        # What the newest 0, 1, 2, … come to: the oldest leave the window first.
        totals = list(accumulate((amount for _, amount in counted), initial=0)) if sums else range(len(counted) + 1)
        verdict = fits(totals[-1])
        turning = [later] if later is not None else []
        if last is not None:
            turning += [
                counted[left][0] + last
                for left in range(len(counted))
                if fits(totals[left]) != verdict and (left == 0 or counted[left - 1][0] > counted[left][0])
            ][-1:]
        return verdict, min(turning, default=None)

    return watch


def _milliseconds(span: timedelta | None) -> int | None:
    return None if span is None else span // MILLISECOND


def _in_window(
    found: Sequence[tuple[int, int]], window: Window, last: int | None, clock: Clock
) -> tuple[Sequence[tuple[int, int]], int | None]:
    """Return what counts, newest first, and when the first of what is still to come will."""
    lower, upper = window.fixed(clock.zone)
    if last is not None:
        lower = max(lower, clock.now - last + 1)
    counted = [one for one in found if lower <= one[0] < upper]
    later = [at for at, _ in counted if at > clock.now]
    return counted[len(later) :][: window.limit], later[-1] if later else None
