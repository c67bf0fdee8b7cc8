"""HTTP operations of imports."""

from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from typing import Any, Final

from litestar import Request, Response, Router, get, post
from litestar.response import Stream
from msgspec import structs

from rapport.async_actions.schemas import Accepted
from rapport.campaigns import queries as campaigns
from rapport.core.db import Database
from rapport.core.errors import InvalidPayload, NotFound
from rapport.core.queries import read_now
from rapport.http import links
from rapport.http.bodies import answer
from rapport.http.caller import Caller, server_caller
from rapport.http.lists import envelope, read_page
from rapport.http.openapi import operation
from rapport.imports import actions, queries, reports
from rapport.imports.models import (
    CAMPAIGN_VOUCHERS,
    CUSTOMERS,
    EVENTS,
    ORDERS,
    PRODUCTS,
    SKUS,
    VOUCHERS,
    Import,
    Options,
)
from rapport.imports.options import read_options
from rapport.imports.schemas import ImportView, view
from rapport.imports.upload import Upload, receive
from rapport.projects.queries import find_link_secret, get_link_secret

_LINK_LASTS: Final = timedelta(hours=1)
_TRUTH: Final = {"type": "string", "enum": ["true", "false"]}
_LINK: Final[dict[str, dict[str, Any]]] = {name: {"type": "string"} for name in ("project", "until", "signature")}
# All of them may also be parts of the form.
OPTIONS: Final[dict[str, dict[str, Any]]] = {
    "mode": {"type": "string", "enum": ["replace", "merge"], "default": "replace"},
    "dry_run": {**_TRUTH, "default": "false"},
    "segment_events": {**_TRUTH, "default": "true"},
    "encoding": {"type": "string", "enum": ["auto", "utf-8", "utf-16", "windows-1252"], "default": "auto"},
    "separator": {"type": "string"},
    "quote": {"type": "string"},
}
CODES_OPTIONS: Final[dict[str, dict[str, Any]]] = {
    name: OPTIONS[name] for name in ("dry_run", "encoding", "separator", "quote")
}
PAST_OPTIONS: Final[dict[str, dict[str, Any]]] = {
    **OPTIONS,
    "segment_events": {**_TRUTH, "default": "false"},
    "format": {"type": "string", "enum": ["auto", "csv", "ndjson"], "default": "auto"},
}
# Products are in no segment.
CATALOGUE_OPTIONS: Final = {name: schema for name, schema in OPTIONS.items() if name != "segment_events"}


async def _receive(
    request: Request[Any, Any, Any], caller: Caller, kind: str, campaign_id: str | None = None, *, status: int = 202
) -> Response[bytes]:
    upload = Upload(caller.db, caller, kind, request.app.state.import_max_bytes)

    def read(given: Mapping[str, str]) -> Options:
        return structs.replace(read_options(given, kind), campaign_id=campaign_id)

    action_id = await receive(request, upload, read)
    return answer(Accepted(async_action_id=action_id), status)


@post(
    "/v1/customers/importCSV",
    status_code=202,
    request_max_body_size=None,
    opt=operation("import-customers-using-csv", upload="text/csv", answer=Accepted, query=OPTIONS),
)
async def import_customers(request: Request[Any, Any, Any], caller: Caller) -> Response[bytes]:
    """Create and update customers from a CSV file, the part `file` of a form.

    The options are query parameters or further parts of the form (an addition).
    """
    return await _receive(request, caller, CUSTOMERS)


@post(
    "/v1/orders/importCSV",
    status_code=202,
    request_max_body_size=None,
    opt=operation("import-orders-using-csv", upload="text/csv", answer=Accepted, query=PAST_OPTIONS),
)
async def import_orders(request: Request[Any, Any, Any], caller: Caller) -> Response[bytes]:
    """Bring in orders of the past from a file of CSV or newline-delimited JSON (an addition).

    Nobody is sent a message because of them, but for those who enter segments if `segment_events` is true.
    """
    return await _receive(request, caller, ORDERS)


@post(
    "/v1/events/importCSV",
    status_code=202,
    request_max_body_size=None,
    opt=operation("import-events-using-csv", upload="text/csv", answer=Accepted, query=PAST_OPTIONS),
)
async def import_events(request: Request[Any, Any, Any], caller: Caller) -> Response[bytes]:
    """Bring in events of the past from a file of CSV or newline-delimited JSON (an addition).

    Nobody is sent a message because of them, but for those who enter segments if `segment_events` is true.
    """
    return await _receive(request, caller, EVENTS)


@post(
    "/v1/products/importCSV",
    status_code=200,
    request_max_body_size=None,
    opt=operation("import-products-using-csv", upload="text/csv", answer=Accepted, query=CATALOGUE_OPTIONS),
)
async def import_products(request: Request[Any, Any, Any], caller: Caller) -> Response[bytes]:
    """Create and update products from a CSV file, the part `file` of a form."""
    return await _receive(request, caller, PRODUCTS, status=200)


@post(
    "/v1/skus/importCSV",
    status_code=200,
    request_max_body_size=None,
    opt=operation("import-SKUs-using-csv", upload="text/csv", answer=Accepted, query=CATALOGUE_OPTIONS),
)
async def import_skus(request: Request[Any, Any, Any], caller: Caller) -> Response[bytes]:
    """Create and update SKUs of products from a CSV file, the part `file` of a form."""
    return await _receive(request, caller, SKUS, status=200)


