"""HTTP operations of validations and their sessions."""

from typing import Any

from litestar import Request, Response, Router, delete, post
from litestar.datastructures import State
from litestar.di import Provide

from rapport.core.errors import NotFound
from rapport.http import conditions
from rapport.http.bodies import answer, no_content, read_body
from rapport.http.caller import Caller
from rapport.http.lists import BOOLEAN, read_flag
from rapport.http.openapi import operation
from rapport.promotions.queries import ACTIVE_FILTERS, ACTIVE_METADATA
from rapport.redemptions import rule_validation, singles, validation
from rapport.redemptions.answers import (
    RuleValidationAnswer,
    TiersValidationAnswer,
    TierValidationAnswer,
    ValidationAnswer,
    VoucherValidationAnswer,
)
from rapport.redemptions.schemas import CircumstancesInput, PromotionsInput, RedeemInput, RedeemOneInput
from rapport.redemptions.sessions import actions as sessions
from rapport.redemptions.validation_views import answer_of
from rapport.segments.membership import SegmentDecider


def get_decider(state: State, caller: Caller) -> SegmentDecider:
    """Return what decides about membership for validations, which take no lock on customers.

    Asks for the caller for the same reason as `app.get_writer`.
    """
    _ = caller
    decider: SegmentDecider = state.setdefault("validation_decider", SegmentDecider())
    return decider


DECIDER = {"decider": Provide(get_decider, sync_to_thread=False)}


@post(
    "/v1/validations",
    status_code=200,
    opt=operation("validate-stacked-discounts", answer=ValidationAnswer, body=RedeemInput),
)
async def validate(request: Request[Any, Any, Any], caller: Caller, decider: SegmentDecider) -> Response[bytes]:
    """Tell whether redeemables could be redeemed together, and what they would take off."""
    data = await read_body(request, RedeemInput)
    return answer(answer_of(await validation.validate(caller, decider, data), data))


@post(
    "/v1/vouchers/{code:str}/validate",
    status_code=200,
    opt=operation("validate-voucher", answer=VoucherValidationAnswer, body=RedeemOneInput, optional_body=True),
)
async def validate_voucher(
    request: Request[Any, Any, Any], code: str, caller: Caller, decider: SegmentDecider
) -> Response[bytes]:
    """Tell whether one voucher could be redeemed, and what it would take off."""
    data = await read_body(request, RedeemOneInput, optional=True)
    asked = data.of(code)
    return answer(singles.voucher_answer(await validation.validate(caller, decider, asked), asked))


@post(
    "/v1/promotions/tiers/{tier_id:str}/validation",
    status_code=200,
    opt=operation("validate-promotion-tier", answer=TierValidationAnswer, body=RedeemOneInput, optional_body=True),
)
async def validate_tier(
    request: Request[Any, Any, Any], tier_id: str, caller: Caller, decider: SegmentDecider
) -> Response[bytes]:
    """Tell whether one tier could be redeemed, and what it would take off."""
    data = await read_body(request, RedeemOneInput, optional=True)
    asked = data.of(tier_id, "promotion_tier")
    done = await validation.validate(caller, decider, asked)
    if done.redeemables[0].source is None:
        raise NotFound("promotion_tier", tier_id)
    return answer(singles.tier_answer(done, asked))


@post(
    "/v1/promotions/validation",
    status_code=200,
    opt=operation(
        "validate-promotions",
        answer=TiersValidationAnswer,
        body=PromotionsInput,
        optional_body=True,
        query={"audienceRulesOnly": BOOLEAN, "filters": conditions.schema((*ACTIVE_FILTERS, "metadata"))},
    ),
)
async def validate_promotions(
    request: Request[Any, Any, Any], caller: Caller, decider: SegmentDecider
) -> Response[bytes]:
    """Tell which tiers could be redeemed, each alone, and what it would take off."""
    data = await read_body(request, PromotionsInput, optional=True)
    given = request.query_params
    filters = conditions.read_conditions(given.multi_items(), ACTIVE_FILTERS, ACTIVE_METADATA)
    audience_only = read_flag(given, "audienceRulesOnly")
    return answer(await validation.validate_promotions(caller, decider, data, filters, audience_only=audience_only))


@post(
    "/v1/validation-rules/{rule_id:str}/validation",
    status_code=200,
    opt=operation("validate-validation-rule", answer=RuleValidationAnswer, body=CircumstancesInput, optional_body=True),
)
async def validate_rule(
    request: Request[Any, Any, Any], rule_id: str, caller: Caller, decider: SegmentDecider
) -> Response[bytes]:
    """Tell whether one validation rule would hold, whatever it is assigned to."""
    data = await read_body(request, CircumstancesInput, optional=True)
    return answer(await rule_validation.validate_rule(caller, decider, rule_id, data))


@delete(
    "/v1/vouchers/{code:str}/sessions/{session_key:str}",
    status_code=204,
    opt=operation("release-validation-session"),
)
async def release_session(code: str, session_key: str, caller: Caller) -> Response[None]:
    """Let go of what a session holds back of a voucher."""
    await sessions.release(caller.db, caller.project_id, code, session_key)
    return no_content()


router = Router(
    "/",
    dependencies=DECIDER,
    route_handlers=[
        validate,
        validate_voucher,
        validate_tier,
        validate_promotions,
        validate_rule,
        release_session,
    ],
)
