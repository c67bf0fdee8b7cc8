"""HTTP operations of orders."""

from typing import Any

from litestar import Request, Response, Router, get, post, put

from rapport.core.errors import NotFound
from rapport.customers.writes import Writer
from rapport.http.bodies import answer, read_body
from rapport.http.caller import Caller
from rapport.http.lists import envelope, read_page
from rapport.http.openapi import operation
from rapport.orders import actions, queries
from rapport.orders.answers import OrderAnswer
from rapport.orders.schemas import OrderInput, view


@post("/v1/orders", status_code=200, opt=operation("create-order", answer=OrderAnswer, body=OrderInput))
async def create_order(request: Request[Any, Any, Any], caller: Caller, writer: Writer) -> Response[bytes]:
    """Create an order, or update the one with the same id or source id; its customer is upserted."""
    return answer(view(await actions.save(writer, caller, await read_body(request, OrderInput))))


@get("/v1/orders", opt=operation("list-orders", item=OrderAnswer, spec=queries.ORDERS))
async def list_orders(request: Request[Any, Any, Any], caller: Caller) -> Response[bytes]:
    """List orders, newest first; `customer` (an addition: an id or source id) narrows to those of one."""
    async with caller.db.read() as conn:
        found = await queries.list_page(conn, caller.project_id, read_page(queries.ORDERS, request.query_params))
    return answer(envelope(queries.ORDERS, found, [view(order) for order in found.items]))


@get("/v1/orders/{order_id:str}", opt=operation("get-order", answer=OrderAnswer))
async def get_order(order_id: str, caller: Caller) -> Response[bytes]:
    """Get an order by id or source id."""
    async with caller.db.read() as conn:
        order = await queries.find(conn, caller.project_id, order_id)
    if order is None:
        raise NotFound("order", order_id)
    return answer(view(order))


@put("/v1/orders/{order_id:str}", opt=operation("update-order", answer=OrderAnswer, body=OrderInput))
async def update_order(
    request: Request[Any, Any, Any], order_id: str, caller: Caller, writer: Writer
) -> Response[bytes]:
    """Update an order by id or source id; what the body leaves out stays."""
    return answer(view(await actions.save(writer, caller, await read_body(request, OrderInput), order_id)))


router = Router("/", route_handlers=[create_order, list_orders, get_order, update_order])
