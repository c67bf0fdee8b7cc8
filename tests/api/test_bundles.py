"""Bundles: what an order has to have together, and what a discount is worth for several of them."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from bundles import bundle, make_bundle, part
from catalogue import make_collection
from harness import Server
from in_cart import make_promotion, make_stack, tier
from management import Management, managed
from promotions import make_campaign, make_rule, make_voucher, one_rule, percent, redeem, refused, stack
from rapport.core.db import Database
from rapport.projects.models import NewKey
from shopping import gift_card

LAPTOP = part("product", "prod_laptop")
BAG = part("product", "prod_bag", 2)


@pytest.fixture
async def management(server: Server, db: Database, key: NewKey) -> AsyncIterator[Management]:
    async with managed(server, db, key.project) as found:
        yield found


def cart(laptops: int = 1, bags: int = 2, mice: int = 0) -> dict[str, Any]:
    """Return an order of so many laptops at 100.00, bags at 10.00 and mice at 5.00."""
    lines = [("prod_laptop", laptops, 10_000), ("prod_bag", bags, 1_000), ("prod_mouse", mice, 500)]
    return {
        "items": [{"product_id": name, "quantity": number, "price": price} for name, number, price in lines if number]
    }


def validate(api: Any, code: str, order: Any, **more: Any) -> dict[str, Any]:
    return api.call("POST", "/v1/validations", stack(code, order=order, **more))  # type: ignore[no-any-return]


def off(api: Any, discount: dict[str, Any], order: Any, code: str = "CODE", **more: Any) -> int:
    """Return what a discount takes off for up to five bundles of a laptop and two bags."""
    rule = make_bundle(api, LAPTOP, BAG, limit=5, **more)
    make_voucher(api, code, discount, validation_rules=[rule])
    shown = validate(api, code, order)
    done = redeem(api, code, order=order)["order"]
    assert shown["order"]["total_discount_amount"] == done["total_discount_amount"]
    return int(done["total_applied_discount_amount"])


def test_bundle_rules_are_kept_changed_and_removed(api: Any) -> None:
    wanted = bundle(LAPTOP, BAG, limit=3)
    made = api.call("POST", "/v1/validation-rules", {"name": "R", "rules": {}, "bundle_rules": wanted})
    assert made["bundle_rules"] == wanted
    path = f"/v1/validation-rules/{made['id']}"
    assert api.call("PUT", path, {"name": "S"})["bundle_rules"] == wanted
    other = {"1": part("products_collection", make_collection(api, "C", products=[])["id"], 4), "logic": "1"}
    assert api.call("PUT", path, {"bundle_rules": other})["bundle_rules"] == other | {"limit": 1}
    api.fails("PUT", path, {"bundle_rules": {"1": {}}}, status=400, key="invalid_validation_rules")
    assert api.call("GET", path)["bundle_rules"] == other | {"limit": 1}
    assert api.call("PUT", path, {"bundle_rules": None})["bundle_rules"] == {}
    assert api.call("GET", "/v1/validation-rules")["data"][0]["bundle_rules"] == {}


def test_an_order_without_the_bundle_is_refused_and_told_what_is_missing(api: Any) -> None:
    rule = make_bundle(api, LAPTOP, BAG, limit=3)
    make_voucher(api, "CODE", validation_rules=[rule])
    error = refused(api, "CODE", order=cart(1, 1), key="order_rules_violated")
    assert rule in error["details"]
    assert "The bundle is not in the order" in error["details"]
    refused(api, "CODE", key="missing_order_items")
    (shown,) = validate(api, "CODE", cart(1, 1))["inapplicable_redeemables"]
    assert shown["result"]["error"]["key"] == "order_rules_violated"
    assert shown["result"]["bundle"] == {
        "quantity": 0,
        "limit": 3,
        "identified": [
            {"id": "prod_laptop", "object": "product", "item_index": 0, "item_quantity": 1},
            {"id": "prod_bag", "object": "product", "item_index": 1, "item_quantity": 1},
        ],
        "missing": [{"id": "prod_bag", "object": "product", "item_quantity": 1}],
    }
    (applies,) = validate(api, "CODE", cart(2, 5))["redeemables"]
    assert applies["result"]["bundle"] == {
        "quantity": 2,
        "limit": 3,
        "identified": [
            {"id": "prod_laptop", "object": "product", "item_index": 0, "item_quantity": 2},
            {"id": "prod_bag", "object": "product", "item_index": 1, "item_quantity": 4},
        ],
    }
    assert applies["result"]["discount"]["amount_off"] == 300
    assert redeem(api, "CODE", order=cart(2, 5))["order"]["total_discount_amount"] == 600


AMOUNT = {"type": "AMOUNT", "amount_off": 100}
MICE = {"included": [{"object": "product", "id": "prod_mouse", "quantity_limit": 1}]}
ALL_MICE = {"included": [{"object": "product", "id": "prod_mouse"}]}


@pytest.mark.parametrize(
    ("discount", "applicable_to", "once", "thrice"),
    [
        (AMOUNT, None, 100, 300),
        (percent(20), None, 2_700, 22_500),
        (AMOUNT | {"aggregated_amount_limit": 250}, None, 100, 250),
        ({"type": "FIXED", "fixed_amount": 1_000}, None, 12_500, 36_500),
        (AMOUNT | {"effect": "APPLY_TO_ITEMS"}, ALL_MICE, 100, 300),
        (AMOUNT | {"effect": "APPLY_TO_ITEMS_BY_QUANTITY"}, MICE, 100, 300),
        (AMOUNT | {"effect": "APPLY_TO_ITEMS_BY_QUANTITY"}, ALL_MICE, 300, 300),
        (AMOUNT | {"effect": "APPLY_TO_ITEMS_PROPORTIONALLY"}, None, 100, 300),
        (percent(10, effect="APPLY_TO_ITEMS"), MICE, 50, 150),
        (percent(40, effect="APPLY_TO_ITEMS"), MICE, 200, 500),
        ({"type": "FIXED", "fixed_amount": 100, "effect": "APPLY_TO_ITEMS"}, MICE, 400, 1_200),
        ({"type": "UNIT", "unit_off": 2, "unit_type": "prod_mouse", "effect": "ADD_MISSING_ITEMS"}, None, 1_000, 3_000),
        (AMOUNT | {"amount_off_formula": "ORDER_ITEMS_COUNT"}, None, 300, 900),
    ],
)
def test_a_discount_is_given_for_each_bundle(
    api: Any, discount: Any, applicable_to: Any, once: int, thrice: int
) -> None:
    more = {} if applicable_to is None else {"applicable_to": applicable_to}
    assert off(api, discount, cart(1, 2, 3), "ONCE", **more) == once
    assert off(api, discount, cart(3, 6, 3), "THRICE", **more) == thrice


def test_bundles_beside_other_rules(api: Any) -> None:
    """All bundles have to be there; the fewest count. What else is in the way is said first."""
    big = make_bundle(api, LAPTOP, limit=5)
    both = make_rule(api, one_rule("order.amount", "$more_than", 20_000), bundle_rules=bundle(BAG, limit=2))
    make_voucher(api, "CODE", AMOUNT, validation_rules=[big, both])
    (shown,) = validate(api, "CODE", cart(1, 1))["inapplicable_redeemables"]
    assert "bundle" not in shown["result"]
    (shown,) = validate(api, "CODE", cart(3, 1))["inapplicable_redeemables"]
    assert [one["id"] for one in shown["result"]["bundle"]["missing"]] == ["prod_bag"]
    (shown,) = validate(api, "CODE", cart(3, 9))["redeemables"]
    assert (shown["result"]["bundle"]["quantity"], shown["result"]["bundle"]["limit"]) == (2, 2)
    assert redeem(api, "CODE", order=cart(3, 9))["order"]["total_discount_amount"] == 200


def test_a_percentage_of_the_initial_amount_is_multiplied_too(api: Any, management: Management) -> None:
    management.call("POST", "/stacking-rules", {"discount_calculation_mode": "INITIAL_AMOUNT"})
    make_voucher(api, "FIRST", {"type": "AMOUNT", "amount_off": 10_000})
    make_voucher(api, "CODE", percent(5), validation_rules=[make_bundle(api, LAPTOP, limit=5)])
    done = redeem(api, "FIRST", "CODE", order=cart(2, 0))["order"]
    assert done["total_discount_amount"] == 10_000 + 2_000


def test_stacks_and_rollbacks_with_bundles(api: Any) -> None:
    first = make_bundle(api, LAPTOP, limit=2)
    second = make_bundle(api, BAG, limit=9)
    promotion = make_promotion(
        api,
        tier("Laptops", action={"discount": AMOUNT}, validation_rules=[first]),
        tier("Bags", action={"discount": AMOUNT}, validation_rules=[second]),
    )
    ids = [one["id"] for one in api.call("GET", f"/v1/promotions/{promotion['id']}/tiers")["tiers"]]
    made = make_stack(api, promotion["id"], *ids)
    body = {"redeemables": [{"object": "promotion_stack", "id": made["id"]}], "order": cart(3, 6)}
    shown = api.call("POST", "/v1/validations", body)
    assert [one["result"]["bundle"]["quantity"] for one in shown["redeemables"]] == [2, 3]
    done = api.call("POST", "/v1/redemptions", body)
    assert done["order"]["total_discount_amount"] == 200 + 300
    parent = done["parent_redemption"]["id"]
    back = api.call("POST", f"/v1/redemptions/{parent}/rollbacks", {})
    assert back["order"]["total_discount_amount"] == 0
    body["order"] = cart(3, 1)
    shown = api.call("POST", "/v1/validations", body)
    assert not shown["valid"]
    assert [one["result"].get("bundle", {}).get("quantity") for one in shown["inapplicable_redeemables"]] == [0]


def test_a_bundle_is_a_condition_of_a_gift_card_and_multiplies_nothing(api: Any) -> None:
    gift_card(api, "CARD", 700, validation_rules=[make_bundle(api, LAPTOP, limit=5)])
    refused(api, "CARD", order=cart(0, 2), key="order_rules_violated")
    assert redeem(api, "CARD", order=cart(3, 2))["order"]["total_discount_amount"] == 700


def test_members_of_collections_and_skus_make_bundles(api: Any) -> None:
    shirt = api.call("POST", "/v1/products", {"source_id": "shirt", "name": "Shirt", "price": 900})
    red = api.call("POST", f"/v1/products/{shirt['id']}/skus", {"source_id": "red", "sku": "Red"})
    products = [{"object": "product", "id": shirt["id"]}]
    members = api.call("POST", "/v1/product-collections", {"type": "STATIC", "name": "Shirts", "products": products})
    wanted = part("products_collection", members["id"], 2), part("sku", red["id"])
    rule = make_bundle(api, *wanted, limit=9)
    make_voucher(api, "CODE", AMOUNT, validation_rules=[rule])
    error = api.fails("DELETE", f"/v1/product-collections/{members['id']}", status=400, key="resource_in_use")
    assert rule in error["details"]
    order = {"items": [{"source_id": "red", "related_object": "sku", "quantity": 2}, {"product_id": shirt["id"]}]}
    (shown,) = validate(api, "CODE", order)["redeemables"]
    assert shown["result"]["bundle"] == {
        "quantity": 1,
        "limit": 9,
        "identified": [
            {"id": red["id"], "object": "sku", "item_index": 0, "item_quantity": 2},
            {"id": shirt["id"], "object": "product", "item_index": 1, "item_quantity": 1},
        ],
    }


def test_what_lacks_only_some_of_a_bundle_qualifies_and_takes_nothing_off(api: Any) -> None:
    rule = make_bundle(api, LAPTOP, BAG)
    make_voucher(api, "CODE", AMOUNT | {"amount_off_formula": "1 + 1"}, validation_rules=[rule])
    campaign = make_campaign(api, validation_rules=[rule])
    assert campaign["id"]

    def qualified(order: Any, scenario: str = "ALL") -> dict[str, Any]:
        body = {"order": order, "scenario": scenario}
        found = api.call("POST", "/v1/qualifications", body)["redeemables"]["data"]
        return {one["id"]: one for one in found}

    short = qualified(cart(1, 0))
    assert set(short) == {"CODE", campaign["id"]}
    assert short["CODE"]["result"]["bundle"]["missing"] == [{"id": "prod_bag", "object": "product", "item_quantity": 2}]
    assert short["CODE"]["result"]["discount"] == {**AMOUNT, "effect": "APPLY_TO_ORDER", "is_dynamic": False}
    assert short["CODE"]["order"]["total_discount_amount"] == 0
    assert qualified(cart(0, 0, 1)) == {}
    assert qualified(cart(1, 0), "PRODUCTS_DISCOUNT") == {}
    whole = qualified(cart(1, 2))["CODE"]
    assert "missing" not in whole["result"]["bundle"]
    assert whole["order"]["total_discount_amount"] == 200
    # About the audience alone nothing is asked of the order.
    assert "CODE" in qualified({"amount": 100}, "AUDIENCE_ONLY")
    older = api.call("POST", "/v1/vouchers/qualification", {"order": cart(1, 0)})
    assert older["data"] == []
