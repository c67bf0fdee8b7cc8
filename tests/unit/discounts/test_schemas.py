"""The discount object: what is accepted, what is stored, and what is refused with which words."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from rapport.core import jsons
from rapport.core.errors import InvalidPayload
from rapport.discounts.schemas import MAX_AMOUNT, MAX_UNIT_KINDS, MAX_UNITS, Discount, Gift, checked, checked_gift

UNIT = {"unit_off": 1, "unit_type": "prod_1"}
FORMULA = "ORDER_ITEM_PRICE * 0.5"
AMOUNT = {"type": "AMOUNT", "amount_off": 1, "amount_off_formula": FORMULA}
BY_ITEM: list[tuple[str, dict[str, Any], str | None]] = [
    ("amount_off_formula", AMOUNT, None),
    ("amount_off_formula", AMOUNT, "APPLY_TO_ITEMS_PROPORTIONALLY"),
    ("amount_off_formula", AMOUNT, "APPLY_TO_ITEMS_PROPORTIONALLY_BY_QUANTITY"),
    ("percent_off_formula", {"type": "PERCENT", "percent_off": 1, "percent_off_formula": FORMULA}, "APPLY_TO_ORDER"),
    ("fixed_amount_formula", {"type": "FIXED", "fixed_amount": 1, "fixed_amount_formula": FORMULA}, "APPLY_TO_ORDER"),
    ("unit_off_formula", {"type": "UNIT", **UNIT, "unit_off_formula": FORMULA}, "ADD_NEW_ITEMS"),
]
NIKE = 'IF(CUSTOMER_METADATA("favorite_brands") contains "Nike";20;CUSTOMER_METADATA("age"))'


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ({"type": "AMOUNT", "amount_off": 500}, {"type": "AMOUNT", "amount_off": 500, "effect": "APPLY_TO_ORDER"}),
        (
            {"type": "AMOUNT", "amount_off": 500.0, "effect": "APPLY_TO_ITEMS", "aggregated_amount_limit": 900},
            {"type": "AMOUNT", "amount_off": 500, "effect": "APPLY_TO_ITEMS", "aggregated_amount_limit": 900},
        ),
        (
            {"type": "PERCENT", "percent_off": 12.5, "amount_limit": 1800, "percent_off_formula": NIKE, "units": None},
            {
                "type": "PERCENT",
                "percent_off": Decimal("12.5"),
                "amount_limit": 1800,
                "percent_off_formula": NIKE,
                "effect": "APPLY_TO_ORDER",
            },
        ),
        ({"type": "PERCENT", "percent_off": 10.0}, {"type": "PERCENT", "percent_off": 10, "effect": "APPLY_TO_ORDER"}),
        (
            {"type": "FIXED", "fixed_amount": 0, "effect": "APPLY_TO_ITEMS"},
            {"type": "FIXED", "fixed_amount": 0, "effect": "APPLY_TO_ITEMS"},
        ),
        ({"type": "UNIT", **UNIT}, {"type": "UNIT", **UNIT, "effect": "ADD_MISSING_ITEMS"}),
        (
            {"type": "UNIT", **UNIT, "effect": "ADD_SAME_ITEMS", "product": {"id": "prod_1"}, "is_dynamic": False},
            {"type": "UNIT", **UNIT, "effect": "ADD_SAME_ITEMS"},
        ),
        (
            {"type": "UNIT", "units": [{**UNIT, "effect": "ADD_NEW_ITEMS"}, UNIT]},
            {
                "type": "UNIT",
                "effect": "ADD_MANY_ITEMS",
                "units": [{**UNIT, "effect": "ADD_NEW_ITEMS"}, {**UNIT, "effect": "ADD_MISSING_ITEMS"}],
            },
        ),
        (
            {"type": "UNIT", "unit_off_formula": "ORDER_AMOUNT / 10", "unit_type": "sku_1", "effect": "ADD_NEW_ITEMS"},
            {"type": "UNIT", "unit_off_formula": "ORDER_AMOUNT / 10", "unit_type": "sku_1", "effect": "ADD_NEW_ITEMS"},
        ),
    ],
)
def test_a_discount_is_stored_as_the_reference_shows_it(given: dict[str, Any], stored: dict[str, Any]) -> None:
    assert checked(given) == stored
    assert checked(stored) == stored
    assert [type(value) for value in checked(given).values()] == [type(value) for value in checked(stored).values()]
    assert checked(msgspec.json.decode(jsons.encode(given), type=Discount).given()) == stored


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "Missing required property .discount.type"),
        ({"type": "FREE"}, "Property .discount.type should be one of: AMOUNT, PERCENT, FIXED, UNIT"),
        ({"type": ["AMOUNT"]}, "Property .discount.type should be one of: AMOUNT, PERCENT, FIXED, UNIT"),
        ({"type": "AMOUNT"}, "Missing required property .discount.amount_off"),
        ({"type": "AMOUNT", "amount_off_formula": "1"}, "Missing required property .discount.amount_off"),
        ({"type": "AMOUNT", "amount_off": "5"}, "Property .discount.amount_off should be a whole number"),
        ({"type": "AMOUNT", "amount_off": True}, "Property .discount.amount_off should be a whole number"),
        ({"type": "AMOUNT", "amount_off": 1.5}, "Property .discount.amount_off should be a whole number"),
        ({"type": "AMOUNT", "amount_off": float("nan")}, "Property .discount.amount_off should be a whole number"),
        ({"type": "AMOUNT", "amount_off": -1}, f"Property .discount.amount_off should be from 0 to {MAX_AMOUNT}"),
        (
            {"type": "FIXED", "fixed_amount": 10**400},
            f"Property .discount.fixed_amount should be from 0 to {MAX_AMOUNT}",
        ),
        ({"type": "PERCENT", "percent_off": 101}, "Property .discount.percent_off should be from 0 to 100"),
        ({"type": "PERCENT", "percent_off": 10**400}, "Property .discount.percent_off should be from 0 to 100"),
        ({"type": "PERCENT", "percent_off": "5"}, "Property .discount.percent_off should be a number"),
        (
            {"type": "PERCENT", "percent_off": Decimal("0.1234567")},
            "Property .discount.percent_off should have at most 6 decimal places",
        ),
        (
            {"type": "PERCENT", "percent_off": 5, "amount_limit": -1},
            f"Property .discount.amount_limit should be from 0 to {MAX_AMOUNT}",
        ),
        (
            {"type": "PERCENT", "percent_off": 5, "effect": "APPLY_TO_ITEMS_BY_QUANTITY"},
            "Property .discount.effect should be one of: APPLY_TO_ORDER, APPLY_TO_ITEMS",
        ),
        (
            {"type": "AMOUNT", "amount_off": 5, "percent_off": 5},
            "Property .discount.percent_off does not belong to a discount of type AMOUNT",
        ),
        (
            {"type": "FIXED", "fixed_amount": 5, "aggregated_amount_limit": 5},
            "Property .discount.aggregated_amount_limit does not belong to a discount of type FIXED",
        ),
        (
            {"type": "AMOUNT", "amount_off": 5, "amount_off_formula": "1 +"},
            (
                "Property .discount.amount_off_formula is not a formula: "
                "a value is expected where the end stands, at character 4"
            ),
        ),
        (
            {"type": "AMOUNT", "amount_off": 5, "amount_off_formula": 7},
            "Property .discount.amount_off_formula should be text",
        ),
        *(
            (
                {**discount, "effect": effect},
                (
                    f"Property .discount.{name} may name ORDER_ITEM_PRICE only where the effect is "
                    "APPLY_TO_ITEMS or APPLY_TO_ITEMS_BY_QUANTITY"
                ),
            )
            for name, discount, effect in BY_ITEM
        ),
        ({"type": "UNIT", "unit_type": "prod_1"}, "Missing required property .discount.unit_off"),
        (
            {"type": "UNIT", "unit_type": "prod_1", "unit_off_formula": ""},
            "Missing required property .discount.unit_off",
        ),
        ({"type": "UNIT", "unit_off": 1}, "Missing required property .discount.unit_type"),
        ({"type": "UNIT", **UNIT, "unit_off": 0}, f"Property .discount.unit_off should be from 1 to {MAX_UNITS}"),
        (
            {"type": "UNIT", **UNIT, "unit_type": ""},
            "Property .discount.unit_type should be the id of a product or a SKU",
        ),
        (
            {"type": "UNIT", **UNIT, "effect": "ADD_MANY_ITEMS"},
            "Property .discount.unit_off does not belong beside .discount.units",
        ),
        (
            {"type": "UNIT", "units": [UNIT], "effect": "ADD_NEW_ITEMS"},
            "Property .discount.effect should be one of: ADD_MANY_ITEMS",
        ),
        ({"type": "UNIT", "units": []}, f"Property .discount.units should be a list of 1 to {MAX_UNIT_KINDS} objects"),
        ({"type": "UNIT", "units": [UNIT, 5]}, "Property .discount.units[1] should be an object"),
        (
            {"type": "UNIT", "units": [UNIT, {**UNIT, "effect": "ADD_SAME_ITEMS"}]},
            "Property .discount.units[1].effect should be one of: ADD_MISSING_ITEMS, ADD_NEW_ITEMS",
        ),
    ],
)
def test_a_wrong_discount_is_refused_with_what_is_wrong(given: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidPayload) as caught:
        checked(given)
    assert caught.value.details == words


def test_the_path_of_the_caller_is_named() -> None:
    with pytest.raises(InvalidPayload, match=r"^Missing required property \.tiers\[0\]\.action\.discount\.type$"):
        checked({}, ".tiers[0].action.discount")
    with pytest.raises(InvalidPayload, match=r"^Property \.discount should be an object$"):
        checked([])  # type: ignore[arg-type]  # whatever a request may say


def test_an_update_without_limits_keeps_them_while_the_type_stays() -> None:
    stored = checked({"type": "PERCENT", "percent_off": 10, "amount_limit": 500, "aggregated_amount_limit": 700})
    assert checked({"type": "PERCENT", "percent_off": 20}, current=stored) == {**stored, "percent_off": 20}
    assert checked({"type": "PERCENT", "percent_off": 20, "amount_limit": 1}, current=stored)["amount_limit"] == 1
    amount = {"type": "AMOUNT", "amount_off": 5, "effect": "APPLY_TO_ORDER"}
    assert checked({"type": "AMOUNT", "amount_off": 5}, current=stored) == amount


def test_a_gift_begins_with_its_amount_as_balance() -> None:
    assert checked_gift({"amount": 5000.0}) == {"amount": 5000, "balance": 5000, "effect": "APPLY_TO_ORDER"}
    given = msgspec.json.decode(b'{"amount": 7, "effect": "APPLY_TO_ITEMS", "balance": 7}', type=Gift).given()
    assert checked_gift(given) == {"amount": 7, "balance": 7, "effect": "APPLY_TO_ITEMS"}
    for wrong, words in (
        ({}, "Missing required property .gift.amount"),
        ({"amount": -1}, f"Property .gift.amount should be from 0 to {MAX_AMOUNT}"),
        ({"amount": 5, "balance": 4}, "Property .gift.balance should be the amount of a new gift card, or absent"),
        (
            {"amount": 5, "effect": "ADD_NEW_ITEMS"},
            "Property .gift.effect should be one of: APPLY_TO_ORDER, APPLY_TO_ITEMS",
        ),
    ):
        with pytest.raises(InvalidPayload) as caught:
            checked_gift(wrong)
        assert caught.value.details == words
