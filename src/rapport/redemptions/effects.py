"""What a redemption did to the single items of an order, and taking it back. Pure.

An effect is kept with its redemption as the differences it made line by line, so that a rollback takes back just these:
what other redemptions took off, and what the shop changed since, stays.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

# What a redemption changes of a line, each a sum of what redemptions and the shop put there.
CHANGED: Final = ("quantity", "amount", "discount_quantity", "discount_amount")
# What a line says about the last redemption alone.
APPLIED: Final = ("applied_discount_amount", "applied_discount_quantity", "applied_quantity", "applied_quantity_amount")
Item = Mapping[str, Any]


def key_of(item: Item) -> list[str | None]:
    """Return what names the product of a line: it is found again by it, wherever it stands by then."""
    product, sku = item.get("product") or {}, item.get("sku") or {}
    return [
        item.get("product_id") or product.get("id"),
        item.get("sku_id") or sku.get("id"),
        item.get("source_id") or sku.get("source_id") or product.get("source_id"),
    ]


def between(before: Sequence[Item], after: Sequence[Item]) -> list[dict[str, Any]]:
    """Return the differences between the lines of an order; lines are only ever added at the end."""
    effects = []
    for index, item in enumerate(after):
        old: Item = before[index] if index < len(before) else {"quantity": 0, "amount": 0}
        changes = {name: number for name in CHANGED if (number := _number(item, name) - _number(old, name))}
        if changes or index >= len(before):
            effects.append({"index": index, "key": key_of(item), **changes})
    return effects


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
