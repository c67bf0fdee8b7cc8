"""The OpenAPI document, made from what the handlers declare."""

import inspect
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

import msgspec
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler

from rapport.http.caller import CLIENT_HEADERS, MANAGEMENT_HEADERS, SERVER_HEADERS
from rapport.http.client_side import Switch
from rapport.http.errors import ErrorBody
from rapport.http.lists import InstantFilter, ListFilter, ListSpec, OneOf

_TEMPLATE: Final = "#/components/schemas/{name}"
_PARAMETER: Final = re.compile(r"{(\w+)(?::\w+)?}")

# What a link has in its query that needs no key.
_LINK_PARAMETERS: Final = {"token", "signature"}

_IDEMPOTENCY_KEY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "A request sent again with its key has its effect once, and is answered as the first time",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"},
}

_ORIGIN: Final = {
    "name": "Origin",
    "in": "header",
    "required": False,
    "description": "Browsers send it; needed where the project has client_trusted_domains",
    "schema": {"type": "string"},
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
    "delete-campaign": "The deletion has begun, or is done",
    "customer-permanently-deletion": "The receipt",
    "get-customer-data": "Everything that is held on the person: one list for each kind of data",
    "merge-customers": "The merge, and the customer who came out of it",
    "preview-customer-merge": "What the merge would come to",
    "undo-merge": "The merge, undone",
    "list-customer-duplicates": "A page of groups of customers",
    "add-vouchers-to-campaign": "The campaign",
    "add-voucher-with-specific-code-to-campaign": "The voucher",
    "update-voucher-balance": "The balance after the change",
    "list-voucher-transactions": "A part of the voucher's ledger",
    "list-campaign-transactions": "A part of the ledger of the campaign's vouchers",
    "export-voucher-transactions": "The export",
    "export-campaign-transactions": "The export",
    "get-campaign-summary": "The campaign, with what was counted of it",
    "import-vouchers": "The request is accepted",
    "import-vouchers-using-csv": "The request is accepted",
    "import-vouchers-to-campaign": "The request is accepted",
    "import-vouchers-to-campaign-using-csv": "The request is accepted",
    "update-vouchers-in-bulk": "The request is accepted",
    "update-vouchers-metadata-in-bulk": "The request is accepted",
    "create-publication": "The publication, with its voucher",
    "create-publication-client-side": "The publication, with its voucher",
    "list-customer-redeemables": "What the customer holds",
    "create-publication-1": "The publication, with its voucher",
    "list-backtests": "A page of back-tests",
    "get-export": "The export; to a request with its token, the file",
    "create-order-export": "The export",
    "list-categories": "All categories of the project",
    "list-promotion-tiers-from-campaign": "All tiers of the campaign",
    "add-promotion-tier-to-campaign": "The tier",
    "get-promotion-tier": "The tier",
    "update-promotion-tier": "The tier",
    "enable-promotion-tier": "The tier",
    "disable-promotion-tier": "The tier",
    "list-promotion-stacks-in-campaign": "All stacks of the campaign",
    "create-promotion-stack": "The stack",
    "get-promotion-stack": "The stack",
    "update-promotion-stack": "The stack",
    "create-category": "The category",
    "get-category": "The category",
    "update-category": "The category",
    "create-campaign-from-template": "The campaign, and the rules that were made for it",
    "add-tier-from-template": "The tier, and the rules that were made for it",
    "track-custom-event": "The event",
    "track-custom-event-client-side": "That the event was taken",
    "list-consents": "All consents of the project",
    "list-consents-client-side": "All consents of the project",
    "create-customer-client-side": "The customer, with what the request says",
    "validate-promotions-client-side": "The tiers that could be redeemed, each alone",
    "update-customers-consents": "The customer's consents",
    "list-customer-consents": "What the customer said, with the consents as they are now",
    "receive-inbound-message": "What the message meant",
    "add-customer-device": "The device",
    "list-customer-devices": "The customer's devices",
    "record-customer-interaction": "The interaction",
    "list-customer-interactions": "The customer's interactions",
    "get-distribution-message": "The message, with its bodies",
    "resend-distribution-message": "The message",
    "redeem-stacked-discounts": "The redemptions, one for each redeemable, and the order as they leave it",
    "redeem-voucher": "The redemption, with its order and its voucher",
    "rollback-redemption": "The rollback",
    "rollback-stacked-redemptions": "The rollbacks, one for each redemption",
    "update-customers-in-bulk": "The request is accepted",
    "update-customers-metadata-in-bulk": "The request is accepted",
    "update-products-in-bulk": "The request is accepted",
    "update-products-metadata-in-bulk": "The request is accepted",
    "import-orders": "The request is accepted",
    "import-events": "The request is accepted",
    "validate-stacked-discounts": "Whether the redeemables can be redeemed, and the order as they would leave it",
    "validate-validation-rule": "Whether the rule would hold",
    "validate-voucher": "Whether the code can be redeemed, and the order as it would leave it",
    "create-validation-rule-assignment": "The assignment",
    "list-metadata-schemas": "All metadata schemas",
    "list-metadata-schemas-1": "All metadata schemas",
    "create-metadata-schema": "The metadata schema",
    "get-metadata-schema-1": "The metadata schema",
    "update-metadata-schema": "The metadata schema",
    "purge-metadata-property": "The purge has begun",
    "list-custom-event-schemas": "All custom event schemas",
    "create-custom-event-schema": "The custom event schema",
    "get-custom-event-schema": "The custom event schema",
    "update-custom-event-schema": "The custom event schema",
    "copy-schemas": "What was copied",
    "list-projects": "The project that the key belongs to",
    "get-project": "The project",
    "update-project": "The project",
}


