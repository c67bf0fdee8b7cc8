"""HTTP operations of distributions and their messages: an addition to the reference API."""

from typing import Any

from litestar import Request, Response, Router, delete, get, post, put

from rapport.core.errors import NotFound
from rapport.customers import queries as customers
from rapport.distributions import actions, queries
from rapport.distributions.answers import DistributionAnswer, MessageAnswer, WholeMessage
from rapport.distributions.messages import actions as message_actions
from rapport.distributions.messages import queries as messages
from rapport.distributions.messages.schemas import view as message_view
from rapport.distributions.schemas import DistributionInput, view
from rapport.http.bodies import answer, no_content, read_body
from rapport.http.caller import Caller
from rapport.http.lists import envelope, read_page
from rapport.http.openapi import operation

_ONE = "/v1/distributions/{distribution_id:str}"
_MESSAGE = _ONE + "/messages/{message_id:str}"


@post(
    "/v1/distributions",
    status_code=200,
    opt=operation("create-distribution", answer=DistributionAnswer, body=DistributionInput),
)
async def create_distribution(request: Request[Any, Any, Any], caller: Caller) -> Response[bytes]:
    """Create a distribution: who enters a segment or tracks an event is sent an email, with a code of their own."""
    return answer(view(await actions.create(caller, await read_body(request, DistributionInput))))


@get("/v1/distributions", opt=operation("list-distributions", item=DistributionAnswer, spec=queries.DISTRIBUTIONS))
async def list_distributions(request: Request[Any, Any, Any], caller: Caller) -> Response[bytes]:
    """List distributions, newest first."""
    page = read_page(queries.DISTRIBUTIONS, request.query_params)
    async with caller.db.read() as conn:
        found = await queries.list_page(conn, caller.project_id, page)
    return answer(envelope(queries.DISTRIBUTIONS, found, [view(one) for one in found.items]))


@get(_ONE, opt=operation("get-distribution", answer=DistributionAnswer))
async def get_distribution(distribution_id: str, caller: Caller) -> Response[bytes]:
    """Get one distribution."""
    async with caller.db.read() as conn:
        found = await queries.find(conn, caller.project_id, distribution_id)
    if found is None:
        raise NotFound("distribution", distribution_id)
    return answer(view(found))


@put(_ONE, opt=operation("update-distribution", answer=DistributionAnswer, body=DistributionInput))
async def update_distribution(request: Request[Any, Any, Any], distribution_id: str, caller: Caller) -> Response[bytes]:
    """Change a distribution, or switch it on and off; what the body leaves out stays."""
    return answer(view(await actions.update(caller, distribution_id, await read_body(request, DistributionInput))))


@delete(_ONE, status_code=204, opt=operation("delete-distribution"))
async def delete_distribution(distribution_id: str, caller: Caller) -> Response[None]:
    """Delete a distribution; its messages can still be read."""
    await actions.delete(caller, distribution_id)
    return no_content()


@get(_ONE + "/messages", opt=operation("list-distribution-messages", item=MessageAnswer, spec=messages.MESSAGES))
async def list_messages(request: Request[Any, Any, Any], distribution_id: str, caller: Caller) -> Response[bytes]:
    """List the messages of a distribution, newest first."""
    page = read_page(messages.MESSAGES, request.query_params)
    async with caller.db.read() as conn:
        if not await queries.existed(conn, caller.project_id, distribution_id):
            raise NotFound("distribution", distribution_id)
        found = await messages.list_messages(conn, caller.project_id, distribution_id, page)
    return answer(envelope(messages.MESSAGES, found, [message_view(one) for one in found.items]))


@get(_MESSAGE, opt=operation("get-distribution-message", answer=WholeMessage))
async def get_message(distribution_id: str, message_id: str, caller: Caller) -> Response[bytes]:
    """Get one message with its bodies, as they were handed over."""
    async with caller.db.read() as conn:
        found = await messages.find_message(conn, caller.project_id, distribution_id, message_id)
        if found is None:
            raise NotFound("message", message_id)
        text, html = await messages.bodies(conn, caller.project_id, message_id)
    return answer(message_view(found) | {"text": text, "html": html})


@post(_MESSAGE + "/resend", status_code=200, opt=operation("resend-distribution-message", answer=MessageAnswer))
async def resend_message(distribution_id: str, message_id: str, caller: Caller) -> Response[bytes]:
    """Send a failed or doubtful message once more, with the same code."""
    return answer(message_view(await message_actions.resend(caller, distribution_id, message_id)))


@get(
    "/v1/customers/{customer_id:str}/messages",
    opt=operation("list-customer-messages", spec=messages.OF_CUSTOMER, item=MessageAnswer),
)
async def list_customer_messages(request: Request[Any, Any, Any], customer_id: str, caller: Caller) -> Response[bytes]:
    """List the messages to a customer, of all distributions, newest first (an addition)."""
    page = read_page(messages.OF_CUSTOMER, request.query_params)
    async with caller.db.read() as conn:
        customer = await customers.get(conn, caller.project_id, customer_id)
        found = await messages.list_of_customer(conn, caller.project_id, customer.id, page)
    return answer(envelope(messages.OF_CUSTOMER, found, [message_view(one) for one in found.items]))


router = Router(
    "/",
    route_handlers=[
        create_distribution,
        list_distributions,
        get_distribution,
        update_distribution,
        delete_distribution,
        list_messages,
        get_message,
        resend_message,
        list_customer_messages,
    ],
)
