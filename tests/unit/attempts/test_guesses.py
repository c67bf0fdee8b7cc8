"""What a failed attempt is, and what a client key is told of it."""

import json
from typing import Any

import pytest

from rapport.http.attempts.models import Asked, Told
from rapport.vouchers.guessing import Guesses

GUESSES = Guesses()


def asked(body: Any = None, *, by_client: bool = True, path: str = "/client/v1/redemptions", **query: str) -> Asked:
    """Return a request."""
    return Asked("POST", path, query, b"" if body is None else json.dumps(body).encode(), by_client=by_client)


def error(key: str, code: int = 400, details: str = "CODE", **more: Any) -> dict[str, Any]:
    """Return an error as the API answers it."""
    return {"code": code, "key": key, "message": key, "details": details, "request_id": "v-1", **more}


def missing(code: str) -> dict[str, Any]:
    """Return the error about a code that does not exist."""
    return error("not_found", 404, f"Cannot find voucher with id {code}", resource_id=code, resource_type="voucher") | {
        "message": "Resource not found"
    }


def told(request: Asked, status: int, body: Any) -> Told | None:
    """Return what the reader makes of an answer."""
    return GUESSES.failed(request, status, json.dumps(body).encode())


ONE = {"redeemables": [{"object": "voucher", "id": "CODE"}]}


@pytest.mark.parametrize(
    ("method", "path", "covered"),
    [
        ("POST", "/client/v1/validations", True),
        ("POST", "/v1/validations", True),
        ("POST", "/client/v1/redemptions", True),
        ("POST", "/v1/redemptions", True),
        ("POST", "/client/v1/qualifications", True),
        ("POST", "/client/v1/publish", True),
        ("POST", "/client/v1/redeem", True),
        ("GET", "/client/v1/validate", True),
        ("POST", "/v1/publications", True),
        ("GET", "/v1/publications/create", True),
        ("GET", "/v1/vouchers/CODE", True),
        ("GET", "/v1/vouchers/A/B", True),
        ("POST", "/v1/vouchers/A/B/validate", True),
        ("POST", "/v1/vouchers/CODE/redemption", True),
        ("POST", "/v1/vouchers/CODE", False),
        ("GET", "/v1/vouchers", False),
        ("GET", "/v1/redemptions", False),
        ("POST", "/v1/redemptions/r_1/rollback", False),
        ("POST", "/v1/customers", False),
        ("OPTIONS", "/client/v1/validations", False),
    ],
)
def test_codes_are_tried_with_these_operations(method: str, path: str, *, covered: bool) -> None:
    assert GUESSES.covers(method, path) is covered


@pytest.mark.parametrize(
    ("body", "query", "name"),
    [
        ({"customer": {"source_id": "ann", "id": "cust_1"}}, {}, "ann"),
        ({"customer": {"id": "cust_1"}}, {}, "cust_1"),
        ({"tracking_id": "ann"}, {}, "ann"),
        ({"order": {"customer": {"source_id": "ann"}}}, {}, "ann"),
        ({"order": {"customer_id": "cust_1"}}, {}, "cust_1"),
        (None, {"customer[source_id]": "ann"}, "ann"),
        (None, {"tracking_id": "ann"}, "ann"),
        ({"customer": {"source_id": 1}, "order": [], "tracking_id": {}}, {}, None),
        ([], {}, None),
        (None, {}, None),
    ],
)
def test_the_customer_is_found_wherever_a_request_names_one(body: Any, query: dict[str, str], name: str | None) -> None:
    assert GUESSES.customer(asked(body, **query)) == name


def test_a_body_that_is_no_json_names_nobody() -> None:
    for raw in (b"{", b"\xff", b"[" * 5_000):
        assert GUESSES.customer(Asked("POST", "/v1/redemptions", {}, raw, by_client=True)) is None


@pytest.mark.parametrize("by_client", [True, False])
def test_a_code_that_does_not_exist_counts(*, by_client: bool) -> None:
    found = told(asked(ONE, by_client=by_client), 404, missing("CODE"))
    assert found is not None
    assert (found.attempts, found.status, json.loads(found.body)) == (1, 404, missing("CODE"))


@pytest.mark.parametrize("key", ["voucher_disabled", "voucher_not_active", "customer_rules_violated"])
def test_a_client_key_is_not_told_of_a_code_that_cannot_be_used(key: str) -> None:
    refused = error(key, details="CODE cannot be redeemed", resource_id="r_1", resource_type="redemption")
    found = told(asked(ONE), 400, refused)
    assert found is not None
    assert (found.attempts, found.status, json.loads(found.body)) == (1, 404, missing("CODE"))
    assert told(asked(ONE, by_client=False), 400, refused) is None


def test_of_several_codes_the_one_that_the_error_is_about_is_missing() -> None:
    several = {"redeemables": [{"object": "voucher", "id": code} for code in ("GOOD", "CODE")]}
    found = told(asked(several), 400, error("voucher_disabled"))
    assert found is not None
    assert json.loads(found.body) == missing("CODE")


def test_what_a_shop_says_itself_is_told() -> None:
    body = error("customer_rules_violated", error={"message": "For Oslo only"})
    assert told(asked(ONE), 400, body) is None


@pytest.mark.parametrize("key", ["order_rules_violated", "missing_customer", "missing_amount", "invalid_payload"])
def test_what_a_shopper_can_do_something_about_is_told(key: str) -> None:
    assert told(asked(ONE), 400, error(key)) is None


