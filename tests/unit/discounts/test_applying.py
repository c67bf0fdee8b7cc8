"""What each type and effect takes off, by worked examples."""

from typing import Any

import pytest

from rapport.discounts import applying
from rapport.discounts.applicable import Applicable, Target
from rapport.discounts.applying import apply
from rapport.discounts.cart import Cart
from rapport.discounts.schemas import checked


def line(price: int, quantity: int = 1, **more: Any) -> dict[str, Any]:
    return {"object": "order_item", "price": price, "quantity": quantity, "amount": price * quantity, **more}


def cart(*items: dict[str, Any], discount_amount: int = 0) -> Cart:
    return Cart.of(sum(item.get("amount", 0) for item in items), discount_amount, items)


def offs(discount: dict[str, Any], before: Cart, applicable: Applicable | None = None, **variables: Any) -> list[int]:
    """Return what is off each line, after seeing that it is the same as what is off the whole."""
    done = apply(checked(discount), before, applicable=applicable, variables=variables)
    found = [
        after.discount_amount - was.discount_amount for after, was in zip(done.cart.lines, before.lines, strict=True)
    ]
    assert sum(found) == done.off == done.saved
    assert done.cart.discount_amount == before.discount_amount
    return found


# A shirt at 30.00, two pens at 10.00, six mugs at 1.00.
SHOPPING = cart(line(3000), line(1000, 2), line(100, 6))


@pytest.mark.parametrize(
    ("discount", "off"),
    [
        ({"type": "PERCENT", "percent_off": 10}, 560),
        ({"type": "PERCENT", "percent_off": 10, "amount_limit": 500}, 500),
        ({"type": "PERCENT", "percent_off": 10, "aggregated_amount_limit": 400, "amount_limit": 500}, 400),
        ({"type": "AMOUNT", "amount_off": 700}, 700),
        ({"type": "AMOUNT", "amount_off": 700, "aggregated_amount_limit": 600}, 600),
        ({"type": "AMOUNT", "amount_off": 7000}, 5600),
        ({"type": "FIXED", "fixed_amount": 5000}, 600),
        ({"type": "FIXED", "fixed_amount": 9000}, 0),
        ({"type": "FIXED", "fixed_amount": 0}, 5600),
    ],
)
def test_a_discount_on_the_order(discount: dict[str, Any], off: int) -> None:
    done = apply(checked(discount), SHOPPING)
    assert (done.off, done.saved, done.lines) == (off, off, ())
    assert done.cart.amounts() == {
        "amount": 5600,
        "initial_amount": 5600,
        "discount_amount": off,
        "items_discount_amount": 0,
        "total_discount_amount": off,
        "applied_discount_amount": off,
        "items_applied_discount_amount": 0,
        "total_applied_discount_amount": off,
        "total_amount": 5600 - off,
    }


@pytest.mark.parametrize(
    ("percent", "amount", "off"), [(10, 5, 1), (10, 4, 0), (12.5, 1004, 126), (33.333333, 100, 33), (100, 99, 99)]
)
def test_a_percentage_is_rounded_half_up(percent: float, amount: int, off: int) -> None:
    assert apply(checked({"type": "PERCENT", "percent_off": percent}), Cart.of(amount, 0, [])).off == off


