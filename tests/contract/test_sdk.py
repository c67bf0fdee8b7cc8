"""The official SDK makes every call that exists here and reads every answer; the answers fit the reference's schemas.

Where the two disagree the SDK decides (reference/README): `DEVIATIONS` names each place where an answer does not fit
the document, and why.
"""

import functools
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import voucherify
from voucherify import models

import facts

DOCUMENTS = Path(__file__).resolve().parents[3] / "shared" / "reference" / "openapi"
ITEMS = [
    {
        "product_id": "prod_1",
        "quantity": 2,
        "price": 150,
        "discount_amount": 20,
        "product": {"name": "Mug", "price": 150},
    },
    {"source_id": "red", "related_object": "sku", "quantity": 1, "amount": 99, "sku": {"sku": "Red"}},
]
PERSON = {
    "source_id": "ann",
    "name": "Ann",
    "description": "A customer",
    "email": "ann@example.com",
    "phone": "+48600000000",
    "birthdate": "1990-12-05",
    "address": {"city": "Oslo", "state": "O", "line_1": "1", "line_2": "2", "country": "NO", "postal_code": "0001"},
    "metadata": {"tier": "gold", "sizes": [36, 38], "nested": {"score": 1.5}},
}
FILTER = {"junction": "and", "address.city": {"conditions": {"$is": ["Oslo"]}}}


@pytest.fixture
def customers(sdk: voucherify.ApiClient) -> voucherify.CustomersApi:
    return voucherify.CustomersApi(sdk)


@pytest.fixture
def orders(sdk: voucherify.ApiClient) -> voucherify.OrdersApi:
    return voucherify.OrdersApi(sdk)


@pytest.fixture
def events(sdk: voucherify.ApiClient) -> voucherify.EventsApi:
    return voucherify.EventsApi(sdk)


@pytest.fixture
def segments(sdk: voucherify.ApiClient) -> voucherify.SegmentsApi:
    return voucherify.SegmentsApi(sdk)


def save_ann(customers: voucherify.CustomersApi) -> Any:
    """Create the customer through the SDK."""
    return customers.create_customer(models.CustomersCreateRequestBody.from_dict(PERSON))


def save_order(orders: voucherify.OrdersApi, **more: Any) -> Any:
    """Create an order of Ann's through the SDK."""
    body = {"source_id": "o", "status": "PAID", "customer": PERSON, "items": ITEMS, "metadata": {"k": "v"}, **more}
    return orders.create_order(models.OrdersCreateRequestBody.from_dict(body))


def test_customers_are_created_read_and_updated(customers: voucherify.CustomersApi) -> None:
    created = save_ann(customers)
    assert isinstance(created, models.CustomersCreateResponseBody)
    assert (created.name, created.email, created.birthdate) == ("Ann", "ann@example.com", date(1990, 12, 5))
    assert created.address.to_dict() == PERSON["address"]
    assert created.metadata["tier"] == "gold"
    assert created.summary.orders.total_count == 0
    assert created.summary.redemptions.gift.amount_to_go == 0
    assert created.loyalty.points == 0
    assert created.referrals.total == 0
    assert created.created_at.tzinfo is not None
    for reference in (created.id, "ann"):
        assert customers.get_customer(reference).to_dict() == created.to_dict()
    body = models.CustomersUpdateRequestBody(name="Ann B", metadata={"tier": "silver"})
    updated = customers.update_customer(created.id, body)
    assert (updated.id, updated.name, updated.email) == (created.id, "Ann B", created.email)
    assert updated.metadata == {**created.metadata, "tier": "silver"}


def test_a_customer_without_anything_is_parsed(customers: voucherify.CustomersApi) -> None:
    created = customers.create_customer(models.CustomersCreateRequestBody())
    assert created.id.startswith("cust_")
    assert (created.source_id, created.name, created.address) == (None, None, None)
    assert customers.get_customer(created.id).id == created.id


