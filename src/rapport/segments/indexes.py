"""Indexes of leaves on one field: which of thousands of conditions a value fulfils, without trying each.

Every index answers one question, "for which of your leaves does the test hold?", in a form that two answers can be
compared by: `differing` then yields the owners (positions of segments) of those leaves for which they differ. The
negation of an operator does not matter here: a leaf flips when its test does.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

from rapport.segments.operators import Index
from rapport.segments.times import Clock

Owners = list[int]
# As `Check` and `Watch` of a leaf, of whatever the leaves of an index look at.
_Test = Callable[[Any, Clock], bool]
_Watch = Callable[[Any, Clock], tuple[bool, int | None]]
Slice = tuple[int, int]
Key = int | Decimal


@dataclass(frozen=True, slots=True)
class Clocks:
    """The moment of a change, and up to which moment the passing of time has been dealt with for sure."""

    now: Clock
    ticked: Clock


class LeafIndex(Protocol):
    """Some leaves on one field that are found in one way."""

    def add(self, operands: Sequence[Any], owner: int) -> None:
        """Take in a leaf of the segment at position `owner`."""

    def holding(self, values: Sequence[Any], clock: Clock) -> Any:
        """Tell which leaves hold for the values of the field, in a form that `differing` understands."""

    def differing(self, one: Any, other: Any) -> Iterator[Owners]:
        """Yield the owners of the leaves that hold in just one of two answers."""

    def crossed(self, values: Sequence[Any], at: Clocks, *, ahead: bool) -> Iterator[Owners]:
        """Yield the owners of the leaves that time has turned for these values since the last tick, if only briefly.

        Without `ahead`, none of the values was later than the clock when it was written.
        """


class Equal:
    """Leaves that hold if a value is among their operands, or begins or ends with one."""

    def __init__(self, index: Index) -> None:
        """Find by `index`: EQUAL, PREFIX or SUFFIX."""
        self._index = index
        self._owners: dict[Any, Owners] = defaultdict(list)
        self._lengths: set[int] = set()

    def add(self, operands: Sequence[Any], owner: int) -> None:
        """Take in a leaf."""
        for operand in operands:
            self._owners[operand].append(owner)
            if self._index is not Index.EQUAL:
                self._lengths.add(len(operand))

    def holding(self, values: Sequence[Any], _clock: Clock) -> Any:
        """Return the operands that are met."""
        if self._index is Index.EQUAL:
            return {value for value in values if value in self._owners}
        return {part for value in values for part in self._parts(value) if part in self._owners}

    def _parts(self, value: str) -> Iterator[str]:
        for length in self._lengths:
            if length <= len(value):
                yield value[:length] if self._index is Index.PREFIX else value[len(value) - length :]

    def differing(self, one: Any, other: Any) -> Iterator[Owners]:
        """Yield the owners of the operands that only one answer has."""
        for operand in one ^ other:
            yield self._owners[operand]

    def crossed(self, _values: Sequence[Any], _at: Clocks, *, ahead: bool) -> Iterator[Owners]:
        """Yield nothing: these do not depend on the time."""
        _ = ahead
        return iter(())


def _ages(values: Sequence[int], clock: Clock) -> list[int]:
    return [clock.now - value for value in values]


def _past(values: Sequence[int], clock: Clock) -> list[int]:
    return [clock.now - value for value in values if value <= clock.now]


def _ahead(values: Sequence[int], clock: Clock) -> list[int]:
    return [value - clock.now for value in values if value > clock.now]


# How a sorted index reads values, which of them decides, which operand of a leaf does, and which thresholds then hold:
# those below (or up to) the deciding value, or those above (or from) it.
_Read = Callable[[Sequence[Any], Clock], Sequence[Any]]
_Choose = Callable[[Iterable[Any]], Any]
_SORTED: dict[Index, tuple[_Read, _Choose, _Choose, Callable[[Sequence[Any], Any], int], bool]] = {
    Index.OVER: (lambda values, _clock: values, max, min, bisect_left, True),
    Index.FROM: (lambda values, _clock: values, max, min, bisect_right, True),
    Index.UNDER: (lambda values, _clock: values, min, max, bisect_right, False),
    Index.UP_TO: (lambda values, _clock: values, min, max, bisect_left, False),
    Index.PAST_OVER: (_ages, max, min, bisect_left, True),
    Index.PAST_UNDER: (_past, min, max, bisect_right, False),
    Index.AHEAD_OVER: (lambda values, clock: [value - clock.now for value in values], max, min, bisect_left, True),
    Index.AHEAD_UNDER: (_ahead, min, max, bisect_right, False),
}


class Thresholds:
    """Leaves in order; for any value those that hold stand together."""

    def __init__(self) -> None:
        """Start empty."""
        self._found: dict[Key, Owners] = {}
        self._ordered: list[Key] | None = None

    def put(self, threshold: Key, owner: int) -> None:
        """Take in a leaf."""
        self._found.setdefault(threshold, []).append(owner)
        self._ordered = None

    @property
    def ordered(self) -> list[Key]:
        """The thresholds in order."""
        if self._ordered is None:
            self._ordered = sorted(self._found)
        return self._ordered

    def differing(self, one: Slice, other: Slice) -> Iterator[Owners]:
        """Yield the owners of what only one of two slices has."""
        if one == other:
            return
        parts = [one, other]
        if max(one[0], other[0]) < min(one[1], other[1]):
            parts = [(min(one[0], other[0]), max(one[0], other[0])), (min(one[1], other[1]), max(one[1], other[1]))]
        for part in parts:
            yield from self.inside(part)

    def inside(self, part: Slice) -> Iterator[Owners]:
        """Yield the owners of the thresholds in a slice."""
        for threshold in self.ordered[part[0] : part[1]]:
            yield self._found[threshold]

    def crossed(self, moment: int, at: Clocks, *, ahead: bool, looks_ahead: bool = False) -> Iterator[Owners]:
        """Yield the owners of the spans, to the past or (`looks_ahead`) to the future, whose end has passed a moment.

        That is since the last tick. All of them begin or end at the moment itself: where it was still to come when it
        was written (`ahead`) and has come since, each has turned.
        """
        if ahead and at.ticked.now < moment <= at.now.now:
            return self.inside((0, len(self.ordered)))
        nearest, furthest = at.ticked.now - moment, at.now.now - moment
        if looks_ahead:
            nearest, furthest = -furthest, -nearest
        return self.inside((bisect_left(self.ordered, nearest - 1), bisect_right(self.ordered, furthest + 1)))


class Sorted:
    """Leaves that compare a number, or the distance of an instant from now, with a threshold."""

    def __init__(self, index: Index) -> None:
        """Find by one of the sorted ways."""
        self._read, self._decide, self._strictest, self._bisect, self._below = _SORTED[index]
        self._looks_ahead = index in (Index.AHEAD_OVER, Index.AHEAD_UNDER)
        self._thresholds = Thresholds()

    def add(self, operands: Sequence[Any], owner: int) -> None:
        """Take in a leaf: of several operands the easiest to meet decides."""
        self._thresholds.put(self._strictest(operands), owner)

    def holding(self, values: Sequence[Any], clock: Clock) -> Slice:
        """Return the slice of thresholds that are met."""
        compared = self._read(values, clock)
        if not compared:
            return 0, 0
        ordered = self._thresholds.ordered
        place = self._bisect(ordered, self._decide(compared))
        return (0, place) if self._below else (place, len(ordered))

    def differing(self, one: Slice, other: Slice) -> Iterator[Owners]:
        """Yield the owners of the thresholds between."""
        return self._thresholds.differing(one, other)

    def crossed(self, values: Sequence[Any], at: Clocks, *, ahead: bool) -> Iterator[Owners]:
        """Yield the owners of the leaves that time has turned, for a while at least."""
        for value in values:
            yield from self._thresholds.crossed(value, at, ahead=ahead, looks_ahead=self._looks_ahead)


class Each:
    """Leaves for which there is no order: each distinct test is tried."""

    def __init__(self) -> None:
        """Start empty."""
        self._tests: dict[Any, tuple[_Test, Owners, _Watch | None]] = {}

    def put(self, key: Any, test: _Test, owner: int, watch: _Watch | None = None) -> None:
        """Take in a leaf; `key` is equal for leaves with the same test. `watch` as that of a leaf."""
        self._tests.setdefault(key, (test, [], watch))[1].append(owner)

    def holding(self, subject: Any, clock: Clock) -> tuple[bool, ...]:
        """Return what each test says of the subject."""
        return tuple(test(subject, clock) for test, _, _ in self._tests.values())

    def differing(self, one: tuple[bool, ...], other: tuple[bool, ...]) -> Iterator[Owners]:
        """Yield the owners of the tests that say something else."""
        for first, second, (_, owners, _) in zip(one, other, self._tests.values(), strict=True):
            if first != second:
                yield owners

    def crossed(self, subject: Any, at: Clocks) -> Iterator[Owners]:
        """Yield the owners of the tests that time has turned since the last tick, for a while at least."""
        for _, owners, watch in self._tests.values():
            until = None if watch is None else watch(subject, at.ticked)[1]
            if until is not None and until <= at.now.now:
                yield owners
