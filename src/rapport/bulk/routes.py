"""HTTP operations of bulk updates and imports, and what came of them."""

from typing import Annotated, Any

from litestar import Request, Response, Router, get, post
from msgspec import Meta

from rapport.async_actions import queries as async_actions
from rapport.async_actions.schemas import Accepted
from rapport.bulk import queries, reports
from rapport.bulk.actions import accept, check_metadata, look_at_customer, look_at_event
from rapport.bulk.kinds import (
    BULK_UPDATE,
    EVENTS_IMPORT,
    METADATA_UPDATE,
    ORDERS_IMPORT,
    PRODUCTS_METADATA,
    PRODUCTS_UPDATE,
)
from rapport.bulk.reading import Things, read_names, read_raw, read_things
from rapport.bulk.schemas import (
    MAX_BODY_BYTES,
    MAX_CUSTOMERS,
    MAX_EVENTS,
    MAX_ORDERS,
    MAX_PRODUCTS,
    ItemView,
    MetadataUpdate,
    MetadataUpdateRead,
    PastEvent,
    ProductsMetadataUpdate,
    view,
)
from rapport.core.db import Database
from rapport.core.errors import InvalidQueryParams, NotFound
from rapport.core.queries import read_now
from rapport.customers.schemas import CustomerInput
from rapport.http import links
from rapport.http.bodies import answer, parse
from rapport.http.caller import Caller
from rapport.http.lists import envelope, read_page
from rapport.http.openapi import operation
from rapport.orders.schemas import OrderInput
from rapport.products.actions import look_at as look_at_product
from rapport.products.schemas import ProductInput, merged
from rapport.projects.queries import find_link_secret

CUSTOMERS = Things("customers", MAX_CUSTOMERS, CustomerInput, look_at_customer, named=True)
ORDERS = Things("orders", MAX_ORDERS, OrderInput, lambda data: data, named=False)
EVENTS = Things("events", MAX_EVENTS, PastEvent, look_at_event, named=False)
PRODUCTS = Things("products", MAX_PRODUCTS, ProductInput, look_at_product, named=True)
ManyProducts = Annotated[list[ProductInput], Meta(min_length=1, max_length=MAX_PRODUCTS)]
ManyCustomers = Annotated[list[CustomerInput], Meta(min_length=1, max_length=MAX_CUSTOMERS)]
ManyOrders = Annotated[list[OrderInput], Meta(min_length=1, max_length=MAX_ORDERS)]
ManyEvents = Annotated[list[PastEvent], Meta(min_length=1, max_length=MAX_EVENTS)]
_LINK = {name: {"type": "string"} for name in ("project", "until", "signature")}
_SEGMENT_EVENTS = {"segment_events": {"type": "boolean", "default": False}}


def _past(request: Request[Any, Any, Any]) -> dict[str, Any]:
    """Return how history is to be taken in: whether entering a segment by it sends messages."""
    asked = request.query_params.get("segment_events") or "false"
    if asked not in {"true", "false"}:
        raise InvalidQueryParams("Query param segment_events should be true or false")
    return {"segment_events": asked == "true"}


@post(
    "/v1/customers/bulk/async",
    status_code=202,
    request_max_body_size=MAX_BODY_BYTES,
    opt=operation("update-customers-in-bulk", body=ManyCustomers, answer=Accepted),
)
async def update_customers(request: Request[Any, Any, Any], caller: Caller) -> Response[bytes]:
    """Create or update up to 100 customers by source id, each by itself, soon."""
    asked = await read_things(request, CUSTOMERS)
    return answer(await accept(caller, BULK_UPDATE, asked, {}), 202)


@post(
    "/v1/customers/metadata/async",
    status_code=202,
    request_max_body_size=MAX_BODY_BYTES,
    opt=operation("update-customers-metadata-in-bulk", body=MetadataUpdate, answer=Accepted),
)
async def update_metadata(request: Request[Any, Any, Any], caller: Caller) -> Response[bytes]:
    """Set the same metadata on up to 100 customers, soon; unknown source ids become customers."""
    data = parse(await read_raw(request), MetadataUpdateRead)
    check_metadata(data.metadata)
    asked = read_names(data.source_ids, CUSTOMERS)
    return answer(await accept(caller, METADATA_UPDATE, asked, {"metadata": data.metadata}), 202)


