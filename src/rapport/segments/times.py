"""Days and instants as filters compare them: one grammar of text for Python and SQL, calendar days of a time zone.

An instant is an integer, milliseconds since 1970 UTC; a calendar day is a `Day`. Integers do not overflow at the ends
of the calendar, and the time zone data of Python alone decides where a day starts: SQL is only ever given finished
bounds.
"""

import functools
import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property, lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from rapport.core.clock import MILLISECOND

DAY_MS = 86_400_000
LAST_DAY = date.max.toordinal()
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EPOCH_DAY = _EPOCH.toordinal()
# Instants that text names outside these years (by its offset) count as the nearer end.
EARLIEST_MS = (1 - EPOCH_DAY) * DAY_MS
LATEST_MS = (LAST_DAY + 1 - EPOCH_DAY) * DAY_MS - 1

# Regular expressions that mean the same in Python (`fullmatch`) and PostgreSQL (`^(?:…)$`): no class escapes, no
# lookaround. Whatever they accept, PostgreSQL can cast: no 30 February, no year 0, no hour 24, no offset beyond 15:59.
_YEAR = "(?:[0-9]{3}[1-9]|[0-9]{2}[1-9][0-9]|[0-9][1-9][0-9]{2}|[1-9][0-9]{3})"
_LEAP_YEAR = "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)"
_MONTH_AND_DAY = (
    "(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
    "|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    "|02-(?:0[1-9]|1[0-9]|2[0-8]))"
)
DATE = f"(?:{_YEAR}-{_MONTH_AND_DAY}|{_LEAP_YEAR}-02-29)"
_TIME_OF_DAY = "([01][0-9]|2[0-3]):([0-5][0-9])(?::([0-5][0-9])(?:[.]([0-9]{1,9}))?)?"
_OFFSET = "([Zz]|[+-](?:0[0-9]|1[0-5])(?::?[0-5][0-9])?)?"
DATE_TIME = f"{DATE}[Tt ]{_TIME_OF_DAY}{_OFFSET}"
# The days that every month of every year has, the year 0 included.
COMMON_DATE = "[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])"
COMMON_DATE_TIME = f"{COMMON_DATE}[Tt ]{_TIME_OF_DAY}{_OFFSET}"
_DATE = re.compile(DATE)
_DATE_TIME = re.compile(DATE_TIME)


class Day(NamedTuple):
    """A calendar day, as the ordinal of `datetime.date`; arithmetic may leave 1 … LAST_DAY."""

    ordinal: int


Moment = Day | int
"""A day, or an instant in milliseconds since 1970 UTC."""
Period = tuple[int | None, int | None]
"""From an integer (included) to another (excluded); None is unbounded."""


class Span(NamedTuple):
    """From `start` (inclusive) to `end` (exclusive); None is unbounded."""

    start: Moment | None
    end: Moment | None


class Clock:
    """The moment and the time zone that a filter is evaluated at."""

    def __init__(self, now: datetime, zone: ZoneInfo) -> None:
        """Read `now` once, cut to milliseconds."""
        self.now = to_ms(now)
        self.zone = zone

    @cached_property
    def today(self) -> int:
        """The ordinal of the current calendar day in the zone."""
        return day_of(self.zone, self.now)


def to_ms(instant: datetime) -> int:
    """Turn an aware datetime into milliseconds since 1970, cut downwards."""
    return (instant - _EPOCH) // MILLISECOND


def from_ms(instant: int) -> datetime | None:
    """Turn milliseconds since 1970 into an aware UTC datetime, or None where the calendar of Python ends."""
    if not EARLIEST_MS <= instant <= LATEST_MS:
        return None
    return _EPOCH + timedelta(milliseconds=instant)


def day_ms(ordinal: int) -> int:
    """Return the midnight in UTC of a calendar day, in milliseconds since 1970."""
    return (ordinal - EPOCH_DAY) * DAY_MS


