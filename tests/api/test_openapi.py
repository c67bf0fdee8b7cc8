"""The API's document and its page are whole."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import jsonschema
import pytest

from conftest import Api
from rapport.app import ROUTERS

# What OpenAPI 3.1 asks of the parts that the document has.
SCHEMA = {"type": ["object", "boolean"]}
CONTENT = {
    "type": "object",
    "additionalProperties": {"type": "object", "properties": {"schema": SCHEMA}, "required": ["schema"]},
}
RESPONSE = {
    "type": "object",
    "properties": {"description": {"type": "string", "minLength": 1}, "content": CONTENT},
    "required": ["description"],
    "additionalProperties": False,
}
OPERATION = {
    "type": "object",
    "properties": {
        "operationId": {"type": "string", "minLength": 1},
        "tags": {"type": "array", "items": {"type": "string"}},
        "summary": {"type": "string", "minLength": 1},
        "description": {"type": "string"},
        "parameters": {
            "type": "array",
            "uniqueItems": True,
            "items": {
                "type": "object",
                "properties": {
                    "name": {"type": "string", "minLength": 1},
                    "in": {"enum": ["path", "query", "header"]},
                    "description": {"type": "string"},
                    "required": {"type": "boolean"},
                    "schema": SCHEMA,
                    "style": {"const": "deepObject"},
                    "explode": {"const": True},
                },
                "required": ["name", "in", "schema"],
                "additionalProperties": False,
            },
        },
        "requestBody": {
            "type": "object",
            "properties": {"required": {"type": "boolean"}, "content": CONTENT},
            "required": ["content"],
            "additionalProperties": False,
        },
        "responses": {
            "type": "object",
            "patternProperties": {"^[1-5](?:[0-9]{2}|XX)$": RESPONSE},
            "minProperties": 1,
            "additionalProperties": False,
        },
        "security": {"type": "array", "items": {"type": "object"}},
    },
    "required": ["operationId", "responses"],
    "additionalProperties": False,
}
DOCUMENT = {
    "type": "object",
    "properties": {
        "openapi": {"type": "string", "pattern": r"^3\.1\.[0-9]+$"},
        "info": {
            "type": "object",
            "properties": {"title": {"type": "string"}, "version": {"type": "string"}},
            "required": ["title", "version"],
        },
        "paths": {
            "type": "object",
            "patternProperties": {
                "^/": {
                    "type": "object",
                    "patternProperties": {"^(?:get|put|post|delete)$": OPERATION},
                    "additionalProperties": False,
                }
            },
            "additionalProperties": False,
        },
        "components": {
            "type": "object",
            "properties": {
                "schemas": {
                    "type": "object",
                    "propertyNames": {"pattern": r"^[a-zA-Z0-9._-]+$"},
                    "additionalProperties": SCHEMA,
                }
            },
        },
    },
    "required": ["openapi", "info", "paths"],
    "additionalProperties": False,
}


@pytest.fixture
def document(api: Api) -> dict[str, Any]:
    return api.call("GET", "/openapi.json")  # type: ignore[no-any-return]


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, one in methods.items():
            yield path, method, one


def inside(value: Any) -> Iterator[dict[str, Any]]:
    """Every object in the document."""
    if isinstance(value, dict):
        yield value
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from inside(one)


def test_the_document_is_one_of_openapi(document: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator(DOCUMENT).validate(document)
    for schema in document["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
    for path, _, one in operations(document):
        named = [parameter["name"] for parameter in one["parameters"] if parameter["in"] == "path"]
        assert named == re.findall(r"{(\w+)}", path)


def test_operations_have_ids_of_their_own(document: dict[str, Any]) -> None:
    ids = [one["operationId"] for _, _, one in operations(document)]
    assert sorted(ids) == sorted(set(ids))
    paths = document["paths"]
    assert paths["/v1/customers/{customer_id}/activity"]["get"]["operationId"] == "list-customer-activity"
    assert paths["/v1/customers/{customer_id}/activities"]["get"]["operationId"] == "list-customer-activities"


def test_references_lead_somewhere_and_defaults_say_something(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    for one in inside(document):
        if "$ref" in one:
            assert one["$ref"].removeprefix("#/components/schemas/") in schemas
        assert one.get("default", "absent") is not None


def test_every_route_is_in_the_document(document: dict[str, Any]) -> None:
    served = {
        (re.sub(r":\w+}", "}", path), method.lower())
        for router in ROUTERS
        for route in router.routes
        for handler in route.route_handlers
        for path in handler.paths
        for method in handler.http_methods
        if method != "OPTIONS"
    }
    assert {(path, method) for path, method, _ in operations(document)} == served | {("/health", "get")}


def test_every_answer_says_what_it_holds(document: dict[str, Any]) -> None:
    for _, _, one in operations(document):
        for status, answer in one["responses"].items():
            if status.startswith("2") and "application/json" in answer.get("content", {}):
                schema = answer["content"]["application/json"]["schema"]
                assert schema != {"type": "object"}, one["operationId"]
                items = [part.get("items") for part in schema.get("properties", {}).values()]
                assert {"type": "object"} not in items, one["operationId"]


def test_parameters_of_a_list_are_those_it_reads(document: dict[str, Any]) -> None:
    def names(path: str) -> list[str]:
        found = document["paths"][path]["get"]["parameters"]
        return [one["name"] for one in found if one["in"] == "query"]

    activity = ["campaign_type", "campaign_id", "start_date", "end_date"]
    assert names("/v1/customers/{customer_id}/activity") == [
        "limit", "order", "starting_after_id", *activity, "category", "type", "additions",
    ]  # fmt: skip
    assert names("/v1/customers/{customer_id}/activities") == [
        "limit", "order", "starting_after_id", "starting_after", *activity, "product_id", "category", "type",
        "additions",
    ]  # fmt: skip
    assert names("/v1/orders") == ["limit", "page", "order", "customer"]
    assert names("/v1/customers/{customer_id}/profile") == ["limit"]
    (category,) = (
        one
        for one in document["paths"]["/v1/customers/{customer_id}/activity"]["get"]["parameters"]
        if one["name"] == "category"
    )
    assert category["schema"] == {"type": "string", "enum": ["ACTION", "EFFECT"]}


def test_bodies_that_may_be_absent_are_not_required(document: dict[str, Any]) -> None:
    absent = {
        one["operationId"] for _, _, one in operations(document) if not one.get("requestBody", {}).get("required")
    }
    assert {
        "redeem-voucher", "validate-voucher", "rollback-redemption", "rollback-stacked-redemptions",
        "redeem-promotion", "validate-promotion-tier", "validate-promotions", "redeem-voucher-client-side",
            "validate-validation-rule",
        "examine-vouchers-qualification", "examine-campaign-qualification",
        "add-vouchers-to-campaign", "add-voucher-with-specific-code-to-campaign",
        "export-voucher-transactions", "export-campaign-transactions",
    } == {one["operationId"] for _, _, one in operations(document) if "requestBody" in one} & absent  # fmt: skip


def test_bodies_that_are_lists_say_how_long_they_may_be(document: dict[str, Any]) -> None:
    def content(path: str, method: str = "post") -> dict[str, Any]:
        return document["paths"][path][method]["requestBody"]["content"]  # type: ignore[no-any-return]

    for path, most in (("/v1/customers/bulk/async", 100), ("/v1/orders/import", 2_000), ("/v1/events/import", 10_000)):
        schema = content(path)["application/json"]["schema"]
        assert (schema["minItems"], schema["maxItems"]) == (1, most), path
        assert ("application/x-ndjson" in content(path)) == path.endswith("/import")
    whole, plain = content("/v1/customers/{customer_id}/consents", "put")["application/json"]["schema"]["anyOf"]
    assert whole == {"$ref": "#/components/schemas/ConsentsBody"}
    assert [one["type"] for one in plain["anyOf"]] == ["object", "array"]


def test_what_a_signed_link_leads_to_needs_no_key(document: dict[str, Any]) -> None:
    keyless = {one["operationId"] for _, _, one in operations(document) if {} in one.get("security", [{}])}
    assert keyless == {
        "health", "get-async-action-report", "get-export", "get-import-failures", "get-qr-code", "get-barcode",
    }  # fmt: skip
    parameters = document["paths"]["/v1/imports/{import_id}/failures"]["get"]["parameters"]
    assert [one["name"] for one in parameters] == ["import_id", "project", "until", "signature"]


class Page(HTMLParser):
    """What the page's links lead to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep the ids and the links within the page."""
        _ = tag
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name == "href" and value and value.startswith("#"):
                self.links.add(value[1:])


def test_the_page_shows_every_operation_and_every_type(api: Api, document: dict[str, Any]) -> None:
    answer = api.get("/docs")
    page = Page(answer.text)
    assert len(page.ids) == len(set(page.ids))
    assert page.links <= set(page.ids)
    types = {f"type-{name}" for name in document["components"]["schemas"]}
    assert set(page.ids) == {one["operationId"] for _, _, one in operations(document)} | types | {"types"}
    assert "`" not in answer.text
    assert "<script" not in answer.text
