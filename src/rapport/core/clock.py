"""Instants: aware UTC, cut to milliseconds, written `2026-01-31T12:00:00.000Z`.

There is one clock, the database's: queries ask it as `date_trunc('milliseconds', clock_timestamp()) + offset`, where
the offset (`RAPPORT_CLOCK_OFFSET`) is a parameter. Nothing in the project reads the machine's clock for a decision.
"""

import functools
import re
from datetime import UTC, date, datetime, timedelta

_INSTANT = re.compile(
    r"\d{4}-\d{2}-\d{2}(?:[Tt ]\d{2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?(?:[Zz]|[+-]\d{2}(?::?\d{2})?)?)?", re.ASCII
)
MILLISECOND = timedelta(milliseconds=1)
EARLIEST = datetime(1, 1, 2, tzinfo=UTC)
LATEST = datetime(9999, 12, 30, tzinfo=UTC)


@functools.lru_cache(maxsize=1_024)
def iso(instant: datetime) -> str:
    """Write an instant as the reference does, e.g. `2026-01-31T12:00:00.000Z`."""
    return f"{instant.astimezone(UTC).isoformat(timespec='milliseconds')[:-6]}Z"


def truncate(instant: datetime) -> datetime:
    """Cut an instant to milliseconds, in UTC."""
    instant = instant.astimezone(UTC)
    return instant.replace(microsecond=instant.microsecond // 1000 * 1000)


def parse_instant(text: str) -> datetime:
    """Read an ISO 8601 date or date-time; without an offset it is UTC. Raises ValueError."""
    if not _INSTANT.fullmatch(text):
        raise ValueError(text)
    instant = datetime.fromisoformat(text.upper().replace(",", "."))
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=UTC)
    try:
        instant = truncate(instant)
    except OverflowError as error:
        raise ValueError(text) from error
    if not EARLIEST <= instant <= LATEST:
        raise ValueError(text)
    return instant


def parse_date(text: str) -> date:
    """Read a calendar date, also from a date-time (its date as written). Raises ValueError."""
    if len(text) == 10 and text[4] == text[7] == "-":
        found = date.fromisoformat(text)
        if not EARLIEST.date() <= found <= LATEST.date():
            raise ValueError(text)
        return found
    if not _INSTANT.fullmatch(text):
        raise ValueError(text)
    parse_instant(text)
    return date.fromisoformat(text[:10])
