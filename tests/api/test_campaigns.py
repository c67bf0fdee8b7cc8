import asyncio
import time
from typing import Any

import pytest

import promotions
from harness import wait_for
from promotions import amount, codes_of, make_campaign, make_rule, make_voucher, one_rule, percent, publish, redeem
from rapport.core.db import Database


def test_a_campaign_is_created_with_its_codes(api: Any) -> None:
    made = make_campaign(
        api,
        discount=percent(12.5, amount_limit=4000),
        quantity=2,
        type="AUTO_UPDATE",
        vouchers_count=5,
        join_once=True,
        description="For spring",
        start_date="2026-01-01T00:00:00Z",
        expiration_date="2026-06-01T00:00:00+02:00",
        activity_duration_after_publishing="P24D",
        metadata={"region": "AMER"},
    )
    campaign_id, created_at = made.pop("id"), made.pop("created_at")
    assert campaign_id.startswith("camp_")
    assert made.pop("validation_rules_assignments")["total"] == 0
    assert made == {
        "name": "Spring",
        "description": "For spring",
        "campaign_type": "DISCOUNT_COUPONS",
        "type": "AUTO_UPDATE",
        "voucher": {
            "type": "DISCOUNT_VOUCHER",
            "discount": made["voucher"]["discount"],
            "redemption": {"quantity": 2},
            "code_config": made["voucher"]["code_config"],
            "is_referral_code": False,
            "start_date": "2026-01-01T00:00:00.000Z",
            "expiration_date": "2026-05-31T22:00:00.000Z",
        },
        "auto_join": False,
        "join_once": True,
        "use_voucher_metadata_schema": False,
        "vouchers_count": 5,
        "start_date": "2026-01-01T00:00:00.000Z",
        "expiration_date": "2026-05-31T22:00:00.000Z",
        "activity_duration_after_publishing": "P24D",
        "active": True,
        "metadata": {"region": "AMER"},
        "updated_at": None,
        "creation_status": "DONE",
        "vouchers_generation_status": "DONE",
        "protected": False,
        "category_id": None,
        "categories": [],
        "object": "campaign",
    }
    discount = made["voucher"]["discount"]
    assert {name: str(value) for name, value in discount.items()} == {
        "type": "PERCENT", "percent_off": "12.5", "amount_limit": "4000", "effect": "APPLY_TO_ORDER",
    }  # fmt: skip
    codes = codes_of(api, campaign_id)
    assert len(codes) == 5
    assert all(code.startswith("SPR-") and len(code) == 10 for code in codes)
    for reference in (campaign_id, "Spring"):
        found = api.call("GET", f"/v1/campaigns/{reference}")
        assert (found["id"], found["created_at"], found["vouchers_count"]) == (campaign_id, created_at, 5)


def test_a_code_of_a_campaign_shows_what_it_has_from_it(api: Any) -> None:
    campaign = make_campaign(api, discount=amount(500), quantity=3, expiration_date="2099-01-01", vouchers_count=1)
    code = codes_of(api, campaign["id"])[0]
    voucher = api.call("GET", f"/v1/vouchers/{code}")
    assert voucher["campaign"] == "Spring"
    assert voucher["campaign_id"] == campaign["id"]
    assert voucher["discount"] == {"type": "AMOUNT", "amount_off": 500, "effect": "APPLY_TO_ORDER"}
    assert voucher["expiration_date"] == "2099-01-01T00:00:00.000Z"
    assert voucher["redemption"] == {
        "quantity": 3,
        "redeemed_quantity": 0,
        "object": "list",
        "url": f"/v1/vouchers/{code}/redemptions?page=1&limit=10",
    }


