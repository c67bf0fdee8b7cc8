"""Bundles: goods that an order has to have together, and how many times over it has them. Pure.

`checked` makes the stored form of `bundle_rules`, `read` what it means, and `identify` finds the bundles in an order. A
unit of an order stands for one part of one bundle only. Units are handed out so that there are as many bundles as can
be; of what is short, SKUs get theirs first, then products, then product collections (`Bundle` of the reference).
"""

from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from rapport.rules import logic
from rapport.rules.errors import InvalidValidationRules
from rapport.rules.facts import Item
from rapport.rules.items import COLLECTION, Goods, read_goods

MAX_BUNDLES: Final = 100
MAX_PARTS: Final = 20
MAX_UNITS: Final = 100_000
_PART: Final = "order.items.any"
_QUANTITY: Final = "order.items.aggregated_quantity"
_FIRST: Final[Mapping[str | None, int]] = {"sku": 0, "product": 1, COLLECTION: 2}


@dataclass(frozen=True, slots=True)
class Part:
    """Some units of a product, of an SKU, or of anything in a product collection."""

    goods: Goods
    quantity: int


@dataclass(frozen=True, slots=True)
class Bundle:
    """What makes up one bundle; `limit`: so many of them count in one order."""

    parts: tuple[Part, ...]
    limit: int


class IdentifiedItem(msgspec.Struct, frozen=True, kw_only=True):
    """Units of a line of an order that belong to the bundles; `item_index` is the place of the line, from 0."""

    id: str
    object: str
    item_index: int
    item_quantity: int


class MissingItem(msgspec.Struct, frozen=True, kw_only=True):
    """Units that a first bundle lacks."""

    id: str
    object: str
    item_quantity: int


class Identified(msgspec.Struct, frozen=True, kw_only=True):
    """How many bundles an order has, and which of its units they are; with none, what there is of a first one."""

    quantity: int
    limit: int
    identified: tuple[IdentifiedItem, ...] = ()
    missing: tuple[MissingItem, ...] = ()

    def view(self) -> dict[str, Any]:
        """Return `Bundle` of the reference."""
        shown: dict[str, Any] = {"quantity": self.quantity, "limit": self.limit}
        shown["identified"] = [msgspec.to_builtins(one) for one in self.identified]
        return shown | ({"missing": [msgspec.to_builtins(one) for one in self.missing]} if self.missing else {})


def checked(raw: Any, path: str = ".bundle_rules") -> dict[str, Any]:
    """Return the stored form of `bundle_rules`, as the API shows it: empty without a part.

    Raises InvalidValidationRules.
    """
    if raw is None:
        return {}
    if not isinstance(raw, dict):
        raise InvalidValidationRules(f"Property {path} should be an object")
    given = {name: value for name, value in raw.items() if value is not None}
    limit = _whole(given.pop("limit", 1), f"{path}.limit", MAX_BUNDLES)
    text = given.pop("logic", None)
    if len(given) > MAX_PARTS:
        raise InvalidValidationRules(f"Property {path} may have {MAX_PARTS} rules")
    for number, rule in given.items():
        if not (number.isascii() and number.isdigit() and len(number) < 10):
            raise InvalidValidationRules(f"Property {path}.{number[:50]} should be named by a number")
        _part(rule, f"{path}.{number}")
    kept = {} if text is None else {"logic": _logic(text, given, f"{path}.logic")}
    return given | kept | {"limit": limit} if given else {}


def _logic(text: Any, given: Mapping[str, Any], path: str) -> str:
    """Return the logic, which can only say that all parts belong to the bundle."""
    if not isinstance(text, str):
        raise InvalidValidationRules(f"Property {path} should be string")
    try:
        expression = logic.parse(text)
    except logic.InvalidLogic as error:
        raise InvalidValidationRules(f"Property {path}: {error}") from error
    if text.strip() and (logic.names(expression) != set(given) or not _is_all(expression)):
        raise InvalidValidationRules(f"Property {path} should join all rules with 'and'")
    return text


def _is_all(expression: logic.Expression) -> bool:
    if isinstance(expression, logic.Every):
        return all(_is_all(part) for part in expression.parts)
    return isinstance(expression, logic.Rule)


def read(stored: Mapping[str, Any]) -> Bundle | None:
    """Return what stored `bundle_rules` mean; None without any. Raises InvalidValidationRules."""
    parts = [_part(rule, name) for name, rule in stored.items() if name not in ("limit", "logic")]
    return Bundle(tuple(parts), stored["limit"]) if parts else None


def _part(raw: Any, place: str) -> Part:
    if not isinstance(raw, dict) or raw.get("name") != _PART:
        raise InvalidValidationRules(f"Property {place}.name should be {_PART}")
    named = _only(raw.get("conditions"), f"{place}.conditions")
    if not isinstance(named, dict):
        raise InvalidValidationRules(f"Property {place}.conditions.$is should name a product, SKU or collection")
    goods = read_goods(named, f"Property {place}.conditions.$is")
    if named.get("object") is None or goods.id is None:
        raise InvalidValidationRules(f"Property {place}.conditions.$is should have an object and an id")
    kind = COLLECTION if goods.object == COLLECTION else "product_or_sku"
    if named.get("type") not in (None, kind):
        raise InvalidValidationRules(f"Property {place}.conditions.$is: the type of a {goods.object} is {kind}")
    return Part(Goods(goods.object, goods.id, None), _quantity(raw.get("rules"), f"{place}.rules"))


