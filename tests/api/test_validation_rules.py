from typing import Any

import pytest

import facts
import in_cart
from promotions import make_campaign, make_rule, make_voucher, one_rule, redeem, refused
from rapport.core.db import Database
from rapport.core.errors import ResourceInUse

CITY = {"junction": "and", "address.city": {"conditions": {"$is": ["Oslo"]}}}


def segment(api: Any, **more: Any) -> str:
    body = {"name": "Oslo", "type": "auto-update", "filter": CITY, **more}
    return api.call("POST", "/v1/segments", body)["id"]  # type: ignore[no-any-return]


def in_oslo(source_id: str) -> dict[str, Any]:
    return {"source_id": source_id, "address": {"city": "Oslo"}}


def test_a_rule_is_created_changed_and_deleted(api: Any) -> None:
    segment_id = segment(api)
    rules = one_rule("customer.segment", "$is", segment_id, error={"message": "Not for you"})
    made = api.call("POST", "/v1/validation-rules", {"name": "Oslo only", "rules": rules, "error": {"message": "No"}})
    rule_id, created_at = made.pop("id"), made.pop("created_at")
    assert rule_id.startswith("val_")
    assert made == {
        "name": "Oslo only",
        "rules": rules,
        "bundle_rules": {},
        "error": {"message": "No"},
        "applicable_to": {"excluded": [], "included": [], "included_all": False},
        "type": "expression",
        "context_type": "global",
        "assignments_count": 0,
        "updated_at": None,
        "object": "validation_rules",
    }
    changed = api.call("PUT", f"/v1/validation-rules/{rule_id}", {"name": "New", "error": None})
    assert (changed["name"], changed["rules"], changed["error"]) == ("New", rules, {"message": "No"})
    changed = api.call("PUT", f"/v1/validation-rules/{rule_id}", {"error": {"message": ""}})
    assert "error" not in changed
    assert changed["created_at"] == created_at
    assert api.call("GET", f"/v1/validation-rules/{rule_id}") == changed
    assert api.call("GET", "/v1/validation-rules")["data"] == [changed]
    nothing = dict.fromkeys(("name", "rules", "error", "applicable_to", "type", "context_type"))
    unchanged = api.call("PUT", f"/v1/validation-rules/{rule_id}", nothing)
    assert unchanged | {"updated_at": None} == changed | {"updated_at": None}
    api.call("DELETE", f"/v1/validation-rules/{rule_id}", status=204)
    for method in ("GET", "PUT", "DELETE"):
        body = {} if method == "PUT" else None
        error = api.fails(method, f"/v1/validation-rules/{rule_id}", body, status=404, key="not_found")
        assert error["resource_type"] == "validation_rules"


@pytest.mark.parametrize(
    ("body", "reason", "named"),
    [
        ({"rules": {"logic": ""}}, "invalid_payload", ".name"),
        ({"name": "R", "rules": []}, "invalid_payload", ".rules"),
        ({"name": "R", "rules": one_rule("order.colour", "$is", 1)}, "invalid_validation_rules", "order.colour"),
        (
            {"name": "R", "rules": one_rule("customer.segment", "$is", 1)},
            "invalid_validation_rules",
            "customer.segment",
        ),
        (
            {"name": "R", "rules": {**one_rule("customer.segment", "$is", "s"), "logic": "1; 2"}},
            "invalid_validation_rules",
            "logic",
        ),
        (
            {"name": "R", "applicable_to": {"included": [{"object": "voucher", "id": "p"}]}},
            "invalid_validation_rules",
            ".applicable_to",
        ),
        ({"name": "R", "type": "simple"}, "invalid_payload", ".type"),
        ({"name": "R", "bundle_rules": {"bundle": []}}, "invalid_validation_rules", ".bundle_rules"),
        ({"name": "R", "error": {"message": 1}}, "invalid_payload", ".error.message"),
    ],
)
def test_a_rule_that_cannot_be_is_refused(api: Any, body: dict[str, Any], reason: str, named: str) -> None:
    error = api.fails("POST", "/v1/validation-rules", body, status=400, key=reason)
    assert named in error["details"]
    assert api.call("GET", "/v1/validation-rules")["total"] == 0


