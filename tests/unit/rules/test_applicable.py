from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapport.rules import conditions
from rapport.rules.applicable import EFFECTS, Applicable, Covered, Part, applicable, checked, collections_of, entries_of
from rapport.rules.errors import InvalidValidationRules
from rapport.rules.facts import item_of
from rule_facts import MUG, SHIRT, one

HAT: dict[str, Any] = {"product_id": "prod_hat", "quantity": 1, "price": 500, "amount": 500}
ITEMS = [item_of(index, raw) for index, raw in enumerate((SHIRT, MUG, HAT))]
ALL = {"object": "products_collection", "id": "pc_all"}
COLLECTIONS = {"pc_all": frozenset({"prod_shirt", "prod_mug", "prod_hat"})}


def entry(kind: str = "product", found: str = "prod_shirt", **more: Any) -> dict[str, Any]:
    return {"object": kind, "id": found, **more}


def covers(*included: dict[str, Any], excluded: Any = (), **more: Any) -> list[list[tuple[int, int]]] | None:
    stored = checked({"included": list(included), "excluded": list(excluded), **more})
    found = applicable([stored], ITEMS, COLLECTIONS)
    return None if found is None else [[(line.index, line.units) for line in part.lines] for part in found.parts]


def test_without_a_word_nothing_is_said() -> None:
    assert applicable([checked({})], ITEMS, {}) is None


def test_named_goods_are_covered() -> None:
    assert covers(entry()) == [[(0, 2)]]
    assert covers(entry(found="prod_x")) == []
    assert covers(entry("sku", "sku_red"), entry(found="prod_mug")) == [[(0, 2)], [(1, 5)]]
    assert covers(included_all=True) == [[(0, 2), (1, 5), (2, 1)]]
    assert covers(excluded=[entry()]) == [[(1, 5), (2, 1)]]
    assert covers(entry(), excluded=[entry()]) == []
    assert covers(ALL | {}, excluded=[entry("sku", "sku_red")]) == [[(1, 5), (2, 1)]]


@pytest.mark.parametrize(
    ("effect", "lines"),
    [
        ("APPLY_TO_EVERY", [(0, 2), (1, 5), (2, 1)]),
        ("APPLY_TO_CHEAPEST", [(1, 5)]),
        ("APPLY_FROM_CHEAPEST", [(1, 5), (2, 1), (0, 2)]),
        ("APPLY_TO_MOST_EXPENSIVE", [(0, 2)]),
        ("APPLY_FROM_MOST_EXPENSIVE", [(0, 2), (2, 1), (1, 5)]),
    ],
)
def test_effects_order_the_lines(effect: str, lines: list[tuple[int, int]]) -> None:
    assert covers(ALL | {"effect": effect}) == [lines]


def test_quantities_are_limited_by_line_and_in_all() -> None:
    assert covers(ALL | {"quantity_limit": 2}) == [[(0, 2), (1, 2), (2, 1)]]
    assert covers(ALL | {"aggregated_quantity_limit": 4}) == [[(0, 2), (1, 2)]]
    assert covers(ALL | {"quantity_limit": 1, "aggregated_quantity_limit": 2}) == [[(0, 1), (1, 1)]]
    assert covers(ALL | {"quantity_limit": 0}) == []


def test_a_unit_is_covered_once() -> None:
    assert covers(entry(quantity_limit=1), ALL | {}) == [[(0, 1)], [(0, 1), (1, 5), (2, 1)]]
    assert covers(entry(), included_all=True) == [[(0, 2)], [(1, 5), (2, 1)]]


def test_every_so_many_lines_or_units() -> None:
    assert covers(ALL | {"skip_initially": 1}) == [[(1, 5), (2, 1)]]
    assert covers(ALL | {"repeat": 2}) == [[(0, 2), (2, 1)]]
    stored = checked({"included": [entry(found="prod_mug", target="UNIT", skip_initially=1, repeat=3)]})
    assert applicable([stored], ITEMS, {}) == Applicable((Part((Covered(1, 2, None, (2, 5)),)),))
    rest = checked({"included": stored["included"], "included_all": True})
    found = applicable([rest], ITEMS, {})
    assert found is not None
    assert found.parts[1].lines[1] == Covered(1, 3)


def test_amounts_and_prices_are_passed_on() -> None:
    more = {"amount_limit": 100, "aggregated_amount_limit": 150, "price": 5, "price_formula": "PRICE"}
    found = applicable([checked({"included": [entry(**more)]})], ITEMS, {})
    assert found == Applicable((Part((Covered(0, 2, 100),), "APPLY_TO_EVERY", 150, 5, "PRICE"),))
    assert found is not None
    assert found.indices == (0,)


def test_what_one_rule_excludes_is_excluded() -> None:
    found = applicable(
        [checked({"included_all": True}), checked({"excluded": [entry()], "included": [ALL]})], ITEMS, COLLECTIONS
    )
    assert found is not None
    assert found.indices == (1, 2)


def test_an_enormous_line_costs_nothing() -> None:
    items = [item_of(0, {"product_id": "p", "quantity": 1_000_000_000, "price": 1})]
    stored = checked({"included": [entry(found="p", target="UNIT", repeat=2)], "included_all": True})
    found = applicable([stored], items, {})
    assert found is not None
    assert [line.units for part in found.parts for line in part.lines] == [500_000_000, 500_000_000]


def test_rules_may_name_what_is_discounted() -> None:
    flag = one("product.discount_applicable", "$is", [True])
    rules = conditions.parse(one("product.id", "$is", ["prod_mug"], rules=flag))
    said = entries_of(checked({}), rules)
    found = applicable([said], ITEMS, {})
    assert found is not None
    assert found.indices == (1,)
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
        ({"excluded": [entry(product_campaign_quantity_limit=1)]}, "not supported"),
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
def test_whatever_is_accepted_covers_no_unit_twice(raw: dict[str, Any]) -> None:
    try:
        stored = checked(raw)
    except InvalidValidationRules:
        return
    assert checked(stored) == stored
    found = applicable([stored], ITEMS, COLLECTIONS)
    if found is None:
        return
    units = {item.index: 0 for item in ITEMS}
    for part in found.parts:
        for line in part.lines:
            units[line.index] += line.units
            assert line.numbers is None or len(line.numbers) == line.units
    assert all(0 <= units[item.index] <= item.quantity for item in ITEMS)