async def test_many_codes_are_made_by_the_worker_with_visible_progress(api: Any, db: Database, project_id: int) -> None:
    campaign = make_campaign(api, vouchers_count=5_000, pattern="MANY-########")
    assert campaign["creation_status"] == "IN_PROGRESS"
    assert campaign["vouchers_count"] == 0

    def done() -> bool:
        found = api.call("GET", "/v1/campaigns/Spring")
        assert found["vouchers_count"] <= 5_000
        return bool(found["creation_status"] == "DONE")

    wait_for(done)
    assert await promotions.rows(db, project_id, "vouchers") == 5_000


def test_every_code_of_a_small_space_is_found(api: Any) -> None:
    campaign = make_campaign(api, pattern="P-##", voucher={"code_config": {"pattern": "P-##", "charset": "01234"}},
                             vouchers_count=25)  # fmt: skip
    assert len(set(codes_of(api, campaign["id"]))) == 25


def test_codes_that_others_have_are_drawn_anew(api: Any) -> None:
    small = {"code_config": {"pattern": "#", "charset": "0123456789"}}
    for digit in "02468":
        make_voucher(api, digit)
    campaign = make_campaign(api, voucher=small, vouchers_count=5)
    assert codes_of(api, campaign["id"]) == ["1", "3", "5", "7", "9"]
    api.fails("POST", "/v1/campaigns", body(name="Full", voucher=coupon(**small), vouchers_count=1),
              status=400, key="code_generation_failed")  # fmt: skip
    api.fails("GET", "/v1/campaigns/Full", status=404, key="not_found")


def coupon(**more: Any) -> dict[str, Any]:
    return {"type": "DISCOUNT_VOUCHER", "discount": percent(10), **more}


