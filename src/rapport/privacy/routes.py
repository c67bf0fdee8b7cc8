"""HTTP operations of privacy: permanent deletion and access requests."""

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any

from litestar import Request, Response, Router, get, post
from litestar.response import Stream

from rapport.customers.holdings import Holding
from rapport.customers.writes import Writer
from rapport.http.bodies import answer
from rapport.http.caller import Caller
from rapport.http.errors import JSON_TYPE
from rapport.http.openapi import operation
from rapport.privacy import access, actions
from rapport.privacy.schemas import CustomerData, PermanentDeletion


@post(
    "/v1/customers/{customer_id:str}/permanent-deletion",
    status_code=200,
    opt=operation("customer-permanently-deletion", answer=PermanentDeletion),
)
async def delete_permanently(
    request: Request[Any, Any, Any], customer_id: str, caller: Caller, writer: Writer, holdings: Sequence[Holding]
) -> Response[bytes]:
    """Erase a person: no trace remains; lines of the redemption ledger stay without a name."""
    receipt = await actions.delete_permanently(writer, caller, holdings, request.app.state.outbox, customer_id)
    kept_by_nobody = answer(receipt)
    kept_by_nobody.headers["Cache-Control"] = "no-store"
    return kept_by_nobody


@get("/v1/customers/{customer_id:str}/data", opt=operation("get-customer-data", answer=CustomerData))
async def get_data(customer_id: str, caller: Caller, holdings: Sequence[Holding]) -> Stream:
    """Get everything that is held on a person as one JSON file."""
    pieces = access.pieces(caller.db, caller.project_id, holdings, customer_id)
    first = await anext(pieces)  # an error is an answer of its own, not a file that breaks off

    async def whole() -> AsyncIterator[bytes]:
        async with aclosing(pieces):
            yield first
            async for piece in pieces:
                yield piece

    headers = {"Content-Disposition": 'attachment; filename="customer-data.json"', "Cache-Control": "no-store"}
    return Stream(whole(), media_type=JSON_TYPE, headers=headers)


router = Router(
    "/",
    route_handlers=[delete_permanently, get_data],
)
