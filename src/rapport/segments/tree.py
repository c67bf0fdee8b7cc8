"""A filter as a value: groups of leaves, and the windows of events that it looks through."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from rapport.customers.models import Customer
from rapport.segments.fields import Field
from rapport.segments.operators import Operator
from rapport.segments.times import EARLIEST_MS, LATEST_MS, Clock, Day, Moment, from_ms, start


@dataclass(frozen=True, slots=True)
class Window:
    """Which events of a customer a leaf counts: those called `name`, in the bounds, the newest `limit` of them.

    `last` reaches back from now; a Day in `after` or `before` excludes the whole day in the project's time zone.
    """

    name: str
    last: timedelta | None
    after: Moment | None
    before: Moment | None
    limit: int

    def fixed(self, zone: ZoneInfo) -> tuple[int, int]:
        """Return the bounds that time does not move: first included and first excluded instant, in milliseconds."""
        lower, upper = EARLIEST_MS, LATEST_MS
        if self.after is not None:
            following = Day(self.after.ordinal + 1) if isinstance(self.after, Day) else self.after + 1
            lower = start(following, zone)
        if self.before is not None:
            upper = start(self.before, zone)
        return lower, upper

    def bounds(self, now: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
        """Return which events to load: `created_at >=` the first and `<` the second. Nothing later than `now` is in."""
        clock = Clock(now, zone)
        lower, upper = self.fixed(zone)
        if self.last is not None:
            lower = max(lower, clock.now - self.last // timedelta(milliseconds=1) + 1)
        return _clamped(lower), _clamped(min(upper, clock.now + 1))


def _clamped(instant: int) -> datetime:
    found = from_ms(min(max(instant, EARLIEST_MS), LATEST_MS))
    if found is None:
        raise AssertionError("unreachable: it was just clamped")
    return found


@dataclass(frozen=True, slots=True)
class Facts:
    """All that a filter may look at.

    `segments`: the ids of the segments the customer is in. `windows`: for each window of the filter the times of its
    events, newest first; a window that is not there has none. Times after now may be in it: they do not count before
    their time, but then `until` knows of them.
    """

    customer: Customer
    segments: AbstractSet[str]
    windows: Mapping[Window, Sequence[datetime]]


Check = Callable[[Facts, Clock], bool]
Watch = Callable[[Facts, Clock], tuple[bool, int | None]]
"""Returns the verdict, and the first instant after now at which it may change; see `evaluate`."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """One operator with its operands on one field; `watch` is None where time alone changes nothing."""

    field: Field
    operator: Operator
    operands: tuple[object, ...]
    window: Window | None
    check: Check = dataclasses.field(compare=False, repr=False)
    watch: Watch | None = dataclasses.field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Group:
    """Leaves and groups of which all (`and`) or any (`or`) must hold."""

    junction: str
    children: tuple["Leaf | Group", ...]
    check: Check = dataclasses.field(compare=False, repr=False)
    watch: Watch | None = dataclasses.field(compare=False, repr=False)


@dataclass(frozen=True)
class Filter:
    """A parsed filter; two are equal if they were written the same way."""

    root: Group
    windows: tuple[Window, ...] = dataclasses.field(compare=False)
    segment_ids: frozenset[str] = dataclasses.field(compare=False)
    fields: frozenset[str] = dataclasses.field(compare=False)

    @property
    def size(self) -> int:
        """How many conditions it has."""
        return _size(self.root)

    @property
    def time_dependent(self) -> bool:
        """Whether the verdict may change by the mere passing of time."""
        return self.root.watch is not None


def _size(node: Leaf | Group) -> int:
    return 1 if isinstance(node, Leaf) else sum(_size(child) for child in node.children)
