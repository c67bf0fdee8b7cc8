"""HTTP operations of customers."""

from typing import Any, Final

import msgspec
from litestar import Request, Response, Router, delete, get, post, put
from litestar.di import Provide

from rapport.activity import queries as activity
from rapport.activity.schemas import CustomerActivitiesPage, CustomerActivityPage, activities_page, activity_page
from rapport.customers import actions, queries
from rapport.customers.answers import ClientCustomerAnswer, CustomerAnswer
from rapport.customers.schemas import ClientCustomerInput, CustomerInput, client_view, view
from rapport.customers.writes import Writer
from rapport.http.bodies import answer, no_content, read_body
from rapport.http.caller import Caller, client_caller
from rapport.http.lists import BOOLEAN, envelope, read_flag, read_page
from rapport.http.openapi import operation

# Types of activity that the reference does not have, and that its SDK would stumble over.
_ADDITIONS: Final = {"additions": BOOLEAN}


@post("/v1/customers", status_code=200, opt=operation("create-customer", answer=CustomerAnswer, body=CustomerInput))
async def create_customer(request: Request[Any, Any, Any], caller: Caller, writer: Writer) -> Response[bytes]:
    """Create a customer, or update the one with the same id or source id."""
    return answer(view(await actions.upsert(writer, caller, await read_body(request, CustomerInput))))


@post(
    "/client/v1/customers",
    status_code=200,
    dependencies={"caller": Provide(client_caller)},
    opt=operation(
        "create-customer-client-side",
        answer=ClientCustomerAnswer,
        body=ClientCustomerInput,
        client=True,
        switch="client_create_customer_enabled",
    ),
)
async def create_customer_client_side(
    request: Request[Any, Any, Any], caller: Caller, writer: Writer
) -> Response[bytes]:
    """Create or update a customer, named by source id: `createCustomer` of the official JavaScript SDK."""
    said = await read_body(request, ClientCustomerInput)
    return answer(client_view(await actions.upsert(writer, caller, said.checked()), said))


@get("/v1/customers", opt=operation("list-customers", item=CustomerAnswer, spec=queries.CUSTOMERS))
async def list_customers(request: Request[Any, Any, Any], caller: Caller) -> Response[bytes]:
    """List customers, newest first; `segment_id` narrows to the members of a segment."""
    page = read_page(queries.CUSTOMERS, request.query_params)
    async with caller.db.read() as conn:
        found = await queries.list_page(conn, caller.project_id, page)
    return answer(envelope(queries.CUSTOMERS, found, [view(customer) for customer in found.items]))


@get("/v1/customers/{customer_id:str}", opt=operation("get-customer", answer=CustomerAnswer))
async def get_customer(customer_id: str, caller: Caller) -> Response[bytes]:
    """Get a customer by id or source id."""
    async with caller.db.read() as conn:
        return answer(view(await queries.get(conn, caller.project_id, customer_id)))


@put("/v1/customers/{customer_id:str}", opt=operation("update-customer", answer=CustomerAnswer, body=CustomerInput))
async def update_customer(
    request: Request[Any, Any, Any], customer_id: str, caller: Caller, writer: Writer
) -> Response[bytes]:
    """Update a customer by id or source id; what the body leaves out stays."""
    data = msgspec.structs.replace(await read_body(request, CustomerInput), id=None, source_id=None)
    return answer(view(await actions.update(writer, caller, customer_id, data)))


@delete("/v1/customers/{customer_id:str}", status_code=204, opt=operation("delete-customer"))
async def delete_customer(customer_id: str, caller: Caller, writer: Writer) -> Response[None]:
    """Delete a customer."""
    await actions.delete(writer, caller, customer_id)
    return no_content()


@get(
    "/v1/customers/{customer_id:str}/activity",
    opt=operation("list-customer-activity", spec=activity.ACTIVITY, query=_ADDITIONS, answer=CustomerActivityPage),
)
async def list_activity(request: Request[Any, Any, Any], customer_id: str, caller: Caller) -> Response[bytes]:
    """List what happened to a customer, newest first; `starting_after_id` goes on from an entry."""
    page, additions = read_page(activity.ACTIVITY, request.query_params), read_flag(request.query_params, "additions")
    async with caller.db.read() as conn:
        customer = await queries.get(conn, caller.project_id, customer_id)
        found = await activity.list_of_customer(conn, caller.project_id, customer.id, page, additions=additions)
    return answer(activity_page(found))


@get(
    "/v1/customers/{customer_id:str}/activities",
    opt=operation(
        "list-customer-activities", spec=activity.ACTIVITIES, query=_ADDITIONS, answer=CustomerActivitiesPage
    ),
)
async def list_activities(request: Request[Any, Any, Any], customer_id: str, caller: Caller) -> Response[bytes]:
    """List what happened to a customer, newest first, and count it: the older form of `activity`."""
    page, additions = read_page(activity.ACTIVITIES, request.query_params), read_flag(request.query_params, "additions")
    async with caller.db.snapshot() as conn:
        customer = await queries.get(conn, caller.project_id, customer_id)
        found = await activity.count_of_customer(conn, caller.project_id, customer.id, page, additions=additions)
    return answer(activities_page(found))


router = Router(
    "/",
    route_handlers=[
        create_customer,
        create_customer_client_side,
        list_customers,
        get_customer,
        update_customer,
        delete_customer,
        list_activity,
        list_activities,
    ],
)