def test_customers_are_listed_by_every_parameter(
    customers: voucherify.CustomersApi, segments: voucherify.SegmentsApi
) -> None:
    created = save_ann(customers)
    others = [
        customers.create_customer(models.CustomersCreateRequestBody(source_id=f"s{number}")) for number in range(3)
    ]
    whole = customers.list_customers()
    assert (whole.object, whole.data_ref, whole.total, whole.has_more) == ("list", "customers", 4, False)
    assert {one.id for one in whole.customers} == {created.id, *(one.id for one in others)}
    page = customers.list_customers(limit=2, page=2, order=models.ParameterOrderListCustomers.CREATED_AT)
    assert [one.source_id for one in page.customers] == ["s1", "s2"]
    for params in ({"email": "ann@example.com"}, {"city": "Oslo"}, {"name": "Ann"}):
        assert [one.id for one in customers.list_customers(**params).customers] == [created.id]
    segment = segments.create_segment(
        models.SegmentsCreateRequestBody.from_dict({"name": "S", "type": "static", "customers": [created.id]})
    )
    assert [one.id for one in customers.list_customers(segment_id=segment.id).customers] == [created.id]
    later = datetime.now(UTC) + timedelta(days=1)
    assert customers.list_customers(created_at_before=later, updated_at_before=later).total == 4
    assert customers.list_customers(created_at_after=later).customers == []
    assert customers.list_customers(updated_at_after=later).customers == []
    assert len(customers.list_customers(starting_after=later).customers) == 4
    assert len(customers.list_customers(starting_after=whole.customers[0].created_at).customers) <= 3


def test_a_customer_is_deleted(customers: voucherify.CustomersApi) -> None:
    created = save_ann(customers)
    assert customers.delete_customer(created.id) is None
    with pytest.raises(voucherify.exceptions.NotFoundException) as refused:
        customers.get_customer(created.id)
    error = json.loads(refused.value.body)
    assert (error["code"], error["key"], error["resource_id"]) == (404, "not_found", created.id)


def test_orders_are_created_read_updated_and_listed(
    orders: voucherify.OrdersApi, customers: voucherify.CustomersApi
) -> None:
    created = save_order(orders, created_at="2026-01-31T12:00:00.000Z", discount_amount=10)
    assert isinstance(created, models.OrdersCreateResponseBody)
    assert (created.amount, created.items_discount_amount, created.total_amount) == (399, 20, 369)
    assert (created.items[0].subtotal_amount, created.items[1].sku.sku) == (280, "Red")
    assert created.created_at == datetime(2026, 1, 31, 12, tzinfo=UTC)
    customer = customers.get_customer(created.customer_id)
    assert customer.summary.orders.total_amount == 369
    assert customer.summary.orders.last_order_date == created.created_at
    for reference in (created.id, "o"):
        assert orders.get_order(reference).to_dict() == created.to_dict()
    changed = orders.update_order("o", models.OrdersUpdateRequestBody.from_dict({"status": "CANCELED"}))
    kept = {**created.to_dict(), "status": "CANCELED", "updated_at": changed.updated_at}
    assert changed.to_dict() == kept, "what the SDK was not told to change stays"
    found = orders.list_orders(limit=10, page=1, order=models.ParameterOrderListOrders.MINUS_CREATED_AT)
    assert (found.total, [one.id for one in found.orders]) == (1, [created.id])


def test_an_order_without_anything_and_one_with_a_referrer_are_parsed(orders: voucherify.OrdersApi) -> None:
    assert orders.create_order(models.OrdersCreateRequestBody.from_dict({})).status == "CREATED"
    created = save_order(orders, referrer={"source_id": "ref"})
    assert created.referrer_id == created.referrer.to_dict()["id"]


def test_an_event_is_tracked(events: voucherify.EventsApi, customers: voucherify.CustomersApi) -> None:
    person = models.Customer(source_id="ann", name="Ann")
    body = models.EventsCreateRequestBody(event="review_written", customer=person, metadata={"stars": 5})
    tracked = events.track_custom_event(body)
    assert isinstance(tracked, models.EventsCreateResponseBody)
    assert (tracked.type, tracked.object, tracked.metadata) == ("review_written", "event", {"stars": 5})
    assert tracked.customer.id == customers.get_customer("ann").id
    assert (tracked.referral, tracked.loyalty) == (None, None)


