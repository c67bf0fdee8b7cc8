"""Creating and deleting segments."""

from collections.abc import Sequence
from typing import Protocol

from msgspec import UNSET

from rapport.core.clock import LATEST
from rapport.core.db import Connection
from rapport.core.errors import InvalidPayload, NotFound, RapportError, ResourceInUse
from rapport.core.ids import new_id
from rapport.http.caller import Caller
from rapport.segments import queries
from rapport.segments.filters import Filter, parse
from rapport.segments.models import STATIC, Segment, definitions
from rapport.segments.schemas import SegmentInput

MAX_SEGMENTS = 10_000
# Every write to a customer looks at all of them: about two microseconds each.
MAX_CONDITIONS = 20_000


class TooManySegments(RapportError):
    """The project has as many segments as one project may have."""

    key = "too_many_segments"
    message = "Too many segments"


def _checked_filter(data: SegmentInput, kind: str) -> Filter | None:
    if kind == STATIC:
        if data.filter is not UNSET and data.filter is not None:
            raise InvalidPayload("Property .filter belongs to segments of type auto-update or passive")
        return None
    if data.customers is not UNSET and data.customers:
        raise InvalidPayload("Property .customers belongs to segments of type static")
    if data.filter is UNSET or data.filter is None:
        raise InvalidPayload(f"Property .filter is required for a segment of type {kind}")
    return parse(data.filter)


async def create(caller: Caller, data: SegmentInput) -> Segment:
    """Create a segment (`create-segment`).

    A static one has its members when this returns. One with a filter is kept by every write from then on; the worker
    fills in the customers who are not written to, and then `initial_sync_status` is DONE.
    Raises InvalidPayload, InvalidFilter, TooManySegments, and NotFound for unknown customers.
    """
    kind = STATIC if isinstance(data.type, str) is False else str(data.type)
    parsed = _checked_filter(data, kind)
    state = "live" if parsed is None else "building"
    raw = data.filter if parsed is not None and isinstance(data.filter, dict) else None
    new = Segment(
        id=new_id("seg"), name=data.name, type=kind, filter=raw, state=state, created_at=LATEST, updated_at=None
    )
    size = 0 if parsed is None else parsed.size
    customer_ids = sorted(set(data.customers)) if isinstance(data.customers, list) else []

    async def work(conn: Connection) -> Segment:
        existing = await queries.lock_definitions(conn, caller.project_id)
        segments, conditions = await queries.count(conn, caller.project_id)
        if segments >= MAX_SEGMENTS:
            raise TooManySegments(f"A project may have {MAX_SEGMENTS} segments")
        if conditions + size > MAX_CONDITIONS:
            raise TooManySegments(f"The segments of a project may have {MAX_CONDITIONS} conditions in all")
        if parsed is not None:
            unknown = sorted(parsed.segment_ids - {segment.id for segment in existing})
            if unknown:
                raise NotFound("segment", unknown[0])
        segment = await queries.insert(conn, caller.project_id, new, size, caller.db.clock_offset)
        if customer_ids:
            found = await queries.existing_customers(conn, caller.project_id, customer_ids)
            missing = sorted(set(customer_ids) - set(found))
            if missing:
                raise NotFound("customer", missing[0])
            await queries.enter(conn, caller.project_id, segment.created_at, [(segment.id, one) for one in found])
        return segment

    return await caller.db.transaction(work)


class UsedBy(Protocol):
    """Tells which things of a higher feature use a segment."""

    async def __call__(self, conn: Connection, project_id: int, segment_id: str) -> list[str]:
        """Return their ids."""


async def delete(caller: Caller, segment_id: str, users: Sequence[UsedBy]) -> None:
    """Delete a segment (`delete-segment`).

    Raises NotFound, and ResourceInUse while another segment's filter names it or one of `users` says that it is used.
    Who begins to use a segment takes `queries.lock_definitions` too, so nobody can begin while it is deleted.
    """

    async def work(conn: Connection) -> None:
        existing = await queries.lock_definitions(conn, caller.project_id)
        if segment_id not in {segment.id for segment in existing}:
            raise NotFound("segment", segment_id)
        await queries.mark_deleted(conn, caller.project_id, segment_id)
        using = [one.id for one in definitions(existing) if segment_id in one.filter.segment_ids]
        for find_users in users:
            using += await find_users(conn, caller.project_id, segment_id)
        if using:
            raise ResourceInUse(
                f"Segment {segment_id} is used by {', '.join(using)}", resource_id=segment_id, resource_type="segment"
            )

    await caller.db.transaction(work)
