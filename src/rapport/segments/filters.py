"""Filters as they come in: JSON checked and read into a tree. What it means is docs/filters.md."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from rapport.core.errors import InvalidPayload
from rapport.segments import fields
from rapport.segments.evaluate import build_group, build_leaf
from rapport.segments.fields import Field, Kind
from rapport.segments.operands import WrongOperand, nothing
from rapport.segments.operators import BY_NAME, Form, Meaning, Narrowing, Operator, ValueTest
from rapport.segments.tree import Filter, Group, Leaf, Window

__all__ = ["Filter", "Group", "InvalidFilter", "Leaf", "Window", "parse"]

MAX_LEAVES = 200
MAX_DEPTH = 10
MAX_OPERANDS = 1000
_SHOWN = 200


class InvalidFilter(InvalidPayload):
    """The filter cannot be understood; the details name the place."""


def parse(raw: object) -> Filter:
    """Read a filter as the API takes it (`create-segment`, DESIGN §3). Raises InvalidFilter."""
    reader = _Reader()
    root = reader.group(raw, "filter", 1)
    return Filter(
        root=root,
        windows=tuple(dict.fromkeys(leaf.window for leaf in reader.leaves if leaf.window is not None)),
        segment_ids=frozenset(
            str(operand) for leaf in reader.leaves if leaf.field.kind is Kind.SEGMENTS for operand in leaf.operands
        ),
        fields=frozenset(leaf.field.path for leaf in reader.leaves),
    )


def _place(place: str, key: object) -> str:
    return f"{place}.{str(key)[:_SHOWN]}"


def _mapping(raw: object, place: str) -> Mapping[str, Any]:
    if not isinstance(raw, dict):
        raise InvalidFilter(f"{place}: must be an object")
    if not raw:
        raise InvalidFilter(f"{place}: must not be empty")
    return raw


@dataclass(slots=True)
class _Reader:
    """Reads one filter, counting its leaves."""

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
                children += self._field(str(key), value, place)
        if not children:
            raise InvalidFilter(f"{place}: has no conditions")
        return build_group(junction, tuple(children))

    def _groups(self, raw: object, place: str, depth: int) -> list[Group]:
        if not isinstance(raw, list):
            raise InvalidFilter(f"{place}: must be a list")
        return [self.group(item, f"{place}[{index}]", depth + 1) for index, item in enumerate(raw)]

    def _field(self, name: str, raw: object, place: str) -> list[Leaf | Group]:
        place = _place(place, name)
        try:
            found = fields.find(name)
        except fields.UnknownField:
            raise InvalidFilter(f"{place}: unknown field") from None
        for key in _mapping(raw, place):
            if key != "conditions":
                raise InvalidFilter(f"{_place(place, key)}: unknown property")
        place = f"{place}.conditions"
        conditions = _mapping(_mapping(raw, place)["conditions"], place)
        tests = [_condition(found, name, operands, place) for name, operands in conditions.items()]
        leaves = _events(found, tests, place) if found.kind is Kind.EVENTS else [one.leaf(found) for one in tests]
        self.leaves += leaves
        if len(self.leaves) > MAX_LEAVES:
            raise InvalidFilter(f"{place}: the filter has more than {MAX_LEAVES} conditions")
        # Several operators on one field all have to hold, whatever joins the fields.
        return [*leaves] if len(leaves) == 1 else [build_group("and", tuple(leaves))]


def _junction(raw: object, place: str) -> str:
    junction = raw.lower() if isinstance(raw, str) else ""
    if junction not in ("and", "or"):
        raise InvalidFilter(f"{place}.junction: must be and, or")
    return junction


@dataclass(frozen=True, slots=True)
class _Condition:
    """One operator as written, its operands read."""

    operator: Operator
    meaning: Meaning
    operands: tuple[Any, ...]
    place: str

    def leaf(self, found: Field, window: Window | None = None) -> Leaf:
        return build_leaf(found, self.operator, self.operands, window)


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
    return _Condition(operator, meaning, operands, place)


def _events(found: Field, conditions: list[_Condition], place: str) -> list[Leaf]:
    """Read the conditions on the events of one name: some narrow which events count, the others count them."""
    bounds: dict[str, Any] = {}
    tests = []
    for one in conditions:
        if not isinstance(one.meaning, Narrowing):
            tests.append(one)
        elif len(one.operands) != 1:
            raise InvalidFilter(f"{one.place}: takes one operand")
        else:
            bounds[one.meaning.bound] = one.operands[0]
    if not tests:
        tests = [_condition(found, "$has_value", True, place)]  # noqa: FBT003 (the operand)
    last = bounds.get("last")
    leaves = []
    for one in tests:
        window = Window(
            name=found.event or "",
            last=None if last is None else timedelta(milliseconds=last),
            after=bounds.get("after"),
            before=bounds.get("before"),
            limit=_limit(one),
        )
        leaves.append(one.leaf(found, window))
    return leaves


def _limit(condition: _Condition) -> int:
    """Return how many events decide: one more than the greatest number they are compared with."""
    if isinstance(condition.meaning, ValueTest) and condition.meaning.form is Form.COUNT:
        return int(max(condition.operands)) + 1
    return 1
