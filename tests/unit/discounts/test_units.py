"""Free units: what becomes free, what is added, and the quantities that say so."""

from typing import Any

import pytest

from rapport.core.errors import InvalidPayload
from rapport.discounts.applicable import Applicable
from rapport.discounts.applied import Added
from rapport.discounts.applying import apply
from rapport.discounts.cart import Cart, CatalogueItem
from rapport.discounts.expressions import FormulaError
from rapport.discounts.schemas import MAX_AMOUNT, checked

SHIRT = CatalogueItem({"id": "prod_shirt", "source_id": "shirt", "name": "Shirt"}, price=3000)
RED = CatalogueItem(
    {"id": "prod_shirt", "source_id": "shirt", "name": "Shirt"},
    sku={"id": "sku_red", "source_id": "red", "sku": "Shirt, red"},
    price=3100,
)
SHIPPING = CatalogueItem({"id": "prod_5h1pp1ng", "source_id": "5h1pp1ng", "name": "Shipping"})
PRODUCTS = {"prod_shirt": SHIRT, "sku_red": RED, "prod_5h1pp1ng": SHIPPING}
CAP: dict[str, Any] = {"product_id": "prod_cap", "price": 1000, "quantity": 2, "amount": 2000}


def shirts(quantity: int, **more: Any) -> dict[str, Any]:
    return {"product_id": "prod_shirt", "price": 3000, "quantity": quantity, "amount": 3000 * quantity, **more}


def cart(*items: dict[str, Any]) -> Cart:
    return Cart.of(sum(item.get("amount", 0) for item in items), 0, items)


def give(effect: str, units: int, before: Cart, unit_type: str = "prod_shirt") -> Any:
    discount = checked({"type": "UNIT", "unit_off": units, "unit_type": unit_type, "effect": effect})
    return apply(discount, before, products=PRODUCTS)


def counts(after: Cart) -> list[tuple[int, int, int]]:
    """Return the initial, the present and the free quantity of each line."""
    return [(line.initial_quantity, line.quantity, line.discount_quantity) for line in after.lines]


def test_missing_units_are_added_for_free_in_a_line_of_their_own() -> None:
    done = give("ADD_MISSING_ITEMS", 2, cart(CAP))
    assert counts(done.cart) == [(2, 2, 0), (0, 2, 2)]
    assert done.added == (Added("prod_shirt", 2, 1),)
    assert (done.off, done.saved) == (6000, 0)
    assert done.cart.amounts() == {
        "amount": 8000,
        "initial_amount": 2000,
        "discount_amount": 0,
        "items_discount_amount": 6000,
        "total_discount_amount": 6000,
        "applied_discount_amount": 0,
        "items_applied_discount_amount": 6000,
        "total_applied_discount_amount": 6000,
        "total_amount": 2000,
    }
    assert done.cart.items()[1] == {
        "object": "order_item",
        "product_id": "prod_shirt",
        "price": 3000,
        "product": {"id": "prod_shirt", "source_id": "shirt", "name": "Shirt"},
        "quantity": 2,
        "discount_quantity": 2,
        "applied_discount_quantity": 2,
        "initial_quantity": 0,
        "amount": 6000,
        "discount_amount": 6000,
        "applied_discount_amount": 6000,
        "initial_amount": 0,
        "subtotal_amount": 0,
    }
    assert done.discount == {
        "type": "UNIT",
        "effect": "ADD_MISSING_ITEMS",
        "unit_off": 2,
        "unit_type": "prod_shirt",
        "product": {"id": "prod_shirt", "source_id": "shirt", "name": "Shirt"},
        "is_dynamic": False,
    }


@pytest.mark.parametrize(
    ("there", "after", "saved"),
    [(1, (1, 2, 2), 3000), (2, (2, 2, 2), 6000), (5, (5, 5, 2), 6000)],
)
def test_what_is_there_becomes_free_and_only_the_missing_is_added(
    there: int, after: tuple[int, int, int], saved: int
) -> None:
    done = give("ADD_MISSING_ITEMS", 2, cart(shirts(there)))
    assert counts(done.cart) == [after]
    assert done.saved == saved
    assert done.cart.initial_amount == 3000 * there