@post(
    "/v1/vouchers/importCSV",
    status_code=202,
    request_max_body_size=None,
    opt=operation("import-vouchers-using-csv", upload="text/csv", answer=Accepted, query=CODES_OPTIONS),
)
async def import_vouchers(request: Request[Any, Any, Any], caller: Caller) -> Response[bytes]:
    """Bring in vouchers without a campaign, with codes that they have already, from a CSV file."""
    return await _receive(request, caller, VOUCHERS)


@post(
    "/v1/campaigns/{campaign_id:str}/importCSV",
    status_code=200,
    request_max_body_size=None,
    opt=operation("import-vouchers-to-campaign-using-csv", upload="text/csv", answer=Accepted, query=CODES_OPTIONS),
)
async def import_campaign_vouchers(
    request: Request[Any, Any, Any], campaign_id: str, caller: Caller
) -> Response[bytes]:
    """Bring vouchers into a campaign, with codes that they have already, from a CSV file."""
    async with caller.db.read() as conn:
        campaign = await campaigns.find(conn, caller.project_id, campaign_id)
    if campaign is None:
        raise NotFound("campaign", campaign_id)
    if campaign.voucher_type is None:
        raise InvalidPayload("A campaign of in-cart promotions has no vouchers")
    return await _receive(request, caller, CAMPAIGN_VOUCHERS, campaign.id, status=200)


@get("/v1/imports", opt=operation("list-imports", spec=queries.IMPORTS, item=ImportView))
async def list_imports(request: Request[Any, Any, Any], caller: Caller) -> Response[bytes]:
    """List imports, newest first (an addition)."""
    page = read_page(queries.IMPORTS, request.query_params)
    async with caller.db.read() as conn:
        found = await queries.list_page(conn, caller.project_id, page)
    return answer(envelope(queries.IMPORTS, found, [view(one) for one in found.items]))


async def _get(db: Database, project_id: int, import_id: str) -> Import:
    async with db.read() as conn:
        one = await queries.find(conn, project_id, import_id)
    if one is None:
        raise NotFound("import", import_id)
    return one


@get("/v1/imports/{import_id:str}", opt=operation("get-import", answer=ImportView))
async def get_import(request: Request[Any, Any, Any], import_id: str, caller: Caller) -> Response[bytes]:
    """Get an import with its counts as of now, and a link to the rows that failed (an addition)."""
    one = await _get(caller.db, caller.project_id, import_id)
    path = f"/v1/imports/{one.id}/failures"
    async with caller.db.read() as conn:
        project, secret = await get_link_secret(conn, caller.project_id)
        until = await read_now(conn, caller.db.clock_offset) + _LINK_LASTS
    return answer(view(one, links.base_url(request) + links.signed(secret, path, project, until)))


async def _project_of(request: Request[Any, Any, Any]) -> int:
    """Return the project that a signed link, or the keys of a request, open. Raises Unauthorized."""
    if "signature" not in request.query_params:
        return (await server_caller(request)).project_id
    db: Database = request.app.state.db
    async with db.read() as conn:
        found = await find_link_secret(conn, request.query_params.get("project", ""))
        now = await read_now(conn, db.clock_offset)
    if found is None:
        raise links.LinkRefused("The link is not complete, or was changed")
    links.check(found[1], request.url.path, request.query_params, now)
    return found[0]


def _csv(content: AsyncIterator[bytes], name: str) -> Stream:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Stream(content, media_type="text/csv", headers=headers)


@get("/v1/imports/{import_id:str}/failures", opt=operation("get-import-failures", query=_LINK, download=("text/csv",)))
async def get_failures(request: Request[Any, Any, Any], import_id: str) -> Stream:
    """Get the rows that failed as CSV: line, column, reason, and the cells of the row (an addition).

    A signed link works without a key.
    """
    db: Database = request.app.state.db
    project_id = await _project_of(request)
    one = await _get(db, project_id, import_id)
    return _csv(reports.failures(db, project_id, one), f"{one.id}-failures.csv")


@get("/v1/imports/{import_id:str}/undo", opt=operation("get-import-undo", download=("text/csv",)))
async def get_outcomes(import_id: str, caller: Caller) -> Stream:
    """Get what undoing an import came to as CSV: id, outcome, reason (an addition)."""
    one = await _get(caller.db, caller.project_id, import_id)
    return _csv(reports.outcomes(caller.db, caller.project_id, one), f"{one.id}-undo.csv")


@post("/v1/imports/{import_id:str}/undo", status_code=202, opt=operation("undo-import", answer=Accepted))
async def undo_import(import_id: str, caller: Caller) -> Response[bytes]:
    """Undo an import that is over; asked again, it is the same action (an addition)."""
    return answer(Accepted(async_action_id=await actions.undo(caller, import_id)), 202)


@post("/v1/imports/{import_id:str}/cancel", status_code=202, opt=operation("cancel-import", answer=ImportView))
async def cancel_import(import_id: str, caller: Caller) -> Response[bytes]:
    """End an import after the step under way; what was applied stays (an addition)."""
    return answer(view(await actions.cancel(caller, import_id)), 202)


router = Router(
    "/",
    route_handlers=[
        import_customers,
        import_orders,
        import_events,
        import_products,
        import_skus,
        import_vouchers,
        import_campaign_vouchers,
        list_imports,
        get_import,
        get_failures,
        get_outcomes,
        undo_import,
        cancel_import,
    ],
)
