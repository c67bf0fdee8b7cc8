"""HTTP operations of redemptions and rollbacks."""

from typing import Any, Final

from litestar import Request, Response, Router, get, post

from rapport.core.errors import InvalidQueryParams, NotFound
from rapport.core.jsons import check_limits
from rapport.customers.writes import Writer
from rapport.http import conditions
from rapport.http.bodies import answer, read_body
from rapport.http.caller import Caller
from rapport.http.links import base_url
from rapport.http.lists import envelope, read_page
from rapport.http.openapi import operation
from rapport.redemptions import actions, client_routes, queries, rollback, showing, validation_routes
from rapport.redemptions.answers import (
    RedeemedAnswer,
    RedemptionAnswer,
    RolledBackAnswer,
    VoucherRedemptionsAnswer,
)
from rapport.redemptions.qualification import routes as qualification_routes
from rapport.redemptions.rollback import RolledBack
from rapport.redemptions.schemas import RedeemInput, RedeemOneInput, RollbackInput, tracked
from rapport.redemptions.stacking_rules import routes as stacking_rules
from rapport.redemptions.views import order_with, related_view, view
from rapport.vouchers import actions as vouchers
from rapport.vouchers.schemas import view as voucher_view

_TRACKED: Final = {"tracking_id": {"type": "string"}}
_CHOOSING: Final = {
    "result": {"type": "array", "items": {"type": "string", "enum": [*queries.RESULTS]}},
    "filters": conditions.schema(queries.FILTERS),
}
_REASON: Final = {"reason": {"type": "string"}}


async def _one(request: Request[Any, Any, Any]) -> RedeemOneInput:
    data = await read_body(request, RedeemOneInput, optional=True)
    return tracked(data, request.query_params)


@post(
    "/v1/redemptions",
    status_code=200,
    opt=operation("redeem-stacked-discounts", answer=RedeemedAnswer, body=RedeemInput),
)
async def redeem(request: Request[Any, Any, Any], caller: Caller, writer: Writer) -> Response[bytes]:
    """Redeem vouchers, gift cards, tiers or a stack of them against an order, together."""
    data = await read_body(request, RedeemInput)
    done = await actions.redeem(writer, caller, data)
    return answer(showing.redeemed_answer(done, data, caller.request_id, base_url(request)))


@post(
    "/v1/vouchers/{code:str}/redemption",
    status_code=200,
    opt=operation("redeem-voucher", answer=RedemptionAnswer, query=_TRACKED, body=RedeemOneInput, optional_body=True),
)
async def redeem_voucher(request: Request[Any, Any, Any], code: str, caller: Caller, writer: Writer) -> Response[bytes]:
    """Redeem one voucher."""
    data = (await _one(request)).of(code)
    done = await actions.redeem(writer, caller, data)
    return answer(showing.redeemed_views(done, base_url(request))[0])


@post(
    "/v1/promotions/tiers/{tier_id:str}/redemption",
    status_code=200,
    opt=operation("redeem-promotion", answer=RedemptionAnswer, body=RedeemOneInput, optional_body=True),
)
async def redeem_tier(request: Request[Any, Any, Any], tier_id: str, caller: Caller, writer: Writer) -> Response[bytes]:
    """Redeem one tier of an in-cart promotion."""
    data = (await _one(request)).of(tier_id, "promotion_tier")
    done = await actions.redeem(writer, caller, data)
    return answer(showing.redeemed_views(done, base_url(request))[0])


@get(
    "/v1/redemptions",
    opt=operation("list-redemptions", item=RedemptionAnswer, spec=queries.REDEMPTIONS, query=_CHOOSING),
)
async def list_redemptions(request: Request[Any, Any, Any], caller: Caller) -> Response[bytes]:
    """List redemptions and rollbacks, succeeded and failed, newest first."""
    given = list(request.query_params.multi_items())
    page = read_page(queries.REDEMPTIONS, {name: value for name, value in given if not conditions.is_filter(name)})
    filters = conditions.read_conditions(given, queries.FILTERS)
    results = [value for name, value in given if name == "result" and value]
    if not set(results) <= set(queries.RESULTS):
        raise InvalidQueryParams(f"Query param result should be one of: {', '.join(queries.RESULTS)}")
    async with caller.db.read() as conn:
        found = await queries.list_page(conn, caller.project_id, page, results, filters)
        shown = await showing.shown(conn, caller.project_id, found.items, base_url(request))
    return answer(envelope(queries.REDEMPTIONS, found, shown))


