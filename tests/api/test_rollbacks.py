from typing import Any

import pytest

import facts
from promotions import amount, make_campaign, make_voucher, percent, publish, redeem, refused, rows, summary, used
from rapport.core.db import Database


def roll_back(api: Any, redemption_id: str, body: Any = None, **more: Any) -> dict[str, Any]:
    return api.call("POST", f"/v1/redemptions/{redemption_id}/rollback", body, **more)  # type: ignore[no-any-return]


async def test_a_rollback_gives_everything_back(api: Any, db: Database, project_id: int) -> None:
    make_campaign(api)
    published = publish(api)
    code = published["voucher"]["code"]
    done = redeem(api, code, order={"source_id": "o-1", "amount": 1000})["redemptions"][0]
    undone = roll_back(api, done["id"], {"reason": "Changed their mind", "metadata": {"by": "shop"}})
    assert undone["id"].startswith("rr_")
    assert (undone["object"], undone["result"], undone["redemption"]) == ("redemption_rollback", "SUCCESS", done["id"])
    assert (undone["reason"], undone["metadata"]) == ("Changed their mind", {"by": "shop"})
    order = undone["order"]
    assert (order["status"], order["discount_amount"], order["total_amount"]) == ("CANCELED", 0, 1000)
    entry = order["redemptions"][done["id"]]
    assert (entry["rollback_id"], entry["rollback_date"]) == (undone["id"], undone["date"])
    assert used(api, code) == 0
    assert summary(api) == {
        "total_redeemed": 1, "total_succeeded": 1, "total_rolled_back": 1, "total_rollback_succeeded": 1,
    }  # fmt: skip
    assert api.call("GET", "/v1/customers/ann")["summary"]["orders"]["total_count"] == 0
    kept = api.call("GET", f"/v1/redemptions/{done['id']}")
    assert (kept["status"], kept["result"]) == ("ROLLED_BACK", "SUCCESS")
    assert kept["related_redemptions"] == {"rollbacks": [{"id": undone["id"], "date": undone["date"]}]}
    listed = api.call("GET", "/v1/redemptions", params={"filters[object][conditions][$is]": "redemption"})
    assert listed["redemptions"] == [kept]
    assert api.call("GET", f"/v1/redemptions/{undone['id']}") == undone
    log = await facts.log_types(db, project_id, published["customer_id"])
    assert log[-3:] == ["customer.order.updated", "customer.order.canceled", "customer.redemption.rollback.succeeded"]
    redeem(api, code)
    assert used(api, code) == 1


async def test_a_second_rollback_fails_is_kept_and_changes_nothing(api: Any, db: Database, project_id: int) -> None:
    make_voucher(api, "CODE", redemption={"quantity": 3})
    redeem(api, "CODE")
    done = redeem(api, "CODE")["redemptions"][0]
    roll_back(api, done["id"])
    error = api.fails("POST", f"/v1/redemptions/{done['id']}/rollback", status=400, key="already_rolled_back")
    assert error["resource_id"].startswith("rrf_")
    assert error["resource_type"] == "redemption_rollback"
    failure = api.call("GET", f"/v1/redemptions/{error['resource_id']}")
    assert (failure["result"], failure["failure_code"]) == ("FAILURE", "already_rolled_back")
    assert used(api, "CODE") == 1
    assert summary(api)["total_rollback_failed"] == 1
    assert (await facts.log_types(db, project_id))[-1] == "customer.redemption.rollback.failed"


def test_a_stack_is_rolled_back_as_a_whole(api: Any) -> None:
    make_voucher(api, "A", percent(50))
    make_voucher(api, "B", amount(100))
    answer = redeem(api, "A", "B")
    parent, child = answer["parent_redemption"]["id"], answer["redemptions"][0]["id"]
    api.fails("POST", f"/v1/redemptions/{child}/rollback", status=400, key="invalid_redemption_parent")
    api.fails("POST", f"/v1/redemptions/{child}/rollbacks", status=400, key="invalid_redemption_parent")
    api.fails("POST", f"/v1/redemptions/{parent}/rollback", status=400, key="invalid_redemption")
    undone = api.call("POST", f"/v1/redemptions/{parent}/rollbacks", {"reason": "x"})
    assert [one["redemption"] for one in undone["rollbacks"]] == [one["id"] for one in answer["redemptions"]]
    assert undone["parent_rollback"]["redemption"] == parent
    assert (undone["order"]["status"], undone["order"]["total_amount"]) == ("CANCELED", 1000)
    assert (used(api, "A"), used(api, "B")) == (0, 0)
    assert summary(api)["total_rolled_back"] == 2
    api.fails("POST", f"/v1/redemptions/{parent}/rollbacks", status=400, key="already_rolled_back")
    for one in (child, parent):
        assert api.call("GET", f"/v1/redemptions/{one}")["status"] == "ROLLED_BACK"


