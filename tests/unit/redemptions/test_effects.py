"""What redemptions did to the lines of an order is taken back, in whatever order, and nothing else is."""

import itertools
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from rapport.redemptions import effects

APPLE = {
    "object": "order_item",
    "product_id": "apple",
    "quantity": 2,
    "amount": 400,
    "price": 200,
    "subtotal_amount": 400,
}
PEAR = {"object": "order_item", "source_id": "pear", "quantity": 1, "amount": 300, "price": 300, "subtotal_amount": 300}


def off(item: dict[str, Any], amount: int) -> dict[str, Any]:
    taken = item.get("discount_amount", 0) + amount
    return {
        **item,
        "discount_amount": taken,
        "applied_discount_amount": amount,
        "subtotal_amount": item["amount"] - taken,
    }


def more(item: dict[str, Any], units: int) -> dict[str, Any]:
    added = units * item["price"]
    return {
        **item,
        "quantity": item["quantity"] + units,
        "amount": item["amount"] + added,
        "discount_quantity": item.get("discount_quantity", 0) + units,
        "discount_amount": item.get("discount_amount", 0) + added,
    }


def undone(items: list[dict[str, Any]], *more: Any) -> list[dict[str, Any]]:
    return effects.undone(items, *more)[0]


def test_nothing_that_changed_is_no_effect() -> None:
    assert effects.between([APPLE, PEAR], [APPLE, PEAR]) == []
    assert undone([APPLE, PEAR], []) == [APPLE, PEAR]


def test_a_discount_on_a_line_is_kept_as_a_difference() -> None:
    after = [off(off(APPLE, 50), 30), PEAR]
    found = effects.between([off(APPLE, 50), PEAR], after)
    assert found == [{"index": 0, "key": ["apple", None, None], "discount_amount": 30}]
    assert undone(after, found) == [{**APPLE, "discount_amount": 50, "subtotal_amount": 350}, PEAR]


def test_units_that_were_added_go_and_a_line_of_which_nothing_is_left_goes_with_them() -> None:
    gift = {"product_id": "nut", "quantity": 3, "amount": 30, "price": 10}
    gift |= {"discount_quantity": 3, "discount_amount": 30, "subtotal_amount": 0}
    after = [more(APPLE, 2), PEAR, gift]
    found = effects.between([APPLE, PEAR], after)
    assert undone(after, found) == [APPLE, PEAR]


def test_a_line_is_found_again_where_the_shop_moved_it() -> None:
    found = effects.between([APPLE, PEAR], [APPLE, off(PEAR, 100)])
    assert undone([off(PEAR, 100), APPLE], found) == [PEAR, APPLE]


def test_what_others_took_off_stays_off_where_the_shop_cut_it() -> None:
    found = effects.between([off(APPLE, 30)], [off(off(APPLE, 30), 50)])
    others = effects.between([APPLE], [off(APPLE, 30)])
    cut = [{**APPLE, "discount_amount": 50, "subtotal_amount": 350}]
    assert undone(cut, found, others)[0]["discount_amount"] == 30
    assert undone(cut, others, found)[0]["discount_amount"] == 50


def test_units_that_are_not_free_any_more_are_not_taken_away() -> None:
    found = effects.between([APPLE], [more(APPLE, 2)])
    assert undone([APPLE], found) == [APPLE]
    assert undone([more(APPLE, 1)], found) == [APPLE]


def test_lines_that_go_tell_where_the_others_stood() -> None:
    gift = {"product_id": "nut", "quantity": 1, "amount": 10, "discount_quantity": 1, "discount_amount": 10}
    found = effects.between([APPLE], [APPLE, gift])
    assert effects.undone([APPLE, gift, PEAR], found) == ([APPLE, PEAR], [0, 2])


def test_a_line_that_the_shop_removed_is_let_be() -> None:
    found = effects.between([APPLE, PEAR], [off(APPLE, 40), PEAR])
    assert undone([PEAR], found) == [PEAR]


@given(st.lists(st.tuples(st.integers(0, 1), st.booleans(), st.integers(1, 90)), max_size=5), st.randoms())
def test_whatever_order_they_are_undone_in_the_lines_are_as_before(steps: list[Any], chance: Any) -> None:
    items: list[dict[str, Any]] = [{**APPLE, "amount": 4_000}, {**PEAR, "amount": 3_000}]
    items = [{**item, "subtotal_amount": item["amount"]} for item in items]
    before = items
    kept = []
    for place, adds, number in steps:
        after = [
            more(item, number) if adds else off(item, number) if at == place else item for at, item in enumerate(items)
        ]
        kept.append(effects.between(items, after))
        items = after
    chance.shuffle(kept)
    for one in kept:
        items = undone(items, one)
    for item in items:
        item.pop("applied_discount_amount", None)
        item["subtotal_amount"] = item["amount"] - item.get("discount_amount", 0)
    assert items == before


def test_all_orders_of_undoing_a_few_agree() -> None:
    one = more(APPLE, 1)
    two = off(one, 20)
    three = off(two, 15)
    states = [[APPLE], [one], [two], [three]]
    kept = [effects.between(*pair) for pair in itertools.pairwise(states)]
    for order in itertools.permutations(kept):
        items: list[dict[str, Any]] = [three]
        for effect in order:
            items = undone(items, effect)
        assert items == [APPLE]
