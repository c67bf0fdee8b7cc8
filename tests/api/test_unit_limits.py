"""Limits of the units that a campaign or a tier discounts, over all redemptions."""

from typing import Any

import pytest

import harness
from bundles import bundle, part
from in_cart import make_promotion, make_stack, tier
from promotions import codes_of, make_campaign, make_rule, make_voucher, percent, redeem, refused, stack
from shopping import gift_card, line

HALF = percent(50, effect="APPLY_TO_ITEMS")
CAMPAIGN = "product_campaign_quantity_limit"
CUSTOMER = "product_customer_campaign_quantity_limit"
TIER = "product_promotion_tier_quantity_limit"
TIER_CUSTOMER = "product_customer_promotion_tier_quantity_limit"
EACH = "product_in_collection_campaign_quantity_limit"
EACH_CUSTOMER = "product_in_collection_customer_campaign_quantity_limit"


def limits(kind: str = "product", found: str = "mug", **more: Any) -> dict[str, Any]:
    """Return an `applicable_to` of one entry with limits."""
    return {"included": [{"object": kind, "id": found, **more}]}


def coupons(api: Any, applicable_to: dict[str, Any], discount: Any = None, name: str = "Spring") -> list[str]:
    """Return three codes of a campaign of which any number may be redeemed."""
    rule = make_rule(api, {}, applicable_to=applicable_to)
    campaign = make_campaign(
        api, name, discount or HALF, quantity=None, validation_rules=[rule], pattern=f"{name}-####"
    )
    return codes_of(api, campaign["id"])


def discounted(api: Any, code: str, *lines: dict[str, Any], customer: str | None = "ann", **more: Any) -> int:
    """Redeem a code for lines at 1.00 each; return how many units it took half off, as a validation said before."""
    order = {"items": list(lines)}
    shown = api.call("POST", "/v1/validations", stack(code, order=order, customer=customer, **more))
    done = redeem(api, code, order=order, customer=customer, **more)
    off = done["order"]["total_applied_discount_amount"]
    assert shown["order"]["total_applied_discount_amount"] == off
    return int(off) // 50


def mugs(number: int) -> dict[str, Any]:
    return line("mug", number)


def test_all_customers_and_codes_of_a_campaign_share_its_units(api: Any) -> None:
    first, second, _ = coupons(api, limits(**{CAMPAIGN: 10}))
    assert discounted(api, first, mugs(5)) == 5
    assert discounted(api, second, mugs(4), customer="bob") == 4
    body = stack(first, order={"items": [mugs(3)]}, customer="cid")
    (shown,) = api.call("POST", "/v1/validations", body)["redeemables"]
    assert shown["order"]["items"][0]["applied_discount_amount"] == 50
    assert discounted(api, first, mugs(3), customer="cid") == 1
    assert discounted(api, first, mugs(3), customer="dan") == 0
    assert discounted(api, first, line("cup", 3)) == 0
    (shown,) = api.call("POST", "/v1/validations", body)["redeemables"]
    assert shown["applicable_to"]["data"] == [
        {"object": "product", "id": "mug", "effect": "APPLY_TO_EVERY", CAMPAIGN: 10, "order_item_indices": []}
    ]


def test_a_rollback_gives_units_back(api: Any) -> None:
    code, *_ = coupons(api, limits(**{CAMPAIGN: 4, CUSTOMER: 3}))
    done = redeem(api, code, order={"items": [mugs(9)]})
    assert done["order"]["total_applied_discount_amount"] == 150
    assert discounted(api, code, mugs(2)) == 0
    assert discounted(api, code, mugs(2), customer="bob") == 1
    api.call("POST", f"/v1/redemptions/{done['redemptions'][0]['id']}/rollback")
    assert discounted(api, code, mugs(2), customer="bob") == 2
    assert discounted(api, code, mugs(2)) == 1


def test_each_customer_has_units_of_their_own(api: Any) -> None:
    first, second, _ = coupons(api, limits(**{CUSTOMER: 5}))
    assert [discounted(api, code, mugs(3)) for code in (first, second)] == [3, 2]
    assert discounted(api, first, mugs(8), customer="bob") == 5
    body = {"items": [mugs(1)]}
    refused(api, first, order=body, customer=None, key="missing_customer")
    # Nothing of the goods is in the order: nobody has to be known.
    redeem(api, first, order={"items": [line("cup")]}, customer=None)


