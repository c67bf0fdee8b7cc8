"""The API's documentation as one HTML page, without scripts and without outside assets."""

import html
import json
from importlib import resources
from typing import Any


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
        f'<details id="{described["operationId"]}"><summary><b class="{verb}">{verb}</b>'
        f"<code>{html.escape(path)}</code><span>{html.escape(described['summary'])}</span></summary>"
        f"<div class=in>{''.join(parts)}</div></details>"
    )


def page(described: dict[str, Any]) -> str:
    """Return the document as one HTML page without scripts or outside assets."""
    components = described["components"]["schemas"]
    tags: dict[str, list[str]] = {}
    for path, methods in described["paths"].items():
        for method, one in methods.items():
            tags.setdefault(one["tags"][0], []).append(_operation_html(path, method, one, components))
    body = "".join(f"<h2>{html.escape(tag)}</h2>{''.join(parts)}" for tag, parts in sorted(tags.items()))
    style = (resources.files("rapport.http") / "docs_page.css").read_text()
    title = f"Rapport {html.escape(described['info']['version'])}"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{title}</title><style>{style}</style></head><body><h1>{title}</h1>"
        f"<p>{html.escape(described['info']['summary'])} The machine-readable document is "
        '<a href="/openapi.json">openapi.json</a>. Every call under <code>/v1</code> carries the headers '
        f"<code>X-App-Id</code> and <code>X-App-Token</code>.</p>{body}</body></html>"
    )
