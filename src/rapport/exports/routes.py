"""HTTP operations of exports."""

from datetime import datetime
from typing import Any

from litestar import Request, Response, Router, delete, get, post
from litestar.response import Stream

from rapport.core.errors import InvalidPayload, NotFound
from rapport.core.queries import read_now
from rapport.exports import actions, queries, tokens
from rapport.exports.models import Export
from rapport.exports.parameters import Parameters
from rapport.exports.schemas import (
    ExportInput,
    ExportView,
    OrderExportInput,
    TransactionsExportInput,
    TransactionsParameters,
    is_available,
    view,
)
from rapport.http.bodies import answer, no_content, read_body
from rapport.http.caller import Caller, server_caller
from rapport.http.links import base_url
from rapport.http.lists import envelope, read_page
from rapport.http.openapi import operation
from rapport.projects.queries import get_link_secret
from rapport.vouchers import actions as vouchers
from rapport.vouchers.ledger.actions import campaign_of_cards

_ONE = "/v1/exports/{export_id:str}"
# What the official SDK takes for a text.
_FILE = "text/plain"


def _view(request: Request[Any, Any, Any], export: Export, now: datetime, sign: tuple[str, bytes]) -> ExportView:
    """Return an export with the URL of its file."""
    url = None
    if export.expires_at is not None and is_available(export, now):
        token = tokens.token_for(sign[1], export.id, sign[0], export.expires_at)
        url = f"{base_url(request)}{tokens.path_of(export.id)}?token={token}"
    return view(export, now, url)


@post("/v1/exports", status_code=200, opt=operation("create-export", body=ExportInput, answer=ExportView))
async def create_export(request: Request[Any, Any, Any], caller: Caller) -> Response[bytes]:
    """Create an export: a CSV file of customers, orders, vouchers and the like, written by the worker."""
    data = await read_body(request, ExportInput)
    export = await actions.create(caller, data.exported_object, data.parameters)
    return answer(view(export, export.created_at, None))


@post(
    "/v1/orders/export", status_code=200, opt=operation("create-order-export", body=OrderExportInput, answer=ExportView)
)
async def create_order_export(request: Request[Any, Any, Any], caller: Caller) -> Response[bytes]:
    """Create an export of orders."""
    data = await read_body(request, OrderExportInput)
    export = await actions.create(caller, "order", data.parameters)
    return answer(view(export, export.created_at, None))


async def _export_transactions(
    request: Request[Any, Any, Any], caller: Caller, narrowed: dict[str, Any], campaign_id: str | None = None
) -> Response[bytes]:
    """Create an export of transactions narrowed by conditions, which the shop's own may only narrow further."""
    data = await read_body(request, TransactionsExportInput, optional=True)
    given = data.parameters or TransactionsParameters()
    filters = given.filters or {}
    # Of a campaign, what narrows is the scope: among conditions of which any may hold, another would widen.
    if campaign_id is None:
        if filters:
            raise InvalidPayload("Property .parameters.filters is for the transactions of a campaign")
        filters = narrowed
    elif str(filters.get("junction", "and")).lower() == "and":
        filters = {**narrowed, **filters}
    order = given.order or data.order
    parameters = Parameters(order=order, fields=given.fields, filters=filters, campaign_id=campaign_id)
    export = await actions.create(caller, "voucher_transactions", parameters)
    shown = view(export, export.created_at, None)
    # In this answer, though not in that of get-export, the official SDK parses only an id of one character.
    told = {name: {"conditions": {"$in": ["*"]}} for name in narrowed}
    if campaign_id is not None:  # nor, in that of a campaign, the field that all rows have alike
        shown.parameters["fields"] = [name for name in shown.parameters["fields"] if name != "campaign_id"]
    shown.parameters = shown.parameters | {"filters": {**shown.parameters.get("filters", {}), **told}}
    return answer(shown)


@post(
    "/v1/vouchers/{code:str}/transactions/export",
    status_code=200,
    opt=operation("export-voucher-transactions", body=TransactionsExportInput, optional_body=True, answer=ExportView),
)
async def export_voucher_transactions(request: Request[Any, Any, Any], code: str, caller: Caller) -> Response[bytes]:
    """Create an export of what happened to the balance of a gift card."""
    async with caller.db.read() as conn:
        voucher = await vouchers.get(conn, caller.project_id, code)
    return await _export_transactions(request, caller, {"voucher_id": {"conditions": {"$in": [voucher.id]}}})


@post(
    "/v1/campaigns/{campaign_id:str}/transactions/export",
    status_code=200,
    opt=operation("export-campaign-transactions", body=TransactionsExportInput, optional_body=True, answer=ExportView),
)
async def export_campaign_transactions(
    request: Request[Any, Any, Any], campaign_id: str, caller: Caller
) -> Response[bytes]:
    """Create an export of what happened to the balances of a campaign's gift cards."""
    async with caller.db.read() as conn:
        campaign = await campaign_of_cards(conn, caller.project_id, campaign_id)
    narrowed = {"campaign_id": {"conditions": {"$in": [campaign.id]}}}
    return await _export_transactions(request, caller, narrowed, campaign.id)


@get("/v1/exports", opt=operation("list-exports", spec=queries.EXPORTS, item=ExportView))
async def list_exports(request: Request[Any, Any, Any], caller: Caller) -> Response[bytes]:
    """List exports, newest first; those of objects that the reference lacks only by `exported_object` (an addition)."""
    page = read_page(queries.EXPORTS, request.query_params)
    async with caller.db.snapshot() as conn:
        now = await read_now(conn, caller.db.clock_offset)
        sign = await get_link_secret(conn, caller.project_id)
        found = await queries.list_page(conn, caller.project_id, page)
    return answer(envelope(queries.EXPORTS, found, [_view(request, one, now, sign) for one in found.items]))


@get(
    _ONE,
    opt=operation("get-export", answer=ExportView, query={"token": {"type": "string"}}, download=(_FILE,)),
)
async def get_export(request: Request[Any, Any, Any], export_id: str) -> Response[Any]:
    """Get an export and the URL of its file; with the `token` of that URL, and without a key, the file itself."""
    token = request.query_params.get("token")
    if token is not None:
        return await _download(request, export_id, token)
    caller = await server_caller(request)
    async with caller.db.snapshot() as conn:
        now = await read_now(conn, caller.db.clock_offset)
        sign = await get_link_secret(conn, caller.project_id)
        export = await queries.find(conn, caller.project_id, export_id)
    if export is None:
        raise NotFound("export", export_id)
    return answer(_view(request, export, now, sign))


async def _download(request: Request[Any, Any, Any], export_id: str, token: str) -> Response[Any]:
    db = request.app.state.db
    project_id, export = await actions.find_file(db, export_id, token)
    headers = {
        "Content-Disposition": f'attachment; filename="{export.exported_object}-{export.id}.csv"',
        "Content-Length": str(export.byte_count),
        "Cache-Control": "private, no-store",
        "X-Content-Type-Options": "nosniff",
    }
    return Stream(actions.read_file(db, project_id, export), headers=headers, media_type=_FILE)


@delete(_ONE, status_code=204, opt=operation("delete-export"))
async def delete_export(export_id: str, caller: Caller) -> Response[None]:
    """Delete an export and its file; one that is being written is given up."""
    await actions.delete(caller, export_id)
    return no_content()


router = Router(
    "/",
    route_handlers=[
        create_export,
        create_order_export,
        export_voucher_transactions,
        export_campaign_transactions,
        list_exports,
        get_export,
        delete_export,
    ],
)