def test_a_rule_about_an_unknown_segment_is_refused(api: Any) -> None:
    body = {"name": "R", "rules": one_rule("customer.segment", "$is", "seg_x")}
    error = api.fails("POST", "/v1/validation-rules", body, status=404, key="not_found")
    assert (error["resource_id"], error["resource_type"]) == ("seg_x", "segment")


def test_rules_are_assigned_listed_and_taken_back(api: Any) -> None:
    campaign = make_campaign(api)
    voucher = make_voucher(api, "CODE")
    rule = make_rule(api, one_rule("redemption.count.per_customer", "$less_than", 2))
    path = f"/v1/validation-rules/{rule}/assignments"
    assigned = []
    for kind, reference in (("campaign", campaign["id"]), ("voucher", voucher["id"])):
        body = {"related_object_type": kind, "related_object_id": reference}
        assigned.append(api.call("POST", path, body))
        assert assigned[-1] == {
            "id": assigned[-1]["id"], "rule_id": rule, "related_object_id": reference, "related_object_type": kind,
            "created_at": assigned[-1]["created_at"], "object": "validation_rules_assignment",
        }  # fmt: skip
        api.fails("POST", path, body, params={"force": "zzz"}, status=400, key="invalid_query_params")
        error = api.fails("POST", path, body, status=409, key="duplicate_found")
        assert error["resource_id"] == assigned[-1]["id"]
    assert api.call("GET", path)["data"] == assigned[::-1]
    assert api.call("GET", "/v1/validation-rules-assignments")["total"] == 2
    only = api.call("GET", "/v1/validation-rules-assignments", params={"related_object_id": voucher["id"]})
    assert only["data"] == [assigned[1]]
    assert api.call("GET", f"/v1/validation-rules/{rule}")["assignments_count"] == 2
    assert api.call("GET", "/v1/vouchers/CODE")["validation_rules_assignments"]["data"] == [assigned[1]]
    assert api.call("GET", "/v1/campaigns/Spring")["validation_rules_assignments"]["data"] == [assigned[0]]
    api.call("DELETE", f"{path}/{assigned[0]['id']}", status=204)
    api.fails("DELETE", f"{path}/{assigned[0]['id']}", status=404, key="not_found")
    api.fails("POST", path, {"related_object_type": "campaign", "related_object_id": "x"}, status=404, key="not_found")
    for kind in ("reward", "distribution", "earning_rule", "reward_assignment"):
        body = {"related_object_type": kind, "related_object_id": "x"}
        api.fails("POST", path, body, status=400, key="invalid_payload")
    unknown = api.call("GET", "/v1/validation-rules/val_x/assignments")
    assert unknown == {"object": "list", "data_ref": "data", "data": [], "total": 0, "has_more": False}
    api.call("DELETE", f"/v1/validation-rules/{rule}", status=204)
    assert api.call("GET", "/v1/validation-rules-assignments")["total"] == 0


def test_an_assignment_may_be_named_as_the_javascript_sdk_has_it(api: Any) -> None:
    voucher, campaign = make_voucher(api, "CODE"), make_campaign(api)
    in_cart.make_promotion(api, name="Basket")
    made = in_cart.add_tier(api, "Basket")
    rule = make_rule(api, one_rule("order.amount", "$more_than", 1))
    path = f"/v1/validation-rules/{rule}/assignments"
    for kind, reference, found in (
        ("voucher", "CODE", voucher["id"]),
        ("campaign", campaign["id"], campaign["id"]),
        ("promotion_tier", made["id"], made["id"]),
    ):
        assigned = api.call("POST", path, {kind: reference})
        assert (assigned["related_object_type"], assigned["related_object_id"]) == (kind, found)
        api.fails("POST", path, {kind: reference}, status=409, key="duplicate_found")
    for body, named in (
        ({}, ".related_object_type"),
        ({"related_object_type": "voucher"}, ".related_object_id"),
        ({"related_object_id": "CODE"}, ".related_object_type"),
        ({"voucher": "CODE", "campaign": "Spring"}, ".campaign"),
    ):
        assert named in api.fails("POST", path, body, status=400, key="invalid_payload")["details"]
    assert api.call("GET", path)["total"] == 3


