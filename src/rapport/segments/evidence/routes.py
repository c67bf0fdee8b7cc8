"""HTTP operations of evidence."""

from litestar import Response, Router, get

from rapport.http.bodies import answer
from rapport.http.caller import Caller
from rapport.http.openapi import operation
from rapport.segments.evidence.gathering import gather
from rapport.segments.evidence.schemas import Evidence, view


@get(
    "/v1/customers/{customer_id:str}/segments/{segment_id:str}",
    opt=operation("get-customer-segment", answer=Evidence),
)
async def get_evidence(customer_id: str, segment_id: str, caller: Caller) -> Response[bytes]:
    """Tell why a customer is in a segment or is not, since when, and until when (an addition)."""
    return answer(view(await gather(caller, segment_id, customer_id)))


router = Router("/", route_handlers=[get_evidence])