@pytest.mark.parametrize(
    ("discount", "off"),
    [
        ({"type": "PERCENT", "percent_off": 10, "effect": "APPLY_TO_ITEMS"}, [300, 200, 60]),
        ({"type": "PERCENT", "percent_off": 10, "amount_limit": 150, "effect": "APPLY_TO_ITEMS"}, [150, 150, 60]),
        (
            {"type": "PERCENT", "percent_off": 10, "aggregated_amount_limit": 350, "effect": "APPLY_TO_ITEMS"},
            [300, 50, 0],
        ),
        ({"type": "AMOUNT", "amount_off": 800, "effect": "APPLY_TO_ITEMS"}, [800, 800, 600]),
        ({"type": "AMOUNT", "amount_off": 80, "effect": "APPLY_TO_ITEMS_BY_QUANTITY"}, [80, 160, 480]),
        ({"type": "AMOUNT", "amount_off": 560, "effect": "APPLY_TO_ITEMS_PROPORTIONALLY"}, [300, 200, 60]),
        ({"type": "AMOUNT", "amount_off": 100, "effect": "APPLY_TO_ITEMS_PROPORTIONALLY"}, [53, 36, 11]),
        ({"type": "AMOUNT", "amount_off": 9999, "effect": "APPLY_TO_ITEMS_PROPORTIONALLY"}, [3000, 2000, 600]),
        ({"type": "AMOUNT", "amount_off": 90, "effect": "APPLY_TO_ITEMS_PROPORTIONALLY_BY_QUANTITY"}, [10, 20, 60]),
        # The mugs are worth 6.00: what they cannot take of their two thirds goes to the others.
        (
            {"type": "AMOUNT", "amount_off": 1200, "effect": "APPLY_TO_ITEMS_PROPORTIONALLY_BY_QUANTITY"},
            [200, 400, 600],
        ),
        ({"type": "FIXED", "fixed_amount": 150, "effect": "APPLY_TO_ITEMS"}, [2850, 1700, 0]),
    ],
)
def test_a_discount_on_the_items(discount: dict[str, Any], off: list[int]) -> None:
    assert offs(discount, SHOPPING) == off


def test_a_cart_without_prices_has_nothing_off_its_items() -> None:
    done = apply(checked({"type": "PERCENT", "percent_off": 50, "effect": "APPLY_TO_ITEMS"}), Cart.of(900, 0, [{}]))
    assert (done.off, done.cart.total_amount, done.cart.items()) == (0, 900, [{}])


def test_items_are_never_more_off_than_what_the_order_still_costs() -> None:
    before = cart(line(1000), line(1000), discount_amount=1500)
    assert offs({"type": "AMOUNT", "amount_off": 400, "effect": "APPLY_TO_ITEMS"}, before) == [400, 100]


def test_the_five_redeemables_of_the_reference() -> None:
    """Two items of 20.00 and 7.00: 10.00 off each item, a gift card, 40 percent, 0.30."""
    start = cart(line(2000), line(700))
    first = apply(checked({"type": "AMOUNT", "amount_off": 1000, "effect": "APPLY_TO_ITEMS"}), start)
    assert [one.discount_amount for one in first.cart.lines] == [1000, 700]
    gift = applying.credits(100, "APPLY_TO_ORDER", first.cart.fresh())
    assert (gift.off, gift.cart.total_amount) == (100, 900)
    percent = apply(checked({"type": "PERCENT", "percent_off": 40}), gift.cart.fresh())
    assert percent.cart.applied_discount_amount == percent.off == 360
    last = apply(checked({"type": "AMOUNT", "amount_off": 30}), percent.cart.fresh())
    assert last.cart.amounts() | {"applied_discount_amount": 30} == last.cart.amounts()
    assert last.cart.since(start).amounts() == {
        "amount": 2700,
        "initial_amount": 2700,
        "discount_amount": 490,
        "items_discount_amount": 1700,
        "total_discount_amount": 2190,
        "applied_discount_amount": 490,
        "items_applied_discount_amount": 1700,
        "total_applied_discount_amount": 2190,
        "total_amount": 510,
    }


