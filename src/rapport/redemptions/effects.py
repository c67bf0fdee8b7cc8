"""What a redemption did to the single items of an order, and taking it back. Pure.

An effect is kept with its redemption as the differences it made line by line, so that a rollback takes back just these:
what other redemptions took off, and what the shop changed since, stays.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rapport.discounts.applicable import Covered
from rapport.discounts.cart import key_of
from rapport.rules.counters import Units
from rapport.rules.unit_limits import goods_of

# What a redemption changes of a line, each a sum of what redemptions and the shop put there.
CHANGED: Final = ("quantity", "amount", "discount_quantity", "discount_amount")
# What a line says about the last redemption alone.
APPLIED: Final = ("applied_discount_amount", "applied_discount_quantity", "applied_quantity", "applied_quantity_amount")
Item = Mapping[str, Any]


def between(before: Sequence[Item], after: Sequence[Item], covered: Sequence[Covered] = ()) -> list[dict[str, Any]]:
    """Return the differences between the lines of an order; lines are only ever added at the end.

    `covered` are the units that were discounted: what an entry of `applicable_to` names is told with it, to be counted.
    """
    of_goods = {one.line: one for one in covered if one.target is not None}
    effects = []
    for index, item in enumerate(after):
        old: Item = before[index] if index < len(before) else {"quantity": 0, "amount": 0}
        changes = {name: number for name in CHANGED if (number := _number(item, name) - _number(old, name))}
        if changes or index >= len(before):
            effects.append({"index": index, "key": key_of(item), **changes, **_counted(of_goods.get(index))})
    return effects


def _counted(one: Covered | None) -> dict[str, Any]:
    if one is None or one.target is None:
        return {}
    return {"units": one.units, "goods": goods_of({"object": one.target.object, "id": one.target.id})}


def units_of(effects: Sequence[Mapping[str, Any]] | None) -> tuple[Units, ...]:
    """Return the units that a redemption discounted of the goods that its rules name."""
    return tuple(
        Units(one["goods"], next(filter(None, one["key"]), ""), one["units"]) for one in effects or () if "goods" in one
    )


def _number(item: Item, name: str) -> int:
    return int(item.get(name) or (1 if name == "quantity" and "quantity" not in item else 0))


def undone(items: Sequence[Item], effects: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the lines without what a redemption did to them; a line of which nothing is left goes.

    What the shop took away meanwhile is not taken away once more.
    """
    changed: list[dict[str, Any] | None] = [dict(item) for item in items]
    for effect in effects:
        place = _place(changed, effect)
        if place is None:
            continue
        item = changed[place]
        assert item is not None
        changed[place] = _without(item, effect)
    return [item for item in changed if item is not None]


def _place(items: Sequence[Item | None], effect: Mapping[str, Any]) -> int | None:
    index, key = effect["index"], effect["key"]
    places = [index, *range(len(items))] if index < len(items) else list(range(len(items)))
    for place in places:
        item = items[place]
        if item is not None and key_of(item) == key:
            return place
    return None


def _without(item: dict[str, Any], effect: Mapping[str, Any]) -> dict[str, Any] | None:
    left = {name: max(0, _number(item, name) - effect.get(name, 0)) for name in CHANGED}
    if effect.get("quantity", 0) > 0 and left["quantity"] == 0:
        return None
    shown = {name: value for name, value in item.items() if name not in APPLIED}
    for name, number in left.items():
        if name in shown:
            shown[name] = number
    if "amount" in shown:
        shown["discount_amount"] = min(left["discount_amount"], left["amount"])
        shown["subtotal_amount"] = shown["amount"] - shown["discount_amount"]
    for name in ("discount_amount", "discount_quantity"):
        if not shown.get(name):
            shown.pop(name, None)
    return shown
