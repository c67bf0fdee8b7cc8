"""In-store activity follows events and orders."""

from typing import Any

import pytest

import facts

DAYS = [f"2026-01-0{day}T00:00:00.000Z" for day in range(1, 8)]


def buy(api: Any, name: str, amount: int, day: int, location: str | None = "oslo", **more: Any) -> None:
    place = {} if location is None else {"location": {"id": location, "name": location.title()}}
    customer = {"source_id": more.pop("customer", "ann")}
    order = {"source_id": name, "status": "PAID", "amount": amount, "created_at": DAYS[day], "customer": customer}
    api.call("POST", "/v1/orders", {**order, **place, **more})


def in_store(api: Any, customer: str = "ann") -> Any:
    return api.call("GET", f"/v1/customers/{customer}")["in_store"]


def bought(api: Any, customer: str = "ann") -> Any:
    found = in_store(api, customer)
    sums = found.get("purchases", {"count": 0, "amount": 0})
    return sums["count"], sums["amount"], found.get("first_purchase_at"), found.get("last_purchase_at")


def test_an_event_with_a_location_is_a_visit(api: Any) -> None:
    body = {"event": "checked_in", "customer": {"source_id": "ann"}, "location": {"source_id": "oslo", "name": "Oslo"}}
    tracked = api.call("POST", "/v1/events", body)
    assert tracked["location"] == {"source_id": "oslo", "name": "Oslo"}
    at = tracked["created_at"]
    assert in_store(api) == {
        "visits": {"count": 1}, "first_visit_at": at, "last_visit_at": at,
        "locations": {"oslo": {"name": "Oslo", "visits": 1, "purchases": 0, "amount": 0,
                               "first_visit_at": at, "last_visit_at": at}},
    }  # fmt: skip
    api.call("POST", "/v1/events", {"event": "seen", "customer": {"source_id": "ann"}})
    assert in_store(api)["visits"] == {"count": 1}
    entries = api.call("GET", "/v1/customers/ann/activity")["data"]
    assert [
        one["data"]["data"]["event"].get("location") for one in entries if one["type"] == "customer.custom_event"
    ] == [
        None,
        {"source_id": "oslo", "name": "Oslo"},
    ]


def test_an_order_with_a_location_is_a_purchase_once_it_counts(api: Any) -> None:
    buy(api, "a", 100, 2, status="CREATED")
    assert in_store(api) == {}
    api.call("PUT", "/v1/orders/a", {"status": "PAID"})
    assert bought(api) == (1, 100, DAYS[2], DAYS[2])
    assert api.call("GET", "/v1/orders/a")["location"] == {"id": "oslo", "name": "Oslo"}
    buy(api, "b", 50, 1, "bergen")
    buy(api, "c", 7, 3, None)
    assert bought(api) == (2, 150, DAYS[1], DAYS[2])
    locations = in_store(api)["locations"]
    assert {name: (one["purchases"], one["amount"]) for name, one in locations.items()} == {
        "oslo": (1, 100),
        "bergen": (1, 50),
    }


def test_purchases_follow_their_orders(api: Any) -> None:
    for number, day in enumerate((3, 1, 5)):
        buy(api, f"o{number}", 100 + number, day)
    assert bought(api) == (3, 303, DAYS[1], DAYS[5])
    api.call("PUT", "/v1/orders/o2", {"status": "CANCELED"})
    assert bought(api) == (2, 201, DAYS[1], DAYS[3])
    api.call("PUT", "/v1/orders/o1", {"customer": {"source_id": "bob"}})
    assert bought(api) == (1, 100, DAYS[3], DAYS[3])
    assert bought(api, "bob") == (1, 101, DAYS[1], DAYS[1])
    api.call("PUT", "/v1/orders/o0", {"amount": 70, "location": {"id": "bergen"}})
    assert bought(api) == (1, 70, DAYS[3], DAYS[3])
    assert list(in_store(api)["locations"]) == ["bergen"]
    api.call("PUT", "/v1/orders/o2", {"status": "PAID"})
    assert bought(api) == (2, 172, DAYS[3], DAYS[5])
    for name in ("o0", "o2"):
        api.call("PUT", f"/v1/orders/{name}", {"status": "CANCELED"})
    assert bought(api) == (0, 0, None, None)
    assert in_store(api)["locations"] == {}


def test_a_redemption_in_a_shop_is_a_purchase(api: Any) -> None:
    voucher = {"type": "DISCOUNT_VOUCHER", "discount": {"type": "AMOUNT", "amount_off": 100}}
    api.call("POST", "/v1/vouchers/CODE", voucher)
    order = {"amount": 1000, "status": "PAID", "location": {"id": "oslo"}}
    body = {"redeemables": [{"object": "voucher", "id": "CODE"}], "customer": {"source_id": "ann"}, "order": order}
    api.call("POST", "/v1/redemptions", body)
    customer = api.call("GET", "/v1/customers/ann")
    assert customer["in_store"]["purchases"] == {
        "count": customer["summary"]["orders"]["total_count"],
        "amount": customer["summary"]["orders"]["total_amount"],
    }


def test_in_store_activity_is_filtered_on(api: Any) -> None:
    raw = {
        "in_store.visits.count": {"conditions": {"$more_than": [1]}},
        "in_store.last_visit_at": {"conditions": {"$less_than_ago": [1]}},
        "in_store.locations.oslo.1.visits": {"conditions": {"$is": [2]}},
    }
    segment = facts.new_segment(api, raw)
    body = {"event": "checked_in", "customer": {"source_id": "ann"}, "location": {"id": "oslo.1"}}
    api.call("POST", "/v1/events", body)
    assert api.call("GET", "/v1/customers/ann/segments")["data"] == []
    api.call("POST", "/v1/events", body)
    assert [one["id"] for one in api.call("GET", "/v1/customers/ann/segments")["data"]] == [segment]


@pytest.mark.parametrize("location", [{}, {"name": "Oslo"}, {"id": ""}, {"id": "x" * 256}, {"id": "a\0"}, "oslo", [1]])
def test_a_location_that_is_none_is_refused(api: Any, location: Any) -> None:
    customer = {"source_id": "ann"}
    event = {"event": "e", "customer": customer, "location": location}
    api.fails("POST", "/v1/events", event, status=400, key="invalid_payload")
    api.fails("POST", "/v1/orders", {"customer": customer, "location": location}, status=400, key="invalid_payload")
    api.fails("GET", "/v1/customers/ann", status=404, key="not_found")
