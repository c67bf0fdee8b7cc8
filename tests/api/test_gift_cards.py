from typing import Any

import pytest

import exports_world
from promotions import codes_of, make_campaign, make_voucher, publish
from shopping import basket, redeem


def make_card(api: Any, code: str = "CARD", amount: int = 1000, **more: Any) -> dict[str, Any]:
    body = {"type": "GIFT_VOUCHER", "gift": {"amount": amount}, **more}
    return api.call("POST", f"/v1/vouchers/{code}", body)  # type: ignore[no-any-return]


def make_cards(api: Any, amount: int = 1000, **more: Any) -> dict[str, Any]:
    gift = {"type": "GIFT_VOUCHER", "discount": None, "gift": {"amount": amount, "effect": "APPLY_TO_ITEMS"}}
    return make_campaign(api, "Cards", campaign_type="GIFT_VOUCHERS", voucher=gift, **more)


def change(api: Any, amount: int, code: str = "CARD", **more: Any) -> dict[str, Any]:
    return api.call("POST", f"/v1/vouchers/{code}/balance", {"amount": amount, **more})  # type: ignore[no-any-return]


def gift_of(api: Any, code: str = "CARD") -> Any:
    return api.call("GET", f"/v1/vouchers/{code}")["gift"]


def transactions(api: Any, path: str = "/v1/vouchers/CARD", **query: Any) -> Any:
    return api.call("GET", f"{path}/transactions", params=query)


def test_a_gift_card_is_a_voucher_with_a_balance_and_no_discount(api: Any) -> None:
    made = make_card(api, amount=2500)
    assert (made["type"], made["discount"]) == ("GIFT_VOUCHER", None)
    assert made["gift"] == {"amount": 2500, "subtracted_amount": 0, "balance": 2500, "effect": "APPLY_TO_ORDER"}
    assert made["redemption"]["quantity"] is None
    assert api.call("GET", "/v1/vouchers")["vouchers"][0]["gift"] == made["gift"]


def test_the_balance_is_added_to_and_taken_from_and_every_change_is_in_the_ledger(api: Any) -> None:
    card = make_card(api)
    added = change(api, 500, source_id="s1", reason="birthday")
    assert added == {
        "amount": 500, "total": 1500, "balance": 1500, "type": "gift_voucher", "operation_type": "MANUAL",
        "object": "balance", "related_object": {"type": "voucher", "id": card["id"]},
    }  # fmt: skip
    assert change(api, -200)["balance"] == 1300
    assert gift_of(api) == {"amount": 1500, "subtracted_amount": 200, "balance": 1300, "effect": "APPLY_TO_ORDER"}
    found = transactions(api)
    assert (found["object"], found["data_ref"], found["has_more"]) == ("list", "data", False)
    last, first = found["data"]
    assert (last["type"], last["details"]["balance"]["amount"]) == ("CREDITS_REMOVAL", -200)
    assert last["details"]["balance"]["total"] == 1300
    assert (first["type"], first["source_id"], first["reason"], first["source"]) == (
        "CREDITS_ADDITION", "s1", "birthday", "API",
    )  # fmt: skip
    assert first["details"]["balance"] == added
    assert (first["voucher_id"], first["campaign_id"], first["related_transaction_id"]) == (card["id"], None, None)


def test_a_ledger_is_read_in_parts(api: Any) -> None:
    make_card(api)
    for amount in (1, 2, 3):
        change(api, amount)
    seen: list[int] = []
    after: dict[str, str] = {}
    for _ in range(3):
        found = transactions(api, order="id", limit="1", **after)
        seen += [one["details"]["balance"]["amount"] for one in found["data"]]
        after = {"starting_after_id": found.get("more_starting_after", "")}
    assert seen == [1, 2, 3]
    assert not found["has_more"]
    error = api.fails("GET", "/v1/vouchers/CARD/transactions", status=400, key="invalid_query_params",
                      params={"starting_after_id": "vtx_none"})  # fmt: skip
    assert "vtx_none" in error["details"]
    api.fails("GET", "/v1/vouchers/NONE/transactions", status=404, key="not_found")