@pytest.mark.parametrize("kind", ["auto-update", "passive", "static"])
def test_segments_are_created_read_and_deleted(segments: voucherify.SegmentsApi, kind: str) -> None:
    raw = {"customers": []} if kind == "static" else {"filter": FILTER}
    created = segments.create_segment(models.SegmentsCreateRequestBody.from_dict({"name": "S", "type": kind, **raw}))
    assert (created.name, created.type, created.object) == ("S", kind, "segment")
    assert created.filter == (None if kind == "static" else FILTER)
    assert segments.get_segment(created.id).id == created.id
    assert segments.delete_segment(created.id) is None
    with pytest.raises(voucherify.exceptions.NotFoundException):
        segments.get_segment(created.id)


def test_the_segments_and_the_activity_of_a_customer_are_listed(
    api: Any, customers: voucherify.CustomersApi, orders: voucherify.OrdersApi, events: voucherify.EventsApi
) -> None:
    segment_id = facts.new_segment(api, FILTER, name="Oslo")
    created = save_ann(customers)
    save_order(orders)
    orders.update_order("o", models.OrdersUpdateRequestBody.from_dict({"status": "FULFILLED"}))
    orders.update_order("o", models.OrdersUpdateRequestBody.from_dict({"status": "CANCELED"}))
    events.track_custom_event(models.EventsCreateRequestBody(event="seen", customer=models.Customer(source_id="ann")))
    move = models.CustomersUpdateRequestBody
    customers.update_customer("ann", move(address=models.CustomersUpdateRequestBodyAddress(city="Rome")))
    api.call("PUT", "/v1/customers/ann", {"address": None})
    found = customers.list_customer_segments("ann")
    assert (found.object, found.data_ref, found.total, found.data) == ("list", "data", 0, [])
    customers.update_customer("ann", move(address=models.CustomersUpdateRequestBodyAddress(city="Oslo")))
    found = customers.list_customer_segments(created.id)
    assert [(one.id, one.name, one.object) for one in found.data] == [(segment_id, "Oslo", "segment")]

    expected = [
        "customer.created",
        "customer.segment.entered",
        "customer.order.created",
        "customer.order.paid",
        "customer.order.updated",
        "customer.order.fulfilled",
        "customer.order.updated",
        "customer.order.canceled",
        "customer.custom_event",
        "customer.updated",
        "customer.segment.left",
        "customer.updated",
        "customer.updated",
        "customer.segment.entered",
    ]
    met: list[Any] = []
    cursor = None
    while True:
        page = customers.list_customer_activity(
            "ann", limit=5, order=models.ParameterOrderCreatedAt.CREATED_AT, starting_after_id=cursor
        )
        met += page.data
        cursor = page.more_starting_after
        if not page.has_more:
            break
    assert [one.type for one in met] == expected
    assert all(one.data["event_source"]["channel"] == "API" for one in met)
    seen = customers.list_customer_activity("ann", type=models.ParameterCustomerEvent.CUSTOMER_DOT_CUSTOM_EVENT)
    assert [one.type for one in seen.data] == ["customer.custom_event"]
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    assert customers.list_customer_activity("ann", start_date=tomorrow).data == []
    assert len(customers.list_customer_activity("ann", end_date=tomorrow, limit=100).data) == len(expected)


def test_refusals_are_the_sdks_own_exceptions(sdk: voucherify.ApiClient, customers: voucherify.CustomersApi) -> None:
    with pytest.raises(voucherify.exceptions.BadRequestException) as refused:
        customers.create_customer(models.CustomersCreateRequestBody(source_id=""))
    assert json.loads(refused.value.body)["key"] == "invalid_payload"
    sdk.configuration.api_key["X-App-Token"] = "wrong"
    with pytest.raises(voucherify.exceptions.UnauthorizedException):
        customers.list_customers()


# The reference's own documents. -------------------------------------------------------------------------------------

