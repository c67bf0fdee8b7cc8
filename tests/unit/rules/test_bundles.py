from collections.abc import Mapping
from itertools import combinations_with_replacement, product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundles import part
from rapport.rules import conditions
from rapport.rules.bundles import Bundle, Part, checked, collections_of, identify, read
from rapport.rules.errors import InvalidValidationRules
from rapport.rules.facts import Item, item_of
from rapport.rules.items import Goods
from rule_facts import MUG, SHIRT, facts, order, verdict

COLLECTIONS = {"pc_all": frozenset({"prod_shirt", "prod_mug"}), "pc_mugs": frozenset({"prod_mug"})}


def bundle(*parts: dict[str, Any], limit: int = 1) -> Bundle:
    raw = {str(number): one for number, one in enumerate(parts, 1)}
    found = read(checked(raw | {"limit": limit}))
    assert found is not None
    return found


def items(*raw: Mapping[str, Any]) -> list[Item]:
    return [item_of(index, one) for index, one in enumerate(raw)]


def test_bundles_are_counted_up_to_the_limit() -> None:
    shirt_and_mugs = part("product", "prod_shirt"), part("product", "prod_mug", 2)
    found = identify(bundle(*shirt_and_mugs, limit=100), items(SHIRT, MUG), {})
    assert found.view() == {
        "quantity": 2,
        "limit": 100,
        "identified": [
            {"id": "sku_red", "object": "sku", "item_index": 0, "item_quantity": 2},
            {"id": "prod_mug", "object": "product", "item_index": 1, "item_quantity": 4},
        ],
    }
    once = identify(bundle(*shirt_and_mugs), items(SHIRT, MUG), {})
    assert (once.quantity, [one.item_quantity for one in once.identified]) == (1, [1, 2])


def test_what_a_first_bundle_lacks_is_said() -> None:
    wanted = bundle(part("products_collection", "pc_all", 9), part("product", "prod_hat", 2), part("sku", "sku_red", 3))
    found = identify(wanted, items(SHIRT, MUG), COLLECTIONS)
    assert found.quantity == 0
    assert [(one.id, one.object, one.item_quantity) for one in found.missing] == [
        ("pc_all", "products_collection", 4),
        ("prod_hat", "product", 2),
        ("sku_red", "sku", 1),
    ]
    # The SKU has both shirts, the collection the mugs.
    assert [(one.item_index, one.item_quantity) for one in found.identified] == [(0, 2), (1, 5)]


def test_a_unit_stands_for_one_part_and_is_handed_on_where_that_makes_a_bundle() -> None:
    twice = bundle(part("product", "prod_mug", 3), part("product", "prod_mug", 3))
    assert identify(twice, items(MUG), {}).quantity == 0
    assert identify(twice, items(MUG, MUG), {}).quantity == 1
    # Were the mugs given to pc_all, which comes first, pc_mugs would have none.
    shared = bundle(part("products_collection", "pc_all", 2), part("products_collection", "pc_mugs", 5), limit=9)
    assert identify(shared, items(MUG, SHIRT), COLLECTIONS).quantity == 1


def test_bundles_are_part_of_the_rules() -> None:
    raw = {"1": part("product", "prod_mug", 5), "2": part("products_collection", "pc_all"), "logic": "1 and 2"}
    rules = conditions.parse({}, checked(raw))
    assert rules.needs.collections == {"pc_all"} == collections_of(rules.bundle)
    assert rules.needs.items
    assert conditions.judge(rules, facts(collections=COLLECTIONS)) is None
    absent = conditions.judge(rules, facts(order=order()))
    assert (absent and absent.key) == "missing_order_items"
    short = conditions.judge(rules, facts(order=order(MUG), collections=COLLECTIONS))
    assert short is not None
    assert (short.key, short.details) == ("order_rules_violated", "The bundle is not in the order")
    assert short.bundle is not None
    assert [one.id for one in short.bundle.missing] == ["pc_all"]
    assert verdict({}) is None
    assert conditions.parse({}).bundle is None


def test_nothing_is_kept_of_a_bundle_without_parts() -> None:
    assert checked(None) == checked({}) == checked({"limit": 5, "logic": "", "1": None}) == {}
    assert read({}) is None
    one = {"1": part("sku", "sku_1"), "limit": None}
    assert checked(one) == {"1": part("sku", "sku_1"), "limit": 1}
    assert checked(checked(one)) == checked(one)


def changed(**more: Any) -> dict[str, Any]:
    return {"1": part("product", "p") | more}


