"""Answers about redeemables of every kind fit the reference's schemas, and the official SDK reads them."""

from typing import Any

import pytest
import voucherify
from voucherify import models

from contract.test_promotion_schemas import check
from harness import Server
from in_cart import make_category, make_promotion, make_stack, tier
from management import managed
from promotions import make_rule, make_voucher, one_rule, percent
from rapport.core.db import Database
from rapport.projects.models import NewKey
from shopping import basket, gift_card

ORDER = {"source_id": "o", "items": [{"product_id": "p", "quantity": 2, "price": 1000}]}


@pytest.fixture
def things(api: Any) -> dict[str, Any]:
    """Return one redeemable of each kind, and a stack."""
    category = make_category(api)
    applicable = {"included": [{"object": "product", "id": "p"}], "excluded": [], "included_all": False}
    rule = make_rule(api, one_rule("order.amount", "$more_than", 1), applicable_to=applicable)
    make_voucher(api, "ITEMS", percent(10, effect="APPLY_TO_ITEMS"), validation_rules=[rule], category_id=category)
    gift_card(api, amount=500)
    promotion = make_promotion(api, tier("A", 10), tier("B", 20))
    ids = [one["id"] for one in api.call("GET", f"/v1/promotions/{promotion['id']}/tiers")["tiers"]]
    return {"tiers": ids, "stack": make_stack(api, promotion["id"], *ids)["id"]}


def test_redemptions_and_validations_of_every_kind(api: Any, things: dict[str, Any]) -> None:
    every = ["ITEMS", ("voucher", "CARD", 300), ("promotion_tier", things["tiers"][0])]
    post = "/v1/validations"
    valid = api.call("POST", post, basket(*every, order=ORDER, session={"type": "LOCK", "key": "k"}))
    assert valid["valid"] is True
    check(valid, "validations", "post", post)
    check(api.call("POST", post, basket("ITEMS", "NONE", order=ORDER)), "validations", "post", post)
    stacked = basket(("promotion_stack", things["stack"]), order=ORDER)
    check(api.call("POST", post, stacked), "validations", "post", post)
    done = check(
        api.call("POST", "/v1/redemptions", basket(*every, order=ORDER, session={"key": "k"})),
        "redemptions",
        "post",
        "/v1/redemptions",
    )
    one = "/v1/redemptions/{redemptionId}"
    for row in done["redemptions"]:
        check(api.call("GET", f"/v1/redemptions/{row['id']}"), "redemptions", "get", one)
    back = api.call("POST", f"/v1/redemptions/{done['parent_redemption']['id']}/rollbacks")
    check(back, "redemptions", "post", "/v1/redemptions/{parentRedemptionId}/rollbacks")


def test_the_older_operations_about_tiers(api: Any, things: dict[str, Any]) -> None:
    body = {"customer": {"source_id": "ann"}, "order": ORDER}
    path = f"/v1/promotions/tiers/{things['tiers'][0]}"
    found = api.call("POST", f"{path}/validation", body)
    check(found, "validations", "post", "/v1/promotions/tiers/{tierId}/validation")
    check(api.call("POST", "/v1/promotions/validation", body), "validations", "post", "/v1/promotions/validation")
    done = api.call("POST", f"{path}/redemption", body)
    check(done, "redemptions", "post", "/v1/promotions/tiers/{promotionTierId}/redemption")


def test_qualifications(api: Any, things: dict[str, Any]) -> None:
    body = {
        "customer": {"source_id": "ann"},
        "order": ORDER,
        "options": {"limit": 50, "expand": ["redeemable", "category", "validation_rules"]},
    }
    for scenario in ("ALL", "AUDIENCE_ONLY", "PRODUCTS", "PROMOTION_STACKS"):
        answer = api.call("POST", "/v1/qualifications", body | {"scenario": scenario})
        assert answer["redeemables"]["data"], scenario
        check(answer, "qualifications", "post", "/v1/qualifications")
    assert things["stack"] == answer["redeemables"]["data"][0]["id"]
    older = {"customer": {"source_id": "ann"}, "order": ORDER}
    check(api.call("POST", "/v1/vouchers/qualification", older), "vouchers", "post", "/v1/vouchers/qualification")
    check(api.call("POST", "/v1/campaigns/qualification", older), "campaigns", "post", "/v1/campaigns/qualification")


async def test_stacking_rules(server: Server, db: Database, key: NewKey) -> None:
    path = "/management/v1/projects/{projectId}/stacking-rules"
    async with managed(server, db, key.project) as management:
        made = check(management.call("POST", "/stacking-rules", {}), "management", "post", path)
        one = f"/stacking-rules/{made['id']}"
        check(management.call("PUT", one, {"redeemables_limit": 9}), "management", "put", f"{path}/{{stackingRulesId}}")
        check(management.call("GET", one), "management", "get", f"{path}/{{stackingRulesId}}")
        check(management.call("GET", "/stacking-rules"), "management", "get", path)


def test_the_sdk_reads_them(sdk: voucherify.ApiClient, api: Any, things: dict[str, Any]) -> None:
    body = basket("ITEMS", ("promotion_tier", things["tiers"][0]), ("voucher", "CARD", 300), order=ORDER)
    wanted = models.ValidationsValidateRequestBody.from_dict(body)
    valid = voucherify.ValidationsApi(sdk).validate_stacked_discounts(wanted)
    assert (valid.valid, valid.order.total_amount) == (True, 1320)
    request = models.RedemptionsRedeemRequestBody.from_dict(body)
    done = voucherify.RedemptionsApi(sdk).redeem_stacked_discounts(request)
    assert done.order.total_amount == 1320
    asked = models.QualificationsCheckEligibilityRequestBody.from_dict({"order": ORDER, "options": {"limit": 50}})
    found = voucherify.QualificationsApi(sdk).check_eligibility(asked)
    assert {one.object for one in found.redeemables.data} == {"voucher", "promotion_tier"}
    _ = api
