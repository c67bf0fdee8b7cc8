"""The OpenAPI document, made from what the handlers declare."""

import inspect
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler

from rapport.http.errors import ErrorBody
from rapport.http.lists import InstantFilter, ListSpec

_TEMPLATE: Final = "#/components/schemas/{name}"
_PARAMETER: Final = re.compile(r"{(\w+)(?::\w+)?}")

_IDEMPOTENCY_KEY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "A request sent again with its key has its effect once, and is answered as the first time",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"},
}

# What an operation answers, where it is neither a list nor the object that its path is named for.
_ANSWERS: Final = {
    "health": "The server's version",
    "list-customer-segments": "The segments that the customer is in",
    "get-customer-segment": "Why the customer is in the segment or is not",
    "preview-segment": "What the filter holds for",
    "add-customers-to-segment": "How many customers entered",
    "remove-customers-from-segment": "How many customers left",
    "import-customers-to-segment-using-csv": "How many customers entered",
    "customer-permanently-deletion": "The receipt",
    "get-customer-data": "Everything that is held on the person: one list for each kind of data",
    "merge-customers": "The merge, and the customer who came out of it",
    "preview-customer-merge": "What the merge would come to",
    "undo-merge": "The merge, undone",
    "list-customer-duplicates": "A page of groups of customers",
    "delete-campaign": "The deletion has begun, or is done",
    "add-vouchers-to-campaign": "The campaign",
    "add-voucher-with-specific-code-to-campaign": "The voucher",
    "create-publication": "The publication, with its voucher",
    "create-publication-1": "The publication, with its voucher",
    "get-export": "The export; to a request with its token, the file",
    "create-order-export": "The export",
    "track-custom-event": "The event",
    "get-distribution-message": "The message, with its bodies",
    "resend-distribution-message": "The message",
    "redeem-stacked-discounts": "The redemptions, one for each redeemable, and the order as they leave it",
    "redeem-voucher": "The redemption, with its order and its voucher",
    "rollback-redemption": "The rollback",
    "rollback-stacked-redemptions": "The rollbacks, one for each redemption",
    "validate-stacked-discounts": "Whether the redeemables can be redeemed, and the order as they would leave it",
    "validate-voucher": "Whether the code can be redeemed, and the order as it would leave it",
    "create-validation-rule-assignment": "The assignment",
}


def operation(
    operation_id: str,
    *,
    body: Any = None,
    answer: Any = None,
    spec: ListSpec | None = None,
    query: Mapping[str, dict[str, Any]] | None = None,
    upload: str | None = None,
    download: str | None = None,
    secured: bool = True,
) -> dict[str, Any]:
    """Declare a handler's operation: its id in the reference, the struct of its body and answer, the list it pages.

    `query`: schemas of further query parameters; an object is written `name[key]=…`. `upload`: the media type of the
    one file that the body is, as the part `file` of a form. `download`: the media type of a file that is answered in
    place of `answer` to a request that shows a token, which then needs no key.
    """
    return {
        "operation_id": operation_id,
        "body": body,
        "answer": answer,
        "spec": spec,
        "query": query or {},
        "upload": upload,
        "download": download,
        "secured": secured,
    }


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