def body(**more: Any) -> dict[str, Any]:
    return {"name": "C", "campaign_type": "DISCOUNT_COUPONS", "type": "STATIC", "voucher": coupon(), **more}


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({"name": 1}, ".name"),
        ({"name": ""}, ".name"),
        ({"name": None}, ".name"),
        ({"campaign_type": "GIFT_VOUCHERS"}, ".voucher.type"),
        ({"campaign_type": "PROMOTION"}, ".voucher"),
        ({"campaign_type": "PROMOTION", "voucher": None, "vouchers_count": 2}, ".vouchers_count"),
        ({"campaign_type": "PROMOTION", "voucher": None, "promotion": {"tiers": [{}]}}, ".promotion"),
        ({"promotion": {"tiers": [{}]}}, ".promotion"),
        ({"campaign_type": "LOYALTY_PROGRAM"}, ".campaign_type"),
        ({"type": "STANDALONE"}, ".type"),
        ({"vouchers_count": -1}, ".vouchers_count"),
        ({"vouchers_count": "3"}, ".vouchers_count"),
        ({"start_date": "tomorrow"}, ".start_date"),
        ({"expiration_date": "2026-02-30"}, ".expiration_date"),
        ({"start_date": "2026-02-01", "expiration_date": "2026-01-01"}, ".expiration_date"),
        ({"activity_duration_after_publishing": "24 days"}, ".activity_duration_after_publishing"),
        ({"validity_timeframe": {"interval": "P2D", "duration": "P1D"}}, ".start_date"),
        ({"validity_timeframe": {"interval": "P2D"}, "start_date": "2026-01-01"}, ".validity_timeframe.duration"),
        ({"validity_timeframe": {"interval": "PT0S", "duration": "P1D"}}, ".validity_timeframe.interval"),
        ({"validity_timeframe": {"interval": "2D", "duration": "P1D"}}, ".validity_timeframe.interval"),
        ({"validity_day_of_week": [7]}, ".validity_day_of_week"),
        ({"validity_day_of_week": [1] * 8}, ".validity_day_of_week"),
        ({"validity_hours": {"daily": [{"start_time": "10:00"}]}}, ".validity_hours.daily[0]"),
        ({"validity_hours": {"daily": [{"start_time": "10", "expiration_time": "9 pm"}]}}, ".expiration_time"),
        ({"validity_hours": {"daily": [{"start_time": "10:00Z", "expiration_time": "11:00"}]}}, ".start_time"),
        ({"access_settings": {"assign": {"areas_ids": ["a"]}}}, ".access_settings"),
        ({"use_voucher_metadata_schema": 1}, ".use_voucher_metadata_schema"),
        ({"metadata": []}, ".metadata"),
        ({"voucher": None}, ".voucher"),
        ({"voucher": {"type": "GIFT_VOUCHER", "gift": {"amount": 1}}}, ".voucher"),
        ({"voucher": {"type": "DISCOUNT_VOUCHER"}}, ".voucher.discount"),
        ({"voucher": coupon(discount={"type": "UNIT", "unit_off": 1})}, ".voucher.discount.unit_type"),
        ({"voucher": coupon(discount={"type": "FIXED", "fixed_amount": 1.5})}, ".voucher.discount.fixed_amount"),
        ({"voucher": coupon(discount={"type": "HALF"})}, ".voucher.discount.type"),
        ({"voucher": coupon(gift={"amount": 1})}, ".voucher.gift"),
        ({"voucher": coupon(loyalty_card={"points": 1})}, ".voucher.loyalty_card"),
        ({"voucher": coupon(discount=percent(101))}, ".voucher.discount.percent_off"),
        ({"voucher": coupon(discount=percent(-1))}, ".voucher.discount.percent_off"),
        ({"voucher": coupon(discount={"type": "PERCENT"})}, ".voucher.discount.percent_off"),
        ({"voucher": coupon(discount={"type": "PERCENT", "percent_off": "10"})}, ".voucher.discount.percent_off"),
        ({"voucher": coupon(discount=percent(10, effect="ADD_NEW_ITEMS"))}, ".voucher.discount.effect"),
        ({"voucher": coupon(discount=percent(10, percent_off_formula="1 +"))}, ".voucher.discount.percent_off_formula"),
        ({"voucher": coupon(discount={"type": "AMOUNT"})}, ".voucher.discount.amount_off"),
        ({"voucher": coupon(discount=amount(-5))}, ".voucher.discount.amount_off"),
        ({"voucher": coupon(discount={"type": "AMOUNT", "amount_off": 2**60})}, ".voucher.discount.amount_off"),
        ({"voucher": coupon(redemption={"quantity": -1})}, ".voucher.redemption.quantity"),
        ({"voucher": coupon(redemption={"quantity": 1.5})}, ".voucher.redemption.quantity"),
        ({"voucher": coupon(is_referral_code=1)}, ".voucher.is_referral_code"),
        ({"voucher": coupon(code_config={"pattern": "FIXED"})}, ".voucher.code_config.pattern"),
        ({"voucher": coupon(code_config={"length": 0})}, ".voucher.code_config.length"),
        ({"voucher": coupon(code_config={"charset": "a/b"})}, ".voucher.code_config.charset"),
        (
            {"voucher": coupon(code_config={"pattern": "#", "charset": "01"}), "vouchers_count": 3},
            ".voucher.code_config",
        ),
        ({"voucher": coupon(code_config={"length": 3}), "vouchers_count": 10_000_000}, ".voucher.code_config"),
    ],
)
def test_a_campaign_that_cannot_be_is_refused(api: Any, more: dict[str, Any], named: str) -> None:
    error = api.fails("POST", "/v1/campaigns", body(**more), status=400, key="invalid_payload")
    assert named in error["details"]
    assert api.call("GET", "/v1/campaigns")["total"] == 0


def test_the_parts_of_the_reference_that_change_nothing_are_taken(api: Any) -> None:
    made = make_campaign(
        api, validity_timeframe=None, validity_day_of_week=[], use_voucher_metadata_schema=False,
        unknown={"a": 1},
    )  # fmt: skip
    assert made["categories"] == []


def test_a_name_that_is_taken_is_a_duplicate(api: Any) -> None:
    make_campaign(api)
    error = api.fails("POST", "/v1/campaigns", body(name="Spring"), status=409, key="duplicate_found")
    assert (error["resource_id"], error["resource_type"]) == ("Spring", "campaign")
    assert api.call("GET", "/v1/vouchers")["total"] == 3


