import time
from typing import Any

import pytest

import facts
from purchases import C, amounts, bought, order
from rapport.core.db import Database


def test_an_order_is_created_with_its_customer(api: Any) -> None:
    body = {
        "source_id": "o-1",
        "status": "PAID",
        "amount": 2000,
        "discount_amount": 500,
        "created_at": "2026-01-31T12:00:00.000Z",
        "metadata": {"channel": "web"},
        "customer": {"source_id": "c", "name": "Cid", "email": "c@example.com", "metadata": {"vip": True}},
    }
    created = api.call("POST", "/v1/orders", body)
    customer = api.call("GET", "/v1/customers/c")
    assert (customer["name"], customer["email"], customer["metadata"]) == ("Cid", "c@example.com", {"vip": True})
    assert created == {
        "id": created["id"],
        "source_id": "o-1",
        "created_at": "2026-01-31T12:00:00.000Z",
        "updated_at": None,
        "status": "PAID",
        "amount": 2000,
        "initial_amount": 2000,
        "discount_amount": 500,
        "items_discount_amount": 0,
        "total_discount_amount": 500,
        "applied_discount_amount": 0,
        "items_applied_discount_amount": 0,
        "total_applied_discount_amount": 0,
        "total_amount": 1500,
        "items": [],
        "metadata": {"channel": "web"},
        "customer_id": customer["id"],
        "referrer_id": None,
        "customer": {"id": customer["id"], "object": "customer"},
        "object": "order",
    }
    assert created["id"].startswith("ord_")
    assert customer["summary"]["orders"] == {
        **bought(1500, 1, 1500),
        "last_order_date": "2026-01-31T12:00:00.000Z",
        "last_order_products": [],
    }
    assert api.call("GET", "/v1/orders/o-1") == created
    assert api.call("GET", f"/v1/orders/{created['id']}") == created


async def test_an_order_needs_nobody(api: Any, db: Database, project_id: int) -> None:
    created = api.call("POST", "/v1/orders", {"amount": 100, "status": "PAID"})
    assert (created["customer_id"], created["source_id"], "customer" in created) == (None, None, False)
    assert await facts.log_types(db, project_id) == ["customer.order.created", "customer.order.paid"]
    assert await facts.counts(db, project_id) == {"orders": 1, "activity": 2}
    empty = api.call("POST", "/v1/orders", {})
    assert (empty["status"], empty["amount"], empty["items"]) == ("CREATED", 0, [])


def test_customers_may_be_named_by_id_alone(api: Any) -> None:
    customer = api.call("POST", "/v1/customers", {"source_id": "x"})
    for number, person in enumerate(
        ({"customer_id": customer["id"]}, {"customer": {"id": customer["id"]}}, {"customer": {"source_id": "x"}})
    ):
        saved = api.call("POST", "/v1/orders", {"source_id": str(number), "amount": 5, "status": "PAID", **person})
        assert saved["customer_id"] == customer["id"]
    assert amounts(api, "x") == bought(15, 3, 5)


async def test_a_referrer_is_made_and_kept_but_buys_nothing(api: Any, db: Database, project_id: int) -> None:
    created = order(api, "o", 100, referrer={"source_id": "r", "name": "Ref"})
    referrer = api.call("GET", "/v1/customers/r")
    assert created["referrer_id"] == referrer["id"]
    assert created["referrer"] == {"id": referrer["id"], "object": "customer"}
    assert created["customer_id"] != referrer["id"]
    assert referrer["name"] == "Ref"
    assert referrer["summary"]["orders"] == bought(0, 0, 0)
    assert await facts.log_types(db, project_id, referrer["id"]) == ["customer.created"]
    second = api.call(
        "POST", "/v1/orders", {"source_id": "p", "amount": 1, "customer": C, "referrer_id": referrer["id"]}
    )
    assert second["referrer_id"] == referrer["id"]


def test_one_may_refer_oneself(api: Any) -> None:
    created = order(api, "o", 100, referrer={"source_id": "c", "name": "Both"})
    assert created["customer_id"] == created["referrer_id"]
    assert amounts(api) == bought(100, 1, 100)
    assert api.call("GET", "/v1/customers/c")["name"] == "Both"


def test_items_are_multiplied_and_summed(api: Any) -> None:
    created = api.call(
        "POST",
        "/v1/orders",
        {
            "amount": 999_999,
            "discount_amount": 50,
            "items": [
                {"product_id": "prod_1", "quantity": 3, "price": 100, "discount_amount": 30},
                {"sku_id": "sku_1", "quantity": "2", "price": 50},
                {"product_id": "prod_2", "price": 7},
                {"product_id": "prod_3", "quantity": 4, "amount": 10},
                {"related_object": "sku", "source_id": "s", "sku": {"sku": "Red", "price": 3}, "quantity": 2},
                {"product_id": "unpriced", "quantity": 1},
            ],
        },
    )
    found = [(one.get("amount"), one.get("subtotal_amount"), one.get("quantity")) for one in created["items"]]
    assert found == [(300, 270, 3), (100, 100, 2), (7, 7, None), (10, 10, 4), (6, 6, 2), (None, None, 1)]
    assert {one["object"] for one in created["items"]} == {"order_item"}
    assert created["amount"] == 423
    assert created["items_discount_amount"] == 30
    assert created["total_discount_amount"] == 80
    assert created["total_amount"] == 343


def test_metadata_that_turns_from_true_to_one_is_written(api: Any) -> None:
    order(api, "o", 5, metadata={"gift": True}, items=[{"price": 1, "metadata": {"wrap": True}}])
    assert '"gift":1' in api.put("/v1/orders/o", content=b'{"metadata":{"gift":1}}').text
    assert '"wrap":1' in api.put("/v1/orders/o", content=b'{"items":[{"price":1,"metadata":{"wrap":1}}]}').text


