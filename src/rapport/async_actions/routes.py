"""HTTP operations of asynchronous actions."""

from typing import Any

from litestar import Request, Response, Router, get

from rapport.async_actions import queries
from rapport.async_actions.schemas import ActionView, view
from rapport.core.errors import NotFound
from rapport.http.bodies import answer
from rapport.http.caller import Caller
from rapport.http.links import base_url
from rapport.http.lists import envelope, read_page
from rapport.http.openapi import operation


@get("/v1/async-actions", opt=operation("list-async-actions", item=ActionView, spec=queries.ACTIONS))
async def list_actions(request: Request[Any, Any, Any], caller: Caller) -> Response[bytes]:
    """List asynchronous actions, newest first."""
    page = read_page(queries.ACTIONS, request.query_params)
    async with caller.db.read() as conn:
        found = await queries.list_page(conn, caller.project_id, page)
    return answer(envelope(queries.ACTIONS, found, [view(one) for one in found.items]))


@get("/v1/async-actions/{action_id:str}", opt=operation("get-async-action", answer=ActionView))
async def get_action(request: Request[Any, Any, Any], action_id: str, caller: Caller) -> Response[bytes]:
    """Get an asynchronous action: how far it is, and its result."""
    async with caller.db.read() as conn:
        action = await queries.find(conn, caller.project_id, action_id)
    if action is None:
        raise NotFound("async_action", action_id)
    return answer(view(action, base_url(request)))


router = Router("/", route_handlers=[list_actions, get_action])
