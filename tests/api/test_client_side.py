"""Client-side operations: a key that anybody can read tells nothing about anybody."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import httpx2
import pytest

import facts
import in_cart
from conftest import Api
from harness import Server
from promotions import make_campaign, make_rule, one_rule
from rapport.core.db import Database
from rapport.projects.actions import create_key
from rapport.projects.models import NewKey


@pytest.fixture
async def client_key(db: Database, key: NewKey) -> NewKey:
    return await create_key(db, key.project, "client")


@pytest.fixture
def client(server: Server, client_key: NewKey) -> Iterator[Api]:
    headers = {"X-Client-Application-Id": client_key.app_id, "X-Client-Token": client_key.app_token}
    with Api(base_url=server.base_url, headers=headers, timeout=30, verify=False) as found:
        yield found


CALLS = [
    ("PUT", "/client/v1/customers/ann/consents", {"unsubscribed": True}),
    ("POST", "/client/v1/events", {"event": "seen", "customer": {"source_id": "ann"}}),
]
OPEN = [*CALLS, ("POST", "/client/v1/customers", {"source_id": "ann"}), ("GET", "/client/v1/consents", None)]


@pytest.mark.parametrize(("method", "path", "body"), OPEN)
async def test_only_a_client_key_opens_the_client_side(
    server: Server, key: NewKey, client_key: NewKey, db: Database, project_id: int, method: str, path: str, body: Any
) -> None:
    for headers in (
        {},
        {"X-Client-Application-Id": client_key.app_id},
        {"X-Client-Application-Id": client_key.app_id, "X-Client-Token": "x"},
        {"X-Client-Application-Id": key.app_id, "X-Client-Token": key.app_token},
        {"X-App-Id": client_key.app_id, "X-App-Token": client_key.app_token},
        {"X-App-Id": key.app_id, "X-App-Token": key.app_token},
    ):
        answer = httpx2.request(method, server.base_url + path, json=body, headers=headers)
        assert (answer.status_code, answer.json()["key"]) == (401, "unauthorized")
    assert await facts.counts(db, project_id) == {}


@pytest.mark.parametrize(("method", "path", "body"), CALLS)
def test_the_answer_is_the_same_for_who_is_known_and_who_is_not(
    api: Any, client: Api, method: str, path: str, body: Any
) -> None:
    def answer() -> tuple[int, bytes]:
        found = client.request(method, path, json=body)
        return found.status_code, found.content

    unknown = answer()
    api.call("POST", "/v1/customers", {"source_id": "ann", "name": "Ann", "email": "ann@example.com"})
    assert answer() == unknown
    assert b"cust_" not in unknown[1]
    assert b"ann@" not in unknown[1]


def test_a_customer_is_named_by_source_id_only(api: Any, client: Api) -> None:
    ann = api.call("POST", "/v1/customers", {"source_id": "ann"})
    client.fails(
        "PUT", f"/client/v1/customers/{ann['id']}/consents", ["unsubscribed"], status=400, key="invalid_payload"
    )
    for customer in ({"id": ann["id"]}, {"source_id": ann["id"]}, {"source_id": ""}, {"name": "x"}):
        body = {"event": "e", "customer": customer}
        client.fails("POST", "/client/v1/events", body, status=400, key="invalid_payload")
    assert api.call("GET", "/v1/customers")["total"] == 1
    assert api.call("GET", "/v1/customers/ann") == ann


def test_what_a_client_says_is_kept_as_the_clients(api: Any, client: Api) -> None:
    client.call("PUT", "/client/v1/customers/ann/consents", {"unsubscribed": True}, status=204)
    client.fails("PUT", "/client/v1/customers/ann/consents", {"nothing": True}, status=404, key="not_found")
    client.call("POST", "/client/v1/events", {"event": "seen", "customer": {"source_id": "ann", "name": "Ann"}})
    customer = api.call("GET", "/v1/customers/ann")
    assert customer["consents"]["unsubscribed"]["given"] is True
    assert (customer["name"], customer["events"]["seen"]["count"]) == ("Ann", 1)
    entries = api.call("GET", "/v1/customers/ann/activity", params={"additions": "true"})["data"]
    assert {entry["data"]["event_source"]["channel"] for entry in entries} == {"CLIENT_API"}
    assert api.call("GET", "/v1/customers/ann/consents")["data"][0]["event_source"]["channel"] == "CLIENT_API"


def test_a_page_of_any_origin_may_call_the_client_side_and_nothing_else(server: Server, client: Api) -> None:
    asked = {"Origin": "https://shop.example.com", "Access-Control-Request-Method": "POST"}
    allowed = client.options("/client/v1/events", headers=asked)
    assert (allowed.status_code, allowed.headers["access-control-allow-origin"]) == (204, "*")
    assert "x-client-token" in allowed.headers["access-control-allow-headers"]
    refused = httpx2.post(
        f"{server.base_url}/client/v1/events", json={}, headers={"Origin": "https://shop.example.com"}
    )
    assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, "*")
    for path in ("/v1/events", "/v1/customers"):
        assert "access-control-allow-origin" not in client.options(path, headers=asked).headers


def test_an_answer_said_again_is_open_to_pages_too(client: Api) -> None:
    headers = {"Idempotency-Key": "k", "Origin": "https://shop.example"}
    body = {"event": "seen", "customer": {"source_id": "ann"}}
    first, second = (client.post("/client/v1/events", json=body, headers=headers) for _ in range(2))
    assert first.status_code == second.status_code == 200
    assert "idempotency-replayed" not in first.headers
    assert second.headers["idempotency-replayed"] == "true"
    assert second.headers["access-control-allow-origin"] == first.headers["access-control-allow-origin"] == "*"


def test_a_page_makes_customers_and_is_told_what_it_said(api: Any, client: Api) -> None:
    address = {"city": "Oslo", "line_1": None}
    said = {"source_id": "ann", "name": "Ann", "address": address, "metadata": {"size": 3, "ratio": 0.5}}
    told = client.call("POST", "/client/v1/customers", said)
    made = api.call("GET", "/v1/customers/ann")
    assert told == {
        "id": made["id"],
        "source_id": "ann",
        "name": "Ann",
        "address": {"city": "Oslo"},
        "metadata": {"size": 3, "ratio": Decimal("0.5")},
        "object": "customer",
    }
    assert (made["name"], made["address"], made["metadata"]) == ("Ann", {"city": "Oslo"}, told["metadata"])
    api.call("PUT", "/v1/customers/ann", {"email": "ann@shop.example", "metadata": {"secret": 1}})
    assert client.call("POST", "/client/v1/customers", {"source_id": "ann", "phone": "1"}) == {
        "id": made["id"], "source_id": "ann", "phone": "1", "metadata": {}, "object": "customer",
    }  # fmt: skip
    kept = api.call("GET", "/v1/customers/ann")
    assert (kept["phone"], kept["email"], kept["name"]) == ("1", "ann@shop.example", "Ann")
    for body in ({"name": "x"}, {"source_id": made["id"]}, {"source_id": ""}):
        client.fails("POST", "/client/v1/customers", body, status=400, key="invalid_payload")
    assert api.call("GET", "/v1/customers")["total"] == 1


def test_a_page_lists_the_consents_to_ask_for(api: Any, client: Api) -> None:
    api.call("POST", "/v1/consents", {"name": "News", "category": "MARKETING"})
    assert client.call("GET", "/client/v1/consents") == api.call("GET", "/v1/consents")


def test_a_page_publishes_from_the_campaign_that_its_query_names(api: Any, client: Api) -> None:
    make_campaign(api, "Spring")
    make_campaign(api, "Summer", pattern="SUM-####")
    body = {"customer": {"source_id": "ann"}, "channel": "Voucherify.js"}
    query = {"campaign": "Spring"}
    assert client.call("POST", "/client/v1/publish", body, params=query)["voucher"]["campaign"] == "Spring"
    other = body | {"campaign": {"name": "Summer"}}
    assert client.call("POST", "/client/v1/publish", other, params=query)["voucher"]["campaign"] == "Summer"
    client.fails("POST", "/client/v1/publish", body, status=400, key="missing_vouchers")
    for wrong in ("a\0b", "x" * 256):
        named = {"campaign": wrong}
        client.fails("POST", "/client/v1/publish", body, params=named, status=400, key="invalid_query_params")


def test_a_page_asks_for_promotions_with_a_cart_in_its_query(api: Any, client: Api) -> None:
    rule = make_rule(api, one_rule("customer.metadata", "$is", "yes", property="vip"))
    in_cart.make_promotion(
        api, in_cart.tier("All", 10), in_cart.tier("Vip", 20, validation_rules=[rule]), name="Basket"
    )
    api.call("POST", "/v1/customers", {"source_id": "ann", "metadata": {"vip": "yes", "secret": 1}})
    mug = api.call("POST", "/v1/products", {"name": "Mug", "price": 500})["id"]
    cart = {"item[0][product_id]": mug, "item[0][quantity]": "2"}

    def found(**query: str) -> dict[str, int]:
        answer = client.call("GET", "/client/v1/promotions/validation", params=cart | query)
        assert answer["valid"] is True
        return {one["name"]: one["order"]["total_discount_amount"] for one in answer["promotions"]}

    assert found() == {"All": 100}
    assert found(**{"customer[source_id]": "ann"}) == {"All": 100, "Vip": 200}
    assert found(**{"customer[source_id]": "bob", "customer[metadata][vip]": "yes"}) == {"All": 100, "Vip": 200}
    assert "secret" not in client.get("/client/v1/promotions/validation", params=cart | {"customer": "ann"}).text
    for wrong in ({"amount": "ten"}, {"customer": "a\0"}, {"item[0][quantity]": "-1"}):
        client.fails("GET", "/client/v1/promotions/validation", params=wrong, status=400, key="invalid_query_params")
    api.fails("GET", "/v1/customers/bob", status=404, key="not_found")
