"""The API's documentation as one HTML page, without scripts and without outside assets."""

import html
import json
import re
from collections.abc import Sequence
from importlib import resources
from typing import Any

_CODE = re.compile(r"`([^`]+)`")
_RANGES = (
    ("minLength", "maxLength", " characters"),
    ("minimum", "maximum", ""),
    ("minItems", "maxItems", " items"),
    ("minProperties", "maxProperties", " entries"),
)


def _text(words: str) -> str:
    """Return prose as HTML: what stands between backticks is code."""
    return _CODE.sub(r"<code>\1</code>", html.escape(words))


def _paragraphs(words: str) -> str:
    return "".join(f"<p>{_text(part)}</p>" for part in words.split("\n\n") if part.strip())


def _code(value: Any) -> str:
    return f"<code>{html.escape(value if isinstance(value, str) else json.dumps(value))}</code>"


def _kind(schema: dict[str, Any]) -> str:
    """Return what a value may be, in words, with links to the types."""
    if "$ref" in schema:
        name = html.escape(schema["$ref"].rsplit("/", 1)[-1])
        return f'<a href="#type-{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(_kind(one) for one in schema["anyOf"])
    if "const" in schema:
        return _code(schema["const"])
    if "enum" in schema:
        return " or ".join(_code(one) for one in schema["enum"])
    kind = str(schema.get("type", "anything"))
    if kind == "array" and "items" in schema:
        kind = f"array of {_kind(schema['items'])}"
    if kind == "object" and schema.get("additionalProperties"):
        kind = f"object of {_kind(schema['additionalProperties'])}"
    return f"{kind} ({schema['format']})" if "format" in schema else kind


def _range(least: float | None, most: float | None, unit: str) -> str:
    if most is None:
        return f"at least {least:,}{unit}"
    return f"at most {most:,}{unit}" if least is None else f"{least:,} to {most:,}{unit}"


def _rules(schema: dict[str, Any]) -> str:
    parts = [_text(schema["description"])] if "description" in schema else []
    for one in (schema, *schema.get("anyOf", ())):
        parts += [
            _range(one.get(least), one.get(most), unit) for least, most, unit in _RANGES if least in one or most in one
        ]
        parts += [f"of the form {_code(one['pattern'])}"] if "pattern" in one else []
        parts += [f"{_code(one['default'])} if left out"] if "default" in one else []
    return ", ".join(dict.fromkeys(parts))


def _table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    head = "".join(f"<th>{one}</th>" for one in heads)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"


def _properties(schema: dict[str, Any]) -> str:
    required = schema.get("required", ())
    rows = [
        (_code(name) + (" <em>required</em>" if name in required else ""), _kind(one), _rules(one))
        for name, one in schema.get("properties", {}).items()
    ]
    return _table(("Property", "Type", "Rules"), rows) if rows else f"<p>{_kind(schema)}</p>"


def _shape(title: str, schema: dict[str, Any], components: dict[str, Any]) -> str:
    """Return a body or an answer: its properties at once, what is inside them by links."""
    named = "$ref" in schema
    shown = components[schema["$ref"].rsplit("/", 1)[-1]] if named else schema
    link = f" {_kind(schema)}" if named else ""
    return f"<h4>{title}{link}</h4>{_properties(shown) if shown.get('properties') else ''}"


def _operation_html(path: str, method: str, described: dict[str, Any], components: dict[str, Any]) -> str:
    rows = [
        (_code(one["name"]), one["in"], _kind(one["schema"]), _rules(one["schema"])) for one in described["parameters"]
    ]
    parts = [_paragraphs(described["description"])]
    if rows:
        parts.append(_table(("Parameter", "In", "Type", "Rules"), rows))
    if "requestBody" in described:
        kind, content = next(iter(described["requestBody"]["content"].items()))
        title = "Body" if kind == "application/json" else f"Body, {_code(kind)}"
        parts.append(_shape(title, content["schema"], components))
    status, answer = next(iter(described["responses"].items()))
    title = f"Answer {status}: {_text(answer['description'])}"
    parts.append(_shape(title, answer.get("content", {}).get("application/json", {}).get("schema", {}), components))
    verb = method.upper()
    return (
        f'<details id="{described["operationId"]}"><summary><b class="{verb}">{verb}</b>'
        f"<code>{html.escape(path)}</code><span>{_text(described['summary'])}</span></summary>"
        f"<div class=in>{''.join(parts)}</div></details>"
    )


def _type_html(name: str, schema: dict[str, Any]) -> str:
    words = _paragraphs(schema.get("description", ""))
    return f'<section id="type-{html.escape(name)}"><h3>{html.escape(name)}</h3>{words}{_properties(schema)}</section>'


def page(described: dict[str, Any]) -> str:
    """Return the document as one HTML page without scripts or outside assets."""
    components = described["components"]["schemas"]
    tags: dict[str, list[str]] = {}
    for path, methods in described["paths"].items():
        for method, one in methods.items():
            tags.setdefault(one["tags"][0], []).append(_operation_html(path, method, one, components))
    body = "".join(f"<h2>{html.escape(tag)}</h2>{''.join(parts)}" for tag, parts in sorted(tags.items()))
    types = "".join(_type_html(name, schema) for name, schema in sorted(components.items()))
    style = (resources.files("rapport.http") / "docs_page.css").read_text()
    title = f"Rapport {html.escape(described['info']['version'])}"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{title}</title><style>{style}</style></head><body><h1>{title}</h1>"
        f"<p>{html.escape(described['info']['summary'])} The machine-readable document is "
        '<a href="/openapi.json">openapi.json</a>. Every call under <code>/v1</code> carries the headers '
        "<code>X-App-Id</code> and <code>X-App-Token</code>, those under <code>/management</code> "
        "<code>X-Management-Id</code> and <code>X-Management-Token</code>. An error is answered with a status of "
        "4xx or 5xx and "
        '<a href="#type-ErrorBody">ErrorBody</a>.</p>'
        f'{body}<h2 id="types">Types</h2>{types}</body></html>'
    )
