"""HTTP operations of custom events."""

from typing import Any

from litestar import Request, Response, Router, post

from rapport.customers.writes import Writer
from rapport.events import actions
from rapport.events.schemas import EventInput, EventView
from rapport.http.bodies import answer, read_body
from rapport.http.caller import Caller
from rapport.http.openapi import operation


@post("/v1/events", status_code=200, opt=operation("track-custom-event", body=EventInput, answer=EventView))
async def track_event(request: Request[Any, Any, Any], caller: Caller, writer: Writer) -> Response[bytes]:
    """Track a custom event of a customer; an unknown customer is created."""
    return answer(await actions.track(writer, caller, await read_body(request, EventInput)))


router = Router("/", route_handlers=[track_event])
