"""HTTP operations of vouchers, and of adding vouchers to campaigns."""

from typing import Any

from litestar import Request, Response, Router, delete, get, post, put

from rapport.async_actions.schemas import Accepted
from rapport.campaigns.schemas import MAX_VOUCHERS
from rapport.core.errors import InvalidQueryParams, NotFound
from rapport.core.queries import read_now
from rapport.customers.writes import Writer
from rapport.http import conditions
from rapport.http.bodies import answer, no_content, read_body
from rapport.http.caller import Caller
from rapport.http.links import base_url
from rapport.http.lists import BOOLEAN, envelope, read_flag, read_page
from rapport.http.openapi import operation
from rapport.rules import queries as rules
from rapport.rules.schemas import assignments_list
from rapport.vouchers import actions, queries
from rapport.vouchers.answers import VoucherAnswer
from rapport.vouchers.filters import FIELDS, filters
from rapport.vouchers.models import Voucher
from rapport.vouchers.schemas import AddedVoucherInput, VoucherInput, VoucherUpdate, view

# Operations of the reference, served or not, that stand where a code might.
RESERVED = frozenset({"bulk", "import", "importCSV", "metadata", "qualification"})


async def _shown(request: Request[Any, Any, Any], caller: Caller, voucher: Voucher) -> dict[str, Any]:
    async with caller.db.read() as conn:
        assigned = await rules.assignments_of(conn, caller.project_id, [voucher.id])
    return view(voucher, assignments_list(assigned.get(voucher.id, [])), base_url(request))


@post("/v1/vouchers", status_code=200, opt=operation("generate-random-code", answer=VoucherAnswer, body=VoucherInput))
async def generate_code(request: Request[Any, Any, Any], caller: Caller) -> Response[bytes]:
    """Create a voucher without a campaign; without a code, one is drawn."""
    return answer(
        await _shown(request, caller, await actions.create(caller, await read_body(request, VoucherInput), None))
    )


@post(
    "/v1/vouchers/{code:str}", status_code=200, opt=operation("create-voucher", answer=VoucherAnswer, body=VoucherInput)
)
async def create_voucher(request: Request[Any, Any, Any], code: str, caller: Caller) -> Response[bytes]:
    """Create a voucher with this code, without a campaign; the words of the reference's own paths are no codes."""
    if code in RESERVED:
        raise NotFound("operation", f"POST /v1/vouchers/{code}")
    return answer(
        await _shown(request, caller, await actions.create(caller, await read_body(request, VoucherInput), code))
    )


@get(
    "/v1/vouchers",
    opt=operation(
        "list-vouchers",
        item=VoucherAnswer,
        spec=queries.VOUCHERS,
        query={"ids": {**conditions.IDS}, "filters": conditions.schema(FIELDS)},
    ),
)
async def list_vouchers(request: Request[Any, Any, Any], caller: Caller) -> Response[bytes]:
    """List vouchers, newest first."""
    given = list(request.query_params.multi_items())
    page = read_page(queries.VOUCHERS, {name: one for name, one in given if not conditions.is_filter(name)})
    ids = conditions.read_ids(given)
    async with caller.db.read() as conn:
        asked = conditions.read_conditions(given, filters(await read_now(conn, caller.db.clock_offset)))
        found = await queries.list_page(conn, caller.project_id, page, asked, ids)
    return answer(envelope(queries.VOUCHERS, found, [view(one, None, base_url(request)) for one in found.items]))


@get("/v1/vouchers/{code:str}", opt=operation("get-voucher", answer=VoucherAnswer))
async def get_voucher(request: Request[Any, Any, Any], code: str, caller: Caller) -> Response[bytes]:
    """Get a voucher by code or id."""
    async with caller.db.read() as conn:
        voucher = await actions.get(conn, caller.project_id, code)
    return answer(await _shown(request, caller, voucher))


