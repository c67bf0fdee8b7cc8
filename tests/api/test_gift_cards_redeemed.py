from typing import Any

import promotions
from promotions import amount, make_voucher, percent, publish
from shopping import balance, basket, gift_card, ledger, line, redeem, validate


def test_a_gift_card_pays_as_much_as_there_is_use_for(api: Any) -> None:
    gift_card(api, amount=1500)
    done = redeem(api, "CARD", order={"amount": 1000})
    one = done["redemptions"][0]
    assert (one["amount"], one["gift"], one["voucher"]["gift"]["balance"]) == (1000, {"amount": 1000}, 500)
    assert (done["order"]["total_amount"], done["order"]["total_applied_discount_amount"]) == (0, 1000)
    second = redeem(api, "CARD", order={"amount": 1000})
    assert (second["order"]["total_amount"], balance(api)) == (500, 0)
    assert ledger(api) == [("CREDITS_REDEMPTION", -1000, 500), ("CREDITS_REDEMPTION", -500, 0)]
    assert promotions.used(api, "CARD") == 2


def test_the_credits_that_a_request_names_are_used_and_no_more(api: Any) -> None:
    gift_card(api, amount=1500)
    done = redeem(api, ("gift_card", "CARD", 300))
    assert (done["redemptions"][0]["gift"]["amount"], done["order"]["total_amount"], balance(api)) == (300, 700, 1200)
    error = api.fails(
        "POST",
        "/v1/vouchers/CARD/redemption",
        {"gift": {"credits": 1201}, "order": {"amount": 5000}},
        status=400,
        key="gift_amount_exceeded",
    )
    assert error["resource_id"].startswith("rf_")
    assert balance(api) == 1200


def test_a_gift_card_without_an_order_needs_its_credits_named(api: Any) -> None:
    gift_card(api)
    api.fails("POST", "/v1/vouchers/CARD/redemption", {}, status=400, key="missing_amount")
    done = api.call("POST", "/v1/vouchers/CARD/redemption", {"gift": {"credits": 250}})
    assert (done["amount"], done["order"], balance(api)) == (250, None, 750)
    back = api.call("POST", f"/v1/redemptions/{done['id']}/rollback")
    assert (back["amount"], balance(api)) == (-250, 1000)


def test_a_rollback_puts_the_credits_back_once_and_writes_it_down(api: Any) -> None:
    gift_card(api)
    one = redeem(api, "CARD", order={"amount": 400})["redemptions"][0]
    back = api.call("POST", f"/v1/redemptions/{one['id']}/rollback")
    assert (back["gift"]["amount"], back["voucher"]["gift"]["balance"]) == (-400, 1000)
    assert (back["order"]["total_amount"], back["order"]["status"]) == (400, "CANCELED")
    api.fails("POST", f"/v1/redemptions/{one['id']}/rollback", status=400, key="already_rolled_back")
    assert (balance(api), promotions.used(api, "CARD")) == (1000, 0)
    assert ledger(api) == [("CREDITS_REDEMPTION", -400, 600), ("CREDITS_REFUND", 400, 1000)]
    entries = api.call("GET", "/v1/vouchers/CARD/transactions")["data"]
    assert entries[0]["related_transaction_id"] == entries[1]["id"]
    assert entries[0]["details"]["rollback"]["id"] == back["id"]


def test_discounts_and_a_card_in_one_request_come_one_after_another(api: Any) -> None:
    make_voucher(api, "HALF", percent(50))
    make_voucher(api, "SOME", amount(100))
    gift_card(api, amount=300)
    done = redeem(api, "HALF", "CARD", "SOME", order={"amount": 1000})
    assert [one["order"]["total_amount"] for one in done["redemptions"]] == [500, 200, 100]
    assert done["order"]["total_amount"] == 100
    assert done["parent_redemption"]["order"]["total_applied_discount_amount"] == 900
    undone = api.call("POST", f"/v1/redemptions/{done['parent_redemption']['id']}/rollbacks")
    assert (undone["order"]["total_amount"], undone["order"]["discount_amount"], balance(api)) == (1000, 0, 300)


def test_a_card_of_a_campaign_is_worth_what_the_campaign_says(api: Any) -> None:
    voucher = {"type": "GIFT_VOUCHER", "gift": {"amount": 700}, "redemption": {"quantity": None}}
    body = {"name": "Spring", "campaign_type": "GIFT_VOUCHERS", "vouchers_count": 3, "voucher": voucher}
    campaign = api.call("POST", "/v1/campaigns", body)
    code = publish(api)["voucher"]["code"]
    redeem(api, code, order={"amount": 300})
    assert balance(api, code) == 400
    other = next(one for one in promotions.codes_of(api, campaign["id"]) if one != code)
    redeem(api, other, order={"amount": 300})
    assert balance(api, other) == 400
    gift = api.call("GET", "/v1/customers/ann")["summary"]["redemptions"]["gift"]
    assert gift == {"redeemed_amount": 600, "amount_to_go": 400}


def test_a_card_can_pay_for_items(api: Any) -> None:
    gift_card(api, amount=300, effect="APPLY_TO_ITEMS")
    done = redeem(api, "CARD", order={"items": [line("apple", 2, 100), line("pear", 1, 400)]})
    order = done["order"]
    assert (order["items_discount_amount"], order["discount_amount"], order["total_amount"]) == (300, 0, 300)
    assert sum(one["applied_discount_amount"] for one in order["items"]) == 300
    undone = api.call("POST", f"/v1/redemptions/{done['redemptions'][0]['id']}/rollback")
    assert (undone["order"]["total_amount"], undone["order"]["items_discount_amount"]) == (600, 0)
    assert balance(api) == 300


def test_a_validation_tells_what_a_card_would_pay(api: Any) -> None:
    gift_card(api, amount=600)
    answer = validate(api, "CARD", order={"amount": 1000})
    one = answer["redeemables"][0]
    assert (one["result"]["gift"], answer["order"]["total_amount"]) == ({"balance": 600, "credits": 600}, 400)
    single = api.call("POST", "/v1/vouchers/CARD/validate", {"order": {"amount": 100}})
    assert (single["valid"], single["gift"]["credits"], single["order"]["total_amount"]) == (True, 100, 0)
    assert balance(api) == 600


def test_a_card_with_nothing_left_pays_nothing_and_is_refused(api: Any) -> None:
    gift_card(api, amount=300)
    make_voucher(api, "ALL", percent(100))
    redeem(api, "CARD", order={"amount": 300})
    error = api.fails(
        "POST", "/v1/redemptions", basket("CARD", order={"amount": 500}), status=400, key="gift_amount_exceeded"
    )
    assert error["resource_id"].startswith("rf_")
    assert validate(api, "CARD", order={"amount": 500})["valid"] is False
    assert (balance(api), promotions.used(api, "CARD")) == (0, 1)
    # Where there is nothing to pay, or nothing is asked of it, nothing is missing.
    redeem(api, "ALL", "CARD", order={"amount": 500})
    redeem(api, ("gift_card", "CARD", 0), order={"amount": 500})
    assert (balance(api), promotions.used(api, "CARD")) == (0, 3)