def test_the_same_missing_units_twice_are_as_once() -> None:
    once = give("ADD_MISSING_ITEMS", 1, cart(CAP), "prod_5h1pp1ng").cart
    twice = give("ADD_MISSING_ITEMS", 1, once.fresh(), "prod_5h1pp1ng")
    assert counts(twice.cart) == counts(once) == [(2, 2, 0), (0, 1, 1)]
    assert (twice.off, twice.added) == (0, ())
    assert twice.cart.items()[1] == {
        "object": "order_item",
        "product_id": "prod_5h1pp1ng",
        "product": {"id": "prod_5h1pp1ng", "source_id": "5h1pp1ng", "name": "Shipping"},
        "quantity": 1,
        "discount_quantity": 1,
        "initial_quantity": 0,
    }


def test_units_that_are_free_already_count_among_the_free() -> None:
    before = cart(shirts(4, discount_quantity=1, discount_amount=3000))
    done = give("ADD_MISSING_ITEMS", 3, before)
    assert counts(done.cart) == [(4, 4, 3)]
    assert (done.off, done.cart.total_amount) == (6000, 3000)


def test_units_are_never_more_off_than_what_the_order_still_costs() -> None:
    before = Cart.of(6000, 5000, [shirts(2)])
    done = give("ADD_MISSING_ITEMS", 1, before)
    assert counts(done.cart) == [(2, 2, 1)]
    assert (done.off, done.saved, done.cart.total_amount) == (1000, 1000, 0)
    assert done.cart.amount == done.cart.total_discount_amount


def test_new_units_are_added_whatever_is_there() -> None:
    done = give("ADD_NEW_ITEMS", 3, cart(shirts(1), CAP))
    assert counts(done.cart) == [(1, 4, 3), (2, 2, 0)]
    assert (done.off, done.saved, done.cart.amount, done.cart.total_amount) == (9000, 0, 14000, 5000)
    item = done.cart.items()[0]
    assert (item["amount"], item["initial_amount"], item["subtotal_amount"]) == (12000, 3000, 3000)


def test_new_units_of_a_sku_do_not_go_into_a_line_of_its_product() -> None:
    done = give("ADD_NEW_ITEMS", 1, cart(shirts(1)), "sku_red")
    assert counts(done.cart) == [(1, 1, 0), (0, 1, 1)]
    assert done.cart.items()[1]["sku_id"] == "sku_red"
    assert done.discount["sku"] == {"id": "sku_red", "source_id": "red", "sku": "Shirt, red", "name": "Shirt, red"}


def test_a_line_named_by_its_source_id_is_found() -> None:
    item = {"source_id": "shirt", "related_object": "product", "price": 3000, "quantity": 1, "amount": 3000}
    assert counts(give("ADD_MISSING_ITEMS", 1, cart(item)).cart) == [(1, 1, 1)]


def test_a_line_of_a_sku_is_of_its_product_too() -> None:
    item = shirts(1, sku_id="sku_blue")
    assert counts(give("ADD_MISSING_ITEMS", 1, cart(item)).cart) == [(1, 1, 1)]
    assert counts(give("ADD_MISSING_ITEMS", 1, cart(item), "sku_red").cart) == [(1, 1, 0), (0, 1, 1)]


def test_the_same_units_are_those_of_the_line_that_is_there() -> None:
    done = give("ADD_SAME_ITEMS", 1, cart(CAP, shirts(2, sku_id="sku_blue")))
    assert counts(done.cart) == [(2, 2, 0), (2, 3, 1)]
    assert done.saved == 0
    nothing = give("ADD_SAME_ITEMS", 1, cart(CAP))
    assert (nothing.cart, nothing.added, nothing.off) == (cart(CAP), (), 0)


