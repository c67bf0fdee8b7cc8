import time
from typing import Any

import pytest

import facts
from rapport.core.db import Database

C = {"source_id": "c"}


def order(api: Any, source_id: str, amount: int, status: str = "PAID", **more: Any) -> dict[str, Any]:
    """Save an order of the customer `c`."""
    body = {"source_id": source_id, "amount": amount, "status": status, "customer": C, **more}
    return api.call("POST", "/v1/orders", body)  # type: ignore[no-any-return]


def summary(api: Any, customer: str = "c") -> dict[str, Any]:
    """Return the purchase summary of a customer."""
    return api.call("GET", f"/v1/customers/{customer}")["summary"]["orders"]  # type: ignore[no-any-return]


def bought(total: int, count: int, last: int) -> dict[str, Any]:
    """Return the first four values of a summary, the average rounded half up."""
    average = (2 * total + count) // (2 * count) if count else 0
    return {"total_amount": total, "total_count": count, "average_amount": average, "last_order_amount": last}


def amounts(api: Any, customer: str = "c") -> dict[str, Any]:
    """Return the four amounts of a customer's summary."""
    return {
        name: value
        for name, value in summary(api, customer).items()
        if not name.startswith("last_order_d") and name != "last_order_products"
    }


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


async def test_the_same_source_id_updates_the_order_and_counts_once(api: Any, db: Database, project_id: int) -> None:
    first = order(api, "o", 1000)
    assert order(api, "o", 1000) == first
    assert first["updated_at"] is None
    second = order(api, "o", 400, metadata={"note": "less"})
    assert (second["id"], second["created_at"]) == (first["id"], first["created_at"])
    assert second["updated_at"] is not None
    assert amounts(api) == bought(400, 1, 400)
    assert await facts.counts(db, project_id) == {"customers": 1, "orders": 1, "activity": 4}
    assert await facts.log_types(db, project_id) == [
        "customer.created",
        "customer.order.created",
        "customer.order.paid",
        "customer.order.updated",
    ]


async def test_only_paid_and_fulfilled_orders_count(api: Any, db: Database, project_id: int) -> None:
    order(api, "a", 100, "CREATED")
    order(api, "b", 100, "CANCELED")
    assert summary(api) == bought(0, 0, 0)
    order(api, "c", 100, "PAID")
    order(api, "d", 10, "FULFILLED")
    assert amounts(api) == bought(110, 2, 10)
    customer_id = api.call("GET", "/v1/customers/c")["id"]
    assert await facts.log_types(db, project_id, customer_id) == [
        "customer.created",
        "customer.order.created",
        "customer.order.created",
        "customer.order.canceled",
        "customer.order.created",
        "customer.order.paid",
        "customer.order.created",
        "customer.order.fulfilled",
    ]


async def test_an_order_counts_from_its_payment_to_its_cancellation(api: Any, db: Database, project_id: int) -> None:
    order(api, "o", 1000, "CREATED")
    expected = {"PAID": bought(1000, 1, 1000), "FULFILLED": bought(1000, 1, 1000), "CANCELED": bought(0, 0, 0)}
    for status in ("PAID", "FULFILLED", "CANCELED", "PAID"):
        api.call("PUT", "/v1/orders/o", {"status": status})
        assert amounts(api) == expected[status]
    assert await facts.log_types(db, project_id) == [
        "customer.created",
        "customer.order.created",
        *[
            kind
            for status in ("paid", "fulfilled", "canceled", "paid")
            for kind in ("customer.order.updated", f"customer.order.{status}")
        ],
    ]


def test_an_amount_changed_later_moves_the_total(api: Any) -> None:
    order(api, "a", 1000, created_at="2026-01-01T00:00:00Z")
    order(api, "b", 500, created_at="2026-02-01T00:00:00Z")
    api.call("PUT", "/v1/orders/a", {"amount": 300})
    assert amounts(api) == bought(800, 2, 500)
    api.call("PUT", "/v1/orders/b", {"discount_amount": 500})
    assert amounts(api) == bought(300, 2, 0)


def test_the_average_is_rounded_half_up(api: Any) -> None:
    order(api, "a", 1)
    order(api, "b", 2)
    assert summary(api)["average_amount"] == 2
    order(api, "c", 1)
    assert summary(api)["average_amount"] == 1


def test_the_last_order_is_the_latest_by_date_not_by_arrival(api: Any) -> None:
    order(api, "mid", 20, created_at="2026-02-01T00:00:00Z")
    order(api, "late", 30, created_at="2026-03-01T00:00:00Z")
    order(api, "early", 10, created_at="2026-01-01T00:00:00Z")
    assert amounts(api) == bought(60, 3, 30)
    assert summary(api)["last_order_date"] == "2026-03-01T00:00:00.000Z"