def _quantity(raw: Any, place: str) -> int:
    """Return how many units a part has: one, where nothing is said."""
    if raw is None or raw == {}:
        return 1
    if not isinstance(raw, dict):
        raise InvalidValidationRules(f"Property {place} should be an object")
    rules = [rule for name, rule in raw.items() if name != "logic"]
    if len(rules) > 1:
        raise InvalidValidationRules(f"Property {place} may have one rule")
    if not rules:
        return 1
    if not isinstance(rules[0], dict) or rules[0].get("name") != _QUANTITY:
        raise InvalidValidationRules(f"Property {place}: the name should be {_QUANTITY}")
    return _whole(_only(rules[0].get("conditions"), place), f"{place}: the quantity", MAX_UNITS)


def _only(conditions: Any, place: str) -> Any:
    """Return the one operand of the one operator that there is."""
    operands = conditions.get("$is") if isinstance(conditions, dict) and set(conditions) == {"$is"} else None
    if not isinstance(operands, list) or len(operands) != 1:
        raise InvalidValidationRules(f"Property {place} should have $is with one operand")
    return operands[0]


def _whole(value: Any, name: str, most: int) -> int:
    number = int(value) if isinstance(value, float) and value.is_integer() else value
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= most:
        prefix = name if name.startswith("Property") else f"Property {name}"
        raise InvalidValidationRules(f"{prefix} should be a whole number from 1 to {most}")
    return number


def collections_of(bundle: Bundle | None) -> frozenset[str]:
    """Return the product collections that a bundle names."""
    parts = () if bundle is None else bundle.parts
    return frozenset(one.goods.id for one in parts if one.goods.object == COLLECTION and one.goods.id is not None)


def identify(bundle: Bundle, items: Sequence[Item], collections: Mapping[str, frozenset[str]]) -> Identified:
    """Return how many bundles there are among the lines of an order, up to the limit. `collections`: see `Facts`."""
    fitting: dict[frozenset[int], list[Item]] = defaultdict(list)
    for item in items:
        parts = frozenset(place for place, one in enumerate(bundle.parts) if one.goods.has(item, collections))
        if parts and item.quantity > 0:
            fitting[parts].append(item)
    room = {parts: sum(item.quantity for item in lines) for parts, lines in fitting.items()}
    least, most = 0, bundle.limit
    while least < most:
        middle = (least + most + 1) // 2
        if _handed_out(bundle, room, middle).is_whole:
            least = middle
        else:
            most = middle - 1
    shares = _handed_out(bundle, room, max(1, least))
    missing = [
        MissingItem(id=str(part.goods.id), object=str(part.goods.object), item_quantity=lack)
        for part, lack in zip(bundle.parts, shares.lacking, strict=True)
        if lack
    ]
    return Identified(
        quantity=least, limit=bundle.limit, identified=_lines(fitting, shares), missing=() if least else tuple(missing)
    )


class _Shares:
    """Units handed out to the parts, from groups of lines that are of the same parts."""

    def __init__(self, bundle: Bundle, room: Mapping[frozenset[int], int], times: int) -> None:
        self.free = dict(room)
        self.lacking = [part.quantity * times for part in bundle.parts]
        self.given: dict[tuple[frozenset[int], int], int] = defaultdict(int)

    @property
    def is_whole(self) -> bool:
        return not any(self.lacking)

    def give(self, part: int) -> bool:
        """Give a part some units more, by handing others' units on where need be; return whether it could be done."""
        came: dict[int, tuple[frozenset[int], int] | None] = {part: None}
        queue = deque([part])
        while queue:
            taker = queue.popleft()
            for group, free in self.free.items():
                if taker not in group:
                    continue
                if free:
                    self._move(part, taker, group, came)
                    return True
                for owner in group:
                    if owner not in came and self.given[group, owner]:
                        came[owner] = (group, taker)
                        queue.append(owner)
        return False

    def _move(
        self, part: int, last: int, group: frozenset[int], came: Mapping[int, tuple[frozenset[int], int] | None]
    ) -> None:
        steps, taker = [], last
        while (step := came[taker]) is not None:
            steps.append((step[0], taker, step[1]))
            taker = step[1]
        units = min([self.lacking[part], self.free[group], *(self.given[one, owner] for one, owner, _ in steps)])
        self.free[group] -= units
        self.given[group, last] += units
        for one, owner, to in steps:
            self.given[one, owner] -= units
            self.given[one, to] += units
        self.lacking[part] -= units


def _handed_out(bundle: Bundle, room: Mapping[frozenset[int], int], times: int) -> _Shares:
    """Hand out what so many bundles need, as much of it as there is."""
    shares = _Shares(bundle, room, times)
    for place in sorted(range(len(bundle.parts)), key=lambda one: _FIRST[bundle.parts[one].goods.object]):
        while shares.lacking[place] and shares.give(place):
            pass
    return shares


def _lines(fitting: Mapping[frozenset[int], Sequence[Item]], shares: _Shares) -> tuple[IdentifiedItem, ...]:
    found = []
    for group, lines in fitting.items():
        left = sum(shares.given[group, part] for part in group)
        for item in lines:
            units = min(left, item.quantity)
            left -= units
            if units:
                found.append(_identified(item, units))
    return tuple(sorted(found, key=lambda one: one.item_index))


def _identified(item: Item, units: int) -> IdentifiedItem:
    kind, ids = ("sku", item.sku_ids) if item.sku_ids else ("product", item.product_ids)
    return IdentifiedItem(id=min(ids), object=kind, item_index=item.index, item_quantity=units)
