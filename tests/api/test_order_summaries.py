from typing import Any

import facts
from purchases import amounts, bought, order, summary
from rapport.core.db import Database


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
