"""Which units of which lines a discount on items covers."""

from typing import Any

import pytest

from rapport.discounts.applicable import Applicable, Target, cover, shown
from rapport.discounts.applying import apply
from rapport.discounts.cart import Cart
from rapport.discounts.schemas import checked

PRICES = ((500, 2), (300, 3), (300, 1), (900, 4))
CART = Cart.of(
    sum(price * quantity for price, quantity in PRICES),
    0,
    [{"price": price, "quantity": quantity, "amount": price * quantity} for price, quantity in PRICES],
)


def only(**limits: Any) -> Applicable:
    return Applicable(included=(Target(object="product", id="prod_1", lines=(0, 1, 2, 3), **limits),))


def units(applicable: Applicable | None, cart: Cart = CART) -> list[tuple[int, int]]:
    return [(one.line, one.units) for one in cover(applicable, cart)]


@pytest.mark.parametrize(
    ("limits", "covered"),
    [
        ({}, [(0, 2), (1, 3), (2, 1), (3, 4)]),
        ({"effect": "APPLY_TO_CHEAPEST"}, [(1, 3), (2, 1)]),
        ({"effect": "APPLY_TO_MOST_EXPENSIVE"}, [(3, 4)]),
        ({"effect": "APPLY_FROM_CHEAPEST", "aggregated_quantity_limit": 5}, [(1, 3), (2, 1), (0, 1)]),
        ({"effect": "APPLY_FROM_MOST_EXPENSIVE", "aggregated_quantity_limit": 5}, [(3, 4), (0, 1)]),
        ({"quantity_limit": 2}, [(0, 2), (1, 2), (2, 1), (3, 2)]),
        ({"quantity_limit": 2, "aggregated_quantity_limit": 3}, [(0, 2), (1, 1)]),
        ({"quantity_limit": 0}, []),
        ({"skip_initially": 1}, [(1, 3), (2, 1), (3, 4)]),
        ({"skip_initially": 1, "repeat": 2}, [(1, 3), (3, 4)]),
        # Units 1 to 10 are of lines 0 0 1 1 1 2 3 3 3 3: the 2nd, the 5th and the 8th.
        ({"target": "UNIT", "skip_initially": 1, "repeat": 3}, [(0, 1), (1, 1), (3, 1)]),
        ({"target": "UNIT", "skip_initially": 4}, [(1, 1), (2, 1), (3, 4)]),
        ({"target": "UNIT", "repeat": 2, "effect": "APPLY_FROM_CHEAPEST"}, [(1, 2), (0, 1), (3, 2)]),
        ({"target": "UNIT", "skip_initially": 99}, []),
    ],
)
def test_a_target_covers(limits: dict[str, Any], covered: list[tuple[int, int]]) -> None:
    assert units(only(**limits)) == covered


def test_without_a_rule_everything_is_covered_and_with_an_empty_one_nothing() -> None:
    everything = [(0, 2), (1, 3), (2, 1), (3, 4)]
    assert units(None) == units(Applicable(included_all=True)) == everything
    assert units(Applicable()) == []
    assert units(Applicable(included_all=True, excluded=frozenset({0, 3}))) == [(1, 3), (2, 1)]


def test_a_line_belongs_to_the_first_target_that_has_it() -> None:
    first = Target(object="sku", id="sku_1", lines=(1,), quantity_limit=1)
    second = Target(object="products_collection", id="pc_1", lines=(0, 1, 99))
    assert units(Applicable(included=(first, second))) == [(1, 1), (0, 2)]
    assert units(Applicable(included=(first,), included_all=True)) == [(1, 1), (0, 2), (2, 1), (3, 4)]


def test_limits_on_amounts_hold_for_a_line_and_for_all_of_the_target() -> None:
    half = checked({"type": "PERCENT", "percent_off": 50, "effect": "APPLY_TO_ITEMS"})
    assert [off for _, off in apply(half, CART).lines] == [500, 450, 150, 1800]
    assert [off for _, off in apply(half, CART, applicable=only(amount_limit=400)).lines] == [400, 400, 150, 400]
    done = apply(half, CART, applicable=only(amount_limit=400, aggregated_amount_limit=700))
    assert done.lines == ((0, 400), (1, 300))


def test_a_limit_on_units_limits_what_is_off() -> None:
    effect = {"type": "AMOUNT", "amount_off": 450, "effect": "APPLY_TO_ITEMS"}
    assert apply(checked(effect), CART, applicable=only(quantity_limit=1)).lines == (
        (0, 450),
        (1, 300),
        (2, 300),
        (3, 450),
    )
    by_quantity = checked({**effect, "effect": "APPLY_TO_ITEMS_BY_QUANTITY"})
    assert apply(by_quantity, CART, applicable=only(quantity_limit=2)).lines == ((0, 900), (1, 600), (2, 300), (3, 900))


def test_free_units_are_not_covered() -> None:
    free = {"price": 100, "quantity": 3, "amount": 300, "discount_quantity": 3, "discount_amount": 300}
    some = {"price": 200, "quantity": 3, "amount": 600, "discount_quantity": 2, "discount_amount": 400}
    cart = Cart.of(900, 0, [free, some])
    cheapest = Applicable(
        included=(Target(object="product", id="prod_1", lines=(0, 1), effect="APPLY_TO_CHEAPEST"),),
    )
    assert units(cheapest, cart) == [(1, 1)]


def test_an_answer_names_the_lines_and_the_units() -> None:
    every_third = only(target="UNIT", skip_initially=1, repeat=3)
    assert shown(every_third, CART, every_third.included[0]) == {
        "order_item_indices": [0, 1, 3],
        "order_item_units": [{"index": 0, "units": [2]}, {"index": 1, "units": [3]}, {"index": 3, "units": [2]}],
    }
    lines = only(effect="APPLY_FROM_MOST_EXPENSIVE", aggregated_quantity_limit=5)
    assert shown(lines, CART, lines.included[0]) == {"order_item_indices": [0, 3]}
    large = Cart.of(10**9, 0, [{"price": 1, "quantity": 10**9}])
    every_second = Applicable(
        included=(Target(object="sku", id="sku_1", lines=(0,), target="UNIT", repeat=2),),
    )
    assert units(every_second, large) == [(0, 500_000_000)]
    assert shown(every_second, large, every_second.included[0]) == {
        "order_item_indices": [0],
        "order_item_units": [{"index": 0, "units_limit_exceeded": True}],
    }
