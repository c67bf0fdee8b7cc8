"""The meaning of a filter in Python, for one customer: does it match, and until when does that hold by itself. Pure."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

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
from rapport.segments.times import Clock, from_ms, merge, to_ms, within
from rapport.segments.tree import Check, Facts, Filter, Group, Leaf, Watch, Window

__all__ = ["Facts", "Verdict", "evaluate", "matches"]

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


def build_leaf(field: Field, operator: Operator, operands: tuple[Any, ...], window: Window | None) -> Leaf:
    """Make a leaf, its meaning resolved once and for all."""
    check, watch = _leaf(field, operator.meanings[field.kind], operands, window)
    if operator.negated:
        check, watch = _not(check), watch and _not_watch(watch)
    return Leaf(field, operator, operands, window, check, watch)


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
            return _events(window, _number_of_events(meaning, operands))
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
    values = _values(field, {Form.TEXT: text_of, Form.NUMBER: number_of}[meaning.form])
    return lambda facts, _clock: any(map(fits, values(facts.customer)))


def _values(field: Field, as_form: Callable[[Any], Any]) -> Values:
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
    values = _values(field, moment_of)
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
    values = _values(field, moment_of)

    def check(facts: Facts, clock: Clock) -> bool:
        return any(meaning.is_in(value, clock) for value in values(facts.customer))

    def watch(facts: Facts, clock: Clock) -> tuple[bool, int | None]:
        turning = (meaning.turns(value, clock) for value in values(facts.customer))
        return check(facts, clock), min(turning, default=None)

    return check, watch


def _number_of_events(meaning: Presence | ValueTest, operands: tuple[Any, ...]) -> Predicate:
    if isinstance(meaning, ValueTest):
        return meaning.python(operands)
    return lambda number: (number > 0) is meaning.wanted


def _events(window: Window, fits: Predicate) -> tuple[Check, Watch]:
    last = None if window.last is None else window.last // timedelta(milliseconds=1)

    def counted(facts: Facts, clock: Clock) -> tuple[list[int], list[int]]:
        """Return the events that count, newest first, and those that will when their time comes."""
        lower, upper = window.fixed(clock.zone)
        inside = [at for at in map(to_ms, facts.windows.get(window, ())) if lower <= at < upper]
        if last is not None:
            inside = [at for at in inside if at > clock.now - last]
        return [at for at in inside if at <= clock.now][: window.limit], [at for at in inside if at > clock.now]

    def check(facts: Facts, clock: Clock) -> bool:
        return fits(len(counted(facts, clock)[0]))

    def watch(facts: Facts, clock: Clock) -> tuple[bool, int | None]:
        times, later = counted(facts, clock)
        verdict = fits(len(times))
        turning = [min(later)] if later else []
        if last is not None:
            # The oldest leave the window first: find those whose leaving turns the verdict.
            turning += [
                times[left] + last
                for left in range(len(times))
                if fits(left) != verdict and (left == 0 or times[left - 1] > times[left])
            ][-1:]
        return verdict, min(turning, default=None)

    return check, watch
