"""Windows of time in which codes can be used, day by day and hour by hour, in the project's time zone. Pure.

- A timeframe `{"interval": "P2D", "duration": "P1D"}` opens a window every interval, the first at the start date, each
  for the duration. Years, months, weeks and days are counted on the calendar of the time zone, so that a window that
  opens at 9 in the morning does so in summer and in winter; hours, minutes and seconds are exact.
- Days of the week are 0 (Sunday) to 6.
- Hours `{"daily": [{"start_time": "22:00", "expiration_time": "02:00", "days_of_week": [5]}]}` are what a clock on the
  wall shows; where the end is not after the start, it is that of the next day. Any of the entries may be open.
"""

import calendar
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo

from rapport.campaigns.durations import LATEST_YEAR, Duration, split
from rapport.core.clock import LATEST

_DAY: Final = timedelta(days=1)
# No month is shorter, and no day: what the number of windows since the start is estimated by.
_SHORTEST_MONTH: Final = timedelta(days=28) - timedelta(hours=2)
_SHORTEST_DAY: Final = timedelta(hours=22)


def is_open(
    timeframe: Mapping[str, Any] | None,
    days: Sequence[int] | None,
    hours: Mapping[str, Any] | None,
    *,
    start: datetime | None,
    now: datetime,
    zone_name: str,
) -> bool:
    """Whether `now` is in all of the windows; without any it is. A timeframe without a start is always open."""
    if not timeframe and not days and not hours:
        return True
    zone = _zone(zone_name)
    local = now.astimezone(zone)
    return (
        (not timeframe or start is None or _in_timeframe(timeframe, start, now, zone))
        and (not days or weekday(local.date()) in days)
        and (not hours or any(_in_hours(one, local) for one in hours["daily"]))
    )


def weekday(day: date) -> int:
    """Return the number of a day in its week, as the reference counts: 0 is Sunday."""
    return day.isoweekday() % 7


@lru_cache(maxsize=1_024)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def _in_timeframe(timeframe: Mapping[str, Any], start: datetime, now: datetime, zone: ZoneInfo) -> bool:
    interval, duration = split(timeframe["interval"]), split(timeframe["duration"])
    opened = latest_window(interval, start, now, zone)
    return opened is not None and now < plus(opened, duration, 1, zone)


def latest_window(interval: Duration, start: datetime, now: datetime, zone: ZoneInfo) -> datetime | None:
    """Return when the last window that has opened by `now` did so; None before the start."""
    if now < start:
        return None
    shortest = interval.months * _SHORTEST_MONTH + interval.days * _SHORTEST_DAY + interval.rest
    low, high = 0, (now - start) // shortest + 1
    while low < high:
        middle = (low + high + 1) // 2
        if plus(start, interval, middle, zone) <= now:
            low = middle
        else:
            high = middle - 1
    return plus(start, interval, low, zone)


def plus(start: datetime, duration: Duration, times: int, zone: ZoneInfo) -> datetime:
    """Return the instant so many durations after another, on the calendar of a zone; at most the last one there is.

    A month after January 31 is the last day of February. A time that a change of clocks leaves out is as much later.
    """
    local = start.astimezone(zone)
    year, month = divmod(local.year * 12 + local.month - 1 + duration.months * times, 12)
    if year > LATEST_YEAR or duration.days * times > LATEST.toordinal():
        return LATEST
    day = date(year, month + 1, min(local.day, calendar.monthrange(year, month + 1)[1]))
    if day.toordinal() + duration.days * times >= LATEST.toordinal():
        return LATEST
    moved = day + timedelta(days=duration.days * times)
    wall = datetime.combine(moved, local.timetz()) if moved != local.date() else local
    return min(LATEST, wall.astimezone(UTC) + min(duration.rest * times, LATEST - wall.astimezone(UTC)))


def _in_hours(entry: Mapping[str, Any], local: datetime) -> bool:
    begin, end = (time.fromisoformat(entry[name]) for name in ("start_time", "expiration_time"))
    days = entry.get("days_of_week") or range(7)
    today, wall = local.date(), local.time()
    if begin < end:
        return weekday(today) in days and begin <= wall < end
    return (weekday(today) in days and begin <= wall) or (weekday(today - _DAY) in days and wall < end)