@get("/v1/redemptions/{redemption_id:str}", opt=operation("get-redemption", answer=RedemptionAnswer))
async def get_redemption(request: Request[Any, Any, Any], redemption_id: str, caller: Caller) -> Response[bytes]:
    """Get a redemption or a rollback."""
    async with caller.db.read() as conn:
        row = await queries.find(conn, caller.project_id, redemption_id)
        if row is None:
            raise NotFound("redemption", redemption_id)
        shown = (await showing.shown(conn, caller.project_id, [row], base_url(request)))[0]
        if row.is_parent:
            children = await queries.children(conn, caller.project_id, row.id)
            kind = "redemptions" if row.object == "redemption" else "rollbacks"
            shown.setdefault("related_redemptions", {})[kind] = [
                related_view(child.id, child.created_at) for child in children
            ]
    return answer(shown)


async def _of_voucher(request: Request[Any, Any, Any], code: str, caller: Caller) -> Response[bytes]:
    page = read_page(queries.ENTRIES, request.query_params)
    async with caller.db.read() as conn:
        voucher = await vouchers.get(conn, caller.project_id, code)
        found = await queries.list_of_voucher(conn, caller.project_id, voucher.id, page)
        shown = await showing.shown(conn, caller.project_id, found.items, base_url(request))
    return answer(envelope(queries.ENTRIES, found, shown) | voucher_view(voucher)["redemption"])


@get(
    "/v1/vouchers/{code:str}/redemption",
    opt=operation("get-voucher-redemptions", answer=VoucherRedemptionsAnswer, spec=queries.ENTRIES),
)
async def get_voucher_redemptions(request: Request[Any, Any, Any], code: str, caller: Caller) -> Response[bytes]:
    """List what happened with one voucher, newest first, with its counter."""
    return await _of_voucher(request, code, caller)


@get(
    "/v1/vouchers/{code:str}/redemptions",
    opt=operation("list-voucher-redemptions", answer=VoucherRedemptionsAnswer, spec=queries.ENTRIES),
)
async def list_voucher_redemptions(request: Request[Any, Any, Any], code: str, caller: Caller) -> Response[bytes]:
    """List what happened with one voucher, under the address that `redemption.url` of a voucher has."""
    return await _of_voucher(request, code, caller)


async def _rollback_input(request: Request[Any, Any, Any]) -> RollbackInput:
    data = await read_body(request, RollbackInput, optional=True)
    data.reason = data.reason or (request.query_params.get("reason") or "")[:1_000] or None
    check_limits(data.reason, ".reason")
    return tracked(data, request.query_params)


def _undone(done: RolledBack, request: Request[Any, Any, Any]) -> list[dict[str, Any]]:
    links = base_url(request)
    return [view(row, done.customer, done.order, done.related[row.related_object_id], links) for row in done.rows]


@post(
    "/v1/redemptions/{redemption_id:str}/rollback",
    status_code=200,
    opt=operation(
        "rollback-redemption", answer=RedemptionAnswer, query=_TRACKED | _REASON, body=RollbackInput, optional_body=True
    ),
)
async def rollback_redemption(
    request: Request[Any, Any, Any], redemption_id: str, caller: Caller, writer: Writer
) -> Response[bytes]:
    """Undo the redemption of one voucher, at most once."""
    data = await _rollback_input(request)
    done = await rollback.roll_back(writer, caller, redemption_id, data, stacked=False)
    return answer(_undone(done, request)[0])


@post(
    "/v1/redemptions/{redemption_id:str}/rollbacks",
    status_code=200,
    opt=operation(
        "rollback-stacked-redemptions",
        answer=RolledBackAnswer,
        query=_TRACKED | _REASON,
        body=RollbackInput,
        optional_body=True,
    ),
)
async def rollback_stack(
    request: Request[Any, Any, Any], redemption_id: str, caller: Caller, writer: Writer
) -> Response[bytes]:
    """Undo all redemptions of a stack, at most once."""
    data = await _rollback_input(request)
    done = await rollback.roll_back(writer, caller, redemption_id, data, stacked=True)
    shown: dict[str, Any] = {"rollbacks": _undone(done, request)}
    if done.parent is not None:
        shown["parent_rollback"] = view(done.parent, done.customer, done.order)
    if done.order is not None:
        shown["order"] = order_with(done.order, done.parent or done.rows[0])
    return answer(shown)


router = Router(
    "/",
    route_handlers=[
        redeem,
        redeem_voucher,
        redeem_tier,
        list_redemptions,
        get_redemption,
        get_voucher_redemptions,
        list_voucher_redemptions,
        rollback_redemption,
        rollback_stack,
        validation_routes.router,
        qualification_routes.router,
        client_routes.router,
        *stacking_rules.handlers,
    ],
)
