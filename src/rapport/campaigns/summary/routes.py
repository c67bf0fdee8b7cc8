"""The HTTP operation of campaigns' summaries."""

from datetime import date
from typing import Any, Literal

import msgspec
from litestar import Request, Response, Router, get
from msgspec import UNSET, UnsetType

from rapport.campaigns import queries as campaigns
from rapport.campaigns.answers import CampaignAnswer
from rapport.campaigns.models import GIFT_VOUCHER
from rapport.campaigns.schemas import view
from rapport.campaigns.summary import queries
from rapport.core.clock import parse_date
from rapport.core.errors import InvalidQueryParams, NotFound
from rapport.http.answers import Count
from rapport.http.bodies import answer
from rapport.http.caller import Caller
from rapport.http.openapi import operation

_DAY = {"type": "string", "format": "date"}


class SummaryAnswer(msgspec.Struct, kw_only=True):
    """A campaign in numbers; amounts in minor units. What it has not is left out: codes, discounts, gift cards."""

    object: Literal["campaign_summary"]
    campaign: CampaignAnswer
    redemptions: Count
    redemptions_succeeded: Count
    redemptions_failed: Count
    rollbacks: Count
    rollbacks_succeeded: Count
    rollbacks_failed: Count
    validations: Count
    validations_succeeded: Count
    validations_failed: Count
    orders_amount: Count
    orders_rolledback_amount: Count
    vouchers_created: Count | UnsetType = UNSET
    vouchers_deleted: Count | UnsetType = UNSET
    publications: Count | UnsetType = UNSET
    publications_succeeded: Count | UnsetType = UNSET
    publications_failed: Count | UnsetType = UNSET
    discounted_amount: Count | UnsetType = UNSET
    rolledback_discounted_amount: Count | UnsetType = UNSET
    created_vouchers_amount: Count | UnsetType = UNSET
    amount_added: Count | UnsetType = UNSET
    amount_deleted: Count | UnsetType = UNSET
    amount_redeemed: Count | UnsetType = UNSET
    amount_rolledback: Count | UnsetType = UNSET
    amount_subtracted: Count | UnsetType = UNSET


def _day(request: Request[Any, Any, Any], name: str) -> date | None:
    text = request.query_params.get(name)
    if not text:
        return None
    try:
        return parse_date(text)
    except ValueError as error:
        raise InvalidQueryParams(f"Query param {name} should be a date in ISO 8601 format") from error


@get(
    "/v1/campaigns/{campaign_id:str}/summary",
    opt=operation("get-campaign-summary", answer=SummaryAnswer, query={"start_date": _DAY, "end_date": _DAY}),
)
async def get_summary(request: Request[Any, Any, Any], campaign_id: str, caller: Caller) -> Response[bytes]:
    """Count what came of a campaign, from a day to a day if given, both within."""
    since, until = _day(request, "start_date"), _day(request, "end_date")
    async with caller.db.snapshot() as conn:
        campaign = await campaigns.find(conn, caller.project_id, campaign_id)
        if campaign is None:
            raise NotFound("campaign", campaign_id)
        count = (await campaigns.count_codes(conn, caller.project_id, [campaign])).get(campaign.id, 0)
        numbers = await queries.count_base(conn, caller.project_id, campaign.id, since, until)
        if campaign.voucher_type is not None:
            numbers |= await queries.count_codes(conn, caller.project_id, campaign, since, until)
        if campaign.voucher_type == GIFT_VOUCHER:
            del numbers["discounted_amount"], numbers["rolledback_discounted_amount"]
            numbers |= await queries.sum_gifts(conn, caller.project_id, campaign, since, until)
    return answer({"object": "campaign_summary", "campaign": view(campaign, count), **numbers})


router = Router("/", route_handlers=[get_summary])
