"""The official SDK reads customers with consents, devices, interactions and in-store activity, and the client side."""

import json
from pathlib import Path
from typing import Any

import pytest
import voucherify
from voucherify import models

from rapport.core.db import Database
from rapport.projects.actions import create_key
from rapport.projects.models import NewKey

DOCUMENTS = Path(__file__).resolve().parents[3] / "shared" / "reference" / "openapi"


def fill(api: Any) -> None:
    """Make a customer who has all of it."""
    api.call("POST", "/v1/customers", {"source_id": "ann", "email": "ann@example.com"})
    consent = api.call("POST", "/v1/consents", {"name": "news"})["id"]
    api.call("PUT", "/v1/customers/ann/consents", {consent: True, "unsubscribed": True})
    api.call("POST", "/v1/customers/ann/devices", {"platform": "ios", "channel": "push", "token": "t"})
    api.call("POST", "/v1/customers/ann/interactions", {"id": "i", "channel": "email", "type": "opened"})
    event = {
        "event": "checked_in",
        "customer": {"source_id": "ann"},
        "location": {"id": "oslo"},
        "device": {"token": "t"},
    }
    api.call("POST", "/v1/events", event)
    order = {
        "source_id": "o",
        "status": "PAID",
        "amount": 5,
        "customer": {"source_id": "ann"},
        "location": {"id": "oslo"},
    }
    api.call("POST", "/v1/orders", order)


def test_the_sdk_reads_a_customer_who_has_all_of_it(api: Any, sdk: voucherify.ApiClient) -> None:
    fill(api)
    customers = voucherify.CustomersApi(sdk)
    found = customers.get_customer("ann")
    assert (found.source_id, found.summary.orders.total_count) == ("ann", 1)
    assert customers.list_customers().total == 1
    seen = customers.list_customer_activity("ann", type=models.ParameterCustomerEvent.CUSTOMER_DOT_CUSTOM_EVENT)
    assert [entry.type for entry in seen.data] == ["customer.custom_event"]
    assert voucherify.OrdersApi(sdk).get_order("o").amount == 5


async def test_the_sdk_tracks_an_event_with_a_client_key(
    api: Any, sdk: voucherify.ApiClient, db: Database, key: NewKey
) -> None:
    made = await create_key(db, key.project, "client")
    configuration = voucherify.Configuration(host=sdk.configuration.host)
    configuration.api_key = {"X-Client-Application-Id": made.app_id, "X-Client-Token": made.app_token}
    client = voucherify.ClientSideApi(voucherify.ApiClient(configuration))
    body = {"event": "seen", "customer": {"source_id": "ann", "name": "Ann"}, "metadata": {"a": 1}}
    origin = "https://shop.example.com"
    tracked = client.track_custom_event_client_side(origin, models.ClientEventsCreateRequestBody.from_dict(body))
    assert (tracked.object, tracked.type, tracked.customer.source_id) == ("event", "seen", "ann")
    assert (tracked.customer.id, tracked.customer.name) == (None, None)
    assert api.call("GET", "/v1/customers/ann")["events"]["seen"]["count"] == 1


async def test_the_answer_of_the_client_side_has_what_the_reference_requires(
    api: Any, db: Database, key: NewKey
) -> None:
    path = DOCUMENTS / "client-side.json"
    if not path.is_file():
        pytest.skip(f"the reference's documents are not in {DOCUMENTS}")
    schema = json.loads(path.read_text())["components"]["schemas"]["ClientEventsCreateResponseBody"]
    made = await create_key(db, key.project, "client")
    headers = {"X-Client-Application-Id": made.app_id, "X-Client-Token": made.app_token}
    answer = api.post("/client/v1/events", json={"event": "e", "customer": {"source_id": "a"}}, headers=headers).json()
    assert set(schema["required"]) <= set(answer)
    assert set(answer) <= set(schema["properties"])