@put("/v1/vouchers/{code:str}", opt=operation("update-voucher", answer=VoucherAnswer, body=VoucherUpdate))
async def update_voucher(request: Request[Any, Any, Any], code: str, caller: Caller, writer: Writer) -> Response[bytes]:
    """Change a voucher; what the body leaves out stays."""
    data = await read_body(request, VoucherUpdate)
    return answer(await _shown(request, caller, await actions.update(writer, caller, code, data)))


@delete("/v1/vouchers/{code:str}", status_code=204, opt=operation("delete-voucher", query={"force": BOOLEAN}))
async def delete_voucher(request: Request[Any, Any, Any], code: str, caller: Caller, writer: Writer) -> Response[None]:
    """Move a voucher to the bin, or delete it for good with `force`; its redemptions stay."""
    await actions.delete(writer, caller, code, force=read_flag(request.query_params, "force"))
    return no_content()


@post("/v1/vouchers/{code:str}/enable", status_code=200, opt=operation("enable-voucher", answer=VoucherAnswer))
async def enable_voucher(request: Request[Any, Any, Any], code: str, caller: Caller, writer: Writer) -> Response[bytes]:
    """Let a voucher be redeemed again."""
    return answer(await _shown(request, caller, await actions.set_active(writer, caller, code, active=True)))


@post("/v1/vouchers/{code:str}/disable", status_code=200, opt=operation("disable-voucher", answer=VoucherAnswer))
async def disable_voucher(
    request: Request[Any, Any, Any], code: str, caller: Caller, writer: Writer
) -> Response[bytes]:
    """Stop a voucher from being redeemed."""
    return answer(await _shown(request, caller, await actions.set_active(writer, caller, code, active=False)))


def _count(request: Request[Any, Any, Any]) -> int:
    text = request.query_params.get("vouchers_count") or "1"
    if not (text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= MAX_VOUCHERS):
        raise InvalidQueryParams(f"Query param vouchers_count should be a number between 1 and {MAX_VOUCHERS}")
    return int(text)


async def _additional(request: Request[Any, Any, Any]) -> AddedVoucherInput:
    return await read_body(request, AddedVoucherInput, optional=True)


@post(
    "/v1/campaigns/{campaign_id:str}/vouchers",
    status_code=200,
    opt=operation(
        "add-vouchers-to-campaign",
        answer=VoucherAnswer,
        later=Accepted,
        query={"vouchers_count": {"type": "integer", "minimum": 1, "maximum": MAX_VOUCHERS, "default": 1}},
        body=AddedVoucherInput,
        optional_body=True,
    ),
)
async def add_vouchers(request: Request[Any, Any, Any], campaign_id: str, caller: Caller) -> Response[bytes]:
    """Add `vouchers_count` vouchers to a campaign; one is answered itself, of several an action id."""
    count = _count(request)
    made = await actions.add_to_campaign(caller, campaign_id, await _additional(request), None, count)
    if isinstance(made, str):
        return answer(Accepted(async_action_id=made), 202)
    return answer(await _shown(request, caller, made))


@post(
    "/v1/campaigns/{campaign_id:str}/vouchers/{code:str}",
    status_code=200,
    opt=operation(
        "add-voucher-with-specific-code-to-campaign", answer=VoucherAnswer, body=AddedVoucherInput, optional_body=True
    ),
)
async def add_voucher(request: Request[Any, Any, Any], campaign_id: str, code: str, caller: Caller) -> Response[bytes]:
    """Add a voucher with this code to a campaign."""
    voucher = await actions.add_to_campaign(caller, campaign_id, await _additional(request), code, 1)
    assert isinstance(voucher, Voucher)
    return answer(await _shown(request, caller, voucher))


router = Router(
    "/",
    route_handlers=[
        generate_code,
        create_voucher,
        list_vouchers,
        get_voucher,
        update_voucher,
        delete_voucher,
        enable_voucher,
        disable_voucher,
        add_vouchers,
        add_voucher,
    ],
)
