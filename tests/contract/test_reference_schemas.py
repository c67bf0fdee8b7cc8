"""Answers fit the response schemas of the reference's documents.

Where a document and the SDK disagree the SDK decides (reference/README): `DEVIATIONS` names each place where an answer
does not fit the document, and why.
"""

import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import facts

DOCUMENTS = Path(__file__).resolve().parents[3] / "shared" / "reference" / "openapi"
ANSWERS = [
    ("customers", "post", "/v1/customers"),
    ("customers", "get", "/v1/customers"),
    ("customers", "get", "/v1/customers/{customerId}"),
    ("customers", "put", "/v1/customers/{customerId}"),
    ("customers", "post", "/v1/customers/{customerId}/permanent-deletion"),
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
    "/v1/customers": facts.ANN,
    "/v1/customers/{customerId}": {"name": "Ann B"},
    "/v1/orders": {
        "source_id": "o",
        "status": "PAID",
        "customer": facts.ANN,
        "items": facts.ITEMS,
        "referrer": {"source_id": "r"},
    },
    "/v1/orders/{orderId}": {"status": "FULFILLED"},
    "/v1/events": {"event": "seen", "customer": facts.ANN, "metadata": {"a": 1}},
    "/v1/segments": {"name": "S", "type": "passive", "filter": facts.OSLO},
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
# The webhooks' documents ask here for what there may not be (a referrer, a redemption, a distribution's id), and allow
# no other property of the order than a part of those that the activity's document has.
OTHER_IN_WEBHOOKS = ("customer.order.", "customer.publication.")
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
    path = (DOCUMENTS.parent / "webhooks" if name.startswith("events-") else DOCUMENTS) / f"{name}.json"
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
    segment_id = facts.new_segment(api, facts.OSLO, name="Oslo")
    api.call("POST", "/v1/segments", {"name": "Static"})
    customer = api.call("POST", "/v1/customers", facts.ANN)
    api.call("POST", "/v1/customers", {})
    order = api.call("POST", "/v1/orders", BODIES["/v1/orders"])
    api.call("POST", "/v1/orders", {})
    for status in ("FULFILLED", "CANCELED"):
        api.call("PUT", "/v1/orders/o", {"status": status})
    api.call("POST", "/v1/events", BODIES["/v1/events"])
    api.call("PUT", "/v1/customers/ann", {"address": {"city": "", "country": ""}})
    api.call("PUT", "/v1/customers/ann", {"address": {"city": "Oslo"}})
    return {"customerId": customer["id"], "orderId": order["id"], "segmentId": segment_id}


@pytest.mark.parametrize(("name", "method", "path"), ANSWERS)
def test_an_answer_fits_the_references_schema(
    api: Any, story: dict[str, str], name: str, method: str, path: str
) -> None:
    schema = schema_of(name, method, path, "200")
    body = BODIES.get(path) if method != "get" else None
    params = {"limit": 100} if method == "get" else None
    answer = api.request(method, path.format(**story), json=body, params=params)
    assert answer.status_code == 200, answer.text
    found = misfits(answer.json(), schema)
    assert set(found) == set(DEVIATIONS.get(f"{method} {path}", {})), found


def payload_misfits(kind: str, payload: Any) -> dict[str, str]:
    """Return where the payload of a type of activity does not fit the reference's schemas, of activity and webhooks."""
    name = PAYLOADS.get(kind) or "EventCustomer" + "".join(word.capitalize() for word in kind.split(".")[1:])
    found = {}
    for source, schema in (("customers", name), ("events-customer", f"{name}Data")):
        components = document(source)["components"]
        if schema in components["schemas"] and not (source != "customers" and kind.startswith(OTHER_IN_WEBHOOKS)):
            reference = {"$ref": f"#/components/schemas/{schema}", "components": components}
            found |= misfits(payload, reference)
    return found


@pytest.mark.parametrize("spelling", ["activity", "activities"])
@pytest.mark.usefixtures("story")
def test_each_entry_of_the_activity_fits_the_schema_of_its_own_type(api: Any, spelling: str) -> None:
    data = api.get(f"/v1/customers/ann/{spelling}", params={"limit": 100}).json()["data"]
    seen = set()
    for entry in data:
        seen.add(entry["type"])
        found = payload_misfits(entry["type"], entry["data"]["data"])
        assert set(found) == set(DEVIATIONS.get(entry["type"], {})), (entry["type"], found)
    assert seen == set(PAYLOADS)


@pytest.mark.parametrize(
    ("name", "method", "path"),
    [
        ("customers", "get", "/v1/customers/{customerId}"),
        ("customers", "delete", "/v1/customers/{customerId}"),
        ("customers", "put", "/v1/customers/{customerId}"),
        ("customers", "post", "/v1/customers/{customerId}/permanent-deletion"),
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
