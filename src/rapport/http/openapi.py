"""The OpenAPI document, made from what the handlers declare."""

import inspect
import re
from collections.abc import Iterable
from typing import Any, Final

import msgspec
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler

from rapport.http.errors import ErrorBody
from rapport.http.lists import InstantFilter, ListSpec

_TEMPLATE: Final = "#/components/schemas/{name}"
_PARAMETER: Final = re.compile(r"{(\w+)(?::\w+)?}")


def operation(
    operation_id: str,
    *,
    body: Any = None,
    answer: Any = None,
    spec: ListSpec | None = None,
    secured: bool = True,
) -> dict[str, Any]:
    """Declare a handler's operation: its id in the reference, the struct of its body and answer, the list it pages."""
    return {"operation_id": operation_id, "body": body, "answer": answer, "spec": spec, "secured": secured}


def _query_parameters(spec: ListSpec) -> list[dict[str, Any]]:
    orders = [sign + name for name in spec.orders for sign in ("", "-")]
    parameters: list[tuple[str, dict[str, Any]]] = [
        ("limit", {"type": "integer", "minimum": 1, "maximum": 100, "default": 10}),
        ("page", {"type": "integer", "minimum": 1, "maximum": spec.max_page, "default": 1}),
        ("order", {"type": "string", "enum": orders, "default": spec.default_order}),
    ]
    if spec.cursor:
        parameters.append(("starting_after", {"type": "string", "format": "date-time"}))
    for name, item in spec.filters.items():
        kind = {"type": "string", "format": "date-time"} if isinstance(item, InstantFilter) else {"type": "string"}
        parameters.append((name, kind))
    return [{"name": name, "in": "query", "required": False, "schema": schema} for name, schema in parameters]


def _references(kinds: Iterable[Any]) -> tuple[dict[Any, dict[str, Any]], dict[str, Any]]:
    known = list(dict.fromkeys(kinds))
    schemas, components = msgspec.json.schema_components(known, ref_template=_TEMPLATE)
    return dict(zip(known, schemas, strict=True)), components


def _describe(handler: HTTPRouteHandler, path: str, schemas: dict[Any, dict[str, Any]]) -> dict[str, Any]:
    declared = handler.opt
    lines = inspect.getdoc(handler.fn) or ""
    summary, _, description = lines.partition("\n")
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _PARAMETER.findall(path)
    ]
    if declared["spec"] is not None:
        parameters += _query_parameters(declared["spec"])
    error = {"description": "The error", "content": {"application/json": {"schema": schemas[ErrorBody]}}}
    status = str(handler.status_code)
    success: dict[str, Any] = {"description": "Done"}
    if status != "204":
        shape = schemas[declared["answer"]] if declared["answer"] is not None else {"type": "object"}
        success["content"] = {"application/json": {"schema": shape}}
    described: dict[str, Any] = {
        "operationId": declared["operation_id"],
        "tags": [path.split("/")[2] if path.startswith("/v1/") else "server"],
        "summary": summary.rstrip("."),
        "description": description.strip(),
        "parameters": parameters,
        "responses": {status: success, "4XX": error, "5XX": error},
    }
    if declared["secured"]:
        described["security"] = [{"X-App-Id": [], "X-App-Token": []}]
    if declared["body"] is not None:
        described["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schemas[declared["body"]]}},
        }
    return described


def document(app: Litestar, version: str) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of every operation that the app serves."""
    handlers = [
        (route.path_format, handler)
        for route in app.routes
        for handler in getattr(route, "route_handlers", ())
        if isinstance(handler, HTTPRouteHandler) and "operation_id" in handler.opt
    ]
    kinds = [ErrorBody]
    for _, handler in handlers:
        kinds += [kind for kind in (handler.opt["body"], handler.opt["answer"]) if kind is not None]
    schemas, components = _references(kinds)
    paths: dict[str, dict[str, Any]] = {}
    for raw_path, handler in sorted(handlers, key=lambda pair: pair[0]):
        path = _PARAMETER.sub(r"{\1}", raw_path)
        for method in sorted(handler.http_methods - {"OPTIONS", "HEAD"}):
            paths.setdefault(path, {})[method.lower()] = _describe(handler, path, schemas)
    keys = {name: {"type": "apiKey", "in": "header", "name": name} for name in ("X-App-Id", "X-App-Token")}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Rapport",
            "version": version,
            "summary": "Customers, segments that are always right, and promotions that reach the right person.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": keys},
    }
