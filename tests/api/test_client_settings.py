"""What a project lets pages and apps do with a client key: from which origins, and which operations."""

import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

import facts
import harness
import in_cart
from conftest import Api
from management import Management, managed
from promotions import make_campaign, make_voucher, rows
from rapport.core.db import Database
from rapport.http.caller import KEY_CACHE_S
from rapport.http.client_side import SWITCHES
from rapport.projects.actions import create_key
from rapport.projects.models import NewKey
from shopping import basket

SHOP = "https://shop.example"
EVENT = {"event": "seen", "customer": {"source_id": "ann"}}
# Every client operation: its request, and the switch that it is under.
OPERATIONS: dict[str, tuple[str, str, Any, dict[str, str], str | None]] = {
    "validations": ("POST", "/client/v1/validations", basket("CODE"), {}, None),
    "validate": ("GET", "/client/v1/validate", None, {"code": "CODE", "amount": "1000"}, None),
    "promotions": ("GET", "/client/v1/promotions/validation", None, {"amount": "1000"}, "client_list_vouchers_enabled"),
    "customers": ("POST", "/client/v1/customers", {"source_id": "ann"}, {}, "client_create_customer_enabled"),
    "list consents": ("GET", "/client/v1/consents", None, {}, None),
    "redemptions": ("POST", "/client/v1/redemptions", basket("CODE"), {}, "client_redeem_enabled"),
    "redeem": ("POST", "/client/v1/redeem", {}, {"code": "CODE"}, "client_redeem_enabled"),
    "qualifications": ("POST", "/client/v1/qualifications", {}, {}, "client_list_vouchers_enabled"),
    "tiers": ("GET", "/client/v1/promotions/tiers", None, {}, "client_list_vouchers_enabled"),
    "publish": (
        "POST",
        "/client/v1/publish",
        {"campaign": {"name": "Spring"}, "customer": {"source_id": "ann"}},
        {},
        "client_publish_enabled",
    ),
    "events": ("POST", "/client/v1/events", EVENT, {}, "client_loyalty_events_enabled"),
    "consents": ("PUT", "/client/v1/customers/ann/consents", {"unsubscribed": True}, {}, None),
}
GOOD = dict.fromkeys(OPERATIONS, 200) | {"consents": 204}
Opened = Callable[..., Awaitable[Api]]


@pytest.fixture
async def management(server: harness.Server, db: Database, key: NewKey) -> AsyncIterator[Management]:
    async with managed(server, db, key.project) as found:
        yield found


@pytest.fixture
async def opened(server: harness.Server, db: Database, key: NewKey, management: Management) -> AsyncIterator[Opened]:
    """Change settings, and return a page's client; its key is new to the server, which remembers nothing of it."""
    with contextlib.ExitStack() as stack:

        async def opens(origin: str | None = None, **settings: Any) -> Api:
            management.call("PUT", "", settings)
            made = await create_key(db, key.project, "client")
            headers = {"X-Client-Application-Id": made.app_id, "X-Client-Token": made.app_token}
            headers |= {} if origin is None else {"Origin": origin}
            return stack.enter_context(Api(base_url=server.base_url, headers=headers, timeout=30, verify=False))

        yield opens


@pytest.fixture
def stock(api: Api) -> None:
    """Things that every client operation can be about."""
    make_voucher(api, "CODE", redemption={"quantity": None})
    make_campaign(api, "Spring", vouchers_count=20)
    in_cart.make_promotion(api, in_cart.tier("T"), name="Basket")
    api.call("POST", "/v1/customers", {"source_id": "ann"})


def statuses(client: Api, **headers: str) -> dict[str, int]:
    """Make every client operation; return how each was answered."""
    return {
        name: client.request(method, path, json=body, params=query, headers=headers).status_code
        for name, (method, path, body, query, _) in OPERATIONS.items()
    }


