from typing import Any

import pytest

import facts
from promotions import (
    amount,
    codes_of,
    make_campaign,
    make_voucher,
    percent,
    publish,
    redeem,
    refused,
    rows,
    stack,
    summary,
    used,
)
from rapport.core.db import Database


def amounts(order: dict[str, Any]) -> tuple[int, int, int, int]:
    """Return amount, discount, total and what was applied just now."""
    names = ("amount", "discount_amount", "total_amount", "applied_discount_amount")
    return tuple(order[name] for name in names)  # type: ignore[return-value]


async def test_a_voucher_is_redeemed_against_an_order(api: Any, db: Database, project_id: int) -> None:
    make_campaign(api, discount=percent(12.5))
    published = publish(api)
    code, voucher_id, ann = published["voucher"]["code"], published["voucher"]["id"], published["customer_id"]
    answer = redeem(api, code, order={"source_id": "o-1", "amount": 1001}, metadata={"shop": "web"})
    assert answer["inapplicable_redeemables"] == []
    assert answer["skipped_redeemables"] == []
    assert "parent_redemption" not in answer
    redemption = answer["redemptions"][0]
    assert redemption["id"].startswith("r_")
    assert redemption["object"] == "redemption"
    assert redemption["customer_id"] == ann
    assert (redemption["result"], redemption["status"]) == ("SUCCESS", "SUCCEEDED")
    assert redemption["metadata"] == {"shop": "web"}
    assert (redemption["related_object_type"], redemption["related_object_id"]) == ("voucher", voucher_id)
    assert redemption["tracking_id"] == "ann"
    assert redemption["channel"]["channel_type"] == "API"
    assert redemption["voucher"]["redemption"]["redeemed_quantity"] == 1
    assert redemption["customer"]["source_id"] == "ann"
    assert redemption["order"] == answer["order"]
    order = answer["order"]
    assert amounts(order) == (1001, 125, 876, 125)
    assert (order["status"], order["source_id"], order["customer_id"]) == ("PAID", "o-1", ann)
    entry = order["redemptions"][redemption["id"]]
    assert entry == {
        "date": redemption["date"],
        "related_object_type": "voucher",
        "related_object_id": voucher_id,
        "related_object_parent_id": redemption["voucher"]["campaign_id"],
    }
    assert api.call("GET", "/v1/orders/o-1") == order
    assert api.call("GET", f"/v1/redemptions/{redemption['id']}") == redemption
    assert summary(api) == {"total_redeemed": 1, "total_succeeded": 1}
    assert api.call("GET", "/v1/customers/ann")["summary"]["orders"]["total_amount"] == 876
    assert await facts.log_types(db, project_id, ann) == [
        "customer.created",
        "customer.publication.succeeded",
        "customer.order.created",
        "customer.order.paid",
        "customer.redemption.succeeded",
    ]


def test_the_activity_says_what_was_redeemed(api: Any) -> None:
    make_campaign(api)
    code = publish(api)["voucher"]["code"]
    done = redeem(api, code)["redemptions"][0]
    found = api.call("GET", "/v1/customers/ann/activity", params={"type": "customer.redemption.succeeded"})["data"]
    data = found[0]["data"]["data"]
    assert set(data) == {"customer", "order", "campaign", "voucher", "redemption"}
    assert data["redemption"]["id"] == done["id"]
    assert data["voucher"]["code"] == code
    assert data["campaign"]["name"] == "Spring"
    assert amounts(data["order"]) == (1000, 100, 900, 100)


def test_a_voucher_is_redeemed_by_the_older_operation(api: Any) -> None:
    make_voucher(api, "CODE", amount(300))
    body = {"customer": {"source_id": "ann"}, "order": {"amount": 1000}, "metadata": {"a": 1}}
    done = api.call("POST", "/v1/vouchers/CODE/redemption", body)
    assert done["voucher"]["code"] == "CODE"
    assert amounts(done["order"]) == (1000, 300, 700, 300)
    assert done["metadata"] == {"a": 1}
    again = api.call("POST", "/v1/vouchers/CODE/redemption", {}, params={"tracking_id": "ann"})
    assert again["customer"]["source_id"] == "ann"
    assert again["order"] is None
    anonymous = api.call("POST", "/v1/vouchers/CODE/redemption")
    assert anonymous["customer_id"] is None
    assert used(api, "CODE") == 3


