"""The HTTP operation of a customer's redeemables."""

from typing import Any, Final

from litestar import Request, Response, Router, get

from rapport.core.queries import read_now
from rapport.customers import queries as customers
from rapport.http import conditions
from rapport.http.bodies import answer
from rapport.http.caller import Caller
from rapport.http.links import base_url
from rapport.http.lists import envelope, read_page
from rapport.http.openapi import operation
from rapport.publications.redeemables import queries
from rapport.publications.redeemables.schemas import HeldList, view
from rapport.vouchers.queries import find_many

_FILTERS: Final = {"filters": conditions.schema(queries.FILTERS)}


@get(
    "/v1/customers/{customer_id:str}/redeemables",
    opt=operation("list-customer-redeemables", spec=queries.REDEEMABLES, answer=HeldList, query=_FILTERS),
)
async def list_customer_redeemables(
    request: Request[Any, Any, Any], customer_id: str, caller: Caller
) -> Response[bytes]:
    """List the codes that a customer holds, by id or source id, with whether they can be used now."""
    given = list(request.query_params.multi_items())
    page = read_page(queries.REDEEMABLES, {name: one for name, one in given if not conditions.is_filter(name)})
    filters = conditions.read_conditions(given, queries.FILTERS)
    async with caller.db.read() as conn:
        customer = await customers.get(conn, caller.project_id, customer_id)
        found = await queries.list_of_customer(conn, caller.project_id, customer.id, page, filters)
        known = await find_many(conn, caller.project_id, [one.redeemable_id for one in found.items])
        now = await read_now(conn, caller.db.clock_offset)
    # What was deleted between the two reads is not there any more.
    held = [one for one in found.items if one.redeemable_id in known]
    links = base_url(request)
    shown = envelope(queries.REDEEMABLES, found, [view(one, known[one.redeemable_id], now, links) for one in held])
    return answer(shown | ({"more_starting_after": found.items[-1].id} if found.has_more else {}))


router = Router("/", route_handlers=[list_customer_redeemables])
