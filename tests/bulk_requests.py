"""What tests of bulk requests and imports have in common."""

import csv
import io
import json
from typing import Any

import harness


def finished(api: Any, action_id: str, timeout_s: float = 30.0) -> dict[str, Any]:
    """Wait until an action is over and return it."""

    def look() -> dict[str, Any] | None:
        action: dict[str, Any] = api.call("GET", f"/v1/async-actions/{action_id}")
        return action if action["status"] in {"DONE", "FAILED"} else None

    found = harness.wait_for(look, what=f"the action {action_id}", timeout_s=timeout_s)
    assert found is not None
    return found


def run(api: Any, path: str, body: Any, **options: Any) -> dict[str, Any]:
    """Make a bulk request and return its action when it is over."""
    answer = api.call("POST", path, body, status=200 if path.startswith("/v1/orders") else 202, **options)
    assert list(answer) == ["async_action_id"]
    return finished(api, answer["async_action_id"])


def run_lines(api: Any, path: str, *lines: Any) -> dict[str, Any]:
    """Make a bulk request of lines (texts stay as they are) and return its action when it is over."""
    content = "\n".join(one if isinstance(one, str) else json.dumps(one) for one in lines)
    answer = api.call("POST", path, None, status=200 if path.startswith("/v1/orders") else 202, content=content,
                      headers={"Content-Type": "application/x-ndjson; charset=utf-8"})  # fmt: skip
    return finished(api, answer["async_action_id"])


def items(api: Any, action: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the first 100 things of an action."""
    found: list[dict[str, Any]] = api.call("GET", f"/v1/async-actions/{action['id']}/items", params={"limit": 100})[
        "items"
    ]
    return found


def report(api: Any, action: dict[str, Any]) -> list[dict[str, str]]:
    """Download the report of an action, without keys."""
    (url,) = action["result"]["reports"]
    answer = harness.httpx2.get(url, timeout=30)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert url.startswith(str(api.base_url).rstrip("/"))
    return list(csv.DictReader(io.StringIO(answer.text)))
