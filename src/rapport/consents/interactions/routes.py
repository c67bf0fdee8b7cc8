"""HTTP operations of interactions: an addition to the reference API."""

from typing import Any

from litestar import Request, Response, Router, get, post

from rapport.consents.interactions import actions, queries
from rapport.consents.interactions.schemas import InteractionInput, InteractionView, view
from rapport.consents.settling import settled
from rapport.customers import queries as customers
from rapport.customers.writes import Writer
from rapport.http.bodies import answer, read_body
from rapport.http.caller import Caller
from rapport.http.lists import envelope, read_page
from rapport.http.openapi import operation

_PATH = "/v1/customers/{customer_id:str}/interactions"


@post(
    _PATH,
    status_code=200,
    opt=operation("record-customer-interaction", body=InteractionInput, answer=InteractionView),
)
async def record_interaction(
    request: Request[Any, Any, Any], customer_id: str, caller: Caller, writer: Writer
) -> Response[bytes]:
    """Record what became of a message to a customer; a hard bounce or a complaint unsubscribes from its channel."""
    done = await actions.record(writer, caller, customer_id, await read_body(request, InteractionInput))
    if done.said.restricted:
        await settled(caller.db, caller.project_id, [done.row.customer_id], request.app.state.in_flight)
    return answer(view(done.row))


@get(_PATH, opt=operation("list-customer-interactions", spec=queries.INTERACTIONS, item=InteractionView))
async def list_interactions(request: Request[Any, Any, Any], customer_id: str, caller: Caller) -> Response[bytes]:
    """List what became of messages to a customer, newest first."""
    page = read_page(queries.INTERACTIONS, request.query_params)
    async with caller.db.read() as conn:
        customer = await customers.get(conn, caller.project_id, customer_id)
        found = await queries.list_page(conn, caller.project_id, customer.id, page)
    return answer(envelope(queries.INTERACTIONS, found, [view(one) for one in found.items]))


router = Router("/", route_handlers=[record_interaction, list_interactions])
