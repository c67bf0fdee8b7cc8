from typing import Any

import pytest

import facts
import promotions
from promotions import amount, make_campaign, make_rule, make_voucher, one_rule, percent, publish, redeem
from rapport.core.db import Database


def test_a_voucher_is_created_with_a_code_of_the_shops_choice(api: Any) -> None:
    rule = make_rule(api, one_rule("redemption.count.per_customer", "$less_than", 9))
    made = make_voucher(
        api, "BLCKFRDY", percent(20), redemption={"quantity": 10}, start_date="2026-01-01", additional_info="x",
        metadata={"a": 1}, validation_rules=[rule],
    )  # fmt: skip
    assert made.pop("id").startswith("v_")
    created_at = made.pop("created_at")
    assets = made.pop("assets")
    assert assets["qr"]["url"].endswith(f"/v1/assets/qr/{assets['qr']['id']}")
    assert assets["barcode"]["url"].endswith(f"/v1/assets/barcode/{assets['barcode']['id']}")
    assert made.pop("validation_rules_assignments")["data"][0]["rule_id"] == rule
    assert made == {
        "code": "BLCKFRDY",
        "campaign": None,
        "campaign_id": None,
        "category": None,
        "category_id": None,
        "categories": [],
        "type": "DISCOUNT_VOUCHER",
        "discount": {"type": "PERCENT", "percent_off": 20, "effect": "APPLY_TO_ORDER"},
        "gift": None,
        "loyalty_card": None,
        "start_date": "2026-01-01T00:00:00.000Z",
        "expiration_date": None,
        "validity_timeframe": None,
        "validity_day_of_week": None,
        "validity_hours": None,
        "active": True,
        "additional_info": "x",
        "metadata": {"a": 1},
        "is_referral_code": False,
        "updated_at": None,
        "redemption": {
            "quantity": 10,
            "redeemed_quantity": 0,
            "object": "list",
            "url": "/v1/vouchers/BLCKFRDY/redemptions?page=1&limit=10",
        },
        "publish": {"object": "list", "count": 0, "url": "/v1/vouchers/BLCKFRDY/publications?page=1&limit=10"},
        "object": "voucher",
    }
    found = api.call("GET", "/v1/vouchers/BLCKFRDY")
    assert found["created_at"] == created_at
    assert api.call("GET", f"/v1/vouchers/{found['id']}") == found


def test_a_voucher_without_a_code_gets_one(api: Any) -> None:
    body = {"type": "DISCOUNT_VOUCHER", "discount": amount(5), "code_config": {"prefix": "A-", "length": 5}}
    made = api.call("POST", "/v1/vouchers", body)
    assert made["code"].startswith("A-")
    assert len(made["code"]) == 7
    assert made["redemption"]["quantity"] is None
    assert api.call("POST", "/v1/vouchers", body | {"code": "MINE"})["code"] == "MINE"


def test_a_code_that_is_taken_is_a_duplicate(api: Any) -> None:
    make_voucher(api, "CODE")
    error = api.fails("POST", "/v1/vouchers/CODE", {"discount": amount(1)}, status=409, key="duplicate_found")
    assert error["details"] == "Duplicated voucher exists with id CODE"
    assert (error["resource_id"], error["resource_type"]) == ("CODE", "voucher")
    make_voucher(api, "code")


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({"type": "GIFT_VOUCHER"}, ".discount"),
        ({"type": "GIFT_VOUCHER", "discount": None}, ".gift"),
        ({"type": "GIFT_VOUCHER", "discount": None, "gift": {"amount": -1}}, ".gift.amount"),
        ({"type": "GIFT_VOUCHER", "discount": None, "gift": {"amount": 5, "balance": 4}}, ".gift.balance"),
        ({"type": "LOYALTY_CARD"}, ".type"),
        ({"discount": None}, ".discount"),
        ({"discount": percent(100.5)}, ".discount.percent_off"),
        ({"discount": amount(-1)}, ".discount.amount_off"),
        ({"redemption": {"quantity": -1}}, ".redemption.quantity"),
        ({"gift": {"amount": 1}}, ".gift"),
        ({"validity_hours": {"daily": [1]}}, ".validity_hours"),
        ({"expiration_date": "never"}, ".expiration_date"),
        ({"active": 1}, ".active"),
        ({"metadata": {"a": "\x00"}}, ".metadata"),
    ],
)
def test_a_voucher_that_cannot_be_is_refused(api: Any, more: dict[str, Any], named: str) -> None:
    body = {"type": "DISCOUNT_VOUCHER", "discount": amount(5), **more}
    error = api.fails("POST", "/v1/vouchers/CODE", body, status=400, key="invalid_payload")
    assert named in error["details"]
    api.fails("GET", "/v1/vouchers/CODE", status=404, key="not_found")


