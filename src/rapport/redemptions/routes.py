"""HTTP operations of redemptions, rollbacks and validations."""

from typing import Any, Final

from litestar import Request, Response, Router, get, post
from litestar.datastructures import State
from litestar.di import Provide

from rapport.core.db import Connection
from rapport.core.errors import NotFound
from rapport.customers.writes import Writer
from rapport.http.bodies import answer, read_body
from rapport.http.caller import Caller
from rapport.http.lists import envelope, read_page
from rapport.http.openapi import operation
from rapport.redemptions import actions, queries, rollback, validation
from rapport.redemptions.actions import Redeemed
from rapport.redemptions.answers import (
    RedeemedAnswer,
    RedemptionAnswer,
    RolledBackAnswer,
    ValidationAnswer,
    VoucherRedemptionsAnswer,
    VoucherValidationAnswer,
)
from rapport.redemptions.models import Redemption
from rapport.redemptions.rollback import RolledBack
from rapport.redemptions.schemas import RedeemInput, RedeemOneInput, RollbackInput, order_with, view
from rapport.segments.membership import SegmentDecider
from rapport.vouchers import actions as vouchers
from rapport.vouchers.queries import find_many
from rapport.vouchers.schemas import view as voucher_view

_TRACKED: Final = {"tracking_id": {"type": "string"}}
_REASON: Final = {"reason": {"type": "string"}}


def get_decider(state: State, caller: Caller) -> SegmentDecider:
    """Return what decides about membership for validations, which take no lock and write nothing.

    Asks for the caller for the same reason as `app.get_writer`.
    """
    _ = caller
    decider: SegmentDecider = state.setdefault("validation_decider", SegmentDecider())
    return decider


async def _shown(conn: Connection, project_id: int, rows: list[Redemption]) -> list[dict[str, Any]]:
    """Return lines of the ledger as the API shows them, with what exists of their customers, orders and vouchers."""
    customers = await queries.find_customers(conn, project_id, [row.customer_id for row in rows if row.customer_id])
    orders = await queries.find_orders(conn, project_id, [row.order_id for row in rows if row.order_id])
    known = await find_many(conn, project_id, [row.voucher_id for row in rows if row.voucher_id])
    return [
        view(
            row,
            customers.get(row.customer_id or ""),
            orders.get(row.order_id or ""),
            known.get(row.voucher_id or ""),
        )
        for row in rows
    ]


def _redeemed(done: Redeemed) -> list[dict[str, Any]]:
    return [
        view(row, done.customer, done.order, voucher) for row, voucher in zip(done.rows, done.vouchers, strict=True)
    ]


@post(
    "/v1/redemptions",
    status_code=200,
    opt=operation("redeem-stacked-discounts", answer=RedeemedAnswer, body=RedeemInput),
)
async def redeem(request: Request[Any, Any, Any], caller: Caller, writer: Writer) -> Response[bytes]:
    """Redeem up to five vouchers against an order, all of them or none."""
    done = await actions.redeem(writer, caller, await read_body(request, RedeemInput))
    shown: dict[str, Any] = {"redemptions": _redeemed(done)}
    if done.parent is not None:
        shown["parent_redemption"] = view(done.parent, done.customer, done.order, None)
    if done.order is not None:
        shown["order"] = order_with(done.order, done.parent or done.rows[-1])
    return answer(shown | {"inapplicable_redeemables": [], "skipped_redeemables": []})


@post(
    "/v1/vouchers/{code:str}/redemption",
    status_code=200,
    opt=operation("redeem-voucher", answer=RedemptionAnswer, query=_TRACKED, body=RedeemOneInput, optional_body=True),
)
async def redeem_voucher(request: Request[Any, Any, Any], code: str, caller: Caller, writer: Writer) -> Response[bytes]:
    """Redeem one voucher."""
    data = await read_body(request, RedeemOneInput) if await request.body() else RedeemOneInput()
    data.tracking_id = data.tracking_id or request.query_params.get("tracking_id")
    return answer(_redeemed(await actions.redeem(writer, caller, data.of(code)))[0])


