from collections.abc import Iterator
from typing import Any

import pytest

import harness
from catalogue import make_product
from conftest import Api
from promotions import amount, make_campaign, make_rule, make_voucher, one_rule, percent, publish, used
from rapport.core.db import Database
from rapport.projects.actions import create_key
from rapport.projects.models import NewKey
from shopping import basket, gift_card, line


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
    gold = make_rule(api, one_rule("customer.metadata", "$is", "gold", property="tier"))
    make_voucher(api, "GOLD", amount(300), validation_rules=[gold])
    query = {"code": "GOLD", "amount": "1000", "customer[source_id]": "ann"}
    for tier, valid in (("gold", True), ("silver", False)):
        answer = client.call("GET", "/client/v1/validate", params={**query, "customer[metadata][tier]": tier})
        assert answer["valid"] is valid
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
    body = basket("CODE", customer="bob", order={"source_id": "o", "amount": 1})
    client.fails("POST", "/client/v1/redemptions", body, status=400, key="invalid_order")


def test_a_query_with_a_nul_is_refused_by_name(server: harness.Server, client: Api) -> None:
    said = len(server.log())
    for method, path in (("GET", "/client/v1/validate"), ("POST", "/client/v1/redeem")):
        for query in ({"code": "A\x00"}, {"code": "A", "tracking_id": "\x00"}, {}):
            client.fails(method, path, params=query, status=400, key="invalid_query_params")
    nul = {"code": "A", "metadata[\x00]": "b"}
    client.fails("GET", "/client/v1/validate", params=nul, status=400, key="invalid_query_params")
    assert "refused a value" not in server.log()[said:]


@pytest.mark.parametrize("path", ["/client/v1/redemptions", "/client/v1/redeem"])
def test_a_page_redeems_against_an_order_that_is_there_and_reads_nothing_of_it(
    api: Any, client: Api, path: str
) -> None:
    make_voucher(api, "CODE", percent(10))
    order = {"source_id": "INV-1001", "amount": 5000, "metadata": {"note": "secret"}, "items": [line("rare", 1, 5000)]}
    api.call("POST", "/v1/orders", order)

    def redeemed(order: dict[str, Any], **expected: Any) -> Any:
        body: dict[str, Any] = {"customer": {"source_id": "bob"}, "order": {"source_id": "INV-1001", **order}}
        params = {"code": "CODE"}
        if path == "/client/v1/redemptions":
            body["redeemables"], params = [{"object": "voucher", "id": "CODE"}], {}
        if expected:
            return client.fails("POST", path, body, params=params, **expected)
        return client.call("POST", path, body, params=params)

    for bare in ({}, {"metadata": {"a": 1}}, {"status": "PAID"}, {"items": [{"product_id": "apple"}]}):
        redeemed(bare, status=400, key="invalid_payload")
    assert api.call("GET", "/v1/orders/INV-1001")["amount"] == 5000
    answer = redeemed({"amount": 1000, "status": "FULFILLED", "metadata": {"mine": 1}})
    assert answer["order"]["total_amount"] == 900
    assert answer["order"]["metadata"] == {"mine": 1}
    assert not {"id", "status", "created_at", "redemptions"} & set(answer["order"])
    assert "secret" not in str(answer)
    assert "rare" not in str(answer)
    stored = api.call("GET", "/v1/orders/INV-1001")
    assert (stored["status"], stored["metadata"]) == ("CREATED", {"note": "secret"})
    assert (stored["amount"], stored["total_amount"], len(stored["redemptions"])) == (1000, 900, 1)
    again = redeemed({"items": [line("apple", 2, 100)]})
    assert (again["order"]["amount"], again["order"]["total_amount"]) == (200, 180)
    stored = api.call("GET", "/v1/orders/INV-1001")
    assert (stored["status"], len(stored["redemptions"])) == ("CREATED", 2)


def test_redemptions_of_a_page_on_an_order_that_was_there_are_rolled_back(api: Any, client: Api) -> None:
    make_voucher(api, "CODE", percent(10))
    api.call("POST", "/v1/orders", {"source_id": "o", "amount": 5000})
    done = []
    for order in ({"amount": 1000}, {"items": [line("apple", 2, 100)]}):
        body = basket("CODE", order={"source_id": "o", **order})
        done.append(client.call("POST", "/client/v1/redemptions", body)["redemptions"][0]["id"])
    for redemption, left, total in zip(done, (1, 0), (180, 200), strict=True):
        api.call("POST", f"/v1/redemptions/{redemption}/rollback")
        stored = api.call("GET", "/v1/orders/o")
        assert (stored["amount"], stored["total_amount"]) == (200, total)
        assert used(api, "CODE") == left
    assert stored["status"] == "CANCELED"


