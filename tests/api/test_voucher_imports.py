from typing import Any

import pytest

import bulk_requests
from promotions import amount, codes_of, make_campaign, make_voucher, percent, publish, redeem
from shopping import ledger

OFF = {"type": "DISCOUNT_VOUCHER", "discount": amount(300)}
GIFTS = {"type": "GIFT_VOUCHER", "discount": None, "gift": {"amount": 1000}}


def shown(api: Any, code: str) -> Any:
    return api.call("GET", f"/v1/vouchers/{code}")


def upload(api: Any, path: str, text: str, *, status: int = 202, **options: str) -> Any:
    answer = api.post(path, files={"file": ("codes.csv", text.encode(), "text/csv")}, data=options)
    assert answer.status_code == status, answer.text
    return bulk_requests.finished(api, answer.json()["async_action_id"])


def test_vouchers_are_imported_each_by_itself(api: Any) -> None:
    make_voucher(api, "TAKEN")
    body = [
        {
            "code": "A",
            **OFF,
            "redemption": {"quantity": 2},
            "metadata": {"a": 1},
            "category": "new",
            "start_date": "2026-01-01T09",
        },
        {"code": "TAKEN", **OFF},
        {"code": "A", **OFF},
        {"code": "B", "type": "GIFT_VOUCHER", "gift": {"amount": 700}, "active": False},
        {"code": "C", "discount": percent(130)},
        {"code": "D E", **OFF},
        OFF,
        {"code": "E", "discount": {"type": "PERCENT", "percent_off": 30, "effect": "APPLY_TO_ITEMS"}},
    ]
    action = bulk_requests.run(api, "/v1/vouchers/import", body)
    assert (action["type"], action["status"]) == ("VOUCHERS.IMPORT", "DONE")
    assert (action["result"]["done_count"], action["result"]["failed_count"]) == (3, 5)
    errors = [(one["source_id"], one["key"]) for one in action["result"]["errors"]]
    assert errors == [
        ("TAKEN", "duplicate_found"), ("A", "duplicate_found"), ("C", "invalid_payload"), ("D E", "invalid_payload"),
        ("", "invalid_payload"),
    ]  # fmt: skip
    made = shown(api, "A")
    assert (made["redemption"]["quantity"], made["metadata"], made["category"]) == (2, {"a": 1}, "new")
    assert made["start_date"] == "2026-01-01T09:00:00.000Z"
    card = shown(api, "B")
    assert (card["gift"]["balance"], card["active"], card["campaign_id"]) == (700, False, None)
    assert shown(api, "TAKEN")["discount"]["amount_off"] == 300
    assert api.call("GET", "/v1/vouchers")["total"] == 4
    redeem(api, "A")


@pytest.mark.parametrize("body", [[], {}, [1] * 10_001])
def test_a_request_that_is_no_list_of_vouchers_is_refused(api: Any, body: Any) -> None:
    for path in ("/v1/vouchers/import", "/v1/vouchers/bulk/async"):
        api.fails("POST", path, body, status=400, key="invalid_payload")
    assert api.call("GET", "/v1/vouchers")["total"] == 0


def test_codes_are_imported_into_a_campaign(api: Any) -> None:
    campaign = make_campaign(api, vouchers_count=1, quantity=3)
    path = f"/v1/campaigns/{campaign['id']}/import"
    body = [{"code": "A"}, {"code": "B", "discount": percent(50), "redemption": {"quantity": 9}},
            {"code": "C", "type": "GIFT_VOUCHER", "gift": {"amount": 5}}]  # fmt: skip
    action = bulk_requests.run(api, path, body)
    assert (action["type"], action["result"]["done_count"]) == ("CAMPAIGN.VOUCHERS_IMPORT", 2)
    first, second = shown(api, "A"), shown(api, "B")
    assert (first["campaign"], first["discount"]["percent_off"], first["redemption"]["quantity"]) == ("Spring", 10, 3)
    assert (second["discount"]["percent_off"], second["redemption"]["quantity"]) == (50, 9)
    shown_now = api.call("GET", "/v1/campaigns/Spring")
    assert (shown_now["vouchers_count"], shown_now["creation_status"]) == (3, "DONE")
    api.fails("POST", "/v1/campaigns/none/import", body, status=404, key="not_found")


def test_metadata_of_many_vouchers_is_set(api: Any) -> None:
    for code in ("A", "B"):
        make_voucher(api, code, metadata={"keep": 1, "change": 1})
    body = [{"code": "A", "metadata": {"change": 2}}, {"code": "NONE", "metadata": {"x": 1}},
            {"code": "B", "metadata": {"keep": None}}]  # fmt: skip
    action = bulk_requests.run(api, "/v1/vouchers/bulk/async", body)
    assert (action["type"], action["result"]["done_count"]) == ("VOUCHERS.BULK_UPDATE", 2)
    assert [one["key"] for one in action["result"]["errors"]] == ["not_found"]
    assert shown(api, "A")["metadata"] == {"keep": 1, "change": 2}
    assert shown(api, "B")["metadata"] == {"change": 1}
    same = {"codes": ["A", "B", "NONE", "A"], "metadata": {"all": True}}
    action = bulk_requests.run(api, "/v1/vouchers/metadata/async", same)
    assert (action["type"], action["result"]["done_count"]) == ("VOUCHERS.METADATA_UPDATE", 2)
    assert {shown(api, code)["metadata"]["all"] for code in ("A", "B")} == {True}


