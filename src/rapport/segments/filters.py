"""Filters as they come in: JSON checked and read into a tree. What it means is docs/filters.md."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import Any

from rapport.core.errors import InvalidPayload
from rapport.segments import fields
from rapport.segments.contradictions import Test, exclude_each_other, is_empty
from rapport.segments.evaluate import build_group, build_leaf
from rapport.segments.fields import Field, Kind
from rapport.segments.operands import WrongOperand, nothing
from rapport.segments.operators import BY_NAME, Form, Meaning, Narrowing, Operator, Recurring, TimeTest, ValueTest
from rapport.segments.tree import EVENTS, ORDERS, Filter, Group, Leaf, Where, Window
from rapport.segments.windows import fields as row_fields

__all__ = ["Filter", "Group", "InvalidFilter", "Leaf", "Window", "parse"]

MAX_LEAVES = 200
MAX_DEPTH = 10
MAX_OPERANDS = 1000
MAX_OPERANDS_IN_ALL = 5000
SOURCES = {Kind.EVENTS: EVENTS, Kind.ORDERS: ORDERS}
_SHOWN = 200


class InvalidFilter(InvalidPayload):
    """The filter cannot be understood; the details name the place."""


def parse(raw: object, place: str = "filter") -> Filter:
    """Read a filter as the API takes it (`create-segment`, DESIGN §3). Raises InvalidFilter, beginning with `place`."""
    reader = _Reader()
    root = reader.group(raw, place, 1)
    return Filter(
        root=root,
        windows=tuple(dict.fromkeys(leaf.window for leaf in reader.leaves if leaf.window is not None)),
        segment_ids=frozenset(
            str(operand) for leaf in reader.leaves if leaf.field.kind is Kind.SEGMENTS for operand in leaf.operands
        ),
        fields=frozenset(leaf.field.path for leaf in reader.leaves),
    )


def parse_rows(raw: object, place: str, find: Callable[[str], Field]) -> Group:
    """Read a filter on the rows `r` of another table, whose fields `find` returns. Raises InvalidFilter.

    `find` raises UnknownField. `sql.compile_rows` writes it; there is no other evaluator.
    """
    return _Reader(find=find).group(raw, place, 1)


def place_of_segments(raw: Mapping[str, Any], place: str = "filter") -> str | None:
    """Return the place of the first condition on membership of other segments in a filter that has been parsed."""
    for key, value in raw.items():
        if key == "groups":
            inner = (place_of_segments(one, f"{place}.groups[{index}]") for index, one in enumerate(value))
            found = next(filter(None, inner), None)
            if found is not None:
                return found
        elif key != "junction" and fields.find(key).kind is Kind.SEGMENTS:
            return _place(place, key)
    return None


def _place(place: str, key: object) -> str:
    return f"{place}.{str(key)[:_SHOWN]}"


def _mapping(raw: object, place: str) -> Mapping[str, Any]:
    if not isinstance(raw, dict):
        raise InvalidFilter(f"{place}: must be an object")
    if not raw:
        raise InvalidFilter(f"{place}: must not be empty")
    return raw


@dataclass(frozen=True, slots=True)
class _Condition:
    """One operator as written, its operands read."""

    operator: Operator
    meaning: Meaning
    operands: tuple[Any, ...]
    written: tuple[Any, ...]
    place: str

    @property
    def follows_time(self) -> bool:
        """Whether time alone may change what it says."""
        meaning = self.meaning
        return isinstance(meaning, Recurring) or (isinstance(meaning, TimeTest) and meaning.holds is not None)

    def leaf(self, found: Field, window: Window | None = None, scope: Mapping[str, Any] | None = None) -> Leaf:
        return build_leaf(found, self.operator, self.operands, window, self.written, scope or {})


def _condition(found: Field, name: str, raw: object, place: str) -> _Condition:
    place = _place(place, name)
    operator = BY_NAME.get(name)
    if operator is None:
        raise InvalidFilter(f"{place}: unknown operator")
    meaning = operator.meanings.get(found.kind)
    if meaning is None:
        raise InvalidFilter(f"{place}: does not apply to a field of type {found.kind.value}")
    given = raw if isinstance(raw, list) else [raw]
    if len(given) > MAX_OPERANDS:
        raise InvalidFilter(f"{place}: has more than {MAX_OPERANDS} operands")
    if not given and meaning.read is not nothing:
        raise InvalidFilter(f"{place}: has no operand")
    try:
        operands = tuple(dict.fromkeys(meaning.read(one) for one in given or [True]))
    except WrongOperand as error:
        raise InvalidFilter(f"{place}: {error}") from None
    return _Condition(operator, meaning, operands, tuple(given), place)


@dataclass(slots=True)
class _Reader:
    """Reads one filter, or the conditions on the rows of one `source`, counting the leaves."""

    find: Callable[[str], Field] = fields.find
    source: str | None = None
    count: int = 0
    operands: int = 0
    leaves: list[Leaf] = field(default_factory=list)

    def group(self, raw: object, place: str, depth: int) -> Group:
        if depth > MAX_DEPTH:
            raise InvalidFilter(f"{place}: groups are nested deeper than {MAX_DEPTH} levels")
        children: list[Leaf | Group] = []
        junction = "and"
        for key, value in _mapping(raw, place).items():
            if key == "junction":
                junction = _junction(value, place)
            elif key == "groups":
                children += self._groups(value, f"{place}.groups", depth)
            else:
                children += self._field(str(key), value, place, depth)
        if not children:
            raise InvalidFilter(f"{place}: has no conditions")
        return build_group(junction, tuple(children))

    def _groups(self, raw: object, place: str, depth: int) -> list[Group]:
        if not isinstance(raw, list):
            raise InvalidFilter(f"{place}: must be a list")
        return [self.group(item, f"{place}[{index}]", depth + 1) for index, item in enumerate(raw)]

    def _field(self, name: str, raw: object, place: str, depth: int) -> list[Leaf | Group]:
        place = _place(place, name)
        try:
            found = self.find(name)
        except fields.UnknownField:
            raise InvalidFilter(f"{place}: unknown field") from None
        known = ("conditions", "where") if found.kind in SOURCES else ("conditions",)
        given = _mapping(raw, place)
        for key in given:
            if key not in known:
                raise InvalidFilter(f"{_place(place, key)}: unknown property")
        tests = self._conditions(found, given, f"{place}.conditions")
        tried = [Test(one.meaning, one.operands, one.operator.negated) for one in tests]
        if exclude_each_other(found.kind, [one for one in tried if not isinstance(one.meaning, Narrowing)]):
            raise InvalidFilter(f"{place}.conditions: can never hold together")
        if found.kind in SOURCES:
            leaves = self._windows(found, tests, given, place, depth)
        else:
            leaves = [one.leaf(found) for one in tests]
        self.leaves += leaves
        self.count += len(leaves)
        if self.count > MAX_LEAVES:
            raise InvalidFilter(f"{place}.conditions: the filter has more than {MAX_LEAVES} conditions")
        # Several operators on one field all have to hold, whatever joins the fields.
        return [*leaves] if len(leaves) == 1 else [build_group("and", tuple(leaves))]

    def _conditions(self, found: Field, given: Mapping[str, Any], place: str) -> list[_Condition]:
        if "conditions" not in given:
            return []
        conditions = _mapping(given["conditions"], place)
        read = [_condition(found, name, operands, place) for name, operands in conditions.items()]
        self.operands += sum(len(one.operands) for one in read)
        if self.operands > MAX_OPERANDS_IN_ALL:
            raise InvalidFilter(f"{place}: the filter has more than {MAX_OPERANDS_IN_ALL} operands in all")
        for one in read:
            if self.source is not None and one.follows_time:
                raise InvalidFilter(f"{one.place}: must not depend on the current time inside where")
        return read

    def _windows(
        self, found: Field, conditions: list[_Condition], given: Mapping[str, Any], place: str, depth: int
    ) -> list[Leaf]:
        """Read the conditions on events or orders: some narrow which of them count, the others count them."""
        narrowing = [one for one in conditions if isinstance(one.meaning, Narrowing)]
        tests = [one for one in conditions if not isinstance(one.meaning, Narrowing)]
        if not tests:
            tests = [_condition(found, "$has_value", True, place)]  # noqa: FBT003 (the operand)
        scope: dict[str, Any] = {one.operator.name: list(one.written) for one in narrowing}
        window = _window(found, narrowing)
        if is_empty(window):
            raise InvalidFilter(f"{place}.conditions: nothing can be both after and before")
        if "where" in given:
            window = replace(window, where=self._where(window.source, given["where"], f"{place}.where", depth))
            scope["where"] = given["where"]
        return [one.leaf(found, replace(window, limit=_limit(one)), scope) for one in tests]

    def _where(self, source: str, raw: object, place: str, depth: int) -> Where:
        inner = _Reader(partial(row_fields.find, source), source, self.count, self.operands)
        root = inner.group(raw, place, depth + 1)
        self.count, self.operands = inner.count, inner.operands
        return Where(repr(root), root)


def _junction(raw: object, place: str) -> str:
    junction = raw.lower() if isinstance(raw, str) else ""
    if junction not in ("and", "or"):
        raise InvalidFilter(f"{place}.junction: must be and, or")
    return junction


def _window(found: Field, narrowing: list[_Condition]) -> Window:
    bounds: dict[str, Any] = {}
    for one in narrowing:
        if len(one.operands) != 1:
            raise InvalidFilter(f"{one.place}: takes one operand")
        if isinstance(one.meaning, Narrowing):
            bounds[one.meaning.bound] = one.operands[0]
    last = bounds.get("last")
    return Window(
        source=SOURCES[found.kind],
        name=found.event or "",
        last=None if last is None else timedelta(milliseconds=last),
        after=bounds.get("after"),
        before=bounds.get("before"),
        where=None,
        limit=None,
    )


def _limit(condition: _Condition) -> int | None:
    """Return how many of the newest decide: one more than the greatest number they are compared with; None for all."""
    if isinstance(condition.meaning, ValueTest):
        return int(max(condition.operands)) + 1 if condition.meaning.form is Form.COUNT else None
    return 1
