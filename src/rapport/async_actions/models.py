"""An asynchronous action as a value."""

from datetime import datetime
from typing import Any, Literal

import msgspec

Status = Literal["ENQUEUED", "IN_PROGRESS", "DONE", "FAILED"]


class Action(msgspec.Struct, frozen=True):
    """One row. `parameters` say what is to be done and never change; `cursor` says how far it came.

    `total`: how many things it is about, None where that is not known yet. `result` is what the API shows, set at the
    end (or before, for what is told while it runs). `worked_ms`: milliseconds of work in steps.
    """

    id: str
    type: str
    status: Status
    parameters: dict[str, Any]
    cursor: dict[str, Any]
    total: int | None
    done_count: int
    failed_count: int
    result: dict[str, Any] | None
    request_id: str
    source: dict[str, Any]
    failures: int
    created_at: datetime
    updated_at: datetime
    worked_ms: int

    @property
    def is_over(self) -> bool:
        """Whether nothing more will be done."""
        return self.status in {"DONE", "FAILED"}

    @property
    def progress(self) -> int:
        """How much is done, in percent."""
        if self.status == "DONE":
            return 100
        done = self.done_count + self.failed_count
        return min(99, 100 * done // self.total) if self.total else 0
