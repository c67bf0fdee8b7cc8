from collections.abc import AsyncIterator
from typing import Any

import pytest

import harness
from catalogue import make_collection
from in_cart import make_category, make_promotion, make_stack, tier
from management import Management, managed
from promotions import amount, make_rule, make_voucher, one_rule, percent, summary, used
from rapport.core.db import Database
from rapport.projects.models import NewKey
from shopping import basket, line, redeem, statuses, validate


@pytest.fixture
async def management(server: harness.Server, db: Database, key: NewKey) -> AsyncIterator[Management]:
    async with managed(server, db, key.project) as found:
        yield found


def rules(management: Management, **body: Any) -> str:
    return management.call("POST", "/stacking-rules", body)["id"]  # type: ignore[no-any-return]


def test_rules_are_made_once_changed_and_forgotten(management: Management) -> None:
    assert management.call("GET", "/stacking-rules") == {"object": "list", "data_ref": "data", "data": [], "total": 0}
    made = management.call("POST", "/stacking-rules", {"applicable_redeemables_limit": 10})
    assert (made["applicable_redeemables_limit"], made["redeemables_limit"]) == (10, 30)
    assert made["redeemables_application_mode"] == "ALL"
    management.fails("POST", "/stacking-rules", {}, status=409, key="stacking_rules_exist")
    path = f"/stacking-rules/{made['id']}"
    changed = management.call("PUT", path, {"redeemables_application_mode": "PARTIAL"})
    assert (changed["redeemables_application_mode"], changed["applicable_redeemables_limit"]) == ("PARTIAL", 10)
    assert management.call("GET", path) == changed
    assert management.call("GET", "/stacking-rules")["data"] == [changed]
    management.call("DELETE", path, status=204)
    for method, body in (("GET", None), ("PUT", {}), ("DELETE", None)):
        management.fails(method, path, body, status=404, key="not_found")


@pytest.mark.parametrize(
    "body",
    [
        {"redeemables_limit": 31},
        {"redeemables_limit": 0},
        {"redeemables_limit": 4, "applicable_redeemables_limit": 5},
        {"applicable_redeemables_per_category_limit": 6},
        {"applicable_exclusive_redeemables_limit": 6},
        {"exclusive_categories": ["a"], "joint_categories": ["a"]},
        {"redeemables_sorting_rule": "BEST"},
        {"applicable_redeemables_category_limits": {"a": 11}},
        [],
    ],
)
def test_rules_that_make_no_sense_are_refused(management: Management, body: Any) -> None:
    management.fails("POST", "/stacking-rules", body)
    assert management.call("GET", "/stacking-rules")["total"] == 0


def test_a_request_with_more_than_the_project_allows_is_refused(api: Any, management: Management) -> None:
    rules(management, redeemables_limit=1, applicable_redeemables_limit=1)
    make_voucher(api, "A")
    make_voucher(api, "B")
    for path in ("/v1/validations", "/v1/redemptions"):
        api.fails("POST", path, basket("A", "B"), status=400, key="invalid_payload")


def test_a_part_applies_where_the_project_wants_that(api: Any, management: Management) -> None:
    rules(management, redeemables_application_mode="PARTIAL", applicable_redeemables_limit=2)
    for code in "AB":
        make_voucher(api, code, percent(10))
    make_voucher(api, "C", percent(10))
    make_voucher(api, "OVER", expiration_date="2020-01-01")
    full = "applicable_redeemables_limit_exceeded"
    answer = validate(api, "OVER", "A", "NONE", "B", "C")
    assert answer["valid"] is True
    assert statuses(answer) == [
        ("A", "APPLICABLE"),
        ("B", "APPLICABLE"),
        ("OVER", "INAPPLICABLE"),
        ("NONE", "INAPPLICABLE"),
        ("C", full),
    ]
    done = redeem(api, "OVER", "A", "NONE", "B", "C")
    assert [one["voucher"]["code"] for one in done["redemptions"]] == ["A", "B"]
    assert [one["id"] for one in done["inapplicable_redeemables"]] == ["OVER", "NONE"]
    assert [one["result"]["details"]["key"] for one in done["skipped_redeemables"]] == [full]
    assert done["order"]["total_amount"] == 810
    assert [used(api, code) for code in "ABC"] == [1, 1, 0]
    missing = api.fails("POST", "/v1/redemptions", basket("OVER", "NONE"), status=404, key="not_found")
    assert missing["resource_id"] == "NONE"
    failed = api.call("GET", "/v1/redemptions", params={"result": "FAILURE"})["redemptions"]
    assert [(one["voucher"]["code"], one["failure_code"]) for one in failed] == [("OVER", "voucher_expired")]
    api.fails("POST", "/v1/redemptions", basket("NONE"), status=404, key="not_found")


