"""HTTP operations of campaign templates."""

from typing import Any

from litestar import Request, Response, Router, delete, get, post, put

from rapport.campaigns.showing import shown as shown_campaigns
from rapport.core.errors import InvalidQueryParams
from rapport.http import conditions
from rapport.http.bodies import answer, no_content, read_body
from rapport.http.caller import Caller
from rapport.http.lists import BOOLEAN, Found, Part, read_flag, read_page
from rapport.http.openapi import operation
from rapport.promotions.answers import shown as shown_tiers
from rapport.templates import actions, queries
from rapport.templates.models import Template
from rapport.templates.schemas import (
    CampaignSetup,
    CampaignSetupAnswer,
    TemplateAnswer,
    TemplateInput,
    TemplatesAnswer,
    TemplateUpdate,
    TierSetup,
    TierSetupAnswer,
    created_view,
    view,
)

_ALL = "/v1/templates/campaigns"
_ONE = "/v1/templates/campaigns/{template_id:str}"
_PARAMETERS = {"filters": conditions.schema(queries.FILTERS), "include_total": BOOLEAN}
_EXPAND = {"expand": {"type": "string", "enum": ["json_template"]}}


@get(_ALL, opt=operation("list-campaign-templates", answer=TemplatesAnswer, spec=queries.TEMPLATES, query=_PARAMETERS))
async def list_templates(request: Request[Any, Any, Any], caller: Caller) -> Response[bytes]:
    """List campaign templates, oldest first; they are counted with `include_total` only."""
    given = list(request.query_params.multi_items())
    page = read_page(queries.TEMPLATES, {name: value for name, value in given if not conditions.is_filter(name)})
    filters = conditions.read_conditions(given, queries.FILTERS)
    counted = read_flag(request.query_params, "include_total")
    found: Found[Template] | Part[Template]
    async with caller.db.read() as conn:
        if counted:
            found = await queries.list_page(conn, caller.project_id, page, filters)
        else:
            found = await queries.list_part(conn, caller.project_id, page, filters)
    shown: dict[str, Any] = {
        "object": "list",
        "data_ref": "data",
        "data": [view(template) for template in found.items],
        "has_more": found.has_more,
    }
    if isinstance(found, Found):
        shown["total"] = found.total
    if found.has_more:
        shown["more_starting_after"] = found.items[-1].id
    return answer(shown)


@post(_ALL, status_code=200, opt=operation("create-campaign-template", answer=TemplateAnswer, body=TemplateInput))
async def create_template(request: Request[Any, Any, Any], caller: Caller) -> Response[bytes]:
    """Create a template of a campaign or a tier as it is now."""
    return answer(view(await actions.create(caller, await read_body(request, TemplateInput))))


@get(_ONE, opt=operation("get-campaign-template", answer=TemplateAnswer, query=_EXPAND))
async def get_template(request: Request[Any, Any, Any], template_id: str, caller: Caller) -> Response[bytes]:
    """Get a campaign template; with `expand=json_template`, also what campaigns are made from."""
    expand = request.query_params.get("expand")
    if expand not in (None, "", "json_template"):
        raise InvalidQueryParams("Query param expand should be json_template")
    async with caller.db.read() as conn:
        template = await actions.get(conn, caller.project_id, template_id)
    return answer(view(template, expanded=bool(expand)))


@put(_ONE, opt=operation("update-campaign-template", answer=TemplateAnswer, body=TemplateUpdate))
async def update_template(request: Request[Any, Any, Any], template_id: str, caller: Caller) -> Response[bytes]:
    """Change the name or the description of a campaign template."""
    return answer(view(await actions.update(caller, template_id, await read_body(request, TemplateUpdate))))


@delete(_ONE, status_code=204, opt=operation("delete-campaign-template"))
async def delete_template(template_id: str, caller: Caller) -> Response[None]:
    """Delete a campaign template for good; what was made from it stays."""
    await actions.delete(caller, template_id)
    return no_content()


@post(
    f"{_ONE}/campaign-setup",
    status_code=200,
    opt=operation("create-campaign-from-template", answer=CampaignSetupAnswer, body=CampaignSetup),
)
async def set_campaign_up(request: Request[Any, Any, Any], template_id: str, caller: Caller) -> Response[bytes]:
    """Create a campaign as the template says, but for what the body says."""
    campaign, made = await actions.set_campaign_up(caller, template_id, await read_body(request, CampaignSetup))
    async with caller.db.read() as conn:
        shown = (await shown_campaigns(conn, caller.project_id, [campaign]))[0]
    return answer({"created_resources": created_view(made), "campaign": shown, "object": "campaign_setup"})


@post(
    f"{_ONE}/tier-setup",
    status_code=200,
    opt=operation("add-tier-from-template", answer=TierSetupAnswer, body=TierSetup),
)
async def set_tier_up(request: Request[Any, Any, Any], template_id: str, caller: Caller) -> Response[bytes]:
    """Add a tier to a campaign as the template says, but for what the body says."""
    tier, made = await actions.set_tier_up(caller, template_id, await read_body(request, TierSetup))
    async with caller.db.read() as conn:
        shown = (await shown_tiers(conn, caller.project_id, [tier], summarized=True))[0]
    return answer({"created_resources": created_view(made), "promotion_tier": shown, "object": "promotion_tier_setup"})


router = Router(
    "/",
    route_handlers=[
        list_templates,
        create_template,
        get_template,
        update_template,
        delete_template,
        set_campaign_up,
        set_tier_up,
    ],
)
