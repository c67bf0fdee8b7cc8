"""Evidence on the wire."""

from datetime import datetime
from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from rapport.core.clock import iso
from rapport.customers.schemas import simple_view
from rapport.segments.evaluate import ExplainedGroup, ExplainedLeaf, explain
from rapport.segments.evidence.gathering import Gathered
from rapport.segments.evidence.outlook import next_change
from rapport.segments.history.schemas import SimpleSegment, simple_segment


class Explained(msgspec.Struct, kw_only=True):
    """A part of a filter with what came of it: a group has `junction` and `conditions`, a condition all the others.

    `operands` and `scope` (what narrows the events or orders that count) are as they were written; `values` are what
    the condition saw: the value of the field or its elements, none where it is missing; of events and orders one object
    with their `count` and `sum`.
    """

    matches: bool
    junction: Literal["and", "or"] | UnsetType = UNSET
    conditions: list["Explained"] | UnsetType = UNSET
    field: str | UnsetType = UNSET
    operator: str | UnsetType = UNSET
    operands: list[Any] | UnsetType = UNSET
    scope: dict[str, Any] | UnsetType = UNSET
    values: list[Any] | UnsetType = UNSET


class SegmentInterval(msgspec.Struct, kw_only=True):
    """One stay in the segment; `left_at` is null while it lasts."""

    entered_at: str
    left_at: str | None


class Evidence(msgspec.Struct, kw_only=True):
    """Why a customer is in a segment or is not, since when, and until when if nothing else happens.

    All of it is true as of `evaluated_at`. `filter` is null for a static segment.
    """

    segment: SimpleSegment
    customer: dict[str, Any]
    member: bool
    matches: bool
    since: str | None
    enters_at: str | None
    leaves_at: str | None
    evaluated_at: str
    filter: Explained | None
    history: list[SegmentInterval]
    object: Literal["segment_evidence"] = "segment_evidence"


def view(gathered: Gathered) -> Evidence:
    """Return the evidence as the API shows it; evaluates the filter, and looks ahead."""
    segment, now = gathered.segment, gathered.now
    entered_at = gathered.since.get(segment.id)
    member = entered_at is not None
    tree = None
    if gathered.filters:
        tree = _explained(explain(gathered.filters[-1][1], gathered.facts, now, gathered.zone))
    matches = member if tree is None else tree.matches
    turns_at = _turns_at(gathered, member=member, matches=matches)
    left_at = gathered.ended[0][1] if gathered.ended else None
    since = entered_at or left_at
    return Evidence(
        segment=simple_segment(segment.id, segment.name, segment.type),
        customer=simple_view(gathered.customer),
        member=member,
        matches=matches,
        since=None if since is None else iso(since),
        enters_at=None if member else turns_at,
        leaves_at=turns_at if member else None,
        evaluated_at=iso(now),
        filter=tree,
        history=_history(gathered, entered_at),
    )


def _turns_at(gathered: Gathered, *, member: bool, matches: bool) -> str | None:
    """Return when the customer enters or leaves if nothing is written; what does not agree now will at once."""
    if not gathered.filters:
        return None
    if member is not matches:
        return iso(gathered.now)
    at = next_change(
        gathered.filters, gathered.customer, gathered.since.keys(), gathered.windows, gathered.now, gathered.zone
    )
    return None if at is None else iso(at)


def _history(gathered: Gathered, entered_at: datetime | None) -> list[SegmentInterval]:
    lasting = [] if entered_at is None else [SegmentInterval(entered_at=iso(entered_at), left_at=None)]
    return [*lasting, *(SegmentInterval(entered_at=iso(one), left_at=iso(other)) for one, other in gathered.ended)]


def _explained(node: ExplainedGroup | ExplainedLeaf) -> Explained:
    if isinstance(node, ExplainedGroup):
        return Explained(
            matches=node.matches,
            junction="or" if node.junction == "or" else "and",
            conditions=[_explained(child) for child in node.children],
        )
    return Explained(
        matches=node.matches,
        field=node.field,
        operator=node.operator,
        operands=list(node.operands),
        scope=dict(node.scope) or UNSET,
        values=list(node.values),
    )