def test_categories_decide_who_comes_first_and_who_is_left_out(api: Any, management: Management) -> None:
    low, high, plain = make_category(api, "Low", 5), make_category(api, "High", 1), make_category(api, "Plain", 9)
    rules(
        management,
        redeemables_sorting_rule="CATEGORY_HIERARCHY",
        exclusive_categories=[high],
        joint_categories=[low],
    )
    make_voucher(api, "LOW", percent(50), category_id=low)
    make_voucher(api, "HIGH", percent(10), category_id=high)
    make_voucher(api, "PLAIN", percent(10), category_id=plain)
    answer = validate(api, "LOW", "PLAIN", "HIGH", options={"expand": ["category", "order"]})
    assert statuses(answer) == [
        ("HIGH", "APPLICABLE"),
        ("LOW", "APPLICABLE"),
        ("PLAIN", "exclusion_rules_not_met"),
    ]
    assert [one["order"]["total_amount"] for one in answer["redeemables"][:2]] == [900, 450]
    kinds = [one["categories"][0].get("stacking_rules_type") for one in answer["redeemables"]]
    assert kinds == ["EXCLUSIVE", "JOINT", None]
    done = redeem(api, "LOW", "PLAIN", "HIGH")
    assert [one["voucher"]["code"] for one in done["redemptions"]] == ["HIGH", "LOW"]


def test_what_takes_nothing_off_is_left_out_where_the_project_wants_that(api: Any, management: Management) -> None:
    rules(management, redeemables_no_effect_rule="SKIP")
    make_voucher(api, "ALL", percent(100))
    make_voucher(api, "MORE", percent(10))
    assert statuses(validate(api, "ALL", "MORE")) == [("ALL", "APPLICABLE"), ("MORE", "no_effect")]
    redeem(api, "ALL", "MORE")
    assert [used(api, code) for code in ("ALL", "MORE")] == [1, 0]
    api.fails("POST", "/v1/redemptions", basket("MORE", order={"amount": 0}), status=400, key="no_effect")


def test_beside_what_takes_nothing_off_a_code_that_is_not_there_is_told(api: Any, management: Management) -> None:
    rules(management, redeemables_application_mode="PARTIAL", redeemables_no_effect_rule="SKIP")
    make_voucher(api, "ITEMS", percent(5, effect="APPLY_TO_ITEMS"))
    order = {"amount": 10000}
    assert statuses(validate(api, "ITEMS", "NO-1", "NO-2", order=order)) == [
        ("NO-1", "INAPPLICABLE"),
        ("NO-2", "INAPPLICABLE"),
        ("ITEMS", "no_effect"),
    ]
    body = basket("ITEMS", "NO-1", "NO-2", order=order)
    error = api.fails("POST", "/v1/redemptions", body, status=404, key="not_found")
    assert (error["resource_id"], error["resource_type"]) == ("NO-1", "voucher")
    assert error["details"] == "Cannot find voucher with id NO-1; Cannot find voucher with id NO-2"
    failed = api.call("GET", "/v1/redemptions", params={"result": "FAILURE"})["redemptions"]
    assert [(one["voucher"]["code"], one["failure_code"]) for one in failed] == [("ITEMS", "no_effect")]
    assert (used(api, "ITEMS"), summary(api)) == (0, {"total_failed": 1})


