"""HTTP operations of campaigns."""

from collections.abc import Mapping
from typing import Any

from litestar import Request, Response, Router, delete, get, post, put

from rapport.async_actions.schemas import Accepted
from rapport.campaigns import actions, queries
from rapport.campaigns.answers import CampaignAnswer, Done
from rapport.campaigns.filters import FIELDS, filters
from rapport.campaigns.models import Campaign, Tiers
from rapport.campaigns.schemas import CampaignInput, CampaignUpdate
from rapport.campaigns.showing import shown
from rapport.core.errors import InvalidQueryParams, NotFound
from rapport.core.queries import read_now
from rapport.customers.writes import Writer
from rapport.http import conditions
from rapport.http.bodies import answer, read_body
from rapport.http.caller import Caller
from rapport.http.lists import BOOLEAN, envelope, read_flag, read_page
from rapport.http.openapi import operation


def _tiers(request: Request[Any, Any, Any]) -> Tiers | None:
    """Return what keeps the tiers of campaigns of type PROMOTION, where there is something that does."""
    tiers: Tiers | None = getattr(request.app.state, "promotion_tiers", None)
    return tiers


async def _shown(request: Request[Any, Any, Any], caller: Caller, *campaigns: Campaign) -> list[dict[str, Any]]:
    async with caller.db.read() as conn:
        return await shown(conn, caller.project_id, campaigns, _tiers(request))


@post("/v1/campaigns", status_code=200, opt=operation("create-campaign", answer=CampaignAnswer, body=CampaignInput))
async def create_campaign(request: Request[Any, Any, Any], caller: Caller) -> Response[bytes]:
    """Create a campaign of coupons, gift cards or in-cart promotions; many codes are made in the background."""
    campaign = await actions.create(caller, await read_body(request, CampaignInput), _tiers(request))
    return answer((await _shown(request, caller, campaign))[0])


def _check_served(query: Mapping[str, str]) -> None:
    """Raise InvalidQueryParams for what would show or choose by areas and stores; categories are always shown."""
    if query.get("expand") not in (None, "", "category"):
        raise InvalidQueryParams("Query param expand should be category: there are no areas and stores")
    if any(name.startswith("access_settings") for name in query):
        raise InvalidQueryParams("Query param access_settings is not supported: there are no areas and stores")


@get(
    "/v1/campaigns",
    opt=operation(
        "list-campaigns",
        item=CampaignAnswer,
        spec=queries.CAMPAIGNS,
        query={"filters": conditions.schema(FIELDS), "expand": {"type": "string", "enum": ["category"]}},
    ),
)
async def list_campaigns(request: Request[Any, Any, Any], caller: Caller) -> Response[bytes]:
    """List campaigns, newest first."""
    _check_served(request.query_params)
    given = list(request.query_params.multi_items())
    page = read_page(queries.CAMPAIGNS, {name: one for name, one in given if not conditions.is_filter(name)})
    async with caller.db.read() as conn:
        asked = conditions.read_conditions(given, filters(await read_now(conn, caller.db.clock_offset)))
        found = await queries.list_page(conn, caller.project_id, page, asked)
    return answer(envelope(queries.CAMPAIGNS, found, await _shown(request, caller, *found.items)))


@get("/v1/campaigns/{campaign_id:str}", opt=operation("get-campaign", answer=CampaignAnswer))
async def get_campaign(request: Request[Any, Any, Any], campaign_id: str, caller: Caller) -> Response[bytes]:
    """Get a campaign by id or name."""
    async with caller.db.read() as conn:
        campaign = await queries.find(conn, caller.project_id, campaign_id)
    if campaign is None:
        raise NotFound("campaign", campaign_id)
    return answer((await _shown(request, caller, campaign))[0])


@put("/v1/campaigns/{campaign_id:str}", opt=operation("update-campaign", answer=CampaignAnswer, body=CampaignUpdate))
async def update_campaign(request: Request[Any, Any, Any], campaign_id: str, caller: Caller) -> Response[bytes]:
    """Change a campaign; codes that have not been published follow it."""
    campaign = await actions.update(caller, campaign_id, await read_body(request, CampaignUpdate))
    return answer((await _shown(request, caller, campaign))[0])


@delete(
    "/v1/campaigns/{campaign_id:str}",
    status_code=202,
    opt=operation("delete-campaign", answer=Accepted, query={"force": BOOLEAN}),
)
async def delete_campaign(
    request: Request[Any, Any, Any], campaign_id: str, caller: Caller, writer: Writer
) -> Response[bytes]:
    """Move a campaign and its codes to the bin, or delete them for good with `force`.

    Redemptions and publications stay in their lists.
    """
    force = read_flag(request.query_params, "force")
    return answer(Accepted(async_action_id=await actions.delete(writer, caller, campaign_id, force=force)), 202)


@post("/v1/campaigns/{campaign_id:str}/enable", status_code=200, opt=operation("enable-campaign", answer=Done))
async def enable_campaign(campaign_id: str, caller: Caller) -> Response[bytes]:
    """Let the campaign's codes be redeemed again."""
    await actions.set_active(caller, campaign_id, active=True)
    return answer({})


@post("/v1/campaigns/{campaign_id:str}/disable", status_code=200, opt=operation("disable-campaign", answer=Done))
async def disable_campaign(campaign_id: str, caller: Caller) -> Response[bytes]:
    """Stop all codes of the campaign."""
    await actions.set_active(caller, campaign_id, active=False)
    return answer({})


router = Router(
    "/",
    route_handlers=[
        create_campaign,
        list_campaigns,
        get_campaign,
        update_campaign,
        delete_campaign,
        enable_campaign,
        disable_campaign,
    ],
)