async def test_a_rule_is_tried_by_itself(api: Any, db: Database, project_id: int) -> None:
    mug = api.call("POST", "/v1/products", {"name": "Mug", "price": 500})["id"]
    rules = {
        **one_rule("order.amount", "$more_than_or_equal", 1000),
        "2": {"name": "customer.metadata", "property": "vip", "conditions": {"$is": [True]}},
        "3": {"name": "redemption.count.per_customer", "conditions": {"$less_than_or_equal": [1]}},
        "logic": "1 and 2 and 3",
    }
    included = {"included": [{"object": "product", "id": mug}], "excluded": [], "included_all": False}
    rule = make_rule(api, rules, applicable_to=included, error={"message": "For some"})
    path = f"/v1/validation-rules/{rule}/validation"
    order = {"items": [{"product_id": "prod_x", "quantity": 1, "price": 1}, {"product_id": mug, "quantity": 2}]}
    vip = {"source_id": "new", "metadata": {"vip": True}}
    good = api.call("POST", path, {"order": order, "customer": vip})
    [reached] = good["applicable_to"]["data"]
    assert (reached["id"], reached["order_item_indices"]) == (mug, [1])
    assert good == {
        "valid": True, "rule_id": rule, "tracking_id": "new", "applicable_to": good["applicable_to"],
        "inapplicable_to": {"data": [], "total": 0, "data_ref": "data", "object": "list"},
    }  # fmt: skip
    bad = api.call("POST", path, {"order": {"amount": 999}, "customer": vip})
    assert (bad["valid"], bad["error"]["key"], bad["error"]["error"]) == (
        False, "order_rules_violated", {"message": "For some"},
    )  # fmt: skip
    assert bad["reason"] == bad["error"]["message"]
    assert api.call("POST", path, {"order": {"amount": 1000}})["error"]["key"] == "missing_customer"
    assert api.call("POST", path)["error"]["key"].startswith("missing_")
    # What no rule asks about is not asked for.
    about_order = make_rule(api, one_rule("order.metadata", "$is", "web", property="channel"))
    body = {"order": {"metadata": {"channel": "web"}}}
    assert api.call("POST", f"/v1/validation-rules/{about_order}/validation", body)["valid"] is True
    api.fails("POST", "/v1/validation-rules/val_x/validation", {}, status=404, key="not_found")
    unknown = {"customer": {"id": "cust_x"}}
    api.fails("POST", path, unknown, status=404, key="not_found")
    assert await facts.counts(db, project_id) == {}


def test_only_members_of_the_segment_redeem(api: Any) -> None:
    rule = make_rule(api, one_rule("customer.segment", "$is", segment(api), error={"message": "Oslo only"}))
    make_voucher(api, "CODE", validation_rules=[rule])
    api.call("POST", "/v1/customers", in_oslo("ann"))
    redeem(api, "CODE", customer="ann")
    error = refused(api, "CODE", customer="bob", key="customer_rules_violated")
    assert error["error"] == {"message": "Oslo only"}
    assert rule in error["details"]
    assert error["resource_id"].startswith("rf_")
    assert error["resource_type"] == "redemption"


