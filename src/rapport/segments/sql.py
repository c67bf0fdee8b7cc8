"""The meaning of a filter in SQL, for all customers at once: a condition on the row `c` of customers."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from rapport.segments import json_sql
from rapport.segments.fields import Field, Json, Kind
from rapport.segments.json_values import instant_of_sql, is_day_sql
from rapport.segments.operators import Form, Meaning, Narrowing, Presence, Recurring, TimeTest, ValueTest
from rapport.segments.times import (
    DAY_MS,
    EARLIEST_MS,
    EPOCH_DAY,
    LAST_DAY,
    LATEST_MS,
    Clock,
    Day,
    Period,
    Span,
    first_day_from,
    from_ms,
    merge,
    start,
)
from rapport.segments.tree import EVENTS, ORDERS, Filter, Group, Leaf, Where, Window

MAX_BIGINT = 2**63
_PLACEHOLDER = re.compile(r"\$([0-9]+)(?=::)")
# Up to so many ranges of time are written out.
MAX_RANGES = 4


@dataclass(frozen=True, slots=True)
class Collection:
    """What windows look through: its rows `r` as `table WHERE …` with `{name}`, and the amount of each."""

    rows: str
    amount: str


COLLECTIONS = {
    EVENTS: Collection("events AS r WHERE r.name = {name}", "0"),
    ORDERS: Collection("orders AS r WHERE r.status IN ('PAID', 'FULFILLED')", "r.total_amount"),
}


@dataclass(frozen=True, slots=True)
class Condition:
    """A boolean expression, TRUE for what fits and else FALSE or NULL, and the values of its placeholders in order.

    As it is it belongs into WHERE; elsewhere it is to be `(…) IS TRUE`.
    """

    text: str
    parameters: list[Any]


def compile_filter(
    filter_: Filter, *, now: datetime, zone_name: str, project_id: int, first_parameter: int, whole: bool = False
) -> Condition:
    """Write the filter as SQL over customers `c`, as of `now`; placeholders start at `$first_parameter`.

    For any row and any filter the expression raises no error: every cast is guarded by the shape of its text. It may
    be NULL where it does not hold. `whole` writes it for a look at all customers at once: events and orders are then
    counted in one pass instead of customer by customer. The meaning is the same.
    """
    writer = _Writer(Clock(now, ZoneInfo(zone_name)), now, project_id, first_parameter, whole=whole)
    return _used(writer.node(filter_.root), writer.parameters, first_parameter)


def _used(text: str, parameters: list[Any], first: int) -> Condition:
    """Leave out what was bound and not written after all: PostgreSQL refuses a parameter that it does not see."""
    found = sorted({int(number) for number in _PLACEHOLDER.findall(text)})
    if len(found) == len(parameters):
        return Condition(text, parameters)
    places = {number: first + place for place, number in enumerate(found)}
    written = _PLACEHOLDER.sub(lambda one: f"${places[int(one[1])]}", text)
    return Condition(written, [parameters[number - first] for number in found])


def compile_where(where: Where, zone: ZoneInfo, *, first_parameter: int) -> Condition:
    """Write conditions on one event or order as SQL over its row `r`; as `compile_filter`."""
    now = datetime.fromtimestamp(0, zone)
    writer = _Writer(Clock(now, zone), now, 0, first_parameter)
    return _used(writer.node(where.root), writer.parameters, first_parameter)


def compile_rows(root: Group, *, now: datetime, zone_name: str, first_parameter: int) -> Condition:
    """Write what `filters.parse_rows` read as SQL over the row `r`, as of `now`; as `compile_filter`."""
    writer = _Writer(Clock(now, ZoneInfo(zone_name)), now, 0, first_parameter)
    return _used(writer.node(root), writer.parameters, first_parameter)


class _Writer:
    """Writes one condition and collects what it binds."""

    def __init__(
        self, clock: Clock, now: datetime, project_id: int, first_parameter: int, *, whole: bool = False
    ) -> None:
        self.parameters: list[Any] = []
        self._clock = clock
        self._now = now
        self._project_id = project_id
        self._first = first_parameter
        self._whole = whole
        self._project: str | None = None

    def bind(self, value: object, kind: str) -> str:
        """Return a placeholder for `value`."""
        self.parameters.append(value)
        return f"${self._first + len(self.parameters) - 1}::{kind}"

    @property
    def project(self) -> str:
        """The placeholder of the project, one for all its uses."""
        if self._project is None:
            self._project = self.bind(self._project_id, "integer")
        return self._project

    def node(self, node: Leaf | Group) -> str:
        """Write a group or a leaf."""
        if isinstance(node, Group):
            return "(" + f" {node.junction.upper()} ".join(self.node(child) for child in node.children) + ")"
        text = self._leaf(node, node.operator.meanings[node.field.kind])
        return f"({text} IS NOT TRUE)" if node.operator.negated else text

    def _leaf(self, leaf: Leaf, meaning: Meaning) -> str:
        match meaning:
            case Presence() | ValueTest() if leaf.window is not None:
                return self._window(leaf.window, meaning, leaf.operands)
            case Presence():
                return self._presence(leaf.field, meaning)
            case ValueTest():
                return self._test(leaf.field, meaning, leaf.operands)
            case TimeTest():
                return self._time(leaf, meaning)
            case Recurring():
                return self._recurring(leaf, meaning)
            case Narrowing():
                raise TypeError(leaf.field.path)

    def _presence(self, field: Field, meaning: Presence) -> str:
        if field.json is None:
            return f"({field.sql(self.bind)} IS {'NOT ' if meaning.wanted else ''}NULL)"
        if field.kind is Kind.PRODUCTS:
            return f"(jsonb_array_length({field.json.column}) {'>' if meaning.wanted else '='} 0)"
        if field.kind is Kind.NUMBER:
            return str(meaning.wanted).upper()
        found = json_sql.presence(field.json, self.bind)
        return found if meaning.wanted else f"({found} IS NOT TRUE)"

    def _test(self, field: Field, meaning: ValueTest, operands: Sequence[Any]) -> str:
        if field.kind is Kind.SEGMENTS:
            return (
                f"EXISTS (SELECT FROM segment_members m WHERE m.project_id = {self.project} AND m.customer_id = c.id "
                f"AND m.entered_at IS NOT NULL AND {self._filler(meaning, operands)('m.segment_id')})"
            )
        if field.kind is Kind.NUMBER and field.json is not None:
            none_fits = meaning.python(operands)(0)
            deciding = operands if meaning.decisive is None else [meaning.decisive(operands)]
            return json_sql.counted(field.json, self.bind, meaning.index, deciding, none_fits=none_fits)
        if field.json is None:
            return self._plain(field, meaning, operands)
        return self._json(field.json, field.kind, meaning, operands)

    def _json(self, source: Json, kind: Kind, meaning: ValueTest, operands: Sequence[Any]) -> str:
        fill = self._filler(meaning, operands)
        if meaning.form is Form.COUNT:
            by_length = kind is Kind.PRODUCTS
            return fill(f"jsonb_array_length({source.column})" if by_length else json_sql.count(source, self.bind))
        if kind is Kind.PRODUCTS:
            return json_sql.products(source.column, self.bind, meaning.index, operands, fill)
        if meaning.form is Form.NUMBER:
            return json_sql.numbers(source, self.bind, fill)
        return json_sql.texts(source, self.bind, meaning.index, operands, fill)

    def _plain(self, field: Field, meaning: ValueTest, operands: Sequence[Any]) -> str:
        value = field.sql(self.bind)
        if not field.integral:
            return self._filler(meaning, operands)(value)
        if all(one == int(one) and abs(one) < MAX_BIGINT for one in operands):
            return self._filler(meaning, [int(one) for one in operands], "bigint")(value)
        return self._filler(meaning, operands)(f"{value}::numeric")

    def _filler(self, meaning: ValueTest, operands: Sequence[Any], kind: str | None = None) -> Callable[[str], str]:
        """Return what writes the test of a value; the operands are bound with the first."""
        kind = kind or meaning.form.value
        if meaning.decisive is not None:
            operands = [meaning.decisive(operands)]
        if meaning.bound is not None:
            operands = [meaning.bound(operand) for operand in operands]
        placeholder = ""

        def fill(value: str) -> str:
            nonlocal placeholder
            single = len(operands) == 1
            if not placeholder:
                placeholder = self.bind(operands[0], kind) if single else self.bind(list(operands), f"{kind}[]")
            text = meaning.one if single else meaning.sql
            return f"({text.format(value=value, operand=placeholder, operands=placeholder)})"

        return fill

    def _window(self, window: Window, meaning: Presence | ValueTest, operands: Sequence[Any]) -> str:
        own = "r.customer_id = c.id"
        if isinstance(meaning, Presence):
            return f"{'' if meaning.wanted else 'NOT '}EXISTS (SELECT {self._rows(window)} AND {own})"
        sums = meaning.form is Form.NUMBER
        amount = COLLECTIONS[window.source].amount
        fill = self._filler(meaning, operands)
        if self._whole:
            # Those who have none are in no group: they are found by not being among those who fail.
            none_fits = meaning.python(operands)(0)
            test = fill(f"sum({amount})" if sums else "count(*)")
            return (
                f"{'NOT ' if none_fits else ''}EXISTS (SELECT FROM (SELECT r.customer_id {self._rows(window)} "
                f"GROUP BY r.customer_id HAVING {'NOT ' if none_fits else ''}{test}) AS w WHERE w.customer_id = c.id)"
            )
        if sums:
            return fill(f"COALESCE((SELECT sum({amount}) {self._rows(window)} AND {own}), 0)")
        limit = self.bind(window.limit, "bigint")
        return fill(f"(SELECT count(*) FROM (SELECT {self._rows(window)} AND {own} LIMIT {limit}) AS w)")

    def _rows(self, window: Window) -> str:
        """Write the rows in a window, of all customers.

        Those of one customer are read by the key of events or orders_counted_of_customer, all of them by
        events_by_created_at or orders_counted_by_created_at.
        """
        since, until = window.bounds(self._now, self._clock.zone)
        name = self.bind(window.name, "text") if window.source == EVENTS else ""
        rows = (
            f"FROM {COLLECTIONS[window.source].rows.format(name=name)} AND r.project_id = {self.project} "
            f"AND r.created_at >= {self.bind(since, 'timestamptz')} "
            f"AND r.created_at < {self.bind(until, 'timestamptz')}"
        )
        return rows if window.where is None else f"{rows} AND {self.node(window.where.root)}"

    def _time(self, leaf: Leaf, meaning: TimeTest) -> str:
        spans = [meaning.span(operand, self._clock) for operand in leaf.operands]
        if leaf.field.json is None:
            write = self._in_instants if leaf.field.kind is Kind.INSTANT else partial(self._in_days, kind="date")
            return write(leaf.field.sql(self.bind), spans)
        return json_sql.moments(leaf.field.json, self.bind, lambda text: self._moment_in(text, spans))

    def _moment_in(self, text: str, spans: Sequence[Span]) -> str:
        # The expressions for what is a date at all are slow: whatever cannot be in the spans is put aside before.
        instants = self._in_instants(instant_of_sql(text), spans)
        return (
            f"CASE WHEN {text} LIKE '____-__-__' THEN {self._in_days(text, spans, kind='text')} AND {is_day_sql(text)} "
            f"ELSE {self._near(text, spans)}{instants} END"
        )

    def _near(self, text: str, spans: Sequence[Span]) -> str:
        """Write that a date-time, as it is written, is within a day or so of the spans, whatever its offset."""
        zone = self._clock.zone
        starts = [None if span.start is None else start(span.start, zone) for span in spans]
        ends = [None if span.end is None else start(span.end, zone) for span in spans]
        tests = []
        for sign, bounds, choose, days in ((">=", starts, min, -2), ("<", ends, max, 3)):
            known = [bound for bound in bounds if bound is not None]
            day = choose(known) // DAY_MS + EPOCH_DAY + days if len(known) == len(bounds) else None
            if day is not None and 1 <= day <= LAST_DAY:
                tests.append(f'{text} COLLATE "C" {sign} {self.bind(_written_day(day), "text")} AND ')
        return "".join(tests)

    def _recurring(self, leaf: Leaf, meaning: Recurring) -> str:
        month = self.bind(meaning.month(self._clock), "integer")
        return f"({meaning.sql.format(value=leaf.field.sql(self.bind), month=month)})"

    def _in_instants(self, value: str, spans: Sequence[Span]) -> str:
        zone = self._clock.zone
        ranges = merge(
            [
                (
                    None if span.start is None else start(span.start, zone),
                    None if span.end is None else start(span.end, zone),
                )
                for span in spans
            ]
        )
        return self._in_ranges(value, _clipped(ranges, EARLIEST_MS, LATEST_MS), from_ms, "timestamptz")

    def _in_days(self, value: str, spans: Sequence[Span], *, kind: str) -> str:
        def day(bound: Day | int | None) -> int | None:
            if isinstance(bound, int):
                return first_day_from(self._clock.zone, bound)
            return None if bound is None else bound.ordinal

        ranges = merge([(day(span.start), day(span.end)) for span in spans])
        # Dates that are text compare as text: their digits stand in order.
        write = date.fromordinal if kind == "date" else _written_day
        collated = f'{value} COLLATE "C"' if kind == "text" else value
        return self._in_ranges(collated, _clipped(ranges, 1, LAST_DAY), write, kind)

    def _in_ranges(self, value: str, ranges: Sequence[Period], write: Any, kind: str) -> str:
        """Write the test that a value lies in one of several half-open ranges; None is unbounded."""
        if not ranges:
            # Not just FALSE: the placeholders in `value` have to appear.
            return f"(({value}) IS NULL AND FALSE)"
        if len(ranges) > MAX_RANGES:
            least, most = ([None if one is None else write(one) for one in side] for side in zip(*ranges, strict=True))
            bounds = f"unnest({self.bind(least, f'{kind}[]')}, {self.bind(most, f'{kind}[]')}) AS b(least, most)"
            return (
                f"EXISTS (SELECT FROM {bounds} WHERE (b.least IS NULL OR {value} >= b.least) "
                f"AND (b.most IS NULL OR {value} < b.most))"
            )
        tests = []
        for lo, hi in ranges:
            sides = [(">=", lo)] if lo is not None else []
            sides += [("<", hi)] if hi is not None else []
            held = " AND ".join(f"{value} {sign} {self.bind(write(one), kind)}" for sign, one in sides)
            tests.append(f"({held})" if held else f"({value} IS NOT NULL)")
        return f"({' OR '.join(tests)})" if len(tests) > 1 else tests[0]


def _written_day(ordinal: int) -> str:
    return date.fromordinal(ordinal).isoformat()


def _clipped(ranges: Sequence[Period], least: int, most: int) -> list[Period]:
    """Leave out what no value from `least` to `most` can be in; bounds beyond them become unbounded."""
    return [
        (None if lo is None or lo <= least else lo, None if hi is None or hi > most else hi)
        for lo, hi in ranges
        if not (lo is not None and lo > most) and not (hi is not None and hi <= least)
    ]
