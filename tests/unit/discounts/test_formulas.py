"""Formulas: what they are worth, and what refuses them."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from rapport.discounts.expressions import FormulaError
from rapport.discounts.formulas import MAX_DEPTH, MAX_LENGTH, MAX_PARTS, parse

ANN = {"age": 30, "tier": "gold", "brands": ["Nike", "Puma"], "rate": Decimal("0.1"), "vip": True, "odd": {"a": 1}}
KNOWN: dict[str, Any] = {"CUSTOMER_METADATA": ANN, "ORDER_AMOUNT": Fraction(465), "ORDER_UNITS_QUANTITY": 4}


@pytest.mark.parametrize(
    ("text", "worth"),
    [
        ("2 + 3 * 4 - 6 / 4", "12.5"),
        ("(2 + 3) * -4", "-20"),
        ("- -2 - +3", "-1"),
        ("0.1 + 0.2", "0.3"),
        ('CUSTOMER_METADATA("rate") * 3', "0.3"),
        ('IF(CUSTOMER_METADATA("brands") contains "Nike";20;CUSTOMER_METADATA("age"))', "20"),
        ('IF(CUSTOMER_METADATA("brands") not contains "Nike";20;CUSTOMER_METADATA("age"))', "30"),
        ('IF(CUSTOMER_METADATA("tier") = "gold"; 20; 10)', "20"),
        ("if(order_amount > 100, customer_metadata('age') / 2, 1)", "15"),
        ('IF(ORDER_UNITS_QUANTITY > 3;CUSTOMER_METADATA("age") + 2;CUSTOMER_METADATA("age") - -2)', "32"),
        ('IF(CUSTOMER_METADATA("vip") AND NOT ORDER_AMOUNT <= 100; 1; 2)', "1"),
        ("IF(1 = 2 OR 1 = 1 AND 2 = 3; 1; 2)", "2"),
        ("IF(AND(1 = 1; 2 <> 3); 1; 2) + IF(OR(1 != 1, 2 == 3); 10; 20)", "21"),
        ("IF(NOT(1 > 2); 1; 2)", "1"),
        # The other branch is not looked at.
        ('IF(1 < 2; 5; CUSTOMER_METADATA("missing"))', "5"),
        ("IF(1 = 1 OR 1 / 0 = 1; 5; 6)", "5"),
        ('SWITCH(CUSTOMER_METADATA("tier"); "silver"; 5; "gold"; 10; 1)', "10"),
        ("SWITCH(3; 1; 5; 2; 10; 1)", "1"),
        ("MIN(3; 1; 2) + MAX(3; 1; 2) + SUM(1; 2) + ABS(-4)", "11"),
        ("ROUND(2.5) + ROUND(-2.5) + ROUND(1.25; 1) + ROUND(1249; -2)", "1201.3"),
        ("FLOOR(1.9) + CEIL(1.1) + CEILING(0.1) + FLOOR(-0.1) + MOD(7; 4)", "6"),
        ('IF("2026-01-01" < "2026-02-01"; 1; 0) + IF("a" = 1; 1; 0)', "1"),
        ("IF(CUSTOMER_METADATA('tier') starts with 'go' and CUSTOMER_METADATA('tier') ends with 'ld'; 1; 0)", "1"),
        ("IF(\"it's\" = 'it\\'s'; 1; 0)", "1"),
    ],
)
def test_a_formula_is_worth(text: str, worth: str) -> None:
    assert parse(text).number(KNOWN) == Fraction(worth)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "a value is expected where the end stands, at character 1"),
        ("1 2", "nothing more is expected where 2 stands, at character 3"),
        ("(1", ") is expected where the end stands, at character 3"),
        ("1 < 2 < 3", "nothing more is expected where < stands, at character 7"),
        ("DROP(1)", "a known name is expected where DROP stands, at character 1"),
        ("__import__", "a known name is expected where __IMPORT__ stands, at character 1"),
        ("1.2.3", "Character 1 cannot be read"),
        ("2 ** 3", "a value is expected where * stands, at character 4"),
        ('"open', "Character 1 cannot be read"),
        ("IF(1 = 1; 2)", "IF at character 1 takes 3 arguments, not 2"),
        ("ROUND(1; 2; 3)", "ROUND at character 1 takes 1 to 2 arguments, not 3"),
        ("SWITCH(1; 2; 3)", "SWITCH takes a value, cases with their results, and what is for all others"),
        (
            "CUSTOMER_METADATA(age)",
            "the name of a metadata value, in quotes, is expected where AGE stands, at character 19",
        ),
        ("(" * (MAX_DEPTH + 1), f"A formula is nested at most {MAX_DEPTH} deep"),
        ("1" * (MAX_LENGTH + 1), f"A formula has at most {MAX_LENGTH} characters"),
        ("1" * 40, "A number has at most 30 digits"),
        ("1" + "+1" * MAX_PARTS, f"A formula has at most {MAX_PARTS} parts"),
    ],
)
def test_what_cannot_be_read_is_refused(text: str, words: str) -> None:
    with pytest.raises(FormulaError) as caught:
        parse(text)
    assert caught.value.details == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('CUSTOMER_METADATA("missing")', 'CUSTOMER_METADATA("missing") is not known'),
        ('ORDER_METADATA("a")', 'ORDER_METADATA("a") is not known'),
        ("VOUCHER_PUBLISH_COUNT", "VOUCHER_PUBLISH_COUNT is not known"),
        ("1 / (2 - 2)", "Division by zero"),
        ("MOD(1; 0)", "Division by zero"),
        ('"five"', "Text stands where a number belongs"),
        ('1 + CUSTOMER_METADATA("tier")', "Text stands where a number belongs"),
        ("1 = 1", "A condition stands where a number belongs"),
        ("IF(1; 2; 3)", "A number stands where a condition belongs"),
        ('CUSTOMER_METADATA("brands")', "A list stands where a number belongs"),
        ('CUSTOMER_METADATA("odd")', 'CUSTOMER_METADATA("odd") is neither a number nor text'),
        ('IF(1 < "2"; 1; 2)', "A number cannot be compared with text"),
        ('IF(1 contains "2"; 1; 2)', "A number cannot contain text"),
        ("ROUND(1; 0.5)", "Numbers are rounded to -10 to 10 places"),
        ("ROUND(1; 11)", "Numbers are rounded to -10 to 10 places"),
        ("*".join(["999999999999999999999999999999"] * 50), "A number is out of bounds"),
    ],
)
def test_what_cannot_be_worked_out_is_an_error(text: str, words: str) -> None:
    formula = parse(text)
    with pytest.raises(FormulaError) as caught:
        formula.number(KNOWN)
    assert caught.value.details == words


def test_the_deepest_formula_is_read() -> None:
    assert parse("(" * (MAX_DEPTH - 1) + "1" + ")" * (MAX_DEPTH - 1)).number({}) == 1
    assert parse("1" + "+1" * ((MAX_PARTS - 1) // 2)).number({}) == 1 + (MAX_PARTS - 1) // 2
