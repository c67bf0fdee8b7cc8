"""HTTP operations of tiers of in-cart promotions."""

from datetime import datetime
from typing import Any

from litestar import Request, Response, Router, delete, get, post, put
from litestar.di import Provide

from rapport.campaigns import queries as campaigns
from rapport.core.errors import NotFound
from rapport.core.queries import read_now
from rapport.http.bodies import answer, no_content, read_body
from rapport.http.caller import Caller, client_caller
from rapport.http.lists import BOOLEAN, envelope, read_flag, read_page
from rapport.http.openapi import operation
from rapport.promotions import actions, queries
from rapport.promotions.answers import TierAnswer, TiersAnswer, shown, tiers_list
from rapport.promotions.models import Tier
from rapport.promotions.schemas import TierInput, TierUpdate
from rapport.promotions.stacks import routes as stacks

_ALL = "/v1/promotions/tiers"
_ONE = "/v1/promotions/tiers/{tier_id:str}"
_OF_CAMPAIGN = "/v1/promotions/{campaign_id:str}/tiers"
_PARAMETERS = {"is_available": BOOLEAN}


async def _shown(caller: Caller, tier: Tier) -> Response[bytes]:
    async with caller.db.read() as conn:
        return answer((await shown(conn, caller.project_id, [tier], summarized=True))[0])


async def _page(request: Request[Any, Any, Any], caller: Caller) -> Response[bytes]:
    page = read_page(queries.TIERS, request.query_params)
    available = read_flag(request.query_params, "is_available")
    async with caller.db.read() as conn:
        at: datetime | None = await read_now(conn, caller.db.clock_offset) if available else None
        found = await queries.list_page(conn, caller.project_id, page, available_at=at)
        return answer(
            envelope(queries.TIERS, found, await shown(conn, caller.project_id, found.items, summarized=True))
        )


@get(_ALL, opt=operation("list-promotion-tiers", item=TierAnswer, spec=queries.TIERS, query=_PARAMETERS))
async def list_tiers(request: Request[Any, Any, Any], caller: Caller) -> Response[bytes]:
    """List the tiers of all campaigns, newest first; with `is_available`, those that are active and not expired."""
    return await _page(request, caller)


@get(
    f"/client{_ALL}",
    dependencies={"caller": Provide(client_caller)},
    opt=operation(
        "list-promotion-tiers-client-side",
        item=TierAnswer,
        spec=queries.TIERS,
        query=_PARAMETERS,
        client=True,
        switch="client_list_vouchers_enabled",
    ),
)
async def list_tiers_client_side(request: Request[Any, Any, Any], caller: Caller) -> Response[bytes]:
    """List the tiers of all campaigns for a shop's web page or app, newest first."""
    return await _page(request, caller)


@get(_OF_CAMPAIGN, opt=operation("list-promotion-tiers-from-campaign", answer=TiersAnswer))
async def list_tiers_of_campaign(campaign_id: str, caller: Caller) -> Response[bytes]:
    """List all tiers of a campaign, in the order in which they are applied."""
    async with caller.db.read() as conn:
        campaign = await campaigns.find(conn, caller.project_id, campaign_id)
        if campaign is None:
            raise NotFound("campaign", campaign_id)
        found = await queries.of_campaigns(conn, caller.project_id, [campaign.id])
        return answer(tiers_list(await shown(conn, caller.project_id, found.get(campaign.id, []), summarized=True)))


@post(
    _OF_CAMPAIGN,
    status_code=200,
    opt=operation("add-promotion-tier-to-campaign", answer=TierAnswer, body=TierInput),
)
async def add_tier(request: Request[Any, Any, Any], campaign_id: str, caller: Caller) -> Response[bytes]:
    """Add a tier to a campaign: after all others, or at a rank of its own."""
    return await _shown(caller, await actions.create(caller, campaign_id, await read_body(request, TierInput)))


@get(_ONE, opt=operation("get-promotion-tier", answer=TierAnswer))
async def get_tier(tier_id: str, caller: Caller) -> Response[bytes]:
    """Get a tier by its id."""
    async with caller.db.read() as conn:
        tier = await actions.get(conn, caller.project_id, tier_id)
    return await _shown(caller, tier)


@put(_ONE, opt=operation("update-promotion-tier", answer=TierAnswer, body=TierUpdate))
async def update_tier(request: Request[Any, Any, Any], tier_id: str, caller: Caller) -> Response[bytes]:
    """Change a tier; what the body leaves out stays."""
    return await _shown(caller, await actions.update(caller, tier_id, await read_body(request, TierUpdate)))


@delete(_ONE, status_code=204, opt=operation("delete-promotion-tier"))
async def delete_tier(tier_id: str, caller: Caller) -> Response[None]:
    """Delete a tier for good; one that is in a stack has to be taken out of it first."""
    await actions.delete(caller, tier_id)
    return no_content()


@post(f"{_ONE}/enable", status_code=200, opt=operation("enable-promotion-tier", answer=TierAnswer))
async def enable_tier(tier_id: str, caller: Caller) -> Response[bytes]:
    """Let a tier be applied again."""
    return await _shown(caller, await actions.set_active(caller, tier_id, active=True))


@post(f"{_ONE}/disable", status_code=200, opt=operation("disable-promotion-tier", answer=TierAnswer))
async def disable_tier(tier_id: str, caller: Caller) -> Response[bytes]:
    """Stop a tier, whatever its dates say."""
    return await _shown(caller, await actions.set_active(caller, tier_id, active=False))


router = Router(
    "/",
    route_handlers=[
        list_tiers,
        list_tiers_client_side,
        list_tiers_of_campaign,
        add_tier,
        get_tier,
        update_tier,
        delete_tier,
        enable_tier,
        disable_tier,
        stacks.router,
    ],
)
