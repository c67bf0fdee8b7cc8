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


def view(action: Action, *, with_result: bool) -> ActionView:
    """Return an action as the API shows it; `result` only where one action is asked for."""
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
        result=action.result if with_result and action.result is not None else UNSET,
    )