def test_codes_are_told_apart_letter_by_letter_and_may_hold_any_of_them(api: Any) -> None:
    for code in ("é🎉", "a?b", "50%", "a#b"):
        body = {"type": "DISCOUNT_VOUCHER", "discount": amount(5), "code": code}
        assert api.call("POST", "/v1/vouchers", body)["code"] == code
        redeem(api, code)
    for code in ("a b", "a/b", "\n", "x" * 256, ""):
        body = {"type": "DISCOUNT_VOUCHER", "discount": amount(5), "code": code}
        api.fails("POST", "/v1/vouchers", body, status=400, key="invalid_payload")


def test_a_voucher_is_changed(api: Any) -> None:
    make_voucher(api, metadata={"a": 1, "b": 2}, expiration_date="2099-01-01")
    change = {"expiration_date": "", "start_date": "2026-01-01", "metadata": {"a": None, "c": 3}, "active": False,
              "additional_info": "x", "discount": amount(7), "redemption": {"quantity": 5}}  # fmt: skip
    changed = api.call("PUT", "/v1/vouchers/CODE", change)
    assert changed["expiration_date"] is None
    assert changed["start_date"] == "2026-01-01T00:00:00.000Z"
    assert changed["metadata"] == {"b": 2, "c": 3}
    assert (changed["active"], changed["additional_info"]) == (False, "x")
    assert changed["discount"]["amount_off"] == 7
    assert changed["redemption"]["quantity"] == 5
    assert changed["updated_at"] is not None
    assert api.call("POST", "/v1/vouchers/CODE/enable")["active"] is True
    assert api.call("POST", "/v1/vouchers/CODE/disable")["active"] is False
    api.fails("PUT", "/v1/vouchers/CODE", {"discount": percent(7)}, status=400, key="invalid_voucher")


def test_null_in_an_update_of_a_voucher_lifts_no_limit(api: Any) -> None:
    before = make_voucher(
        api, discount=percent(10, amount_limit=50), redemption={"quantity": 2}, start_date="2026-01-01",
        expiration_date="2099-01-01", additional_info="x", metadata={"a": 1},
    )  # fmt: skip
    names = ("start_date", "expiration_date", "active", "additional_info", "metadata", "discount", "redemption")
    assert api.call("PUT", "/v1/vouchers/CODE", dict.fromkeys(names)) == before
    change = {"redemption": {"quantity": None}, "discount": percent(20, amount_limit=None)}
    changed = api.call("PUT", "/v1/vouchers/CODE", change)
    assert (changed["redemption"]["quantity"], changed["discount"]["amount_limit"]) == (2, 50)
    changed = api.call("PUT", "/v1/vouchers/CODE", {"start_date": "", "expiration_date": "", "additional_info": ""})
    assert [changed[name] for name in ("start_date", "expiration_date", "additional_info")] == [None] * 3


@pytest.mark.parametrize("word", ["bulk", "metadata"])
def test_the_words_of_other_operations_are_no_codes(api: Any, word: str) -> None:
    for body in ({"type": "DISCOUNT_VOUCHER", "discount": amount(5)}, [{"code": "A"}], {}):
        error = api.fails("POST", f"/v1/vouchers/{word}", body, status=404, key="not_found")
        assert error["details"].startswith("Cannot find ")
    assert listed(api) == []


def test_a_quantity_below_what_is_redeemed_is_refused(api: Any) -> None:
    make_voucher(api, redemption={"quantity": 5})
    redeem(api, "CODE")
    redeem(api, "CODE")
    api.fails("PUT", "/v1/vouchers/CODE", {"redemption": {"quantity": 1}}, status=400, key="invalid_payload")
    api.call("PUT", "/v1/vouchers/CODE", {"redemption": {"quantity": 2}})
    promotions.refused(api, "CODE", key="quantity_exceeded")


async def test_a_deleted_voucher_leaves_the_ledger(api: Any, db: Database, project_id: int) -> None:
    make_campaign(api)
    published = publish(api)
    code = published["voucher"]["code"]
    redemption = redeem(api, code)["redemptions"][0]
    api.call("DELETE", f"/v1/vouchers/{code}", status=204)
    api.fails("GET", f"/v1/vouchers/{code}", status=404, key="not_found")
    api.fails("DELETE", f"/v1/vouchers/{code}", status=404, key="not_found")
    assert api.call("GET", f"/v1/redemptions/{redemption['id']}")["voucher"]["code"] == code
    assert (await facts.log_types(db, project_id, published["customer_id"]))[-1] == "customer.voucher.deleted"
    api.call("POST", f"/v1/redemptions/{redemption['id']}/rollback")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [("GET", "", None), ("PUT", "", {}), ("DELETE", "", None), ("POST", "/enable", None), ("POST", "/disable", None),
     ("POST", "/redemption", {}), ("GET", "/redemption", None)],
)  # fmt: skip
def test_an_unknown_voucher_is_not_found(api: Any, method: str, path: str, body: Any) -> None:
    error = api.fails(method, f"/v1/vouchers/NONE{path}", body, status=404, key="not_found")
    assert error["details"] == "Cannot find voucher with id NONE"
    assert (error["resource_id"], error["resource_type"]) == ("NONE", "voucher")