def test_a_single_redemption_is_rolled_back_by_either_operation(api: Any) -> None:
    make_voucher(api, "CODE")
    done = redeem(api, "CODE")["redemptions"][0]["id"]
    undone = api.call("POST", f"/v1/redemptions/{done}/rollbacks", params={"reason": "By query"})
    assert [(one["redemption"], one["reason"]) for one in undone["rollbacks"]] == [(done, "By query")]
    assert "parent_rollback" not in undone


def test_an_order_with_another_redemption_stays_paid(api: Any) -> None:
    make_voucher(api, "HALF", percent(50))
    make_voucher(api, "SOME", amount(100))
    first = redeem(api, "HALF", order={"source_id": "o", "amount": 1000})["redemptions"][0]["id"]
    second = redeem(api, "SOME", order={"source_id": "o"})["redemptions"][0]["id"]
    order = roll_back(api, first)["order"]
    assert (order["status"], order["discount_amount"], order["total_amount"]) == ("PAID", 100, 900)
    assert api.call("GET", "/v1/customers/ann")["summary"]["orders"]["total_amount"] == 900
    assert roll_back(api, second)["order"]["status"] == "CANCELED"


def test_a_redemption_without_customer_and_order_is_rolled_back(api: Any) -> None:
    make_voucher(api, "CODE")
    done = api.call("POST", "/v1/vouchers/CODE/redemption", {})
    assert roll_back(api, done["id"])["order"] is None
    assert used(api, "CODE") == 0
    api.fails("POST", f"/v1/redemptions/{done['id']}/rollback", {}, status=400, key="already_rolled_back")


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        ({"customer": {"source_id": "bob"}}, 400, "invalid_customer"),
        ({"customer": {"source_id": "nobody"}}, 404, "not_found"),
        ({"order": {"source_id": "o-2"}}, 400, "invalid_order"),
        ({"order": {"id": "ord_x"}}, 400, "invalid_order"),
        ({"reason": 1}, 400, "invalid_payload"),
        ({"metadata": []}, 400, "invalid_payload"),
    ],
)
async def test_a_rollback_of_something_else_is_refused(
    api: Any, db: Database, project_id: int, body: dict[str, Any], status: int, reason: str
) -> None:
    make_voucher(api, "CODE")
    api.call("POST", "/v1/customers", {"source_id": "bob"})
    done = redeem(api, "CODE", order={"source_id": "o-1", "amount": 10})["redemptions"][0]["id"]
    api.fails("POST", f"/v1/redemptions/{done}/rollback", body, status=status, key=reason)
    assert await rows(db, project_id, "redemptions") == 1
    roll_back(api, done, {"customer": {"source_id": "ann"}, "order": {"source_id": "o-1"}})


def test_what_did_not_succeed_cannot_be_rolled_back(api: Any) -> None:
    make_voucher(api, "CODE", redemption={"quantity": 1})
    done = redeem(api, "CODE")["redemptions"][0]["id"]
    failed = refused(api, "CODE", key="quantity_exceeded")["resource_id"]
    api.fails("POST", f"/v1/redemptions/{failed}/rollback", status=400, key="invalid_redemption")
    undone = roll_back(api, done)["id"]
    api.fails("POST", f"/v1/redemptions/{undone}/rollback", status=400, key="invalid_redemption")
    api.fails("POST", "/v1/redemptions/r_x/rollback", status=404, key="not_found")


def test_a_rollback_works_when_voucher_and_customer_are_gone(api: Any) -> None:
    make_voucher(api, "CODE")
    done = redeem(api, "CODE")["redemptions"][0]["id"]
    api.call("DELETE", "/v1/vouchers/CODE", status=204)
    api.call("DELETE", "/v1/customers/ann", status=204)
    undone = roll_back(api, done)
    assert (undone["result"], undone["customer"], undone["voucher"]["code"]) == ("SUCCESS", None, "CODE")


def amounts(order: dict[str, Any]) -> tuple[int, int, int]:
    return order["discount_amount"], order["applied_discount_amount"], order["total_amount"]


def test_what_the_other_redemptions_took_off_stays_off(api: Any) -> None:
    for code, off in (("A", 100), ("B", 50), ("C", 20), ("D", 5)):
        make_voucher(api, code, amount(off))
    first = redeem(api, "A", order={"source_id": "o", "amount": 1000})["redemptions"][0]["id"]
    second = redeem(api, "B", order={"source_id": "o"})["redemptions"][0]["id"]
    order = roll_back(api, first)["order"]
    assert amounts(order) == (50, 50, 950)
    assert amounts(api.call("GET", "/v1/orders/o")) == (50, 50, 950)
    stacked = redeem(api, "C", "D", order={"source_id": "o"})["parent_redemption"]["id"]
    assert amounts(api.call("GET", "/v1/orders/o")) == (75, 25, 925)
    roll_back(api, second)
    assert amounts(api.call("GET", "/v1/orders/o")) == (25, 25, 975)
    order = api.call("POST", f"/v1/redemptions/{stacked}/rollbacks")["order"]
    assert amounts(order) == (0, 0, 1000)
    assert order["status"] == "CANCELED"


