"""ISO 8601 durations, as `P24D` or `PT12H`, added to an instant."""

import calendar
import re
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final, NamedTuple

LATEST_YEAR: Final = 9998
_DURATION = re.compile(
    r"P(?=.)(?:(\d{1,3})Y)?(?:(\d{1,4})M)?(?:(\d{1,5})W)?(?:(\d{1,6})D)?"
    r"(?:T(?=.)(?:(\d{1,7})H)?(?:(\d{1,8})M)?(?:(\d{1,9})S)?)?",
    re.ASCII,
)


class Duration(NamedTuple):
    """Calendar months, calendar days, and exact time."""

    months: int
    days: int
    rest: timedelta


@lru_cache(maxsize=1_024)
def split(text: str) -> Duration:
    """Return the parts of a duration. Raises ValueError."""
    found = _DURATION.fullmatch(text)
    if found is None or not any(found.groups()):
        raise ValueError(text)
    years, months, weeks, days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return Duration(12 * years + months, 7 * weeks + days, timedelta(hours=hours, minutes=minutes, seconds=seconds))


def parse(text: str) -> tuple[int, timedelta]:
    """Return the calendar months and the exact rest of a duration. Raises ValueError."""
    months, days, rest = split(text)
    return months, timedelta(days=days) + rest


def after(start: datetime, text: str) -> datetime | None:
    """Return the instant a duration after `start`; None where that is beyond the calendar.

    Months are calendar months, on the last day of a shorter one: a month after January 31 is February 28 or 29.
    """
    months, rest = parse(text)
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    try:
        day = min(start.day, calendar.monthrange(year, month + 1)[1])
        return start.replace(year=year, month=month + 1, day=day) + rest
    except (ValueError, OverflowError):
        return None
