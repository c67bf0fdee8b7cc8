"""HTTP operations of redemptions for pages and apps of shops, whose keys anybody can read.

Such a caller names customers by source id, and learns nothing about people from the answer.
"""

from typing import Any, Final

from litestar import Request, Response, Router, get, post
from litestar.di import Provide

from rapport.core.errors import InvalidPayload
from rapport.customers.writes import Writer
from rapport.http.bodies import answer, read_body
from rapport.http.caller import Caller, client_caller
from rapport.http.links import base_url
from rapport.http.openapi import operation
from rapport.redemptions import actions, showing, singles, validation
from rapport.redemptions.answers import (
    RedeemedAnswer,
    RedemptionAnswer,
    TiersValidationAnswer,
    ValidationAnswer,
    VoucherValidationAnswer,
)
from rapport.redemptions.client import checked, code_of, of_query, promotions_of_query, told
from rapport.redemptions.qualification import actions as qualification
from rapport.redemptions.qualification.schemas import QualificationAnswer, QualificationInput
from rapport.redemptions.schemas import RedeemInput, RedeemOneInput, tracked
from rapport.redemptions.validation_routes import DECIDER
from rapport.redemptions.validation_views import answer_of
from rapport.segments.membership import SegmentDecider

_CODE: Final = {"code": {"type": "string"}, "tracking_id": {"type": "string"}}
_TEXTS: Final = ("session_key", "session_type", "session_ttl_unit")
_OBJECTS: Final = ("customer", "item", "metadata", "order")
_CART: Final = {
    **{name: {"type": "string"} for name in ("amount", "tracking_id")},
    **{name: {"type": "object"} for name in _OBJECTS},
}
_VALIDATE: Final = {
    **_CODE,
    **_CART,
    **{name: {"type": "string"} for name in _TEXTS},
    "session_ttl": {"type": "integer"},
}


@post(
    "/client/v1/validations",
    status_code=200,
    opt=operation("validate-stacked-discounts-client-side", answer=ValidationAnswer, body=RedeemInput, client=True),
)
async def validate(request: Request[Any, Any, Any], caller: Caller, decider: SegmentDecider) -> Response[bytes]:
    """Tell whether redeemables could be redeemed together, and what they would take off."""
    data = checked(await read_body(request, RedeemInput), redeems=False)
    return answer(told(answer_of(await validation.validate(caller, decider, data), data)))


@get(
    "/client/v1/validate",
    opt=operation("validate-voucher-client-side", answer=VoucherValidationAnswer, query=_VALIDATE, client=True),
)
async def validate_voucher(request: Request[Any, Any, Any], caller: Caller, decider: SegmentDecider) -> Response[bytes]:
    """Tell whether one voucher could be redeemed, and what it would take off."""
    data = checked(of_query(request.query_params), redeems=False)
    return answer(told(singles.voucher_answer(await validation.validate(caller, decider, data), data)))


@get(
    "/client/v1/promotions/validation",
    opt=operation(
        "validate-promotions-client-side",
        answer=TiersValidationAnswer,
        query=_CART,
        client=True,
        switch="client_list_vouchers_enabled",
    ),
)
async def validate_promotions(
    request: Request[Any, Any, Any], caller: Caller, decider: SegmentDecider
) -> Response[bytes]:
    """Tell which tiers could be redeemed, each alone: what the official JavaScript SDK asks when it has no code."""
    data = checked(promotions_of_query(request.query_params), redeems=False)
    return answer(told(await validation.validate_promotions(caller, decider, data)))


@post(
    "/client/v1/redemptions",
    status_code=200,
    opt=operation(
        "redeem-stacked-discounts-client-side",
        answer=RedeemedAnswer,
        body=RedeemInput,
        client=True,
        switch="client_redeem_enabled",
    ),
)
async def redeem(request: Request[Any, Any, Any], caller: Caller, writer: Writer) -> Response[bytes]:
    """Redeem vouchers, gift cards, tiers or a stack of them against an order, together."""
    data = checked(await read_body(request, RedeemInput), redeems=True)
    done = await actions.redeem(writer, caller, data)
    shown = showing.redeemed_answer(done, data, caller.request_id, base_url(request))
    return answer(told(shown, is_order_hidden=done.is_order_hidden))


@post(
    "/client/v1/redeem",
    status_code=200,
    opt=operation(
        "redeem-voucher-client-side",
        answer=RedemptionAnswer,
        body=RedeemOneInput,
        query=_CODE,
        optional_body=True,
        client=True,
        switch="client_redeem_enabled",
    ),
)
async def redeem_voucher(request: Request[Any, Any, Any], caller: Caller, writer: Writer) -> Response[bytes]:
    """Redeem one voucher, which the query names."""
    code = code_of(request.query_params)
    one = await read_body(request, RedeemOneInput, optional=True)
    data = checked(tracked(one, request.query_params).of(code), redeems=True)
    done = await actions.redeem(writer, caller, data)
    shown = showing.redeemed_views(done, base_url(request))[0]
    return answer(told(shown, is_order_hidden=done.is_order_hidden))


@post(
    "/client/v1/qualifications",
    status_code=200,
    opt=operation(
        "check-eligibility-client-side",
        answer=QualificationAnswer,
        body=QualificationInput,
        client=True,
        switch="client_list_vouchers_enabled",
    ),
)
async def qualify(request: Request[Any, Any, Any], caller: Caller, decider: SegmentDecider) -> Response[bytes]:
    """List what a customer could redeem with a cart."""
    data = checked(await read_body(request, QualificationInput), redeems=False)
    if data.options is not None and data.options.filters is not None and data.options.filters.code is not None:
        raise InvalidPayload("Property .options.filters.code is not for client keys; validate a code instead")
    return answer(told(await qualification.qualify(caller, decider, data)))


router = Router(
    "/",
    dependencies={"caller": Provide(client_caller), **DECIDER},
    route_handlers=[validate, validate_voucher, validate_promotions, redeem, redeem_voucher, qualify],
)
