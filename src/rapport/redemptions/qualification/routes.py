"""HTTP operations of qualifications."""

from typing import Any, Final

from litestar import Request, Response, Router, post

from rapport.campaigns import queries as campaigns
from rapport.campaigns.schemas import view as campaign_view
from rapport.core.clock import iso
from rapport.core.errors import InvalidQueryParams
from rapport.core.ids import new_id
from rapport.http.bodies import answer, read_body
from rapport.http.caller import Caller
from rapport.http.lists import BOOLEAN, DEFAULT_LIMIT, read_flag, read_number
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
from rapport.vouchers.schemas import view as voucher_view

_ORDERS: Final = ("created_at", "-created_at")
_QUERY: Final[dict[str, dict[str, Any]]] = {
    "audienceRulesOnly": BOOLEAN,
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


async def _examined(
    request: Request[Any, Any, Any], caller: Caller, decider: SegmentDecider, kind: str
) -> tuple[Examined, list[Qualified]]:
    """Return what qualifies of one kind, in the order and up to the number that the query says."""
    query = request.query_params
    limit = read_number(query, "limit", DEFAULT_LIMIT, MAX_LIMIT)
    if query.get("order") not in (None, *_ORDERS):
        raise InvalidQueryParams(f"Query param order should be one of: {', '.join(_ORDERS)}")
    older = await read_body(request, OlderQualificationInput) if await request.body() else OlderQualificationInput()
    data = QualificationInput(
        customer=older.customer, order=older.order, tracking_id=older.tracking_id, metadata=older.metadata
    )
    scenario: Scenario = "AUDIENCE_ONLY" if read_flag(query, "audienceRulesOnly") else "ALL"
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
    data = []
    for one in part:
        voucher, effect = one.candidate.redeemables[0].voucher, one.effects[0]
        assert voucher is not None
        applicable_to, inapplicable_to = reach.views(reach.entries(one.rules[0]), effect.reached, effect.before)
        data.append(voucher_view(voucher) | {"applicable_to": applicable_to, "inapplicable_to": inapplicable_to})
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
