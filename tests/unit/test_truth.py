"""What holds answers against the document notices an answer that is not as it says."""

from typing import Any

import pytest

from truth import Document

ONE = {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]}
OK = {"description": "x", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/One"}}}}
DOCUMENT = Document(
    {
        "paths": {
            "/v1/ones/{id}": {
                "get": {"operationId": "get-one", "responses": {"200": OK, "4XX": OK}},
                "delete": {"operationId": "delete-one", "responses": {"204": {"description": "x"}}},
            },
            "/v1/ones/all": {"get": {"operationId": "all", "responses": {"202": OK}}},
        },
        "components": {"schemas": {"One": ONE}},
    }
)


@pytest.mark.parametrize(
    ("method", "path", "status", "body", "misfit"),
    [
        ("GET", "/v1/ones/1", 200, {"id": "1", "more": 2}, None),
        ("GET", "/v1/ones/1", 404, {"id": "1"}, None),
        ("DELETE", "/v1/ones/1", 204, None, None),
        ("GET", "/v1/others", 200, {}, None),
        ("GET", "/v1/ones/1", 200, {}, "get-one 200: $: 'id' is a required property"),
        ("GET", "/v1/ones/1", 200, {"id": 1}, "get-one 200: $.id: 1 is not of type 'string'"),
        ("GET", "/v1/ones/1", 201, {"id": "1"}, "get-one has no answer 201"),
        ("DELETE", "/v1/ones/1", 204, {}, "delete-one says nothing with 204"),
        ("GET", "/v1/ones/all", 200, {"id": "1"}, "all has no answer 200"),
    ],
)
def test_an_answer_that_the_document_has_not_is_named(
    method: str, path: str, status: int, body: Any, misfit: str | None
) -> None:
    assert DOCUMENT.misfit(method, path, status, body) == misfit
