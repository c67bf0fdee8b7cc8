"""HTTP operations of stacks of tiers."""

from collections.abc import Sequence
from typing import Any

from litestar import Request, Response, Router, delete, get, post, put

from rapport.campaigns import queries as campaigns
from rapport.categories import queries as categories
from rapport.core.db import Connection
from rapport.core.errors import NotFound
from rapport.http import conditions
from rapport.http.bodies import answer, no_content, read_body
from rapport.http.caller import Caller
from rapport.http.lists import envelope, read_page
from rapport.http.openapi import operation
from rapport.promotions.models import STACK, Stack
from rapport.promotions.stacks import actions, queries
from rapport.promotions.stacks.schemas import StackAnswer, StackInput, StacksAnswer, StackUpdate, view

_OF_CAMPAIGN = "/v1/promotions/{campaign_id:str}/stacks"
_ONE = "/v1/promotions/{campaign_id:str}/stacks/{stack_id:str}"


async def _views(conn: Connection, caller: Caller, stacks: Sequence[Stack]) -> list[dict[str, Any]]:
    used = [stack.category_id for stack in stacks if stack.category_id]
    known = await categories.find_many(conn, caller.project_id, used)
    return [view(stack, known) for stack in stacks]


async def _shown(caller: Caller, stack: Stack) -> Response[bytes]:
    async with caller.db.read() as conn:
        return answer((await _views(conn, caller, [stack]))[0])


async def _campaign_id(conn: Connection, caller: Caller, reference: str) -> str:
    campaign = await campaigns.find(conn, caller.project_id, reference)
    if campaign is None:
        raise NotFound("campaign", reference)
    return campaign.id


@get(
    "/v1/promotions/stacks",
    opt=operation(
        "list-all-promotion-stacks",
        item=StackAnswer,
        spec=queries.STACKS,
        query={"filters": conditions.schema(queries.FILTERS)},
    ),
)
async def list_stacks(request: Request[Any, Any, Any], caller: Caller) -> Response[bytes]:
    """List the stacks of all campaigns, newest first."""
    given = list(request.query_params.multi_items())
    page = read_page(queries.STACKS, {name: one for name, one in given if not conditions.is_filter(name)})
    filters = conditions.read_conditions(given, queries.FILTERS)
    async with caller.db.read() as conn:
        found = await queries.list_page(conn, caller.project_id, page, filters)
        return answer(envelope(queries.STACKS, found, await _views(conn, caller, found.items)))


@get(_OF_CAMPAIGN, opt=operation("list-promotion-stacks-in-campaign", answer=StacksAnswer))
async def list_stacks_of_campaign(campaign_id: str, caller: Caller) -> Response[bytes]:
    """List all stacks of a campaign, the oldest first."""
    async with caller.db.read() as conn:
        own_id = await _campaign_id(conn, caller, campaign_id)
        found = await _views(conn, caller, await queries.of_campaign(conn, caller.project_id, own_id))
    return answer({"object": "list", "data_ref": "data", "data": found, "total": len(found), "has_more": False})


@post(_OF_CAMPAIGN, status_code=200, opt=operation("create-promotion-stack", answer=StackAnswer, body=StackInput))
async def create_stack(request: Request[Any, Any, Any], campaign_id: str, caller: Caller) -> Response[bytes]:
    """Create a stack of a campaign's tiers."""
    return await _shown(caller, await actions.create(caller, campaign_id, await read_body(request, StackInput)))


@get(_ONE, opt=operation("get-promotion-stack", answer=StackAnswer))
async def get_stack(campaign_id: str, stack_id: str, caller: Caller) -> Response[bytes]:
    """Get a stack of a campaign by its id."""
    async with caller.db.read() as conn:
        own_id = await _campaign_id(conn, caller, campaign_id)
        stack = await queries.find(conn, caller.project_id, own_id, stack_id)
    if stack is None:
        raise NotFound(STACK, stack_id)
    return await _shown(caller, stack)


@put(_ONE, opt=operation("update-promotion-stack", answer=StackAnswer, body=StackUpdate))
async def update_stack(
    request: Request[Any, Any, Any], campaign_id: str, stack_id: str, caller: Caller
) -> Response[bytes]:
    """Change a stack; what the body leaves out stays."""
    data = await read_body(request, StackUpdate)
    return await _shown(caller, await actions.update(caller, campaign_id, stack_id, data))


@delete(_ONE, status_code=204, opt=operation("delete-promotion-stack"))
async def delete_stack(campaign_id: str, stack_id: str, caller: Caller) -> Response[None]:
    """Delete a stack for good; its tiers stay."""
    await actions.delete(caller, campaign_id, stack_id)
    return no_content()


router = Router(
    "/",
    route_handlers=[list_stacks, list_stacks_of_campaign, create_stack, get_stack, update_stack, delete_stack],
)