ANSWERS = [
    ("customers", "post", "/v1/customers"),
    ("customers", "get", "/v1/customers"),
    ("customers", "get", "/v1/customers/{customerId}"),
    ("customers", "put", "/v1/customers/{customerId}"),
    ("customers", "get", "/v1/customers/{customerId}/activity"),
    ("customers", "get", "/v1/customers/{customerId}/activities"),
    ("customers", "get", "/v1/customers/{customerId}/segments"),
    ("orders", "post", "/v1/orders"),
    ("orders", "get", "/v1/orders"),
    ("orders", "get", "/v1/orders/{orderId}"),
    ("orders", "put", "/v1/orders/{orderId}"),
    ("events", "post", "/v1/events"),
    ("segments", "post", "/v1/segments"),
    ("segments", "get", "/v1/segments"),
    ("segments", "get", "/v1/segments/{segmentId}"),
]
BODIES = {
    "/v1/customers": PERSON,
    "/v1/customers/{customerId}": {"name": "Ann B"},
    "/v1/orders": {
        "source_id": "o",
        "status": "PAID",
        "customer": PERSON,
        "items": ITEMS,
        "referrer": {"source_id": "r"},
    },
    "/v1/orders/{orderId}": {"status": "FULFILLED"},
    "/v1/events": {"event": "seen", "customer": PERSON, "metadata": {"a": 1}},
    "/v1/segments": {"name": "S", "type": "passive", "filter": FILTER},
}
PAYLOADS = {
    "customer.created": "EventCustomerCreated",
    "customer.updated": "EventCustomerUpdated",
    "customer.custom_event": "EventCustomerCustomEvent",
    "customer.segment.entered": "EventCustomerSegmentEntered",
    "customer.segment.left": "EventCustomerSegmentLeft",
    "customer.order.created": "EventCustomerOrderCreated",
    "customer.order.updated": "EventCustomerOrderUpdated",
    "customer.order.paid": "EventCustomerOrderPaid",
    "customer.order.fulfilled": "EventCustomerOrderFulfilled",
    "customer.order.canceled": "EventCustomerOrderCanceled",
}
# Operation or type of activity → places that do not fit the document (with `*` for any index), and why they stay.
DEVIATIONS: dict[str, dict[str, str]] = {
    "customer.custom_event": {
        "event.referral": "null, as the answer of track-custom-event has it: there is no referral",
        "event.loyalty": "null, as the answer of track-custom-event has it: there is no loyalty card",
    },
}


@functools.cache
def document(name: str) -> dict[str, Any]:
    """Return one of the reference's documents, its `nullable` and `oneOf` written as they are meant."""
    path = DOCUMENTS / f"{name}.json"
    if not path.is_file():
        pytest.skip(f"the reference's documents are not in {DOCUMENTS}")
    return nullable(json.loads(path.read_text()))  # type: ignore[no-any-return]


def nullable(node: Any) -> Any:
    """Turn OpenAPI 3.0's `nullable: true` into a choice between the schema and null, `oneOf` into `anyOf`."""
    if isinstance(node, list):
        return [nullable(item) for item in node]
    if not isinstance(node, dict):
        return node
    # Alternatives of the activity's payload overlap: `oneOf` would refuse every one of them.
    turned = {
        "anyOf" if name == "oneOf" else name: nullable(value) for name, value in node.items() if name != "nullable"
    }
    return {"anyOf": [turned, {"type": "null"}]} if node.get("nullable") is True else turned


def schema_of(name: str, method: str, path: str, status: str) -> dict[str, Any]:
    """Return the schema of an answer, with the document's components for its references."""
    answer = document(name)["paths"][path][method]["responses"][status]
    while "$ref" in answer:
        answer = functools.reduce(lambda node, key: node[key], answer["$ref"][2:].split("/"), document(name))
    return {**answer["content"]["application/json"]["schema"], "components": document(name)["components"]}


def leaves(error: jsonschema.ValidationError) -> Iterator[jsonschema.ValidationError]:
    """Yield the errors that say most: of a choice, those of the alternative that went furthest."""
    if not error.context:
        yield error
        return
    deepest = max(len(one.absolute_path) for one in error.context)
    for one in error.context:
        if len(one.absolute_path) == deepest:
            yield from leaves(one)


def misfits(answer: Any, schema: dict[str, Any]) -> dict[str, str]:
    """Return where an answer does not fit a schema: the place and what the validator says."""
    checker = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())
    found = {}
    for error in checker.iter_errors(answer):
        for leaf in leaves(error):
            place = ".".join("*" if isinstance(step, int) else str(step) for step in leaf.absolute_path)
            found[place] = leaf.message[:200]
    return found


