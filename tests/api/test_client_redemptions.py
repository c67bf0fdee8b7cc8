from collections.abc import Iterator
from typing import Any

import pytest

import harness
from conftest import Api
from promotions import amount, make_voucher, percent, used
from rapport.core.db import Database
from rapport.projects.actions import create_key
from rapport.projects.models import NewKey
from shopping import basket


@pytest.fixture
async def client_key(db: Database, key: NewKey) -> NewKey:
    return await create_key(db, key.project, "client")


@pytest.fixture
def client(server: harness.Server, client_key: NewKey) -> Iterator[Api]:
    headers = {"X-Client-Application-Id": client_key.app_id, "X-Client-Token": client_key.app_token}
    with Api(base_url=server.base_url, headers=headers, timeout=30, verify=False) as opened:
        yield opened


def test_a_page_validates_qualifies_and_redeems(api: Any, client: Api) -> None:
    assets = make_voucher(api, "CODE", percent(10))["assets"]
    answer = client.call("POST", "/client/v1/validations", basket("CODE"))
    assert (answer["valid"], answer["order"]["total_amount"]) == (True, 900)
    found = client.call("POST", "/client/v1/qualifications", {"order": {"amount": 1000}})
    assert [one["id"] for one in found["redeemables"]["data"]] == ["CODE"]
    done = client.call("POST", "/client/v1/redemptions", basket("CODE"))
    assert (done["redemptions"][0]["result"], done["order"]["total_amount"]) == ("SUCCESS", 900)
    assert done["redemptions"][0]["voucher"]["assets"] == assets
    one = client.call("POST", "/client/v1/redeem", {"order": {"amount": 500}}, params={"code": "CODE"})
    assert (one["order"]["total_amount"], one["voucher"]["assets"]) == (450, assets)
    assert used(api, "CODE") == 2


def test_a_page_validates_a_code_by_query(api: Any, client: Api) -> None:
    make_voucher(api, "CODE", amount(300))
    query = {"code": "CODE", "amount": "1000", "customer[source_id]": "ann", "metadata[a]": "b"}
    answer = client.call("GET", "/client/v1/validate", params=query)
    assert (answer["valid"], answer["order"]["total_amount"]) == (True, 700)
    items = {"code": "CODE", "item[0][product_id]": "apple", "item[0][quantity]": "2", "item[0][price]": "500"}
    assert client.call("GET", "/client/v1/validate", params=items)["order"]["amount"] == 1000
    for wrong in ({}, {"code": "CODE", "amount": "much"}, {"code": "CODE", "session_type": "HOLD"}):
        client.fails("GET", "/client/v1/validate", params=wrong, status=400, key="invalid_query_params")


def test_a_page_learns_nothing_about_a_person(api: Any, client: Api) -> None:
    person = {"source_id": "ann", "email": "ann@example.com", "name": "Ann", "metadata": {"secret": 1}}
    ann = api.call("POST", "/v1/customers", person)["id"]
    make_voucher(api, "CODE")
    for path in ("/client/v1/validations", "/client/v1/redemptions"):
        told = client.request("POST", path, json=basket("CODE", order={"source_id": "o", "amount": 1000})).text
        assert "example.com" not in told
        assert "secret" not in told
    for body in (
        {"customer": {"id": ann}},
        {"order": {"id": "ord_1"}},
        {"order": {"amount": 1, "customer_id": ann}},
        {"order": {"amount": 1, "customer": {"id": ann}}},
        {"customer": {"source_id": ann}},
        {"tracking_id": ann},
    ):
        for path in ("/client/v1/validations", "/client/v1/redemptions"):
            client.fails("POST", path, basket("CODE", customer=None) | body, status=400, key="invalid_payload")


def test_a_page_reads_no_order_of_somebody_else(api: Any, client: Api) -> None:
    make_voucher(api, "CODE")
    api.call("POST", "/v1/orders", {"source_id": "o", "amount": 777, "customer": {"source_id": "ann"}})
    answer = client.call("POST", "/client/v1/validations", basket("CODE", customer=None, order={"source_id": "o"}))
    assert "777" not in str(answer)
    body = basket("CODE", customer=None, order={"source_id": "o"})
    client.fails("POST", "/client/v1/redemptions", body, status=400, key="invalid_payload")
    body = basket("CODE", customer="bob", order={"source_id": "o"})
    client.fails("POST", "/client/v1/redemptions", body, status=400, key="invalid_order")


def test_a_query_with_a_nul_is_refused_by_name(server: harness.Server, client: Api) -> None:
    said = len(server.log())
    for method, path in (("GET", "/client/v1/validate"), ("POST", "/client/v1/redeem")):
        for query in ({"code": "A\x00"}, {"code": "A", "tracking_id": "\x00"}, {}):
            client.fails(method, path, params=query, status=400, key="invalid_query_params")
    nul = {"code": "A", "metadata[\x00]": "b"}
    client.fails("GET", "/client/v1/validate", params=nul, status=400, key="invalid_query_params")
    assert "refused a value" not in server.log()[said:]
