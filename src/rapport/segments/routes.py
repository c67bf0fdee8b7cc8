"""HTTP operations of segments."""

from typing import Any

from litestar import Request, Response, Router, delete, get, post
from litestar.datastructures import State

from rapport.core.errors import NotFound
from rapport.customers import queries as customers
from rapport.http.bodies import answer, no_content, read_body
from rapport.http.caller import Caller
from rapport.http.lists import envelope, read_page
from rapport.http.openapi import operation
from rapport.segments import actions, queries
from rapport.segments.schemas import SegmentInput, membership_view, view


@post("/v1/segments", status_code=200, opt=operation("create-segment", body=SegmentInput))
async def create_segment(request: Request[Any, Any, Any], caller: Caller) -> Response[bytes]:
    """Create a segment: a fixed list of customers, or a filter that customers enter and leave by."""
    return answer(view(await actions.create(caller, await read_body(request, SegmentInput))))


@get("/v1/segments", opt=operation("list-segment", spec=queries.SEGMENTS))
async def list_segments(request: Request[Any, Any, Any], caller: Caller) -> Response[bytes]:
    """List segments, newest first."""
    async with caller.db.read() as conn:
        found = await queries.list_page(conn, caller.project_id, read_page(queries.SEGMENTS, request.query_params))
    return answer(envelope(queries.SEGMENTS, found, [view(segment) for segment in found.items]))


@get("/v1/segments/{segment_id:str}", opt=operation("get-segment"))
async def get_segment(segment_id: str, caller: Caller) -> Response[bytes]:
    """Get one segment."""
    async with caller.db.read() as conn:
        segment = await queries.find(conn, caller.project_id, segment_id)
    if segment is None:
        raise NotFound("segment", segment_id)
    return answer(view(segment))


@delete("/v1/segments/{segment_id:str}", status_code=204, opt=operation("delete-segment"))
async def delete_segment(segment_id: str, caller: Caller, state: State) -> Response[None]:
    """Delete a segment; refused while something else uses it."""
    await actions.delete(caller, segment_id, state.segment_users)
    return no_content()


@get("/v1/customers/{customer_id:str}/segments", opt=operation("list-customer-segments"))
async def list_customer_segments(customer_id: str, caller: Caller) -> Response[bytes]:
    """List the segments that a customer is in, with the moment of entering (an addition)."""
    async with caller.db.read() as conn:
        customer = await customers.get(conn, caller.project_id, customer_id)
        found = await queries.of_customer(conn, caller.project_id, customer.id)
    return answer(
        {"object": "list", "data_ref": "data", "data": [membership_view(row) for row in found], "total": len(found)}
    )


router = Router(
    "/", route_handlers=[create_segment, list_segments, get_segment, delete_segment, list_customer_segments]
)
