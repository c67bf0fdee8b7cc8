"""Asynchronous actions on the wire."""

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from rapport.async_actions.models import Action, Status
from rapport.core.clock import iso


class Accepted(msgspec.Struct, kw_only=True):
    """The answer of a request whose work is done later (202)."""

    async_action_id: str


class ActionView(msgspec.Struct, kw_only=True):
    """`AsyncAction` of the reference; without `result` it is `AsyncActionBase`."""

    id: str
    type: str
    status: Status
    operation_status: Literal["FAILED", "SUCCESS", "UNKNOWN"]
    created_at: str
    updated_at: str
    request_id: str
    processing_time: int
    progress: int
    result: dict[str, Any] | UnsetType = UNSET
    object: Literal["async_action"] = "async_action"


def _absolute(result: dict[str, Any], base_url: str) -> dict[str, Any]:
    """Return a result whose links to this server (texts and lists of texts that begin with `/v1/`) are whole URLs."""

    def whole(value: Any) -> Any:
        return base_url + value if isinstance(value, str) and value.startswith("/v1/") else value

    return {
        name: [whole(one) for one in value] if isinstance(value, list) else whole(value)
        for name, value in result.items()
    }


def view(action: Action, base_url: str | None = None) -> ActionView:
    """Return an action as the API shows it; with `result`, and links in it, where the server's address is given."""
    outcome: Literal["FAILED", "SUCCESS", "UNKNOWN"] = "UNKNOWN"
    if action.is_over:
        outcome = "SUCCESS" if action.status == "DONE" else "FAILED"
    return ActionView(
        id=action.id,
        type=action.type,
        status=action.status,
        operation_status=outcome,
        created_at=iso(action.created_at),
        updated_at=iso(action.updated_at),
        request_id=action.request_id,
        processing_time=action.worked_ms,
        progress=action.progress,
        result=UNSET if base_url is None or action.result is None else _absolute(action.result, base_url),
    )