def test_membership_is_decided_on_what_the_request_says(api: Any) -> None:
    rule = make_rule(api, one_rule("customer.segment", "$is", segment(api)))
    make_voucher(api, "CODE", validation_rules=[rule])
    body = {"redeemables": [{"object": "voucher", "id": "CODE"}], "order": {"amount": 10}}
    assert api.call("POST", "/v1/validations", body | {"customer": in_oslo("new")})["valid"] is True
    api.fails("GET", "/v1/customers/new", status=404, key="not_found")
    api.call("POST", "/v1/redemptions", body | {"customer": in_oslo("new")})
    moved = {"source_id": "new", "address": {"city": "Bergen"}}
    api.fails("POST", "/v1/redemptions", body | {"customer": moved}, status=400, key="customer_rules_violated")


def test_a_rule_about_a_static_segment(api: Any) -> None:
    ann = api.call("POST", "/v1/customers", {"source_id": "ann"})["id"]
    segment_id = api.call("POST", "/v1/segments", {"name": "S", "type": "static", "customers": [ann]})["id"]
    make_voucher(api, "IN", validation_rules=[make_rule(api, one_rule("customer.segment", "$is", segment_id))])
    make_voucher(api, "OUT", validation_rules=[make_rule(api, one_rule("customer.segment", "$not_in", segment_id))])
    redeem(api, "IN", customer="ann")
    refused(api, "IN", customer="bob", key="customer_rules_violated")
    redeem(api, "OUT", customer="bob")
    refused(api, "OUT", customer="ann", key="customer_rules_violated")


def test_the_rules_of_the_campaign_and_of_the_voucher_must_both_hold(api: Any) -> None:
    oslo = segment(api)
    adults = segment(api, filter={"junction": "and", "metadata.adult": {"conditions": {"$is": [True]}}})
    make_campaign(api, validation_rules=[make_rule(api, one_rule("customer.segment", "$is", oslo))], vouchers_count=0)
    voucher = api.call("POST", "/v1/campaigns/Spring/vouchers/CODE", {"redemption": {"quantity": None}})
    rule = make_rule(api, one_rule("customer.segment", "$is", adults))
    assignment = {"related_object_type": "voucher", "related_object_id": voucher["id"]}
    api.call("POST", f"/v1/validation-rules/{rule}/assignments", assignment)
    api.call("POST", "/v1/customers", in_oslo("city"))
    api.call("POST", "/v1/customers", {"source_id": "adult", "metadata": {"adult": True}})
    api.call("POST", "/v1/customers", {**in_oslo("both"), "metadata": {"adult": True}})
    refused(api, "CODE", customer="city", key="customer_rules_violated")
    refused(api, "CODE", customer="adult", key="customer_rules_violated")
    redeem(api, "CODE", customer="both")


def test_rules_are_joined_by_their_logic(api: Any) -> None:
    oslo = segment(api)
    staff = segment(api, filter={"junction": "and", "email": {"conditions": {"$ends_with": ["@shop.example"]}}})
    rules = {
        "1": {"name": "customer.segment", "conditions": {"$is": [oslo]}},
        "2": {"name": "customer.segment", "conditions": {"$is": [staff]}},
        "3": {"name": "redemption.count.per_customer", "conditions": {"$less_than_or_equal": [1]}},
        "logic": "2 or (1 and 3)",
    }
    make_voucher(api, "CODE", validation_rules=[make_rule(api, rules, error={"message": "Sorry"})])
    api.call("POST", "/v1/customers", in_oslo("ann"))
    api.call("POST", "/v1/customers", {"source_id": "boss", "email": "boss@shop.example"})
    redeem(api, "CODE", customer="ann")
    assert refused(api, "CODE", customer="ann", key="redemption_rules_violated")["error"] == {"message": "Sorry"}
    redeem(api, "CODE", customer="boss")
    redeem(api, "CODE", customer="boss")


