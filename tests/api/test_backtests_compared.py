"""Back-tests compared with a campaign: its redemptions are taken back from the orders before the draft applies."""

from typing import Any

import harness
import promotions
from promotions import amount, make_campaign, make_voucher, percent


def codes(api: Any, name: str, discount: dict[str, Any]) -> list[str]:
    campaign = make_campaign(api, name, discount, quantity=None, pattern=f"{name[:3].upper()}-######")
    return harness.wait_for(lambda: promotions.codes_of(api, campaign["id"]), what="codes")  # type: ignore[no-any-return]


def redeem(api: Any, order: dict[str, Any], *names: str) -> dict[str, Any]:
    body = {"redeemables": [{"object": "voucher", "id": name} for name in names], "order": {"id": order["id"]}}
    return api.call("POST", "/v1/redemptions", body)  # type: ignore[no-any-return]


def compare(api: Any, **draft: Any) -> dict[str, Any]:
    made = api.call("POST", "/v1/backtests", {"rules": {}, **draft}, status=202)

    def done() -> Any:
        found = api.call("GET", f"/v1/backtests/{made['id']}")
        assert found["status"] != "FAILED"
        return found["result"]

    return harness.wait_for(done, what="the back-test")  # type: ignore[no-any-return]


def paid(api: Any, **order: Any) -> dict[str, Any]:
    return api.call("POST", "/v1/orders", {"status": "PAID", "customer": {"source_id": "ann"}, **order})  # type: ignore[no-any-return]


def test_a_stack_loses_only_what_the_campaign_took_off(api: Any) -> None:
    own = codes(api, "Spring", amount(200))[0]
    make_voucher(api, "OTHER", amount(300))
    order = paid(api, amount=1000)
    redeem(api, order, own, "OTHER")
    result = compare(api, campaign="Spring", discount=percent(10))
    [sample] = result["comparison"]["sample"]
    # What OTHER took off stays off: 10 % of 700.
    assert (sample["total_amount"], sample["discount_amount"], sample["redeemed_discount_amount"]) == (700, 70, 200)
    assert (result["comparison"]["redemptions"], result["comparison"]["amount_changes"]) == (1, 1)
    assert compare(api, campaign="Spring")["comparison"]["unchanged"] == 1


def test_discounts_on_items_are_taken_back_before_the_draft_applies(api: Any) -> None:
    discount = percent(50, effect="APPLY_TO_ITEMS")
    own = codes(api, "Spring", discount)[0]
    order = paid(api, items=[{"product_id": "a", "quantity": 2, "price": 300}, {"product_id": "b", "amount": 400}])
    redeem(api, order, own)
    result = compare(api, campaign="Spring")
    assert result["comparison"]["unchanged"] == 1
    assert result["discount"]["total"] == result["comparison"]["discount_amount"] == 500
    [sample] = result["sample"]["qualified"]
    assert (sample["amount"], sample["total_amount"]) == (1000, 1000)


def test_units_that_were_added_are_taken_back_too(api: Any) -> None:
    product = api.call("POST", "/v1/products", {"source_id": "mug", "name": "Mug", "price": 250})
    unit = {"type": "UNIT", "unit_off": 1, "unit_type": product["id"], "effect": "ADD_NEW_ITEMS"}
    own = codes(api, "Spring", unit)[0]
    order = paid(api, items=[{"product_id": "a", "quantity": 1, "price": 300}])
    redeem(api, order, own)
    result = compare(api, campaign="Spring")
    assert (result["orders"]["amount"], result["comparison"]["unchanged"]) == (300, 1)
    assert result["comparison"]["draft_discount_amount"] == result["comparison"]["discount_amount"] == 250


def test_rolled_back_redemptions_and_those_of_other_campaigns_are_not_looked_at(api: Any) -> None:
    own = codes(api, "Spring", amount(100))[0]
    other = codes(api, "Autumn", amount(50))[0]
    back, kept = paid(api, amount=1000), paid(api, amount=1000)
    done = redeem(api, back, own)["redemptions"][0]
    api.call("POST", f"/v1/redemptions/{done['id']}/rollback", {})
    redeem(api, kept, other)
    result = compare(api, campaign="Spring", order_statuses=["PAID", "CANCELED"])
    assert result["orders"]["total"] == 2
    assert result["comparison"]["redemptions"] == 0
    assert result["comparison"]["newly_qualified_orders"] == 2
    assert result["comparison"]["sample"] == []
