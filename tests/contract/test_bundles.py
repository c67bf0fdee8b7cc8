"""Bundles and what they lack, through the official SDK and against the reference's schemas."""

from typing import Any

import voucherify
from voucherify import models

from bundles import bundle, part
from catalogue import make_collection
from contract.test_promotion_schemas import check
from promotions import amount, make_voucher, stack

ITEMS = [{"product_id": "prod_a", "quantity": 2, "price": 500}, {"product_id": "prod_b", "quantity": 1, "price": 50}]


def test_bundle_rules(api: Any, sdk: voucherify.ApiClient) -> None:
    rules = voucherify.ValidationRulesApi(sdk)
    collection = make_collection(api, "C", products=[])["id"]
    wanted = bundle(part("product", "prod_a", 2), part("products_collection", collection), limit=4)
    body = {"name": "R", "rules": {}, "bundle_rules": wanted}
    check(api.call("POST", "/v1/validation-rules", body), "validation-rules", "post", "/v1/validation-rules")
    made = rules.create_validation_rules(models.ValidationRulesCreateRequestBody.from_dict(body))
    assert made.bundle_rules == wanted
    # What the SDK was not given does not remove the bundle.
    changed = rules.update_validation_rule(made.id, models.ValidationRulesUpdateRequestBody.from_dict({"name": "S"}))
    assert (changed.name, changed.bundle_rules) == ("S", wanted)
    check(
        api.call("PUT", f"/v1/validation-rules/{made.id}", {"bundle_rules": None}),
        "validation-rules",
        "put",
        "/v1/validation-rules/{validationRuleId}",
    )
    assert rules.get_validation_rule(made.id).bundle_rules == {}


def test_bundles_in_answers(api: Any, sdk: voucherify.ApiClient) -> None:
    rule = api.call(
        "POST",
        "/v1/validation-rules",
        {"name": "R", "rules": {}, "bundle_rules": bundle(part("product", "prod_a"), part("sku", "sku_x"), limit=3)},
    )
    there = api.call(
        "POST", "/v1/validation-rules", {"name": "S", "rules": {}, "bundle_rules": bundle(part("product", "prod_a"))}
    )
    make_voucher(api, "LACKS", amount(10), validation_rules=[rule["id"]])
    make_voucher(api, "HAS", amount(10), validation_rules=[there["id"]])
    validations = voucherify.ValidationsApi(sdk)
    for code in ("LACKS", "HAS"):
        body = stack(code, order={"items": ITEMS})
        check(api.call("POST", "/v1/validations", body), "validations", "post", "/v1/validations")
        asked = models.ValidationsValidateRequestBody.from_dict(body)
        found = validations.validate_stacked_discounts(asked).redeemables
        assert found
        told = found[0].result.bundle
        assert (told.limit, told.quantity) == ((3, 0) if code == "LACKS" else (1, 1))
        assert told.identified[0].to_dict() == {
            "id": "prod_a",
            "object": "product",
            "item_index": 0,
            "item_quantity": 1,
        }
        missing = [one.to_dict() for one in told.missing or []]
        assert missing == ([{"id": "sku_x", "object": "sku", "item_quantity": 1}] if code == "LACKS" else [])
    qualified = {"order": {"items": ITEMS}, "options": {"limit": 50}}
    answer = api.call("POST", "/v1/qualifications", qualified)
    check(answer, "qualifications", "post", "/v1/qualifications")
    assert {one["id"] for one in answer["redeemables"]["data"]} == {"LACKS", "HAS"}
    asked = models.QualificationsCheckEligibilityRequestBody.from_dict(qualified)
    listed = voucherify.QualificationsApi(sdk).check_eligibility(asked).redeemables.data
    assert sorted(one.result.bundle.quantity for one in listed) == [0, 1]