@pytest.fixture
def story(api: Any) -> dict[str, str]:
    """A customer in a segment, with an order, an event and activity of every type there is."""
    segment_id = facts.new_segment(api, FILTER, name="Oslo")
    api.call("POST", "/v1/segments", {"name": "Static"})
    customer = api.call("POST", "/v1/customers", PERSON)
    api.call("POST", "/v1/customers", {})
    order = api.call("POST", "/v1/orders", BODIES["/v1/orders"])
    api.call("POST", "/v1/orders", {})
    for status in ("FULFILLED", "CANCELED"):
        api.call("PUT", "/v1/orders/o", {"status": status})
    api.call("POST", "/v1/events", BODIES["/v1/events"])
    api.call("PUT", "/v1/customers/ann", {"address": None})
    api.call("PUT", "/v1/customers/ann", {"address": {"city": "Oslo"}})
    return {"customerId": customer["id"], "orderId": order["id"], "segmentId": segment_id}


@pytest.mark.parametrize(("name", "method", "path"), ANSWERS)
def test_an_answer_fits_the_references_schema(
    api: Any, story: dict[str, str], name: str, method: str, path: str
) -> None:
    schema = schema_of(name, method, path, "200")
    body = BODIES[path] if method != "get" else None
    params = {"limit": 100} if method == "get" else None
    answer = api.request(method, path.format(**story), json=body, params=params)
    assert answer.status_code == 200, answer.text
    found = misfits(answer.json(), schema)
    assert set(found) == set(DEVIATIONS.get(f"{method} {path}", {})), found


@pytest.mark.parametrize("spelling", ["activity", "activities"])
@pytest.mark.usefixtures("story")
def test_each_entry_of_the_activity_fits_the_schema_of_its_own_type(api: Any, spelling: str) -> None:
    components = document("customers")["components"]
    data = api.get(f"/v1/customers/ann/{spelling}", params={"limit": 100}).json()["data"]
    seen = set()
    for entry in data:
        seen.add(entry["type"])
        schema = {"$ref": f"#/components/schemas/{PAYLOADS[entry['type']]}", "components": components}
        found = misfits(entry["data"]["data"], schema)
        assert set(found) == set(DEVIATIONS.get(entry["type"], {})), (entry["type"], found)
    assert seen == set(PAYLOADS)


@pytest.mark.parametrize(
    ("name", "method", "path"),
    [
        ("customers", "get", "/v1/customers/{customerId}"),
        ("customers", "delete", "/v1/customers/{customerId}"),
        ("customers", "put", "/v1/customers/{customerId}"),
        ("orders", "get", "/v1/orders/{orderId}"),
        ("segments", "get", "/v1/segments/{segmentId}"),
        ("segments", "delete", "/v1/segments/{segmentId}"),
    ],
)
def test_an_error_fits_the_references_schema(api: Any, name: str, method: str, path: str) -> None:
    schema = schema_of(name, method, path, "404")
    unknown = {"customerId": "cust_x", "orderId": "ord_x", "segmentId": "seg_x"}
    body = {"name": "X"} if method == "put" else None
    answer = api.request(method, path.format(**unknown), json=body)
    assert answer.status_code == 404
    assert misfits(answer.json(), schema) == {}
    assert answer.json()["key"] == "not_found"


def test_every_operation_of_these_features_has_a_call_here() -> None:
    """Nothing that the documents describe is forgotten without being named."""
    missing = {
        "customer-permanently-deletion",
        "import-customers-using-csv",
        "update-customers-in-bulk",
        "update-customers-metadata-in-bulk",
        "list-customer-redeemables",
        "import-orders",
        "create-order-export",
    }
    called = {(name, method, path) for name, method, path in ANSWERS}
    without_answer = {"delete-customer", "delete-segment"}
    found = {
        operation["operationId"]
        for name in ("customers", "orders", "events", "segments")
        for path, methods in document(name)["paths"].items()
        for method, operation in methods.items()
        if isinstance(operation, dict) and "operationId" in operation and (name, method, path) not in called
    }
    assert found == missing | without_answer
