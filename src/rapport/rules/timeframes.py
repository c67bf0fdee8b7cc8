"""Operators that rules have and filters have not: recurring times, days of the week, and whole lists. Pure."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from rapport.segments import operands, times
from rapport.segments.operands import WrongOperand
from rapport.segments.times import DAY_MS, Clock, Day, Moment

_DURATION: Final = re.compile(
    r"P(?=.)(?:([0-9]{1,4})W)?(?:([0-9]{1,5})D)?(?:T(?=.)(?:([0-9]{1,6})H)?(?:([0-9]{1,7})M)?(?:([0-9]{1,8})S)?)?"
)
_UNITS: Final = (7 * DAY_MS, DAY_MS, 3_600_000, 60_000, 1_000)
_HOURS: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9]);([01][0-9]|2[0-3]):([0-5][0-9])(?:;([0-6](?:,[0-6])*))?")


@dataclass(frozen=True, slots=True)
class Timed:
    """A test of one moment of a value against one operand."""

    read: Callable[[Any], Any]
    test: Callable[[Moment, Any, Clock], bool]


@dataclass(frozen=True, slots=True)
class Listed:
    """A test of all elements of a value, as texts, against all operands."""

    read: Callable[[Any], Any]
    test: Callable[[frozenset[str], frozenset[str]], bool]


def _duration(text: str) -> int:
    """Return the milliseconds of an ISO duration of weeks, days of 24 hours, hours, minutes and seconds."""
    found = _DURATION.fullmatch(text)
    parts = () if found is None else zip(found.groups(), _UNITS, strict=True)
    length = sum(int(part or 0) * unit for part, unit in parts)
    if length <= 0:
        raise WrongOperand("takes durations such as P1D or PT1H")
    return length


def _instant(text: str) -> int:
    moment = times.parse(text)
    if not isinstance(moment, int):
        raise WrongOperand("takes date-times such as 2026-01-31T12:00:00Z")
    return moment


def _parts(raw: Any, number: int, example: str) -> list[str]:
    parts = raw.split(";") if isinstance(raw, str) else []
    if len(parts) != number:
        raise WrongOperand(f"takes a text such as {example}")
    return parts


def _timeframe(raw: Any) -> tuple[int, int, int]:
    start, interval, duration = _parts(raw, 3, "2026-01-31T12:00:00Z;P1D;PT1H")
    return _instant(start), _duration(interval), _duration(duration)


def _absolute(raw: Any) -> tuple[int, int]:
    start, end = _parts(raw, 2, "2026-01-31T12:00:00Z;2026-02-28T12:00:00Z")
    return _instant(start), _instant(end)


def _daily_hours(raw: Any) -> tuple[int, int, frozenset[int]]:
    found = _HOURS.fullmatch(raw) if isinstance(raw, str) else None
    if found is None:
        raise WrongOperand("takes a text such as 18:00;20:00;1,2")
    first, second, third, fourth, days = found.groups()
    weekdays = frozenset(range(7)) if days is None else frozenset(map(int, days.split(",")))
    return int(first) * 60 + int(second), int(third) * 60 + int(fourth), weekdays


def _weekday_operand(raw: Any) -> int:
    if isinstance(raw, bool) or not isinstance(raw, int) or not 0 <= raw <= 6:
        raise WrongOperand("takes days of the week, 0 (Sunday) to 6")
    return raw


def _weekday(ordinal: int) -> int:
    return ordinal % 7


def _day(moment: Moment, clock: Clock) -> int:
    return moment.ordinal if isinstance(moment, Day) else times.day_of(clock.zone, moment)


def _is_recurring(moment: Moment, operand: tuple[int, int, int], clock: Clock) -> bool:
    start, interval, duration = operand
    since = times.start(moment, clock.zone) - start
    return since >= 0 and since % interval < duration


def _is_between(moment: Moment, operand: tuple[int, int], clock: Clock) -> bool:
    return operand[0] <= times.start(moment, clock.zone) < operand[1]


def _is_in_hours(moment: Moment, operand: tuple[int, int, frozenset[int]], clock: Clock) -> bool:
    """Tell whether a moment is in the hours of a day; hours that end before they begin reach into the next day."""
    begin, end, weekdays = operand
    instant, day = times.start(moment, clock.zone), _day(moment, clock)
    local = times.from_ms(instant)
    assert local is not None
    at = local.astimezone(clock.zone)
    minute = at.hour * 60 + at.minute
    if begin <= end:
        return begin <= minute < end and _weekday(day) in weekdays
    return (minute >= begin and _weekday(day) in weekdays) or (minute < end and _weekday(day - 1) in weekdays)


TIMED: Final[Mapping[str, Timed]] = {
    "$timeframe": Timed(_timeframe, _is_recurring),
    "$timeframe_absolute": Timed(_absolute, _is_between),
    "$timeframe_daily_hours": Timed(_daily_hours, _is_in_hours),
    "$dow": Timed(_weekday_operand, lambda moment, operand, clock: _weekday(_day(moment, clock)) == operand),
}
LISTED: Final[Mapping[str, Listed]] = {
    "$not_differ": Listed(operands.scalar, lambda values, wanted: values == wanted),
    "$not_intersect": Listed(operands.scalar, lambda values, wanted: values.isdisjoint(wanted)),
}