@post(
    "/v1/products/bulk/async",
    status_code=202,
    request_max_body_size=MAX_BODY_BYTES,
    opt=operation("update-products-in-bulk", body=ManyProducts, answer=Accepted),
)
async def update_products(request: Request[Any, Any, Any], caller: Caller) -> Response[bytes]:
    """Create or update up to 2,000 products by source id, each by itself, soon."""
    asked = await read_things(request, PRODUCTS)
    return answer(await accept(caller, PRODUCTS_UPDATE, asked, {}), 202)


@post(
    "/v1/products/metadata/async",
    status_code=202,
    request_max_body_size=MAX_BODY_BYTES,
    opt=operation("update-products-metadata-in-bulk", body=ProductsMetadataUpdate, answer=Accepted),
)
async def update_products_metadata(request: Request[Any, Any, Any], caller: Caller) -> Response[bytes]:
    """Set the same metadata on up to 2,000 products, soon; unknown source ids become products."""
    data = parse(await read_raw(request), MetadataUpdateRead)
    merged({}, data.metadata)
    asked = read_names(data.source_ids, PRODUCTS)
    return answer(await accept(caller, PRODUCTS_METADATA, asked, {"metadata": data.metadata}), 202)


@post(
    "/v1/orders/import",
    status_code=200,
    request_max_body_size=MAX_BODY_BYTES,
    opt=operation("import-orders", body=ManyOrders, lines=True, answer=Accepted, query=_SEGMENT_EVENTS),
)
async def import_orders(request: Request[Any, Any, Any], caller: Caller) -> Response[bytes]:
    """Bring in up to 2,000 orders of the past, soon; an array, or a line each (application/x-ndjson).

    Nobody is sent a message because of them, but for those who enter segments if `segment_events` is true.
    """
    parameters = _past(request)
    return answer(await accept(caller, ORDERS_IMPORT, await read_things(request, ORDERS), parameters))


@post(
    "/v1/events/import",
    status_code=202,
    request_max_body_size=MAX_BODY_BYTES,
    opt=operation("import-events", body=ManyEvents, lines=True, answer=Accepted, query=_SEGMENT_EVENTS),
)
async def import_events(request: Request[Any, Any, Any], caller: Caller) -> Response[bytes]:
    """Bring in up to 10,000 events of the past, soon; an array, or a line each (application/x-ndjson).

    Nobody is sent a message because of them, but for those who enter segments if `segment_events` is true.
    """
    parameters = _past(request)
    return answer(await accept(caller, EVENTS_IMPORT, await read_things(request, EVENTS), parameters), 202)


@get(
    "/v1/async-actions/{action_id:str}/items",
    opt=operation("list-async-action-items", spec=queries.ITEMS, item=ItemView),
)
async def list_items(request: Request[Any, Any, Any], action_id: str, caller: Caller) -> Response[bytes]:
    """List what a bulk request asked for and what came of each, in its order; for seven days after it is over."""
    page = read_page(queries.ITEMS, request.query_params)
    async with caller.db.read() as conn:
        if await async_actions.find(conn, caller.project_id, action_id) is None:
            raise NotFound("async_action", action_id)
        found = await queries.list_page(conn, caller.project_id, action_id, page)
    return answer(envelope(queries.ITEMS, found, [view(one) for one in found.items]))


@get(
    "/v1/async-actions/{action_id:str}/report",
    opt=operation("get-async-action-report", query=_LINK, download=("text/csv",), secured=False),
)
async def get_report(request: Request[Any, Any, Any], action_id: str) -> Response[str]:
    """Download the report on a bulk request by the link that its result shows."""
    db: Database = request.app.state.db
    async with db.read() as conn:
        project = await find_link_secret(conn, request.query_params.get("project", ""))
        if project is None:
            raise links.LinkRefused
        project_id, secret = project
        links.check(secret, reports.path_of(action_id), request.query_params, await read_now(conn, db.clock_offset))
        items = await queries.all_items(conn, project_id, action_id)
    if not items:
        raise NotFound("report", action_id)
    headers = {"Content-Disposition": f'attachment; filename="{action_id}.csv"'}
    return Response(reports.write(items), media_type="text/csv", headers=headers)


router = Router(
    "/",
    route_handlers=[
        update_customers,
        update_metadata,
        update_products,
        update_products_metadata,
        import_orders,
        import_events,
        list_items,
        get_report,
    ],
)