def test_a_file_of_vouchers_is_imported(api: Any) -> None:
    make_voucher(api, "TAKEN")
    text = (
        "Code,Voucher Type,Value,Discount Type,Category,Start Date,Expiration Date,Redemption Limit,Redeemed Quantity,"
        "Redeemed Amount,Active,Additional Info,Shop\n"
        "A,DISCOUNT_VOUCHER,300,AMOUNT,new,2026-01-01T09,2099-01-01,5,2,,true,x,Oslo\n"
        "B,DISCOUNT_VOUCHER,12.5,PERCENT,,,,,,,false,,\n"
        "CARD,GIFT_VOUCHER,1000,,,,,,,250,,,\n"
        "TAKEN,DISCOUNT_VOUCHER,300,AMOUNT,,,,,,,,,\n"
        "A,DISCOUNT_VOUCHER,300,AMOUNT,,,,,,,,,\n"
        "X,DISCOUNT_VOUCHER,many,AMOUNT,,,,,,,,,\n"
        ",DISCOUNT_VOUCHER,1,AMOUNT,,,,,,,,,\n"
        "Y,LOYALTY,1,,,,,,,,,,\n"
        "Z,GIFT_VOUCHER,10,,,,,,,11,,,\n"
    )
    action = upload(api, "/v1/vouchers/importCSV", text, webhooks_enable="true")
    assert (action["type"], action["status"]) == ("VOUCHERS.IMPORT_CSV", "DONE")
    assert action["result"]["message"] == "9 rows: 3 created, 0 updated, 0 unchanged, 6 failed"
    assert [one["row"] for one in action["result"]["failed"]] == [4, 5, 6, 7, 8, 9]
    first = shown(api, "A")
    assert (first["discount"]["amount_off"], first["category"], first["metadata"]) == (300, "new", {"Shop": "Oslo"})
    assert (first["start_date"], first["expiration_date"]) == ("2026-01-01T09:00:00.000Z", "2099-01-01T00:00:00.000Z")
    assert first["redemption"]["quantity"] == 5
    assert first["redemption"]["redeemed_quantity"] == 2
    assert (shown(api, "B")["discount"]["percent_off"], shown(api, "B")["active"]) == (12.5, False)
    card = shown(api, "CARD")
    assert (card["gift"]["amount"], card["gift"]["balance"]) == (1000, 750)
    (spent,) = api.call("GET", "/v1/vouchers/CARD/transactions")["data"]
    assert (spent["type"], spent["details"]["balance"]["amount"], spent["source"]) == (
        "CREDITS_REDEMPTION", -250, "IMPORT",
    )  # fmt: skip


def test_a_file_is_imported_into_a_campaign_and_undone(api: Any) -> None:
    campaign_id = make_campaign(api, "Cards", campaign_type="GIFT_VOUCHERS", voucher=GIFTS, vouchers_count=0)["id"]
    text = "Code,Gift Amount,Redeemed Amount\nA,,100\nB,500,\nC,,\n"
    action = upload(api, "/v1/campaigns/Cards/importCSV", text, status=200)
    assert (action["type"], action["result"]["done_count"]) == ("CAMPAIGN.VOUCHERS_IMPORT_CSV", 3)
    assert [shown(api, code)["gift"]["balance"] for code in "ABC"] == [900, 500, 1000]
    assert api.call("GET", "/v1/campaigns/Cards")["vouchers_count"] == 3
    given = publish(api, "Cards")["voucher"]["code"]
    done = api.call("GET", "/v1/imports")["imports"][0]
    undone = bulk_requests.finished(
        api, api.call("POST", f"/v1/imports/{done['id']}/undo", status=202)["async_action_id"]
    )
    assert (undone["result"]["deleted"], undone["result"]["kept"]) == (2, 1)
    assert codes_of(api, campaign_id) == [given]
    answer = api.post("/v1/campaigns/none/importCSV", files={"file": ("a.csv", b"Code\nA\n", "text/csv")})
    assert answer.status_code == 404


def test_a_dry_run_brings_nothing(api: Any) -> None:
    action = upload(api, "/v1/vouchers/importCSV", "Code,Value,Discount Type\nA,1,AMOUNT\n", dry_run="true")
    assert action["result"]["message"] == "1 rows: 1 would be created, 0 would be updated, 0 unchanged, 0 failed"
    assert api.call("GET", "/v1/vouchers")["total"] == 0


def test_a_file_without_codes_is_refused(api: Any) -> None:
    action = upload(api, "/v1/vouchers/importCSV", "Value,Discount Type\n1,AMOUNT\n")
    assert action["status"] == "FAILED"
    assert "code" in action["result"]["message"]


def test_a_partly_spent_card_is_imported_and_what_would_be_lost_is_refused(api: Any) -> None:
    gift = {"type": "GIFT_VOUCHER", "gift": {"amount": 500}}
    vouchers = [
        {"code": "SPENT", "type": "GIFT_VOUCHER", "gift": {"amount": 500, "balance": 300}},
        {"code": "TAKEN", "type": "GIFT_VOUCHER", "gift": {"amount": 500, "subtracted_amount": 200}},
        {"code": "MORE", "type": "GIFT_VOUCHER", "gift": {"amount": 500, "balance": 501}},
        {"code": "RULED", **gift, "validation_rules": ["val_1"]},
        {"code": "DRAWN", **gift, "code_config": {"length": 5}},
    ]
    action = api.call("POST", "/v1/vouchers/import", vouchers, status=202)["async_action_id"]
    bulk_requests.finished(api, action)
    assert api.call("GET", "/v1/vouchers/SPENT")["gift"]["balance"] == 300
    assert ledger(api, "SPENT") == [("CREDITS_REDEMPTION", -200, 300)]
    for voucher in vouchers[1:]:
        api.call("GET", f"/v1/vouchers/{voucher['code']}", status=404)
