"""Sessions on the wire (`Session` of the reference)."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from rapport.core.errors import InvalidPayload
from rapport.core.ids import new_id

DEFAULT_DAYS = 7
MAX_DAYS = 366

_UNITS = {
    "DAYS": timedelta(days=1),
    "HOURS": timedelta(hours=1),
    "MINUTES": timedelta(minutes=1),
    "SECONDS": timedelta(seconds=1),
    "MILLISECONDS": timedelta(milliseconds=1),
    "MICROSECONDS": timedelta(microseconds=1),
}
_NANOSECONDS_IN_ONE = 1_000

SessionKey = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"\A[^\x00]+\Z")]
Unit = Literal["DAYS", "HOURS", "MICROSECONDS", "MILLISECONDS", "MINUTES", "NANOSECONDS", "SECONDS"]


class SessionInput(msgspec.Struct, kw_only=True):
    """What a request says about its session: with a type it opens one, or else it names the one it belongs to."""

    type: Literal["LOCK"] | None = None
    key: SessionKey | None = None
    ttl: Annotated[float, Meta(gt=0)] | None = None
    ttl_unit: Unit | None = None


class SessionAnswer(msgspec.Struct, kw_only=True):
    """The session that a validation opened."""

    key: str
    type: Literal["LOCK"]
    ttl: float | int
    ttl_unit: Unit


class Session(msgspec.Struct, frozen=True):
    """A session to be opened."""

    key: str
    ttl: float
    ttl_unit: str

    def expires_at(self, now: datetime) -> datetime:
        """Return when it ends if it begins now, a whole millisecond later at least."""
        return now + _span(self.ttl, self.ttl_unit)


def _span(ttl: float, unit: str) -> timedelta:
    if unit == "NANOSECONDS":
        ttl, unit = ttl / _NANOSECONDS_IN_ONE, "MICROSECONDS"
    most = timedelta(days=MAX_DAYS)
    if ttl > most / _UNITS[unit]:
        raise InvalidPayload(f"Property .session.ttl is longer than {MAX_DAYS} days")
    return max(timedelta(milliseconds=1), ttl * _UNITS[unit])


def opened(data: SessionInput | None) -> Session | None:
    """Return the session that a validation opens, if it does. Raises InvalidPayload.

    Without a key it gets one; without a time it lasts a week.
    """
    if data is None or data.type is None:
        return None
    if (data.ttl is None) is not (data.ttl_unit is None):
        missing = "ttl" if data.ttl is None else "ttl_unit"
        raise InvalidPayload(f"Property .session.{missing} is required beside the other")
    ttl, unit = (DEFAULT_DAYS, "DAYS") if data.ttl is None or data.ttl_unit is None else (data.ttl, data.ttl_unit)
    _span(ttl, unit)
    return Session(data.key or new_id("ssn"), ttl, unit)


def view(session: Session) -> dict[str, Any]:
    """Return the session as answers show it."""
    ttl = int(session.ttl) if session.ttl == int(session.ttl) else session.ttl
    return {"key": session.key, "type": "LOCK", "ttl": ttl, "ttl_unit": session.ttl_unit}
