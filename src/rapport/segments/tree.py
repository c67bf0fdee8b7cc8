"""A filter as a value: groups of leaves, and the windows of events and orders that it looks through."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from rapport.segments.fields import Field
from rapport.segments.operators import Operator
from rapport.segments.times import EARLIEST_MS, LATEST_MS, Clock, Day, Moment, from_ms, start

# No condition of a Where depends on the time.
_ANY_TIME = datetime(1970, 1, 1, tzinfo=UTC)

EVENTS = "events"
ORDERS = "orders"


@dataclass(frozen=True, slots=True)
class Window:
    """Which events or orders of a customer a leaf counts: those in the bounds that fit `where`.

    `source`: EVENTS, those called `name`; or ORDERS, those that count (PAID or FULFILLED). `last` reaches back from
    now; a Day in `after` or `before` excludes the whole day in the project's time zone. `limit`: so many of the newest
    decide; None where all do.
    """

    source: str
    name: str
    last: timedelta | None
    after: Moment | None
    before: Moment | None
    where: "Where | None"
    limit: int | None

    def fixed(self, zone: ZoneInfo) -> tuple[int, int]:
        """Return the bounds that time does not move: first included and first excluded instant, in milliseconds."""
        lower, upper = EARLIEST_MS, LATEST_MS
        if self.after is not None:
            following = Day(self.after.ordinal + 1) if isinstance(self.after, Day) else self.after + 1
            lower = start(following, zone)
        if self.before is not None:
            upper = start(self.before, zone)
        return lower, upper

    def bounds(self, now: datetime, zone: ZoneInfo, *, ahead: bool = False) -> tuple[datetime, datetime]:
        """Return what to load: `created_at >=` the first and `<` the second. Later than `now` only if `ahead`."""
        clock = Clock(now, zone)
        lower, upper = self.fixed(zone)
        if self.last is not None:
            lower = max(lower, clock.now - self.last // timedelta(milliseconds=1) + 1)
        return _clamped(lower), _clamped(upper if ahead else min(upper, clock.now + 1))


def _clamped(instant: int) -> datetime:
    found = from_ms(min(max(instant, EARLIEST_MS), LATEST_MS))
    if found is None:
        raise AssertionError("unreachable: it was just clamped")
    return found


@dataclass(frozen=True, slots=True)
class Facts:
    """All that a filter may look at.

    `segments`: the ids of the segments the customer is in. `windows`: for each window of the filter what is in it, as
    (milliseconds since 1970, amount), newest first; a window that is not there has nothing. What lies after now may be
    in it: it does not count before its time, but then `until` knows of it. `customer` may be the values of one event
    or order instead, for the conditions of a `Where`.
    """

    customer: Any
    segments: AbstractSet[str]
    windows: Mapping[Window, Sequence[tuple[int, int]]]


Check = Callable[[Facts, Clock], bool]
Watch = Callable[[Facts, Clock], tuple[bool, int | None]]
"""Returns the verdict, and the first instant after now at which it may change; see `evaluate`."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """One operator with its operands on one field; `watch` is None where time alone changes nothing.

    `written` are the operands as they came in, `scope` what narrows the window, as it came in.
    """

    field: Field
    operator: Operator
    operands: tuple[object, ...]
    window: Window | None
    check: Check = dataclasses.field(compare=False, repr=False)
    watch: Watch | None = dataclasses.field(compare=False, repr=False)
    written: tuple[Any, ...] = dataclasses.field(compare=False, repr=False)
    scope: Mapping[str, Any] = dataclasses.field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Group:
    """Leaves and groups of which all (`and`) or any (`or`) must hold."""

    junction: str
    children: tuple["Leaf | Group", ...]
    check: Check = dataclasses.field(compare=False, repr=False)
    watch: Watch | None = dataclasses.field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Where:
    """Conditions on one event or order itself. Two are equal if they were written the same way, as `text`."""

    text: str
    root: Group = dataclasses.field(compare=False)

    def check(self, values: Mapping[str, Any], zone: ZoneInfo) -> bool:
        """Tell whether an event or order fits; `zone` is the project's.

        `values` of an event: `metadata`; of an order: `metadata`, `amount`, `total_amount`, `discount_amount`, `items`
        and `source_id`.
        """
        return self.root.check(Facts(values, frozenset(), {}), Clock(_ANY_TIME, zone))


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


def leaves(node: Leaf | Group) -> Iterator[Leaf]:
    """Yield the leaves of a filter, in the order in which they were written."""
    if isinstance(node, Leaf):
        yield node
    else:
        for child in node.children:
            yield from leaves(child)


def _size(node: Leaf | Group) -> int:
    if isinstance(node, Group):
        return sum(_size(child) for child in node.children)
    return 1 if node.window is None or node.window.where is None else 1 + _size(node.window.where.root)
