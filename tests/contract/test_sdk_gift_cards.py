"""The official SDK works with gift cards, imports of codes, transactions and summaries; answers fit the schemas."""

from pathlib import Path
from typing import Any

import voucherify
from voucherify import models

import harness
from contract.test_promotion_schemas import check
from contract.test_reference_schemas import payload_misfits
from promotions import make_campaign, publish, redeem

GIFT = {"type": "GIFT_VOUCHER", "discount": None, "gift": {"amount": 1000, "effect": "APPLY_TO_ORDER"}}
WINDOWS = {
    "start_date": "2026-01-01T00:00:00.000Z",
    "validity_timeframe": {"interval": "P2D", "duration": "P1D"},
    "validity_day_of_week": [1, 2],
    "validity_hours": {"daily": [{"start_time": "09:00", "expiration_time": "17:00", "days_of_week": [1]}]},
}


def make_cards(api: Any, **more: Any) -> Any:
    return make_campaign(api, "Cards", campaign_type="GIFT_VOUCHERS", voucher=GIFT, **more)


def finished(sdk: voucherify.ApiClient, action_id: str) -> Any:
    actions = voucherify.AsyncActionsApi(sdk)
    return harness.wait_for(lambda: (one := actions.get_async_action(action_id)).status in {"DONE", "FAILED"} and one)


def test_gift_cards(sdk: voucherify.ApiClient) -> None:
    vouchers = voucherify.VouchersApi(sdk)
    body = {"type": "GIFT_VOUCHER", "gift": {"amount": 5000}, "category": "new", **WINDOWS}
    made = vouchers.create_voucher("CARD", models.VouchersCreateWithSpecificCodeRequestBody.from_dict(body))
    assert (made.type, made.gift.amount, made.gift.balance) == ("GIFT_VOUCHER", 5000, 5000)
    assert made.validity_day_of_week == [1, 2]
    assert made.validity_timeframe.interval == "P2D"
    assert made.assets.qr.url
    for amount in (300, -200):
        change = models.VouchersBalanceUpdateRequestBody.from_dict({"amount": amount, "reason": "x", "source_id": "s"})
        done = vouchers.update_voucher_balance("CARD", change)
    assert (done.balance, done.amount, done.total, done.related_object.id) == (5100, -200, 5100, made.id)
    first = vouchers.list_voucher_transactions("CARD", limit=1, order="-id")
    assert first.has_more
    rest = vouchers.list_voucher_transactions("CARD", order="-id", starting_after_id=first.more_starting_after)
    assert [one.type for one in (*first.data, *rest.data)] == ["CREDITS_REMOVAL", "CREDITS_ADDITION"]
    export = vouchers.export_voucher_transactions("CARD")
    assert (export.status, export.exported_object) == ("SCHEDULED", "voucher_transactions")
    got = voucherify.ExportsApi(sdk).get_export(export.id).to_dict()
    assert got["parameters"]["filters"]["voucher_id"]["conditions"]["$in"] == [made.id]
    changed = vouchers.update_voucher("CARD", models.VouchersUpdateRequestBody.from_dict({"category": "old"}))
    assert changed.category == "old"


def test_campaigns_of_gift_cards(sdk: voucherify.ApiClient) -> None:
    campaigns = voucherify.CampaignsApi(sdk)
    body = {"name": "Cards", "campaign_type": "GIFT_VOUCHERS", "type": "STATIC", "vouchers_count": 2, **WINDOWS,
            "voucher": {"type": "GIFT_VOUCHER", "gift": {"amount": 700}}}  # fmt: skip
    made = campaigns.create_campaign(models.CampaignsCreateRequestBody.from_dict(body))
    assert (made.campaign_type, made.voucher.gift.amount) == ("GIFT_VOUCHERS", 700)
    assert made.validity_day_of_week == [1, 2]
    assert campaigns.list_campaign_transactions(made.id).data == []
    assert campaigns.export_campaign_transactions(made.id).exported_object == "voucher_transactions"
    summary = campaigns.get_campaign_summary(made.id).to_dict()
    assert (summary["vouchers_created"], summary["created_vouchers_amount"]) == (2, 1400)
    promotion = {"name": "Cart", "campaign_type": "PROMOTION", "type": "STATIC"}
    cart = campaigns.create_campaign(models.CampaignsCreateRequestBody.from_dict(promotion))
    assert (cart.campaign_type, cart.voucher, cart.vouchers_count) == ("PROMOTION", None, 0)
    assert campaigns.list_campaigns(campaign_type="PROMOTION").total == 1


