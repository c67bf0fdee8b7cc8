from collections.abc import AsyncIterator
from typing import Any

import pytest

import harness
from in_cart import make_category
from management import Management, managed
from promotions import make_voucher, percent, summary, used
from rapport.core.db import Database
from rapport.projects.models import NewKey
from shopping import basket, redeem, statuses, validate


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
