from typing import Any

import pytest

from rule_facts import MUG, SHIRT, facts, one, order, verdict

PLAIN: dict[str, Any] = {"source_id": "pen", "quantity": 1, "price": 50, "amount": 50}
SHIRT_OF_ID = {"object": "product", "id": "prod_shirt"}


def holds(raw: dict[str, Any], *items: dict[str, Any], **more: Any) -> bool:
    at = facts(order=order(*(items or (SHIRT, MUG))), **more)
    return verdict(raw, at) is None


@pytest.mark.parametrize(
    ("operand", "expected"),
    [
        (SHIRT_OF_ID, True),
        ("prod_shirt", True),
        ("sku_red", True),
        ({"object": "sku", "id": "sku_red"}, True),
        ({"object": "product", "id": "sku_red"}, False),
        ({"object": "sku", "id": "prod_shirt"}, False),
        ({"object": "product", "source_id": "shirt"}, True),
        ({"object": "product", "id": "other", "source_id": "shirt"}, True),
        ({"object": "product", "id": "prod_hat", "type": "product_or_sku", "strict": True}, False),
        ({"object": "products_collection", "id": "pc_1"}, True),
        ({"object": "products_collection", "id": "pc_2"}, False),
    ],
)
def test_goods_are_named_by_id_source_id_or_collection(operand: Any, expected: bool) -> None:
    collections = {"pc_1": frozenset({"sku_red", "prod_hat"})}
    assert holds(one("order.items.any", "$is", [operand]), collections=collections) is expected
    assert holds(one("order.items.none", "$is", [operand]), collections=collections) is not expected


@pytest.mark.parametrize(
    ("name", "goods", "expected"),
    [
        ("order.items.any", ["prod_hat", "prod_mug"], True),
        ("order.items.any", ["prod_hat"], False),
        ("order.items.every", ["prod_shirt"], False),
        ("order.items.every", ["prod_shirt", "prod_mug"], True),
        ("order.items.none", ["prod_hat"], True),
        ("order.items.none", ["prod_mug"], False),
        ("order.items.cheapest", ["prod_mug"], True),
        ("order.items.cheapest", ["prod_shirt"], False),
        ("order.items.most_expensive", ["prod_shirt"], True),
        ("order.items.most_expensive", ["prod_mug"], False),
        ("product.id", ["prod_mug"], True),
        ("product.id", ["sku_red"], False),
        ("sku.id", ["sku_red"], True),
        ("sku.id", ["prod_shirt"], False),
    ],
)
def test_which_items_are_asked_for(name: str, goods: list[str], expected: bool) -> None:
    assert holds(one(name, "$is", goods)) is expected
    assert holds(one(name, "$in", goods)) is expected


def test_negated_conditions_mean_the_other_items() -> None:
    assert holds(one("order.items.every", "$is_not", ["prod_hat"]))
    assert not holds(one("order.items.every", "$not_in", ["prod_mug"]))
    assert holds(one("order.items.any", "$not_in", ["prod_mug"]))
    assert not holds(one("order.items.any", "$not_in", ["prod_mug", "prod_shirt"]))
    both = {"name": "order.items.any", "conditions": {"$is": ["prod_shirt"], "$from": ["pc_1"]}}
    assert holds({"1": both}, collections={"pc_1": frozenset({"prod_shirt"})})
    assert not holds({"1": both}, collections={"pc_1": frozenset({"prod_mug"})})


def test_without_conditions_all_items_are_meant() -> None:
    for conditions in ({}, None, {"$is": []}):
        rule = {
            "name": "order.items.every",
            "conditions": conditions,
            "rules": one("order.items.price", "$more_than", [299]),
        }
        assert holds({"1": rule})
        assert not holds({"1": rule}, SHIRT, PLAIN)


NESTED = [
    ("order.items.quantity", [2], [3]),
    ("order.items.price", [1000], [999]),
    ("order.items.amount", [2000], [1000]),
    ("order.items.aggregated_quantity", [2], [7]),
    ("order.items.aggregated_amount", [2000], [3500]),
]