def test_cancelling_the_last_order_brings_the_one_before_back(api: Any) -> None:
    for name, amount, at in (("a", 10, "01"), ("b", 20, "02"), ("c", 30, "03")):
        items = [{"product_id": f"prod_{name}", "quantity": 1, "price": amount}]
        order(api, name, amount, created_at=f"2026-{at}-01T00:00:00Z", items=items)
    api.call("PUT", "/v1/orders/c", {"status": "CANCELED"})
    assert summary(api) == {
        **bought(30, 2, 20),
        "last_order_date": "2026-02-01T00:00:00.000Z",
        "last_order_products": [{"product_id": "prod_b", "quantity": 1}],
    }
    api.call("PUT", "/v1/orders/a", {"status": "CANCELED"})
    assert amounts(api) == bought(20, 1, 20)
    api.call("PUT", "/v1/orders/b", {"status": "CANCELED"})
    assert summary(api) == bought(0, 0, 0)


def test_a_date_moved_back_or_forward_changes_which_order_is_the_last(api: Any) -> None:
    order(api, "a", 10, created_at="2026-01-01T00:00:00Z")
    order(api, "b", 20, created_at="2026-02-01T00:00:00Z")
    api.call("PUT", "/v1/orders/b", {"created_at": "2025-12-01T00:00:00Z"})
    assert (summary(api)["last_order_date"], amounts(api)) == ("2026-01-01T00:00:00.000Z", bought(30, 2, 10))
    api.call("PUT", "/v1/orders/b", {"created_at": "2026-05-01T00:00:00+02:00"})
    assert (summary(api)["last_order_date"], amounts(api)) == ("2026-04-30T22:00:00.000Z", bought(30, 2, 20))


def test_two_orders_of_one_moment_have_one_lasting_winner(api: Any) -> None:
    at = "2026-01-01T00:00:00Z"
    saved = [order(api, name, amount, created_at=at) for name, amount in (("a", 10), ("b", 20), ("c", 30))]
    winner = max(saved, key=lambda one: one["id"])
    assert amounts(api) == bought(60, 3, winner["amount"])
    api.call("PUT", f"/v1/orders/{winner['id']}", {"status": "CANCELED"})
    api.call("PUT", f"/v1/orders/{winner['id']}", {"status": "PAID"})
    assert amounts(api) == bought(60, 3, winner["amount"])


async def test_an_order_that_moves_to_another_customer_takes_its_amount_along(
    api: Any, db: Database, project_id: int
) -> None:
    order(api, "a", 10, created_at="2026-01-01T00:00:00Z")
    order(api, "b", 20, created_at="2026-02-01T00:00:00Z")
    moved = api.call("PUT", "/v1/orders/b", {"customer": {"source_id": "d"}})
    assert moved["customer_id"] == api.call("GET", "/v1/customers/d")["id"]
    assert amounts(api, "c") == bought(10, 1, 10)
    assert amounts(api, "d") == bought(20, 1, 20)
    api.call("PUT", "/v1/orders/b", {"customer_id": api.call("GET", "/v1/customers/c")["id"], "status": "CANCELED"})
    assert amounts(api, "c") == bought(10, 1, 10)
    assert summary(api, "d") == bought(0, 0, 0)
    assert await facts.counts(db, project_id) == {"customers": 2, "orders": 2, "activity": 9}


def test_an_order_given_to_a_customer_later_counts_from_then_on(api: Any) -> None:
    api.call("POST", "/v1/orders", {"source_id": "o", "amount": 70, "status": "PAID"})
    api.call("PUT", "/v1/orders/o", {"customer": {"source_id": "c"}})
    assert amounts(api) == bought(70, 1, 70)


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


def test_new_items_replace_the_old_and_an_empty_list_removes_them(api: Any) -> None:
    order(api, "o", 0, items=[{"product_id": "p", "quantity": 2, "price": 100}])
    assert amounts(api) == bought(200, 1, 200)
    changed = api.call("PUT", "/v1/orders/o", {"items": [{"product_id": "q", "quantity": 1, "price": 30}]})
    assert (changed["amount"], changed["total_amount"], len(changed["items"])) == (30, 30, 1)
    assert amounts(api) == bought(30, 1, 30)
    kept = api.call("PUT", "/v1/orders/o", {"metadata": {"a": 1}})
    assert (kept["amount"], kept["items"]) == (30, changed["items"])
    emptied = api.call("PUT", "/v1/orders/o", {"items": [], "amount": 5})
    assert (emptied["items"], emptied["amount"]) == ([], 5)


def test_the_products_of_the_last_order_are_shown_by_every_name_they_have(api: Any) -> None:
    items = [
        {"product_id": "prod_1", "quantity": 1, "product": {"name": "MacBookAir", "source_id": "mba"}},
        {"sku_id": "sku_1", "quantity": 2, "sku": {"sku": "Red", "source_id": "red-src"}},
        {"source_id": "src", "related_object": "product", "quantity": 3},
        {"source_id": "sku-src", "related_object": "sku", "product": {"id": "prod_9"}},
    ]
    order(api, "o", 100, items=items)
    assert summary(api)["last_order_products"] == [
        {"product_id": "prod_1", "source_id": "mba", "name": "MacBookAir", "quantity": 1},
        {"sku_id": "sku_1", "sku_source_id": "red-src", "sku": "Red", "quantity": 2},
        {"source_id": "src", "quantity": 3},
        {"product_id": "prod_9", "sku_source_id": "sku-src"},
    ]


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