class _Kinds(tuple[Any, ...]):
    """Types, which the framework copies with whatever a handler declares: limits in them cannot be."""

    __slots__ = ()

    def __deepcopy__(self, memo: dict[int, Any]) -> "_Kinds":
        return self


def operation(  # noqa: PLR0913 (what may be said of an operation)
    operation_id: str,
    *,
    body: Any = None,
    answer: Any = None,
    item: Any = None,
    later: Any = None,
    spec: ListSpec | None = None,
    query: Mapping[str, dict[str, Any]] | None = None,
    optional_body: bool = False,
    lines: bool = False,
    upload: str | None = None,
    download: Collection[str] = (),
    secured: bool = True,
    client: bool = False,
    switch: Switch | None = None,
    management: bool = False,
) -> dict[str, Any]:
    """Declare a handler's operation: its id in the reference, the struct of its body and answer, the list it pages.

    `body` may be a tuple: any one of them. `optional_body`: there need not be one. `lines`: it may be newline-delimited
    JSON too, an element a line. `item`: the struct of what the list holds, where the page is made by `lists.envelope`.
    `later`: the struct of the answer 202 to a request whose work goes on. `query`: schemas of further query parameters;
    an object is written `name[key]=…`; those of a signed link, or a token, stand for the keys. `upload`: the media type
    of the one file that the body is, as the part `file` of a form. `download`: the media types of a file that is
    answered; beside `answer`, in its place to a request that shows a token. `client`, `management`: it takes a key of
    that kind, not a server's. `switch`: the setting of the project by which client keys may call it.
    """
    return {
        "operation_id": operation_id,
        "body": _Kinds(body if isinstance(body, tuple) else () if body is None else (body,)),
        "answer": answer,
        "item": item,
        "later": later,
        "spec": spec,
        "query": query or {},
        "optional_body": optional_body,
        "lines": lines,
        "upload": upload,
        "download": download,
        "secured": secured,
        "client": client,
        "switch": switch,
        "management": management,
    }


def _query_parameters(spec: ListSpec) -> list[dict[str, Any]]:
    orders = [sign + name for name in spec.orders for sign in ("", "-")]
    parameters: list[tuple[str, dict[str, Any]]] = [
        ("limit", {"type": "integer", "minimum": 1, "maximum": 100, "default": 10}),
        ("order", {"type": "string", "enum": orders, "default": spec.default_order}),
    ]
    if spec.by_id:
        parameters.append(("starting_after_id", {"type": "string"}))
    else:
        parameters.insert(1, ("page", {"type": "integer", "minimum": 1, "maximum": spec.max_page, "default": 1}))
    if spec.cursor:
        parameters.append(("starting_after", {"type": "string", "format": "date-time"}))
    parameters += [(name, _filter_schema(item)) for name, item in spec.filters.items()]
    return [{"name": name, "in": "query", "required": False, "schema": schema} for name, schema in parameters]


def _filter_schema(item: ListFilter) -> dict[str, Any]:
    if isinstance(item, OneOf):
        return {"type": "string", "enum": [*item.choices]}
    return {"type": "string", "format": "date-time"} if isinstance(item, InstantFilter) else {"type": "string"}


