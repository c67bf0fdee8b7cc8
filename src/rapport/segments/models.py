"""A segment as a value."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from graphlib import TopologicalSorter
from typing import Any, Final, Literal, NamedTuple

import msgspec

from rapport.segments.filters import Filter, parse

SegmentType = Literal["static", "auto-update", "passive"]
STATIC: Final = "static"
AUTO_UPDATE: Final = "auto-update"
PASSIVE: Final = "passive"

BUILDING = "building"
SWEEPING = "sweeping"
LIVE = "live"
SWITCHING = "switching"
READY = "ready"
DELETED = "deleted"


class Segment(msgspec.Struct, frozen=True):
    """One segment row; migrations/sql/0003_segments.sql says what the states are.

    `version` is that of the project's segments at the last change; `names` are the segments that the filter names;
    `replaces` is set on the hidden row that builds the members by a new filter of another segment. Of `build_total`
    customers the back-fill has gone through `built_count`.
    """

    id: str
    name: str
    type: SegmentType
    filter: dict[str, Any] | None
    state: str
    created_at: datetime
    updated_at: datetime | None
    version: int = 0
    names: list[str] = msgspec.field(default_factory=list)
    replaces: str | None = None
    built_count: int = 0
    build_total: int | None = None


class Unsettled(msgspec.Struct, frozen=True):
    """A segment for which the worker has something to do; `state` says what.

    `settled_after` is the transaction id below which all must be over first; `built_to` the last customer looked at.
    """

    id: str
    name: str
    type: SegmentType
    state: str
    filter: dict[str, Any] | None
    names: list[str]
    replaces: str | None
    settled_after: int | None
    built_to: str | None
    build_total: int | None


class Stored(NamedTuple):
    """A row of a customer's membership; without `entered_at` a decision "out" while the segment is filled."""

    entered_at: datetime | None
    logged: bool

    @property
    def is_in(self) -> bool:
        """Whether the customer is a member."""
        return self.entered_at is not None


class StoredMoment(NamedTuple):
    """A date as `segment_moments` holds it: milliseconds since 1970, for a day those of its midnight in UTC."""

    is_day: bool
    at: int


class Definition(msgspec.Struct, frozen=True):
    """A segment with a filter, ready to be evaluated.

    `recorded`: entering and leaving go into the activity log. `always`: the segment is being filled, so every write to
    a customer decides about it and leaves a row, in or out.
    """

    id: str
    name: str
    recorded: bool
    filter: Filter
    always: bool = False


def define(segment: Segment) -> Definition:
    """Return what is evaluated of a segment that has a filter."""
    recorded = segment.type == AUTO_UPDATE
    return Definition(segment.id, segment.name, recorded, parse(segment.filter), segment.state == BUILDING)


def naming_order(names: Mapping[str, Collection[str]]) -> list[str]:
    """Return the segments, given with those that each names, so that each stands after those of them that it names."""
    return [*TopologicalSorter({one: sorted(names.keys() & named) for one, named in names.items()}).static_order()]


def in_order(found: Iterable[Definition]) -> list[Definition]:
    """Return the definitions, each after those that its filter names."""
    by_id = {definition.id: definition for definition in found}
    return [by_id[one] for one in naming_order({one.id: one.filter.segment_ids for one in by_id.values()})]
