"""HTTP operations of devices: an addition to the reference API."""

from typing import Any

from litestar import Request, Response, Router, delete, get, post

from rapport.customers import queries as customers
from rapport.customers.writes import Writer
from rapport.devices import actions, queries
from rapport.devices.schemas import DeviceInput, DeviceView, view
from rapport.http.bodies import answer, no_content, read_body
from rapport.http.caller import Caller
from rapport.http.lists import envelope, read_page
from rapport.http.openapi import operation

_PATH = "/v1/customers/{customer_id:str}/devices"


@post(_PATH, status_code=200, opt=operation("add-customer-device", body=DeviceInput, answer=DeviceView))
async def add_device(
    request: Request[Any, Any, Any], customer_id: str, caller: Caller, writer: Writer
) -> Response[bytes]:
    """Keep that a device was seen on a customer; known by its id or token, it moves over from whoever had it."""
    return answer(view(await actions.add(writer, caller, customer_id, await read_body(request, DeviceInput))))


@get(_PATH, opt=operation("list-customer-devices", spec=queries.DEVICES, item=DeviceView))
async def list_devices(request: Request[Any, Any, Any], customer_id: str, caller: Caller) -> Response[bytes]:
    """List a customer's devices, last seen first."""
    page = read_page(queries.DEVICES, request.query_params)
    async with caller.db.read() as conn:
        customer = await customers.get(conn, caller.project_id, customer_id)
        found = await queries.list_page(conn, caller.project_id, customer.id, page)
    return answer(envelope(queries.DEVICES, found, [view(one) for one in found.items]))


@delete(_PATH + "/{device_id:str}", status_code=204, opt=operation("delete-customer-device"))
async def delete_device(customer_id: str, device_id: str, caller: Caller, writer: Writer) -> Response[None]:
    """Forget a device of a customer."""
    await actions.remove(writer, caller, customer_id, device_id)
    return no_content()


router = Router("/", route_handlers=[add_device, list_devices, delete_device])
