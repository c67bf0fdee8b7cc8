"""Windows of time on the wire: read, checked, and kept as the API shows them."""

from collections.abc import Mapping
from datetime import datetime, time
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from rapport.campaigns import durations
from rapport.core.errors import InvalidPayload

WINDOWS: Final = ("validity_timeframe", "validity_day_of_week", "validity_hours")
MAX_DAILY: Final = 50

Weekday = Annotated[int, Meta(ge=0, le=6)]
Weekdays = Annotated[list[Weekday], Meta(max_length=7)]
Clock = Annotated[str, Meta(max_length=16)]


class TimeframeInput(msgspec.Struct, kw_only=True):
    """Every how long a window opens, and for how long; an empty object removes it."""

    interval: Annotated[str, Meta(max_length=64)] | None = None
    duration: Annotated[str, Meta(max_length=64)] | None = None


class DailyInput(msgspec.Struct, kw_only=True):
    """From when to when on which days of the week (all, if not given)."""

    start_time: Clock
    expiration_time: Clock
    days_of_week: Weekdays | None = None


class HoursInput(msgspec.Struct, kw_only=True):
    """Hours of the day; an empty object removes them."""

    daily: Annotated[list[DailyInput], Meta(max_length=MAX_DAILY)] | None = None


class WindowsInput(msgspec.Struct, kw_only=True):
    """The three kinds of windows, as campaigns and vouchers have them."""

    validity_timeframe: TimeframeInput | None = None
    validity_day_of_week: Weekdays | None = None
    validity_hours: HoursInput | None = None


def windows_of(data: WindowsInput) -> dict[str, Any]:
    """Return the windows that a request names, by their names; an empty one as None. Raises InvalidPayload."""
    found: dict[str, Any] = {}
    if data.validity_timeframe is not None:
        found["validity_timeframe"] = _timeframe(data.validity_timeframe)
    if data.validity_day_of_week is not None:
        found["validity_day_of_week"] = sorted(set(data.validity_day_of_week)) or None
    if data.validity_hours is not None:
        found["validity_hours"] = _hours(data.validity_hours)
    return found


def check_start(timeframe: Mapping[str, Any] | None, start: datetime | None) -> None:
    """See that a timeframe has a start to be counted from. Raises InvalidPayload."""
    if timeframe is not None and start is None:
        raise InvalidPayload("Missing required property .start_date: .validity_timeframe is counted from it")


def _timeframe(data: TimeframeInput) -> dict[str, Any] | None:
    if data.interval is None and data.duration is None:
        return None
    shown = {}
    for name in ("interval", "duration"):
        text, path = getattr(data, name), f".validity_timeframe.{name}"
        if text is None:
            raise InvalidPayload(f"Missing required property {path}")
        try:
            length = durations.split(text)
        except ValueError as error:
            raise InvalidPayload(f"Property {path} should be a duration in ISO 8601 format, as P2D or PT1H") from error
        if not any(length):
            raise InvalidPayload(f"Property {path} should be longer than nothing")
        shown[name] = text
    return shown


def _hours(data: HoursInput) -> dict[str, Any] | None:
    if not data.daily:
        return None
    return {"daily": [_daily(one, f".validity_hours.daily[{number}]") for number, one in enumerate(data.daily)]}


def _daily(data: DailyInput, path: str) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for name in ("start_time", "expiration_time"):
        text = getattr(data, name)
        try:
            read = time.fromisoformat(text)
        except ValueError as error:
            raise InvalidPayload(f"Property {path}.{name} should be a time of the day, as 09:30") from error
        if read.tzinfo is not None:
            raise InvalidPayload(f"Property {path}.{name} should have no offset: the project's time zone holds")
        shown[name] = text
    shown["days_of_week"] = sorted(set(data.days_of_week or range(7)))
    return shown