def test_a_balance_is_never_below_nothing(api: Any) -> None:
    make_card(api)
    api.fails("POST", "/v1/vouchers/CARD/balance", {"amount": -1001}, status=400, key="insufficient_card_balance")
    assert gift_of(api)["balance"] == 1000
    assert transactions(api)["data"] == []
    assert change(api, -1000)["balance"] == 0


@pytest.mark.parametrize("amount", [0, None, "5", 1.5, 2**53, -(2**53), 2**70])
def test_an_amount_that_cannot_be_is_refused(api: Any, amount: Any) -> None:
    make_card(api)
    api.fails("POST", "/v1/vouchers/CARD/balance", {"amount": amount}, status=400, key="invalid_payload")
    assert transactions(api)["data"] == []


def test_a_card_holds_no_more_than_can_be_counted(api: Any) -> None:
    make_card(api, amount=2**53 - 1)
    api.fails("POST", "/v1/vouchers/CARD/balance", {"amount": 1}, status=400, key="invalid_payload")
    change(api, -5)
    api.fails("POST", "/v1/vouchers/CARD/balance", {"amount": 1}, status=400, key="invalid_payload")


def test_only_a_gift_card_has_a_balance(api: Any) -> None:
    make_voucher(api, "CODE")
    api.fails("POST", "/v1/vouchers/CODE/balance", {"amount": 1}, status=400, key="invalid_voucher")
    api.fails("POST", "/v1/vouchers/NONE/balance", {"amount": 1}, status=404, key="not_found")


def test_a_request_sent_again_with_its_key_adds_once(api: Any) -> None:
    make_card(api)
    for _ in range(3):
        answer = api.post("/v1/vouchers/CARD/balance", json={"amount": 7}, headers={"Idempotency-Key": "k"})
        assert answer.json()["balance"] == 1007
    assert len(transactions(api)["data"]) == 1


def test_the_cards_of_a_campaign_are_worth_what_it_says_until_somebody_has_them(api: Any) -> None:
    campaign = make_cards(api, vouchers_count=2)
    assert campaign["voucher"]["type"] == "GIFT_VOUCHER"
    assert campaign["voucher"]["gift"]["amount"] == 1000
    assert "discount" not in campaign["voucher"]
    given = publish(api, "Cards")["voucher"]["code"]
    (other,) = set(codes_of(api, campaign["id"])) - {given}
    api.call("PUT", "/v1/campaigns/Cards", {"gift": {"amount": 3000}})
    assert gift_of(api, given)["balance"] == 1000
    assert gift_of(api, other)["balance"] == 3000
    change(api, -500, other)
    api.call("PUT", "/v1/campaigns/Cards", {"gift": {"amount": 4000}})
    assert gift_of(api, other) == {
        "amount": 3000, "subtracted_amount": 500, "balance": 2500, "effect": "APPLY_TO_ORDER",
    }  # fmt: skip
    api.fails("PUT", "/v1/campaigns/Cards", {"discount": {"type": "AMOUNT", "amount_off": 1}}, status=400,
              key="invalid_payload")  # fmt: skip


def test_the_ledger_of_a_campaign_is_listed_and_filtered(api: Any) -> None:
    campaign = make_cards(api, vouchers_count=2)
    one, two = codes_of(api, campaign["id"])
    make_card(api)
    for code, amount in ((one, 1), (two, 2), ("CARD", 4)):
        change(api, amount, code)
    path = f"/v1/campaigns/{campaign['id']}"
    found = transactions(api, path)["data"]
    assert [row["details"]["balance"]["amount"] for row in found] == [2, 1]
    assert {row["campaign_id"] for row in found} == {campaign["id"]}
    only = {"filters[voucher_id][conditions][$is][0]": found[1]["voucher_id"]}
    assert transactions(api, path, **only)["data"] == [found[1]]
    api.fails("GET", "/v1/campaigns/None/transactions", status=404, key="not_found")
    make_campaign(api, "Coupons")
    for method, of_coupons in (("GET", "transactions"), ("POST", "transactions/export")):
        api.fails(method, f"/v1/campaigns/Coupons/{of_coupons}", status=403, key="forbidden")
        api.fails(method, f"/v1/campaigns/None/{of_coupons}", status=404, key="not_found")


