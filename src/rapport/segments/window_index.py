"""An index of the leaves that count events or orders of one kind: which of them turn when one more happens. Pure."""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import NamedTuple

from rapport.segments.indexes import Clocks, Each, Owners, Slice, Thresholds
from rapport.segments.operators import Form, Index, Presence, ValueTest
from rapport.segments.times import Clock
from rapport.segments.tree import Facts, Leaf, Window

Pairs = Sequence[tuple[int, int]]
_FOREVER = 2**62


class _Holding(NamedTuple):
    slices: tuple[Slice, ...]
    tests: tuple[bool, ...]


class WindowIndex:
    """The leaves that look at the events (or orders) of one name, with the same fixed bounds and conditions.

    "More than k in the last W" holds for every W greater than the age of the newest but k: for each k, the leaves that
    hold are those above a place in the order of their W.
    """

    def __init__(self) -> None:
        """Start empty."""
        self._counts: dict[tuple[Index, int], Thresholds] = {}
        self._each = Each()
        self._limit: int | None = 0
        self._longest: timedelta | None = timedelta(0)
        self._window: Window | None = None

    def add(self, leaf: Leaf, window: Window, owner: int) -> None:
        """Take in a leaf."""
        self._window = window
        if self._longest is not None:
            self._longest = None if window.last is None else max(self._longest, window.last)
        counted = _counted(leaf)
        if counted is None:
            self._limit = None
            key = leaf.operator.name, leaf.operands, window
            self._each.put(key, _test(leaf, window), owner, _watch(leaf, window))
            return
        if self._limit is not None:
            self._limit = max(self._limit, counted[1] + 2)
        last = _FOREVER if window.last is None else window.last // timedelta(milliseconds=1)
        self._counts.setdefault(counted, Thresholds()).put(last, owner)

    @property
    def probe(self) -> Window:
        """What has to be loaded to ask the index."""
        if self._window is None:
            raise AssertionError("an index without leaves")
        return replace(self._window, last=self._longest, limit=self._limit)

    def holding(self, pairs: Pairs, clock: Clock) -> _Holding:
        """Tell which leaves hold when these are the events, newest first."""
        past = [pair for pair in pairs if pair[0] <= clock.now]
        ages = [clock.now - at for at, _ in past]
        slices = tuple(_slice(index, count, found, ages) for (index, count), found in self._counts.items())
        return _Holding(slices, self._each.holding(past, clock))

    def differing(self, one: _Holding, other: _Holding) -> Iterator[Owners]:
        """Yield the owners of the leaves that hold in just one of two answers."""
        for found, first, second in zip(self._counts.values(), one.slices, other.slices, strict=True):
            yield from found.differing(first, second)
        yield from self._each.differing(one.tests, other.tests)

    def crossed(self, pairs: Pairs, at: Clocks, *, ahead: bool) -> Iterator[Owners]:
        """Yield the owners of the leaves that time has turned since the last tick, for a while at least.

        Without `ahead`, none of the events was later than the clock when it was written.
        """
        for moment, _ in pairs:
            for found in self._counts.values():
                yield from found.crossed(moment, at, ahead=ahead)
        yield from self._each.crossed(pairs, at)


def _counted(leaf: Leaf) -> tuple[Index, int] | None:
    """Return how a leaf compares the number of events, and with what; None where it does something else."""
    meaning = leaf.operator.meanings[leaf.field.kind]
    if isinstance(meaning, Presence):
        return Index.OVER, 0
    if not isinstance(meaning, ValueTest) or meaning.form is not Form.COUNT:
        return None
    numbers = [int(str(operand)) for operand in leaf.operands]
    if meaning.index is Index.OVER:
        return Index.OVER, min(numbers)
    if meaning.index is Index.UNDER:
        return Index.UNDER, max(numbers)
    return (Index.EQUAL, numbers[0]) if len(numbers) == 1 else None


def _reach(found: Thresholds, count: int, ages: Sequence[int]) -> int:
    """Return from where on the windows have at least `count` events in them."""
    if count == 0:
        return 0
    return bisect_right(found.ordered, ages[count - 1]) if len(ages) >= count else len(found.ordered)


def _slice(index: Index, count: int, found: Thresholds, ages: Sequence[int]) -> Slice:
    if index is Index.UNDER:
        return 0, _reach(found, count, ages)
    first = _reach(found, count + 1 if index is Index.OVER else count, ages)
    last = len(found.ordered) if index is Index.OVER else _reach(found, count + 1, ages)
    return (first, last) if first < last else (0, 0)


def _test(leaf: Leaf, window: Window) -> Callable[[Pairs, Clock], bool]:
    def test(pairs: Pairs, clock: Clock) -> bool:
        return leaf.check(Facts(None, frozenset(), {window: pairs}), clock)

    return test


def _watch(leaf: Leaf, window: Window) -> Callable[[Pairs, Clock], tuple[bool, int | None]] | None:
    watch = leaf.watch

    def watched(pairs: Pairs, clock: Clock) -> tuple[bool, int | None]:
        return watch(Facts(None, frozenset(), {window: pairs}), clock) if watch else (False, None)

    return watched if watch else None