@pytest.mark.parametrize(
    ("raw", "named"),
    [
        ([], "should be an object"),
        ({"bundle": []}, "named by a number"),
        ({"1": part("product", "p"), "limit": 0}, ".limit should be a whole number from 1 to 100"),
        ({"1": part("product", "p"), "limit": 101}, ".limit"),
        ({"1": part("product", "p"), "limit": True}, ".limit"),
        ({"1": part("product", "p"), "logic": 1}, ".logic"),
        ({"1": part("product", "p"), "logic": "1 and"}, ".logic"),
        ({"1": part("product", "p"), "logic": "1 and 2"}, "join all rules"),
        ({"1": part("product", "p"), "2": part("product", "q"), "logic": "1 or 2"}, "join all rules"),
        ({"1": part("product", "p"), "logic": "not 1"}, "join all rules"),
        ({str(number): part("product", "p") for number in range(21)}, "may have 20 rules"),
        ({"1": 1}, ".name"),
        (changed(name="order.items.every"), ".name should be order.items.any"),
        (changed(conditions={}), "one operand"),
        (changed(conditions={"$is_not": [{"object": "product", "id": "p"}]}), "one operand"),
        (changed(conditions={"$is": [1, 2]}), "one operand"),
        (changed(conditions={"$is": ["p"]}), "should name a product"),
        (changed(conditions={"$is": [{"object": "voucher", "id": "p"}]}), "object should be one of"),
        (changed(conditions={"$is": [{"id": "p"}]}), "an object and an id"),
        (changed(conditions={"$is": [{"object": "product", "source_id": "p"}]}), "an object and an id"),
        (changed(conditions={"$is": [{"object": "sku", "id": "p", "type": "product"}]}), "the type of a sku"),
        (changed(rules=[]), ".rules should be an object"),
        (changed(rules={"1": {}, "2": {}}), "one rule"),
        (changed(rules={"1": {"name": "order.items.quantity"}}), "aggregated_quantity"),
        (changed(rules={"1": {"name": "order.items.aggregated_quantity"}}), "one operand"),
        ({"1": part("product", "p", 0)}, "whole number from 1"),
        ({"1": part("product", "p", 1.5)}, "whole number from 1"),
        ({"1": part("product", "p", 100_001)}, "whole number from 1"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(raw: Any, named: str) -> None:
    with pytest.raises(InvalidValidationRules) as error:
        checked(raw)
    assert named in error.value.details


NAMES = ["prod_a", "prod_b", "prod_c"]
SETS = {
    "pc_ab": frozenset({"prod_a", "prod_b"}),
    "pc_bc": frozenset({"prod_b", "prod_c"}),
    "pc_abc": frozenset(NAMES),
}
PARTS = st.builds(
    lambda name, quantity: Part(Goods("product" if name in NAMES else "products_collection", name, None), quantity),
    st.sampled_from([*NAMES, *SETS]),
    st.integers(1, 2),
)


def by_trying(wanted: Bundle, lines: list[Item], times: int) -> bool:
    """Tell by trying every way to hand units out whether there are so many bundles."""
    slots = [one.goods for one in wanted.parts for _ in range(one.quantity * times)]
    units = [item for item in lines for _ in range(item.quantity)]

    def fill(left: list[Goods], free: tuple[int, ...]) -> bool:
        if not left:
            return True
        return any(
            left[0].has(units[place], SETS) and fill(left[1:], tuple(one for one in free if one != place))
            for place in free
        )

    return len(slots) <= len(units) and fill(slots, tuple(range(len(units))))


@given(
    st.lists(PARTS, min_size=1, max_size=3),
    st.lists(st.tuples(st.sampled_from(NAMES), st.integers(0, 2)), max_size=3),
    st.integers(1, 3),
)
def test_as_many_bundles_are_found_as_can_be_made(parts: list[Part], raw: list[tuple[str, int]], limit: int) -> None:
    lines = items(*({"product_id": name, "quantity": number, "price": 1} for name, number in raw))
    wanted = Bundle(tuple(parts), limit)
    found = identify(wanted, lines, SETS)
    assert found.quantity == max((times for times in range(1, limit + 1) if by_trying(wanted, lines, times)), default=0)
    taken = sum(one.item_quantity for one in found.identified)
    needed = sum(one.quantity for one in parts)
    assert all(one.item_quantity <= lines[one.item_index].quantity for one in found.identified)
    if found.quantity:
        assert (taken, found.missing) == (needed * found.quantity, ())
    else:
        assert taken + sum(one.item_quantity for one in found.missing) == needed


def test_large_bundles_in_large_orders_are_found_in_time() -> None:
    names = [f"prod_{number}" for number in range(20)]
    pairs = {f"pc_{one}_{other}": frozenset({one, other}) for one, other in combinations_with_replacement(names, 2)}
    lines = items(*({"product_id": name, "quantity": 1000, "price": 1} for name, _ in product(names, range(25))))
    parts = tuple(Part(Goods("products_collection", name, None), 7) for name in list(pairs)[1:21])
    found = identify(Bundle(parts, 100), lines, pairs)
    assert found.quantity == 100
    assert sum(one.item_quantity for one in found.identified) == 20 * 7 * 100
