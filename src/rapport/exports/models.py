"""An export as a value."""

from datetime import datetime
from typing import Any, Final, Literal

import msgspec

Status = Literal["SCHEDULED", "IN_PROGRESS", "DONE", "ERROR"]
FileState = Literal["AVAILABLE", "EXPIRED", "ERASED"]
SCHEDULED: Final = "SCHEDULED"
DONE: Final = "DONE"
AVAILABLE: Final = "AVAILABLE"

# How many exports of a project may wait or be written; one of them is written at a time.
MAX_UNFINISHED = 50
# Attempts that come to nothing before an export is given up: a step that fails, a worker that dies with it.
MAX_FAILURES = 5


class Export(msgspec.Struct, frozen=True):
    """One row. `parameters` are complete: fields, order, filters, and the scope where there is one.

    `file_state` is set once it is DONE: the file can be AVAILABLE, EXPIRED (removed after its time) or ERASED (removed
    because a person in the project was deleted for good).
    """

    id: str
    exported_object: str
    parameters: dict[str, Any]
    channel: str
    status: Status
    attempt: int
    row_count: int
    byte_count: int
    file_state: FileState | None
    error: str | None
    created_at: datetime
    finished_at: datetime | None
    expires_at: datetime | None


class Claimed(msgspec.Struct, frozen=True):
    """An export whose file a worker is to write; `attempt` shuts out whoever held it before."""

    id: str
    exported_object: str
    parameters: dict[str, Any]
    attempt: int
    failures: int
