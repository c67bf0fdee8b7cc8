"""HTTP operations of qualifications."""

from collections.abc import Callable, Mapping
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
from rapport.redemptions.redeemables.models import Redeemable
from rapport.redemptions.validation_routes import DECIDER
from rapport.segments.membership import SegmentDecider
from rapport.vouchers import queries as vouchers
from rapport.vouchers.models import Voucher
from rapport.vouchers.schemas import view as voucher_view

Orders = Mapping[str, Callable[[Voucher, Redeemable], Any]]


# What the older operations sort by; of campaigns, what `as_voucher` makes of one. What has no value comes last.
_TIMES: Final[Orders] = {
    "created_at": lambda voucher, _: voucher.created_at,
    "updated_at": lambda voucher, _: voucher.updated_at or voucher.created_at,
}
_OF_VOUCHERS: Final[Orders] = {**_TIMES, "code": lambda voucher, _: voucher.code}
_OF_CAMPAIGNS: Final[Orders] = {
    **_TIMES,
    "type": lambda voucher, _: voucher.campaign_type,
    "category": lambda _, redeemable: redeemable.categories[0].name if redeemable.categories else None,
    "campaign": lambda voucher, _: voucher.campaign,
}


def _query(orders: Orders) -> dict[str, dict[str, Any]]:
    return {
        "audienceRulesOnly": BOOLEAN,
        "limit": {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT},
        "order": {"type": "string", "enum": [f"{sign}{name}" for name in orders for sign in ("", "-")]},
    }


def _ordered(found: list[Qualified], wanted: str, orders: Orders) -> list[Qualified]:
    """Return what qualifies in an order. Raises InvalidQueryParams for one that there is not."""
    read = orders.get(wanted.removeprefix("-"))
    if read is None:
        allowed = ", ".join(f"{name}, -{name}" for name in orders)
        raise InvalidQueryParams(f"Query param order should be one of: {allowed}")
    valued: list[tuple[Any, Qualified]] = []
    for one in found:
        redeemable = one.candidate.redeemables[0]
        if redeemable.voucher is not None:
            valued.append((read(redeemable.voucher, redeemable), one))
    known = [pair for pair in valued if pair[0] is not None]
    known.sort(key=lambda pair: pair[0], reverse=wanted.startswith("-"))
    return [one for _, one in known] + [one for value, one in valued if value is None]


@post(
    "/v1/qualifications",
    status_code=200,
    opt=operation("check-eligibility", answer=QualificationAnswer, body=QualificationInput),
)
async def qualify(request: Request[Any, Any, Any], caller: Caller, decider: SegmentDecider) -> Response[bytes]:
    """List what a customer could redeem with a cart."""
    return answer(await actions.qualify(caller, decider, await read_body(request, QualificationInput)))


async def _examined(
    request: Request[Any, Any, Any], caller: Caller, decider: SegmentDecider, kind: str, orders: Orders
) -> tuple[Examined, list[Qualified]]:
    """Return what qualifies of one kind, in the order and up to the number that the query says."""
    query = request.query_params
    limit = read_number(query, "limit", DEFAULT_LIMIT, MAX_LIMIT)
    older = await read_body(request, OlderQualificationInput, optional=True)
    data = QualificationInput(
        customer=older.customer, order=older.order, tracking_id=older.tracking_id, metadata=older.metadata
    )
    scenario: Scenario = "AUDIENCE_ONLY" if read_flag(query, "audienceRulesOnly") else "ALL"
    async with caller.db.read() as conn:
        found = await actions.examine(conn, caller, decider, data, scenario)
    wanted = [one for one in found.qualified if one.candidate.object == kind]
    return found, _ordered(wanted, query.get("order") or "-created_at", orders)[:limit]


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
        query=_query(_OF_VOUCHERS),
        optional_body=True,
    ),
)
async def qualify_vouchers(request: Request[Any, Any, Any], caller: Caller, decider: SegmentDecider) -> Response[bytes]:
    """List the vouchers that a customer could redeem with a cart."""
    found, part = await _examined(request, caller, decider, "voucher", _OF_VOUCHERS)
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
        query=_query(_OF_CAMPAIGNS),
        optional_body=True,
    ),
)
async def qualify_campaigns(
    request: Request[Any, Any, Any], caller: Caller, decider: SegmentDecider
) -> Response[bytes]:
    """List the campaigns whose codes a customer could redeem with a cart."""
    found, part = await _examined(request, caller, decider, "campaign", _OF_CAMPAIGNS)
    data = []
    async with caller.db.read() as conn:
        for one in part:
            campaign = await campaigns.find(conn, caller.project_id, one.candidate.id)
            if campaign is not None:
                data.append(campaign_view(campaign, campaign.codes_made))
    return answer(_older(found, "qfl", data))


router = Router("/", dependencies=DECIDER, route_handlers=[qualify, qualify_vouchers, qualify_campaigns])
