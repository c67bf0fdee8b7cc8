from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapport.rules import conditions
from rapport.rules.applicable import EFFECTS, checked, collections_of, entries_of, lines_of
from rapport.rules.errors import InvalidValidationRules
from rapport.rules.facts import item_of
from rule_facts import MUG, SHIRT, one

HAT: dict[str, Any] = {"product_id": "prod_hat", "quantity": 1, "price": 500, "amount": 500}
ITEMS = [item_of(index, raw) for index, raw in enumerate((SHIRT, MUG, HAT))]
ALL = {"object": "products_collection", "id": "pc_all"}
COLLECTIONS = {"pc_all": frozenset({"prod_shirt", "prod_mug", "prod_hat"})}


def entry(kind: str = "product", found: str = "prod_shirt", **more: Any) -> dict[str, Any]:
    return {"object": kind, "id": found, **more}


def lines(entry: dict[str, Any]) -> tuple[int, ...]:
    (stored,) = checked({"included": [entry]})["included"]
    return lines_of(stored, ITEMS, COLLECTIONS)


def test_the_lines_of_goods_are_found() -> None:
    assert lines(entry()) == (0,)
    assert lines(entry(found="prod_x")) == ()
    assert lines(entry("sku", "sku_red")) == (0,)
    assert lines(entry("sku", "prod_shirt")) == ()
    assert lines(entry(found="prod_x", source_id="shirt")) == (0,)
    assert lines(ALL) == (0, 1, 2)
    assert lines(entry("products_collection", "pc_other")) == ()


def test_rules_may_name_what_is_discounted() -> None:
    flag = one("product.discount_applicable", "$is", [True])
    rules = conditions.parse(one("product.id", "$is", ["prod_mug"], rules=flag))
    added = {"object": "product", "id": "prod_mug", "source_id": None, "effect": "APPLY_TO_EVERY"}
    assert entries_of(checked({}), rules) == {"excluded": [], "included": [added], "included_all": False}
    assert entries_of(checked({"included": [entry()]}), rules)["included"][1:] == [added]
    assert entries_of(checked({}), conditions.parse(one("product.id", "$is", ["prod_mug"]))) == checked({})


def test_what_is_stored_has_an_effect_and_no_nulls() -> None:
    given = {"included": [entry(source_id=None, quantity_limit=None)], "included_all": None}
    assert checked(given) == {
        "excluded": [],
        "included": [entry(source_id=None, effect="APPLY_TO_EVERY")],
        "included_all": False,
    }
    assert collections_of(checked({"included": [ALL], "excluded": [entry()]})) == {"pc_all"}


@pytest.mark.parametrize(
    ("raw", "named"),
    [
        ([], "should be an object"),
        ({"x": 1}, ".x is unknown"),
        ({"included": {}}, "should be a list"),
        ({"included": [1]}, "should be an object"),
        ({"included": [entry()] * 501}, "at most 500"),
        ({"included_all": 1}, "should be boolean"),
        ({"included": [{"id": "p"}]}, ".object"),
        ({"included": [{"object": "product", "source_id": "s"}]}, ".id is required"),
        ({"included": [entry(strict=1)]}, "strict"),
        ({"included": [entry(type=1)]}, "type"),
        ({"included": [entry("voucher")]}, "object should be one of"),
        ({"included": [entry(effect="APPLY")]}, ".effect"),
        ({"included": [entry(quantity_limit=-1)]}, "quantity_limit"),
        ({"included": [entry(quantity_limit=True)]}, "quantity_limit"),
        ({"included": [entry(amount_limit=1.5)]}, "amount_limit"),
        ({"included": [entry(repeat=0)]}, "repeat"),
        ({"included": [entry(target="LINE")]}, "target"),
        ({"included": [entry(price_formula="")]}, "price_formula"),
        ({"included": [entry(price_formula="(((")]}, "price_formula is not a formula: a value is expected"),
        ({"included": [entry(price_formula="PRICE * 2")]}, "at character 1"),
        ({"excluded": [entry(product_campaign_quantity_limit=-1)]}, "product_campaign_quantity_limit"),
        ({"included": [entry(product_campaign_quantity_limit_formula=5)]}, "quantity_limit_formula"),
        ({"included": [entry(product_week_quantity_limit=1)]}, "not supported"),
    ],
)
def test_what_cannot_be_is_refused(raw: Any, named: str) -> None:
    with pytest.raises(InvalidValidationRules) as error:
        checked(raw)
    assert named in error.value.details


VALUES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=5)
    | st.sampled_from([*EFFECTS, "UNIT", "ITEM", "prod_mug", "product", "pc_all"])
)
ENTRIES = st.fixed_dictionaries(
    {"object": st.sampled_from(["product", "sku", "products_collection"]) | VALUES, "id": st.just("pc_all") | VALUES},
    optional=dict.fromkeys(
        ("effect", "target", "repeat", "skip_initially", "quantity_limit", "aggregated_quantity_limit", "amount_limit",
         "x"),
        VALUES | st.integers(0, 3),
    ),
)  # fmt: skip


@given(
    st.dictionaries(
        st.sampled_from(["included", "excluded", "included_all"]), st.lists(ENTRIES, max_size=3) | VALUES, max_size=3
    )
)
def test_whatever_is_accepted_is_the_same_when_it_comes_back(raw: dict[str, Any]) -> None:
    try:
        stored = checked(raw)
    except InvalidValidationRules:
        return
    assert checked(stored) == stored
    for entry in [*stored["included"], *stored["excluded"]]:
        assert set(lines_of(entry, ITEMS, COLLECTIONS)) <= {0, 1, 2}
