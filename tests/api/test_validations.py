from typing import Any

import pytest

import facts
from promotions import amount, make_campaign, make_rule, make_voucher, one_rule, percent, redeem, rows, stack, used
from rapport.core.db import Database


def validate(api: Any, *codes: str, **more: Any) -> dict[str, Any]:
    return api.call("POST", "/v1/validations", stack(*codes, **more))  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("expand", "told"),
    [
        (None, {"order"}),
        (["order"], {"order"}),
        (["redeemable"], {"metadata", "campaign_id", "campaign_name"}),
        (["order", "redeemable"], {"order", "metadata", "campaign_id", "campaign_name"}),
        (["category"], {"categories"}),
    ],
)
def test_expand_chooses_what_is_told_of_each_redeemable(api: Any, expand: list[str] | None, told: set[str]) -> None:
    always = {"status", "id", "object", "result"}
    make_campaign(api, "Spring", vouchers_count=0)
    for code in ("A", "B"):
        api.call("POST", f"/v1/campaigns/Spring/vouchers/{code}")
    api.call("POST", "/v1/vouchers/B/disable")
    for options in [{"options": {"expand": expand}}] + ([{}, {"options": None}] if expand is None else []):
        [good] = validate(api, "A", **options)["redeemables"]
        assert set(good) == always | {"applicable_to", "inapplicable_to"} | told
        [bad] = validate(api, "B", **options)["redeemables"]
        assert set(bad) == always | told - {"order"}


def test_what_may_not_be_redeemed_says_so_in_the_shops_words(api: Any) -> None:
    make_voucher(api, "OFF")
    api.call("POST", "/v1/vouchers/OFF/disable")
    rule = make_rule(api, one_rule("order.amount", "$more_than", 9999), error={"message": "Spend more"})
    make_voucher(api, "SMALL", validation_rules=[rule])
    for code, details in (
        ("OFF", {"key": "voucher_disabled", "message": "voucher is disabled"}),
        ("SMALL", {"key": "order_rules_violated", "message": "Spend more"}),
        ("NONE", None),
    ):
        [told] = validate(api, code)["redeemables"]
        assert told["result"].get("details") == details
        assert (told["result"]["error"]["key"] == "not_found") == (details is None)


async def test_a_valid_request_is_told_its_discounts_and_nothing_changes(
    api: Any, db: Database, project_id: int
) -> None:
    make_voucher(api, "HALF", percent(50), metadata={"a": 1})
    make_voucher(api, "SOME", amount(100))
    answer = validate(api, "HALF", "SOME", customer="new", order={"source_id": "o", "amount": 1000})
    assert answer["valid"] is True
    assert answer["id"].startswith("valid_")
    assert [(one["status"], one["id"], one["result"]["discount"]["type"]) for one in answer["redeemables"]] == [
        ("APPLICABLE", "HALF", "PERCENT"),
        ("APPLICABLE", "SOME", "AMOUNT"),
    ]
    assert [one["order"]["total_amount"] for one in answer["redeemables"]] == [500, 400]
    assert "metadata" not in answer["redeemables"][0]
    assert (answer["order"]["total_amount"], answer["order"]["applied_discount_amount"]) == (400, 600)
    assert "id" not in answer["order"]
    assert answer["stacking_rules"]["redeemables_limit"] == 30
    assert (answer["inapplicable_redeemables"], answer["skipped_redeemables"]) == ([], [])
    for table in ("customers", "orders", "redemptions", "activity"):
        assert await rows(db, project_id, table) == 0, table
    assert used(api, "HALF") == 0