def test_a_campaign_with_an_unknown_rule_is_not_made(api: Any) -> None:
    api.fails("POST", "/v1/campaigns", body(validation_rules=["val_x"]), status=404, key="not_found")
    assert api.call("GET", "/v1/campaigns")["total"] == 0


def test_an_unknown_campaign_is_not_found(api: Any) -> None:
    error = api.fails("GET", "/v1/campaigns/camp_x", status=404, key="not_found")
    assert (error["resource_id"], error["resource_type"]) == ("camp_x", "campaign")
    api.fails("PUT", "/v1/campaigns/camp_x", {}, status=404, key="not_found")
    api.fails("DELETE", "/v1/campaigns/camp_x", status=404, key="not_found")
    api.fails("POST", "/v1/campaigns/camp_x/enable", status=404, key="not_found")
    api.fails("POST", "/v1/campaigns/camp_x/vouchers", status=404, key="not_found")


def test_campaigns_are_listed_newest_first(api: Any) -> None:
    ids = [make_campaign(api, name)["id"] for name in ("A", "B", "C")]
    found = api.call("GET", "/v1/campaigns", params={"limit": "2"})
    assert [campaign["id"] for campaign in found["campaigns"]] == [ids[2], ids[1]]
    assert (found["total"], found["object"], found["data_ref"]) == (3, "list", "campaigns")
    assert [campaign["vouchers_count"] for campaign in found["campaigns"]] == [3, 3]


def test_what_an_update_leaves_out_stays(api: Any) -> None:
    make_campaign(
        api, description="Old", metadata={"a": 1, "b": 2}, expiration_date="2099-01-01", start_date="2026-01-01"
    )
    changed = api.call(
        "PUT",
        "/v1/campaigns/Spring",
        {"description": "New", "metadata": {"b": 3, "c": 4}, "unset_metadata_fields": ["a"], "expiration_date": "",
         "discount": percent(20), "name": "Ignored"},
    )  # fmt: skip
    assert changed["name"] == "Spring"
    assert changed["description"] == "New"
    assert changed["metadata"] == {"b": 3, "c": 4}
    assert changed["start_date"] == "2026-01-01T00:00:00.000Z"
    assert "expiration_date" not in changed
    assert changed["voucher"]["discount"]["percent_off"] == 20
    assert changed["updated_at"] is not None
    assert changed == api.call("GET", "/v1/campaigns/Spring")


def test_null_in_an_update_of_a_campaign_changes_nothing(api: Any) -> None:
    before = make_campaign(
        api, description="Old", metadata={"a": 1}, expiration_date="2099-01-01", start_date="2026-01-01",
        activity_duration_after_publishing="P1D", join_once=True, discount=percent(20, amount_limit=100),
    )  # fmt: skip
    names = ("description", "expiration_date", "start_date", "activity_duration_after_publishing", "join_once",
             "auto_join", "active", "type", "discount", "metadata", "unset_metadata_fields")  # fmt: skip
    assert api.call("PUT", "/v1/campaigns/Spring", dict.fromkeys(names)) == before
    discount = {"discount": percent(30, amount_limit=None)}
    assert api.call("PUT", "/v1/campaigns/Spring", discount)["voucher"]["discount"]["amount_limit"] == 100
    empty = dict.fromkeys(("description", "expiration_date", "start_date", "activity_duration_after_publishing"), "")
    changed = api.call("PUT", "/v1/campaigns/Spring", empty)
    assert not set(empty) & set(changed)


