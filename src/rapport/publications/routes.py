"""HTTP operations of publications."""

from typing import Any, Final

import msgspec
from litestar import Request, Response, Router, get, post
from litestar.di import Provide

from rapport.core.errors import InvalidQueryParams
from rapport.customers.schemas import CustomerInput
from rapport.customers.writes import Writer
from rapport.http import conditions
from rapport.http.bodies import answer, read_body
from rapport.http.caller import Caller, client_caller
from rapport.http.errors import payload_error
from rapport.http.links import base_url
from rapport.http.lists import envelope, read_page
from rapport.http.openapi import operation
from rapport.publications import actions, queries
from rapport.publications.answers import (
    ClientPublication,
    CreatedPublication,
    CreatedPublications,
    PublicationAnswer,
)
from rapport.publications.errors import PageOverLimit, TooManyVouchersRequested
from rapport.publications.models import PublicationRow
from rapport.publications.redeemables import routes as redeemables
from rapport.publications.schemas import (
    ClientPublicationInput,
    PublicationInput,
    SeveralInput,
    client_view,
    created_view,
    view,
)
from rapport.publications.several import create_several
from rapport.redemptions.queries import find_customers
from rapport.vouchers import actions as vouchers
from rapport.vouchers.queries import find_many

MAX_NESTING = 5
# What the official SDK puts into a query for whatever it was not given.
NULL = "None"

_JOIN_ONCE: Final = {"join_once": {"type": "boolean"}}
_HOLDER_ONLY: Final = {"holder_only": {"type": "boolean"}}
_FILTERS: Final = {"filters": conditions.schema(queries.FILTERS)}
_QUERY: Final = {name: {"type": "string"} for name in ("voucher", "source_id")} | {
    name: {"type": "object"} for name in ("customer", "campaign", "metadata")
}


def _flag(request: Request[Any, Any, Any], name: str) -> bool | None:
    text = str(request.query_params.get(name) or NULL)
    if text == NULL:
        return None
    if text.lower() not in ("true", "false"):
        raise InvalidQueryParams(f"Query param {name} should be true or false")
    return text.lower() == "true"


async def _create(
    request: Request[Any, Any, Any], caller: Caller, writer: Writer, data: PublicationInput
) -> Response[bytes]:
    done, customer = await actions.create(writer, caller, data, join_once=_flag(request, "join_once"))
    return answer(created_view(done, customer, base_url(request)))


@post(
    "/v1/publications",
    status_code=200,
    opt=operation("create-publication", answer=CreatedPublication, query=_JOIN_ONCE, body=PublicationInput),
)
async def create_publication(request: Request[Any, Any, Any], caller: Caller, writer: Writer) -> Response[bytes]:
    """Give a customer a code of a campaign that nobody has, or a particular code; the customer is upserted."""
    return await _create(request, caller, writer, await read_body(request, PublicationInput))


@post(
    "/v1/publications/campaigns",
    status_code=200,
    opt=operation("create-publications-of-campaigns", answer=CreatedPublications, query=_JOIN_ONCE, body=SeveralInput),
)
async def create_of_campaigns(request: Request[Any, Any, Any], caller: Caller, writer: Writer) -> Response[bytes]:
    """Give a customer codes of several campaigns at once, or none; a publication for each campaign."""
    data = await read_body(request, SeveralInput)
    done, customer = await create_several(writer, caller, data, join_once=_flag(request, "join_once"))
    shown = [created_view(one, customer, base_url(request)) for one in done]
    return answer({"object": "list", "data_ref": "publications", "publications": shown, "total": len(shown)})


def _nested(request: Request[Any, Any, Any], name: str, *, absent: str | None = None) -> dict[str, Any]:
    """Return the query parameters `name[key]` and `name[key][inner]` as an object, without those that are `absent`.

    Raises InvalidQueryParams.
    """
    found: dict[str, Any] = {}
    for parameter, value in request.query_params.items():
        if value == absent or not (parameter.startswith(f"{name}[") and parameter.endswith("]")):
            continue
        *outer, last = parameter[len(name) + 1 : -1].split("][")
        place = found
        for key in outer[:MAX_NESTING]:
            place = place.setdefault(key, {})
            if not isinstance(place, dict):
                raise InvalidQueryParams(f"Query param {parameter} contradicts another one")
        place[last] = value
    return found


