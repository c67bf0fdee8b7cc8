"""HTTP operations of segments."""

from typing import Any

from litestar import Request, Response, Router, delete, get, post, put
from litestar.datastructures import State

from rapport.core.errors import NotFound
from rapport.core.queries import read_now
from rapport.http.bodies import answer, no_content, read_body
from rapport.http.caller import Caller
from rapport.http.conditions import is_filter, read_ids
from rapport.http.lists import read_page
from rapport.http.openapi import operation
from rapport.segments import actions, queries
from rapport.segments.evidence import routes as evidence
from rapport.segments.history import routes as history
from rapport.segments.listing import queries as listing
from rapport.segments.listing.conditions import PARAMETERS, read_conditions
from rapport.segments.preview import routes as preview
from rapport.segments.schemas import SegmentInput, SegmentList, SegmentUpdate, SegmentView, view
from rapport.segments.static import actions as static
from rapport.segments.static import routes as static_routes


@post("/v1/segments", status_code=200, opt=operation("create-segment", body=SegmentInput, answer=SegmentView))
async def create_segment(request: Request[Any, Any, Any], caller: Caller) -> Response[bytes]:
    """Create a segment: a fixed list of customers, or a filter that customers enter and leave by.

    A static segment with a filter gets the customers whom it holds for at this moment; the filter is not kept.
    """
    data = await read_body(request, SegmentInput)
    create = static.create if static.is_static(data) else actions.create
    return answer(view(await create(caller, data)))


@get(
    "/v1/segments",
    opt=operation("list-segment", spec=queries.SEGMENTS, answer=SegmentList, query=PARAMETERS),
)
async def list_segments(request: Request[Any, Any, Any], caller: Caller) -> Response[bytes]:
    """List segments, newest first; `filters[…]` and `ids` as in the reference."""
    given = list(request.query_params.multi_items())
    page = read_page(queries.SEGMENTS, {name: value for name, value in given if not is_filter(name)})
    ids = read_ids(given)
    async with caller.db.snapshot() as conn:
        filters = read_conditions(given, await read_now(conn, caller.db.clock_offset))
        found = await listing.list_page(conn, caller.project_id, page, filters, ids)
        edits = await queries.replacing(conn, caller.project_id, [segment.id for segment in found.items])
    shown = [view(segment, edits.get(segment.id)) for segment in found.items]
    return answer(SegmentList(data=shown, total=found.total, has_more=found.has_more))


async def _read(caller: Caller, segment_id: str) -> SegmentView:
    async with caller.db.snapshot() as conn:
        segment = await queries.find(conn, caller.project_id, segment_id)
        if segment is None:
            raise NotFound("segment", segment_id)
        edits = await queries.replacing(conn, caller.project_id, [segment_id])
    return view(segment, edits.get(segment_id))


@get("/v1/segments/{segment_id:str}", opt=operation("get-segment", answer=SegmentView))
async def get_segment(segment_id: str, caller: Caller) -> Response[bytes]:
    """Get one segment, and how far it is filled."""
    return answer(await _read(caller, segment_id))


@put("/v1/segments/{segment_id:str}", opt=operation("update-segment", body=SegmentUpdate, answer=SegmentView))
async def update_segment(
    request: Request[Any, Any, Any], segment_id: str, caller: Caller, state: State
) -> Response[bytes]:
    """Change a segment's name, type or filter (an addition).

    A new filter is built beside the old one, which holds until then; only customers who differ enter or leave.
    """
    data = await read_body(request, SegmentUpdate)
    await actions.update(caller, segment_id, data, state.segment_listeners)
    return answer(await _read(caller, segment_id))


@delete("/v1/segments/{segment_id:str}", status_code=204, opt=operation("delete-segment"))
async def delete_segment(segment_id: str, caller: Caller, state: State) -> Response[None]:
    """Delete a segment; refused while something else uses it."""
    await actions.delete(caller, segment_id, state.segment_users)
    return no_content()


router = Router(
    "/",
    route_handlers=[
        create_segment,
        list_segments,
        get_segment,
        update_segment,
        delete_segment,
        evidence.router,
        history.router,
        preview.router,
        static_routes.router,
    ],
)