def test_the_number_of_vouchers_stays_right(api: Any) -> None:
    campaign = make_campaign(api, type="AUTO_UPDATE", vouchers_count=1, discount=amount(5))

    def count() -> int:
        shown = api.call("GET", "/v1/campaigns/Spring")
        assert shown["creation_status"] == "DONE"
        assert api.call("GET", "/v1/campaigns")["campaigns"][0]["vouchers_count"] == shown["vouchers_count"]
        return int(shown["vouchers_count"])

    for customer in ("ann", "bob", "cid"):
        publish(api, customer=customer)
    assert count() == 3
    api.call("PUT", "/v1/campaigns/Spring", {"type": "STATIC"})
    assert count() == 3
    api.call("POST", "/v1/campaigns/Spring/vouchers/MINE", {})
    assert count() == 4
    api.fails("POST", "/v1/campaigns/Spring/vouchers/MINE", {}, status=409, key="duplicate_found")
    api.call("POST", "/v1/campaigns/Spring/vouchers", {})
    assert count() == 5
    for code in ("MINE", codes_of(api, campaign["id"])[-1]):
        api.call("DELETE", f"/v1/vouchers/{code}", status=204)
        api.fails("DELETE", f"/v1/vouchers/{code}", status=404, key="not_found")
    assert count() == len(codes_of(api, campaign["id"])) == 3
    api.call("PUT", "/v1/campaigns/Spring", {"type": "AUTO_UPDATE"})
    assert count() == 3


def test_a_change_reaches_the_codes_that_nobody_has_and_no_others(api: Any) -> None:
    make_campaign(api, vouchers_count=2, expiration_date="2098-01-01")
    mine = publish(api)["voucher"]["code"]
    other = next(code for code in codes_of(api, api.call("GET", "/v1/campaigns/Spring")["id"]) if code != mine)
    api.call("PUT", "/v1/campaigns/Spring", {"discount": percent(50), "expiration_date": "2099-01-01"})
    assert api.call("GET", f"/v1/vouchers/{mine}")["discount"]["percent_off"] == 10
    assert api.call("GET", f"/v1/vouchers/{mine}")["expiration_date"] == "2098-01-01T00:00:00.000Z"
    assert api.call("GET", f"/v1/vouchers/{other}")["discount"]["percent_off"] == 50
    assert api.call("GET", f"/v1/vouchers/{other}")["expiration_date"] == "2099-01-01T00:00:00.000Z"


@pytest.mark.parametrize(
    ("change", "named"),
    [({"discount": amount(5)}, ".discount.type"), ({"validity_hours": {"daily": [1]}}, ".validity_hours"),
     ({"expiration_date": "2020-01-01"}, ".expiration_date"), ({"active": "no"}, ".active")],
)  # fmt: skip
def test_a_change_that_cannot_be_is_refused(api: Any, change: dict[str, Any], named: str) -> None:
    before = make_campaign(api, start_date="2026-01-01")
    error = api.fails("PUT", "/v1/campaigns/Spring", change, status=400, key="invalid_payload")
    assert named in error["details"]
    assert api.call("GET", "/v1/campaigns/Spring") == before


def test_a_disabled_campaign_stops_its_codes_until_it_is_enabled(api: Any) -> None:
    campaign = make_campaign(api)
    code = codes_of(api, campaign["id"])[0]
    assert api.call("POST", "/v1/campaigns/Spring/disable") == {}
    assert api.call("GET", "/v1/campaigns/Spring")["active"] is False
    promotions.refused(api, code, key="campaign_not_active")
    api.fails("POST", "/v1/publications", {"campaign": {"name": "Spring"}, "customer": {"source_id": "ann"}},
              status=400, key="voucher_cannot_be_published")  # fmt: skip
    api.call("POST", "/v1/campaigns/Spring/enable")
    redeem(api, code)