def test_a_line_that_is_excluded_is_left_as_it_is() -> None:
    excluded = Applicable(included_all=True, excluded=frozenset({0}))
    for effect, count, after in (
        ("ADD_MISSING_ITEMS", 1, [(2, 2, 0)]),
        ("ADD_MISSING_ITEMS", 3, [(2, 2, 0), (0, 1, 1)]),
        ("ADD_NEW_ITEMS", 1, [(2, 2, 0), (0, 1, 1)]),
        ("ADD_SAME_ITEMS", 1, [(2, 2, 0)]),
    ):
        discount = checked({"type": "UNIT", "unit_off": count, "unit_type": "prod_shirt", "effect": effect})
        done = apply(discount, cart(shirts(2)), products=PRODUCTS, applicable=excluded)
        assert counts(done.cart) == after, effect
        assert done.cart.total_amount == 6000
    two = cart(shirts(1), shirts(1))
    discount = checked({"type": "UNIT", "unit_off": 1, "unit_type": "prod_shirt", "effect": "ADD_MISSING_ITEMS"})
    assert counts(apply(discount, two, products=PRODUCTS, applicable=excluded).cart) == [(1, 1, 0), (1, 1, 1)]


def test_many_kinds_are_given_in_turn() -> None:
    discount = checked(
        {
            "type": "UNIT",
            "units": [
                {"unit_off": 1, "unit_type": "prod_shirt", "effect": "ADD_MISSING_ITEMS"},
                {"unit_off": 4, "unit_type": "sku_red", "effect": "ADD_NEW_ITEMS"},
            ],
        }
    )
    done = apply(discount, cart(shirts(1)), products=PRODUCTS)
    assert counts(done.cart) == [(1, 1, 1), (0, 4, 4)]
    assert (done.off, done.saved) == (3000 + 4 * 3100, 3000)
    assert [unit["unit_off"] for unit in done.discount["units"]] == [1, 4]
    assert done.discount["effect"] == "ADD_MANY_ITEMS"


def test_a_unit_that_the_catalogue_does_not_know_has_no_price() -> None:
    done = give("ADD_NEW_ITEMS", 1, cart(CAP), "prod_other")
    assert (done.off, done.cart.amount) == (0, 2000)
    assert done.cart.items()[1] == {
        "object": "order_item",
        "product_id": "prod_other",
        "quantity": 1,
        "discount_quantity": 1,
        "applied_discount_quantity": 1,
        "initial_quantity": 0,
    }


def test_units_by_formula_are_whole() -> None:
    discount = {"type": "UNIT", "unit_type": "prod_shirt", "effect": "ADD_NEW_ITEMS"}
    by_formula = checked({**discount, "unit_off_formula": "ORDER_AMOUNT / 7"})
    done = apply(by_formula, cart(CAP), products=PRODUCTS)
    assert (done.added[0].quantity, done.discount["unit_off"], done.discount["is_dynamic"]) == (2, 2, True)
    with pytest.raises(FormulaError, match="CUSTOMER_METADATA"):
        apply(checked({**discount, "unit_off_formula": 'CUSTOMER_METADATA("age")'}), cart(CAP), products=PRODUCTS)


def test_units_that_would_overflow_the_order_are_refused() -> None:
    dear = {"prod_dear": CatalogueItem({"id": "prod_dear"}, price=MAX_AMOUNT)}
    discount = checked({"type": "UNIT", "unit_off": 2, "unit_type": "prod_dear", "effect": "ADD_NEW_ITEMS"})
    with pytest.raises(InvalidPayload, match="out of range"):
        apply(discount, cart(CAP), products=dear)


def test_a_later_discount_leaves_free_units_alone() -> None:
    after = give("ADD_NEW_ITEMS", 1, cart(shirts(1))).cart
    half = checked({"type": "PERCENT", "percent_off": 50, "effect": "APPLY_TO_ITEMS"})
    assert apply(half, after).off == 1500
    fixed = checked({"type": "FIXED", "fixed_amount": 1000, "effect": "APPLY_TO_ITEMS"})
    assert apply(fixed, after).off == 2000
