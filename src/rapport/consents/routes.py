"""HTTP operations of consents."""

from dataclasses import replace
from typing import Any

from litestar import Request, Response, Router, delete, get, post, put
from litestar.di import Provide

from rapport.consents import actions, inbound, queries
from rapport.consents.interactions import routes as interactions
from rapport.consents.schemas import (
    ConsentHistory,
    ConsentsBody,
    ConsentsInput,
    ConsentsView,
    ConsentView,
    CustomerConsentsView,
    DefinitionInput,
    InboundInput,
    InboundView,
    change_view,
    customer_view,
    unsubscribed_definition,
    view,
)
from rapport.consents.settling import settled
from rapport.customers import queries as customers
from rapport.customers.writes import Writer
from rapport.http.bodies import answer, no_content, read_body
from rapport.http.caller import Caller, check_client_name, client_caller
from rapport.http.lists import envelope, read_page
from rapport.http.openapi import operation
from rapport.projects import queries as projects

_ONE = "/v1/consents/{consent_id:str}"
_CUSTOMER = "/v1/customers/{customer_id:str}/consents"
# Also what it holds on its own, as the older reference had it.
_RAW: Any = dict[str, Any] | list[Any]


async def _all(caller: Caller) -> Response[bytes]:
    async with caller.db.read() as conn:
        project = await projects.get_project(conn, caller.project_id)
        found = await queries.definitions(conn, caller.project_id)
    shown = [view(one) for one in (unsubscribed_definition(project.created_at), *found)]
    return answer(ConsentsView(consents=shown, total=len(shown)))


@get("/v1/consents", opt=operation("list-consents", answer=ConsentsView))
async def list_consents(caller: Caller) -> Response[bytes]:
    """List the consents that the project asks for; `unsubscribed` is always among them."""
    return await _all(caller)


@get(
    "/client/v1/consents",
    dependencies={"caller": Provide(client_caller)},
    opt=operation("list-consents-client-side", answer=ConsentsView, client=True),
)
async def list_consents_client_side(caller: Caller) -> Response[bytes]:
    """List the consents that the project asks for, for a page that asks its customers."""
    return await _all(caller)


@post("/v1/consents", status_code=200, opt=operation("create-consent", body=DefinitionInput, answer=ConsentView))
async def create_consent(request: Request[Any, Any, Any], caller: Caller) -> Response[bytes]:
    """Add a consent to the project."""
    return answer(view(await actions.create_definition(caller, await read_body(request, DefinitionInput))))


@put(_ONE, opt=operation("update-consent", body=DefinitionInput, answer=ConsentView))
async def update_consent(request: Request[Any, Any, Any], consent_id: str, caller: Caller) -> Response[bytes]:
    """Change what a consent is called; what the body leaves out stays."""
    data = await read_body(request, DefinitionInput)
    return answer(view(await actions.update_definition(caller, consent_id, data)))


@delete(_ONE, status_code=204, opt=operation("delete-consent"))
async def delete_consent(request: Request[Any, Any, Any], consent_id: str, caller: Caller) -> Response[None]:
    """Delete a consent; what customers said about it stays with them."""
    await actions.delete_definition(caller, consent_id, request.app.state.consent_users)
    return no_content()


@get(_CUSTOMER, opt=operation("list-customer-consents", spec=queries.CHANGES, answer=ConsentHistory))
async def list_customer_consents(request: Request[Any, Any, Any], customer_id: str, caller: Caller) -> Response[bytes]:
    """List everything a customer said about consents, newest first, with the `consents` as they are now."""
    page = read_page(queries.CHANGES, request.query_params)
    async with caller.db.read() as conn:
        customer = await customers.get(conn, caller.project_id, customer_id)
        found = await queries.history(conn, caller.project_id, customer.id, page)
    shown = envelope(queries.CHANGES, found, [change_view(one) for one in found.items])
    return answer(shown | {"consents": customer.consents})


async def _in_flight(request: Request[Any, Any, Any], caller: Caller, said: actions.Said) -> int:
    if not said.restricted:
        return 0
    return await settled(caller.db, caller.project_id, [said.customer.id], request.app.state.in_flight)


@put(
    _CUSTOMER,
    opt=operation("update-customers-consents", body=(ConsentsBody, ConsentsInput), answer=CustomerConsentsView),
)
async def update_customer_consents(
    request: Request[Any, Any, Any], customer_id: str, caller: Caller, writer: Writer
) -> Response[bytes]:
    """Keep what a customer says about consents: given or withdrawn, on some channels or all, with source and proof.

    A withdrawal is answered when nothing that was begun before it is still being handed over.
    """
    said = await actions.set_consents(writer, caller, customer_id, await read_body(request, _RAW))
    return answer(customer_view(said.customer, await _in_flight(request, caller, said)))


@put(
    f"/client{_CUSTOMER}",
    status_code=204,
    dependencies={"caller": Provide(client_caller)},
    opt=operation("update-customers-consents-client-side", body=(ConsentsBody, ConsentsInput), client=True),
)
async def update_customer_consents_client_side(
    request: Request[Any, Any, Any], customer_id: str, caller: Caller, writer: Writer
) -> Response[None]:
    """Keep what a customer, named by source id, says about consents; who is not known is made."""
    source_id = check_client_name(customer_id)
    raw = await read_body(request, _RAW)
    # Also where client keys make no customers: what somebody says about consents is never lost.
    anyhow = replace(caller, makes_customers=True)
    said = await actions.set_consents_from_client(writer, anyhow, source_id, raw)
    await _in_flight(request, caller, said)
    return no_content()


@post(
    "/v1/consents/inbound",
    status_code=200,
    opt=operation("receive-inbound-message", body=InboundInput, answer=InboundView),
)
async def receive_inbound(request: Request[Any, Any, Any], caller: Caller, writer: Writer) -> Response[bytes]:
    """Take a message that somebody sent: a stop word unsubscribes everyone with that address from its channel."""
    data = await read_body(request, InboundInput)
    return answer(await inbound.receive(writer, caller, data, request.app.state.in_flight))


router = Router(
    "/",
    route_handlers=[
        list_consents,
        list_consents_client_side,
        create_consent,
        update_consent,
        delete_consent,
        list_customer_consents,
        update_customer_consents,
        update_customer_consents_client_side,
        receive_inbound,
        interactions.router,
    ],
)