def test_what_a_page_redeems_is_off_beside_what_was_off_before(api: Any, client: Api) -> None:
    """Neither is lost, and each is taken back by itself; the page is told of nothing but its own."""
    make_voucher(api, "SHOP", amount(1000))
    make_voucher(api, "PAGE", amount(500))
    gift_card(api, "CARD", 5000)
    for source_id, before, now in (("a", "SHOP", "PAGE"), ("b", ("voucher", "CARD", 1000), ("voucher", "CARD", 500))):
        order = {"source_id": source_id, "amount": 10_000}
        first = api.call("POST", "/v1/redemptions", basket(before, order=order))["redemptions"][0]["id"]
        answer = client.call("POST", "/client/v1/redemptions", basket(now, order=order))
        assert (answer["order"]["total_amount"], answer["order"]["total_discount_amount"]) == (9500, 500)
        second = answer["redemptions"][0]["id"]
        for redemption, left in (
            ((second, 9000), (first, 10_000)) if source_id == "a" else ((first, 9500), (second, 10_000))
        ):
            assert api.call("GET", f"/v1/orders/{source_id}")["total_amount"] < left
            api.call("POST", f"/v1/redemptions/{redemption}/rollback")
            assert api.call("GET", f"/v1/orders/{source_id}")["total_amount"] == left


def total(api: Any) -> tuple[int, int]:
    """Return what the order costs, and what is left to pay of it."""
    stored = api.call("GET", "/v1/orders/o")
    off = stored["discount_amount"] + stored["items_discount_amount"]
    assert stored["total_amount"] == stored["amount"] - off >= 0
    return stored["amount"], stored["total_amount"]


def test_a_page_redeems_one_code_after_the_other(api: Any, client: Api) -> None:
    make_voucher(api, "TEN", percent(10))
    make_voucher(api, "LINE", percent(50, effect="APPLY_TO_ITEMS"))
    items = [line("mug", 2, 100), line("cup", 1, 300)]
    done = []
    for code, left in (("TEN", 450), ("LINE", 200), ("TEN", 150)):
        answer = client.call("POST", "/client/v1/redemptions", basket(code, order={"source_id": "o", "items": items}))
        done.append(answer["redemptions"][0]["id"])
        assert answer["order"]["total_amount"] == (250 if code == "LINE" else 450)
        assert total(api) == (500, left)
    for redemption, left in zip((done[1], done[0], done[2]), (400, 450, 500), strict=True):
        api.call("POST", f"/v1/redemptions/{redemption}/rollback")
        assert total(api) == (500, left)


def test_a_page_that_sends_what_it_was_told_pays_what_is_left(api: Any, client: Api) -> None:
    make_voucher(api, "TEN", percent(10))
    gift_card(api, "CARD", 5000)
    told = client.call("POST", "/client/v1/redemptions", basket("TEN", order={"source_id": "o", "amount": 1000}))
    again = {"source_id": "o", **{name: told["order"][name] for name in ("amount", "discount_amount")}}
    answer = client.call("POST", "/client/v1/redemptions", basket("CARD", order=again))
    assert answer["order"]["total_amount"] == 0
    assert api.call("GET", "/v1/vouchers/CARD")["gift"]["balance"] == 4100
    assert total(api) == (1000, 0)
    api.call("POST", f"/v1/redemptions/{told['redemptions'][0]['id']}/rollback")
    assert total(api) == (1000, 100)


def test_no_more_is_off_than_what_an_order_costs(api: Any, client: Api) -> None:
    make_voucher(api, "SHOP", amount(800))
    make_voucher(api, "PAGE", amount(700))
    order = {"source_id": "o", "amount": 1000}
    first = api.call("POST", "/v1/redemptions", basket("SHOP", order=order))["redemptions"][0]["id"]
    client.call("POST", "/client/v1/redemptions", basket("PAGE", order=order))
    assert total(api) == (1000, 0)
    api.call("POST", f"/v1/redemptions/{first}/rollback")
    assert total(api) == (1000, 300)


def test_a_page_that_names_more_off_than_is_left_is_not_told_so(api: Any, client: Api) -> None:
    make_voucher(api, "HALF", percent(50, effect="APPLY_TO_ITEMS"))
    make_voucher(api, "PAGE", amount(50))
    order = {"source_id": "o", "items": [line("mug", 5, 100)]}
    first = api.call("POST", "/v1/redemptions", basket("HALF", order=order))["redemptions"][0]["id"]
    assert total(api) == (500, 250)
    own = order | {"discount_amount": 400}
    answer = client.call("POST", "/client/v1/redemptions", basket("PAGE", order=own))
    assert answer["order"]["total_amount"] == 50
    assert total(api) == (500, 50)
    api.call("POST", f"/v1/redemptions/{first}/rollback")
    assert total(api) == (500, 50)