def test_an_amount_set_past_the_items_stays_until_the_items_change(api: Any) -> None:
    order(api, "o", 0, items=[{"price": 300, "quantity": 1}])
    for change, expected in (
        ({"amount": 250}, 250),
        ({"status": "FULFILLED"}, 250),
        ({"metadata": {"a": 1}}, 250),
        ({"items": [{"price": 40, "quantity": 2}]}, 80),
    ):
        assert api.call("PUT", "/v1/orders/o", change)["amount"] == expected
        assert amounts(api) == bought(expected, 1, expected)


def test_null_changes_nothing_in_an_order(api: Any) -> None:
    items = [{"price": 300, "quantity": 1}]
    first = order(api, "o", 0, items=items, metadata={"a": 1}, discount_amount=7, referrer={"source_id": "r"})
    nothing = dict.fromkeys(
        ("source_id", "status", "amount", "initial_amount", "discount_amount", "items", "metadata", "created_at",
         "customer", "customer_id", "referrer", "referrer_id")
    )  # fmt: skip
    assert api.call("PUT", "/v1/orders/o", nothing) == first


@pytest.mark.parametrize(
    "body",
    [
        {"amount": 100, "discount_amount": 101},
        {"items": [{"price": 10, "quantity": 1, "discount_amount": 11}]},
        {"items": [{"price": 10, "quantity": 1, "discount_amount": 5}], "discount_amount": 6},
        {"items": [{"price": 2**53 - 1, "quantity": 2}]},
        {"amount": -1},
        {"amount": 2**53},
        {"amount": "100"},
        {"amount": 1.5},
        {"status": "SHIPPED"},
        {"status": "paid"},
        {"items": {}},
        {"items": [{"quantity": -1}]},
        {"items": [{"quantity": "two"}]},
        {"items": [{"quantity": "\uff11"}]},
        {"items": [{"quantity": 1}] * 501},
        {"items": [{"price": 1, "related_object": "thing"}]},
        {"items": [{"product": {"price": 1e300}}]},
        {"items": [{"product": {"price": -1}}]},
        {"created_at": "yesterday"},
        {"created_at": 1700000000},
        {"customer": {}},
        {"customer": {"source_id": ""}},
        {"customer": "cust_1"},
        {"referrer": {}},
        {"metadata": []},
    ],
)
async def test_an_order_that_cannot_be_is_refused_whole(
    api: Any, db: Database, project_id: int, body: dict[str, Any]
) -> None:
    body = {"source_id": "o", "status": "PAID", "customer": {"source_id": "c"}, **body}
    api.fails("POST", "/v1/orders", body, status=400, key="invalid_payload")
    assert await facts.counts(db, project_id) == {}


async def test_unknown_ids_are_404_and_make_nothing(api: Any, db: Database, project_id: int) -> None:
    for method, path, body, kind in (
        ("POST", "/v1/orders", {"id": "ord_x", "customer": C}, "order"),
        ("POST", "/v1/orders", {"customer": {"id": "cust_x"}}, "customer"),
        ("POST", "/v1/orders", {"customer_id": "cust_x"}, "customer"),
        ("POST", "/v1/orders", {"customer": C, "referrer_id": "cust_x"}, "customer"),
        ("PUT", "/v1/orders/ord_x", {"customer": C}, "order"),
        ("GET", "/v1/orders/ord_x", None, "order"),
    ):
        error = api.fails(method, path, body, status=404, key="not_found")
        assert (error["resource_id"][-2:], error["resource_type"]) == ("_x", kind)
    assert await facts.counts(db, project_id) == {}


async def test_a_source_id_of_another_order_is_refused(api: Any, db: Database, project_id: int) -> None:
    order(api, "a", 10)
    order(api, "b", 20)
    error = api.fails("PUT", "/v1/orders/b", {"source_id": "a", "amount": 99}, status=409, key="duplicate_found")
    assert (error["resource_id"], error["resource_type"]) == ("a", "order")
    assert amounts(api) == bought(30, 2, 20)
    assert (await facts.counts(db, project_id))["orders"] == 2


def test_orders_are_listed_newest_first_in_pages(api: Any) -> None:
    for number in range(5):
        order(api, f"o{number}", number, created_at=f"2026-01-0{number + 1}T00:00:00Z")
        time.sleep(0.002)

    def listed(**params: Any) -> list[str]:
        return [one["source_id"] for one in api.call("GET", "/v1/orders", params=params)["orders"]]

    found = api.call("GET", "/v1/orders", params={"limit": 2})
    assert set(found) == {"object", "data_ref", "orders", "total", "has_more"}
    assert (found["object"], found["data_ref"], found["total"], found["has_more"]) == ("list", "orders", 5, True)
    assert found["orders"][0] == api.call("GET", "/v1/orders/o4")
    assert listed() == ["o4", "o3", "o2", "o1", "o0"]
    assert listed(order="created_at", limit=2, page=2) == ["o2", "o3"]
    assert listed(limit=2, page=3) == ["o0"]
    assert listed(page=100) == []
    for bad in ({"limit": 0}, {"page": 101}, {"order": "amount"}):
        api.fails("GET", "/v1/orders", params=bad, status=400, key="invalid_query_params")


def test_orders_of_the_same_moment_are_listed_once_each(api: Any) -> None:
    at = "2026-01-01T00:00:00Z"
    saved = {order(api, f"o{number}", 1, created_at=at)["id"] for number in range(7)}
    met = [
        one["id"]
        for page in range(1, 5)
        for one in api.call("GET", "/v1/orders", params={"limit": 2, "page": page})["orders"]
    ]
    assert len(met) == 7
    assert set(met) == saved
