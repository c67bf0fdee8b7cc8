"""`applicable_to`: which goods a discount on items may touch, and how far. Pure.

`checked` makes the stored form of what a request says, `lines_of` finds the lines of an order that an entry is about.
How many of their units are covered is the arithmetic of discounts.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, get_args

from rapport.discounts.expressions import FormulaError
from rapport.discounts.formulas import parse
from rapport.rules.conditions import RuleSet
from rapport.rules.errors import InvalidValidationRules
from rapport.rules.facts import Item
from rapport.rules.items import COLLECTION, read_goods
from rapport.rules.unit_limits import UNIT_LIMITS

Effect = Literal[
    "APPLY_TO_EVERY", "APPLY_TO_CHEAPEST", "APPLY_FROM_CHEAPEST", "APPLY_TO_MOST_EXPENSIVE", "APPLY_FROM_MOST_EXPENSIVE"
]
EFFECTS: Final[tuple[str, ...]] = get_args(Effect)
EVERY: Final = "APPLY_TO_EVERY"
MAX_ENTRIES: Final = 500
MAX_NUMBER: Final = 2**53 - 1
LIMITS: Final = ("quantity_limit", "aggregated_quantity_limit", "amount_limit", "aggregated_amount_limit")
_UNIT_LIMITS: Final = tuple(one.name for one in UNIT_LIMITS)
_TEXTS: Final = ("product_id", "product_source_id", "price_formula", "type", *(one.formula for one in UNIT_LIMITS))
_KNOWN: Final = frozenset(
    (
        *LIMITS, *_UNIT_LIMITS, *_TEXTS, "object", "id", "source_id", "price", "effect", "repeat", "skip_initially",
        "target", "strict", "order_item_indices", "order_item_units",
    )
)  # fmt: skip


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
    if raw.get("object") is None:
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
    for name in (*LIMITS, *_UNIT_LIMITS, "skip_initially", "price"):
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
    if given.get("price_formula") is not None:
        try:
            parse(given["price_formula"])
        except FormulaError as error:
            raise InvalidValidationRules(f"Property {path}.price_formula is not a formula: {error.details}") from error


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


def lines_of(
    entry: Mapping[str, Any], items: Sequence[Item], collections: Mapping[str, frozenset[str]]
) -> tuple[int, ...]:
    """Return the places of the lines of an order that are of the goods of a stored entry.

    `collections`: as in `facts.Facts`.
    """
    goods = read_goods(entry, "")
    return tuple(item.index for item in items if goods.has(item, collections))
