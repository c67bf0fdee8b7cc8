"""What redemptions have off an order, kept with the order: of the whole, and line by line. Pure.

Each redemption that stands has a record in its entry of `Order.redemptions`, which answers do not show: what of its
discount is still there. What the shop says itself about a discount is the shop's from then on, and no record has it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any, Final, TypedDict

import msgspec

from rapport.core.rounding import half_up
from rapport.orders.models import Order

STANDING: Final = "standing"
# What a redemption changes of a line, each a sum of what redemptions and the shop put there.
CHANGED: Final = ("quantity", "amount", "discount_quantity", "discount_amount")
# What a line says about the last redemption alone.
APPLIED: Final = ("applied_discount_amount", "applied_discount_quantity")
Item = Mapping[str, Any]
Effect = Mapping[str, Any]


class Record(TypedDict):
    """What is off the whole order, and the differences made to its lines (see `redemptions.effects`)."""

    off: int
    lines: list[dict[str, Any]]


Records = dict[str, Record]


def record(off: int, effects: Sequence[Effect] | None) -> Record:
    """Return the record of a redemption that has just been made."""
    return {"off": off, "lines": [dict(effect) for effect in effects or ()]}


def records_of(redemptions: Mapping[str, Any]) -> Records:
    """Return the records that an order has, by redemption, oldest first."""
    return {name: one for entry in redemptions.values() for name, one in entry.get(STANDING, {}).items()}


def with_records(redemptions: dict[str, Any], records: Mapping[str, Record]) -> dict[str, Any]:
    """Return the redemptions of an order with these records instead; one that is not among them is taken out."""
    return {
        name: {**entry, STANDING: {one: records[one] for one in entry[STANDING] if one in records}}
        if STANDING in entry
        else entry
        for name, entry in redemptions.items()
    }


def emptied(redemptions: dict[str, Any]) -> dict[str, Any]:
    """Return the redemptions of an order of which nothing is off it any more."""
    return with_records(redemptions, {name: record(0, ()) for name in records_of(redemptions)})


def shown(redemptions: Mapping[str, Any]) -> dict[str, Any]:
    """Return the redemptions of an order as answers show them."""
    return {
        name: {key: value for key, value in entry.items() if key != STANDING} for name, entry in redemptions.items()
    }


def added(records: Mapping[str, Record]) -> int:
    """Return what units that redemptions added are worth, in minor units."""
    return sum(line.get("amount", 0) for one in records.values() for line in one["lines"])


def initial_amount(order: Order, amount: int, records: Mapping[str, Record]) -> int | None:
    """Return what an order cost before units were added, once it costs `amount` with these records.

    It follows the amount; what the shop said it was stays.
    """
    before = added(records_of(order.redemptions))
    if not before or order.initial_amount != order.amount - before:
        return order.initial_amount
    now = added(records)
    return amount - now if now else None


def number(item: Item, name: str) -> int:
    """Return a number of a line; without a quantity it is one unit."""
    return int(item.get(name) or (1 if name == "quantity" and "quantity" not in item else 0))


def key_of(item: Item) -> list[str | None]:
    """Return what names the product of a line: it is found again by it, wherever it stands by then."""
    product, sku = item.get("product") or {}, item.get("sku") or {}
    return [
        item.get("product_id") or product.get("id"),
        item.get("sku_id") or sku.get("id"),
        item.get("source_id") or sku.get("source_id") or product.get("source_id"),
    ]


def worth(items: Iterable[Item]) -> int:
    """Return what lines cost before discounts, in minor units."""
    return sum(item.get("amount", 0) for item in items)


def place_of(items: Sequence[Item], effect: Effect) -> int | None:
    """Return where the line of an effect is by now."""
    index, key = effect["index"], effect["key"]
    places = [index, *range(len(items))] if index < len(items) else list(range(len(items)))
    return next((place for place in places if key_of(items[place]) == key), None)


class Resent(msgspec.Struct, frozen=True):
    """Lines that a request sends, with what stands on them, and the records as they are then.

    `is_priced`: the shop says what some of them cost, other than units that redemptions added.
    """

    items: list[dict[str, Any]]
    records: Records
    is_priced: bool


def resent(sent: Sequence[dict[str, Any]], stored: Sequence[Item], records: Records) -> Resent:
    """Return the lines that a request sends, with the discounts that standing redemptions have on them.

    An item that says a discount of its own, another than it has, is the shop's. Of units that redemptions added, those
    stay that are still in the quantity; what is not sent is not there any more.
    """
    on_lines = _by_line(records, stored)
    found = _matches(sent, stored) if on_lines else {}
    items, priced = [], False
    lines: dict[str, list[dict[str, Any]]] = {name: [] for name in records}
    for place, item in enumerate(sent):
        old = found.get(place)
        on_line = [] if old is None or _says_own(item, stored[old]) else on_lines.get(old, [])
        is_gift = False
        if old is not None and on_line:
            carried, left = _carried(item, stored[old], [effect for _, effect in on_line])
            for (name, _), effect in zip(on_line, left, strict=True):
                if effect:
                    lines[name].append({"index": place, "key": key_of(carried), **effect})
            units = sum(effect.get("quantity", 0) for effect in left)
            is_gift = units > 0 and units == number(carried, "quantity")
            items.append(carried)
        else:
            items.append(item)
        priced = priced or ("amount" in item and not is_gift)
    return Resent(items, {name: {"off": one["off"], "lines": lines[name]} for name, one in records.items()}, priced)


def _says_own(item: Item, old: Item) -> bool:
    return "discount_amount" in item and item["discount_amount"] != number(old, "discount_amount")


def _by_line(records: Records, stored: Sequence[Item]) -> dict[int, list[tuple[str, Effect]]]:
    """Return what redemptions have on each line, oldest first."""
    found: dict[int, list[tuple[str, Effect]]] = defaultdict(list)
    for name, one in records.items():
        for line in one["lines"]:
            place = place_of(stored, line)
            if place is not None:
                found[place].append((name, line))
    return found


def _matches(sent: Sequence[Item], stored: Sequence[Item]) -> dict[int, int]:
    """Return which stored line each sent one is.

    Of equal products, first the one of which it says the same, then the one that stands there or costs the same. A line
    that names nothing is only found again where it stood, or at its price.
    """
    free: dict[tuple[str | None, ...], list[int]] = defaultdict(list)
    for old, item in enumerate(stored):
        free[tuple(key_of(item))].append(old)
    keys = [tuple(key_of(item)) for item in sent]
    found: dict[int, int] = {}
    for same_place, same_price, same_off in _PASSES:
        for place, key in enumerate(keys):
            if place in found or not (same_place or same_price or any(key)):
                continue
            first = next(
                (
                    old
                    for old in free[key]
                    if (not same_place or old == place)
                    and (not same_price or stored[old].get("price") == sent[place].get("price"))
                    and (not same_off or _says_the_same(sent[place], stored[old]))
                ),
                None,
            )
            if first is not None:
                found[place] = first
                free[key].remove(first)
    return found


# Where a sent line is looked for, the surest first: at its place, at its price, with the same units and discounts.
_PASSES: Final = (
    (True, True, True),
    (False, True, True),
    (True, True, False),
    (False, True, False),
    (True, False, False),
    (False, False, False),
)


def _says_the_same(item: Item, old: Item) -> bool:
    names = ("quantity", "discount_amount", "discount_quantity")
    return all(number(item, name) == number(old, name) for name in names if name in item)


def _carried(item: dict[str, Any], old: Item, effects: Sequence[Effect]) -> tuple[dict[str, Any], list[dict[str, int]]]:
    """Return a line with what redemptions have on it, and how much of that is left of each of them."""
    item = _priced(item, old)
    quantity, amount = number(item, "quantity"), number(item, "amount")
    units = sum(effect.get("quantity", 0) for effect in effects)
    left = kept = max(0, min(units, quantity - (number(old, "quantity") - units)))
    is_same = (quantity, amount) == (number(old, "quantity"), number(old, "amount"))
    after = []
    for effect in effects:
        mine = min(left, effect.get("quantity", 0))
        left -= mine
        worth = effect.get("amount", 0) if is_same else _share(amount, mine, quantity)
        after.append(
            {
                "quantity": mine,
                "amount": worth,
                "discount_quantity": max(0, effect.get("discount_quantity", 0) - effect.get("quantity", 0) + mine),
                "discount_amount": max(0, effect.get("discount_amount", 0) - effect.get("amount", 0)) + worth,
            }
        )
    if "discount_amount" not in item:
        before = sum(effect.get("discount_amount", 0) for effect in effects)
        off = sum(effect["discount_amount"] for effect in after)
        # What was cut off it meanwhile is not put on again.
        off = min(off, max(0, number(old, "discount_amount") - before + off), amount)
        item["discount_amount"] = off
    item.setdefault("discount_quantity", min(quantity, sum(effect["discount_quantity"] for effect in after)))
    if kept:
        item = {"initial_quantity": quantity - kept, **item}
        if "amount" in item:
            item = {"initial_amount": amount - sum(effect["amount"] for effect in after), **item}
    for name in APPLIED:
        if old.get(name):
            item[name] = min(old[name], number(item, name.removeprefix("applied_")))
    return settled(item), [{name: value for name, value in effect.items() if value} for effect in after]


def _priced(item: dict[str, Any], old: Item) -> dict[str, Any]:
    """Return a line that says nothing about its price with what it cost before."""
    if "amount" in item or "amount" not in old:
        return dict(item)
    quantity, before = number(item, "quantity"), number(old, "quantity")
    amount = old["amount"] if quantity == before else _share(old["amount"], quantity, before)
    priced = {**item, "amount": amount}
    return priced if "price" not in old else {**priced, "price": old["price"]}


def _share(amount: int, units: int, quantity: int) -> int:
    """Return what so many units cost of a quantity that costs an amount."""
    return half_up(Fraction(amount * units, quantity)) if quantity else 0


def settled(item: dict[str, Any]) -> dict[str, Any]:
    """Return a line without discounts that are 0, and with what is left to pay of it."""
    kept = {name: value for name, value in item.items() if value or name not in (*APPLIED, *CHANGED[2:])}
    if "amount" in kept:
        kept["subtotal_amount"] = kept["amount"] - kept.get("discount_amount", 0)
    return kept


def fitted(items: Sequence[dict[str, Any]], amount: int, said: Iterable[int] = ()) -> list[dict[str, Any]]:
    """Return the lines with no more off them than an amount; the discounts of the last ones are cut first.

    What a request `said` itself, by its place, is not cut.
    """
    over = sum(item.get("discount_amount", 0) for item in items) - amount
    after, fixed = list(items), frozenset(said)
    for place in reversed(range(len(items))):
        off = number(items[place], "discount_amount")
        if over > 0 and off and place not in fixed:
            after[place] = _less_off(items[place], min(over, off))
            over -= min(over, off)
    return after


def _less_off(item: dict[str, Any], cut: int) -> dict[str, Any]:
    off = item["discount_amount"] - cut
    changed = {**item, "discount_amount": off}
    if item.get("applied_discount_amount"):
        changed["applied_discount_amount"] = min(off, item["applied_discount_amount"])
    return settled(changed)