def test_imports_of_codes(sdk: voucherify.ApiClient, api: Any, tmp_path: Path) -> None:
    make_cards(api, vouchers_count=0)
    vouchers, campaigns = voucherify.VouchersApi(sdk), voucherify.CampaignsApi(sdk)
    one = models.VouchersImportCreateItemRequestBody.from_dict(
        {"code": "A", "type": "DISCOUNT_VOUCHER", "discount": {"type": "AMOUNT", "amount_off": 5}}
    )
    path = tmp_path / "codes.csv"
    path.write_text("Code,Value,Discount Type\nB,5,AMOUNT\n")
    cards = tmp_path / "cards.csv"
    cards.write_text("Code,Gift Amount\nC,50\n")
    card = models.CampaignsImportVoucherItem.from_dict(
        {"code": "D", "type": "GIFT_VOUCHER", "gift": {"amount": 9, "balance": 9}}
    )
    tags = [models.VouchersUpdateInBulkItemRequestBody.from_dict({"code": "A", "metadata": {"a": 1}})]
    same = models.VouchersMetadataUpdateInBulkRequestBody.from_dict({"codes": ["A"], "metadata": {"b": 1}})
    for call, kind in (
        (lambda: vouchers.import_vouchers([one]), "VOUCHERS.IMPORT"),
        (lambda: vouchers.import_vouchers_using_csv(file=str(path)), "VOUCHERS.IMPORT_CSV"),
        (lambda: campaigns.import_vouchers_to_campaign("Cards", [card]), "CAMPAIGN.VOUCHERS_IMPORT"),
        (
            lambda: campaigns.import_vouchers_to_campaign_using_csv("Cards", file=str(cards)),
            "CAMPAIGN.VOUCHERS_IMPORT_CSV",
        ),
        (lambda: vouchers.update_vouchers_in_bulk(tags), "VOUCHERS.BULK_UPDATE"),
        (lambda: vouchers.update_vouchers_metadata_in_bulk(same), "VOUCHERS.METADATA_UPDATE"),
    ):
        done = finished(sdk, call().async_action_id)
        assert (done.type, done.status, done.result["done_count"]) == (kind, "DONE", 1)
    assert vouchers.get_voucher("A").metadata == {"a": 1, "b": 1}
    assert [vouchers.get_voucher(code).gift.balance for code in "CD"] == [50, 9]


def test_answers_fit_the_reference(api: Any) -> None:
    made = make_cards(api, **WINDOWS)
    check(made, "campaigns", "post", "/v1/campaigns")
    card = check(api.call("POST", "/v1/vouchers/CARD", GIFT | WINDOWS), "vouchers", "post", "/v1/vouchers/{code}")
    check(api.call("GET", "/v1/vouchers"), "vouchers", "get", "/v1/vouchers")
    check(api.call("GET", "/v1/vouchers/CARD"), "vouchers", "get", "/v1/vouchers/{code}")
    path = "/v1/vouchers/{code}"
    check(api.call("POST", "/v1/vouchers/CARD/balance", {"amount": 5}), "vouchers", "post", f"{path}/balance")
    check(api.call("GET", "/v1/vouchers/CARD/transactions"), "vouchers", "get", f"{path}/transactions")
    exported = api.call("POST", "/v1/vouchers/CARD/transactions/export")
    check(exported, "vouchers", "post", f"{path}/transactions/export")
    one, campaign = "/v1/campaigns/{campaignId}", f"/v1/campaigns/{made['id']}"
    check(api.call("POST", f"{campaign}/transactions/export"), "campaigns", "post", f"{one}/transactions/export")
    code = publish(api, "Cards")["voucher"]["code"]
    api.call("POST", f"/v1/vouchers/{code}/balance", {"amount": 5})
    check(api.call("GET", f"{campaign}/transactions"), "campaigns", "get", f"{one}/transactions")
    check(api.call("GET", f"{campaign}/summary"), "campaigns", "get", f"{one}/summary")
    cart = api.call("POST", "/v1/campaigns", {"name": "Cart", "campaign_type": "PROMOTION"})
    check(cart, "campaigns", "post", "/v1/campaigns")
    assert card["gift"]["balance"] == 1000
    data = api.call("GET", "/v1/customers/ann/activity", params={"limit": "100"})["data"]
    (added,) = [entry for entry in data if entry["type"] == "customer.voucher.gift.balance_added"]
    wrong = payload_misfits(added["type"], added["data"]["data"])
    assert {place: said for place, said in wrong.items() if not said.startswith("None is not of type")} == {}


def test_a_summary_counts_what_happened(api: Any) -> None:
    campaign = make_campaign(api, vouchers_count=3, quantity=None)
    code = publish(api)["voucher"]["code"]
    done = redeem(api, code)["redemptions"][0]["id"]
    redeem(api, code)
    api.call("POST", f"/v1/redemptions/{done}/rollback")
    other = next(one for one in api.call("GET", "/v1/vouchers")["vouchers"] if one["code"] != code)
    api.call("DELETE", f"/v1/vouchers/{other['code']}", status=204)
    found = api.call("GET", f"/v1/campaigns/{campaign['id']}/summary")
    assert found.pop("campaign")["name"] == "Spring"
    assert found == {
        "object": "campaign_summary", "redemptions": 2, "redemptions_succeeded": 2, "redemptions_failed": 0,
        "rollbacks": 1, "rollbacks_succeeded": 1, "rollbacks_failed": 0, "validations": 0, "validations_succeeded": 0,
        "validations_failed": 0, "orders_amount": 2000, "orders_rolledback_amount": 1000, "vouchers_created": 3,
        "vouchers_deleted": 1, "publications": 1, "publications_succeeded": 1, "publications_failed": 0,
        "discounted_amount": 200, "rolledback_discounted_amount": 100,
    }  # fmt: skip
    past = api.call("GET", f"/v1/campaigns/{campaign['id']}/summary", params={"end_date": "2020-01-01"})
    assert (past["redemptions"], past["vouchers_created"]) == (0, 0)
    api.fails("GET", f"/v1/campaigns/{campaign['id']}/summary", status=400, key="invalid_query_params",
              params={"start_date": "soon"})  # fmt: skip
