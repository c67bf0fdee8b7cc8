"""From what changed about a customer straight to the segments whose membership may change with it. Pure.

A leaf that says the same about the customer before and after cannot turn its segment. So the leaves of all segments are
kept by field, in indexes (`indexes.py`), and a change is answered by the owners of the leaves that flip. What comes out
may be too much, never too little: those segments are then evaluated in full.

The cost of a change follows the fields that changed and the leaves that flip, not the number of segments.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from rapport.core.clock import LATEST
from rapport.core.jsons import alike
from rapport.customers.models import Customer
from rapport.segments.evaluate import values_as
from rapport.segments.fields import Field, Kind
from rapport.segments.indexes import Clocks, Each, Equal, LeafIndex, Sorted
from rapport.segments.json_values import moment_of, number_of, text_of
from rapport.segments.models import Definition, StoredMoment
from rapport.segments.operators import Form, Index, Recurring, TimeTest, ValueTest
from rapport.segments.times import Clock, Day, Moment, day_ms, start
from rapport.segments.tree import Facts, Group, Leaf, leaves
from rapport.segments.window_index import WindowIndex

# Nobody: what a new customer is compared with. Its times lie beyond every span that a filter can name.
BLANK = Customer(id="", created_at=LATEST, updated_at=LATEST)
_NOTHING = Facts(BLANK, frozenset(), {})

_ANYTIME = Clock(datetime.fromisoformat("2000-01-01T00:00:00+00:00"), ZoneInfo("UTC"))

Positions = set[int]
# What a new customer usually comes with; of the rest they have nothing yet.
_BROUGHT = frozenset(
    ("source_id", "name", "description", "email", "phone", "birthdate", "address", "metadata", "system_metadata",
     "source")
)  # fmt: skip

# Fields that are a column with an index of its own: customers_by_…
COLUMNS = {
    "created_at": "created_at",
    "updated_at": "updated_at",
    "summary.orders.last_order_date": "last_order_at",
    "birthdate": "birthdate",
    "birthday": "birthdate",
}


def clocks(now: datetime, ticked_to: datetime | None, zone: ZoneInfo) -> Clocks:
    """Return the clocks of a change; without a tick yet, time has been dealt with up to now."""
    return Clocks(Clock(now, zone), Clock(now if ticked_to is None else min(ticked_to, now), zone))


def stored_moment(moment: Moment) -> StoredMoment:
    """Return how a date is stored."""
    return (
        StoredMoment(is_day=True, at=day_ms(moment.ordinal))
        if isinstance(moment, Day)
        else StoredMoment(is_day=False, at=moment)
    )


class FieldTests:
    """The leaves on one field."""

    def __init__(self, field: Field) -> None:
        """Start without leaves."""
        self.field = field
        self.is_timed = False
        self._indexes: dict[Any, tuple[LeafIndex, Callable[[Customer, Clock], Sequence[Any]], bool]] = {}
        self._each: dict[bool, Each] = {}

    def add(self, leaf: Leaf, owner: int) -> None:
        """Take in a leaf of the segment at position `owner`."""
        meaning = leaf.operator.meanings[self.field.kind]
        timed = leaf.watch is not None
        self.is_timed |= timed
        index = meaning.index if isinstance(meaning, ValueTest | TimeTest) else Index.EACH
        if index in (Index.EACH, Index.SAME) or (isinstance(meaning, TimeTest) and not timed):
            key = (meaning if isinstance(meaning, Recurring) else id(meaning), leaf.operands)
            self._each.setdefault(timed, Each()).put(key, leaf.check, owner, leaf.watch)
            return
        form = meaning.form if isinstance(meaning, ValueTest) else None
        if (form, index) not in self._indexes:
            found: LeafIndex = Equal(index) if index in (Index.EQUAL, Index.PREFIX, Index.SUFFIX) else Sorted(index)
            self._indexes[form, index] = found, self._reader(form), timed
        self._indexes[form, index][0].add(leaf.operands, owner)

    def _reader(self, form: Form | None) -> Callable[[Customer, Clock], Sequence[Any]]:
        if form is Form.COUNT:
            read = self.field.read
            return lambda customer, _clock: [len(read(customer))]
        if form is None:
            moments = values_as(self.field, moment_of)
            return lambda customer, clock: [start(moment, clock.zone) for moment in moments(customer)]
        values = values_as(self.field, text_of if form is Form.TEXT else number_of)
        return lambda customer, _clock: list(values(customer))

    def flips(self, old: Customer, new: Customer, at: Clocks, found: Positions, *, ahead: bool) -> None:
        """Add the owners of the leaves that differ between old and new, or turned for the old since the last tick.

        `ahead`: a date of the customer may have been still to come when it was written.
        """
        for index, read, timed in self._indexes.values():
            before, after = read(old, at.now), read(new, at.now)
            for owners in index.differing(index.holding(before, at.now), index.holding(after, at.now)):
                found.update(owners)
            for owners in index.crossed(before, at, ahead=ahead) if timed else ():
                found.update(owners)
        for timed, each in self._each.items():
            one, other = Facts(old, frozenset(), {}), Facts(new, frozenset(), {})
            for owners in each.differing(each.holding(one, at.now), each.holding(other, at.now)):
                found.update(owners)
            for owners in each.crossed(one, at) if timed else ():
                found.update(owners)

    def moments(self, customer: Customer, clock: Clock) -> set[StoredMoment]:
        """Return the dates of the field that `segment_moments` has to hold, for the passing of time to find them.

        All there are; of a column, which has an index of its own, those that are still to come.
        """
        found = values_as(self.field, moment_of)(customer)
        is_column = self.field.path in COLUMNS
        return {stored_moment(one) for one in found if not is_column or start(one, clock.zone) > clock.now}


def guards(node: Leaf | Group, varieties: Mapping[str, Collection[Any]]) -> list[Leaf] | None:
    """Return leaves of which one has to hold for the whole to hold, and none of which holds for nobody at all. Pure.

    None where there are no such leaves. Where there is a choice, those that few new customers fulfil; `varieties` has
    the operands that there are on a field in all, and many of them mean that each fits few.
    """
    if isinstance(node, Leaf):
        # Two times that BLANK has; where their days begin is a matter of the zone.
        is_set = node.field.attribute in {"created_at", "updated_at"}
        return None if is_set or node.check(_NOTHING, _ANYTIME) else [node]
    found = [guards(child, varieties) for child in node.children]
    known = [some for some in found if some is not None]
    if node.junction == "or":
        return [leaf for some in known for leaf in some] if len(known) == len(found) else None
    return min(known, key=lambda some: max(_commonness(leaf, varieties) for leaf in some), default=None)


def _commonness(leaf: Leaf, varieties: Mapping[str, Collection[Any]]) -> tuple[int, int]:
    """Return something the greater, the more new customers probably fulfil a leaf."""
    if leaf.window is not None or leaf.field.kind is Kind.SEGMENTS or leaf.field.attribute not in _BROUGHT:
        return 0, 0
    meaning = leaf.operator.meanings[leaf.field.kind]
    index = meaning.index if isinstance(meaning, ValueTest) else Index.EACH
    exact = not leaf.operator.negated and index in {Index.EQUAL, Index.PREFIX, Index.SUFFIX}
    return 1 if exact else 2, -len(varieties[leaf.field.path])


class Fields:
    """The leaves of many segments by the fields that they are on."""

    def __init__(self, owned: Iterable[tuple[Leaf, int]]) -> None:
        """Index leaves, each with the position of its segment."""
        self.by_path: dict[str, FieldTests] = {}
        for leaf, owner in owned:
            self.by_path.setdefault(leaf.field.path, FieldTests(leaf.field)).add(leaf, owner)
        self._whole: dict[str, list[FieldTests]] = defaultdict(list)
        self._keyed: dict[str, dict[str, list[FieldTests]]] = defaultdict(lambda: defaultdict(list))
        for tests in self.by_path.values():
            attribute, key = tests.field.attribute or "", tests.field.key
            (self._whole[attribute] if key is None else self._keyed[attribute][key]).append(tests)

    def touched(self, old: Customer, new: Customer) -> Iterator[FieldTests]:
        """Yield the tests of the fields in which two states of a customer differ."""
        for attribute, whole in self._whole.items():
            if not alike(getattr(old, attribute), getattr(new, attribute)):
                yield from whole
        for attribute, keyed in self._keyed.items():
            before, after = getattr(old, attribute), getattr(new, attribute)
            if before is after:
                continue
            for key in before.keys() | after.keys():
                if key in keyed and not alike(before.get(key), after.get(key)):
                    yield from keyed[key]


class Matcher:
    """All segments with filters of a project, in the order in which they are evaluated, and the ways to find them."""

    def __init__(self, definitions: Sequence[Definition]) -> None:
        """Index `definitions`, each of which stands after those that its filter names."""
        self.ordered = tuple(definitions)
        self.position = {one.id: number for number, one in enumerate(self.ordered)}
        self.always = frozenset(number for number, one in enumerate(self.ordered) if one.always)
        self.windows: dict[tuple[str, str], dict[Any, WindowIndex]] = defaultdict(dict)
        self.timed: dict[tuple[str, str, tuple[Any, ...]], tuple[Leaf, Positions]] = {}
        self._naming: dict[str, Positions] = defaultdict(set)
        owned: list[tuple[Leaf, int]] = []
        for number, one in enumerate(self.ordered):
            owned += [(leaf, number) for leaf in leaves(one.filter.root) if self._is_own(leaf, number)]
        self._fields = Fields(owned)
        self.timed_fields = [tests for tests in self._fields.by_path.values() if tests.is_timed]
        # What time is watched in for segments that are being filled: whoever is decided about has to have it stored.
        filling = [leaf for number in sorted(self.always) for leaf in leaves(self.ordered[number].filter.root)]
        paths = {leaf.field.path for leaf in filling if leaf.watch is not None and leaf.window is None}
        self.watched_while_filling = [tests for path, tests in self._fields.by_path.items() if path in paths]
        self.windows_while_filling = list(dict.fromkeys(leaf.window for leaf in filling if leaf.window is not None))
        # Who nobody at all would be in: what a new customer has to be looked at for whatever they are.
        self.baseline = frozenset(
            number for number, one in enumerate(self.ordered) if one.filter.root.check(_NOTHING, _ANYTIME)
        )
        self._followers: dict[str, frozenset[int]] = {}

    @cached_property
    def of_new(self) -> Fields:
        """The leaves by which to find the segments that a new customer may be in.

        Of a segment that nobody at all would be in, that is `guards`; of the others all.
        """
        varieties: dict[str, set[Any]] = defaultdict(set)
        for tree in (one.filter.root for one in self.ordered):
            for leaf in leaves(tree):
                varieties[leaf.field.path].update(leaf.operands)
        owned: list[tuple[Leaf, int]] = []
        for number, one in enumerate(self.ordered):
            found = guards(one.filter.root, varieties)
            owned += [
                (leaf, number)
                for leaf in (leaves(one.filter.root) if found is None else found)
                if leaf.window is None and leaf.field.kind is not Kind.SEGMENTS
            ]
        return Fields(owned)

    def _is_own(self, leaf: Leaf, owner: int) -> bool:
        """Take in a leaf; return whether it is one on the customer's own data."""
        if leaf.watch is not None:
            key = (leaf.field.path, leaf.operator.name, leaf.operands if leaf.window is None else (leaf.window,))
            self.timed.setdefault(key, (leaf, set()))[1].add(owner)
        if leaf.window is not None:
            group = leaf.window.after, leaf.window.before, leaf.window.where
            indexes = self.windows[leaf.window.source, leaf.window.name]
            indexes.setdefault(group, WindowIndex()).add(leaf, leaf.window, owner)
        elif leaf.field.kind is Kind.SEGMENTS:
            for segment_id in leaf.operands:
                self._naming[str(segment_id)].add(owner)
        else:
            return True
        return False

    def touched(self, old: Customer, new: Customer) -> Iterator[FieldTests]:
        """Return the tests of the fields in which two states of a customer differ."""
        return self._fields.touched(old, new)

    def followers(self, segment_id: str) -> frozenset[int]:
        """Return the segments that name this one in their filters, or name one that does, and so on."""
        known = self._followers.get(segment_id)
        if known is None:
            direct = self.naming(segment_id)
            further = (self.followers(self.ordered[number].id) for number in direct)
            known = self._followers[segment_id] = frozenset(direct).union(*further)
        return known

    def naming(self, segment_id: str) -> AbstractSet[int]:
        """Return the segments whose filters name this one."""
        return self._naming.get(segment_id, frozenset())
