"""HTTP operations of locations."""

from typing import Any

from litestar import Request, Response, Router, delete, get, post, put

from rapport.core.errors import NotFound
from rapport.core.queries import read_now
from rapport.http import conditions
from rapport.http.bodies import answer, no_content, read_body
from rapport.http.caller import Caller
from rapport.http.lists import envelope, read_page
from rapport.http.openapi import operation
from rapport.locations import actions, queries
from rapport.locations.filters import FIELDS, filters
from rapport.locations.schemas import LocationAnswer, LocationInput, LocationsAnswer, LocationUpdate, view

_ONE = "/v1/locations/{location_id:str}"
_PARAMETERS = {"filters": conditions.schema(FIELDS)}


@get(
    "/v1/locations", opt=operation("list-locations", answer=LocationsAnswer, spec=queries.LOCATIONS, query=_PARAMETERS)
)
async def list_locations(request: Request[Any, Any, Any], caller: Caller) -> Response[bytes]:
    """List locations, newest first."""
    given = list(request.query_params.multi_items())
    page = read_page(queries.LOCATIONS, {name: value for name, value in given if not conditions.is_filter(name)})
    async with caller.db.read() as conn:
        now = await read_now(conn, caller.db.clock_offset)
        asked = conditions.read_conditions(given, filters(now))
        found = await queries.list_page(conn, caller.project_id, page, asked)
    return answer(envelope(queries.LOCATIONS, found, [view(one) for one in found.items]))


@post("/v1/locations", status_code=200, opt=operation("create-location", answer=LocationAnswer, body=LocationInput))
async def create_location(request: Request[Any, Any, Any], caller: Caller) -> Response[bytes]:
    """Create a location (an addition to the reference)."""
    return answer(view(await actions.create(caller, await read_body(request, LocationInput))))


@get(_ONE, opt=operation("get-location", answer=LocationAnswer))
async def get_location(location_id: str, caller: Caller) -> Response[bytes]:
    """Get a location by its id or source id."""
    async with caller.db.read() as conn:
        location = await queries.find(conn, caller.project_id, location_id)
    if location is None:
        raise NotFound("location", location_id)
    return answer(view(location))


@put(_ONE, opt=operation("update-location", answer=LocationAnswer, body=LocationUpdate))
async def update_location(request: Request[Any, Any, Any], location_id: str, caller: Caller) -> Response[bytes]:
    """Change a location (an addition to the reference); what the body leaves out stays."""
    return answer(view(await actions.update(caller, location_id, await read_body(request, LocationUpdate))))


@delete(_ONE, status_code=204, opt=operation("delete-location"))
async def delete_location(location_id: str, caller: Caller) -> Response[None]:
    """Delete a location for good (an addition to the reference)."""
    await actions.delete(caller, location_id)
    return no_content()


router = Router("/", route_handlers=[list_locations, create_location, get_location, update_location, delete_location])
