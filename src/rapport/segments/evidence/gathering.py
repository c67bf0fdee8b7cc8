"""Gathers, in one snapshot of the database, all that evidence is made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from rapport.core.db import Connection
from rapport.core.errors import NotFound
from rapport.customers import queries as customers
from rapport.customers.models import Customer
from rapport.http.caller import Caller
from rapport.segments import queries as segments
from rapport.segments.evaluate import Facts
from rapport.segments.evidence import queries
from rapport.segments.filters import Filter, Window, parse
from rapport.segments.models import Segment, naming_order
from rapport.segments.stored import queries as stored
from rapport.segments.windows.queries import load_windows


@dataclass(frozen=True, slots=True)
class Gathered:
    """A customer and a segment as of `now`.

    `filters`: the segment's and those of the segments that it names, directly or not, each after those it names; none
    for a static segment. `since`: by segment, when the customer entered. `ended`: earlier stays in the segment.
    """

    segment: Segment
    customer: Customer
    now: datetime
    zone: ZoneInfo
    filters: Sequence[tuple[str, Filter]]
    since: Mapping[str, datetime]
    windows: Mapping[Window, Sequence[tuple[int, int]]]
    ended: Sequence[tuple[datetime, datetime]]

    @property
    def facts(self) -> Facts:
        """What the filters look at."""
        return Facts(self.customer, self.since.keys(), self.windows)


async def gather(caller: Caller, segment_id: str, reference: str) -> Gathered:
    """Read what is known about a segment and the customer with this id or source id. Raises NotFound."""
    project_id = caller.project_id
    async with caller.db.snapshot() as conn:
        opened = await stored.open_moment(conn, project_id, caller.db.clock_offset, [])
        now, zone = opened.now, ZoneInfo(opened.zone_name)
        customer = await customers.get(conn, project_id, reference)
        segment = await segments.find(conn, project_id, segment_id)
        if segment is None:
            raise NotFound("segment", segment_id)
        filters, named = await _filters(conn, project_id, segment)
        rows = await stored.stored_rows(conn, project_id, [customer.id], [segment_id, *named])
        entered = {one: row.entered_at for one, row in rows.get(customer.id, {}).items()}
        windows = tuple(dict.fromkeys(window for _, filter_ in filters for window in filter_.windows))
        loaded = await load_windows(conn, project_id, now, zone, [customer.id], windows, ahead=True)
        return Gathered(
            segment=segment,
            customer=customer,
            now=now,
            zone=zone,
            filters=filters,
            since={one: at for one, at in entered.items() if at is not None},
            windows={windows[number]: pairs for number, _, pairs in loaded},
            ended=await queries.ended_stays(conn, project_id, customer.id, segment_id),
        )


async def _filters(conn: Connection, project_id: int, segment: Segment) -> tuple[list[tuple[str, Filter]], list[str]]:
    """Return the filters that the segment's membership hangs on, in order, and all segments that they name."""
    if segment.filter is None:
        return [], []
    known: dict[str, Filter] = {segment.id: parse(segment.filter)}
    named: set[str] = set()
    while fresh := {one for filter_ in known.values() for one in filter_.segment_ids} - named:
        named |= fresh
        found = await segments.existing(conn, project_id, fresh)
        known |= {one: parse(other.filter) for one, other in found.items() if other.filter is not None}
    ordered = naming_order({one: filter_.segment_ids for one, filter_ in known.items()})
    return [(one, known[one]) for one in ordered], sorted(named)