def test_a_rollback_puts_no_discount_on_that_the_shop_took_back(api: Any) -> None:
    make_voucher(api, "A", amount(100))
    make_voucher(api, "B", amount(50))
    first = redeem(api, "A", order={"source_id": "o", "amount": 1000})["redemptions"][0]["id"]
    redeem(api, "B", order={"source_id": "o"})
    api.call("PUT", "/v1/orders/o", {"discount_amount": 30})
    assert amounts(roll_back(api, first)["order"]) == (30, 30, 970)


async def test_what_a_rollback_says_of_customer_and_order_is_set(api: Any, db: Database, project_id: int) -> None:
    make_voucher(api, "CODE")
    order = {"source_id": "o", "amount": 1000, "metadata": {"a": 1}}
    done = redeem(api, "CODE", order=order)["redemptions"][0]["id"]
    said = {
        "customer": {"source_id": "ann", "name": "New", "email": "ann@example.com", "metadata": {"m": 1}},
        "order": {"source_id": "o", "metadata": {"b": 2}, "status": "FULFILLED"},
    }
    undone = roll_back(api, done, said)
    assert (undone["customer"]["name"], undone["customer"]["metadata"]) == ("New", {"m": 1})
    assert (undone["order"]["metadata"], undone["order"]["status"]) == ({"a": 1, "b": 2}, "FULFILLED")
    order = api.call("GET", "/v1/orders/o")
    assert (order["metadata"], order["status"], order["total_amount"]) == ({"a": 1, "b": 2}, "FULFILLED", 1000)
    customer = api.call("GET", "/v1/customers/ann")
    assert (customer["name"], customer["email"], customer["metadata"]) == ("New", "ann@example.com", {"m": 1})
    assert customer["summary"]["orders"]["total_amount"] == 1000
    log = await facts.log_types(db, project_id)
    assert {*log[-4:]} == {
        "customer.updated", "customer.order.updated", "customer.order.fulfilled",
        "customer.redemption.rollback.succeeded",
    }  # fmt: skip
    said["customer"]["name"] = "Newer"
    api.fails("POST", f"/v1/redemptions/{done}/rollback", said, status=400, key="already_rolled_back")
    assert api.call("GET", "/v1/customers/ann")["name"] == "New"


def test_what_cannot_be_set_refuses_the_rollback(api: Any) -> None:
    make_voucher(api, "CODE")
    done = redeem(api, "CODE", order={"source_id": "o", "amount": 1000})["redemptions"][0]["id"]
    for body, key in (
        ({"customer": {"source_id": "ann", "birthdate": "soon"}}, "invalid_payload"),
        ({"order": {"status": "SENT"}}, "invalid_payload"),
        ({"order": {"metadata": []}}, "invalid_payload"),
    ):
        api.fails("POST", f"/v1/redemptions/{done}/rollback", body, status=400, key=key)
    assert used(api, "CODE") == 1
    nobodys = api.call("POST", "/v1/vouchers/CODE/redemption", {})["id"]
    path = f"/v1/redemptions/{nobodys}/rollback"
    api.fails("POST", path, {"customer": {"name": "Ann"}}, status=400, key="invalid_customer")
    api.fails("POST", path, {"order": {"status": "PAID"}}, status=400, key="invalid_order")


def test_a_stack_takes_what_is_said_of_its_customer(api: Any) -> None:
    make_voucher(api, "A")
    make_voucher(api, "B")
    parent = redeem(api, "A", "B", order={"source_id": "o", "amount": 1000})["parent_redemption"]["id"]
    body = {"customer": {"name": "New"}, "order": {"metadata": {"why": "late"}, "status": "CREATED"}}
    undone = api.call("POST", f"/v1/redemptions/{parent}/rollbacks", body)
    assert (undone["order"]["metadata"], undone["order"]["status"]) == ({"why": "late"}, "CREATED")
    assert api.call("GET", "/v1/customers/ann")["name"] == "New"


@pytest.mark.parametrize("tracking_id", ["x" * 256, "x" * 2600, "a\x00b"])
async def test_a_tracking_id_in_the_query_is_as_one_in_the_body(
    api: Any, db: Database, project_id: int, tracking_id: str
) -> None:
    make_voucher(api, "CODE")
    done = redeem(api, "CODE")["redemptions"][0]["id"]
    people = await rows(db, project_id, "customers")
    for path in ("/v1/vouchers/CODE/redemption", f"/v1/redemptions/{done}/rollback"):
        api.fails("POST", path, params={"tracking_id": tracking_id}, status=400, key="invalid_query_params")
        api.fails("POST", path, {"tracking_id": tracking_id}, status=400, key="invalid_payload")
    assert await rows(db, project_id, "customers") == people
    api.fails("POST", f"/v1/redemptions/{done}/rollback", params={"reason": "\x00"}, status=400, key="invalid_payload")
    roll_back(api, done, params={"tracking_id": "ann"})
    found = api.call("POST", "/v1/vouchers/CODE/redemption", params={"tracking_id": "x" * 255})
    assert found["tracking_id"] == "x" * 255
