"""HTTP operations of custom events."""

from typing import Any

from litestar import Request, Response, Router, post
from litestar.di import Provide

from rapport.customers.writes import Writer
from rapport.events import actions
from rapport.events.schemas import ClientEventInput, ClientEventView, EventInput, EventView
from rapport.http.bodies import answer, read_body
from rapport.http.caller import Caller, client_caller
from rapport.http.openapi import operation


@post("/v1/events", status_code=200, opt=operation("track-custom-event", body=EventInput, answer=EventView))
async def track_event(request: Request[Any, Any, Any], caller: Caller, writer: Writer) -> Response[bytes]:
    """Track a custom event of a customer; an unknown customer is created."""
    return answer(await actions.track(writer, caller, await read_body(request, EventInput)))


@post(
    "/client/v1/events",
    status_code=200,
    dependencies={"caller": Provide(client_caller)},
    opt=operation("track-custom-event-client-side", body=ClientEventInput, answer=ClientEventView, client=True),
)
async def track_event_client_side(request: Request[Any, Any, Any], caller: Caller, writer: Writer) -> Response[bytes]:
    """Track a custom event of a customer, named by source id; an unknown customer is created."""
    return answer(await actions.track_from_client(writer, caller, await read_body(request, ClientEventInput)))


router = Router("/", route_handlers=[track_event, track_event_client_side])