def test_a_customer_redeems_as_often_as_the_rule_allows(api: Any) -> None:
    rule = make_rule(api, one_rule("redemption.count.per_customer", "$less_than_or_equal", 2))
    campaign = make_campaign(api, validation_rules=[rule], quantity=None, vouchers_count=2)
    first, second = sorted(
        voucher["code"]
        for voucher in api.call("GET", "/v1/vouchers", params={"campaign_id": campaign["id"]})["vouchers"]
    )
    done = redeem(api, first)["redemptions"][0]["id"]
    redeem(api, second)
    refused(api, first, key="redemption_rules_violated")
    refused(api, second, key="redemption_rules_violated")
    redeem(api, first, customer="bob")
    api.call("POST", f"/v1/redemptions/{done}/rollback")
    redeem(api, second)
    refused(api, second, key="redemption_rules_violated")


def test_the_redemptions_of_one_request_count_together(api: Any) -> None:
    rule = make_rule(api, one_rule("redemption.count.per_customer", "$less_than_or_equal", 1))
    make_campaign(api, validation_rules=[rule], vouchers_count=0)
    for code in ("A", "B"):
        api.call("POST", f"/v1/campaigns/Spring/vouchers/{code}", {})
    refused(api, "A", "B", key="redemption_rules_violated")
    redeem(api, "A")


def test_without_a_customer_a_rule_cannot_hold(api: Any) -> None:
    rule = make_rule(api, one_rule("redemption.count.per_customer", "$less_than", 9))
    make_voucher(api, "CODE", validation_rules=[rule])
    error = refused(api, "CODE", customer=None, key="missing_customer")
    assert error["details"] == "Customer is required to validate rules"


def test_a_rule_may_let_only_the_holder_redeem(api: Any) -> None:
    rule = make_rule(api, one_rule("publication.redeemable_by_linked_customer", "$is", *[True]))
    make_campaign(api, validation_rules=[rule], quantity=None)
    published = api.call("POST", "/v1/publications", {"campaign": "Spring", "customer": {"source_id": "ann"}})
    code = published["voucher"]["code"]
    refused(api, code, customer="bob", key="customer_rules_violated")
    refused(api, code, customer=None, key="missing_customer")
    redeem(api, code, customer="ann")


def test_without_that_rule_whoever_has_the_code_redeems(api: Any) -> None:
    make_campaign(api)
    published = api.call("POST", "/v1/publications", {"campaign": "Spring", "customer": {"source_id": "ann"}})
    redeem(api, published["voucher"]["code"], customer="bob")


def test_a_segment_that_a_rule_names_cannot_be_deleted(api: Any) -> None:
    segment_id = segment(api)
    rule = make_rule(api, one_rule("customer.segment", "$is", segment_id))
    error = api.fails("DELETE", f"/v1/segments/{segment_id}", status=ResourceInUse.code, key="resource_in_use")
    assert rule in error["details"]
    api.call("PUT", f"/v1/validation-rules/{rule}", {"rules": {"logic": ""}})
    api.call("DELETE", f"/v1/segments/{segment_id}", status=204)


def test_type_and_context_are_those_of_the_reference(api: Any) -> None:
    body = {"name": "Rule", "type": "advanced", "context_type": "voucher.discount_voucher"}
    made = api.call("POST", "/v1/validation-rules", body)
    assert (made["type"], made["context_type"]) == ("advanced", "voucher.discount_voucher")
    path = f"/v1/validation-rules/{made['id']}"
    for change in ({"type": "simple"}, {"context_type": "campaign"}, {"context_type": ""}):
        error = api.fails("POST", "/v1/validation-rules", body | change, status=400, key="invalid_payload")
        assert next(iter(change)) in error["details"]
        api.fails("PUT", path, change, status=400, key="invalid_payload")
    changed = api.call("PUT", path, {"context_type": "campaign.discount_coupons"})
    assert (changed["type"], changed["context_type"]) == ("advanced", "campaign.discount_coupons")
