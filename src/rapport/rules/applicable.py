"""`applicable_to`: which lines of an order, and how many units of them, a discount on items may touch. Pure.

`checked` makes the stored form of what a request says, `applicable` applies it to the items of an order.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal, TypeVar, get_args

import msgspec

from rapport.rules.conditions import RuleSet
from rapport.rules.errors import InvalidValidationRules
from rapport.rules.facts import Item
from rapport.rules.items import COLLECTION, read_goods

Effect = Literal[
    "APPLY_TO_EVERY", "APPLY_TO_CHEAPEST", "APPLY_FROM_CHEAPEST", "APPLY_TO_MOST_EXPENSIVE", "APPLY_FROM_MOST_EXPENSIVE"
]
EFFECTS: Final[tuple[str, ...]] = get_args(Effect)
EVERY: Final = "APPLY_TO_EVERY"
MAX_ENTRIES: Final = 500
MAX_NUMBER: Final = 2**53 - 1
MAX_LISTED_UNITS: Final = 1_000
Left = dict[int, Sequence[int]]
Picked = TypeVar("Picked")
_LIMITS: Final = ("quantity_limit", "aggregated_quantity_limit", "amount_limit", "aggregated_amount_limit")
_TEXTS: Final = ("product_id", "product_source_id", "price_formula", "type")
_KNOWN: Final = frozenset(
    (
        *_LIMITS, *_TEXTS, "object", "id", "source_id", "price", "effect", "repeat", "skip_initially", "target",
        "strict", "order_item_indices", "order_item_units",
    )
)  # fmt: skip


class Covered(msgspec.Struct, frozen=True):
    """One line of an order that may be touched: `units` of it, and at most `amount_limit` minor units of its price.

    `numbers`: which units (from 1), where only some of the line's are meant.
    """

    index: int
    units: int
    amount_limit: int | None = None
    numbers: tuple[int, ...] | None = None


class Part(msgspec.Struct, frozen=True):
    """What one entry covers, in the order in which it is to be applied.

    `aggregated_amount_limit`: the most that all lines together may be discounted, in minor units. `price`: the fixed
    price of a unit, for discounts of type FIXED; `price_formula`: the formula that gives it.
    """

    lines: tuple[Covered, ...]
    effect: str = EVERY
    aggregated_amount_limit: int | None = None
    price: int | None = None
    price_formula: str | None = None


class Applicable(msgspec.Struct, frozen=True):
    """What a discount on items may touch; without a line it touches nothing."""

    parts: tuple[Part, ...]

    @property
    def indices(self) -> tuple[int, ...]:
        """The lines that may be touched, each once, in the order of application."""
        return tuple(dict.fromkeys(line.index for part in self.parts for line in part.lines))


def checked(raw: Any, path: str = ".applicable_to") -> dict[str, Any]:
    """Return the stored form of `applicable_to`, as the API shows it. Raises InvalidValidationRules."""
    if not isinstance(raw, dict):
        raise InvalidValidationRules(f"Property {path} should be an object")
    for name in raw:
        if name not in ("excluded", "included", "included_all"):
            raise InvalidValidationRules(f"Property {path}.{name[:50]} is unknown")
    every = raw.get("included_all")
    if every is not None and not isinstance(every, bool):
        raise InvalidValidationRules(f"Property {path}.included_all should be boolean")
    lists = {name: _entries(raw.get(name), f"{path}.{name}") for name in ("excluded", "included")}
    return {**lists, "included_all": bool(every)}


def _entries(raw: Any, path: str) -> list[dict[str, Any]]:
    found = [] if raw is None else raw
    if not isinstance(found, list) or len(found) > MAX_ENTRIES:
        raise InvalidValidationRules(f"Property {path} should be a list of at most {MAX_ENTRIES} entries")
    return [_entry(one, f"{path}[{index}]") for index, one in enumerate(found)]


def _entry(raw: Any, path: str) -> dict[str, Any]:
    if not isinstance(raw, dict):
        raise InvalidValidationRules(f"Property {path} should be an object")
    for name, value in raw.items():
        # The official SDK sends null for whatever it was not given.
        if name not in _KNOWN and value is not None:
            raise InvalidValidationRules(f"Property {path}.{name[:80]} is not supported")
    goods = read_goods(raw, f"Property {path}")
    if goods.object is None:
        raise InvalidValidationRules(f"Property {path}.object should be one of: product, sku, {COLLECTION}")
    if goods.id is None:
        raise InvalidValidationRules(f"Property {path}.id is required")
    # Lines of an order are what an answer says, never what is asked for.
    given = {
        name: value
        for name, value in raw.items()
        if (value is not None or name == "source_id") and not name.startswith("order_item_")
    }
    given.setdefault("effect", EVERY)
    _check_words(given, path)
    for name in (*_LIMITS, "skip_initially", "price"):
        _number(given, name, 0, path)
    _number(given, "repeat", 1, path)
    return given


def _check_words(given: dict[str, Any], path: str) -> None:
    if given["effect"] not in EFFECTS:
        raise InvalidValidationRules(f"Property {path}.effect should be one of: {', '.join(EFFECTS)}")
    if given.get("target", "ITEM") not in ("ITEM", "UNIT"):
        raise InvalidValidationRules(f"Property {path}.target should be ITEM or UNIT")
    if not isinstance(given.get("strict", False), bool):
        raise InvalidValidationRules(f"Property {path}.strict should be boolean")
    for name in _TEXTS:
        value = given.get(name)
        if value is not None and not (isinstance(value, str) and 0 < len(value) <= 1_000):
            raise InvalidValidationRules(f"Property {path}.{name} should be a text of 1 to 1000 characters")


def _number(given: dict[str, Any], name: str, least: int, path: str) -> None:
    value = given.get(name)
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= MAX_NUMBER:
        raise InvalidValidationRules(f"Property {path}.{name} should be a whole number of at least {least}")


def collections_of(applicable_to: Mapping[str, Any]) -> frozenset[str]:
    """Return the product collections that a stored `applicable_to` names."""
    entries = [*applicable_to.get("included", ()), *applicable_to.get("excluded", ())]
    return frozenset(one["id"] for one in entries if one["object"] == COLLECTION)


def entries_of(applicable_to: Mapping[str, Any], rules: RuleSet) -> dict[str, Any]:
    """Return `applicable_to` with what `product.discount_applicable` and its like add to it."""
    added = [
        {"object": one.object, "id": one.id, "source_id": one.source_id, "effect": EVERY}
        for leaf in rules.leaves.values()
        if leaf.selector is not None
        and any(inner.name.endswith(".discount_applicable") for inner in leaf.nested.leaves.values())
        for is_named, goods in leaf.selector.entries
        if is_named
        for one in goods
    ]
    return dict(applicable_to) if not added else {**applicable_to, "included": [*applicable_to["included"], *added]}


def applicable(
    entries: Iterable[Mapping[str, Any]], items: Sequence[Item], collections: Mapping[str, frozenset[str]]
) -> Applicable | None:
    """Return what a discount on items may touch by the (stored) `applicable_to` of all rules that hold for it.

    None: none of them says anything about it. What one of them excludes is excluded. A unit that one entry covers is
    not covered by a later one.
    """
    saying = [one for one in entries if one["included"] or one["excluded"] or one["included_all"]]
    if not saying:
        return None
    left: Left = {item.index: range(1, item.quantity + 1) for item in items}
    for one in saying:
        for entry in one["excluded"]:
            _cover(entry, items, collections, left)
    parts = []
    for one in saying:
        wanted: list[Mapping[str, Any] | None] = [*one["included"]]
        if one["included_all"] or not wanted:
            wanted.append(None)
        for entry in wanted:
            part = _part(entry, _cover(entry, items, collections, left))
            if part.lines:
                parts.append(part)
    return Applicable(tuple(parts))


def _part(entry: Mapping[str, Any] | None, lines: list[Covered]) -> Part:
    rule: Mapping[str, Any] = entry or {}
    return Part(
        lines=tuple(lines),
        effect=rule.get("effect", EVERY),
        aggregated_amount_limit=rule.get("aggregated_amount_limit"),
        price=rule.get("price"),
        price_formula=rule.get("price_formula"),
    )


def _cover(
    entry: Mapping[str, Any] | None, items: Sequence[Item], collections: Mapping[str, frozenset[str]], left: Left
) -> list[Covered]:
    """Take out of the units that are left what an entry (None: everything) covers, and return it."""
    rule: Mapping[str, Any] = entry or {}
    matched = [item for item in items if left[item.index]]
    if entry is not None:
        goods = read_goods(entry, "")
        matched = [item for item in matched if goods.has(item, collections)]
    ordered = _ordered(matched, rule.get("effect", EVERY))
    is_some = rule.get("target") == "UNIT"
    rest = rule.get("aggregated_quantity_limit")
    found = []
    for item in ordered if is_some else _every(ordered, rule):
        units = left[item.index]
        limits = [limit for limit in (rule.get("quantity_limit"), rest) if limit is not None]
        taken = (_every(units, rule) if is_some else units)[: min(limits, default=None)]
        if not taken:
            continue
        rest = None if rest is None else rest - len(taken)
        left[item.index] = _without(units, taken)
        is_told = is_some and len(taken) <= MAX_LISTED_UNITS
        found.append(Covered(item.index, len(taken), rule.get("amount_limit"), tuple(taken) if is_told else None))
    return found


def _without(units: Sequence[int], taken: Sequence[int]) -> Sequence[int]:
    """Return the other units; of a line with more than a thousand only how many they are is certain."""
    if len(units) > MAX_LISTED_UNITS or units[: len(taken)] == taken:
        return units[len(taken) :]
    gone = set(taken)
    return [unit for unit in units if unit not in gone]


def _ordered(matched: list[Item], effect: str) -> list[Item]:
    if effect == EVERY:
        return matched
    ordered = sorted(matched, key=lambda item: item.price, reverse="EXPENSIVE" in effect)
    return ordered[:1] if effect.startswith("APPLY_TO_") else ordered


def _every(sequence: Sequence[Picked], entry: Mapping[str, Any]) -> Sequence[Picked]:
    """Leave `skip_initially` out, then take the first of each `repeat`."""
    return sequence[entry.get("skip_initially") or 0 :: entry.get("repeat") or 1]