def test_an_invalid_request_is_told_why(api: Any) -> None:
    make_voucher(api, "GOOD")
    make_voucher(api, "OVER", expiration_date="2020-01-01")
    answer = validate(api, "GOOD", "OVER", "NONE")
    assert answer["valid"] is False
    assert "order" not in answer
    assert [(one["status"], one["id"]) for one in answer["redeemables"]] == [
        ("INAPPLICABLE", "OVER"),
        ("INAPPLICABLE", "NONE"),
        ("SKIPPED", "GOOD"),
    ]
    errors = [one["result"]["error"] for one in answer["inapplicable_redeemables"]]
    assert [(error["code"], error["key"]) for error in errors] == [(400, "voucher_expired"), (404, "not_found")]
    assert [one["id"] for one in answer["skipped_redeemables"]] == ["GOOD"]


def test_a_validation_says_what_a_redemption_would(api: Any) -> None:
    rule = make_rule(
        api,
        one_rule("redemption.count.per_customer", "$less_than_or_equal", 1, error={"message": "Once only"}),
    )
    make_voucher(api, "CODE", validation_rules=[rule])
    assert validate(api, "CODE")["valid"] is True
    redeem(api, "CODE")
    error = validate(api, "CODE")["redeemables"][0]["result"]["error"]
    assert (error["key"], error["error"]) == ("redemption_rules_violated", {"message": "Once only"})
    assert validate(api, "CODE", customer="bob")["valid"] is True
    missing = validate(api, "CODE", customer=None)
    assert missing["redeemables"][0]["result"]["error"]["key"] == "missing_customer"


async def test_a_known_customer_finds_the_validation_in_their_activity(api: Any, db: Database, project_id: int) -> None:
    ann = api.call("POST", "/v1/customers", {"source_id": "ann"})["id"]
    make_voucher(api, "CODE", redemption={"quantity": 0})
    make_voucher(api, "GOOD")
    validate(api, "CODE")
    validate(api, "GOOD")
    assert await facts.log_types(db, project_id, ann) == [
        "customer.created",
        "customer.validation.failed",
        "customer.validation.succeeded",
    ]


def test_one_voucher_is_validated_by_the_older_operation(api: Any) -> None:
    make_voucher(api, "HALF", percent(50))
    make_voucher(api, "OFF", active=False)
    good = api.call("POST", "/v1/vouchers/HALF/validate", {"order": {"amount": 1000}})
    assert (good["valid"], good["code"], good["discount"]["percent_off"]) == (True, "HALF", 50)
    assert good["order"]["total_amount"] == 500
    bad = api.call("POST", "/v1/vouchers/OFF/validate")
    assert (bad["valid"], bad["reason"], bad["error"]["key"]) == (False, "voucher is disabled", "voucher_disabled")
    none = api.call("POST", "/v1/vouchers/NONE/validate", {})
    assert (none["valid"], none["error"]["key"]) == (False, "not_found")


def test_an_existing_order_is_validated_against(api: Any) -> None:
    make_voucher(api, "HALF", percent(50))
    api.call("POST", "/v1/orders", {"source_id": "o", "amount": 800, "customer": {"source_id": "ann"}})
    answer = validate(api, "HALF", order={"source_id": "o"}, customer=None)
    assert answer["order"]["total_amount"] == 400
    assert answer["order"]["id"].startswith("ord_")
    assert answer["tracking_id"] == "ann"
    assert api.call("GET", "/v1/orders/o")["total_amount"] == 800


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        (stack(*map(str, range(31))), 400, "invalid_payload"),
        (stack("A", "A"), 400, "duplicated_redeemables"),
        (stack("A") | {"session": {"type": "LOCK", "ttl": 1}}, 400, "invalid_payload"),
        (stack("A") | {"order": {"amount": "1"}}, 400, "invalid_payload"),
        (stack("A") | {"order": {"id": "ord_x"}}, 404, "not_found"),
        (stack("A") | {"customer": {"id": "cust_x"}}, 404, "not_found"),
        ({}, 400, "invalid_payload"),
    ],
)
def test_a_request_that_is_not_a_validation_is_refused(
    api: Any, body: dict[str, Any], status: int, reason: str
) -> None:
    make_voucher(api, "A")
    api.fails("POST", "/v1/validations", body, status=status, key=reason)