def test_adding_to_a_card_is_logged_for_its_holder(api: Any) -> None:
    make_cards(api)
    code = publish(api, "Cards")["voucher"]["code"]
    change(api, 250, code)
    change(api, -50, code)
    data = api.call("GET", "/v1/customers/ann/activity", params={"limit": "100"})["data"]
    added = [one for one in data if one["type"] == "customer.voucher.gift.balance_added"]
    assert len(added) == 1
    assert added[0]["data"]["data"]["balance"]["balance"] == 1250
    assert added[0]["data"]["data"]["voucher"]["gift"]["balance"] == 1250


def test_transactions_are_exported(api: Any) -> None:
    campaign = make_cards(api, vouchers_count=1)
    (code,) = codes_of(api, campaign["id"])
    make_card(api)
    change(api, 5, code, reason="=1+1")
    change(api, 6)
    fields = {"fields": ["type", "amount", "balance", "reason"], "order": "created_at"}
    for path, rows in (
        (f"/v1/vouchers/{code}", [["CREDITS_ADDITION", "5", "1005", "'=1+1"]]),
        ("/v1/vouchers/CARD", [["CREDITS_ADDITION", "6", "1006", ""]]),
        ("/v1/campaigns/Cards", [["CREDITS_ADDITION", "5", "1005", "'=1+1"]]),
    ):
        made = api.call("POST", f"{path}/transactions/export", {"parameters": fields})
        assert (made["exported_object"], made["status"]) == ("voucher_transactions", "SCHEDULED")
        done = exports_world.finished(api, made["id"])
        assert exports_world.table(exports_world.download(done["result"]["url"]))[1:] == rows
    made = api.call("POST", "/v1/vouchers/CARD/transactions/export")
    card = api.call("GET", "/v1/vouchers/CARD")["id"]
    kept = api.call("GET", f"/v1/exports/{made['id']}")["parameters"]["filters"]
    assert kept == {"voucher_id": {"conditions": {"$in": [card]}}}
    api.fails("POST", "/v1/vouchers/NONE/transactions/export", status=404, key="not_found")
    made = api.call("POST", "/v1/vouchers/CARD/transactions/export", {"order": "created_at"})
    assert api.call("GET", f"/v1/exports/{made['id']}")["parameters"]["order"] == "created_at"
    made = api.call(
        "POST", "/v1/vouchers/CARD/transactions/export", {"order": "x", "parameters": {"order": "-created_at"}}
    )
    assert api.call("GET", f"/v1/exports/{made['id']}")["parameters"]["order"] == "-created_at"
    body = {"parameters": {"filters": {"amount": {"conditions": {"$more_than": [1]}}}}}
    api.fails("POST", "/v1/vouchers/CARD/transactions/export", body, status=400, key="invalid_payload")
    body = {"parameters": {"filters": {"campaign_id": {"conditions": {"$is": ["camp_x"]}}}}}
    made = api.call("POST", "/v1/campaigns/Cards/transactions/export", body)
    kept = api.call("GET", f"/v1/exports/{made['id']}")["parameters"]
    assert kept["filters"]["campaign_id"] == {"conditions": {"$is": ["camp_x"]}}
    done = exports_world.finished(api, made["id"])
    assert len(exports_world.table(exports_world.download(done["result"]["url"]))) == 1


def test_what_a_redemption_takes_it_gives_back(api: Any) -> None:
    make_card(api)
    spent = redeem(api, ("voucher", "CARD", 700))["redemptions"][0]
    body = basket(("voucher", "CARD", 301))
    api.fails("POST", "/v1/redemptions", body, status=400, key="gift_amount_exceeded")
    rollback = api.call("POST", f"/v1/redemptions/{spent['id']}/rollback")
    assert gift_of(api)["balance"] == 1000
    refund, redeemed = transactions(api)["data"]
    assert (redeemed["type"], redeemed["details"]["redemption"]) == ("CREDITS_REDEMPTION", {"id": spent["id"]})
    assert redeemed["details"]["balance"]["operation_type"] == "AUTOMATIC"
    assert (refund["type"], refund["related_transaction_id"]) == ("CREDITS_REFUND", redeemed["id"])
    assert refund["details"]["rollback"] == {"id": rollback["id"]}
    assert gift_of(api) == {"amount": 1000, "subtracted_amount": 0, "balance": 1000, "effect": "APPLY_TO_ORDER"}