def test_percentages_of_what_the_order_cost_at_first(api: Any, management: Management) -> None:
    rules(management, discount_calculation_mode="INITIAL_AMOUNT")
    make_voucher(api, "A", percent(50))
    make_voucher(api, "B", percent(40))
    assert validate(api, "A", "B")["order"]["total_amount"] == 100


def test_a_percentage_of_what_the_order_cost_at_first_is_worked_out_as_any_other(
    api: Any, management: Management
) -> None:
    rules(management, discount_calculation_mode="INITIAL_AMOUNT")
    make_voucher(api, "HALF", percent(50))
    make_voucher(api, "PCT", percent(5, percent_off_formula='CUSTOMER_METADATA("pct")'))
    ann = {"source_id": "ann", "metadata": {"pct": 30}}
    answer = api.call("POST", "/v1/validations", basket("HALF", "PCT", order={"amount": 10000}) | {"customer": ann})
    assert answer["order"]["total_amount"] == 2000
    assert answer["redeemables"][1]["result"]["discount"] == {
        "type": "PERCENT",
        "percent_off": 30,
        "effect": "APPLY_TO_ORDER",
        "is_dynamic": True,
    }


def test_each_is_decided_on_what_the_ones_before_it_left(api: Any, management: Management) -> None:
    make_voucher(api, "LESS", amount(2000))
    small = make_rule(api, one_rule("order.total_amount", "$less_than_or_equal", 9000))
    make_voucher(api, "SMALL", percent(10), validation_rules=[small])
    order = {"amount": 10000}
    api.fails("POST", "/v1/redemptions", basket("SMALL", order=order), status=400, key="order_rules_violated")
    api.fails("POST", "/v1/redemptions", basket("SMALL", "LESS", order=order), status=400, key="order_rules_violated")
    assert validate(api, "LESS", "SMALL", order=order)["order"]["total_amount"] == 7200
    assert redeem(api, "LESS", "SMALL", order=order)["order"]["total_amount"] == 7200
    # Nor does a code that may not be redeemed beside them change what is said of it.
    make_voucher(api, "OVER", expiration_date="2020-01-01")
    assert statuses(validate(api, "LESS", "SMALL", "OVER", order=order)) == [
        ("OVER", "INAPPLICABLE"),
        ("LESS", "preceding_validation_failed"),
        ("SMALL", "preceding_validation_failed"),
    ]
    pen = api.call("POST", "/v1/products", {"name": "Pen", "price": 500})["id"]
    unit = {"type": "UNIT", "unit_off": 1, "unit_type": pen, "effect": "ADD_NEW_ITEMS"}
    make_voucher(api, "PEN", unit)
    named = [{"object": "product", "id": pen}]
    make_voucher(
        api, "NEEDS", percent(10), validation_rules=[make_rule(api, one_rule("order.items.any", "$is", *named))]
    )
    order = {"items": [line("apple", 1, 1000)]}
    assert validate(api, "NEEDS", order=order)["valid"] is False
    assert validate(api, "PEN", "NEEDS", order=order)["valid"] is True
    collection = make_collection(api, "Pens", type="STATIC", products=[{"id": pen, "object": "product"}])["id"]
    named = [{"object": "products_collection", "id": collection}]
    some = make_rule(api, one_rule("order.items.any", "$is", *named))
    make_voucher(api, "SOME", percent(10), validation_rules=[some])
    assert [validate(api, *codes, order=order)["valid"] for codes in (["SOME"], ["PEN", "SOME"])] == [False, True]
    rules(management, redeemables_application_mode="PARTIAL")
    assert statuses(validate(api, "SMALL", "LESS", order={"amount": 10000})) == [
        ("LESS", "APPLICABLE"),
        ("SMALL", "INAPPLICABLE"),
    ]
    assert len(validate(api, "LESS", "SMALL", order={"amount": 10000})["inapplicable_redeemables"]) == 0


