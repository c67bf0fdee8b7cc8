"""A segment as a value."""

from datetime import datetime
from typing import Any

import msgspec

from rapport.segments.filters import Filter, parse

STATIC = "static"
AUTO_UPDATE = "auto-update"
PASSIVE = "passive"


class Segment(msgspec.Struct, frozen=True):
    """One segment row. `state` is building until the back-fill is through, then live."""

    id: str
    name: str
    type: str
    filter: dict[str, Any] | None
    state: str
    created_at: datetime
    updated_at: datetime | None


class Unsettled(msgspec.Struct, frozen=True):
    """A segment that the worker has to fill (`state` building) or to remove (deleted).

    `settled_after` is the transaction id below which all must be over first; `built_to` the last customer looked at.
    """

    id: str
    state: str
    settled_after: int | None
    built_to: str | None


class Membership(msgspec.Struct, frozen=True):
    """A customer's being in a segment."""

    segment_id: str
    name: str
    type: str
    entered_at: datetime


class Definition(msgspec.Struct, frozen=True):
    """A segment with a filter, ready to be evaluated; `recorded`: entering and leaving go into the activity log."""

    id: str
    name: str
    recorded: bool
    filter: Filter


def definitions(segments: list[Segment]) -> list[Definition]:
    """Return the segments that have a filter, each after the segments that its filter names.

    A filter can only name segments that existed before it, so the order of creation is such an order.
    """
    ordered = sorted(
        (segment for segment in segments if segment.filter is not None), key=lambda one: (one.created_at, one.id)
    )
    result = [Definition(one.id, one.name, one.type == AUTO_UPDATE, parse(one.filter)) for one in ordered]
    return _after_what_they_name(result)


def _after_what_they_name(found: list[Definition]) -> list[Definition]:
    by_id = {definition.id: definition for definition in found}
    done: dict[str, Definition] = {}

    def visit(definition: Definition) -> None:
        if definition.id in done:
            return
        for named in sorted(definition.filter.segment_ids):
            if named in by_id:
                visit(by_id[named])
        done[definition.id] = definition

    for definition in found:
        visit(definition)
    return list(done.values())
