"""What earlier redemptions left of the units that a discount on items may touch. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from rapport.discounts.applicable import Applicable
from rapport.discounts.cart import Cart, product_of
from rapport.discounts.values import scope_of, scope_of_line, units_of
from rapport.rules.applicable import MAX_NUMBER
from rapport.rules.counters import Counter, Redeemed, Spent
from rapport.rules.unit_limits import UnitLimit, counter_of, goods_of, limits_of


class MissingCustomer(Exception):
    """A limit is that of each customer, and nobody knows who this is."""


@dataclass(slots=True)
class _Left:
    """What is left of the goods of an entry: in all, and of single products."""

    in_all: int | None = None
    of_product: dict[str, int] = field(default_factory=dict)

    def lower(self, product: str | None, number: int) -> None:
        if product is not None:
            self.of_product[product] = min(number, self.of_product.get(product, number))
        elif self.in_all is None or number < self.in_all:
            self.in_all = number


def limited(
    included: Sequence[Mapping[str, Any]],
    reached: Applicable,
    redeemed: Redeemed,
    spent: Mapping[Counter, Spent],
    cart: Cart,
    variables: Mapping[str, Any],
) -> tuple[Applicable, dict[Counter, int]]:
    """Return what may be touched by what is left of it, and how far which counters may go.

    `included` are the entries that the targets of `reached` are made from, one by one; `spent` is what was redeemed
    before. Of several entries about the same goods the strictest limit holds. Raises MissingCustomer, and FormulaError
    where a formula without a stated limit cannot be worked out.
    """
    left: dict[str, _Left] = {}
    most: dict[Counter, int] = {}
    scope: Mapping[str, Any] | None = None
    for entry, target in zip(included, reached.targets, strict=True):
        goods = goods_of(entry)
        for limit in limits_of(entry) if target.lines else ():
            scope = scope_of(cart, variables) if scope is None else scope
            for product, index in _products(cart, target.lines, limit).items():
                counter = counter_of(limit, goods, redeemed, product)
                if counter is None and limit.holds_for(redeemed):
                    raise MissingCustomer
                if counter is None:
                    continue
                known = scope_of_line(scope, cart.lines[index])
                number = int(units_of(entry.get(limit.name), entry.get(limit.formula), known, MAX_NUMBER).value)
                most[counter] = min(number, most.get(counter, number))
                rest = max(0, number - spent.get(counter, Spent()).number)
                left.setdefault(goods, _Left()).lower(product if limit.by_product else None, rest)
    if not left:
        return reached, most
    targets = [
        target
        if (found := left.get(goods_of(entry))) is None
        else msgspec.structs.replace(target, left=found.in_all, left_of_product=found.of_product)
        for entry, target in zip(included, reached.targets, strict=True)
    ]
    return reached.with_targets(targets), most


def _products(cart: Cart, lines: Sequence[int], limit: UnitLimit) -> dict[str, int]:
    """Return the products that a limit is of, each with its first line; without a name where it is of all together."""
    found: dict[str, int] = {}
    for index in lines:
        found.setdefault(product_of(cart.lines[index].item) if limit.by_product else "", index)
    return found
