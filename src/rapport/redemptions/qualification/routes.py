"""HTTP operations of qualifications."""

from collections.abc import Mapping
from typing import Any, Final

from litestar import Request, Response, Router, post

from rapport.campaigns import queries as campaigns
from rapport.campaigns.schemas import view as campaign_view
from rapport.core.clock import iso
from rapport.core.errors import InvalidQueryParams
from rapport.core.ids import new_id
from rapport.http.bodies import answer, read_body
from rapport.http.caller import Caller
from rapport.http.links import base_url
from rapport.http.openapi import operation
from rapport.redemptions import reach
from rapport.redemptions.qualification import actions
from rapport.redemptions.qualification.actions import Examined, Qualified
from rapport.redemptions.qualification.schemas import (
    MAX_LIMIT,
    OlderQualificationAnswer,
    OlderQualificationInput,
    QualificationAnswer,
    QualificationInput,
    Scenario,
)
from rapport.redemptions.validation_routes import DECIDER
from rapport.segments.membership import SegmentDecider
from rapport.vouchers import queries as vouchers
from rapport.vouchers.schemas import view as voucher_view

_ORDERS: Final = ("created_at", "-created_at")
_QUERY: Final[dict[str, dict[str, Any]]] = {
    "audienceRulesOnly": {"type": "boolean"},
    "limit": {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT},
    "order": {"type": "string", "enum": list(_ORDERS)},
}


@post(
    "/v1/qualifications",
    status_code=200,
    opt=operation("check-eligibility", answer=QualificationAnswer, body=QualificationInput),
)
async def qualify(request: Request[Any, Any, Any], caller: Caller, decider: SegmentDecider) -> Response[bytes]:
    """List what a customer could redeem with a cart."""
    return answer(await actions.qualify(caller, decider, await read_body(request, QualificationInput)))


def _limit(query: Mapping[str, str]) -> int:
    text = query.get("limit", "10")
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= MAX_LIMIT):
        raise InvalidQueryParams(f"Query parameter limit should be from 1 to {MAX_LIMIT}")
    return int(text)


async def _examined(
    request: Request[Any, Any, Any], caller: Caller, decider: SegmentDecider, kind: str
) -> tuple[Examined, list[Qualified]]:
    """Return what qualifies of one kind, in the order and up to the number that the query says."""
    query = request.query_params
    limit = _limit(query)
    if query.get("order") not in (None, *_ORDERS):
        raise InvalidQueryParams(f"Query parameter order should be one of: {', '.join(_ORDERS)}")
    older = await read_body(request, OlderQualificationInput) if await request.body() else OlderQualificationInput()
    data = QualificationInput(
        customer=older.customer, order=older.order, tracking_id=older.tracking_id, metadata=older.metadata
    )
    scenario: Scenario = "AUDIENCE_ONLY" if query.get("audienceRulesOnly") == "true" else "ALL"
    async with caller.db.read() as conn:
        found = await actions.examine(conn, caller, decider, data, scenario)
    wanted = [one for one in found.qualified if one.candidate.object == kind]
    if query.get("order") == "created_at":
        wanted.reverse()
    return found, wanted[:limit]


def _older(found: Examined, prefix: str, data: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "object": "list",
        "data_ref": "data",
        "data": data,
        "total": len(data),
        "id": new_id(prefix),
        "created_at": iso(found.at.moment.now),
        "tracking_id": found.tracking_id,
    }


@post(
    "/v1/vouchers/qualification",
    status_code=200,
    opt=operation(
        "examine-vouchers-qualification",
        answer=OlderQualificationAnswer,
        body=OlderQualificationInput,
        query=_QUERY,
        optional_body=True,
    ),
)
async def qualify_vouchers(request: Request[Any, Any, Any], caller: Caller, decider: SegmentDecider) -> Response[bytes]:
    """List the vouchers that a customer could redeem with a cart."""
    found, part = await _examined(request, caller, decider, "voucher")
    ids = [str(one.candidate.values["resource_id"]) for one in part]
    async with caller.db.read() as conn:
        known = await vouchers.find_many(conn, caller.project_id, ids)
    data = []
    for voucher_id, one in zip(ids, part, strict=True):
        voucher, effect = known.get(voucher_id), one.effects[0]
        if voucher is None:
            continue
        applicable_to, inapplicable_to = reach.views(reach.entries(one.rules[0]), effect.reached, effect.before)
        shown = voucher_view(voucher, None, base_url(request))
        data.append(shown | {"applicable_to": applicable_to, "inapplicable_to": inapplicable_to})
    return answer(_older(found, "qfl", data))


@post(
    "/v1/campaigns/qualification",
    status_code=200,
    opt=operation(
        "examine-campaign-qualification",
        answer=OlderQualificationAnswer,
        body=OlderQualificationInput,
        query=_QUERY,
        optional_body=True,
    ),
)
async def qualify_campaigns(
    request: Request[Any, Any, Any], caller: Caller, decider: SegmentDecider
) -> Response[bytes]:
    """List the campaigns whose codes a customer could redeem with a cart."""
    found, part = await _examined(request, caller, decider, "campaign")
    data = []
    async with caller.db.read() as conn:
        for one in part:
            campaign = await campaigns.find(conn, caller.project_id, one.candidate.id)
            if campaign is not None:
                data.append(campaign_view(campaign, campaign.codes_made))
    return answer(_older(found, "qfl", data))


router = Router("/", dependencies=DECIDER, route_handlers=[qualify, qualify_vouchers, qualify_campaigns])