def test_free_units_of_a_shop_stay_as_far_as_a_page_sends_them(api: Any, client: Api) -> None:
    make_product(api, "q", price=500)
    free = {"type": "UNIT", "unit_off": 1, "unit_type": "q", "effect": "ADD_NEW_ITEMS"}
    make_voucher(api, "FREE", free)
    make_voucher(api, "MORE", free | {"effect": "ADD_MISSING_ITEMS", "unit_type": "r"})
    make_voucher(api, "PAGE", amount(100))
    make_product(api, "r", price=50)
    order = {"source_id": "o", "items": [line("p", 2, 1000)]}
    gift = {"source_id": "q", "quantity": 1, "price": 500}
    first = api.call("POST", "/v1/redemptions", basket("FREE", order=order))["redemptions"][0]["id"]
    assert total(api) == (2500, 2000)
    both = order | {"items": [*order["items"], gift]}
    client.call("POST", "/client/v1/redemptions", basket("PAGE", order=both))
    assert total(api) == (2500, 1900)
    more = client.call("POST", "/client/v1/redemptions", basket("MORE", order=both))
    assert (more["order"]["amount"], more["order"]["total_amount"]) == (2550, 2500)
    assert total(api) == (2550, 1900)
    api.call("POST", f"/v1/redemptions/{first}/rollback")
    assert total(api) == (2050, 1900)
    api.call("POST", f"/v1/redemptions/{more['redemptions'][0]['id']}/rollback")
    assert total(api) == (2000, 1900)
    second = api.call("POST", "/v1/redemptions", basket("FREE", order=order))["redemptions"][0]["id"]
    client.call("POST", "/client/v1/redemptions", basket("MORE", order={"source_id": "o", "amount": 2000}))
    assert total(api) == (2550, 1900)
    api.call("POST", f"/v1/redemptions/{second}/rollback")
    assert total(api) == (2050, 1900)


def test_a_page_does_not_write_the_catalogue(api: Any, client: Api) -> None:
    make_voucher(api, "PAGE", amount(100))
    make_product(api, "p", price=500)
    for thing in ("product", "sku"):
        item = {"quantity": 1, "price": 5, thing: {"source_id": "p", "override": True, "price": 1, "name": "Mine"}}
        body = basket("PAGE", order={"items": [item]})
        client.fails("POST", "/client/v1/redemptions", body, status=400, key="invalid_payload")
    assert api.call("GET", "/v1/products/p")["price"] == 500


def test_a_page_makes_an_order_and_pays_it(api: Any, client: Api) -> None:
    make_voucher(api, "CODE", percent(10))
    client.call("POST", "/client/v1/redemptions", basket("CODE", order={"source_id": "new", "amount": 1000}))
    stored = api.call("GET", "/v1/orders/new")
    assert (stored["status"], stored["total_amount"]) == ("PAID", 900)
    api.call("PUT", "/v1/orders/new", {"status": "CANCELED"})
    body = basket("CODE", order={"source_id": "new", "amount": 1000, "status": "PAID"})
    client.fails("POST", "/client/v1/redemptions", body, status=400, key="invalid_order")


def test_a_page_is_told_no_code_that_is_worth_something_to_whoever_knows_it(api: Any, client: Api) -> None:
    make_voucher(api, "PUBLIC10", percent(10))
    make_voucher(api, "ONCE", percent(10), redemption={"quantity": 1})
    gift_card(api)
    make_campaign(api, "Mine", percent(20))
    mine = publish(api, "Mine")["voucher"]["code"]

    def codes(customer: str, **more: Any) -> set[str]:
        body = {"customer": {"source_id": customer}, "order": {"amount": 1000}, "options": {"limit": 50}, **more}
        found = client.call("POST", "/client/v1/qualifications", body)["redeemables"]["data"]
        return {one["id"] for one in found if one["object"] == "voucher"}

    assert codes("bob") == {"PUBLIC10"}
    assert codes("ann") == {"PUBLIC10", mine}
    for scenario in ("AUDIENCE_ONLY", "PRODUCTS"):
        assert not codes("bob", scenario=scenario) & {"ONCE", "CARD"}
    body = {"options": {"filters": {"code": {"conditions": {"$in": ["ONCE", "CARD"]}}}}}
    client.fails("POST", "/client/v1/qualifications", body, status=400, key="invalid_payload")
    whole = api.call("POST", "/v1/qualifications", {"order": {"amount": 1000}, "options": {"limit": 50}})
    assert {one["id"] for one in whole["redeemables"]["data"]} >= {"PUBLIC10", "ONCE", "CARD"}