@pytest.mark.parametrize("key", ["voucher_expired", "quantity_exceeded"])
def test_a_useless_code_is_told_and_counts_for_a_client_key(key: str) -> None:
    found = told(asked(ONE), 400, error(key))
    assert found is not None
    assert (found.attempts, found.status, json.loads(found.body)) == (1, 400, error(key))
    assert told(asked(ONE, by_client=False), 400, error(key)) is None


def test_other_things_that_are_missing_are_no_codes() -> None:
    for kind in ("customer", "campaign", "order", "promotion_tier"):
        assert told(asked(ONE), 404, missing("x") | {"resource_type": kind}) is None
    campaign = {"campaign": {"name": "Spring"}, "customer": {"source_id": "ann"}}
    assert told(asked(campaign, path="/client/v1/publish"), 400, error("voucher_cannot_be_published")) is None


def inapplicable(code: str, refused: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return one code of a validation that failed."""
    return {"status": "INAPPLICABLE", "id": code, "object": "voucher", "result": {"error": refused}, **more}


def validation(*failed: dict[str, Any]) -> dict[str, Any]:
    """Return the answer to a validation."""
    lists = {"redeemables": [*failed], "inapplicable_redeemables": [*failed], "skipped_redeemables": []}
    return {"id": "valid_1", "valid": False, **lists}


def test_each_code_of_a_validation_counts_and_two_that_cannot_be_used_look_the_same() -> None:
    request = asked({"redeemables": [{"object": "voucher", "id": code} for code in "ABC"]})
    answer = validation(
        inapplicable("A", missing("A")),
        inapplicable("B", error("voucher_disabled", details="B"), metadata={"secret": 1}),
        inapplicable("C", error("missing_amount", details="C"), metadata={}),
    )
    found = told(request, 200, answer)
    assert found is not None
    assert (found.attempts, found.status) == (2, 200)
    assert json.loads(found.body) == validation(
        inapplicable("A", missing("A")),
        inapplicable("B", missing("B")),
        inapplicable("C", error("missing_amount", details="C"), metadata={}),
    )
    by_server = told(asked(json.loads(request.body), by_client=False), 200, answer)
    assert by_server is not None
    assert (by_server.attempts, json.loads(by_server.body)) == (1, answer)


@pytest.mark.parametrize("more", [{"valid": True, "redeemables": []}, {"redemptions": []}])
def test_codes_that_were_left_out_of_what_else_went_well_count(more: dict[str, Any]) -> None:
    request = asked({"redeemables": [{"object": "voucher", "id": code} for code in ("GOOD", "A", "B")]})
    left_out = [inapplicable("A", missing("A")), inapplicable("B", error("voucher_disabled", details="B"))]
    found = told(request, 200, {"inapplicable_redeemables": left_out, **more})
    assert found is not None
    assert (found.attempts, found.status) == (2, 200)
    uniform = [inapplicable("A", missing("A")), inapplicable("B", missing("B"))]
    assert json.loads(found.body) == {"inapplicable_redeemables": uniform, **more}


def test_a_promotion_tier_is_no_code() -> None:
    tier = {"object": "promotion_tier", "id": "promo_1"}
    refused = error("customer_rules_violated", details="promo_1 cannot be redeemed because")
    assert told(asked({"redeemables": [tier]}), 400, refused) is None
    assert told(asked({"redeemables": [tier, {"object": "voucher", "id": "CODE"}]}), 400, refused) is None
    assert told(asked(ONE), 200, validation(inapplicable("promo_1", refused) | {"object": "promotion_tier"})) is None


def test_of_two_codes_that_begin_alike_the_longer_is_meant() -> None:
    several = {"redeemables": [{"object": "voucher", "id": code} for code in ("COD", "CODE")]}
    found = told(asked(several), 400, error("voucher_disabled"))
    assert found is not None
    assert json.loads(found.body) == missing("CODE")


def test_the_older_validation_says_the_same_of_both() -> None:
    request = asked(path="/client/v1/validate", code="CODE")
    answers = [
        told(request, 200, {"valid": False, "code": "CODE", "tracking_id": None, "reason": "x", "error": one, **more})
        for one, more in (
            (missing("CODE"), {"metadata": {}}),
            (error("voucher_disabled"), {"metadata": {"secret": 1}, "campaign": "Spring"}),
        )
    ]
    assert answers[0] == answers[1]
    assert answers[0] is not None
    assert json.loads(answers[0].body)["error"] == missing("CODE")


def test_what_is_valid_costs_nothing() -> None:
    assert told(asked(ONE), 200, {"valid": True, "redeemables": [], "inapplicable_redeemables": []}) is None
    assert told(asked(ONE), 200, {"redemptions": []}) is None


@pytest.mark.parametrize("kind", [["voucher"], {"voucher": 1}, 1, None, "x" * 300])
def test_what_is_no_kind_of_thing_is_no_code(kind: Any) -> None:
    body = {"redeemables": [{"object": kind, "id": "CODE"}]}
    assert told(asked(body=body), 400, error("invalid_payload", 400, "Property .redeemables[0].object")) is None


@pytest.mark.parametrize("by_client", [True, False])
def test_each_code_that_is_not_there_is_an_attempt_where_all_of_them_are_told(*, by_client: bool) -> None:
    body = missing("A") | {"details": "; ".join(missing(code)["details"] for code in "ABC")}
    found = told(asked(ONE, by_client=by_client), 404, body)
    assert found is not None
    assert (found.attempts, found.status) == (3, 404)
