"""Creating, editing and deleting segments."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol

import msgspec
from msgspec import UNSET, UnsetType

from rapport.core.clock import LATEST
from rapport.core.db import Connection
from rapport.core.errors import InvalidPayload, NotFound, RapportError, ResourceInUse
from rapport.core.ids import new_id
from rapport.core.jsons import alike
from rapport.http.caller import Caller
from rapport.metadata.queries import load
from rapport.segments import queries
from rapport.segments.filters import Filter, InvalidFilter, parse, place_of_segments
from rapport.segments.models import AUTO_UPDATE, BUILDING, LIVE, PASSIVE, STATIC, SWITCHING, Segment, SegmentType
from rapport.segments.schemas import SegmentInput, SegmentUpdate
from rapport.segments.typed import typed

MAX_SEGMENTS = 10_000
# All of them are kept in the memory of every process.
MAX_CONDITIONS = 100_000
# How many segments may name each other in a row.
MAX_CHAIN = 20


class TooManySegments(RapportError):
    """The project has as many segments as one project may have."""

    key = "too_many_segments"
    message = "Too many segments"


class UsedBy(Protocol):
    """Tells which things of a higher feature use a segment."""

    async def __call__(self, conn: Connection, project_id: int, segment_id: str) -> list[str]:
        """Return their ids."""


async def create(caller: Caller, data: SegmentInput) -> Segment:
    """Create a segment that has a filter (`create-segment`; `static/actions.py` makes the others).

    Every write keeps it from then on; the worker fills in the customers who are not written to, and then
    `initial_sync_status` is DONE. Raises InvalidPayload, InvalidFilter, TooManySegments, and NotFound for a segment
    that the filter names.
    """
    kind = STATIC if isinstance(data.type, UnsetType) else data.type
    if data.customers is not UNSET and data.customers:
        raise InvalidPayload("Property .customers belongs to segments of type static")
    if data.filter is UNSET or data.filter is None:
        raise InvalidPayload(f"Property .filter is required for a segment of type {kind}")
    raw, parsed = await read_filter(caller, data.filter)
    new = blank(data.name, kind, raw, parsed.segment_ids)

    async def work(conn: Connection) -> Segment:
        return await add(conn, caller, new, parsed.size)

    return await caller.db.transaction(work)


async def read_filter(caller: Caller, raw: dict[str, Any]) -> tuple[dict[str, Any], Filter]:
    """Return a filter as it is to be kept, its operands typed by the project's metadata schemas, and what it means.

    Raises InvalidFilter.
    """
    async with caller.db.read() as conn:
        schemas = await load(conn, caller.project_id)
    kept: dict[str, Any] = typed(raw, schemas)
    return kept, parse(kept)


def blank(name: str, kind: SegmentType, raw: dict[str, Any] | None, names: Collection[str]) -> Segment:
    """Return a segment to be inserted."""
    state = LIVE if raw is None else BUILDING
    return Segment(
        id=new_id("seg"), name=name, type=kind, filter=raw, state=state, created_at=LATEST, updated_at=None,
        names=sorted(names),
    )  # fmt: skip


async def add(conn: Connection, caller: Caller, new: Segment, size: int) -> Segment:
    """Insert a segment whose filter has `size` conditions, or which has none.

    Raises TooManySegments, InvalidFilter for too long a chain, NotFound for a segment that its filter names.
    """
    project_id = caller.project_id
    await queries.lock_definitions(conn, project_id)
    segments, conditions = await queries.count(conn, project_id)
    if new.replaces is None and segments >= MAX_SEGMENTS:
        raise TooManySegments(f"A project may have {MAX_SEGMENTS} segments")
    if conditions + size > MAX_CONDITIONS:
        raise TooManySegments(f"The segments of a project may have {MAX_CONDITIONS} conditions in all")
    await check_named(conn, project_id, new.replaces or new.id, new.names, new.filter or {})
    if new.filter is not None:
        await queries.begin_time(conn, project_id, caller.db.clock_offset)
    return await queries.insert(conn, project_id, new, size, caller.db.clock_offset)


async def check_named(
    conn: Connection, project_id: int, segment_id: str, names: Collection[str], raw: Mapping[str, Any]
) -> None:
    """Check that the segments which a filter names exist and do not, in the end, name this one.

    Raises NotFound, and InvalidFilter for a circle or for too long a chain.
    """
    if not names:
        return
    unknown = sorted(set(names) - (await queries.existing(conn, project_id, names)).keys())
    if unknown:
        raise NotFound("segment", unknown[0])
    graph = await queries.graph(conn, project_id)
    circle = _chain({**graph, segment_id: list(names)}, segment_id)
    if circle is None:
        raise InvalidFilter(f"{place_of_segments(raw)}: names segments that name {segment_id} again")
    if circle > MAX_CHAIN:
        place = place_of_segments(raw)
        raise InvalidFilter(f"{place}: more than {MAX_CHAIN} segments would name each other in a row")


def _chain(graph: Mapping[str, Sequence[str]], segment_id: str) -> int | None:
    """Return how many segments stand in a row by naming each other, this one among them; None: in a circle. Pure."""
    naming: dict[str, list[str]] = {}
    for one, named in graph.items():
        for other in named:
            naming.setdefault(other, []).append(one)
    below, above = _depth(graph, segment_id), _depth(naming, segment_id)
    return None if below is None or above is None else below + above + 1


def _depth(graph: Mapping[str, Sequence[str]], start: str) -> int | None:
    """Return the length of the longest way from `start`; None if one leads back to it. Pure."""
    level, depth = {start}, 0
    while level:
        level = {other for one in level for other in graph.get(one, ())}
        if start in level:
            return None
        depth += 1
    return depth - 1


async def update(caller: Caller, segment_id: str, data: SegmentUpdate, listeners: Sequence[UsedBy]) -> Segment:
    """Give a segment another name, filter, or type (an addition of ours).

    The members by a new filter are found beside the old ones, which stay in force until then; after that only those
    customers change over for whom the two differ. Raises NotFound, InvalidPayload, InvalidFilter, TooManySegments, and
    ResourceInUse where one of `listeners` reacts to the entering that would not be logged any more.
    """
    raw, parsed = (None, None) if data.filter is None else await read_filter(caller, data.filter)

    async def work(conn: Connection) -> Segment:
        project_id, offset = caller.project_id, caller.db.clock_offset
        await queries.lock_definitions(conn, project_id)
        segment = await queries.find(conn, project_id, segment_id)
        if segment is None:
            raise NotFound("segment", segment_id)
        kind = data.type or segment.type
        if (kind == STATIC) is not (segment.type == STATIC):
            raise InvalidPayload("Property .type cannot be changed from or to static")
        if parsed is not None and segment.type == STATIC:
            raise InvalidPayload("Property .filter belongs to segments of type auto-update or passive")
        if data.name is not None and data.name != segment.name:
            await queries.rename(conn, project_id, segment_id, data.name, offset)
        if kind != segment.type:
            if kind == PASSIVE:
                await _refuse_if_used(conn, project_id, segment_id, [], listeners)
            await set_type(conn, caller, segment, kind)
        if parsed is not None and not alike(raw, segment.filter):
            await _build_beside(conn, caller, segment, raw or {}, parsed)
        elif parsed is not None:
            await queries.drop_replacing(conn, project_id, segment_id)
        return await queries.find(conn, project_id, segment_id) or segment

    return await caller.db.transaction(work)


async def _build_beside(
    conn: Connection, caller: Caller, segment: Segment, raw: dict[str, Any], parsed: Filter
) -> None:
    await queries.drop_replacing(conn, caller.project_id, segment.id)
    hidden = blank(segment.name, PASSIVE, raw, parsed.segment_ids)
    await add(conn, caller, msgspec.structs.replace(hidden, replaces=segment.id), parsed.size)
    await queries.touch(conn, caller.project_id, segment.id, caller.db.clock_offset)


async def set_type(conn: Connection, caller: Caller, segment: Segment, kind: SegmentType) -> None:
    """Begin or cease to log who enters and leaves a segment with a filter; the definitions are locked.

    Members whom the log does not have yet are entered into it by the worker, as by a back-fill.
    """
    state = SWITCHING if kind == AUTO_UPDATE else segment.state
    await queries.set_type(conn, caller.project_id, segment.id, kind, state, caller.db.clock_offset)


async def activate(conn: Connection, caller: Caller, segment: Segment) -> None:
    """Have a passive segment log who enters and leaves, since something begins to react to that.

    The definitions are locked.
    """
    if segment.type == PASSIVE:
        await set_type(conn, caller, segment, AUTO_UPDATE)


async def delete(caller: Caller, segment_id: str, users: Sequence[UsedBy]) -> None:
    """Delete a segment (`delete-segment`).

    Raises NotFound, and ResourceInUse while another segment's filter names it or one of `users` says that it is used.
    Who begins to use a segment takes `queries.lock_definitions` too, so nobody can begin while it is deleted.
    """

    async def work(conn: Connection) -> None:
        await queries.lock_definitions(conn, caller.project_id)
        if await queries.find(conn, caller.project_id, segment_id) is None:
            raise NotFound("segment", segment_id)
        await queries.mark_deleted(conn, caller.project_id, segment_id)
        using = await queries.naming(conn, caller.project_id, segment_id)
        await _refuse_if_used(conn, caller.project_id, segment_id, using, users)

    await caller.db.transaction(work)


async def _refuse_if_used(
    conn: Connection, project_id: int, segment_id: str, using: Sequence[str], users: Sequence[UsedBy]
) -> None:
    found = [*using]
    for find_users in users:
        found += await find_users(conn, project_id, segment_id)
    if found:
        raise ResourceInUse(
            f"Segment {segment_id} is used by {', '.join(found)}", resource_id=segment_id, resource_type="segment"
        )