def test_discounts_of_a_stack_are_taken_off_one_after_another(api: Any) -> None:
    make_voucher(api, "HALF", percent(50))
    make_voucher(api, "SOME", amount(100))
    make_voucher(api, "TENTH", percent(10))
    answer = redeem(api, "HALF", "SOME", "TENTH", order={"amount": 1000})
    assert [amounts(one["order"]) for one in answer["redemptions"]] == [
        (1000, 500, 500, 500),
        (1000, 600, 400, 100),
        (1000, 640, 360, 40),
    ]
    assert amounts(answer["order"]) == (1000, 640, 360, 640)
    parent = answer["parent_redemption"]
    assert (parent["related_object_type"], parent["related_object_id"], parent["voucher"]) == (
        "redemption",
        parent["id"],
        None,
    )
    ids = [one["id"] for one in answer["redemptions"]]
    assert [one["redemption"] for one in answer["redemptions"]] == [parent["id"]] * 3
    assert answer["order"]["redemptions"] == {
        parent["id"]: {
            "date": parent["date"],
            "related_object_type": "redemption",
            "related_object_id": parent["id"],
            "stacked": ids,
        }
    }
    assert api.call("GET", f"/v1/redemptions/{parent['id']}")["related_redemptions"]["redemptions"] == [
        {"id": one, "date": parent["date"]} for one in ids
    ]
    assert summary(api) == {"total_redeemed": 3, "total_succeeded": 3}
    assert api.call("GET", "/v1/customers/ann")["summary"]["orders"]["total_amount"] == 360


def test_a_discount_larger_than_the_order_leaves_nothing_to_pay(api: Any) -> None:
    make_voucher(api, "BIG", amount(5000))
    make_voucher(api, "MORE", amount(5000))
    answer = redeem(api, "BIG", "MORE", order={"amount": 1000})
    assert [amounts(one["order"]) for one in answer["redemptions"]] == [(1000, 1000, 0, 1000), (1000, 1000, 0, 0)]


def test_the_discounts_on_items_come_first(api: Any) -> None:
    make_voucher(api, "HALF", percent(50))
    items = [{"product_id": "p", "quantity": 2, "price": 500, "discount_amount": 200}]
    order = redeem(api, "HALF", order={"items": items})["order"]
    assert amounts(order) == (1000, 400, 400, 400)
    assert order["total_discount_amount"] == 600


def test_an_existing_order_is_redeemed_against_and_counted_once(api: Any) -> None:
    make_voucher(api, "HALF", percent(50))
    body = {"source_id": "o-1", "amount": 1000, "customer": {"source_id": "ann"}}
    order = api.call("POST", "/v1/orders", body)
    assert order["status"] == "CREATED"
    answer = redeem(api, "HALF", order={"id": order["id"]}, customer=None)
    assert answer["redemptions"][0]["customer"]["source_id"] == "ann"
    assert amounts(answer["order"]) == (1000, 500, 500, 500)
    again = redeem(api, "HALF", order={"source_id": "o-1"})
    assert again["order"]["id"] == order["id"]
    assert amounts(again["order"]) == (1000, 750, 250, 250)
    assert len(again["order"]["redemptions"]) == 2
    orders = api.call("GET", "/v1/customers/ann")["summary"]["orders"]
    assert (orders["total_count"], orders["total_amount"]) == (1, 250)
    refused_order = stack("HALF", order={"id": "ord_x"})
    api.fails("POST", "/v1/redemptions", refused_order, status=404, key="not_found")