def test_every_client_operation_is_here_and_says_its_switch(api: Api) -> None:
    document = api.call("GET", "/openapi.json")["paths"]
    served = {
        (method.upper(), path)
        for path, methods in document.items()
        for method in methods
        if path.startswith("/client/")
    }
    assert served == {(method, path.replace("/ann/", "/{customer_id}/")) for method, path, *_ in OPERATIONS.values()}
    for method, path in served:
        assert "Origin" in [one["name"] for one in document[path][method.lower()]["parameters"]]


@pytest.mark.usefixtures("stock")
async def test_nothing_is_asked_of_who_sets_nothing(opened: Opened) -> None:
    client = await opened()
    assert statuses(client) == GOOD
    assert statuses(client, Origin="null") == GOOD


@pytest.mark.usefixtures("stock")
@pytest.mark.parametrize("switch", SWITCHES)
async def test_a_switch_disables_its_operations_and_no_others(opened: Opened, switch: str) -> None:
    client = await opened(**{switch: False})
    expected = {name: 403 if one[4] == switch else GOOD[name] for name, one in OPERATIONS.items()}
    assert statuses(client) == expected
    for name, (method, path, body, query, _) in OPERATIONS.items():
        if expected[name] == 403:
            error = client.fails(method, path, body, params=query, status=403, key="forbidden")
            assert switch in error["details"]


@pytest.mark.usefixtures("stock")
async def test_every_operation_asks_for_a_trusted_origin(opened: Opened, db: Database, project_id: int) -> None:
    client = await opened(client_trusted_domains=[SHOP, "*.shop.example"])
    before = await facts.counts(db, project_id), await facts.log_types(db, project_id)
    for origin in (None, "null", "https://evil.test", "http://shop.example", f"{SHOP}.evil.test", f"{SHOP}, {SHOP}"):
        assert statuses(client, **({} if origin is None else {"Origin": origin})) == dict.fromkeys(OPERATIONS, 403)
    assert (await facts.counts(db, project_id), await facts.log_types(db, project_id)) == before
    for origin in (SHOP, "https://www.shop.example:8443", "HTTPS://SHOP.example:443"):
        assert statuses(client, Origin=origin) == GOOD


async def test_a_page_can_read_why_it_is_refused(opened: Opened) -> None:
    client = await opened(client_trusted_domains=[SHOP], client_loyalty_events_enabled=False)
    asked = {"Origin": "https://evil.test", "Access-Control-Request-Method": "POST"}
    allowed = client.options("/client/v1/events", headers=asked)
    assert (allowed.status_code, allowed.headers["access-control-allow-origin"]) == (204, "*")
    for origin, said in (("https://evil.test", "https://evil.test"), (SHOP, "client_loyalty_events_enabled")):
        refused = client.post("/client/v1/events", json=EVENT, headers={"Origin": origin})
        assert (refused.status_code, refused.json()["key"]) == (403, "forbidden")
        assert said in refused.json()["details"]
        assert refused.headers["access-control-allow-origin"] == "*"
    # Who has no key is told nothing of it.
    nobody = client.post("/client/v1/events", json=EVENT, headers={"Origin": SHOP, "X-Client-Token": "x"})
    assert nobody.status_code == 401


async def test_an_origin_is_not_asked_of_servers(opened: Opened, api: Api) -> None:
    await opened(client_trusted_domains=[SHOP], **dict.fromkeys(SWITCHES, False))
    assert api.post("/v1/events", json=EVENT, headers={"Origin": "https://evil.test"}).status_code == 200


async def test_an_answer_is_not_said_again_to_a_page_of_another_origin(opened: Opened) -> None:
    client = await opened(SHOP, client_trusted_domains=[SHOP])
    headers = {"Idempotency-Key": "k"}
    refused = client.post("/client/v1/events", json=EVENT, headers=headers | {"Origin": "https://evil.test"})
    first, second = (client.post("/client/v1/events", json=EVENT, headers=headers) for _ in range(2))
    again = client.post("/client/v1/events", json=EVENT, headers=headers | {"Origin": "https://evil.test"})
    assert [one.status_code for one in (refused, first, second, again)] == [403, 200, 200, 403]
    assert second.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in again.headers


