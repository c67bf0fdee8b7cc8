"""What a discount's value is for a cart: the number it states, or what its formula comes to."""

from collections import ChainMap
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

import msgspec

from rapport.core.rounding import half_up
from rapport.discounts.cart import Cart, Line
from rapport.discounts.expressions import FormulaError, rounded
from rapport.discounts.formulas import parse
from rapport.discounts.schemas import MAX_AMOUNT, MAX_PERCENT_PLACES, MAX_UNITS

MINOR_UNITS: Final = 100  # in a major one, in every currency, as the reference has it


class Worth(msgspec.Struct, frozen=True):
    """A value, and whether a formula gave it."""

    value: Fraction
    dynamic: bool = False


def scope_of(cart: Cart, variables: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a formula may name: what the caller knows, and the cart. Amounts are in major units."""
    prices = [price for line in cart.lines if (price := line.unit_price) is not None]
    known: dict[str, Any] = {
        "ORDER_AMOUNT": _major(cart.amount),
        "ORDER_INITIAL_AMOUNT": _major(cart.initial_amount),
        "ORDER_DISCOUNT_AMOUNT": _major(cart.total_discount_amount),
        "ORDER_TOTAL_AMOUNT": _major(cart.total_amount),
        "ORDER_ITEMS_COUNT": len(cart.lines),
        "ORDER_UNITS_QUANTITY": sum(line.quantity for line in cart.lines),
    }
    if prices:
        known["CHEAPEST_ORDER_ITEM_PRICE"] = _major(min(prices))
        known["MOST_EXPENSIVE_ORDER_ITEM_PRICE"] = _major(max(prices))
    return {**variables, **known}


def scope_of_line(scope: Mapping[str, Any], line: Line) -> Mapping[str, Any]:
    """Return what a formula may name where it is worked out for one line."""
    price = line.unit_price
    item = line.item
    known: dict[str, Any] = {
        "ORDER_ITEM_QUANTITY": line.quantity,
        "ORDER_ITEM_PRICE": None if price is None else _major(price),
        "ORDER_ITEM_AMOUNT": _major(line.amount) if line.priced else None,
        "ORDER_ITEM_METADATA": item.get("metadata"),
        "PRODUCT_METADATA": (item.get("product") or {}).get("metadata"),
        "SKU_METADATA": (item.get("sku") or {}).get("metadata"),
    }
    return ChainMap(known, dict(scope))


def by_item(formula: str | None) -> bool:
    """Tell whether a formula has to be worked out for each line."""
    return bool(formula) and parse(str(formula)).by_item


def amount_of(stated: int | None, formula: str | None, scope: Mapping[str, Any]) -> Worth:
    """Return an amount in minor units. Where the formula cannot be worked out, the stated one holds.

    A formula's amount below 0 is 0. Raises FormulaError if there is none stated either.
    """
    worth = _worth(stated, formula, scope)
    if not worth.dynamic:
        return worth
    return Worth(Fraction(min(MAX_AMOUNT, half_up(max(Fraction(0), worth.value) * MINOR_UNITS))), dynamic=True)


def percent_of_discount(stated: int | Decimal | None, formula: str | None, scope: Mapping[str, Any]) -> Worth:
    """Return a percentage from 0 to 100; a formula's is cut to that, and has as many places as a stated one may."""
    worth = _worth(stated, formula, scope)
    if not worth.dynamic:
        return worth
    return Worth(rounded(max(Fraction(0), min(Fraction(100), worth.value)), MAX_PERCENT_PLACES), dynamic=True)


def units_of(stated: int | None, formula: str | None, scope: Mapping[str, Any], most: int = MAX_UNITS) -> Worth:
    """Return a number of units; a formula's is rounded down, since half a product cannot be given."""
    worth = _worth(stated, formula, scope)
    if not worth.dynamic:
        return worth
    return Worth(Fraction(max(0, min(most, worth.value // 1))), dynamic=True)


def plain(value: Fraction) -> int | Decimal:
    """Return a number as JSON writes it."""
    if value.denominator == 1:
        return value.numerator
    return Decimal(half_up(value * 10**MAX_PERCENT_PLACES)).scaleb(-MAX_PERCENT_PLACES).normalize()


def _worth(stated: int | Decimal | None, formula: str | None, scope: Mapping[str, Any]) -> Worth:
    if formula:
        try:
            return Worth(parse(formula).number(scope), dynamic=True)
        except FormulaError:
            if stated is None:
                raise
    return Worth(Fraction(stated or 0))


def _major(minor: int | Fraction) -> Fraction:
    return Fraction(minor) / MINOR_UNITS
