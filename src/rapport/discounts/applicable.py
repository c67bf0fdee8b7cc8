"""Which lines of a cart a discount on items may touch, and how many of their units.

A validation rule says it: `applicable_to` with what is included and what is excluded. The rules find the lines; here is
decided which of their units are covered.
"""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any, Final, Literal

import msgspec

from rapport.discounts.cart import Cart, Line, product_of

MAX_SHOWN_UNITS: Final = 1_000

ApplyEffect = Literal[
    "APPLY_TO_EVERY",
    "APPLY_TO_CHEAPEST",
    "APPLY_FROM_CHEAPEST",
    "APPLY_TO_MOST_EXPENSIVE",
    "APPLY_FROM_MOST_EXPENSIVE",
]


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """A product, SKU or collection that a discount applies to: `ApplicableTo` of the reference.

    `lines` are the places of the cart's lines that are of it, from 0. `quantity_limit` and `amount_limit` hold for each
    line, the aggregated ones for all lines together. `target` says what `skip_initially` and `repeat` count: lines
    (`ITEM`) or units (`UNIT`); with 1 and 3 they are the 2nd, the 5th, the 8th. `left` and `left_of_product` are what
    earlier redemptions left of its units, in all and of single products.
    """

    object: Literal["product", "sku", "products_collection"]
    id: str
    lines: tuple[int, ...]
    effect: ApplyEffect = "APPLY_TO_EVERY"
    quantity_limit: int | None = None
    aggregated_quantity_limit: int | None = None
    amount_limit: int | None = None
    aggregated_amount_limit: int | None = None
    price: int | None = None
    price_formula: str | None = None
    skip_initially: int = 0
    repeat: int = 1
    target: Literal["ITEM", "UNIT"] = "ITEM"
    left: int | None = None
    left_of_product: dict[str, int] = {}

    def times(self, number: int) -> "Target":
        """Return it with limits of so many times the units."""
        limits = {name: getattr(self, name) for name in ("quantity_limit", "aggregated_quantity_limit")}
        more = {name: limit * number for name, limit in limits.items() if limit is not None}
        return msgspec.structs.replace(self, **more)


class Applicable(msgspec.Struct, frozen=True, kw_only=True):
    """What a discount on items applies to: the lines of `included`, or all with `included_all`, but not `excluded`.

    A line of several targets belongs to the first of them.
    """

    included: tuple[Target, ...] = ()
    excluded: frozenset[int] = frozenset()
    included_all: bool = False


EVERYTHING: Final = Applicable(included_all=True)


class Covered(msgspec.Struct, frozen=True):
    """Units of a line that a discount covers, and what is left to pay of them. `numbers` are theirs in the line."""

    line: int
    units: int
    value: Fraction
    target: Target | None = None
    numbers: range = range(0)


def cover(applicable: Applicable | None, cart: Cart) -> list[Covered]:
    """Return what a discount on items covers, in the order in which its limits are used up.

    Units that are free already are not counted: they come last in their line. None covers everything.
    """
    scope = EVERYTHING if applicable is None else applicable
    free = {
        index: line for index, line in enumerate(cart.lines) if index not in scope.excluded and line.paid_quantity > 0
    }
    found: list[Covered] = []
    for target in scope.included:
        chosen = [index for index in dict.fromkeys(target.lines) if index in free]
        found += _of_target(target, [(index, free.pop(index)) for index in sorted(chosen)])
    if scope.included_all:
        found += [_covered(index, line, range(1, line.paid_quantity + 1), None) for index, line in free.items()]
    return found


def shown(applicable: Applicable, cart: Cart, target: Target) -> dict[str, Any]:
    """Return the `order_item_indices`, or with `UNIT` the `order_item_units`, of a target in an answer."""
    covered = sorted((one for one in cover(applicable, cart) if one.target is target), key=lambda one: one.line)
    indices = {"order_item_indices": [one.line for one in covered]}
    if target.target == "ITEM":
        return indices
    if sum(line.quantity for line in cart.lines) > MAX_SHOWN_UNITS:
        return indices | {"order_item_units": [{"index": one.line, "units_limit_exceeded": True} for one in covered]}
    return indices | {"order_item_units": [{"index": one.line, "units": list(one.numbers)} for one in covered]}


def _of_target(target: Target, lines: Sequence[tuple[int, Line]]) -> list[Covered]:
    found = []
    passed = 0  # lines or units that were counted
    left = min((one for one in (target.aggregated_quantity_limit, target.left) if one is not None), default=None)
    of_product = dict(target.left_of_product)
    for index, line in _by_effect(target, lines):
        counted = 1 if target.target == "ITEM" else line.paid_quantity
        numbers = _every(passed, counted, target)
        passed += counted
        if target.target == "ITEM":
            numbers = range(1, line.paid_quantity + 1) if numbers else range(0)
        product = product_of(line.item) if of_product else ""
        for limit in (target.quantity_limit, left, of_product.get(product)):
            if limit is not None:
                numbers = numbers[: max(0, limit)]
        if left is not None:
            left -= len(numbers)
        if product in of_product:
            of_product[product] -= len(numbers)
        if numbers:
            found.append(_covered(index, line, numbers, target))
    return found


def _by_effect(target: Target, lines: Sequence[tuple[int, Line]]) -> list[tuple[int, Line]]:
    if target.effect == "APPLY_TO_EVERY":
        return list(lines)
    priced = [(price, index, line) for index, line in lines if (price := line.unit_price) is not None]
    if not priced:
        return []
    dearest_first = target.effect in {"APPLY_TO_MOST_EXPENSIVE", "APPLY_FROM_MOST_EXPENSIVE"}
    priced.sort(key=lambda one: (-one[0] if dearest_first else one[0], one[1]))
    if target.effect in {"APPLY_TO_CHEAPEST", "APPLY_TO_MOST_EXPENSIVE"}:
        priced = [one for one in priced if one[0] == priced[0][0]]
    return [(index, line) for _, index, line in priced]


def _every(passed: int, count: int, target: Target) -> range:
    """Return the numbers, from 1, of those of `count` that `skip_initially` and `repeat` choose after `passed`."""
    repeat = max(1, target.repeat)
    first = max(0, target.skip_initially)  # the place of the first one chosen, from 0
    if passed > first:
        first += -((first - passed) // repeat) * repeat
    return range(first - passed + 1, count + 1, repeat)


def _covered(index: int, line: Line, numbers: range, target: Target | None) -> Covered:
    value = Fraction(line.subtotal_amount * len(numbers), line.paid_quantity)
    return Covered(index, len(numbers), value, target, numbers)