def _further_parameter(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    style = {"style": "deepObject", "explode": True} if schema["type"] == "object" else {}
    return {"name": name, "in": "query", "required": False, "schema": schema, **style}


def _body(declared: Mapping[str, Any], schemas: dict[Any, dict[str, Any]]) -> dict[str, Any]:
    if declared["upload"] is not None:
        file = {"type": "string", "contentMediaType": declared["upload"]}
        # Options of the query may be further parts of the form.
        schema = {"type": "object", "properties": {"file": file, **declared["query"]}, "required": ["file"]}
        return {"required": True, "content": {"multipart/form-data": {"schema": schema}}}
    kinds = [schemas[kind] for kind in declared["body"]]
    schema = kinds[0] if len(kinds) == 1 else {"anyOf": kinds}
    content = {"application/json": {"schema": schema}}
    if declared["lines"]:
        content["application/x-ndjson"] = {"schema": {"type": "string", "description": "A JSON object a line"}}
    return {"required": not declared["optional_body"], "content": content}


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


def _list_schema(spec: ListSpec, item: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a page, as `lists.envelope` makes it."""
    properties = {
        "object": {"const": "list"},
        "data_ref": {"const": spec.data_ref},
        spec.items_key or spec.data_ref: {"type": "array", "items": item},
        "total": {"type": "integer", "minimum": 0},
        "has_more": {"type": "boolean"},
    }
    return {"type": "object", "properties": properties, "required": list(properties)}


def _success(handler: HTTPRouteHandler, operation_id: str, tag: str, schemas: dict[Any, Any]) -> dict[str, Any]:
    declared = handler.opt
    if handler.status_code == 204:
        return {"description": "Done; no content"}
    file = {media_type: {"schema": {"type": "string"}} for media_type in declared["download"]}
    if file and declared["answer"] is None:
        return {"description": "The file", "content": file}
    shape: dict[str, Any] = {"type": "object"}
    if declared["answer"] is not None:
        shape = schemas[declared["answer"]]
    elif declared["spec"] is not None:
        item = {"type": "object"} if declared["item"] is None else schemas[declared["item"]]
        shape = _list_schema(declared["spec"], item)
    otherwise = "A page of the list" if declared["spec"] else f"The {tag.removesuffix('s').replace('-', ' ')}"
    content = {"application/json": {"schema": shape}, **file}
    return {"description": _ANSWERS.get(operation_id, otherwise), "content": content}


def _tag(path: str) -> str:
    if path.startswith("/management/"):
        return "management"
    parts = path.removeprefix("/client").split("/")
    return parts[2] if parts[1] == "v1" else "server"


def _headers(declared: Mapping[str, Any]) -> tuple[str, str]:
    if declared["management"]:
        return MANAGEMENT_HEADERS
    return CLIENT_HEADERS if declared["client"] else SERVER_HEADERS


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
    if declared["client"]:
        parameters.append(_ORIGIN)
    if declared["spec"] is not None:
        parameters += _query_parameters(declared["spec"])
    parameters += [_further_parameter(name, schema) for name, schema in declared["query"].items()]
    error = {"description": "The error", "content": {"application/json": {"schema": schemas[ErrorBody]}}}
    operation_id = _operation_id(handler, path)
    tag = _tag(path)
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
    if declared["later"] is not None:
        schema = schemas[declared["later"]]
        content = {"application/json": {"schema": schema}}
        described["responses"]["202"] = {"description": "The work goes on", "content": content}
    if declared["secured"]:
        keyless: list[dict[str, list[str]]] = [{}] if declared["query"].keys() & _LINK_PARAMETERS else []
        described["security"] = [{name: [] for name in _headers(declared)}, *keyless]
    if declared["body"] or declared["upload"] is not None:
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
        parts = [handler.opt[part] for part in ("answer", "item", "later")]
        kinds += [kind for kind in (*handler.opt["body"], *parts) if kind is not None]
    schemas, components = _references(kinds)
    paths: dict[str, dict[str, Any]] = {}
    for raw_path, handler in sorted(handlers, key=lambda pair: pair[0]):
        path = _PARAMETER.sub(r"{\1}", raw_path)
        for method in sorted(handler.http_methods - {"OPTIONS", "HEAD"}):
            paths.setdefault(path, {})[method.lower()] = _describe(handler, method, path, schemas)
    headers = SERVER_HEADERS + CLIENT_HEADERS + MANAGEMENT_HEADERS
    keys = {name: {"type": "apiKey", "in": "header", "name": name} for name in headers}
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
