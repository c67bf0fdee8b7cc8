from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapport.rules import logic

NAMES = ["1", "2", "3", "10"]


@pytest.mark.parametrize(
    ("text", "true", "expected"),
    [
        ("1", {"1"}, True),
        ("1", set(), False),
        ("not 1", set(), True),
        ("1 and 2", {"1"}, False),
        ("1 or 2", {"2"}, True),
        ("1 or 2 and 3", {"1"}, True),
        ("(1 or 2) and 3", {"1"}, False),
        ("1 and (2 or not 3)", {"1"}, True),
        ("1 and (2 or not 3)", {"1", "3"}, False),
        ("not not 1", {"1"}, True),
        ("NOT 1 AND 2", {"2"}, True),
        ("(1)and(2)", {"1", "2"}, True),
        ("", set(), True),
    ],
)
def test_an_expression_is_evaluated_with_the_usual_precedence(text: str, true: set[str], expected: bool) -> None:
    outcomes = {name: name in true for name in NAMES}
    assert logic.evaluate(logic.parse(text), outcomes) is expected


@pytest.mark.parametrize(
    "text",
    [
        "1 and", "and 1", "(1", "1)", "1 2", "1 xor 2", "()", "not", "__import__('os')", "1 & 2", "a", "1 or or 2",
        "1and2x",
        "\u0661", "-1", "1.5", "(" * 200 + "1" + ")" * 200, "not " * 200 + "1", "1 or " * 1000 + "1",
    ],
)  # fmt: skip
def test_what_is_not_an_expression_is_refused(text: str) -> None:
    with pytest.raises(logic.InvalidLogic):
        logic.parse(text)


def as_text(expression: Any) -> str:
    match expression:
        case str():
            return expression
        case ("not", part):
            return f"not ({as_text(part)})"
        case (word, left, right):
            return f"({as_text(left)}) {word} ({as_text(right)})"
    raise AssertionError(expression)


def truth(expression: Any, outcomes: dict[str, bool]) -> bool:
    match expression:
        case str():
            return outcomes[expression]
        case ("not", part):
            return not truth(part, outcomes)
        case ("and", left, right):
            return truth(left, outcomes) and truth(right, outcomes)
        case (_, left, right):
            return truth(left, outcomes) or truth(right, outcomes)
    raise AssertionError(expression)


EXPRESSIONS = st.recursive(
    st.sampled_from(NAMES),
    lambda inner: st.one_of(st.tuples(st.just("not"), inner), st.tuples(st.sampled_from(["and", "or"]), inner, inner)),
    max_leaves=12,
)


@given(EXPRESSIONS, st.fixed_dictionaries({name: st.booleans() for name in NAMES}))
def test_any_expression_means_what_python_would_make_of_it(expression: Any, outcomes: dict[str, bool]) -> None:
    parsed = logic.parse(as_text(expression))
    assert logic.evaluate(parsed, outcomes) is truth(expression, outcomes)
    assert logic.names(parsed) <= set(NAMES)


@given(st.text(alphabet="12() andornt", max_size=40))
def test_any_text_is_either_an_expression_or_refused(text: str) -> None:
    try:
        parsed = logic.parse(text)
    except logic.InvalidLogic:
        return
    logic.evaluate(parsed, dict.fromkeys(logic.names(parsed), True))
