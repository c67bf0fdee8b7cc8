"""When a customer will enter or leave a segment if nothing is written: a look ahead, step by step. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from rapport.segments.evaluate import Facts, evaluate
from rapport.segments.filters import Filter, Window

# At so many moments at which a part of a filter turns is the whole looked at; who would have to go on is not told.
MAX_STEPS = 1_000


def next_change(
    filters: Sequence[tuple[str, Filter]],
    customer: Any,
    members_of: AbstractSet[str],
    windows: Mapping[Window, Sequence[tuple[int, int]]],
    now: datetime,
    zone: ZoneInfo,
) -> datetime | None:
    """Return the moment at which the verdict of the last filter will be another, or None if there is none in sight.

    `filters`: the segments concerned, each after those that its filter names. `members_of`: the segments the customer
    is in; of those in `filters` it does not matter, for they follow the time as well. `windows` holds what lies after
    `now`, too.
    """
    turns = _turns(filters, customer, members_of, windows, now, zone)
    _, before = next(turns)
    for _, (at, verdict) in zip(range(MAX_STEPS), turns, strict=False):
        if verdict is not before:
            return at
    return None


def _turns(
    filters: Sequence[tuple[str, Filter]],
    customer: Any,
    members_of: AbstractSet[str],
    windows: Mapping[Window, Sequence[tuple[int, int]]],
    now: datetime,
    zone: ZoneInfo,
) -> Iterator[tuple[datetime, bool]]:
    """Yield the verdict of the last filter now and at each moment at which any of the filters may turn."""
    fixed = members_of - {segment_id for segment_id, _ in filters}
    at: datetime | None = now
    while at is not None:
        current = set(fixed)
        facts = Facts(customer, current, windows)
        verdict = False
        moments = []
        for segment_id, filter_ in filters:
            verdict, until = evaluate(filter_, facts, at, zone)
            if verdict:
                current.add(segment_id)
            if until is not None:
                moments.append(until)
        yield at, verdict
        at = min(moments, default=None)
