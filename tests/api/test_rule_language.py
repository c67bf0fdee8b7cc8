"""The rule language as the API speaks it: what redeems and what does not."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from catalogue import make_collection
from harness import Server
from management import Management, managed
from promotions import amount, codes_of, make_campaign, make_rule, make_voucher, one_rule, percent, redeem, refused
from rapport.core.db import Database
from rapport.projects.models import NewKey

ITEMS = [
    {"product_id": "prod_a", "quantity": 2, "price": 1000, "metadata": {"size": "L"}},
    {"product_id": "prod_b", "quantity": 1, "price": 300},
]


def order(**more: Any) -> dict[str, Any]:
    return {"items": ITEMS, "metadata": {"location": "Santorini"}, **more}


def voucher_with(api: Any, rules: dict[str, Any], code: str = "CODE", **more: Any) -> str:
    rule = make_rule(api, rules, **more)
    make_voucher(api, code, amount(10), validation_rules=[rule])
    return rule


@pytest.mark.parametrize(
    ("rules", "good", "bad", "reason"),
    [
        (one_rule("order.amount", "$more_than", 2000), order(), {"amount": 2000}, "order_rules_violated"),
        (one_rule("order.amount", "$more_than", 2000), order(), {"metadata": {"a": 1}}, "missing_amount"),
        (one_rule("order.items.count", "$is", 3), order(), {"amount": 2000}, "order_rules_violated"),
        (
            one_rule("order.metadata", "$is", "Santorini", property="location"),
            order(),
            order(metadata={"location": "Oslo"}),
            "order_rules_violated",
        ),
        (
            one_rule(
                "order.items.any",
                "$is",
                {"object": "product", "id": "prod_a"},
                rules=one_rule("order.items.metadata", "$is", "L", property="size"),
            ),
            order(),
            order(items=ITEMS[1:]),
            "order_rules_violated",
        ),
        (
            one_rule("order.items.every", "$is", "prod_b"),
            order(items=ITEMS[1:]),
            {"amount": 100},
            "missing_order_items",
        ),
    ],
)
def test_orders(api: Any, rules: dict[str, Any], good: Any, bad: Any, reason: str) -> None:
    rule = voucher_with(api, rules)
    redeem(api, "CODE", order=good)
    error = refused(api, "CODE", order=bad, key=reason)
    assert rule in error["details"] or "required" in error["details"]


@pytest.mark.parametrize("operator", ["$is", "$in"])
def test_a_product_collection_may_be_named_by_its_id_alone(api: Any, operator: str) -> None:
    mug, cup = (api.call("POST", "/v1/products", {"name": name, "price": 100}) for name in ("Mug", "Cup"))
    goods = [{"id": mug["id"], "object": "product"}]
    made = api.call("POST", "/v1/product-collections", {"name": "Mugs", "type": "STATIC", "products": goods})
    rules = [
        voucher_with(api, one_rule(f"order.items.{which.lower()}", operator, made["id"]), which)
        for which in ("ANY", "NONE")
    ]
    lines = {one["name"]: {"items": [{"product_id": one["id"], "quantity": 1}]} for one in (mug, cup)}
    redeem(api, "ANY", order=lines["Mug"])
    redeem(api, "NONE", order=lines["Cup"])
    refused(api, "ANY", order=lines["Cup"], key="order_rules_violated")
    refused(api, "NONE", order=lines["Mug"], key="order_rules_violated")
    error = api.fails("DELETE", f"/v1/product-collections/{made['id']}", status=400, key="resource_in_use")
    assert (error["related_object_type"], error["related_object_total"]) == ("validation_rules", 2)
    assert sorted(error["related_object_ids"]) == sorted(rules)


def test_the_metadata_of_customer_and_redemption(api: Any) -> None:
    both = {
        "1": {"name": "customer.metadata", "property": "tier", "conditions": {"$in": ["gold", "silver"]}},
        "2": {"name": "redemption.metadata", "property": "card", "conditions": {"$is": ["Visa"]}},
    }
    voucher_with(api, both | {"logic": "1 and 2"})
    api.call("POST", "/v1/customers", {"source_id": "ann", "metadata": {"tier": "gold"}})
    redeem(api, "CODE", metadata={"card": "Visa"})
    refused(api, "CODE", metadata={"card": "Other"}, key="redemption_rules_violated")
    refused(api, "CODE", customer="bob", metadata={"card": "Visa"}, key="customer_rules_violated")


@pytest.fixture
async def management(server: Server, db: Database, key: NewKey) -> AsyncIterator[Management]:
    async with managed(server, db, key.project) as found:
        yield found


def test_rules_on_metadata_are_typed_by_its_schema(api: Any, management: Management) -> None:
    management.define("order", {"age": "number", "since": "date"})
    made = api.call(
        "POST",
        "/v1/validation-rules",
        {"name": "R", "rules": one_rule("order.metadata", "$is", "18", property="age")},
    )
    assert made["rules"]["1"]["conditions"] == {"$is": [18]}
    body = {"name": "R", "rules": one_rule("order.metadata", "$contains", "1", property="age")}
    error = api.fails("POST", "/v1/validation-rules", body, status=400, key="invalid_validation_rules")
    assert "order.metadata" in error["details"]
    make_rule(api, one_rule("order.metadata", "$more_than", "2026-01-01", property="since"))
    body = {"name": "R", "rules": one_rule("order.metadata", "$is", "soon", property="since")}
    api.fails("POST", "/v1/validation-rules", body, status=400, key="invalid_validation_rules")


def test_the_key_that_redeems(api: Any) -> None:
    voucher_with(api, one_rule("redemption.api_key", "$is", api.headers["X-App-Id"]))
    voucher_with(api, one_rule("redemption.api_key", "$is_not", api.headers["X-App-Id"]), code="OTHER")
    redeem(api, "CODE")
    refused(api, "OTHER", key="redemption_rules_violated")


@pytest.mark.parametrize(
    "name",
    [
        "redemption.count.daily",
        "redemption.count.weekly",
        "redemption.count.monthly",
        "redemption.count",
        "redemption.count.per_customer",
        "redemption.count.per_customer.daily",
        "redemption.count.per_customer.weekly",
        "redemption.count.per_customer.monthly",
        "redemption.count.per_api_key",
        "campaign.redemptions.count",
        "campaign.redemptions.count.daily",
        "campaign.redemptions.count.weekly",
        "campaign.redemptions.count.monthly",
    ],
)
def test_redemptions_of_a_campaign_are_counted_and_given_back(api: Any, name: str) -> None:
    rule = make_rule(api, one_rule(name, "$less_than_or_equal", 2))
    campaign = make_campaign(api, quantity=None, validation_rules=[rule])
    first, second, third = codes_of(api, campaign["id"])
    done = redeem(api, first)["redemptions"][0]["id"]
    redeem(api, second)
    error = refused(api, third, key="redemption_rules_violated")
    assert f"Rule 1 ({name}) does not hold" in error["details"]
    body = {"redeemables": [{"object": "voucher", "id": third}], "customer": {"source_id": "ann"}}
    checked = api.call("POST", "/v1/validations", body)
    assert checked["valid"] is False
    api.call("POST", f"/v1/redemptions/{done}/rollback")
    redeem(api, third)
    refused(api, third, key="redemption_rules_violated")


@pytest.mark.parametrize("period", ["", ".daily", ".weekly", ".monthly"])
def test_customers_of_a_campaign_are_counted(api: Any, period: str) -> None:
    rule = make_rule(api, one_rule(f"campaign.redemptions.customers_count{period}", "$less_than_or_equal", 2))
    campaign = make_campaign(api, quantity=None, validation_rules=[rule])
    first, second, _ = codes_of(api, campaign["id"])
    done = redeem(api, first, customer="ann")["redemptions"][0]["id"]
    again = redeem(api, second, customer="ann")["redemptions"][0]["id"]
    redeem(api, first, second, customer="bob")
    refused(api, first, customer="cid", key="redemption_rules_violated")
    redeem(api, first, customer="bob")
    api.call("POST", f"/v1/redemptions/{done}/rollback")
    refused(api, first, customer="cid", key="redemption_rules_violated")
    api.call("POST", f"/v1/redemptions/{again}/rollback")
    redeem(api, first, customer="cid")
    refused(api, first, customer="ann", key="redemption_rules_violated")
    refused(api, first, customer=None, key="missing_customer")


@pytest.mark.parametrize(
    ("name", "budget"), [("campaign.orders.amount", 2000), ("campaign.orders.amount_discounted", 600)]
)
def test_a_budget_is_never_exceeded(api: Any, name: str, budget: int) -> None:
    rule = make_rule(api, one_rule(name, "$less_than_or_equal", budget))
    campaign = make_campaign(api, discount=amount(300), quantity=None, validation_rules=[rule])
    first, second, third = codes_of(api, campaign["id"])
    done = redeem(api, first)["redemptions"][0]["id"]
    redeem(api, second, customer="bob")
    refused(api, third, key="redemption_rules_violated")
    api.call("POST", f"/v1/redemptions/{done}/rollback")
    redeem(api, third)
    refused(api, third, key="redemption_rules_violated")


def test_a_rule_that_comes_later_counts_what_was_before(api: Any) -> None:
    campaign = make_campaign(api, quantity=None)
    code = codes_of(api, campaign["id"])[0]
    done = [redeem(api, code, customer=f"c{number}")["redemptions"][0]["id"] for number in range(3)]
    rule = make_rule(api, one_rule("campaign.redemptions.count", "$less_than_or_equal", 4))
    path = f"/v1/validation-rules/{rule}/assignments"
    body = {"related_object_type": "campaign", "related_object_id": campaign["id"]}
    assigned = api.call("POST", path, body)
    redeem(api, code)
    refused(api, code, key="redemption_rules_violated")
    # While the rule is not assigned nobody counts; afterwards nothing is forgotten.
    api.call("DELETE", f"{path}/{assigned['id']}", status=204)
    redeem(api, code)
    api.call("POST", f"/v1/redemptions/{done[0]}/rollback")
    api.call("POST", path, body)
    refused(api, code, key="redemption_rules_violated")
    api.call("POST", f"/v1/redemptions/{done[1]}/rollback")
    redeem(api, code)
    refused(api, code, key="redemption_rules_violated")
    # The rule asks for another number.
    api.call("PUT", f"/v1/validation-rules/{rule}", {"rules": one_rule("redemption.count.daily", "$less_than", 6)})
    redeem(api, code)
    refused(api, code, key="redemption_rules_violated")


def test_a_rule_of_one_voucher_counts_the_whole_campaign(api: Any) -> None:
    campaign = make_campaign(api, quantity=None)
    first, second, third = codes_of(api, campaign["id"])
    rule = make_rule(api, one_rule("campaign.redemptions.count", "$less_than_or_equal", 3))
    voucher = api.call("GET", f"/v1/vouchers/{first}")["id"]
    body = {"related_object_type": "voucher", "related_object_id": voucher}
    api.call("POST", f"/v1/validation-rules/{rule}/assignments", body)
    redeem(api, first)
    redeem(api, second)
    redeem(api, third)
    refused(api, first, key="redemption_rules_violated")
    redeem(api, second)


def test_limits_joined_by_or(api: Any) -> None:
    rules = {
        "1": {"name": "redemption.count", "conditions": {"$less_than_or_equal": [1]}},
        "2": {"name": "order.amount", "conditions": {"$more_than": [5000]}},
        "logic": "1 or 2",
    }
    voucher_with(api, rules)
    redeem(api, "CODE")
    refused(api, "CODE", key="redemption_rules_violated")
    redeem(api, "CODE", order={"amount": 5001})


GONE = {"object": "products_collection", "id": "pc_none"}


@pytest.mark.parametrize(
    "body",
    [
        {"rules": one_rule("order.items.any", "$is", GONE)},
        {"rules": one_rule("order.items.none", "$not_in", {"object": "sku", "id": "sku_1"}, GONE)},
        {"rules": one_rule("order.items.any", "$from", "pc_none")},
        {"rules": {"1": {"name": "order.items.any", "conditions": {"$is": [GONE]}}, "logic": ""}},
        {"applicable_to": {"included": [GONE]}},
        {"applicable_to": {"excluded": [GONE]}},
        {"bundle_rules": {"1": {"name": "order.items.any", "conditions": {"$is": [GONE]}}}},
    ],
)
def test_a_rule_about_a_collection_that_there_is_not_is_not_found(api: Any, body: dict[str, Any]) -> None:
    rule = {"name": "R", "rules": {}, **body}
    error = api.fails("POST", "/v1/validation-rules", rule, status=404, key="not_found")
    assert (error["resource_id"], error["resource_type"]) == ("pc_none", "products_collection")
    made = make_rule(api, {})
    api.fails("PUT", f"/v1/validation-rules/{made}", body, status=404, key="not_found")
    assert api.call("GET", f"/v1/validation-rules/{made}")["applicable_to"]["included"] == []
    assert api.call("GET", "/v1/validation-rules")["total"] == 1
    draft = {"rules": {}, "discount": percent(10), **body}
    api.fails("POST", "/v1/backtests", draft, status=404, key="not_found")


def test_a_collection_that_a_rule_names_stays_and_another_rule_may_name_it(api: Any) -> None:
    collection = make_collection(api, "C", products=[])["id"]
    named = {"object": "products_collection", "id": collection}
    rules = [
        make_rule(api, one_rule("order.items.any", "$is", named)),
        make_rule(api, {}, applicable_to={"excluded": [named]}),
    ]
    path = f"/v1/product-collections/{collection}"
    for rule in rules:
        api.fails("DELETE", path, status=400, key="resource_in_use")
        api.call("PUT", f"/v1/validation-rules/{rule}", {"name": "S"})
        api.call("DELETE", f"/v1/validation-rules/{rule}", status=204)
    api.call("DELETE", path, status=204)
    again = {"name": "R", "rules": one_rule("order.items.any", "$is", named)}
    api.fails("POST", "/v1/validation-rules", again, status=404, key="not_found")


def test_the_documented_example_is_accepted(api: Any) -> None:
    collection = make_collection(api, "C", products=[])["id"]
    body = {
        "name": "Set of Validation Rules",
        "error": {"message": "No"},
        "applicable_to": {
            "included_all": False,
            "excluded": [{"object": "product", "id": "prod_1", "source_id": "second", "effect": "APPLY_TO_EVERY"}],
            "included": [
                {"object": "product", "id": "prod_2", "source_id": None, "effect": "APPLY_TO_MOST_EXPENSIVE",
                 "quantity_limit": 1},
                {"object": "products_collection", "id": collection, "source_id": None, "effect": "APPLY_TO_EVERY",
                 "quantity_limit": 5},
            ],
        },
        "rules": {
            "1": {"name": "order.metadata", "property": "location", "rules": {}, "conditions": {"$is": ["Santorini"]},
                  "error": {"message": "Santorini only"}},
            "2": {"name": "custom_event.metadata", "property": "test", "rules": {},
                  "conditions": {"$greater_than_or_equal": [1]}},
            "3": {
                "name": "order.items.every",
                "rules": {"1": {"name": "order.items.metadata", "property": "test", "rules": {},
                                "conditions": {"$greater_than_or_equal": [1]}}},
                "conditions": {"$is": [{"id": "<PROD_ID>", "effect": "APPLY_TO_EVERY", "object": "product",
                                        "source_id": "<SOURCE_ID>"}]},
            },
            "logic": "1 or 2",
        },
    }  # fmt: skip
    made = api.call("POST", "/v1/validation-rules", body)
    assert made["applicable_to"] == body["applicable_to"]
    assert made["rules"] == body["rules"]
    missing = one_rule("custom_event.metadata", "$is", 1)
    error = api.fails(
        "POST", "/v1/validation-rules", {"name": "R", "rules": missing}, status=400, key="invalid_validation_rules"
    )
    assert error["details"] == "Rule 'custom_event.metadata' must have a 'property'"


def test_two_customers_who_become_one_count_once(api: Any) -> None:
    rule = make_rule(api, one_rule("campaign.redemptions.customers_count", "$less_than_or_equal", 2))
    campaign = make_campaign(api, quantity=None, validation_rules=[rule])
    code = codes_of(api, campaign["id"])[0]
    redeem(api, code, customer="ann")
    redeem(api, code, customer="bob")
    refused(api, code, customer="cid", key="redemption_rules_violated")
    ann, bob = (api.call("GET", f"/v1/customers/{name}")["id"] for name in ("ann", "bob"))
    done = api.call("POST", f"/v1/customers/{ann}/merge", {"source": bob})
    api.call("POST", f"/v1/merges/{done['merge']['id']}/undo")
    refused(api, code, customer="cid", key="redemption_rules_violated")
    api.call("POST", f"/v1/customers/{ann}/merge", {"source": bob})
    redeem(api, code, customer="cid")
    refused(api, code, customer="dan", key="redemption_rules_violated")