def test_each_product_of_a_collection_has_units_of_its_own(api: Any) -> None:
    ids = [api.call("POST", "/v1/products", {"source_id": name, "name": name})["id"] for name in ("shirt", "cap")]
    products = [{"object": "product", "id": one} for one in ids]
    made = api.call("POST", "/v1/product-collections", {"type": "STATIC", "name": "All", "products": products})
    code, *_ = coupons(api, limits("products_collection", made["id"], **{EACH: 5, EACH_CUSTOMER: 4}))
    shirts, caps = (lambda number, one=one: line(one, number) for one in ids)
    assert discounted(api, code, shirts(9), caps(1), shirts(1)) == 4 + 1
    assert discounted(api, code, shirts(3), caps(3), customer="bob") == 1 + 3
    assert discounted(api, code, shirts(3), caps(3), customer="cid") == 0 + 1


def test_all_skus_of_a_product_and_all_of_a_collection_count_together(api: Any) -> None:
    shirt = api.call("POST", "/v1/products", {"source_id": "shirt", "name": "Shirt"})["id"]
    for name in ("red", "blue"):
        api.call("POST", f"/v1/products/{shirt}/skus", {"source_id": name, "sku": name})
    cap = api.call("POST", "/v1/products", {"source_id": "cap", "name": "Cap"})["id"]
    products = [{"object": "product", "id": one} for one in (shirt, cap)]
    made = api.call("POST", "/v1/product-collections", {"type": "STATIC", "name": "All", "products": products})
    red, blue = ({"source_id": name, "related_object": "sku", "price": 100, "quantity": 2} for name in ("red", "blue"))
    code, *_ = coupons(api, limits(found=shirt, **{CAMPAIGN: 5}))
    assert discounted(api, code, red, blue) == 4
    assert discounted(api, code, blue) == 1
    whole, *_ = coupons(api, limits("products_collection", made["id"], **{CAMPAIGN: 5}), name="Whole")
    assert discounted(api, whole, red, line(cap, 2)) == 4
    assert discounted(api, whole, red, line(cap, 2)) == 1


def test_codes_of_one_request_and_tiers_share_what_is_left(api: Any) -> None:
    first, second, _ = coupons(api, limits(**{CAMPAIGN: 5}))
    items = [mugs(4)]
    done = redeem(api, first, second, order={"items": items})
    # The second code takes half off what the first one left of one mug.
    assert done["order"]["total_applied_discount_amount"] == 4 * 50 + 25
    assert discounted(api, first, mugs(1)) == 0
    api.call("POST", f"/v1/redemptions/{done['parent_redemption']['id']}/rollbacks", {})
    assert discounted(api, first, mugs(9)) == 5


def test_tiers_have_limits_of_their_own_and_of_their_campaign(api: Any) -> None:
    rule = make_rule(api, {}, applicable_to=limits(**{TIER: 3, TIER_CUSTOMER: 2, CAMPAIGN: 5}))
    tiers = [tier(name, action={"discount": HALF}) for name in ("A", "B")]
    promotion = make_promotion(api, *tiers, validation_rules=[rule])
    ids = [one["id"] for one in api.call("GET", f"/v1/promotions/{promotion['id']}/tiers")["tiers"]]

    def units(place: int, number: int, customer: str) -> int:
        body = {"customer": {"source_id": customer}, "order": {"items": [mugs(number)]}}
        done = api.call("POST", f"/v1/promotions/tiers/{ids[place]}/redemption", body)
        return int(done["order"]["total_applied_discount_amount"]) // 50

    assert [units(0, 9, "ann"), units(0, 9, "bob"), units(0, 9, "cid")] == [2, 1, 0]
    # The other tier has its own three, and only two are left of the campaign.
    assert [units(1, 1, "bob"), units(1, 9, "cid"), units(1, 9, "dan")] == [1, 1, 0]
    made = make_stack(api, promotion["id"], *ids)
    body = {"redeemables": [{"object": "promotion_stack", "id": made["id"]}], "order": {"items": [mugs(2)]}}
    body |= {"customer": {"source_id": "eve"}}
    assert api.call("POST", "/v1/redemptions", body)["order"]["total_applied_discount_amount"] == 0


