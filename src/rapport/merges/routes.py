"""HTTP operations of merges and duplicates."""

from collections.abc import Sequence
from typing import Any

from litestar import Request, Response, Router, get, post

from rapport.core.errors import InvalidQueryParams
from rapport.customers.holdings import Holding
from rapport.customers.schemas import view
from rapport.customers.writes import Writer
from rapport.http.bodies import answer, read_body
from rapport.http.caller import Caller
from rapport.http.lists import MAX_LIMIT, envelope, read_page
from rapport.http.openapi import operation
from rapport.merges import actions, duplicates, queries, undoing
from rapport.merges.schemas import DuplicateGroups, MergeDone, MergeInput, MergePreview, MergeView, merge_view

_DUPLICATES: dict[str, dict[str, Any]] = {
    "reason": {"type": "string", "enum": [one.name for one in duplicates.REASONS]},
    "limit": {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": 10},
    "starting_after_id": {"type": "string"},
}


@post(
    "/v1/customers/{customer_id:str}/merge",
    status_code=200,
    opt=operation("merge-customers", body=MergeInput, answer=MergeDone),
)
async def merge_customers(
    request: Request[Any, Any, Any], customer_id: str, caller: Caller, writer: Writer, holdings: Sequence[Holding]
) -> Response[bytes]:
    """Merge another customer into this one; what is known by the other's id or source id reaches this one after it."""
    data = await read_body(request, MergeInput)
    done, customer = await actions.merge(writer, caller, holdings, customer_id, data)
    return answer(MergeDone(merge=merge_view(done), customer=view(customer)))


@post(
    "/v1/customers/{customer_id:str}/merge/preview",
    status_code=200,
    opt=operation("preview-customer-merge", body=MergeInput, answer=MergePreview),
)
async def preview_merge(
    request: Request[Any, Any, Any], customer_id: str, caller: Caller, writer: Writer, holdings: Sequence[Holding]
) -> Response[bytes]:
    """Tell what a merge would come to; nothing changes."""
    data = await read_body(request, MergeInput)
    return answer(await actions.preview(writer, caller, holdings, customer_id, data))


@get("/v1/merges", opt=operation("list-merges", spec=queries.MERGES, item=MergeView))
async def list_merges(request: Request[Any, Any, Any], caller: Caller) -> Response[bytes]:
    """List merges, newest first; `customer` is the id of either of the two."""
    async with caller.db.read() as conn:
        found = await queries.list_page(conn, caller.project_id, read_page(queries.MERGES, request.query_params))
    return answer(envelope(queries.MERGES, found, [merge_view(one) for one in found.items]))


@get("/v1/merges/{merge_id:str}", opt=operation("get-merge", answer=MergeView))
async def get_merge(merge_id: str, caller: Caller) -> Response[bytes]:
    """Get a merge."""
    return answer(merge_view(await actions.get(caller, merge_id)))


@post("/v1/merges/{merge_id:str}/undo", status_code=200, opt=operation("undo-merge", answer=MergeView))
async def undo_merge(merge_id: str, caller: Caller, writer: Writer, holdings: Sequence[Holding]) -> Response[bytes]:
    """Undo a merge: what was moved goes back, what happened since stays where it is."""
    return answer(merge_view(await undoing.undo(writer, caller, holdings, merge_id)))


@get("/v1/customer-duplicates", opt=operation("list-customer-duplicates", answer=DuplicateGroups, query=_DUPLICATES))
async def list_duplicates(request: Request[Any, Any, Any], caller: Caller) -> Response[bytes]:
    """List groups of customers who may be one person: those with one email or phone first, then weaker signs."""
    query = request.query_params
    limit = query.get("limit") or "10"
    if not (limit.isascii() and limit.isdigit() and len(limit) < 4 and 1 <= int(limit) <= MAX_LIMIT):
        raise InvalidQueryParams(f"Query param limit should be a number between 1 and {MAX_LIMIT}")
    after = query.get("starting_after_id") or None
    if after is not None and "\x00" in after:
        raise InvalidQueryParams("Query param starting_after_id holds a NUL character")
    async with caller.db.read() as conn:
        found = await duplicates.page_of(
            conn, caller.project_id, reason=query.get("reason") or None, limit=int(limit), after=after
        )
    return answer(found)


router = Router(
    "/",
    route_handlers=[
        merge_customers,
        preview_merge,
        list_merges,
        get_merge,
        undo_merge,
        list_duplicates,
    ],
)