def _further_parameter(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    style = {"style": "deepObject", "explode": True} if schema["type"] == "object" else {}
    return {"name": name, "in": "query", "required": False, "schema": schema, **style}


def _body(declared: Mapping[str, Any], schemas: dict[Any, dict[str, Any]]) -> dict[str, Any]:
    if declared["upload"] is not None:
        file = {"type": "string", "contentMediaType": declared["upload"]}
        schema = {"type": "object", "properties": {"file": file}, "required": ["file"]}
        return {"required": True, "content": {"multipart/form-data": {"schema": schema}}}
    return {"required": True, "content": {"application/json": {"schema": schemas[declared["body"]]}}}


def _references(kinds: Iterable[Any]) -> tuple[dict[Any, dict[str, Any]], dict[str, Any]]:
    known = list(dict.fromkeys(kinds))
    schemas, components = msgspec.json.schema_components(known, ref_template=_TEMPLATE)
    return dict(zip(known, schemas, strict=True)), {name: _tidy(schema) for name, schema in components.items()}


def _tidy(schema: Any) -> Any:
    """Return a schema without defaults of null, which say no more than that a property may be left out."""
    if isinstance(schema, list):
        return [_tidy(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: _tidy(one) for key, one in schema.items() if not (key == "default" and one is None)}
    if isinstance(kept.get("description"), str):
        kept["description"] = inspect.cleandoc(kept["description"])
    return kept


def _operation_id(handler: HTTPRouteHandler, path: str) -> str:
    """Return the id of an operation at a path; ids are unique, so each path of one handler has its own.

    The declared id ends as one of the paths does (`list-customer-activity`, `…/activity`); the ids of the others end as
    they do (`list-customer-activities`).
    """
    declared = str(handler.opt["operation_id"])
    ends = {one.rsplit("/", 1)[-1] for one in handler.paths}
    own = next((end for end in ends if declared.endswith(f"-{end}")), None)
    if len(ends) == 1 or own is None:
        return declared
    return declared.removesuffix(own) + path.rsplit("/", 1)[-1]


def _list_schema(spec: ListSpec) -> dict[str, Any]:
    """Return the schema of a page, as `lists.envelope` makes it."""
    properties = {
        "object": {"const": "list"},
        "data_ref": {"const": spec.data_ref},
        spec.items_key or spec.data_ref: {"type": "array", "items": {"type": "object"}},
        "total": {"type": "integer", "minimum": 0},
        "has_more": {"type": "boolean"},
    }
    return {"type": "object", "properties": properties, "required": list(properties)}


def _success(handler: HTTPRouteHandler, operation_id: str, tag: str, schemas: dict[Any, Any]) -> dict[str, Any]:
    declared = handler.opt
    if handler.status_code == 204:
        return {"description": "Done; no content"}
    shape: dict[str, Any] = {"type": "object"}
    if declared["answer"] is not None:
        shape = schemas[declared["answer"]]
    elif declared["spec"] is not None:
        shape = _list_schema(declared["spec"])
    otherwise = "A page of the list" if declared["spec"] else f"The {tag.removesuffix('s').replace('-', ' ')}"
    content: dict[str, Any] = {"application/json": {"schema": shape}}
    if declared["download"] is not None:
        content[declared["download"]] = {"schema": {"type": "string"}}
    return {"description": _ANSWERS.get(operation_id, otherwise), "content": content}


def _describe(handler: HTTPRouteHandler, method: str, path: str, schemas: dict[Any, dict[str, Any]]) -> dict[str, Any]:
    declared = handler.opt
    lines = inspect.getdoc(handler.fn) or ""
    summary, _, description = lines.partition("\n")
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _PARAMETER.findall(path)
    ]
    if declared["secured"] and method in {"POST", "PUT"}:
        parameters.append(_IDEMPOTENCY_KEY)
    if declared["spec"] is not None:
        parameters += _query_parameters(declared["spec"])
    parameters += [_further_parameter(name, schema) for name, schema in declared["query"].items()]
    error = {"description": "The error", "content": {"application/json": {"schema": schemas[ErrorBody]}}}
    operation_id = _operation_id(handler, path)
    tag = path.split("/")[2] if path.startswith("/v1/") else "server"
    described: dict[str, Any] = {
        "operationId": operation_id,
        "tags": [tag],
        "summary": summary.rstrip("."),
        "description": description.strip(),
        "parameters": parameters,
        "responses": {
            str(handler.status_code): _success(handler, operation_id, tag, schemas),
            "4XX": error,
            "5XX": error,
        },
    }
    if declared["secured"]:
        described["security"] = [{"X-App-Id": [], "X-App-Token": []}, *([{}] if declared["download"] else [])]
    if declared["body"] is not None or declared["upload"] is not None:
        described["requestBody"] = _body(declared, schemas)
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
            paths.setdefault(path, {})[method.lower()] = _describe(handler, method, path, schemas)
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