async def test_a_deleted_campaign_takes_its_codes_along_but_not_the_ledger(
    api: Any, db: Database, project_id: int
) -> None:
    rule = make_rule(api, one_rule("redemption.count.per_customer", "$less_than", 9))
    campaign = make_campaign(api, validation_rules=[rule])
    code = publish(api)["voucher"]["code"]
    redemption = redeem(api, code)["redemptions"][0]["id"]
    force = {"force": "true"}
    assert api.call("DELETE", "/v1/campaigns/Spring", status=202, params=force)["async_action_id"].startswith("aa_")
    api.fails("GET", f"/v1/campaigns/{campaign['id']}", status=404, key="not_found")
    api.fails("GET", f"/v1/vouchers/{code}", status=404, key="not_found")
    api.fails("POST", "/v1/redemptions", promotions.stack(code), status=404, key="not_found")
    for table in ("campaigns", "vouchers", "validation_rule_assignments"):
        assert await promotions.rows(db, project_id, table) == 0, table
    kept = api.call("GET", f"/v1/redemptions/{redemption}")
    assert kept["voucher"] == {
        "id": kept["related_object_id"], "code": code, "campaign": "Spring", "campaign_id": campaign["id"],
        "object": "voucher",
    }  # fmt: skip
    assert api.call("GET", "/v1/publications")["total"] == 1
    make_campaign(api)


async def test_a_large_campaign_is_gone_at_once_and_removed_by_the_worker(
    api: Any, db: Database, project_id: int
) -> None:
    campaign = make_campaign(api, vouchers_count=1_000, pattern="L-########")
    api.call("POST", f"/v1/campaigns/{campaign['id']}/vouchers", params={"vouchers_count": "1000"}, status=202)
    code = codes_of(api, campaign["id"])[0]
    api.call("DELETE", "/v1/campaigns/Spring", status=202, params={"force": "true"})
    api.fails("GET", "/v1/campaigns/Spring", status=404, key="not_found")
    api.fails("GET", f"/v1/vouchers/{code}", status=404, key="not_found")
    assert api.call("GET", "/v1/vouchers")["total"] == 0
    make_campaign(api, vouchers_count=0)
    deadline = time.monotonic() + 20
    while await promotions.rows(db, project_id, "vouchers"):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
    assert [campaign["name"] for campaign in api.call("GET", "/v1/campaigns")["campaigns"]] == ["Spring"]


def test_vouchers_are_added_to_a_campaign(api: Any) -> None:
    campaign = make_campaign(api, vouchers_count=0, quantity=4)
    path = f"/v1/campaigns/{campaign['id']}/vouchers"
    own = api.call("POST", f"{path}/MINE", {"redemption": {"quantity": None}, "metadata": {"a": 1}, "active": False})
    assert (own["code"], own["redemption"]["quantity"], own["metadata"], own["active"]) == (
        "MINE",
        None,
        {"a": 1},
        False,
    )
    assert (own["campaign_id"], own["discount"]["percent_off"]) == (campaign["id"], 10)
    drawn = api.call("POST", path, {"code_config": {"pattern": "NEW-####"}})
    assert drawn["code"].startswith("NEW-")
    assert drawn["redemption"]["quantity"] == 4
    api.call("POST", path, params={"vouchers_count": "7"}, status=202)
    assert len(codes_of(api, campaign["id"])) == 9
    assert api.call("GET", "/v1/campaigns/Spring")["creation_status"] == "DONE"
    error = api.fails("POST", f"{path}/MINE", {}, status=409, key="duplicate_found")
    assert (error["resource_id"], error["resource_type"]) == ("MINE", "voucher")
    api.fails("POST", path, {"code": "A"}, params={"vouchers_count": "2"}, status=400, key="invalid_payload")
    api.fails("POST", path, params={"vouchers_count": "-1"}, status=400, key="invalid_query_params")


def test_many_added_vouchers_are_made_by_the_worker(api: Any) -> None:
    make_campaign(api, vouchers_count=1)
    api.call("POST", "/v1/campaigns/Spring/vouchers", params={"vouchers_count": "1500"}, status=202)
    wait_for(lambda: api.call("GET", "/v1/campaigns/Spring")["vouchers_count"] == 1501)
    assert api.call("GET", "/v1/campaigns/Spring")["creation_status"] == "DONE"
