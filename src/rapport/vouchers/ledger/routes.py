"""HTTP operations of the ledger of gift cards."""

from typing import Any

from litestar import Request, Response, Router, get, post

from rapport.customers.writes import Writer
from rapport.http import conditions
from rapport.http.bodies import answer, read_body
from rapport.http.caller import Caller
from rapport.http.lists import read_page
from rapport.http.openapi import operation
from rapport.vouchers import actions as vouchers
from rapport.vouchers.ledger import actions, queries
from rapport.vouchers.ledger.schemas import BalanceAnswer, BalanceInput, TransactionsAnswer, balance_view, list_view


@post(
    "/v1/vouchers/{code:str}/balance",
    status_code=200,
    opt=operation("update-voucher-balance", answer=BalanceAnswer, body=BalanceInput),
)
async def update_balance(request: Request[Any, Any, Any], code: str, caller: Caller, writer: Writer) -> Response[bytes]:
    """Add to the balance of a gift card, or take off; it never goes below nothing."""
    done = await actions.change(writer, caller, code, await read_body(request, BalanceInput))
    return answer(balance_view(done))


@get(
    "/v1/vouchers/{code:str}/transactions",
    opt=operation("list-voucher-transactions", spec=queries.TRANSACTIONS, answer=TransactionsAnswer),
)
async def list_transactions(request: Request[Any, Any, Any], code: str, caller: Caller) -> Response[bytes]:
    """List what happened to the balance of a gift card, newest first."""
    page = read_page(queries.TRANSACTIONS, request.query_params)
    async with caller.db.read() as conn:
        voucher = await vouchers.get(conn, caller.project_id, code)
        part = await queries.list_of_voucher(conn, caller.project_id, voucher.id, page)
    return answer(list_view(part))


@get(
    "/v1/campaigns/{campaign_id:str}/transactions",
    opt=operation(
        "list-campaign-transactions",
        spec=queries.TRANSACTIONS,
        answer=TransactionsAnswer,
        query={"filters": conditions.schema(queries.FILTERS)},
    ),
)
async def list_campaign_transactions(
    request: Request[Any, Any, Any], campaign_id: str, caller: Caller
) -> Response[bytes]:
    """List what happened to the balances of a campaign's gift cards, newest first."""
    given = list(request.query_params.multi_items())
    page = read_page(queries.TRANSACTIONS, {name: value for name, value in given if not conditions.is_filter(name)})
    filters = conditions.read_conditions(given, queries.FILTERS)
    async with caller.db.read() as conn:
        campaign = await actions.campaign_of_cards(conn, caller.project_id, campaign_id)
        part = await queries.list_of_campaign(conn, caller.project_id, campaign.id, page, filters)
    return answer(list_view(part))


router = Router("/", route_handlers=[update_balance, list_transactions, list_campaign_transactions])