def test_the_new_prices_of_the_reference() -> None:
    """A formula for each product; amounts in formulas are major units: 400 is 400.00, and 20 would be 20.00."""
    before = cart(line(6500), line(6000), line(2000), line(5000, 2), line(11000, 2))
    fifth = "IF(ORDER_AMOUNT > 300;ORDER_ITEM_PRICE * 0.8;ORDER_ITEM_PRICE)"
    tenth = "IF(ORDER_AMOUNT > 200;ORDER_ITEM_PRICE * 0.9;ORDER_ITEM_PRICE)"
    formulas = [fifth, tenth, "IF(ORDER_AMOUNT > 400;0;20)", tenth, fifth]
    targets = tuple(
        Target(object="product", id=f"prod_{at}", lines=(at,), price=99900, price_formula=formula)
        for at, formula in enumerate(formulas)
    )
    fixed = {"type": "FIXED", "fixed_amount": 99900, "effect": "APPLY_TO_ITEMS"}
    assert offs(fixed, before, Applicable(included=targets)) == [1300, 600, 2000, 1000, 4400]


def test_credits_of_a_gift_card() -> None:
    assert applying.credits(700, "APPLY_TO_ORDER", SHOPPING).cart.discount_amount == 700
    used_up = applying.credits(99_999, "APPLY_TO_ORDER", SHOPPING)
    assert (used_up.off, used_up.cart.total_amount) == (5600, 0)
    on_items = applying.credits(560, "APPLY_TO_ITEMS", SHOPPING)
    assert [one.discount_amount for one in on_items.cart.lines] == [300, 200, 60]
    only_pens = Applicable(included=(Target(object="product", id="prod_pen", lines=(1,)),))
    assert applying.credits(9999, "APPLY_TO_ITEMS", SHOPPING, only_pens).off == 2000


def test_a_formula_gives_the_value_and_the_stated_one_is_for_when_it_cannot() -> None:
    discount = checked({"type": "PERCENT", "percent_off": 5, "percent_off_formula": 'CUSTOMER_METADATA("age") / 2'})
    known = apply(discount, SHOPPING, variables={"CUSTOMER_METADATA": {"age": 25}})
    assert known.discount == {"type": "PERCENT", "percent_off": 12.5, "effect": "APPLY_TO_ORDER", "is_dynamic": True}
    assert known.off == 700
    unknown = apply(discount, SHOPPING)
    assert unknown.discount == {"type": "PERCENT", "percent_off": 5, "effect": "APPLY_TO_ORDER", "is_dynamic": False}
    assert unknown.off == 280


@pytest.mark.parametrize(
    ("discount", "off"),
    [
        ({"type": "AMOUNT", "amount_off": 0, "amount_off_formula": "ORDER_AMOUNT * 0.15"}, 840),
        ({"type": "AMOUNT", "amount_off": 0, "amount_off_formula": "1.005"}, 101),
        ({"type": "AMOUNT", "amount_off": 9, "amount_off_formula": "0 - 5"}, 0),
        (
            {"type": "FIXED", "fixed_amount": 0, "fixed_amount_formula": "ORDER_UNITS_QUANTITY + ORDER_ITEMS_COUNT"},
            4400,
        ),
        ({"type": "PERCENT", "percent_off": 0, "percent_off_formula": "150"}, 5600),
    ],
)
def test_formulas_on_the_order(discount: dict[str, Any], off: int) -> None:
    assert apply(checked(discount), SHOPPING).off == off


def test_a_formula_about_the_item_is_worked_out_for_each() -> None:
    before = cart(
        line(1000, metadata={"off": 10}), line(1000, metadata={"off": 25}), line(1000, product={"metadata": {"off": 9}})
    )
    discount = {
        "type": "PERCENT",
        "percent_off": 1,
        "percent_off_formula": 'ORDER_ITEM_METADATA("off")',
        "effect": "APPLY_TO_ITEMS",
    }
    assert offs(discount, before) == [100, 250, 10]
    by_price = {
        "type": "AMOUNT",
        "amount_off": 1,
        "amount_off_formula": "ORDER_ITEM_PRICE / ORDER_ITEM_QUANTITY",
        "effect": "APPLY_TO_ITEMS",
    }
    assert offs(by_price, SHOPPING) == [3000, 500, 17]
