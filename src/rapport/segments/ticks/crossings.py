"""Which stored dates make a leaf turn between two moments: the ranges of values in which its span lies differently.

A leaf that compares a date with the clock holds for the dates in a span that moves with the clock. Between a tick and
the next, the leaf turns for exactly those dates that lie in one of the two spans and not in the other. Pure.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

from rapport.segments.fields import Kind
from rapport.segments.matcher import COLUMNS, Matcher
from rapport.segments.membership import window_field
from rapport.segments.operators import Recurring, TimeTest
from rapport.segments.times import (
    EARLIEST_MS,
    LAST_DAY,
    LATEST_MS,
    Clock,
    Day,
    Moment,
    day_ms,
    first_day_from,
    from_ms,
    start,
)
from rapport.segments.tree import EVENTS, Leaf, Window

Place = Literal["column", "days", "months", "moments", "days of moments", "events", "orders"]


@dataclass(frozen=True, slots=True)
class Scan:
    """Look for dates from `least` up to, not including, `most`.

    `place` says where; `name` is the column, the field of `segment_moments` or the event's name. For months the bounds
    are the number of the month and the next.
    """

    place: Place
    name: str
    least: datetime | date | int
    most: datetime | date | int


def crossings(matcher: Matcher, since: Clock, now: Clock) -> dict[Scan, set[str]]:
    """Return where to look for customers for whom time has turned a leaf after `since` up to `now`, and for what.

    The answer names the segments to decide about. `since` is earlier than `now`.
    """
    found: dict[Scan, set[str]] = {}
    for leaf, owners in matcher.timed.values():
        ids = {matcher.ordered[owner].id for owner in owners}
        for scan in _scans(leaf, since, now):
            found.setdefault(scan, set()).update(ids)
    return found


def _scans(leaf: Leaf, since: Clock, now: Clock) -> Iterator[Scan]:
    if leaf.window is not None:
        yield from _of_window(leaf.window, since, now)
        return
    meaning = leaf.operator.meanings[leaf.field.kind]
    if isinstance(meaning, Recurring):
        before, after = meaning.month(since), meaning.month(now)
        if before != after:
            yield from (Scan("months", "birthdate", month, month + 1) for month in (before, after))
    elif isinstance(meaning, TimeTest):
        for operand in leaf.operands:
            one, other = meaning.span(operand, since), meaning.span(operand, now)
            for first, second in ((one.start, other.start), (one.end, other.end)):
                if first is not None and second is not None and first != second:
                    yield from _of_field(leaf, first, second, since, now)


def _of_field(leaf: Leaf, first: Moment, second: Moment, since: Clock, now: Clock) -> Iterator[Scan]:
    path, column = leaf.field.path, COLUMNS.get(leaf.field.path)
    least, most = sorted((start(first, now.zone), start(second, now.zone)))
    days = sorted((_day(first, now), _day(second, now)))
    if least > since.now and column is not None:
        # The clock itself has passed these. They were still to come when they were written, or have not turned.
        yield from _instants("moments", path, least, most)
        if leaf.field.kind is Kind.DATE:
            yield from _days("days of moments", path, days)
    elif leaf.field.kind is Kind.DATE:
        yield from _days("days", column or "", days)
    elif column is not None:
        yield from _instants("column", column, least, most)
    else:
        yield from _instants("moments", path, least, most)
        yield from _days("days of moments", path, days)


def _day(moment: Moment, clock: Clock) -> int:
    return moment.ordinal if isinstance(moment, Day) else first_day_from(clock.zone, moment)


def _of_window(window: Window, since: Clock, now: Clock) -> Iterator[Scan]:
    if window.last is not None:
        last = window.last // timedelta(milliseconds=1)
        place: Place = "events" if window.source == EVENTS else "orders"
        yield from _instants(place, window.name, since.now - last + 1, now.now - last + 1)
    yield from _instants("moments", window_field(window.source, window.name), since.now + 1, now.now + 1)


def _instants(place: Place, name: str, least: int, most: int) -> Iterator[Scan]:
    first, last = from_ms(max(least, EARLIEST_MS)), from_ms(min(most, LATEST_MS))
    if first is not None and last is not None and first < last:
        yield Scan(place, name, first, last)


def _days(place: Place, name: str, days: list[int]) -> Iterator[Scan]:
    least, most = (min(max(one, 1), LAST_DAY) for one in days)
    if least >= most:
        return
    if place == "days":
        yield Scan(place, name, date.fromordinal(least), date.fromordinal(most))
    else:
        yield from _instants_of_days(place, name, least, most)


def _instants_of_days(place: Place, name: str, least: int, most: int) -> Iterator[Scan]:
    first, last = from_ms(day_ms(least)), from_ms(day_ms(most))
    if first is not None and last is not None:
        yield Scan(place, name, first, last)