async def test_a_change_holds_once_the_key_is_read_again(opened: Opened, management: Management) -> None:
    client = await opened(SHOP)
    assert client.post("/client/v1/events", json=EVENT).status_code == 200
    for settings, status in (
        ({"client_trusted_domains": ["other.example"]}, 403),
        ({"client_trusted_domains": []}, 200),
        ({"client_loyalty_events_enabled": False}, 403),
    ):
        management.call("PUT", "", settings)
        changed_at = time.monotonic()

        def holds(wanted: int = status) -> bool:
            # Two processes know the key, each for a while.
            return all(client.post("/client/v1/events", json=EVENT).status_code == wanted for _ in range(4))

        harness.wait_for(holds, what="the change", timeout_s=2 * KEY_CACHE_S)
        assert time.monotonic() - changed_at < KEY_CACHE_S + 2


@pytest.mark.usefixtures("stock")
async def test_client_keys_that_make_no_customers(opened: Opened, api: Api, db: Database, project_id: int) -> None:
    client = await opened(client_create_customer_enabled=False)
    assert statuses(client) == GOOD | {"customers": 403}
    before = await facts.counts(db, project_id), await facts.log_types(db, project_id)
    stranger = {"source_id": "nobody"}
    for path, body, query in (
        ("/client/v1/redemptions", basket("CODE") | {"customer": stranger}, {}),
        ("/client/v1/redemptions", basket("CODE", order={"amount": 1000, "referrer": stranger}), {}),
        ("/client/v1/redeem", {"customer": stranger}, {"code": "CODE"}),
        ("/client/v1/publish", {"campaign": {"name": "Spring"}, "customer": stranger}, {}),
    ):
        for headers in ({}, {"Idempotency-Key": path}):
            refused = client.post(path, json=body, params=query, headers=headers)
            assert (refused.status_code, refused.json()["key"]) == (403, "forbidden"), refused.text
    # Whether somebody is known is not told by what tells it to nobody; the event is not kept.
    known, unknown = (
        client.post("/client/v1/events", json={"event": "seen", "customer": {"source_id": one}}).json()
        for one in ("ann", "nobody")
    )
    assert unknown == known | {"customer": known["customer"] | {"source_id": "nobody"}}
    again = {"Idempotency-Key": "event"}
    assert client.post("/client/v1/events", json={"event": "e", "customer": stranger}, headers=again).status_code == 200
    api.fails("GET", "/v1/customers/nobody", status=404, key="not_found")
    counts, types = await facts.counts(db, project_id), await facts.log_types(db, project_id)
    assert types[len(before[1]) :] == ["customer.custom_event"]
    grown = {name for name, number in counts.items() if number != before[0].get(name)}
    assert grown == {"activity", "events"}
    # What somebody says about consents is never lost.
    client.call("PUT", "/client/v1/customers/nobody/consents", {"unsubscribed": True}, status=204)
    assert api.call("GET", "/v1/customers/nobody")["consents"]["unsubscribed"]["given"] is True


@pytest.mark.parametrize("code", ["USED", "OTHERS", "MISSING"])
async def test_who_is_unknown_is_told_of_a_code_what_everybody_is(
    opened: Opened, api: Api, db: Database, project_id: int, code: str
) -> None:
    make_voucher(api, "USED", redemption={"quantity": 1})
    api.call("POST", "/v1/redemptions", basket("USED"))
    make_voucher(api, "OTHERS", active=False)
    client = await opened(client_create_customer_enabled=False)
    known, unknown = (
        client.post("/client/v1/redemptions", json=basket(code, customer=one)) for one in ("ann", "nobody")
    )
    assert known.status_code == unknown.status_code
    other = {"request_id": "", "resource_id": ""}
    assert known.json() | other == unknown.json() | other
    assert unknown.json()["key"] != "forbidden"
    # The failure of somebody who is known is kept, that of nobody is not.
    assert await rows(db, project_id, "redemptions") == (1 if code == "MISSING" else 2)
    api.fails("GET", "/v1/customers/nobody", status=404, key="not_found")
