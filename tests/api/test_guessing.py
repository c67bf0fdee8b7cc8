"""Codes are not guessed: who tries too many in vain is answered no more, and a client key learns nothing of others."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest

from conftest import Api
from harness import Server
from management import managed
from promotions import make_voucher, percent, rows, stack
from rapport.core.db import Database
from rapport.projects.actions import create_key
from rapport.projects.models import NewKey

ADDRESS, CUSTOMER, CLIENT_KEY, SERVER_KEY = 6, 4, 12, 10
BUDGETS = {
    "RAPPORT_FAILED_CODES_PER_ADDRESS_PER_HOUR": str(ADDRESS),
    "RAPPORT_FAILED_CODES_PER_CUSTOMER_PER_HOUR": str(CUSTOMER),
    "RAPPORT_FAILED_CODES_PER_CLIENT_KEY_PER_HOUR": str(CLIENT_KEY),
    "RAPPORT_FAILED_CODES_PER_SERVER_KEY_PER_HOUR": str(SERVER_KEY),
    "RAPPORT_TRUSTED_PROXIES": "127.0.0.0/8",
}


@pytest.fixture(scope="module")
def strict(server: Server, start_server: Callable[..., Server], database_url: str) -> Iterator[Server]:
    """A second Rapport on the same database, with small budgets, which believes what the tests forward."""
    _ = server
    started = start_server(database_url, "--workers", "2", "--no-worker", env=BUDGETS)
    yield started
    started.stop()


@pytest.fixture
def shop(strict: Server, key: NewKey) -> Iterator[Api]:
    headers = {"X-App-Id": key.app_id, "X-App-Token": key.app_token}
    with Api(base_url=strict.base_url, headers=headers, timeout=30, verify=False) as found:
        yield found


@pytest.fixture
async def client(strict: Server, db: Database, key: NewKey) -> Any:
    made = await create_key(db, key.project, "client")
    headers = {"X-Client-Application-Id": made.app_id, "X-Client-Token": made.app_token}
    with Api(base_url=strict.base_url, headers=headers, timeout=30, verify=False) as found:
        yield found


def publication(code: str, customer: str) -> dict[str, Any]:
    """Return the body of a publication of a particular code."""
    return {"voucher": code, "customer": {"source_id": customer}}


def publish(client: Api, code: str, customer: str = "ann", address: str = "192.0.2.1") -> httpx2.Response:
    """Ask with a client key for a particular code, from an address."""
    body = publication(code, customer)
    return client.post("/client/v1/publish", json=body, headers={"X-Forwarded-For": address})


def statuses(answers: list[httpx2.Response]) -> list[int]:
    """Return what was answered."""
    return [answer.status_code for answer in answers]


def test_an_address_that_tried_too_many_codes_is_answered_no_more(api: Any, client: Api) -> None:
    make_voucher(api, "GOOD")
    answers = [publish(client, f"NO-{number}", f"c{number}") for number in range(ADDRESS + 2)]
    assert statuses(answers) == [404] * ADDRESS + [429] * 2
    error = answers[-1].json()
    assert (error["code"], error["key"]) == (429, "too_many_requests")
    assert error["message"] == "Too many requests hit the API too quickly."
    assert {"details", "request_id"} <= error.keys()
    assert 0 < int(answers[-1].headers["retry-after"]) <= 3600 / ADDRESS
    # Not even a code that is right, and nothing is done; another address is not concerned.
    assert publish(client, "GOOD", "eve").status_code == 429
    api.fails("GET", "/v1/customers/eve", status=404, key="not_found")
    assert publish(client, "GOOD", "eve", "192.0.2.2").status_code == 200


def test_a_customer_who_tried_too_many_codes_is_answered_no_more_wherever_they_come_from(api: Any, client: Api) -> None:
    make_voucher(api, "GOOD")
    answers = [publish(client, f"NO-{number}", "ann", f"192.0.2.{number}") for number in range(CUSTOMER + 1)]
    assert statuses(answers) == [404] * CUSTOMER + [429]
    assert publish(client, "GOOD", "ann", "192.0.2.99").status_code == 429
    assert publish(client, "GOOD", "bob", "192.0.2.99").status_code == 200


def test_a_client_key_with_which_too_many_codes_were_tried_is_answered_no_more(api: Any, client: Api) -> None:
    make_voucher(api, "GOOD")
    answers = [publish(client, "NO", f"c{number}", f"192.0.2.{number}") for number in range(CLIENT_KEY + 1)]
    assert statuses(answers) == [404] * CLIENT_KEY + [429]
    assert publish(client, "GOOD", "eve", "192.0.2.99").status_code == 429
    assert api.call("POST", "/v1/publications", publication("GOOD", "eve"))["result"] == "SUCCESS"


def test_a_forwarded_address_cannot_be_made_up(api: Any, client: Api) -> None:
    _ = api
    answers = [publish(client, "NO", f"c{number}", f"198.51.100.{number}, 192.0.2.1") for number in range(ADDRESS + 1)]
    assert statuses(answers) == [404] * ADDRESS + [429]


def test_a_path_written_otherwise_is_counted_too(client: Api) -> None:
    paths = ["/client/v1/publish/", "/client//v1/publish", "/client/v1/pub%6cish", "/client/v1/publish"] * 2
    found = [
        client.post(path, json=publication("NO", f"c{number}"), headers={"X-Forwarded-For": "192.0.2.1"})
        for number, path in enumerate(paths)
    ]
    assert statuses(found) == [404] * ADDRESS + [429] * 2
    assert {answer.json()["resource_id"] for answer in found[:ADDRESS]} == {"NO"}


def test_what_a_server_key_tries_in_vain_is_counted_for_its_key(shop: Api, api: Any) -> None:
    make_voucher(api, "GOOD")
    for number in range(SERVER_KEY):
        shop.fails("GET", f"/v1/vouchers/NO-{number}", status=404, key="not_found")
    for method, path, body in (
        ("GET", "/v1/vouchers/NO", None),
        ("POST", "/v1/redemptions", stack("NO", customer=None)),
        ("POST", "/v1/vouchers/NO/validate", {}),
    ):
        shop.fails(method, path, body, status=429, key="too_many_requests")


def test_validations_redemptions_and_publications_of_a_shop_take_from_the_budget_of_its_customer(shop: Api) -> None:
    shop.fails("POST", "/v1/redemptions", stack("NO"), status=404, key="not_found")
    shop.fails("POST", "/v1/publications", publication("NO", "ann"), status=404, key="not_found")
    both = shop.call("POST", "/v1/validations", stack("NO-1", "NO-2"))
    assert (both["valid"], len(both["inapplicable_redeemables"])) == (False, 2)
    for path, body in (("/v1/validations", stack("NO")), ("/v1/redemptions", stack("NO"))):
        shop.fails("POST", path, body, status=429, key="too_many_requests")
    assert shop.call("POST", "/v1/validations", stack("NO", customer="bob"))["valid"] is False


async def test_codes_that_are_tried_beside_one_that_takes_nothing_off_are_counted(
    api: Any, client: Api, server: Server, db: Database, key: NewKey
) -> None:
    async with managed(server, db, key.project) as management:
        rules = {"redeemables_application_mode": "PARTIAL", "redeemables_no_effect_rule": "SKIP"}
        management.call("POST", "/stacking-rules", rules)
    make_voucher(api, "MINE", percent(5, effect="APPLY_TO_ITEMS"))
    answers = [
        client.post("/client/v1/redemptions", json=stack("MINE", f"NO-{number}", customer=f"c{number}"))
        for number in range(ADDRESS + 1)
    ]
    assert statuses(answers) == [404] * ADDRESS + [429]


def test_a_shop_may_say_whom_it_asks_for(shop: Api) -> None:
    for number in range(ADDRESS):
        headers = {"X-Shopper-Address": "192.0.2.1"}
        assert shop.get(f"/v1/vouchers/NO-{number}", headers=headers).status_code == 404
    assert shop.get("/v1/vouchers/NO", headers={"X-Shopper-Address": "192.0.2.1"}).status_code == 429
    assert shop.get("/v1/vouchers/NO", headers={"X-Shopper-Address": "192.0.2.2"}).status_code == 404
    # What is forwarded is the shop's own network: it is not asked.
    assert shop.get("/v1/vouchers/NO", headers={"X-Forwarded-For": "192.0.2.1"}).status_code == 404
    refused = shop.get("/v1/vouchers/NO", headers={"X-Shopper-Address": "nowhere"})
    assert (refused.status_code, refused.json()["key"]) == (400, "invalid_payload")


def test_what_succeeds_and_what_fails_for_other_reasons_costs_nothing(shop: Api, api: Any) -> None:
    make_voucher(api, "GOOD")
    make_voucher(api, "OFF", active=False)
    for _ in range(SERVER_KEY + 1):
        shop.call("POST", "/v1/validations", stack("GOOD"))
        shop.fails("POST", "/v1/redemptions", stack("OFF"), status=400, key="voucher_disabled")
        shop.fails("POST", "/v1/redemptions", {"redeemables": 1}, status=400, key="invalid_payload")
        shop.fails("GET", "/v1/customers/nobody", status=404, key="not_found")


async def test_a_success_writes_nothing_about_attempts(shop: Api, api: Any, db: Database, project_id: int) -> None:
    make_voucher(api, "GOOD")
    shop.call("POST", "/v1/validations", stack("GOOD"))
    assert await rows(db, project_id, "failed_attempts") == 0
    shop.fails("GET", "/v1/vouchers/NO", status=404, key="not_found")
    assert await rows(db, project_id, "failed_attempts") == 1


def test_a_client_key_cannot_tell_a_code_that_does_not_exist_from_one_of_others(api: Any, client: Api) -> None:
    make_voucher(api, "TAKEN")
    make_voucher(api, "OFF", active=False)
    api.call("POST", "/v1/publications", publication("TAKEN", "bob"))
    answers = {}
    for code in ("TAKEN", "NO-CODE", "OFF"):
        found = publish(client, code)
        body = found.json()
        assert body.pop("request_id").startswith("v-")
        told = str(body).replace(code, "…")
        answers[code] = (found.status_code, told, {name for name in found.headers if name != "content-length"})
    assert answers["TAKEN"] == answers["NO-CODE"] == answers["OFF"]
    assert answers["TAKEN"][0] == 404


def test_an_answer_about_a_failure_comes_at_a_full_tenth_of_a_second(api: Any, client: Api) -> None:
    make_voucher(api, "OFF", active=False)
    for code in ("NO-CODE", "OFF"):
        assert publish(client, code).elapsed.total_seconds() >= 0.1


def test_an_attempt_said_again_with_its_key_is_counted_once_more_and_does_nothing(api: Any, client: Api) -> None:
    make_voucher(api, "GOOD")
    headers = {"Idempotency-Key": "k", "X-Forwarded-For": "192.0.2.1"}
    body = publication("GOOD", "ann")
    first, second = (client.post("/client/v1/publish", json=body, headers=headers) for _ in range(2))
    assert (first.status_code, first.content) == (second.status_code, second.content)
    failed = [
        client.post("/client/v1/publish", json=publication("NO", "bob"), headers=headers | {"Idempotency-Key": "n"})
        for _ in range(CUSTOMER + 1)
    ]
    assert statuses(failed) == [404] * CUSTOMER + [429]


def test_an_hour_later_the_budget_is_full_again(
    strict: Server, start_server: Callable[..., Server], database_url: str, shop: Api
) -> None:
    _ = strict
    for _ in range(CUSTOMER):
        shop.fails("POST", "/v1/redemptions", stack("NO"), status=404, key="not_found")
    shop.fails("POST", "/v1/redemptions", stack("NO"), status=429, key="too_many_requests")
    for offset, tries in (("+16m", 1), ("+3h", CUSTOMER)):
        env = BUDGETS | {"RAPPORT_CLOCK_OFFSET": offset}
        later = start_server(database_url, "--workers", "1", "--no-worker", env=env)
        with Api(base_url=later.base_url, headers=shop.headers, timeout=30, verify=False) as found:
            for _ in range(tries):
                found.fails("POST", "/v1/redemptions", stack("NO"), status=404, key="not_found")
            found.fails("POST", "/v1/redemptions", stack("NO"), status=429, key="too_many_requests")
        later.stop()


def test_pages_of_a_shop_may_read_when_to_try_again(client: Api) -> None:
    answers = [publish(client, "NO", f"c{number}") for number in range(ADDRESS + 1)]
    assert answers[-1].status_code == 429
    assert answers[-1].headers["access-control-allow-origin"] == "*"
    assert "retry-after" in answers[-1].headers["access-control-expose-headers"]
