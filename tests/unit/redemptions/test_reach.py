"""Which lines several rules let a discount touch together."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapport.discounts.applicable import cover
from rapport.discounts.cart import Cart
from rapport.redemptions.reach import applicable
from rapport.rules.facts import item_of

NAMES = "xyz"
ITEMS = [{"product_id": name, "price": 1000, "quantity": 1, "amount": 1000} for name in NAMES]
CART = Cart.of(3000, 0, ITEMS)


def goods(names: str) -> list[dict[str, Any]]:
    return [{"object": "product", "id": name} for name in names]


def rule(included: str = "", excluded: str = "", *, everything: bool = False) -> dict[str, Any]:
    return {"included": goods(included), "excluded": goods(excluded), "included_all": everything}


def touched(*rules: dict[str, Any]) -> str:
    """Return the products that rules let a discount touch."""
    found = applicable(rules, [item_of(index, item) for index, item in enumerate(ITEMS)], {})
    return "".join(sorted(NAMES[one.line] for one in cover(found, CART)))


@pytest.mark.parametrize(
    ("rules", "lines"),
    [
        ([], "xyz"),
        ([rule("x")], "x"),
        ([rule(excluded="y")], "xz"),
        ([rule("x"), rule(excluded="y")], "x"),
        ([rule("xy"), rule(excluded="y")], "x"),
        ([rule("xy"), rule("yz")], "y"),
        ([rule("x"), rule("y")], ""),
        ([rule("x"), rule(everything=True)], "x"),
        ([rule("x", everything=True)], "xyz"),
        ([rule("x", everything=True), rule("y")], "y"),
    ],
)
def test_an_item_is_discounted_if_each_rule_includes_it(rules: list[dict[str, Any]], lines: str) -> None:
    assert touched(*rules) == touched(*rules[::-1]) == lines


RULES = st.builds(rule, st.text(NAMES, max_size=3), st.text(NAMES, max_size=3), everything=st.booleans()).filter(
    lambda one: one["included"] or one["excluded"] or one["included_all"]
)


@given(st.lists(RULES, max_size=3), RULES)
def test_one_rule_more_never_adds_an_item(rules: list[dict[str, Any]], more: dict[str, Any]) -> None:
    assert set(touched(*rules, more)) == set(touched(*rules)) & set(touched(more))


def test_limits_of_each_rule_hold_for_the_items_that_all_include() -> None:
    limited = {"included": [{**goods("y")[0], "quantity_limit": 0}]}
    assert touched(rule("xy"), limited) == touched(limited, rule("xy")) == ""
    assert touched(rule("xy"), limited | {"included_all": True}) == "x"
    assert touched(limited | {"included_all": True}, rule("xy")) == "x"
