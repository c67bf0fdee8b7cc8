"""The OpenAPI document and its page, made from what the handlers declare; nothing is loaded from outside."""

import html
import inspect
import json
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


_STYLE: Final = """
:root{color-scheme:light dark;--line:#8884;--dim:#888}body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
h1{margin-bottom:.2rem}h2{margin-top:2rem;border-bottom:1px solid var(--line)}details{border:1px solid var(--line);border-radius:6px;margin:.5rem 0}
summary{padding:.5rem .8rem;cursor:pointer}summary b{display:inline-block;width:4.5rem;font-family:ui-monospace,monospace}
summary code{font-size:1em}summary span{color:var(--dim);margin-left:.8rem}.in{padding:0 .8rem .8rem}
table{border-collapse:collapse;width:100%}td,th{border-top:1px solid var(--line);padding:.25rem .5rem;text-align:left;vertical-align:top}
pre{background:#8881;padding:.6rem;border-radius:6px;overflow:auto}.GET{color:#2a7}.POST{color:#27c}.PUT{color:#b70}.DELETE{color:#c33}
"""


def _schema_text(schema: dict[str, Any], components: dict[str, Any]) -> str:
    if "$ref" in schema:
        return _schema_text(components[schema["$ref"].rsplit("/", 1)[-1]], components)
    return json.dumps(schema, indent=2)


def _operation_html(path: str, method: str, described: dict[str, Any], components: dict[str, Any]) -> str:
    rows = "".join(
        f"<tr><td><code>{html.escape(one['name'])}</code></td><td>{one['in']}</td>"
        f"<td>{html.escape(json.dumps(one['schema']))}</td></tr>"
        for one in described["parameters"]
    )
    parts = [f"<p>{html.escape(described['description'])}</p>" if described["description"] else ""]
    if rows:
        parts.append(f"<table><tr><th>Parameter</th><th>In</th><th>Type</th></tr>{rows}</table>")
    if "requestBody" in described:
        schema = described["requestBody"]["content"]["application/json"]["schema"]
        parts.append(f"<h4>Body</h4><pre>{html.escape(_schema_text(schema, components))}</pre>")
    verb = method.upper()
    return (
        f'<details id="{described["operationId"]}"><summary><b class="{verb}">{verb}</b><code>{html.escape(path)}</code>'
        f"<span>{html.escape(described['summary'])}</span></summary><div class=in>{''.join(parts)}</div></details>"
    )


def page(described: dict[str, Any]) -> str:
    """Return the document as one HTML page without scripts or outside assets."""
    components = described["components"]["schemas"]
    tags: dict[str, list[str]] = {}
    for path, methods in described["paths"].items():
        for method, one in methods.items():
            tags.setdefault(one["tags"][0], []).append(_operation_html(path, method, one, components))
    body = "".join(f"<h2>{html.escape(tag)}</h2>{''.join(parts)}" for tag, parts in sorted(tags.items()))
    title = f"Rapport {html.escape(described['info']['version'])}"
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{title}</title><style>{_STYLE}</style></head><body><h1>{title}</h1>"
        f"<p>{html.escape(described['info']['summary'])} The machine-readable document is "
        '<a href="/openapi.json">openapi.json</a>. Every call under <code>/v1</code> carries the headers '
        f"<code>X-App-Id</code> and <code>X-App-Token</code>.</p>{body}</body></html>"
    )