def test_limits_of_tiers_say_nothing_about_codes(api: Any) -> None:
    code, *_ = coupons(api, limits(**{TIER: 1, TIER_CUSTOMER: 1}))
    assert discounted(api, code, mugs(3), customer=None) == 3


def test_formulas_say_how_many(api: Any) -> None:
    api.call("POST", "/v1/customers", {"source_id": "ann", "metadata": {"mugs": 3}})
    formula = f"{CUSTOMER}_formula"
    code, *_ = coupons(api, limits(**{CUSTOMER: 1, formula: 'CUSTOMER_METADATA("mugs") + 0.9'}))
    assert discounted(api, code, mugs(9)) == 3
    assert discounted(api, code, mugs(9), customer="bob") == 1
    other, *_ = coupons(api, limits(**{formula: 'CUSTOMER_METADATA("cups")'}), name="Other")
    refused(api, other, order={"items": [mugs(1)]}, key="invalid_discount")


def test_a_limit_counts_what_was_discounted_before_it_and_may_be_changed(api: Any) -> None:
    code, *_ = coupons(api, limits())
    assert discounted(api, code, mugs(3)) == 3
    rule = api.call("GET", "/v1/validation-rules")["data"][0]["id"]
    path = f"/v1/validation-rules/{rule}"
    api.call("PUT", path, {"applicable_to": limits(**{CAMPAIGN: 5})})
    assert discounted(api, code, mugs(9)) == 2
    api.call("PUT", path, {"applicable_to": limits(**{CAMPAIGN: 4})})
    assert discounted(api, code, mugs(9)) == 0
    api.call("PUT", path, {"applicable_to": limits()})
    assert discounted(api, code, mugs(9)) == 9
    api.call("PUT", path, {"applicable_to": limits(**{CAMPAIGN: 20})})
    assert discounted(api, code, mugs(9)) == 6


def test_other_limits_and_bundles_beside_them(api: Any) -> None:
    """Of several entries about the same goods the strictest limit holds; what is left cuts what bundles multiply."""
    both = limits(quantity_limit=1, **{CAMPAIGN: 30})
    both["included"] += limits(**{CAMPAIGN: 3})["included"]
    rule = make_rule(api, {}, applicable_to=both, bundle_rules=bundle(part("product", "cup"), limit=9))
    discount = {"type": "FIXED", "fixed_amount": 50, "effect": "APPLY_TO_ITEMS"}
    make_voucher(api, "CODE", discount, validation_rules=[rule])
    assert discounted(api, "CODE", mugs(9), line("cup", 2)) == 2
    assert discounted(api, "CODE", mugs(9), line("cup", 2)) == 1


def test_gift_cards_on_items_and_discounts_on_the_order(api: Any) -> None:
    rule = make_rule(api, {}, applicable_to=limits(**{CAMPAIGN: 3}))
    gift_card(api, "CARD", 1000, effect="APPLY_TO_ITEMS", validation_rules=[rule])
    assert [discounted(api, "CARD", mugs(2)) for _ in range(3)] == [4, 2, 0]
    make_voucher(api, "ORDER", percent(50), validation_rules=[rule])
    assert [discounted(api, "ORDER", mugs(2)) for _ in range(3)] == [2, 2, 2]


@pytest.mark.parametrize("name", [CAMPAIGN, EACH_CUSTOMER, TIER])
def test_what_is_no_limit_is_refused(api: Any, name: str) -> None:
    for value in (-1, True, "5", 1.5):
        body = {"name": "R", "applicable_to": limits(**{name: value})}
        error = api.fails("POST", "/v1/validation-rules", body, status=400, key="invalid_validation_rules")
        assert name in error["details"]


def test_a_replay_counts_the_units_of_its_own_orders(api: Any) -> None:
    for customer in ("ann", "ann", "bob"):
        api.call("POST", "/v1/orders", {"status": "PAID", "items": [mugs(4)], "customer": {"source_id": customer}})
    draft = {"rules": {}, "applicable_to": limits(**{CAMPAIGN: 9, CUSTOMER: 6}), "discount": HALF}
    made = api.call("POST", "/v1/backtests", draft, status=202)

    def done() -> Any:
        found = api.call("GET", f"/v1/backtests/{made['id']}")
        return found if found["status"] == "DONE" else None

    result = harness.wait_for(done, timeout_s=30, what="the back-test")["result"]
    assert result["discount"]["total"] == (6 + 3) * 50