def test_the_status_that_a_request_names_is_kept(api: Any) -> None:
    make_voucher(api, "CODE")
    assert redeem(api, "CODE", order={"amount": 1000, "status": "CREATED"})["order"]["status"] == "CREATED"
    assert redeem(api, "CODE", order={"amount": 1000, "status": "FULFILLED"})["order"]["status"] == "FULFILLED"


def test_the_customer_is_created_with_what_the_request_says(api: Any) -> None:
    make_voucher(api, "CODE")
    body = stack("CODE", customer=None) | {"customer": {"source_id": "new", "name": "New", "metadata": {"a": 1}}}
    api.call("POST", "/v1/redemptions", body)
    found = api.call("GET", "/v1/customers/new")
    assert (found["name"], found["metadata"]) == ("New", {"a": 1})


def test_the_second_use_of_a_single_use_code_fails_and_is_kept(api: Any) -> None:
    campaign = make_campaign(api)
    code = codes_of(api, campaign["id"])[0]
    redeem(api, code)
    error = refused(api, code, key="quantity_exceeded")
    assert (error["message"], error["details"]) == ("quantity exceeded", code)
    failure = api.call("GET", f"/v1/redemptions/{error['resource_id']}")
    assert (failure["result"], failure["status"], failure["order"]) == ("FAILURE", "FAILED", None)
    assert (failure["failure_code"], failure["failure_message"]) == ("quantity_exceeded", "quantity exceeded")
    assert failure["customer"]["source_id"] == "ann"
    assert used(api, code) == 1
    assert summary(api) == {"total_redeemed": 1, "total_succeeded": 1, "total_failed": 1}
    listed = api.call("GET", f"/v1/vouchers/{code}/redemption")
    assert [one["result"] for one in listed["redemption_entries"]] == ["FAILURE", "SUCCESS"]
    assert (listed["quantity"], listed["redeemed_quantity"], listed["total"]) == (1, 1, 2)
    address = api.call("GET", f"/v1/vouchers/{code}")["redemption"]["url"]
    assert api.call("GET", address) == listed
    api.fails("GET", "/v1/vouchers/NONE/redemptions", status=404, key="not_found")


@pytest.mark.parametrize(
    ("voucher", "reason"),
    [
        ({"active": False}, "voucher_disabled"),
        ({"start_date": "2099-01-01"}, "voucher_not_active"),
        ({"expiration_date": "2020-01-01"}, "voucher_expired"),
        ({"redemption": {"quantity": 0}}, "quantity_exceeded"),
    ],
)
async def test_a_voucher_that_may_not_be_used_is_refused_and_nothing_else_happens(
    api: Any, db: Database, project_id: int, voucher: dict[str, Any], reason: str
) -> None:
    make_voucher(api, "CODE", **voucher)
    error = refused(api, "CODE", key=reason, order={"source_id": "o-1", "amount": 1000})
    assert error["resource_id"].startswith("rf_")
    assert error["resource_type"] == "redemption"
    assert await rows(db, project_id, "orders") == 0
    assert await rows(db, project_id, "redemptions") == 1
    assert used(api, "CODE") == 0
    assert summary(api) == {"total_failed": 1}
    assert await facts.log_types(db, project_id) == ["customer.created", "customer.redemption.failed"]
    single = api.fails("POST", "/v1/vouchers/CODE/redemption", {}, status=400, key=reason)
    assert single["resource_id"] != error["resource_id"]


def test_the_dates_of_the_campaign_hold_for_its_codes(api: Any) -> None:
    for name, dates, reason in (
        ("Later", {"start_date": "2099-01-01"}, "voucher_not_active"),
        ("Over", {"expiration_date": "2020-01-01"}, "voucher_expired"),
    ):
        campaign = make_campaign(api, name, **dates)
        refused(api, codes_of(api, campaign["id"])[0], key=reason)