def test_an_exclusive_one_that_would_take_nothing_off_keeps_nobody_out(api: Any, management: Management) -> None:
    only = make_category(api, "Only")
    rules(management, exclusive_categories=[only], redeemables_no_effect_rule="SKIP")
    make_voucher(api, "ONLY", percent(10, effect="APPLY_TO_ITEMS"), category_id=only)
    make_voucher(api, "PLAIN", percent(10))
    answer = validate(api, "PLAIN", "ONLY")
    assert answer["valid"] is True
    assert statuses(answer) == [("PLAIN", "APPLICABLE"), ("ONLY", "no_effect")]
    order = {"items": [line("apple", 1, 1000)]}
    assert statuses(validate(api, "PLAIN", "ONLY", order=order)) == [
        ("ONLY", "APPLICABLE"),
        ("PLAIN", "exclusion_rules_not_met"),
    ]


@pytest.mark.parametrize("mode", ["ALL", "PARTIAL"])
def test_a_stack_is_redeemed_as_a_whole_whatever_the_categories_of_its_tiers(
    api: Any, management: Management, mode: str
) -> None:
    only = make_category(api, "Only")
    rules(management, exclusive_categories=[only], redeemables_application_mode=mode)
    large = make_rule(api, one_rule("order.amount", "$more_than", 500))
    made = make_promotion(api, tier("A", 10, category_id=only, validation_rules=[large]), tier("B", 10))
    stack = make_stack(api, made["id"], *[one["id"] for one in made["promotion"]["tiers"]])["id"]
    done = redeem(api, ("promotion_stack", stack), order={"amount": 1000})
    assert [one["promotion_tier"]["name"] for one in done["redemptions"]] == ["A", "B"]
    assert done["order"]["total_amount"] == 810
    few = basket(("promotion_stack", stack), order={"amount": 400})
    api.fails("POST", "/v1/redemptions", few, status=400, key="order_rules_violated")
    assert api.call("POST", "/v1/validations", few)["valid"] is False
    assert summary(api)["total_succeeded"] == 2


def test_units_are_not_given_of_a_line_that_is_discounted_where_the_project_wants_that(
    api: Any, management: Management
) -> None:
    rules(management, redeemables_products_application_mode="ONCE")
    pen = api.call("POST", "/v1/products", {"name": "Pen", "price": 1000})["id"]
    make_voucher(api, "TENTH", percent(10, effect="APPLY_TO_ITEMS"))
    make_voucher(api, "FREE", {"type": "UNIT", "unit_off": 1, "unit_type": pen, "effect": "ADD_MISSING_ITEMS"})
    order = {"items": [line(pen, 2, 1000)]}
    both = validate(api, "TENTH", "FREE", order=order)["order"]
    assert (both["total_amount"], [one["discount_amount"] for one in both["items"]]) == (1800, [200])
    other = validate(api, "FREE", "TENTH", order=order)["order"]
    assert (other["total_amount"], [one["discount_amount"] for one in other["items"]]) == (1000, [1000])


def test_a_rollback_may_leave_the_order_as_it_is(api: Any, management: Management) -> None:
    rules(management, redeemables_rollback_order_mode="WITHOUT_ORDER")
    make_voucher(api, "A", percent(50))
    done = redeem(api, "A")["redemptions"][0]["id"]
    back = api.call("POST", f"/v1/redemptions/{done}/rollback")
    assert (back["order"]["total_amount"], back["order"]["status"], used(api, "A")) == (500, "PAID", 0)


def test_a_product_is_discounted_once_where_the_project_wants_that(api: Any, management: Management) -> None:
    rules(management, redeemables_products_application_mode="ONCE")
    make_voucher(api, "A", percent(50, effect="APPLY_TO_ITEMS"))
    make_voucher(api, "B", percent(50, effect="APPLY_TO_ITEMS"))
    order = {"items": [{"product_id": "apple", "quantity": 1, "price": 1000}]}
    assert validate(api, "A", "B", order=order)["order"]["total_amount"] == 500
