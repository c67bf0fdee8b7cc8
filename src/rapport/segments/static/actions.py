"""Making and changing static segments."""

from collections.abc import Sequence

from msgspec import UNSET

from rapport.core.db import Connection
from rapport.core.errors import InvalidPayload, NotFound, RapportError
from rapport.customers.writes import Unit, Writer
from rapport.http.caller import Caller
from rapport.segments import queries as segments
from rapport.segments.actions import add, blank, check_named, read_filter
from rapport.segments.filters import Filter
from rapport.segments.history.schemas import simple_segment
from rapport.segments.models import STATIC, Segment
from rapport.segments.schemas import SegmentInput
from rapport.segments.sql import compile_filter
from rapport.segments.static import files, queries
from rapport.segments.static.schemas import SegmentChange
from rapport.segments.stored import queries as stored

# How many customers of a file one transaction takes: their rows are locked until its end.
AT_ONCE = 500
_SHOWN = 10


class NotStatic(RapportError):
    """The customers of a segment with a filter are those whom it holds for."""

    key = "segment_not_static"
    message = "Segment is not static"


class UnknownCustomers(NotFound):
    """Some of the customers that a request names do not exist."""

    def __init__(self, ids: Sequence[str]) -> None:
        """Name the unknown ids."""
        super().__init__("customer", ids[0])
        if len(ids) > 1:
            more = f" and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else ""
            self.details = f"Cannot find customers with ids {', '.join(ids[:_SHOWN])}{more}"


def is_static(data: SegmentInput) -> bool:
    """Whether a new segment is to be static."""
    return data.type is UNSET or data.type == STATIC


async def create(caller: Caller, data: SegmentInput) -> Segment:
    """Create a static segment (`create-segment`): of these customers, or of those whom a filter holds for now.

    Nobody can know of the segment before its members are in, so nothing depends on their entering. Raises
    InvalidPayload, InvalidFilter, TooManySegments, and NotFound for a customer, or a segment that the filter names.
    """
    filter_ = await _filter(caller, data)
    customer_ids = sorted(set(data.customers)) if isinstance(data.customers, list) else []
    new = blank(data.name, STATIC, None, ())

    async def work(conn: Connection) -> Segment:
        segment = await add(conn, caller, new, 0)
        if filter_ is not None:
            await check_named(conn, caller.project_id, segment.id, filter_.segment_ids, {})
            await _fill(conn, caller, segment, filter_)
        elif customer_ids:
            found = await segments.existing_customers(conn, caller.project_id, customer_ids)
            if missing := sorted(set(customer_ids).difference(found)):
                raise UnknownCustomers(missing)
            members = [(segment.id, one, False) for one in found]
            await stored.enter(conn, caller.project_id, segment.created_at, members)
        return segment

    return await caller.db.transaction(work)


async def _filter(caller: Caller, data: SegmentInput) -> Filter | None:
    if data.filter is UNSET or data.filter is None:
        return None
    if data.type is UNSET:
        raise InvalidPayload("Property .type is required for a segment with a .filter")
    if isinstance(data.customers, list) and data.customers:
        raise InvalidPayload("A static segment takes either .customers or a .filter")
    return (await read_filter(caller, data.filter))[1]


async def _fill(conn: Connection, caller: Caller, segment: Segment, filter_: Filter) -> None:
    opened = await stored.open_moment(conn, caller.project_id, caller.db.clock_offset, [])
    condition = compile_filter(
        filter_,
        now=segment.created_at,
        zone_name=opened.zone_name,
        project_id=caller.project_id,
        first_parameter=queries.FIRST_PARAMETER,
        whole=True,
    )
    await queries.fill(conn, caller.project_id, segment.id, segment.created_at, condition)


async def set_customers(
    writer: Writer, caller: Caller, segment_id: str, customer_ids: Sequence[str], *, member: bool
) -> SegmentChange:
    """Put customers into a static segment, or take them out of it; all of them or, after an error, none.

    Who is as asked already stays untouched. Raises NotFound for the segment or a customer, and NotStatic.
    """
    wanted = sorted(set(customer_ids))

    async def work(unit: Unit) -> SegmentChange:
        found = {customer.id for customer in await unit.lock_all(wanted)}
        segment = await _static(unit.conn, unit.project_id, segment_id)
        missing = [one for one in wanted if one not in found]
        if missing:
            raise UnknownCustomers(missing)
        return _change(segment, await _place(unit, segment_id, wanted, member=member), len(wanted), member=member)

    return await writer.commit(caller, work)


async def add_file(writer: Writer, caller: Caller, segment_id: str, content: bytes) -> SegmentChange:
    """Put the customers that a CSV file names into a static segment.

    All lines are checked first. Then some hundred customers at a time enter, each time in one transaction: after a
    failure half-way, the same file can be sent again. Raises NotFound, NotStatic and InvalidFile.
    """
    named = files.read(content)
    async with caller.db.read() as conn:
        segment = await _static(conn, caller.project_id, segment_id)
        wanted = await _resolve(conn, caller.project_id, named)
    entered = 0
    for first in range(0, len(wanted), AT_ONCE):
        some = wanted[first : first + AT_ONCE]

        async def work(unit: Unit, some: Sequence[str] = some) -> int:
            present = [customer.id for customer in await unit.lock_all(list(some))]
            await _static(unit.conn, unit.project_id, segment_id)
            return await _place(unit, segment_id, present, member=True)

        entered += await writer.commit(caller, work)
    return _change(segment, entered, len(wanted), member=True)


async def _static(conn: Connection, project_id: int, segment_id: str) -> Segment:
    segment = await segments.find(conn, project_id, segment_id)
    if segment is None:
        raise NotFound("segment", segment_id)
    if segment.type != STATIC:
        raise NotStatic(f"Segment {segment_id} is {segment.type}: its filter decides who is in it")
    return segment


async def _place(unit: Unit, segment_id: str, customer_ids: Sequence[str], *, member: bool) -> int:
    """Put locked customers in or out, where they are not; return how many."""
    rows = await stored.stored_rows(unit.conn, unit.project_id, customer_ids, [segment_id])
    inside = {who for who, found in rows.items() if found[segment_id].is_in}
    changing = [one for one in customer_ids if (one in inside) is not member]
    unit.set_members(segment_id, changing, member=member)
    return len(changing)


async def _resolve(conn: Connection, project_id: int, named: Sequence[files.Named]) -> list[str]:
    """Return the ids, sorted, of the customers that lines name. Raises InvalidFile for those that name nobody."""
    wanted = {column: {one.name for one in named if one.column == column} for column in files.COLUMNS}
    known, by_source = await queries.ids_of(conn, project_id, sorted(wanted["id"]), sorted(wanted["source_id"]))
    by_source_or_id = {"id": {one: one for one in known}, "source_id": by_source}
    found = [by_source_or_id[one.column].get(one.name) for one in named]
    problems = [
        (one.line, f"there is no customer with the {one.column} {one.name}")
        for one, customer_id in zip(named, found, strict=True)
        if customer_id is None
    ]
    if problems:
        raise files.wrong_lines(problems)
    return sorted({one for one in found if one is not None})


def _change(segment: Segment, changed: int, asked: int, *, member: bool) -> SegmentChange:
    return SegmentChange(
        segment=simple_segment(segment.id, segment.name, "static"),
        entered=changed if member else 0,
        left=0 if member else changed,
        unchanged=asked - changed,
    )
