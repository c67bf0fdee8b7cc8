"""HTTP operations of custom events."""

from typing import Any

from litestar import Request, Response, Router, get, post
from litestar.di import Provide

from rapport.customers import queries as customers
from rapport.customers.writes import Writer
from rapport.events import actions, queries
from rapport.events.schemas import (
    ClientEventInput,
    ClientEventView,
    CustomerEvents,
    EventAnswer,
    EventInput,
    events_view,
)
from rapport.http.bodies import answer, read_body
from rapport.http.caller import Caller, client_caller
from rapport.http.lists import read_page
from rapport.http.openapi import operation


@post("/v1/events", status_code=200, opt=operation("track-custom-event", body=EventInput, answer=EventAnswer))
async def track_event(request: Request[Any, Any, Any], caller: Caller, writer: Writer) -> Response[bytes]:
    """Track a custom event of a customer; an unknown customer is created."""
    return answer(await actions.track(writer, caller, await read_body(request, EventInput)))


@get(
    "/v1/customers/{customer_id:str}/events",
    opt=operation("list-customer-events", spec=queries.EVENTS, answer=CustomerEvents),
)
async def list_customer_events(request: Request[Any, Any, Any], customer_id: str, caller: Caller) -> Response[bytes]:
    """List a customer's custom events, newest first; `starting_after_id` goes on from one (an addition)."""
    page = read_page(queries.EVENTS, request.query_params)
    async with caller.db.read() as conn:
        customer = await customers.get(conn, caller.project_id, customer_id)
        return answer(events_view(await queries.list_of_customer(conn, caller.project_id, customer.id, page)))


@post(
    "/client/v1/events",
    status_code=200,
    dependencies={"caller": Provide(client_caller)},
    opt=operation(
        "track-custom-event-client-side",
        body=ClientEventInput,
        answer=ClientEventView,
        client=True,
        switch="client_loyalty_events_enabled",
    ),
)
async def track_event_client_side(request: Request[Any, Any, Any], caller: Caller, writer: Writer) -> Response[bytes]:
    """Track a custom event of a customer, named by source id; an unknown customer is created."""
    return answer(await actions.track_from_client(writer, caller, await read_body(request, ClientEventInput)))


router = Router("/", route_handlers=[track_event, track_event_client_side, list_customer_events])
