"""Which units of which lines a discount on items covers."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapport.discounts.applicable import Applicable, Target, _common, cover, shown
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
    assert shown(cover(every_third, CART), CART, every_third.included[0]) == {
        "order_item_indices": [0, 1, 3],
        "order_item_units": [{"index": 0, "units": [2]}, {"index": 1, "units": [3]}, {"index": 3, "units": [2]}],
    }
    lines = only(effect="APPLY_FROM_MOST_EXPENSIVE", aggregated_quantity_limit=5)
    assert shown(cover(lines, CART), CART, lines.included[0]) == {"order_item_indices": [0, 3]}
    large = Cart.of(10**9, 0, [{"price": 1, "quantity": 10**9}])
    every_second = Applicable(
        included=(Target(object="sku", id="sku_1", lines=(0,), target="UNIT", repeat=2),),
    )
    assert units(every_second, large) == [(0, 500_000_000)]
    assert shown(cover(every_second, large), large, every_second.included[0]) == {
        "order_item_indices": [0],
        "order_item_units": [{"index": 0, "units_limit_exceeded": True}],
    }


def rules(*named: dict[str, Any]) -> Applicable:
    """Return what several rules with a target each say together; the goods are all lines unless told."""
    every = [Target(**{"object": "product", "id": "prod_1", "lines": (0, 1, 2, 3), **one}) for one in named]
    return Applicable(included=(every[0],), further=tuple((one,) for one in every[1:]))


@pytest.mark.parametrize(
    ("first", "second", "covered"),
    [
        ({}, {"quantity_limit": 1}, [(0, 1), (1, 1), (2, 1), (3, 1)]),
        ({"quantity_limit": 1}, {"aggregated_quantity_limit": 4}, [(0, 1), (1, 1)]),
        ({"aggregated_quantity_limit": 5}, {"left": 3}, [(0, 2), (1, 1)]),
        ({"left": 0}, {}, []),
        # What both choose is limited: the one of the cheapest, and the second unit.
        ({"effect": "APPLY_TO_CHEAPEST"}, {"aggregated_quantity_limit": 1}, [(1, 1)]),
        ({"effect": "APPLY_FROM_MOST_EXPENSIVE"}, {"aggregated_quantity_limit": 5}, [(0, 1), (3, 4)]),
        ({"target": "UNIT", "skip_initially": 1}, {"quantity_limit": 1}, [(0, 1), (1, 1), (2, 1), (3, 1)]),
        ({"effect": "APPLY_TO_CHEAPEST"}, {"effect": "APPLY_TO_MOST_EXPENSIVE"}, []),
        # Of units 1 to 10, of lines 0 0 1 1 1 2 3 3 3 3: every second and every third.
        ({"target": "UNIT", "repeat": 2}, {"target": "UNIT", "repeat": 3}, [(0, 1), (3, 1)]),
        ({"target": "UNIT", "repeat": 2}, {"target": "UNIT", "repeat": 2, "skip_initially": 1}, []),
        # A rule says nothing about lines that it does not name.
        ({"quantity_limit": 2}, {"lines": (3,), "quantity_limit": 1}, [(0, 2), (1, 2), (2, 1), (3, 1)]),
    ],
)
def test_of_several_rules_all_hold_in_any_order(
    first: dict[str, Any], second: dict[str, Any], covered: list[tuple[int, int]]
) -> None:
    both, turned = rules(first, second), rules(second, first)
    assert units(both) == covered
    assert units(msgspec.structs.replace(turned, only=frozenset(range(4)))) == covered


def test_what_is_left_of_goods_is_shared_by_the_rules_that_name_them() -> None:
    def goods(name: str, *lines: int, left: int | None = None) -> Target:
        return Target(object="product", id=name, lines=lines, left=left)

    first = (goods("mug", 0), goods("all", 0, 1, 2, 3, left=3))
    second = (goods("cup", 1, 2, 3), goods("all", 0, 1, 2, 3, left=3))
    both, turned = (Applicable(included=one, further=(other,)) for one, other in ((first, second), (second, first)))
    assert units(both) == units(turned) == [(0, 2), (1, 1)]


def test_limits_on_amounts_of_several_rules_hold_together() -> None:
    half = checked({"type": "PERCENT", "percent_off": 50, "effect": "APPLY_TO_ITEMS"})
    named = [{"amount_limit": 400}, {"aggregated_amount_limit": 700}, {"lines": (0,), "aggregated_amount_limit": 50}]
    for several in (named, [named[1], named[0], named[2]]):
        assert apply(half, CART, applicable=rules(*several)).lines == ((0, 50), (1, 200))
    fixed = checked({"type": "FIXED", "fixed_amount": 100, "effect": "APPLY_TO_ITEMS"})
    for prices in ((200, 250, None), (None, 250, 200)):
        done = apply(fixed, CART, applicable=rules(*({"price": price, "quantity_limit": 1} for price in prices)))
        assert done.lines == ((0, 250), (1, 50), (2, 50), (3, 650))


ranges = st.builds(range, st.integers(1, 20), st.integers(0, 60), st.integers(1, 9))


@given(ranges, ranges)
def test_what_two_rules_choose_is_what_both_choose(one: range, other: range) -> None:
    assert list(_common(one, other)) == [number for number in one if number in other]
