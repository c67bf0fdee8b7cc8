"""What a redemption did to an order and its single items, and taking it back. Pure.

An effect is kept as the differences that it made line by line, so that a rollback takes back just these: what other
redemptions took off, and what the shop changed since, stays.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from rapport.discounts.applicable import Covered
from rapport.discounts.cart import Cart
from rapport.orders.models import Order
from rapport.orders.standing import (
    APPLIED,
    CHANGED,
    STANDING,
    Effect,
    Item,
    Record,
    fitted,
    initial_amount,
    key_of,
    number,
    place_of,
    record,
    records_of,
    settled,
    with_records,
    worth,
)
from rapport.redemptions.models import Redemption
from rapport.rules.counters import Units
from rapport.rules.unit_limits import goods_of

# What a line says about the last redemption alone.
_APPLIED: Final = (*APPLIED, "applied_quantity", "applied_quantity_amount")


def between(before: Sequence[Item], after: Sequence[Item], covered: Sequence[Covered] = ()) -> list[dict[str, Any]]:
    """Return the differences between the lines of an order; lines are only ever added at the end.

    `covered` are the units that were discounted: what an entry of `applicable_to` names is told with it, to be counted.
    """
    of_goods = {one.line: one for one in covered if one.targets}
    effects = []
    for index, item in enumerate(after):
        old: Item = before[index] if index < len(before) else {"quantity": 0, "amount": 0}
        changes = {name: change for name in CHANGED if (change := number(item, name) - number(old, name))}
        if changes or index >= len(before):
            effects.append({"index": index, "key": key_of(item), **changes, **_counted(of_goods.get(index))})
    return effects


def _counted(one: Covered | None) -> dict[str, Any]:
    if one is None:
        return {}
    goods = list(dict.fromkeys(goods_of({"object": target.object, "id": target.id}) for target in one.targets))
    return {"units": one.units, "goods": goods[0] if len(goods) == 1 else goods}


def units_of(effects: Sequence[Mapping[str, Any]] | None) -> tuple[Units, ...]:
    """Return the units that a redemption discounted of the goods that its rules name, of each of them."""
    return tuple(
        Units(goods, next(filter(None, one["key"]), ""), one["units"])
        for one in effects or ()
        if "goods" in one
        for goods in ([one["goods"]] if isinstance(one["goods"], str) else one["goods"])
    )


def undone(
    items: Sequence[Item], effects: Sequence[Effect], others: Sequence[Effect] = ()
) -> tuple[list[dict[str, Any]], list[int]]:
    """Return the lines without what a redemption has on them, and where each of them stood before.

    A line of which nothing is left goes. What `others` took off stays off, and what the shop took away meanwhile is not
    taken away once more.
    """
    changed = [dict(item) for item in items]
    gone = set()
    kept: dict[int | None, Counter[str]] = defaultdict(Counter)
    for other in others:
        kept[place_of(items, other)].update({name: other.get(name, 0) for name in CHANGED})
    for effect in effects:
        place = place_of(changed, effect)
        if place is None or place in gone:
            continue
        after = _without(changed[place], effect, kept[place])
        if number(changed[place], "quantity") > 0 and number(after, "quantity") == 0:
            gone.add(place)
        changed[place] = after
    left = [place for place in range(len(changed)) if place not in gone]
    return [changed[place] for place in left], left


def off(now: int, mine: int, kept: int) -> int:
    """Return what is off without mine: what others took off stays off, and what is not off is not put on."""
    return min(now, max(kept, now - mine))


def _without(item: dict[str, Any], effect: Effect, kept: Mapping[str, int]) -> dict[str, Any]:
    # Units that are not free any more are not those that were added.
    added = effect.get("quantity", 0)
    units = min(added, number(item, "discount_quantity"), number(item, "quantity"))
    worth = effect.get("amount", 0) * units // added if added else 0
    quantity, amount = number(item, "quantity") - units, max(0, number(item, "amount") - worth)
    left = {
        "quantity": quantity,
        "amount": amount,
        "discount_quantity": min(quantity, _off(item, effect, kept, "discount_quantity")),
        "discount_amount": min(amount, _off(item, effect, kept, "discount_amount")),
    }
    shown = {name: value for name, value in item.items() if name not in _APPLIED}
    shown |= {name: value for name, value in left.items() if name in shown}
    if units and shown.get("initial_quantity") == quantity:
        for name in ("initial_quantity", "initial_amount"):
            shown.pop(name, None)
    if "amount" in shown:
        shown["subtotal_amount"] = shown["amount"] - left["discount_amount"]
    return {name: value for name, value in shown.items() if value or name not in CHANGED[2:]}


def _off(item: Item, effect: Effect, kept: Mapping[str, int], name: str) -> int:
    return off(number(item, name), effect.get(name, 0), kept[name])


def without(order: Order, children: list[Redemption], standing: list[Redemption]) -> Order:
    """Return the order without what redemptions still have off it. Pure.

    What the standing redemptions (oldest first) took off stays off, and what they did not take off is not put on:
    the shop may have changed the order's discounts meanwhile. What was applied is what the last of them applied.
    """
    records = records_of(order.redemptions)
    mine = [records.pop(child.id) if child.id in records else _record(child) for child in children]
    # Of orders that have no records of them, what they took off is known from the ledger.
    others = [
        *records.values(),
        *(_record(one) for one in standing if one.id not in records and not _is_recorded(order, one)),
    ]
    lines = [line for one in others for line in one["lines"]]
    items, places = undone(order.items, [line for one in reversed(mine) for line in one["lines"]], lines)
    records = {name: _moved(one, places) for name, one in records.items()}
    amount = max(0, order.amount - worth(order.items) + worth(items))
    items = fitted(items, amount)
    off_items = sum(item.get("discount_amount", 0) for item in items)
    discount = off(order.discount_amount, _sum_off(mine), _sum_off(others))
    discount = min(discount, max(0, amount - off_items))
    return msgspec.structs.replace(
        order,
        amount=amount,
        initial_amount=initial_amount(order, amount, records),
        items=items,
        redemptions=with_records(order.redemptions, records),
        discount_amount=discount,
        applied_discount_amount=min(discount, standing[-1].applied_amount if standing else 0),
        total_amount=max(0, amount - discount - off_items),
    )


def onto(order: Order, start: Cart, cart: Cart) -> Order:
    """Return a stored order with what took a cart that was made without it from `start` to `cart` as well. Pure.

    Its lines are those of `start`, if that has any. What is more than the order costs is cut.
    """
    shown = cart.items()
    items = [{name: value for name, value in item.items() if name not in APPLIED} for item in order.items]
    for change in between(start.items(), shown):
        index = change["index"]
        if index < len(start.lines):
            items[index] = _with(items[index], change, shown[index])
        else:
            items.append(dict(shown[index]))
    grown = cart.amount - start.amount
    amount = order.amount + grown
    items = fitted(items, amount)
    left = max(0, amount - sum(item.get("discount_amount", 0) for item in items))
    discount = min(order.discount_amount + cart.discount_amount - start.discount_amount, left)
    before = order.amount if order.initial_amount is None else order.initial_amount
    return msgspec.structs.replace(
        order,
        amount=amount,
        initial_amount=before if grown else order.initial_amount,
        items=items,
        discount_amount=discount,
        applied_discount_amount=min(cart.applied_discount_amount, discount),
        total_amount=left - discount,
    )


def _with(item: Item, change: Effect, shown: Item) -> dict[str, Any]:
    """Return a line with a change that was worked out on what is `shown`: the same line without what else is off it."""
    after = dict(item)
    if change.get("quantity"):
        after = {"initial_quantity": number(item, "quantity")} | after
        after = {"initial_amount": number(item, "amount")} | after if "amount" in item else after
    for name in CHANGED:
        if change.get(name):
            after[name] = number(item, name) + change[name]
    for name, most in zip(CHANGED[2:], CHANGED, strict=False):
        if name in after:
            after[name] = min(after[name], number(after, most))
    for name in APPLIED:
        if shown.get(name):
            after[name] = min(shown[name], number(after, name.removeprefix("applied_")))
    return settled(after)


def shifted(effects: Sequence[Effect] | None, since: int, by: int) -> list[dict[str, Any]]:
    """Return effects with the lines from a place on so many places later."""
    return [{**one, "index": one["index"] + (by if one["index"] >= since else 0)} for one in effects or ()]


def _record(row: Redemption) -> Record:
    return record(row.applied_amount, row.effects)


def _is_recorded(order: Order, row: Redemption) -> bool:
    return STANDING in order.redemptions.get(row.id, {})


def _moved(one: Record, places: list[int]) -> Record:
    """Return a record with the lines where they are once only those of some places are left, in their order."""
    now = {place: index for index, place in enumerate(places)}
    return record(one["off"], [{**line, "index": now[line["index"]]} for line in one["lines"] if line["index"] in now])


def _sum_off(records: list[Record]) -> int:
    return sum(one["off"] for one in records)