@pytest.mark.parametrize(("name", "fits", "fails"), NESTED)
def test_nested_rules_are_about_the_named_items(name: str, fits: Any, fails: Any) -> None:
    assert holds(one("order.items.any", "$is", ["prod_shirt"], rules=one(name, "$is", fits)))
    assert not holds(one("order.items.any", "$is", ["prod_shirt"], rules=one(name, "$is", fails)))


def test_aggregates_are_over_all_named_items() -> None:
    both = ["prod_shirt", "prod_mug"]
    assert holds(one("order.items.any", "$is", both, rules=one("order.items.aggregated_quantity", "$is", [7])))
    assert holds(one("order.items.any", "$is", both, rules=one("order.items.aggregated_amount", "$is", [3500])))


def test_nested_metadata_and_logic() -> None:
    rules = {
        "1": {"name": "order.items.metadata", "property": "gift", "conditions": {"$is": [True]}},
        "2": {"name": "product.metadata", "property": "brand", "conditions": {"$is": ["Acme"]}},
        "3": {"name": "order.items.price", "conditions": {"$less_than": [100]}},
        "logic": "(1 and 2) or 3",
    }
    assert holds(one("order.items.any", "$is", ["prod_shirt"], rules=rules))
    assert not holds(one("order.items.any", "$is", ["prod_mug"], rules=rules))
    assert not holds(one("order.items.every", "$is", ["prod_mug", "prod_shirt"], rules=rules))
    assert holds(one("order.items.none", "$is", ["prod_mug"], rules=rules))
    assert not holds(one("order.items.none", "$is", ["prod_shirt"], rules=rules))


@pytest.mark.parametrize("kind", ["product", "sku"])
def test_the_older_rules_have_nested_ones_too(kind: str) -> None:
    good = {"product": "prod_shirt", "sku": "sku_red"}[kind]
    for name, fits, fails in ((f"{kind}.price", 1000, 999), (f"{kind}.quantity", 2, 5)):
        assert holds(one(f"{kind}.id", "$is", [{"id": good}], rules=one(name, "$is", [fits])))
        assert not holds(one(f"{kind}.id", "$is", [{"id": good}], rules=one(name, "$is", [fails])))
    flag = one(f"{kind}.discount_applicable", "$is", [True])
    assert holds(one(f"{kind}.id", "$is", [good], rules=flag))


def test_products_by_their_metadata() -> None:
    def acme(**nested: Any) -> dict[str, Any]:
        return one("product.metadata", "$is", ["Acme"], property="brand", **nested)

    assert holds(acme())
    assert not holds(acme(), MUG)
    assert holds(acme(rules=one("product.metadata.aggregated_quantity", "$is", [2])))
    assert holds(acme(rules=one("product.metadata.aggregated_amount", "$is", [2000])))
    assert not holds(acme(rules=one("product.metadata.aggregated_amount", "$is", [3500])))
    assert not holds(acme(rules=one("product.metadata.match_all", "$is", [True])))
    assert holds(acme(rules=one("product.metadata.match_all", "$is", [True])), SHIRT)
    assert holds(acme(rules=one("product.metadata.match_all", "$is", [False])))
    assert holds(acme(rules=one("product.metadata.discount_applicable", "$is", [True])))


def test_any_and_each_price() -> None:
    assert holds(one("order.items.price_any", "$is", [300]))
    assert not holds(one("order.items.price_each", "$is", [300]))
    assert holds(one("order.items.price_each", "$more_than", [299]))


def test_an_item_says_its_price_or_its_amount() -> None:
    assert holds(one("order.items.price_any", "$is", [500]), {"source_id": "x", "quantity": 2, "amount": 1000})
    assert holds(one("order.items.count", "$is", [3]), PLAIN, {"amount": 9}, {"amount": 0})


def test_of_equally_cheap_items_any_will_do() -> None:
    twin = MUG | {"product_id": "prod_twin"}
    assert holds(one("order.items.cheapest", "$is", ["prod_twin"]), MUG, twin, SHIRT)
