"""HTTP operations that tell who was in which segment when."""

import dataclasses
from typing import Any

from litestar import Request, Response, Router, get

from rapport.core.db import Connection
from rapport.core.errors import NotFound
from rapport.core.queries import read_now
from rapport.customers import queries as customers
from rapport.http.bodies import answer
from rapport.http.caller import Caller
from rapport.http.lists import ListSpec, Page, read_page
from rapport.http.openapi import operation
from rapport.segments import queries as segments
from rapport.segments.history import queries
from rapport.segments.history.schemas import (
    CustomerSegments,
    SegmentCustomers,
    SegmentMoves,
    SegmentStays,
    check_past,
    members_view,
    moves_view,
    segments_view,
    stays_view,
)


def _page(spec: ListSpec, request: Request[Any, Any, Any]) -> Page:
    return dataclasses.replace(read_page(spec, request.query_params), starting_after_id=None)


async def _check_segment(conn: Connection, caller: Caller, segment_id: str) -> None:
    if await segments.find(conn, caller.project_id, segment_id) is None:
        raise NotFound("segment", segment_id)


@get(
    "/v1/customers/{customer_id:str}/segments",
    opt=operation(
        "list-customer-segments", query={"at": {"type": "string", "format": "date-time"}}, answer=CustomerSegments
    ),
)
async def list_customer_segments(request: Request[Any, Any, Any], customer_id: str, caller: Caller) -> Response[bytes]:
    """List the segments that a customer is in, or was in `at` a past moment, with the moment of entering."""
    value = request.query_params.get("at")
    at = queries.AT.read("at", value) if value else None
    async with caller.db.snapshot() as conn:
        check_past(at, await read_now(conn, caller.db.clock_offset))
        customer = await customers.get(conn, caller.project_id, customer_id)
        return answer(segments_view(await queries.of_customer(conn, caller.project_id, customer.id, at)))


@get(
    "/v1/customers/{customer_id:str}/segments/history",
    opt=operation("list-customer-segment-history", spec=queries.STAYS, answer=SegmentStays),
)
async def list_customer_stays(request: Request[Any, Any, Any], customer_id: str, caller: Caller) -> Response[bytes]:
    """List a customer's memberships, those that have ended included, the latest entering first (an addition)."""
    page = _page(queries.STAYS, request)
    async with caller.db.snapshot() as conn:
        customer = await customers.get(conn, caller.project_id, customer_id)
        return answer(stays_view(await queries.list_stays(conn, caller.project_id, customer.id, page)))


@get(
    "/v1/segments/{segment_id:str}/customers",
    opt=operation("list-segment-customers", spec=queries.MEMBERS_AS_OF, answer=SegmentCustomers),
)
async def list_segment_customers(request: Request[Any, Any, Any], segment_id: str, caller: Caller) -> Response[bytes]:
    """List a segment's customers, or those of a past moment (`at`), by id (an addition)."""
    page = read_page(queries.MEMBERS_AS_OF, request.query_params)
    async with caller.db.snapshot() as conn:
        now = await read_now(conn, caller.db.clock_offset)
        for _, at in page.filters:
            check_past(at, now)
        await _check_segment(conn, caller, segment_id)
        found = await queries.list_members(conn, caller.project_id, segment_id, page)
        known = await queries.customers_by_id(conn, caller.project_id, [one.id for one in found.items])
    return answer(members_view(found, known))


@get(
    "/v1/segments/{segment_id:str}/history",
    opt=operation("list-segment-history", spec=queries.MOVES, answer=SegmentMoves),
)
async def list_segment_moves(request: Request[Any, Any, Any], segment_id: str, caller: Caller) -> Response[bytes]:
    """List who entered and left a segment, newest first (an addition)."""
    page = _page(queries.MOVES, request)
    async with caller.db.snapshot() as conn:
        await _check_segment(conn, caller, segment_id)
        found = await queries.list_moves(conn, caller.project_id, segment_id, page)
        known = await queries.customers_by_id(conn, caller.project_id, [one.customer_id for one in found.items])
    return answer(moves_view(found, known))


router = Router(
    "/",
    route_handlers=[list_customer_segments, list_customer_stays, list_segment_customers, list_segment_moves],
)
