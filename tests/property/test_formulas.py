"""Formulas are worth what an evaluator that knows nothing of ours says; and garbage is never more than an error."""

import re
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapport.discounts.expressions import FormulaError
from rapport.discounts.formulas import METADATA, VARIABLES, parse

AGE, AMOUNT = Fraction(7, 2), Fraction(120)
KNOWN = {"CUSTOMER_METADATA": {"age": AGE}, "ORDER_AMOUNT": AMOUNT}

# The same expression twice: as a formula, and as Python, whose operators bind in the same order.
Both = tuple[str, str]
numbers: st.SearchStrategy[Both] = st.one_of(
    st.integers(0, 20).map(lambda one: (str(one), f"Fraction({one})")),
    st.decimals(0, 20, places=2).map(lambda one: (str(one), f"Fraction('{one}')")),
    st.just(('CUSTOMER_METADATA("age")', "AGE")),
    st.just(("ORDER_AMOUNT", "AMOUNT")),
)


def joined(signs: dict[str, str], parts: st.SearchStrategy[Both], most: int = 4) -> st.SearchStrategy[Both]:
    """Draw parts with signs between them and no brackets."""
    sign = st.sampled_from(sorted(signs))

    def join(first: Both, rest: list[tuple[str, Both]]) -> Both:
        ours, theirs = first
        for between, (formula, python) in rest:
            ours, theirs = f"{ours} {between} {formula}", f"{theirs} {signs[between]} {python}"
        return ours, theirs

    return st.builds(join, parts, st.lists(st.tuples(sign, parts), min_size=1, max_size=most))


def in_brackets(one: Both) -> Both:
    return f"({one[0]})", f"({one[1]})"


def call(name: str, theirs: str, *arguments: st.SearchStrategy[Both]) -> st.SearchStrategy[Both]:
    def build(*parts: Both) -> Both:
        return f"{name}({'; '.join(part[0] for part in parts)})", f"{theirs}({', '.join(part[1] for part in parts)})"

    return st.builds(build, *arguments)


def comparisons(of: st.SearchStrategy[Both]) -> st.SearchStrategy[Both]:
    signs = {"=": "==", "!=": "!=", "<>": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
    return joined(signs, of, most=1)


def conditions(of: st.SearchStrategy[Both]) -> st.SearchStrategy[Both]:
    plain = comparisons(of)
    negated = plain.map(lambda one: (f"NOT {one[0]}", f"not {one[1]}"))
    return joined({"AND": "and", "OR": "or"}, plain | negated | joined({"OR": "or"}, plain).map(in_brackets))


def larger(of: st.SearchStrategy[Both]) -> st.SearchStrategy[Both]:
    choice = st.builds(
        lambda test, then, otherwise: (
            f"IF({test[0]}; {then[0]}; {otherwise[0]})",
            f"({then[1]} if {test[1]} else {otherwise[1]})",
        ),
        comparisons(of) | conditions(of),
        of,
        of,
    )
    return st.one_of(
        joined({"+": "+", "-": "-", "*": "*", "/": "/"}, of),
        joined({"+": "+", "-": "-", "*": "*", "/": "/"}, of).map(in_brackets),
        numbers.map(lambda one: (f"-{one[0]}", f"-{one[1]}")),
        choice,
        call("MIN", "min", of, of),
        call("MAX", "max", of, of, of),
        call("ABS", "abs", of),
        call("FLOOR", "floor", of),
        call("CEIL", "ceil", of),
        call("ROUND", "half_away", of),
    )


expressions = st.recursive(numbers, larger, max_leaves=12)


def half_away(value: Fraction) -> Fraction:
    """Round by looking at what is after the point."""
    whole, rest = divmod(abs(value), 1)
    return Fraction((whole + (1 if rest * 2 >= 1 else 0)) * (1 if value >= 0 else -1))


def independently(python: str) -> Fraction | None:
    """Return what Python makes of it; None for a division by zero."""
    names = {
        "Fraction": Fraction,
        "AGE": AGE,
        "AMOUNT": AMOUNT,
        "half_away": half_away,
        "floor": lambda value: Fraction(value // 1),
        "ceil": lambda value: -Fraction(-value // 1),
    }
    try:
        return Fraction(eval(python, names))  # noqa: S307 (what this test wrote itself)
    except ZeroDivisionError:
        return None


@given(expressions)
def test_a_formula_is_worth_what_python_makes_of_it(both: Both) -> None:
    formula, python = both
    wanted = independently(python)
    if wanted is None:
        with pytest.raises(FormulaError, match="Division by zero"):
            parse(formula).number(KNOWN)
    else:
        assert parse(formula).number(KNOWN) == wanted


@given(expressions, st.data())
def test_blanks_and_small_letters_do_not_matter(both: Both, data: st.DataObject) -> None:
    formula, python = both
    wanted = independently(python)
    blank = data.draw(st.sampled_from(["", " ", "\n\t "]))
    tight = re.sub(r" ?([-+*/()=<>;!]+) ?", lambda sign: f"{blank}{sign.group(1)}{blank}", formula)
    for text in (tight, tight.replace("IF", "if").replace("ORDER_AMOUNT", "order_amount")):
        if wanted is not None:
            assert parse(text).number(KNOWN) == wanted


NAMES = sorted(VARIABLES | METADATA)
SYNTAX = ["IF", "SWITCH", "AND", "OR", "NOT", "CONTAINS", "STARTS", "WITH", "MIN", "ROUND", "MOD", "\u0661", "é"]
SIGNS = list("+-*/()=<>;,!.\"' \\")
words = st.sampled_from([*NAMES, *SYNTAX, *SIGNS, '"age"', '("age")', "1", "0", "2.5", "1 / 0", "9" * 25])
garbage = st.text(max_size=60) | st.lists(words, max_size=40).map("".join) | st.lists(words, max_size=40).map(" ".join)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.decimals() | st.text(max_size=3)
values = scalars | st.lists(scalars, max_size=3) | st.dictionaries(st.text(max_size=2), scalars, max_size=2)
scopes = st.dictionaries(st.sampled_from(NAMES), values | st.dictionaries(st.just("age"), values), max_size=6)


def outcome(text: str, scope: dict[str, Any]) -> Fraction | str:
    """Return what a formula comes to, or what is wrong with it; any other error fails the test."""
    try:
        return parse(text).number(scope)
    except FormulaError as error:
        return error.details


@given(garbage, scopes)
def test_garbage_is_never_more_than_an_error(text: str, scope: dict[str, Any]) -> None:
    found = outcome(text, scope)
    assert isinstance(found, Fraction) or found


@given(expressions, st.integers(0, 200), words)
def test_a_formula_with_a_slip_is_never_more_than_an_error(both: Both, place: int, slip: str) -> None:
    found = outcome(both[0][:place] + slip + both[0][place:], KNOWN)
    assert isinstance(found, Fraction) or found


@given(expressions)
def test_a_formula_without_what_it_names_is_an_error_or_needs_it_not(both: Both) -> None:
    found = outcome(both[0], {})
    if isinstance(found, str):
        assert found.endswith("is not known") or found == "Division by zero"
    else:
        assert found == outcome(both[0], {"ORDER_AMOUNT": Fraction(1, 7), "CUSTOMER_METADATA": {"age": 9}})
