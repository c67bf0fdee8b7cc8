"""HTTP operations of back-tests, an addition to the reference."""

from typing import Any

from litestar import Request, Response, Router, delete, get, post

from rapport.backtests import actions, queries
from rapport.backtests.schemas import BacktestInput, BacktestView, view
from rapport.core.errors import NotFound
from rapport.http.bodies import answer, no_content, read_body
from rapport.http.caller import Caller
from rapport.http.lists import envelope, read_page
from rapport.http.openapi import operation

_ONE = "/v1/backtests/{backtest_id:str}"


@post("/v1/backtests", status_code=202, opt=operation("create-backtest", body=BacktestInput, answer=BacktestView))
async def create_backtest(request: Request[Any, Any, Any], caller: Caller) -> Response[bytes]:
    """Ask what a draft of rules and of a discount would have done with stored orders; the worker works it out."""
    data = await read_body(request, BacktestInput)
    return answer(view(await actions.create(caller, data), []), 202)


@get("/v1/backtests", opt=operation("list-backtests", spec=queries.BACKTESTS, item=BacktestView))
async def list_backtests(request: Request[Any, Any, Any], caller: Caller) -> Response[bytes]:
    """List back-tests, newest first, without their results."""
    page = read_page(queries.BACKTESTS, request.query_params)
    async with caller.db.snapshot() as conn:
        found = await queries.list_page(conn, caller.project_id, page)
    return answer(envelope(queries.BACKTESTS, found, [view(one) for one in found.items]))


@get(_ONE, opt=operation("get-backtest", answer=BacktestView))
async def get_backtest(backtest_id: str, caller: Caller) -> Response[bytes]:
    """Get a back-test: how far it is, and its result."""
    async with caller.db.snapshot() as conn:
        found = await queries.find(conn, caller.project_id, backtest_id)
        samples = [] if found is None else await queries.samples_of(conn, caller.project_id, found.id)
    if found is None:
        raise NotFound("backtest", backtest_id)
    return answer(view(found, samples))


@delete(_ONE, status_code=204, opt=operation("delete-backtest"))
async def delete_backtest(backtest_id: str, caller: Caller) -> Response[None]:
    """Delete a back-test; one that is under way ends."""
    await actions.delete(caller, backtest_id)
    return no_content()


router = Router("/", route_handlers=[create_backtest, list_backtests, get_backtest, delete_backtest])
