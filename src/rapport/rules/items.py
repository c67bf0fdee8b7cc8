"""Rules about the items of an order: which lines are meant, and which of them have to be as nested rules say. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rapport.rules.errors import InvalidValidationRules
from rapport.rules.facts import At, Facts, Item
from rapport.rules.kinds import Mode, Row
from rapport.rules.reading import listed, refuse_operator

COLLECTION: Final = "products_collection"
OBJECTS: Final = ("product", "sku", COLLECTION)
# Ids that begin so are of collections: of nothing else that the catalogue has.
_COLLECTION_IDS: Final = "pc_"
_SELECTING: Final[Mapping[str, bool]] = {"$is": True, "$in": True, "$from": True, "$is_not": False, "$not_in": False}


@dataclass(frozen=True, slots=True)
class Goods:
    """A product, an SKU or a product collection that a rule names; without `object` it is what the id is of."""

    object: str | None
    id: str | None
    source_id: str | None

    def has(self, item: Item, collections: Mapping[str, frozenset[str]]) -> bool:
        """Return whether a line of an order is of it."""
        if self.object == COLLECTION:
            return not item.ids.isdisjoint(collections.get(self.id or "", frozenset()))
        ids, source_ids = item.ids, item.product_source_ids | item.sku_source_ids
        if self.object == "product":
            ids, source_ids = item.product_ids, item.product_source_ids
        elif self.object == "sku":
            ids, source_ids = item.sku_ids, item.sku_source_ids
        return self.id in ids or self.source_id in source_ids


def read_goods(raw: Any, place: str) -> Goods:
    """Read what names goods: an id, or an object with `object`, `id`, `source_id`. Raises InvalidValidationRules."""
    given = {"id": raw} if isinstance(raw, str) else raw
    if not isinstance(given, dict):
        raise InvalidValidationRules(f"{place} should name products, SKUs or product collections")
    kind, found_id, source_id = given.get("object"), given.get("id"), given.get("source_id")
    if kind is not None and kind not in OBJECTS:
        raise InvalidValidationRules(f"{place}: object should be one of: {', '.join(OBJECTS)}")
    for value in (found_id, source_id):
        if value is not None and not (isinstance(value, str) and 0 < len(value) <= 255 and "\x00" not in value):
            raise InvalidValidationRules(f"{place}: id and source_id should be texts of 1 to 255 characters")
    if found_id is None and (source_id is None or kind == COLLECTION):
        raise InvalidValidationRules(f"{place} should have an id")
    if kind is None and found_id is not None and found_id.startswith(_COLLECTION_IDS):
        kind = COLLECTION
    return Goods(kind, found_id, source_id)


@dataclass(frozen=True, slots=True)
class Selector:
    """Which lines the conditions of a rule mean: those of any of the goods of each entry, or (False) of none."""

    entries: tuple[tuple[bool, tuple[Goods, ...]], ...]

    def selects(self, item: Item, facts: Facts) -> bool:
        """Return whether a line is meant."""
        return all(any(one.has(item, facts.collections) for one in goods) is wanted for wanted, goods in self.entries)


def read_selector(row: Row, raw: Any) -> Selector:
    """Read the `conditions` of a rule about items; without any, all lines are meant. Raises InvalidValidationRules."""
    if raw is None:
        raw = {}
    if not isinstance(raw, dict):
        raise InvalidValidationRules(f"Rule '{row.name}': conditions should be an object")
    entries = []
    for name, operands in raw.items():
        if name not in _SELECTING:
            raise refuse_operator(row, name, list(_SELECTING))
        place = f"Rule '{row.name}': the operand of '{name}'"
        given = [_named(row, one) for one in listed(row, name, operands)]
        goods = tuple(read_goods(one, place) for one in given)
        if name == "$from" and any(one.object not in (None, COLLECTION) for one in goods):
            raise InvalidValidationRules(f"{place} should name product collections")
        if name == "$from":
            goods = tuple(Goods(COLLECTION, one.id, None) for one in goods)
        if goods:
            entries.append((_SELECTING[name], goods))
    return Selector(tuple(entries))


def _named(row: Row, raw: Any) -> Any:
    """Return an operand of the older rules with the object that they are about."""
    if row.selects not in ("product", "sku"):
        return raw
    given = {"id": raw} if isinstance(raw, str) else raw
    return {"object": row.selects, **given} if isinstance(given, dict) else given


def holds(mode: Mode, selected: Sequence[Item], at: At, nested: Callable[[At], bool]) -> bool:
    """Return whether the lines are as a rule wants them.

    any: one of the selected fulfils the nested rules; every: all lines of the order are selected and do; none: none of
    the selected does; cheapest, most_expensive: a line with the lowest (highest) price of all is selected and does.
    """
    everything = () if at.facts.order is None else at.facts.order.items
    chosen = tuple(selected)
    fits = [item for item in chosen if nested(At(at.facts, item, chosen))]
    if mode == "any":
        return bool(fits)
    if mode == "none":
        return not fits
    if mode == "every":
        return bool(fits) and len(fits) == len(everything)
    pick = min if mode == "cheapest" else max
    price = pick((item.price for item in everything), default=None)
    return any(item.price == price for item in fits)
