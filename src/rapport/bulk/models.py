"""The things of a bulk request as values: what is asked for, and what came of it."""

from datetime import timedelta
from typing import Any

import msgspec

# How long the report on a request is kept once all of it is done, and its link works.
REPORT_KEPT = timedelta(days=7)


class Failure(msgspec.Struct, frozen=True):
    """Why one thing was not done, in the words of the API's errors."""

    key: str
    message: str
    details: str


class Asked(msgspec.Struct, frozen=True):
    """One thing as a request asks for it; `input` is None for one that failed already as it was read."""

    source_id: str | None
    input: Any
    error: Failure | None = None


class Item(msgspec.Struct, frozen=True):
    """One row: `number` is its place in the request, from 1; `status` is WAITING, DONE or FAILED."""

    number: int
    status: str
    source_id: str | None
    object_id: str | None
    customer_id: str | None
    found: bool | None
    updated: bool | None
    error: dict[str, str] | None


class Waiting(msgspec.Struct, frozen=True):
    """One row whose turn it is; without `input` there is nothing left to do about it."""

    number: int
    source_id: str | None
    input: dict[str, Any] | None


class Outcome(msgspec.Struct, frozen=True):
    """What came of one thing. `found`: whether it was there before; `updated`: whether it now is as was asked."""

    found: bool | None
    updated: bool
    object_id: str | None = None
    customer_id: str | None = None
    error: Failure | None = None


class Kept(msgspec.Struct, frozen=True):
    """One row with all that it holds on people."""

    action_id: str
    number: int
    type: str
    status: str
    source_id: str | None
    object_id: str | None
    customer_id: str | None
    input: dict[str, Any] | None
    error: dict[str, Any] | None


class Remembered(msgspec.Struct, frozen=True):
    """The parts of an asynchronous action that may name people."""

    id: str
    parameters: dict[str, Any]
    cursor: dict[str, Any]
    result: dict[str, Any] | None