def collection(api: Any, *products: str) -> str:
    """Make a collection of new products; return its id."""
    made = [{"object": "product", "id": one} for one in products]
    return api.call("POST", "/v1/product-collections", {"type": "STATIC", "name": "All", "products": made})["id"]  # type: ignore[no-any-return]


def product(api: Any, name: str) -> str:
    return api.call("POST", "/v1/products", {"source_id": name, "name": name})["id"]  # type: ignore[no-any-return]


def assign(api: Any, rule: str, code: str) -> None:
    voucher = api.call("GET", f"/v1/vouchers/{code}")["id"]
    body = {"related_object_type": "voucher", "related_object_id": voucher}
    api.call("POST", f"/v1/validation-rules/{rule}/assignments", body)


@pytest.mark.parametrize("first_by_collection", [True, False])
def test_a_limit_holds_beside_a_rule_that_names_the_goods_otherwise(api: Any, *, first_by_collection: bool) -> None:
    mug = product(api, "mug")
    named = [limits("products_collection", collection(api, mug)), limits(found=mug, **{CAMPAIGN: 3})]
    first, second = named if first_by_collection else named[::-1]
    make_voucher(api, "CODE", HALF, validation_rules=[make_rule(api, {}, applicable_to=first)])
    assign(api, make_rule(api, {}, applicable_to=second), "CODE")
    done = redeem(api, "CODE", order={"items": [line(mug, 2)]})
    assert done["order"]["total_applied_discount_amount"] == 100
    assert [discounted(api, "CODE", line(mug, 5)) for _ in range(3)] == [1, 0, 0]
    api.call("POST", f"/v1/redemptions/{done['redemptions'][0]['id']}/rollback")
    assert [discounted(api, "CODE", line(mug, 5)) for _ in range(2)] == [2, 0]


def test_limits_of_two_names_of_the_same_goods_hold_together(api: Any) -> None:
    mug, cup = product(api, "mug"), product(api, "cup")
    rules = [
        make_rule(api, {}, applicable_to=one | {"included_all": True})
        for one in (
            limits("products_collection", collection(api, mug, cup), **{CAMPAIGN: 6, EACH_CUSTOMER: 4}),
            limits(found=mug, **{CAMPAIGN: 3}),
        )
    ]
    make_voucher(api, "CODE", HALF, validation_rules=rules)
    assert discounted(api, "CODE", line(mug, 5)) == 3
    assert discounted(api, "CODE", line(mug, 5), line(cup, 2)) == 2
    assert discounted(api, "CODE", line(cup, 5), customer="bob") == 1


def test_units_count_for_the_names_that_goods_had_when_they_were_discounted(api: Any) -> None:
    """What an entry named before counts; what is first named by the second rule is counted from then on."""
    mug = product(api, "mug")
    make_voucher(api, "CODE", HALF, validation_rules=[make_rule(api, {}, applicable_to=limits(found=mug))])
    assert discounted(api, "CODE", line(mug, 2)) == 2
    named = limits("products_collection", collection(api, mug), **{CAMPAIGN: 4})
    assign(api, make_rule(api, {}, applicable_to=named), "CODE")
    assign(api, make_rule(api, {}, applicable_to=limits(found=mug, **{CAMPAIGN: 5})), "CODE")
    assert [discounted(api, "CODE", line(mug, 2)) for _ in range(3)] == [2, 1, 0]


def test_limits_of_rules_of_one_request_hold_whichever_comes_first(api: Any) -> None:
    rules = [make_rule(api, {}, applicable_to=limits(**more)) for more in ({}, {"quantity_limit": 1})]
    free = percent(100, effect="APPLY_TO_ITEMS")
    for number in range(8):
        make_voucher(api, f"CODE{number}", free, validation_rules=rules)
        body = stack(f"CODE{number}", order={"items": [{"product_id": "mug", "quantity": 5, "price": 1000}]})
        shown = api.call("POST", "/v1/validations", body)
        assert shown["order"]["total_applied_discount_amount"] == 1000
        named = shown["redeemables"][0]["applicable_to"]["data"]
        assert sorted(one.get("quantity_limit", 0) for one in named) == [0, 1]
        assert all(one["order_item_indices"] == [0] for one in named)
