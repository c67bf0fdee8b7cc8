"""Discount arithmetic. Pure: whole minor units in, whole minor units out.

A percentage is worked out exactly and rounded half up to a whole minor unit. A discount is never more than what is left
to pay and never negative.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any


def amount_off(discount: Mapping[str, Any], remaining: int) -> int:
    """Return what a discount takes off an amount of `remaining` minor units; between 0 and `remaining`."""
    if discount["type"] == "PERCENT":
        off = percent_of(discount["percent_off"], remaining)
        limit = discount.get("amount_limit")
        off = off if limit is None else min(off, limit)
    else:
        off = discount["amount_off"]
    return max(0, min(off, remaining))


def percent_of(percent: Decimal | int, amount: int) -> int:
    """Return so many percent of an amount, rounded half up."""
    exact = Fraction(percent) * amount / 100
    return (2 * exact.numerator + exact.denominator) // (2 * exact.denominator)


def stack(discounts: Sequence[Mapping[str, Any]], remaining: int) -> list[int]:
    """Return what each of several discounts takes off, each of what the ones before it left."""
    parts = []
    for discount in discounts:
        parts.append(amount_off(discount, remaining))
        remaining -= parts[-1]
    return parts
