"""Exports for tests: asked for, waited for, downloaded and read back."""

import csv
import io
from typing import Any

import httpx2

import harness


def create(api: Any, exported_object: str, **parameters: Any) -> dict[str, Any]:
    """Ask for an export; return the answer."""
    body = {"exported_object": exported_object, "parameters": parameters}
    return api.call("POST", "/v1/exports", body)  # type: ignore[no-any-return]


def finished(api: Any, export_id: str) -> dict[str, Any]:
    """Wait until an export is over; return it."""

    def look() -> dict[str, Any] | None:
        found: dict[str, Any] = api.call("GET", f"/v1/exports/{export_id}")
        return found if found["status"] in {"DONE", "ERROR"} else None

    return harness.wait_for(look, what=f"the end of {export_id}")  # type: ignore[return-value]


def download(url: str) -> bytes:
    """Return the file at the URL of an export; no key is sent."""
    answer = httpx2.get(url, timeout=30)
    assert answer.status_code == 200, answer.text
    return answer.content


def file_of(api: Any, exported_object: str, **parameters: Any) -> bytes:
    """Export something; return the file."""
    done = finished(api, create(api, exported_object, **parameters)["id"])
    assert done["status"] == "DONE", done
    return download(done["result"]["url"])


def table(data: bytes) -> list[list[str]]:
    """Return the cells of a CSV file, with the header."""
    return list(csv.reader(io.StringIO(data.decode(), newline=""), strict=True))


def table_of(api: Any, exported_object: str, **parameters: Any) -> list[list[str]]:
    """Export something; return the cells of the file, with the header."""
    return table(file_of(api, exported_object, **parameters))


def conditions(**operands: Any) -> dict[str, Any]:
    """Return the conditions of a filter's field: `conditions(more_than=5)`."""
    return {"conditions": {f"${name}": value for name, value in operands.items()}}
