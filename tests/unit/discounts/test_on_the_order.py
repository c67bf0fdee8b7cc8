"""Discounts on the whole order, alone and one after another."""

from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapport.discounts.applying import apply
from rapport.discounts.cart import Cart
from rapport.discounts.shares import percent_of

AMOUNTS = st.integers(0, 2**53 - 1)
PERCENTAGES = st.decimals(0, 100, places=4) | st.integers(0, 100)
DISCOUNTS = st.one_of(
    st.builds(lambda off: {"type": "PERCENT", "percent_off": off}, PERCENTAGES),
    st.builds(lambda off, most: {"type": "PERCENT", "percent_off": off, "amount_limit": most}, PERCENTAGES, AMOUNTS),
    st.builds(lambda off: {"type": "AMOUNT", "amount_off": off}, AMOUNTS),
)


def stack(discounts: list[dict[str, Any]], remaining: int) -> list[int]:
    """Return what each discount takes off an order of which so much is left to pay, one after another."""
    cart, parts = Cart.of(remaining, 0, []), []
    for discount in discounts:
        applied = apply(discount | {"effect": "APPLY_TO_ORDER"}, cart)
        parts.append(applied.off)
        cart = applied.cart
    return parts


def amount_off(discount: dict[str, Any], remaining: int) -> int:
    """Return what one discount takes off."""
    return stack([discount], remaining)[0]


@pytest.mark.parametrize(
    ("discount", "remaining", "off"),
    [
        ({"type": "PERCENT", "percent_off": 10}, 1000, 100),
        ({"type": "PERCENT", "percent_off": Decimal("12.5")}, 1001, 125),
        ({"type": "PERCENT", "percent_off": 50}, 1, 1),
        ({"type": "PERCENT", "percent_off": Decimal("49.9")}, 1, 0),
        ({"type": "PERCENT", "percent_off": 100}, 999, 999),
        ({"type": "PERCENT", "percent_off": 0}, 999, 0),
        ({"type": "PERCENT", "percent_off": 30, "amount_limit": 50}, 1000, 50),
        ({"type": "AMOUNT", "amount_off": 300}, 1000, 300),
        ({"type": "AMOUNT", "amount_off": 3000}, 1000, 1000),
        ({"type": "AMOUNT", "amount_off": 300}, 0, 0),
    ],
)
def test_a_discount_takes_off(discount: dict[str, Any], remaining: int, off: int) -> None:
    assert amount_off(discount, remaining) == off


def test_each_discount_takes_of_what_the_ones_before_it_left() -> None:
    half = {"type": "PERCENT", "percent_off": 50}
    assert stack([half, half, {"type": "AMOUNT", "amount_off": 10_000}], 1000) == [500, 250, 250]


@given(st.lists(DISCOUNTS, max_size=5), AMOUNTS)
def test_the_parts_sum_to_the_whole_and_the_total_is_never_negative(discounts: list[Any], remaining: int) -> None:
    parts = stack(discounts, remaining)
    assert len(parts) == len(discounts)
    assert all(part >= 0 for part in parts)
    total = remaining - sum(parts)
    assert 0 <= total <= remaining
    for number, discount in enumerate(discounts):
        assert parts[number] == amount_off(discount, remaining - sum(parts[:number]))


@given(DISCOUNTS, AMOUNTS, AMOUNTS)
def test_a_larger_amount_never_gets_a_smaller_discount(discount: Any, one: int, other: int) -> None:
    smaller, larger = sorted((one, other))
    assert amount_off(discount, smaller) <= amount_off(discount, larger)


@given(PERCENTAGES, st.integers(0, 10**9))
def test_a_percentage_is_exact_and_rounded_half_up(percentage: Decimal | int, amount: int) -> None:
    exact = Decimal(percentage) * amount / 100
    assert percent_of(Fraction(percentage), Fraction(amount)) == int(exact.quantize(Decimal(1), ROUND_HALF_UP))
