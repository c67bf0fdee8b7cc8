"""The meaning of a filter in SQL, for all customers at once: a condition on the row `c` of customers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from rapport.segments.fields import Kind
from rapport.segments.json_values import PRODUCT_TEXTS, instant_of_sql, is_day_sql, number_of_sql, text_of_sql
from rapport.segments.operators import Form, Meaning, Narrowing, Presence, Recurring, TimeTest, ValueTest
from rapport.segments.times import (
    EARLIEST_MS,
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
from rapport.segments.tree import Filter, Group, Leaf, Window

_PRODUCT_TEXTS = ", ".join(f"(p.v -> '{key}')" for key in PRODUCT_TEXTS)


@dataclass(frozen=True, slots=True)
class Condition:
    """A boolean expression that is never NULL, and the values of its placeholders in order."""

    text: str
    parameters: list[Any]


def compile_filter(
    filter_: Filter, *, now: datetime, zone_name: str, project_id: int, first_parameter: int
) -> Condition:
    """Write the filter as SQL over customers `c`, as of `now`; placeholders start at `$first_parameter`.

    For any row and any filter the expression raises no error: every cast is guarded by the shape of its text.
    """
    writer = _Writer(Clock(now, ZoneInfo(zone_name)), now, project_id, first_parameter)
    return Condition(writer.node(filter_.root), writer.parameters)


class _Writer:
    """Writes one condition and collects what it binds."""

    def __init__(self, clock: Clock, now: datetime, project_id: int, first_parameter: int) -> None:
        self.parameters: list[Any] = []
        self._clock = clock
        self._now = now
        self._project_id = project_id
        self._first = first_parameter
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
        return f"NOT {text}" if node.operator.negated else text

    def _leaf(self, leaf: Leaf, meaning: Meaning) -> str:
        match meaning:
            case Presence() | ValueTest() if leaf.window is not None:
                return self._events(leaf.window, meaning, leaf.operands)
            case Presence():
                return self._presence(leaf, meaning)
            case ValueTest():
                return self._test(leaf, meaning)
            case TimeTest():
                return self._time(leaf, meaning)
            case Recurring():
                return self._recurring(leaf, meaning)
            case Narrowing():
                raise TypeError(leaf.field.path)

    def _presence(self, leaf: Leaf, meaning: Presence) -> str:
        source = leaf.field.sql(self.bind)
        if leaf.field.kind in (Kind.JSON, Kind.PRODUCTS):
            found = f"EXISTS (SELECT FROM {source} WHERE jsonb_typeof(q.v) <> 'null')"
        else:
            found = f"(({source}) IS NOT NULL)"
        return found if meaning.wanted else f"NOT {found}"

    def _count(self, leaf: Leaf, meaning: ValueTest) -> str:
        source = leaf.field.sql(self.bind)
        number = f"(SELECT count(*) FROM {source} WHERE jsonb_typeof(q.v) <> 'null')"
        return f"({self._filled(meaning, number, leaf.operands)})"

    def _segments(self, meaning: ValueTest, operands: Sequence[object]) -> str:
        return (
            f"EXISTS (SELECT FROM segment_members m WHERE m.project_id = {self.project} AND m.customer_id = c.id "
            f"AND {self._filled(meaning, 'm.segment_id', operands)})"
        )

    def _test(self, leaf: Leaf, meaning: ValueTest) -> str:
        if leaf.field.kind is Kind.SEGMENTS:
            return self._segments(meaning, leaf.operands)
        if meaning.form is Form.COUNT:
            return self._count(leaf, meaning)
        source = leaf.field.sql(self.bind)
        if leaf.field.kind is Kind.PRODUCTS:
            source = f"(SELECT q.v FROM {source}) AS p CROSS JOIN LATERAL (VALUES {_PRODUCT_TEXTS}) AS q(v)"
        elif leaf.field.kind is not Kind.JSON:
            return f"COALESCE({self._filled(meaning, f'({source})', leaf.operands)}, FALSE)"
        form = text_of_sql("q.v") if meaning.form is Form.TEXT else number_of_sql("q.v")
        return f"EXISTS (SELECT FROM {source} WHERE {self._filled(meaning, f'({form})', leaf.operands)})"

    def _filled(self, meaning: ValueTest, value: str, operands: Sequence[object]) -> str:
        return meaning.sql.format(value=value, operands=self.bind(list(operands), f"{meaning.form.value}[]"))

    def _events(self, window: Window, meaning: Presence | ValueTest, operands: Sequence[object]) -> str:
        # Reads the key of events: (project_id, customer_id, name, created_at, id).
        since, until = window.bounds(self._now, self._clock.zone)
        events = (
            f"SELECT FROM events e WHERE e.project_id = {self.project} AND e.customer_id = c.id "
            f"AND e.name = {self.bind(window.name, 'text')} AND e.created_at >= {self.bind(since, 'timestamptz')} "
            f"AND e.created_at < {self.bind(until, 'timestamptz')}"
        )
        if isinstance(meaning, Presence):
            return f"EXISTS ({events})" if meaning.wanted else f"NOT EXISTS ({events})"
        number = f"(SELECT count(*) FROM ({events} LIMIT {self.bind(window.limit, 'bigint')}) AS w)"
        return f"({self._filled(meaning, number, operands)})"

    def _time(self, leaf: Leaf, meaning: TimeTest) -> str:
        spans = [meaning.span(operand, self._clock) for operand in leaf.operands]
        source = leaf.field.sql(self.bind)
        if leaf.field.kind is Kind.INSTANT:
            return f"COALESCE({self._in_instants(source, spans)}, FALSE)"
        if leaf.field.kind is Kind.DATE:
            return f"COALESCE({self._in_days(source, spans, 'date')}, FALSE)"
        value = "(q.v #>> '{}')"
        return (
            f"EXISTS (SELECT FROM {source} WHERE CASE WHEN jsonb_typeof(q.v) <> 'string' THEN FALSE "
            f"WHEN {is_day_sql(value)} THEN {self._in_days(value, spans, 'text')} "
            f"ELSE {self._in_instants(instant_of_sql(value), spans)} END)"
        )

    def _recurring(self, leaf: Leaf, meaning: Recurring) -> str:
        month = self.bind(meaning.month(self._clock), "integer")
        return f"COALESCE({meaning.sql.format(value=leaf.field.sql(self.bind), month=month)}, FALSE)"

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

    def _in_days(self, value: str, spans: Sequence[Span], kind: str) -> str:
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
        least, most = ([None if one is None else write(one) for one in side] for side in zip(*ranges, strict=True))
        if len(ranges) > 1:
            bounds = f"unnest({self.bind(least, f'{kind}[]')}, {self.bind(most, f'{kind}[]')}) AS r(least, most)"
            return (
                f"EXISTS (SELECT FROM {bounds} WHERE (r.least IS NULL OR {value} >= r.least) "
                f"AND (r.most IS NULL OR {value} < r.most))"
            )
        tests = [f"{value} >= {self.bind(least[0], kind)}"] if least[0] is not None else []
        tests += [f"{value} < {self.bind(most[0], kind)}"] if most[0] is not None else []
        return f"({' AND '.join(tests)})" if tests else f"(({value}) IS NOT NULL)"


def _written_day(ordinal: int) -> str:
    return date.fromordinal(ordinal).isoformat()


def _clipped(ranges: Sequence[Period], least: int, most: int) -> list[Period]:
    """Leave out what no value from `least` to `most` can be in; bounds beyond them become unbounded."""
    return [
        (None if lo is None or lo <= least else lo, None if hi is None or hi > most else hi)
        for lo, hi in ranges
        if not (lo is not None and lo > most) and not (hi is not None and hi <= least)
    ]
