"""Whom and which order a redemption names."""

from typing import Any

from promotions import make_voucher, redeem, stack, used


def test_a_tracking_id_names_the_customer_wherever_it_is_sent_back(api: Any) -> None:
    make_voucher(api, "CODE")
    first = redeem(api, "CODE")["redemptions"][0]
    again = redeem(api, "CODE", customer=None, tracking_id=first["tracking_id"])["redemptions"][0]
    assert again["customer_id"] == first["customer_id"]
    validated = api.call("POST", "/v1/validations", stack("CODE", customer=None, tracking_id=first["tracking_id"]))
    assert validated["tracking_id"] == first["tracking_id"] == "ann"
    path = f"/v1/redemptions/{again['id']}/rollback"
    api.call("POST", "/v1/customers", {"source_id": "bob"})
    api.fails("POST", path, {"tracking_id": "bob"}, status=400, key="invalid_customer")
    api.fails("POST", path, params={"tracking_id": "bob"}, status=400, key="invalid_customer")
    assert api.call("POST", path, {"tracking_id": "ann"})["result"] == "SUCCESS"


def test_a_hashed_tracking_id_is_refused(api: Any) -> None:
    make_voucher(api, "CODE")
    body = stack("CODE", customer=None, tracking_id="track_5DQxXbK0C0pv")
    for path in ("/v1/redemptions", "/v1/validations"):
        assert ".tracking_id" in api.fails("POST", path, body, status=400, key="invalid_payload")["details"]
    redeem(api, "CODE", tracking_id="track_5DQxXbK0C0pv")
    assert used(api, "CODE") == 1


def test_the_order_of_somebody_else_is_refused(api: Any) -> None:
    make_voucher(api, "CODE")
    api.call("POST", "/v1/customers", {"source_id": "bob"})
    before = api.call("POST", "/v1/orders", {"source_id": "o", "amount": 800, "customer": {"source_id": "ann"}})
    by_id = {"source_id": "o", "customer_id": api.call("GET", "/v1/customers/bob")["id"]}
    for body in (
        stack("CODE", customer="bob", order={"source_id": "o"}),
        stack("CODE", customer="new", order={"id": before["id"]}),
        stack("CODE", customer=None, order={"source_id": "o", "customer": {"source_id": "bob"}}),
        stack("CODE", customer=None, order=by_id),
        stack("CODE", customer=None, order={"source_id": "o"}, tracking_id="bob"),
    ):
        for path in ("/v1/redemptions", "/v1/validations"):
            error = api.fails("POST", path, body, status=400, key="invalid_order")
            assert before["id"] in error["details"]
    api.fails("GET", "/v1/customers/new", status=404, key="not_found")
    assert api.call("GET", "/v1/orders/o") == before
    assert used(api, "CODE") == 0
    redeem(api, "CODE", customer=None, order={"source_id": "o"})
    api.call("POST", "/v1/orders", {"source_id": "nobody's", "amount": 800})
    done = redeem(api, "CODE", customer="bob", order={"source_id": "nobody's"})
    assert done["order"]["customer_id"] == done["redemptions"][0]["customer_id"] == by_id["customer_id"]


def test_a_canceled_order_is_not_redeemed_against_unless_it_is_reopened(api: Any) -> None:
    make_voucher(api, "CODE")
    before = api.call(
        "POST", "/v1/orders", {"source_id": "o", "amount": 800, "status": "CANCELED", "customer": {"source_id": "ann"}}
    )
    for order in ({"source_id": "o"}, {"source_id": "o", "amount": 900}, {"amount": 5, "status": "CANCELED"}):
        for path in ("/v1/redemptions", "/v1/validations"):
            api.fails("POST", path, stack("CODE", order=order), status=400, key="invalid_order")
    assert api.call("GET", "/v1/orders/o") == before
    assert used(api, "CODE") == 0
    assert redeem(api, "CODE", order={"source_id": "o", "status": "PAID"})["order"]["status"] == "PAID"