def listed(api: Any, **params: str) -> list[str]:
    found = api.call("GET", "/v1/vouchers", params=params)
    assert (found["object"], found["data_ref"]) == ("list", "vouchers")
    return [voucher["code"] for voucher in found["vouchers"]]


def test_vouchers_are_listed_and_filtered(api: Any) -> None:
    make_voucher(api, "A")
    make_voucher(api, "B")
    campaign = make_campaign(api, vouchers_count=1)
    mine = publish(api)["voucher"]["code"]
    assert listed(api) == [mine, "B", "A"]
    assert listed(api, order="code") == ["A", "B", mine]
    assert listed(api, campaign="Spring") == listed(api, campaign_id=campaign["id"]) == [mine]
    assert listed(api, customer="ann") == [mine]
    assert listed(api, customer="bob") == []
    assert listed(api, code="B") == ["B"]
    first = api.call("GET", "/v1/vouchers/A")["created_at"]
    assert listed(api, **{"created_at[before]": first}) == []
    assert listed(api, **{"created_at[after]": first}) == [mine, "B"]
    assert listed(api, limit="1", page="2") == ["B"]
    api.fails("GET", "/v1/vouchers", params={"order": "color"}, status=400, key="invalid_query_params")
    api.fails("GET", "/v1/vouchers", params={"limit": "101"}, status=400, key="invalid_query_params")


def test_a_voucher_is_made_in_the_campaign_that_it_names(api: Any) -> None:
    campaign = make_campaign(api, vouchers_count=1)
    own = make_voucher(api, "OWN", percent(50), campaign_id=campaign["id"], campaign="Spring")
    assert (own["campaign_id"], own["discount"]["percent_off"]) == (campaign["id"], 50)
    body = {"type": "DISCOUNT_VOUCHER", "campaign": "Spring"}
    drawn = api.call("POST", "/v1/vouchers", body)
    assert drawn["discount"] == campaign["voucher"]["discount"]
    assert api.call("GET", "/v1/campaigns/Spring")["vouchers_count"] == 3
    for wrong, status, key in (
        ({"campaign": "none"}, 404, "not_found"),
        ({"campaign": "other", "campaign_id": campaign["id"]}, 400, "invalid_payload"),
        ({"campaign": "Spring", "type": "GIFT_VOUCHER"}, 400, "invalid_payload"),
        ({"campaign": "Spring", "gift": {"amount": 1}}, 400, "invalid_payload"),
    ):
        api.fails("POST", "/v1/vouchers/WRONG", wrong, status=status, key=key)
    api.call("GET", "/v1/vouchers/WRONG", status=404)
    assert api.call("GET", "/v1/campaigns/Spring")["vouchers_count"] == 3


def test_vouchers_that_are_added_may_differ_from_their_campaign(api: Any) -> None:
    campaign = make_campaign(api, vouchers_count=1)
    path = f"/v1/campaigns/{campaign['id']}/vouchers"
    differing = {"category": "x", "metadata": {"a": 1}, "redemption": {"quantity": 7}, "additional_info": "gift"}
    added = api.call("POST", path, differing, params={"vouchers_count": "2"}, status=202)
    assert added["async_action_id"].startswith("aa_")
    found = api.call("GET", "/v1/vouchers", params={"campaign_id": campaign["id"]})["vouchers"]
    shown = [(one["metadata"], one["category"], one["redemption"]["quantity"]) for one in found]
    assert shown == [({"a": 1}, "x", 7), ({"a": 1}, "x", 7), ({}, None, 1)]
    assert all(one["code"].startswith("SPR-") for one in found)
    assert api.call("GET", "/v1/campaigns/Spring")["vouchers_count"] == 3
    few = {"code_config": {"pattern": "FEW-#", "charset": "abcde"}, "metadata": {"a": 2}}
    for count, status in (("3", 202), ("2", 202)):
        api.call("POST", path, few, params={"vouchers_count": count}, status=status)
    codes = [one["code"] for one in api.call("GET", "/v1/vouchers", params={"limit": "100"})["vouchers"]]
    assert sorted(code for code in codes if code.startswith("FEW")) == [f"FEW-{letter}" for letter in "abcde"]
    api.fails("POST", path, few, params={"vouchers_count": "2"}, status=400, key="code_generation_failed")
    for count, body in (("1001", {"metadata": {"a": 1}}), ("2", {"code": "OWN"}), ("2", {"gift": {"amount": 1}})):
        api.fails("POST", path, body, params={"vouchers_count": count}, status=400, key="invalid_payload")
    assert api.call("GET", "/v1/campaigns/Spring")["vouchers_count"] == 8
