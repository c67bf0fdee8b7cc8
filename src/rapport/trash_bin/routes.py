"""HTTP operations of the trash bin."""

from typing import Any

from litestar import Request, Response, Router, delete, get, post

from rapport.http import conditions
from rapport.http.bodies import answer, no_content
from rapport.http.caller import Caller
from rapport.http.lists import read_page
from rapport.http.openapi import operation
from rapport.trash_bin import actions, queries
from rapport.trash_bin.schemas import EntryList, view

_PARAMETERS = {"filters": conditions.schema(queries.FILTERS), "starting_after_id": {"type": "string"}}


@get("/v1/trash-bin", opt=operation("list-bin-entries", spec=queries.ENTRIES, answer=EntryList, query=_PARAMETERS))
async def list_entries(request: Request[Any, Any, Any], caller: Caller) -> Response[bytes]:
    """List what was deleted but not for good, in the order of the entries' ids."""
    given = list(request.query_params.multi_items())
    page = read_page(queries.ENTRIES, {name: value for name, value in given if not conditions.is_filter(name)})
    filters = conditions.read_conditions(given, queries.FILTERS)
    async with caller.db.read() as conn:
        return answer(view(await queries.list_page(conn, caller.project_id, page, filters)))


@delete("/v1/trash-bin/{entry_id:str}", status_code=204, opt=operation("delete-bin-entry"))
async def delete_entry(request: Request[Any, Any, Any], entry_id: str, caller: Caller) -> Response[None]:
    """Delete for good what is in the bin; a campaign's vouchers go with it."""
    await actions.remove(caller, request.app.state.bin_kinds, entry_id)
    return no_content()


@post("/v1/trash-bin/{entry_id:str}/restore", status_code=204, opt=operation("restore-bin-entry"))
async def restore_entry(request: Request[Any, Any, Any], entry_id: str, caller: Caller) -> Response[None]:
    """Put back what is in the bin (an addition to the reference)."""
    await actions.restore(caller, request.app.state.bin_kinds, entry_id)
    return no_content()


router = Router("/", route_handlers=[list_entries, delete_entry, restore_entry])