@lru_cache(maxsize=16_384)
def start_of_day(zone: ZoneInfo, ordinal: int) -> int:
    """Return when a calendar day starts; of two midnights the first, for a skipped one the end of the gap."""
    known = min(max(ordinal, 1), LAST_DAY)
    offset = datetime.combine(date.fromordinal(known), time(), zone).utcoffset() or timedelta(0)
    return (ordinal - EPOCH_DAY) * DAY_MS - offset // MILLISECOND


def day_of(zone: ZoneInfo, instant: int) -> int:
    """Return the ordinal of the last calendar day that has started by `instant`."""
    day = instant // DAY_MS + EPOCH_DAY
    while start_of_day(zone, day + 1) <= instant:
        day += 1
    while start_of_day(zone, day) > instant:
        day -= 1
    return day


def first_day_from(zone: ZoneInfo, instant: int) -> int:
    """Return the ordinal of the first calendar day that starts at or after `instant`."""
    day = day_of(zone, instant)
    if start_of_day(zone, day) < instant:
        return day + 1
    while start_of_day(zone, day - 1) >= instant:
        day -= 1
    return day


def start(moment: Moment, zone: ZoneInfo) -> int:
    """Return the instant of a moment: its own, or the start of the day."""
    return moment if isinstance(moment, int) else start_of_day(zone, moment.ordinal)


def reached(moment: Moment, bound: Moment, zone: ZoneInfo) -> bool:
    """Tell whether `moment` is at or after `bound`; two days compare as days, whatever the zone does to them."""
    if isinstance(moment, Day) and isinstance(bound, Day):
        return moment.ordinal >= bound.ordinal
    return start(moment, zone) >= start(bound, zone)


def within(moment: Moment, span: Span, zone: ZoneInfo) -> bool:
    """Tell whether `moment` lies in `span`."""
    return (span.start is None or reached(moment, span.start, zone)) and (
        span.end is None or not reached(moment, span.end, zone)
    )


def month_start(ordinal: int, months: int) -> Day:
    """Return the first day of the month `months` after (or before) the month of the day `ordinal`."""
    day = date.fromordinal(min(max(ordinal, 1), LAST_DAY))
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    if year > date.max.year:
        return Day(LAST_DAY + 1)
    if year < 1:
        return Day(0)
    return Day(date(year, month + 1, 1).toordinal())


def month_of(ordinal: int) -> int:
    """Return the month, 1 to 12, of the day `ordinal`."""
    return date.fromordinal(min(max(ordinal, 1), LAST_DAY)).month


@functools.lru_cache(maxsize=4_096)
def parse(text: str) -> Moment | None:
    """Read an ISO date (a Day) or date-time (an instant; UTC where it names no offset), or return None."""
    if len(text) == 10:
        return Day(date.fromisoformat(text).toordinal()) if _DATE.fullmatch(text) else None
    found = _DATE_TIME.fullmatch(text)
    if not found:
        return None
    hour, minute, second, fraction, offset = found.groups()
    minutes = int(hour) * 60 + int(minute) - _offset_minutes(offset)
    milliseconds = int(((fraction or "") + "000")[:3])
    day = date.fromisoformat(text[:10]).toordinal() - EPOCH_DAY
    instant = day * DAY_MS + minutes * 60_000 + int(second or 0) * 1000 + milliseconds
    return min(max(instant, EARLIEST_MS), LATEST_MS)


def _offset_minutes(offset: str | None) -> int:
    if not offset or offset in "Zz":
        return 0
    digits = offset[1:].replace(":", "")
    minutes = int(digits[:2]) * 60 + int(digits[2:] or 0)
    return -minutes if offset[0] == "-" else minutes


def merge(periods: Iterable[Period]) -> list[Period]:
    """Return the union of periods as disjoint periods in order, without empty ones."""
    least, most = -(2**80), 2**80
    merged: list[tuple[int, int]] = []
    for lo, hi in sorted((least if lo is None else lo, most if hi is None else hi) for lo, hi in periods):
        if lo >= hi:
            continue
        if merged and lo <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(hi, merged[-1][1]))
        else:
            merged.append((lo, hi))
    return [(None if lo == least else lo, None if hi == most else hi) for lo, hi in merged]