@get("/v1/redemptions", opt=operation("list-redemptions", item=RedemptionAnswer, spec=queries.REDEMPTIONS))
async def list_redemptions(request: Request[Any, Any, Any], caller: Caller) -> Response[bytes]:
    """List redemptions and rollbacks, succeeded and failed, newest first."""
    page = read_page(queries.REDEMPTIONS, request.query_params)
    async with caller.db.read() as conn:
        found = await queries.list_page(conn, caller.project_id, page)
        shown = await _shown(conn, caller.project_id, found.items)
    return answer(envelope(queries.REDEMPTIONS, found, shown))


@get("/v1/redemptions/{redemption_id:str}", opt=operation("get-redemption", answer=RedemptionAnswer))
async def get_redemption(redemption_id: str, caller: Caller) -> Response[bytes]:
    """Get a redemption or a rollback."""
    async with caller.db.read() as conn:
        row = await queries.find(conn, caller.project_id, redemption_id)
        if row is None:
            raise NotFound("redemption", redemption_id)
        shown = (await _shown(conn, caller.project_id, [row]))[0]
        if row.voucher_id is None:
            children = await queries.children(conn, caller.project_id, row.id)
            kind = "redemptions" if row.object == "redemption" else "rollbacks"
            shown.setdefault("related_redemptions", {})[kind] = [{"id": child.id} for child in children]
    return answer(shown)


@get(
    "/v1/vouchers/{code:str}/redemption",
    opt=operation("get-voucher-redemptions", answer=VoucherRedemptionsAnswer, spec=queries.ENTRIES),
)
async def list_voucher_redemptions(request: Request[Any, Any, Any], code: str, caller: Caller) -> Response[bytes]:
    """List what happened with one voucher, newest first, with its counter."""
    page = read_page(queries.ENTRIES, request.query_params)
    async with caller.db.read() as conn:
        voucher = await vouchers.get(conn, caller.project_id, code)
        found = await queries.list_of_voucher(conn, caller.project_id, voucher.id, page)
        shown = envelope(queries.ENTRIES, found, await _shown(conn, caller.project_id, found.items))
    return answer(shown | voucher_view(voucher)["redemption"])


async def _rollback_input(request: Request[Any, Any, Any]) -> RollbackInput:
    data = await read_body(request, RollbackInput) if await request.body() else RollbackInput()
    data.reason = data.reason or (request.query_params.get("reason") or "")[:1_000] or None
    data.tracking_id = data.tracking_id or request.query_params.get("tracking_id")
    return data


def _undone(done: RolledBack) -> list[dict[str, Any]]:
    return [view(row, done.customer, done.order, done.vouchers.get(row.voucher_id or "")) for row in done.rows]


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
    return answer(_undone(await rollback.roll_back(writer, caller, redemption_id, data, stacked=False))[0])


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
    shown: dict[str, Any] = {"rollbacks": _undone(done)}
    if done.parent is not None:
        shown["parent_rollback"] = view(done.parent, done.customer, done.order, None)
    if done.order is not None:
        shown["order"] = order_with(done.order, done.parent or done.rows[0])
    return answer(shown)


@post(
    "/v1/validations",
    status_code=200,
    opt=operation("validate-stacked-discounts", answer=ValidationAnswer, body=RedeemInput),
)
async def validate(request: Request[Any, Any, Any], caller: Caller, decider: SegmentDecider) -> Response[bytes]:
    """Tell whether up to five vouchers could be redeemed together, and what they would take off."""
    data = await read_body(request, RedeemInput)
    return answer(validation.view(await validation.validate(caller, decider, data)))


@post(
    "/v1/vouchers/{code:str}/validate",
    status_code=200,
    opt=operation("validate-voucher", answer=VoucherValidationAnswer, body=RedeemOneInput, optional_body=True),
)
async def validate_voucher(
    request: Request[Any, Any, Any], code: str, caller: Caller, decider: SegmentDecider
) -> Response[bytes]:
    """Tell whether one voucher could be redeemed, and what it would take off."""
    data = await read_body(request, RedeemOneInput) if await request.body() else RedeemOneInput()
    return answer(validation.single_view(await validation.validate(caller, decider, data.of(code))))


router = Router(
    "/",
    dependencies={"decider": Provide(get_decider, sync_to_thread=False)},
    route_handlers=[
        redeem,
        redeem_voucher,
        list_redemptions,
        get_redemption,
        list_voucher_redemptions,
        rollback_redemption,
        rollback_stack,
        validate,
        validate_voucher,
    ],
)