async def test_a_stack_is_redeemed_whole_or_not_at_all(api: Any, db: Database, project_id: int) -> None:
    make_voucher(api, "GOOD")
    make_voucher(api, "GONE", redemption={"quantity": 0})
    make_voucher(api, "OVER", expiration_date="2020-01-01")
    error = refused(api, "GOOD", "GONE", "OVER", key="quantity_exceeded")
    assert used(api, "GOOD") == 0
    assert await rows(db, project_id, "orders") == 0
    failures = api.call("GET", "/v1/redemptions")["redemptions"]
    assert sorted((one["voucher"]["code"], one["failure_code"]) for one in failures) == [
        ("GONE", "quantity_exceeded"),
        ("OVER", "voucher_expired"),
    ]
    assert error["resource_id"] in {one["id"] for one in failures}
    assert summary(api) == {"total_failed": 2}


async def test_an_unknown_code_is_not_found_and_nothing_is_kept(api: Any, db: Database, project_id: int) -> None:
    make_voucher(api, "GOOD")
    error = api.fails("POST", "/v1/redemptions", stack("GOOD", "NONE"), status=404, key="not_found")
    assert (error["resource_id"], error["resource_type"]) == ("NONE", "voucher")
    for table in ("customers", "orders", "redemptions", "activity"):
        assert await rows(db, project_id, table) == 0, table
    assert used(api, "GOOD") == 0


def test_an_order_without_an_amount_is_refused(api: Any) -> None:
    make_voucher(api, "CODE")
    refused(
        api, "CODE", order={"source_id": "o-1", "items": [{"product_id": "p", "quantity": 1}]}, key="missing_amount"
    )
    assert amounts(redeem(api, "CODE", order={"amount": 0})["order"]) == (0, 0, 0, 0)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"redeemables": None}, ".redeemables"),
        ({"redeemables": []}, ".redeemables"),
        ({"redeemables": [{"object": "voucher", "id": f"C{number}"} for number in range(31)]}, ".redeemables"),
        ({"redeemables": [{"object": "voucher"}]}, ".redeemables[0].id"),
        ({"redeemables": [{"id": "CODE"}]}, ".redeemables[0].object"),
        ({"redeemables": [{"object": "loyalty_card", "id": "CARD"}]}, ".redeemables[0].object"),
        ({"redeemables": [{"object": "voucher", "id": 1}]}, ".redeemables[0].id"),
        (
            {"redeemables": [{"object": "voucher", "id": "CODE", "gift": {"credits": -1}}]},
            ".redeemables[0].gift.credits",
        ),
        ({"redeemables": "CODE"}, ".redeemables"),
        ({"order": []}, ".order"),
        ({"order": {"amount": "10"}}, ".order.amount"),
        ({"order": {"amount": -1}}, ".order.amount"),
        ({"order": {"amount": 10.5}}, ".order.amount"),
        ({"customer": "ann"}, ".customer"),
        ({"customer": {}}, ".customer"),
        ({"customer": {"source_id": 1}}, ".customer.source_id"),
        ({"metadata": 1}, ".metadata"),
        ({"session": {"type": "OPEN", "key": "k"}}, ".session.type"),
    ],
)
async def test_a_body_that_is_not_a_redemption_is_refused(
    api: Any, db: Database, project_id: int, change: dict[str, Any], named: str
) -> None:
    make_voucher(api, "CODE")
    error = api.fails("POST", "/v1/redemptions", stack("CODE") | change, status=400, key="invalid_payload")
    assert named in error["details"]
    assert await rows(db, project_id, "redemptions") == 0
    assert await rows(db, project_id, "customers") == 0


def test_a_code_named_twice_is_refused(api: Any) -> None:
    make_voucher(api, "CODE")
    api.fails("POST", "/v1/redemptions", stack("CODE", "CODE"), status=400, key="duplicated_redeemables")


def test_an_unknown_customer_id_is_not_found(api: Any) -> None:
    make_voucher(api, "CODE")
    body = stack("CODE", customer=None) | {"customer": {"id": "cust_x"}}
    error = api.fails("POST", "/v1/redemptions", body, status=404, key="not_found")
    assert error["resource_type"] == "customer"


