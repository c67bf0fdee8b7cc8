"""What a discount, or the credits of a gift card, take off a cart. Pure: whole minor units in, whole minor units out.

A percentage is worked out exactly and rounded half up, line by line where it is on items. Nothing is ever more than
what is left to pay: of the units that are covered, of the line, of the whole order. Several discounts in one request
are applied one after another, each to the cart that the one before it left: that loop is the caller's.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any, Final

import msgspec

from rapport.core.rounding import half_up
from rapport.discounts.applicable import Applicable, Covered, Target, by_rule
from rapport.discounts.applied import Added, Applied
from rapport.discounts.cart import Cart, CatalogueItem
from rapport.discounts.shares import capped, percent_of, split
from rapport.discounts.units import give
from rapport.discounts.values import (
    Worth,
    amount_of,
    by_item,
    percent_of_discount,
    plain,
    scope_of,
    scope_of_line,
)

__all__ = ["Added", "Applicable", "Applied", "Cart", "CatalogueItem", "Target", "apply", "credits"]

_VALUE: Final[Mapping[str, str]] = {"AMOUNT": "amount_off", "PERCENT": "percent_off", "FIXED": "fixed_amount"}
_NOTHING: Final[Mapping[str, Any]] = {}


def apply(
    discount: Mapping[str, Any],
    cart: Cart,
    *,
    applicable: Applicable | None = None,
    variables: Mapping[str, Any] = _NOTHING,
    products: Mapping[str, CatalogueItem] = _NOTHING,
    times: int = 1,
) -> Applied:
    """Return the cart after a discount, which is one that `schemas.checked` returned.

    `applicable` says which items a discount on items may touch (None: all). `variables` is what formulas may name
    besides the cart, such as `CUSTOMER_METADATA`. `products` has what the catalogue says of each `unit_type`. `times`:
    the discount is given for each of so many bundles, see `scaled`. Raises FormulaError if a formula without a stated
    value cannot be worked out, and InvalidPayload if added units make the order's amount too large.
    """
    if discount["type"] == "UNIT":
        return give(discount, cart, applicable=applicable, variables=variables, products=products, times=times)
    pricing = _Pricing(discount, cart, variables, times)
    used: tuple[Covered, ...] = ()
    if discount["effect"] == "APPLY_TO_ORDER":
        after = cart.less(pricing.off_order(cart))
    else:
        after, used = _off_items(discount, cart, *by_rule(applicable, cart), pricing)
    return Applied.between(cart, after, discount=pricing.told(), covered=used)


def scaled(applicable: Applicable | None, discount: Mapping[str, Any], times: int) -> Applicable | None:
    """Return what a discount may touch when it is given for so many bundles at once.

    A value for each unit, or a price, stays what it is, and applies to so many times the units that its limits allow;
    other values are multiplied by `apply`, and their limits stay.
    """
    if applicable is None or times == 1 or not _is_by_unit(discount):
        return applicable
    return applicable.with_targets([one.times(times) for one in applicable.targets])


def _is_by_unit(discount: Mapping[str, Any]) -> bool:
    return bool(discount["type"] == "FIXED" or discount["effect"] == "APPLY_TO_ITEMS_BY_QUANTITY")


def credits(  # noqa: A001 (the reference's word)
    amount: int, effect: str, cart: Cart, applicable: Applicable | None = None
) -> Applied:
    """Return the cart after so many credits of a gift card; `off` is how many of them were used.

    With `APPLY_TO_ITEMS` they are spread over the items that are covered, in proportion to what is left of each.
    """
    usable = min(amount, cart.total_amount)
    if effect == "APPLY_TO_ORDER":
        return Applied.between(cart, cart.less(usable))
    covered, rules = by_rule(applicable, cart)
    alone = [split(usable, [one.value for one in rule], _most(rule)) for rule in rules]
    after, used = _taken(cart, covered, _least_of(rules, alone, covered, [half_up(one.value) for one in covered]))
    return Applied.between(cart, after, covered=used)


class _Pricing:
    """The value of one discount for one cart: once for the whole, or line by line if its formula wants that."""

    def __init__(self, discount: Mapping[str, Any], cart: Cart, variables: Mapping[str, Any], times: int) -> None:
        self.discount = discount
        self.cart = cart
        self.variables = variables
        self.times = 1 if _is_by_unit(discount) else times
        self.name = _VALUE[discount["type"]]
        self.stated = discount.get(self.name)
        self.formula = discount.get(f"{self.name}_formula")
        self.by_line = by_item(self.formula)
        self.whole = self._worth(self.stated, self.formula, self.scope if self.formula else {})
        self.dynamic = self.whole.dynamic

    @functools.cached_property
    def scope(self) -> Mapping[str, Any]:
        """What a formula may name; worked out if there is one."""
        return scope_of(self.cart, self.variables)

    def off_order(self, cart: Cart) -> int:
        """Return what is off the whole order."""
        left = cart.total_amount
        off = int(self.in_all)
        if self.discount["type"] == "PERCENT":
            off = percent_of(self.in_all, Fraction(left))
        elif self.discount["type"] == "FIXED":
            off = left - off
        limits: list[int | None] = [
            left,
            self.discount.get("amount_limit"),
            self.discount.get("aggregated_amount_limit"),
        ]
        return max(0, _least(off, limits))

    def value(self, one: Covered) -> Fraction:
        """Return the value for the covered units of a line."""
        priced = [target for target in one.targets if target.price_formula or target.price is not None]
        if self.discount["type"] == "FIXED" and priced:
            # Of the prices of several rules the highest holds, so that their order decides nothing.
            return max(
                self._of_line(self.stated if target.price is None else target.price, target.price_formula, one)
                for target in priced
            )
        return self._for_all(self._of_line(self.stated, self.formula, one)) if self.by_line else self.in_all

    @property
    def in_all(self) -> Fraction:
        """The value for all bundles."""
        return self._for_all(self.whole.value)

    def _for_all(self, value: Fraction) -> Fraction:
        value *= self.times
        return min(value, Fraction(100)) if self.discount["type"] == "PERCENT" else value

    def told(self) -> dict[str, Any]:
        """Return the discount of the answer, with the value it had for one bundle; by line it is told as stated."""
        shown = {name: value for name, value in self.discount.items() if not name.endswith("_formula")}
        return shown | {self.name: plain(self.whole.value), "is_dynamic": self.dynamic}

    def _of_line(self, stated: Any, formula: str | None, one: Covered) -> Fraction:
        scope = scope_of_line(self.scope, self.cart.lines[one.line]) if formula else {}
        worth = self._worth(stated, formula, scope)
        self.dynamic |= worth.dynamic
        return worth.value

    def _worth(self, stated: Any, formula: str | None, scope: Mapping[str, Any]) -> Worth:
        return (percent_of_discount if self.discount["type"] == "PERCENT" else amount_of)(stated, formula, scope)


def _each(discount: Mapping[str, Any], one: Covered, value: Fraction) -> int:
    """Return what is off the covered units of a line, before limits."""
    if discount["type"] == "PERCENT":
        return percent_of(value, one.value)
    if discount["type"] == "FIXED":
        return half_up(max(Fraction(0), one.value - value * one.units))
    return int(value) * (one.units if discount["effect"] == "APPLY_TO_ITEMS_BY_QUANTITY" else 1)


_SPREAD: Final[Mapping[str, Callable[[Covered], int | Fraction]]] = {
    "APPLY_TO_ITEMS_PROPORTIONALLY": lambda one: one.value,
    "APPLY_TO_ITEMS_PROPORTIONALLY_BY_QUANTITY": lambda one: one.units,
}


def _off_items(
    discount: Mapping[str, Any],
    cart: Cart,
    covered: Sequence[Covered],
    rules: Sequence[Sequence[Covered]],
    pricing: _Pricing,
) -> tuple[Cart, tuple[Covered, ...]]:
    most = [_most(rule, discount.get("amount_limit")) for rule in rules]
    limit = discount.get("aggregated_amount_limit")
    in_all = cart.total_amount if limit is None else min(limit, cart.total_amount)
    weigh = _SPREAD.get(discount["effect"])
    if weigh is not None:
        amount = min(int(pricing.in_all), in_all)
        alone = [split(amount, [weigh(one) for one in rule], caps) for rule, caps in zip(rules, most, strict=True)]
        values = [half_up(one.value) for one in covered]
    else:
        alone = [
            [min(_each(discount, one, pricing.value(one)), cap) for one, cap in zip(rule, caps, strict=True)]
            for rule, caps in zip(rules, most, strict=True)
        ]
        is_one = len(rules) == 1
        values = alone[0] if is_one else [_each(discount, one, pricing.value(one)) for one in covered]
    return _taken(cart, covered, capped(_least_of(rules, alone, covered, values), in_all))


def _least_of(
    rules: Sequence[Sequence[Covered]],
    alone: Sequence[Sequence[int]],
    covered: Sequence[Covered],
    values: Sequence[int],
) -> list[int]:
    """Return what is off each of the covered: the least that a rule would take off alone, at most its value."""
    found = dict(zip((one.line for one in covered), values, strict=True))
    for rule, parts in zip(rules, alone, strict=True):
        for one, part in zip(rule, _within_targets(rule, parts), strict=True):
            if one.line in found:
                found[one.line] = min(part, found[one.line])
    return list(found.values())


def _most(covered: Sequence[Covered], line_limit: int | None = None) -> list[int]:
    """Return the most that can be off each: what is left to pay of its units, or a limit for one line."""
    found = []
    for one in covered:
        limits = [line_limit, one.target.amount_limit if one.target is not None else None]
        found.append(_least(half_up(one.value), limits))
    return found


def _least(amount: int, limits: Sequence[int | None]) -> int:
    return min([amount, *(limit for limit in limits if limit is not None)])


def _within_targets(covered: Sequence[Covered], parts: Sequence[int]) -> list[int]:
    """Return the parts, cut where those of one target go over its aggregated limit."""
    found = list(parts)
    for target in dict.fromkeys(id(one.target) for one in covered):
        places = [place for place, one in enumerate(covered) if id(one.target) == target]
        first = covered[places[0]].target
        if first is not None and first.aggregated_amount_limit is not None:
            for place, part in zip(
                places, capped([parts[place] for place in places], first.aggregated_amount_limit), strict=True
            ):
                found[place] = part
    return found


def _taken(cart: Cart, covered: Sequence[Covered], parts: Sequence[int]) -> tuple[Cart, tuple[Covered, ...]]:
    """Return the cart with these parts off, and what of the covered got something off."""
    lines, used = list(cart.lines), []
    for one, part in zip(covered, parts, strict=True):
        if part:
            lines[one.line] = lines[one.line].less(part)
            used.append(one)
    return msgspec.structs.replace(cart, lines=tuple(lines)), tuple(used)
