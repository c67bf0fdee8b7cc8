"""Imports as tests make them: a file sent, and what became of it."""

import csv
import io
from typing import Any

import harness


def send(
    api: Any,
    content: str | bytes,
    *,
    status: int = 202,
    name: str = "customers.csv",
    kind: str = "customers",
    **options: str,
) -> Any:
    """Send a file, of customers if nothing else is said; return the answer."""
    files = {"file": (name, content.encode() if isinstance(content, str) else content, "text/csv")}
    return api.call("POST", f"/v1/{kind}/importCSV", status=status, files=files, data=options)


def is_over(api: Any, action_id: str) -> Any:
    """Return an action that is over, or None."""
    found = api.call("GET", f"/v1/async-actions/{action_id}")
    return found if found["status"] in {"DONE", "FAILED"} else None


def find(api: Any, action_id: str) -> Any:
    """Return the import that an action does."""
    listed = api.call("GET", "/v1/imports?limit=100")["imports"]
    return next(one for one in listed if one["async_action_id"] == action_id)


def run(api: Any, content: str | bytes, *, timeout_s: float = 30.0, **options: str) -> Any:
    """Send a file, wait for the end, and return the import."""
    action_id = send(api, content, **options)["async_action_id"]
    harness.wait_for(lambda: is_over(api, action_id), timeout_s=timeout_s, what="the import")
    return api.call("GET", f"/v1/imports/{find(api, action_id)['id']}")


def undo(api: Any, import_id: str) -> Any:
    """Undo an import, wait for the end, and return it."""
    action_id = api.call("POST", f"/v1/imports/{import_id}/undo", status=202)["async_action_id"]
    harness.wait_for(lambda: is_over(api, action_id), what="the undoing")
    return api.call("GET", f"/v1/imports/{import_id}")


def counts(one: Any) -> tuple[int, int, int, int]:
    """Return how many rows of an import created, updated, left unchanged and failed."""
    assert one["rows"] == one["created"] + one["updated"] + one["unchanged"] + one["failed"]
    return one["created"], one["updated"], one["unchanged"], one["failed"]


def failures(api: Any, import_id: str) -> list[list[str]]:
    """Return the rows of the file of failed rows, its header first."""
    answer = api.get(f"/v1/imports/{import_id}/failures")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/csv; charset=utf-8", answer.headers
    return list(csv.reader(io.StringIO(answer.text, newline="")))