@get(
    "/v1/publications/create",
    opt=operation("create-publication-1", answer=CreatedPublication, query=_JOIN_ONCE | _HOLDER_ONLY | _QUERY),
)
async def create_by_query(request: Request[Any, Any, Any], caller: Caller, writer: Writer) -> Response[bytes]:
    """As creating a publication, with everything in the query: `voucher` or `campaign[name]`, `customer[source_id]`."""
    query = request.query_params
    if any("\x00" in text for pair in query.multi_items() for text in pair):
        raise InvalidQueryParams("A query param holds a NUL character")
    customer = _nested(request, "customer", absent=NULL)
    if "customer" in query:
        customer = {"source_id": query["customer"]}
    if not customer:
        raise InvalidQueryParams("Query should have required property 'customer'")
    campaign = _nested(request, "campaign", absent=NULL)
    if "campaign" in query:
        campaign = {"name": query["campaign"]}
    if campaign.pop("count", "1") != "1":
        raise TooManyVouchersRequested("Only up to 1 can be published")
    raw = {
        "voucher": query.get("voucher") or None,
        "campaign": campaign or None,
        "source_id": query.get("source_id") or None,
        "metadata": _nested(request, "metadata"),
        "holder_only": _flag(request, "holder_only"),
    }
    try:
        named = msgspec.convert(customer, CustomerInput)
        data = msgspec.convert(raw | {"customer": named}, PublicationInput)
    except msgspec.ValidationError as error:
        raise InvalidQueryParams(payload_error(error).details) from error
    return await _create(request, caller, writer, data)


async def _shown(caller: Caller, rows: list[PublicationRow]) -> list[dict[str, Any]]:
    async with caller.db.read() as conn:
        customers = await find_customers(conn, caller.project_id, [row.customer_id for row in rows if row.customer_id])
        known = await find_many(conn, caller.project_id, [one for row in rows for one in row.voucher_ids])
    return [view(row, customers.get(row.customer_id or ""), known) for row in rows]


@post(
    "/client/v1/publish",
    status_code=200,
    dependencies={"caller": Provide(client_caller)},
    opt=operation(
        "create-publication-client-side",
        answer=ClientPublication,
        query=_JOIN_ONCE,
        body=ClientPublicationInput,
        client=True,
        switch="client_publish_enabled",
    ),
)
async def create_publication_client_side(
    request: Request[Any, Any, Any], caller: Caller, writer: Writer
) -> Response[bytes]:
    """Give a customer, named by source id, a code of a campaign that nobody has, or a particular code."""
    data = (await read_body(request, ClientPublicationInput)).checked()
    done, customer = await actions.create(writer, caller, data, join_once=_flag(request, "join_once"))
    return answer(client_view(done, customer, base_url(request)))


@get(
    "/v1/publications",
    opt=operation("list-publications", item=PublicationAnswer, spec=queries.PUBLICATIONS, query=_FILTERS),
)
async def list_publications(request: Request[Any, Any, Any], caller: Caller) -> Response[bytes]:
    """List publications, also those that failed, newest first."""
    asked = request.query_params.get("page") or ""
    if asked.isascii() and asked.isdigit() and len(asked) < 10 and int(asked) > queries.PUBLICATIONS.max_page:
        raise PageOverLimit(f"Property .page cannot be higher than {queries.PUBLICATIONS.max_page}")
    given = list(request.query_params.multi_items())
    page = read_page(queries.PUBLICATIONS, {name: one for name, one in given if not conditions.is_filter(name)})
    filters = conditions.read_conditions(given, queries.FILTERS)
    async with caller.db.read() as conn:
        found = await queries.list_page(conn, caller.project_id, page, filters)
    return answer(envelope(queries.PUBLICATIONS, found, await _shown(caller, found.items)))


@get(
    "/v1/vouchers/{code:str}/publications",
    opt=operation("list-voucher-publications", item=PublicationAnswer, spec=queries.OF_VOUCHER),
)
async def list_voucher_publications(request: Request[Any, Any, Any], code: str, caller: Caller) -> Response[bytes]:
    """List the publication of one voucher, under the address that `publish.url` of a voucher has."""
    page = read_page(queries.OF_VOUCHER, request.query_params)
    async with caller.db.read() as conn:
        voucher = await vouchers.get(conn, caller.project_id, code)
        found = await queries.list_of_voucher(conn, caller.project_id, voucher.publication_id, page)
    return answer(envelope(queries.OF_VOUCHER, found, await _shown(caller, found.items)))


router = Router(
    "/",
    route_handlers=[
        create_publication,
        create_by_query,
        create_of_campaigns,
        create_publication_client_side,
        list_publications,
        list_voucher_publications,
        redeemables.router,
    ],
)