def lines(api: Any, code: str = "CARD") -> list[tuple[str, int, int, int]]:
    """Return the ledger of a card, oldest first: what happened, by how much, the balance and the total afterwards."""
    found = api.call("GET", f"/v1/vouchers/{code}/transactions", params={"limit": "100"})["data"]
    rows = [(one["type"], one["details"]["balance"]) for one in found[::-1]]
    return [(kind, one["amount"], one["balance"], one["total"]) for kind, one in rows]


def test_an_update_changes_the_amount_by_a_line_of_the_ledger(api: Any) -> None:
    make_card(api, amount=1000)
    api.call("POST", "/v1/vouchers/CARD/redemption", {"order": {"amount": 300}})
    api.call("POST", "/v1/vouchers/CARD/balance", {"amount": -100})
    updated = api.call("PUT", "/v1/vouchers/CARD", {"gift": {"amount": 1500}, "additional_info": "More"})
    assert updated["gift"] == {"amount": 1500, "subtracted_amount": 100, "balance": 1100, "effect": "APPLY_TO_ORDER"}
    lowered = api.call("PUT", "/v1/vouchers/CARD", {"gift": {"amount": 700, "effect": "APPLY_TO_ITEMS"}})
    assert lowered["gift"] == {"amount": 700, "subtracted_amount": 100, "balance": 300, "effect": "APPLY_TO_ITEMS"}
    api.call("PUT", "/v1/vouchers/CARD", {"gift": {"amount": 700, "balance": 5}})
    refused = {"gift": {"amount": 399}, "additional_info": "Less"}
    api.fails("PUT", "/v1/vouchers/CARD", refused, status=400, key="insufficient_card_balance")
    api.call("PUT", "/v1/vouchers/CARD", {"gift": {"amount": 400}})
    assert gift_of(api)["balance"] == 0
    assert api.call("GET", "/v1/vouchers/CARD")["additional_info"] == "More"
    assert lines(api) == [
        ("CREDITS_REDEMPTION", -300, 700, 1000),
        ("CREDITS_REMOVAL", -100, 600, 900),
        ("CREDITS_ADDITION", 500, 1100, 1400),
        ("CREDITS_REMOVAL", -800, 300, 600),
        ("CREDITS_REMOVAL", -300, 0, 300),
    ]


def test_an_update_of_a_card_of_a_campaign_makes_its_amount_its_own(api: Any) -> None:
    campaign = make_cards(api)
    code = codes_of(api, campaign["id"])[0]
    api.call("PUT", f"/v1/vouchers/{code}", {"gift": {"amount": 1000}})
    api.call("PUT", "/v1/campaigns/Cards", {"gift": {"amount": 2000}})
    assert gift_of(api, code)["balance"] == 2000
    api.call("PUT", f"/v1/vouchers/{code}", {"gift": {"amount": 2500}})
    api.call("PUT", "/v1/campaigns/Cards", {"gift": {"amount": 9000}})
    assert gift_of(api, code)["balance"] == 2500
    assert lines(api, code) == [("CREDITS_ADDITION", 500, 2500, 2500)]


def test_an_update_of_the_amount_is_told_to_the_holder(api: Any) -> None:
    make_card(api, amount=1000)
    api.call("POST", "/v1/publications", {"voucher": "CARD", "customer": {"source_id": "ann"}})
    for amount in (1500, 1200):
        api.call("PUT", "/v1/vouchers/CARD", {"gift": {"amount": amount}})
        found = api.call("GET", "/v1/customers/ann")["summary"]["redemptions"]["gift"]
        assert found == {"redeemed_amount": 0, "amount_to_go": amount}
    data = api.call("GET", "/v1/customers/ann/activity", params={"limit": "100"})["data"]
    (added,) = [one for one in data if one["type"] == "customer.voucher.gift.balance_added"]
    assert added["data"]["data"]["balance"]["amount"] == 500