def listed(api: Any, **params: str) -> list[str]:
    found = api.call("GET", "/v1/redemptions", params=params)
    assert (found["object"], found["data_ref"]) == ("list", "redemptions")
    assert found["total"] == len(found["redemptions"])
    return [one["id"] for one in found["redemptions"]]


def test_redemptions_are_listed_and_filtered(api: Any) -> None:
    make_voucher(api, "CODE", redemption={"quantity": 2})
    campaign = make_campaign(api)
    code = codes_of(api, campaign["id"])[0]
    first = redeem(api, "CODE", customer="ann")["redemptions"][0]
    second = redeem(api, "CODE", customer="bob")["redemptions"][0]
    failed = refused(api, "CODE", customer="bob", key="quantity_exceeded")["resource_id"]
    third = redeem(api, code, customer="ann")["redemptions"][0]
    undone = api.call("POST", f"/v1/redemptions/{first['id']}/rollback")
    everything = [undone["id"], third["id"], failed, second["id"], first["id"]]
    assert listed(api) == everything
    assert listed(api, order="created_at") == everything[::-1]
    assert listed(api, result="FAILURE") == [failed]
    assert listed(api, campaign="Spring") == listed(api, campaign=campaign["id"]) == [third["id"]]
    assert listed(api, customer="bob") == listed(api, customer=second["customer_id"]) == [failed, second["id"]]
    assert listed(api, related_object_id=third["related_object_id"]) == [third["id"]]
    assert listed(api, voucher_code=code) == [third["id"]]
    by_filter = {"filters[failure_code][conditions][$is][0]": "quantity_exceeded"}
    assert listed(api, **by_filter) == [failed]
    assert listed(api, result=["SUCCESS", "FAILURE"]) == everything
    assert listed(api, result=["FAILURE"], customer="bob") == [failed]
    for name, operator, values, expected in (
        ("result", "$in", ["SUCCESS", "FAILURE"], everything),
        ("result", "$is_not", ["FAILURE"], [one for one in everything if one != failed]),
        ("voucher_code", "$starts_with", [code[:4]], [third["id"]]),
        ("failure_code", "$has_value", [""], [failed]),
        ("object", "$not_in", ["redemption"], [undone["id"]]),
        ("related_object_id", "$in", [third["related_object_id"], "v_x"], [third["id"]]),
        ("related_object_id", "$is_not", [first["related_object_id"]], [third["id"]]),
        ("campaign_name", "$is_unknown", [""], [undone["id"], failed, second["id"], first["id"]]),
    ):
        numbered = {f"filters[{name}][conditions][{operator}][{place}]": one for place, one in enumerate(values)}
        assert listed(api, **numbered) == expected, (name, operator)
    either = {"filters[failure_code][conditions][$has_value]": "", "filters[campaign_name][conditions][$is]": "Spring"}
    assert listed(api, **either) == []
    assert listed(api, **either, **{"filters[junction]": "or"}) == [third["id"], failed]
    for wrong in ({"result": "zzz"}, {"filters[x][conditions][$is]": "1"}, {"filters[result][conditions][$x]": "1"}):
        api.fails("GET", "/v1/redemptions", params=wrong, status=400, key="invalid_query_params")
    assert listed(api, **{"created_at[before]": second["date"]}) == [first["id"]]
    assert listed(api, **{"[created_at][after]": third["date"]}) == [undone["id"]]
    api.fails("GET", "/v1/redemptions", params={"created_at[after]": "soon"}, status=400, key="invalid_query_params")
    api.fails("GET", "/v1/redemptions/r_x", status=404, key="not_found")


def test_the_ledger_outlives_the_customer(api: Any) -> None:
    make_voucher(api, "CODE")
    done = redeem(api, "CODE")["redemptions"][0]
    api.call("DELETE", "/v1/customers/ann", status=204)
    kept = api.call("GET", f"/v1/redemptions/{done['id']}")
    assert (kept["customer"], kept["tracking_id"]) == (None, None)
    assert kept["order"]["total_amount"] == 700
