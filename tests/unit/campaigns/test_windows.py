from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapport.campaigns.durations import split
from rapport.campaigns.windows import is_open, latest_window, plus, weekday

WARSAW = "Europe/Warsaw"


def at(text: str, zone: str = WARSAW) -> datetime:
    """Return the instant at which clocks in a zone show this."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def opened(now: str, zone: str = WARSAW, start: str | None = None, **windows: Any) -> bool:
    return is_open(
        windows.get("timeframe"),
        windows.get("days"),
        windows.get("hours"),
        start=None if start is None else at(start, zone),
        now=at(now, zone),
        zone_name=zone,
    )


def daily(start: str, end: str, *days: int) -> dict[str, Any]:
    return {"daily": [{"start_time": start, "expiration_time": end, "days_of_week": [*days]}]}


def test_without_windows_it_is_always_open() -> None:
    assert opened("2026-03-29T02:30")


def test_sunday_is_0_in_the_projects_time_zone() -> None:
    assert weekday(datetime(2026, 3, 29, tzinfo=UTC).date()) == 0
    late = datetime(2026, 3, 28, 23, 30, tzinfo=UTC)  # already Sunday in Warsaw
    for zone, day in ((WARSAW, 0), ("UTC", 6), ("America/New_York", 6)):
        assert is_open(None, [day], None, start=None, now=late, zone_name=zone)
        assert not is_open(None, [(day + 1) % 7], None, start=None, now=late, zone_name=zone)


@pytest.mark.parametrize(
    ("now", "is_it"),
    [("2026-06-01T11:59", False), ("2026-06-01T12:00", True), ("2026-06-01T13:59", True), ("2026-06-01T14:00", False),
     ("2026-06-02T12:00", False)],
)  # fmt: skip
def test_hours_begin_with_the_minute_and_end_before_it(now: str, is_it: bool) -> None:
    assert opened(now, hours=daily("12:00", "14:00", 1)) == is_it


@pytest.mark.parametrize(
    ("now", "is_it"),
    [("2026-06-05T21:59", False), ("2026-06-05T22:00", True), ("2026-06-06T01:59", True), ("2026-06-06T02:00", False),
     ("2026-06-06T22:00", False), ("2026-06-05T01:00", False)],
)  # fmt: skip
def test_hours_over_midnight_belong_to_the_day_they_begin_on(now: str, is_it: bool) -> None:
    assert opened(now, hours=daily("22:00", "02:00", 5)) == is_it


def test_any_of_the_hours_and_all_of_the_windows() -> None:
    hours = {"daily": [*daily("09:00", "10:00", 1)["daily"], *daily("15:00", "16:00", 1)["daily"]]}
    assert opened("2026-06-01T15:30", hours=hours)
    assert not opened("2026-06-01T12:00", hours=hours)
    assert not opened("2026-06-01T15:30", hours=hours, days=[2])


def test_a_window_of_a_day_opens_at_the_same_hour_in_summer_and_in_winter() -> None:
    timeframe = {"interval": "P1D", "duration": "PT2H"}
    for day in ("2026-03-28", "2026-03-29", "2026-03-30", "2026-10-25", "2026-10-26"):
        for hour, is_it in (("08:59", False), ("09:00", True), ("10:59", True), ("11:00", False)):
            assert opened(f"{day}T{hour}", start="2026-03-01T09:00", timeframe=timeframe) == is_it, (day, hour)


def test_an_exact_interval_moves_on_the_clock_when_that_is_changed() -> None:
    timeframe = {"interval": "PT24H", "duration": "PT1H"}
    assert opened("2026-03-28T09:30", start="2026-03-01T09:00", timeframe=timeframe)
    assert not opened("2026-03-30T09:30", start="2026-03-01T09:00", timeframe=timeframe)
    assert opened("2026-03-30T10:30", start="2026-03-01T09:00", timeframe=timeframe)


def test_a_time_that_a_change_of_clocks_leaves_out_is_as_much_later() -> None:
    timeframe = {"interval": "P1D", "duration": "PT10M"}
    assert opened("2026-03-29T03:35", start="2026-03-28T02:30", timeframe=timeframe)
    assert not opened("2026-03-29T03:25", start="2026-03-28T02:30", timeframe=timeframe)
    assert opened("2026-03-30T02:35", start="2026-03-28T02:30", timeframe=timeframe)


def test_every_other_day_and_every_month() -> None:
    other = {"interval": "P2D", "duration": "P1D"}
    assert [opened(f"2026-06-0{day}T12:00", start="2026-06-01T00:00", timeframe=other) for day in (1, 2, 3, 4)] == [
        True, False, True, False,
    ]  # fmt: skip
    month = {"interval": "P1M", "duration": "P1D"}
    assert opened("2026-02-28T12:00", start="2026-01-31T00:00", timeframe=month)
    assert opened("2026-03-31T12:00", start="2026-01-31T00:00", timeframe=month)
    assert not opened("2026-03-28T12:00", start="2026-01-31T00:00", timeframe=month)


def test_before_the_start_no_window_is_open() -> None:
    assert not opened("2025-12-31T23:59", start="2026-01-01T00:00", timeframe={"interval": "P1D", "duration": "P1D"})
    assert opened("9998-01-01T00:00", start="0002-01-01T00:00", timeframe={"interval": "PT1S", "duration": "PT1S"})


_INTERVALS = st.builds(
    lambda months, days, hours, minutes: f"P{months}M{days}DT{hours}H{minutes}M",
    st.integers(0, 30), st.integers(0, 40), st.integers(0, 50), st.integers(1, 90),
)  # fmt: skip
_INSTANTS = st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
_ZONES = st.sampled_from([WARSAW, "UTC", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kolkata"])


@given(_INTERVALS, _INSTANTS, st.timedeltas(timedelta(0), timedelta(days=4000)), _ZONES)
def test_the_latest_window_is_the_last_that_has_opened(text: str, start: datetime, later: timedelta, zone: str) -> None:
    interval, now, where = split(text), start + later, ZoneInfo(zone)
    found = latest_window(interval, start, now, where)
    assert found is not None
    assert start <= found <= now
    number = next(n for n in range(10**7) if plus(start, interval, n, where) == found) if later.days < 30 else None
    if number is not None:
        assert plus(start, interval, number + 1, where) > now


@given(_INTERVALS, _INSTANTS, st.integers(0, 500), _ZONES)
def test_a_window_is_open_from_its_very_beginning(text: str, start: datetime, number: int, zone: str) -> None:
    timeframe = {"interval": text, "duration": "PT1S"}
    begins = plus(start, split(text), number, ZoneInfo(zone))
    assert is_open(timeframe, None, None, start=start, now=begins, zone_name=zone)
    if begins - start > timedelta(seconds=1):
        ended = begins + timedelta(seconds=1)
        assert not is_open(timeframe, None, None, start=start, now=ended, zone_name=zone)


@given(_INSTANTS, _ZONES, st.lists(st.integers(0, 6), min_size=1, unique=True))
def test_days_and_their_complement_share_no_moment(now: datetime, zone: str, days: list[int]) -> None:
    others = sorted(set(range(7)) - set(days))
    there = is_open(None, days, None, start=None, now=now, zone_name=zone)
    assert there != is_open(None, others or [7], None, start=None, now=now, zone_name=zone)


@given(_INSTANTS, _ZONES, st.times(), st.times())
def test_hours_and_the_hours_between_share_no_moment(now: datetime, zone: str, one: Any, other: Any) -> None:
    if one == other:
        return
    first, second = (daily(a.isoformat(), b.isoformat(), *range(7)) for a, b in ((one, other), (other, one)))
    open_now = [is_open(None, None, hours, start=None, now=now, zone_name=zone) for hours in (first, second)]
    assert sorted(open_now) == [False, True]
