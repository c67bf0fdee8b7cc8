"""The HTTP operation of the profile: an addition to the reference API."""

from typing import Any, Final

from litestar import Request, Response, Router, get

from rapport.http.bodies import answer
from rapport.http.caller import Caller
from rapport.http.lists import DEFAULT_LIMIT, read_number
from rapport.http.openapi import operation
from rapport.profiles import queries
from rapport.profiles.schemas import Profile, view

MAX_LATEST: Final = 50
_LIMIT: Final = {"limit": {"type": "integer", "minimum": 1, "maximum": MAX_LATEST, "default": DEFAULT_LIMIT}}


@get("/v1/customers/{customer_id:str}/profile", opt=operation("get-customer-profile", query=_LIMIT, answer=Profile))
async def get_profile(request: Request[Any, Any, Any], customer_id: str, caller: Caller) -> Response[bytes]:
    """Get all that is known of a customer, by id or source id, in one call: the 360° profile.

    Of each kind the latest `limit`, how many there are, and where the whole list is; all of it as of one moment.
    """
    limit = read_number(request.query_params, "limit", DEFAULT_LIMIT, MAX_LATEST)
    async with caller.db.read() as conn:
        known = await queries.get(conn, caller.project_id, customer_id, limit, caller.db.clock_offset)
    return answer(view(known))


router = Router("/", route_handlers=[get_profile])
