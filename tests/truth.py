"""Holds the answers that the tests are given against the OpenAPI document of the server that gave them."""

import functools
import re
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx2
import jsonschema


class Document:
    """The operations of a document: their paths as patterns, and a validator for each answer."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._components = document["components"]
        # `/create` before `/{id}`: of two patterns that match, the one with fewer places is meant.
        paths = sorted(document["paths"].items(), key=lambda pair: pair[0].count("{"))
        self._paths = [(re.compile(re.sub(r"{\w+}", "[^/]+", path)), methods) for path, methods in paths]
        self._validators: dict[tuple[str, str], Any] = {}

    def find(self, method: str, path: str) -> dict[str, Any] | None:
        """Return the operation that a request is for, if the document has it."""
        for pattern, methods in self._paths:
            if pattern.fullmatch(path):
                return methods.get(method.lower())  # type: ignore[no-any-return]
        return None

    def misfit(self, method: str, path: str, status: int, body: Any) -> str | None:
        """Return where an answer is not as the document says; None when it is, or the document has no operation."""
        operation = self.find(method, path)
        if operation is None:
            return None
        responses = operation["responses"]
        kind = str(status) if str(status) in responses else f"{status // 100}XX"
        if kind not in responses:
            return f"{operation['operationId']} has no answer {status}"
        content = responses[kind].get("content", {})
        if "application/json" not in content:
            return None if body is None else f"{operation['operationId']} says nothing with {status}"
        key = operation["operationId"], kind
        if key not in self._validators:
            schema = content["application/json"]["schema"] | {"components": self._components}
            self._validators[key] = jsonschema.Draft202012Validator(schema)
        error = jsonschema.exceptions.best_match(self._validators[key].iter_errors(body))
        return (
            None if error is None else f"{operation['operationId']} {status}: {error.json_path}: {error.message[:300]}"
        )


@functools.cache
def document_of(base_url: str) -> Document:
    """Return the document of a server; it is the same for as long as the server runs."""
    return Document(httpx2.get(f"{base_url}/openapi.json", timeout=30, verify=False).json())


def check(answer: httpx2.Response) -> None:
    """Assert that an answer is one that the server's document has for the operation."""
    url = urlsplit(str(answer.request.url))
    if not answer.headers.get("content-type", "application/json").startswith("application/json"):
        return
    path = unquote(url.path.replace("%2F", "_").replace("%2f", "_")).replace("\n", "_")
    body = answer.json() if answer.content else None
    try:
        document = document_of(f"{url.scheme}://{url.netloc}")
    except httpx2.TransportError:  # the test has ended the server meanwhile
        return
    misfit = document.misfit(answer.request.method, path, answer.status_code, body)
    assert misfit is None, misfit
