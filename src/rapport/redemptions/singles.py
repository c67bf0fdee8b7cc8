"""What the older operations about one voucher, one tier or all tiers answer."""

from collections.abc import Mapping
from typing import Any

from rapport.categories.models import Category
from rapport.categories.schemas import view as category_view
from rapport.core.clock import iso
from rapport.promotions.models import Tier
from rapport.redemptions import reach
from rapport.redemptions.redeemables.models import Redeemable
from rapport.redemptions.schemas import RedeemInput
from rapport.redemptions.sessions.schemas import view as session_view
from rapport.redemptions.situations import Effect
from rapport.redemptions.validation_views import Validation, categories_view, error_view, given_view, with_cart_view


def _applied(validation: Validation) -> Effect | None:
    return validation.decision.applied[0][1] if validation.valid else None


def _refused(validation: Validation, redeemable: Redeemable) -> dict[str, Any]:
    verdict = validation.decision.verdicts[0]
    if verdict.refusal is not None:
        error = error_view(redeemable, verdict.refusal, validation.request_id)
        return {"reason": error["message"], "error": error}
    assert verdict.skip is not None
    return {"reason": verdict.skip.message}


def _reached(validation: Validation, effect: Effect, place: int = 0) -> dict[str, Any]:
    saying = reach.entries(validation.rules[place])
    applicable_to, inapplicable_to = reach.views(saying, effect.reached, effect.before)
    return {"applicable_to": applicable_to, "inapplicable_to": inapplicable_to}


def _dates(start: Any, end: Any) -> dict[str, Any]:
    return {name: iso(at) for name, at in (("start_date", start), ("expiration_date", end)) if at is not None}


def voucher_answer(validation: Validation, data: RedeemInput) -> dict[str, Any]:
    """Return the answer of `validate-voucher`, the older operation about one voucher."""
    redeemable, effect = validation.redeemables[0], _applied(validation)
    shown: dict[str, Any] = {
        "valid": validation.valid,
        "code": redeemable.id,
        "tracking_id": validation.tracking_id,
        "metadata": redeemable.metadata,
    }
    if data.asks_for("category"):
        shown["categories"] = categories_view(redeemable, validation.stacking)
    if effect is None:
        return shown | _refused(validation, redeemable)
    voucher = redeemable.voucher
    assert voucher is not None
    shown |= _reached(validation, effect) | given_view(redeemable, effect)
    shown |= _dates(voucher.start_date, voucher.expiration_date)
    if redeemable.gift is not None:
        shown["gift"] |= {"amount": redeemable.gift["amount"], "effect": redeemable.gift.get("effect")}
    if redeemable.campaign_id is not None:
        shown |= {"campaign": redeemable.campaign, "campaign_id": redeemable.campaign_id}
    if validation.session is not None:
        shown["session"] = session_view(validation.session)
    return shown if validation.order is None else shown | {"order": validation.order}


def _tier(tier: Tier) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": tier.id,
        "name": tier.name,
        "hierarchy": tier.hierarchy,
        "metadata": tier.metadata,
        "object": "promotion_tier",
        "campaign": {
            "id": tier.campaign_id,
            "active": tier.campaign_active,
            "object": "campaign",
            **_dates(tier.campaign_start_date, tier.campaign_expiration_date),
        },
        **_dates(tier.start_date, tier.expiration_date),
    }
    return shown if tier.banner is None else shown | {"banner": tier.banner}


def tier_answer(validation: Validation, data: RedeemInput) -> dict[str, Any]:
    """Return the answer of `validate-promotion-tier`."""
    redeemable, effect = validation.redeemables[0], _applied(validation)
    assert redeemable.tier is not None
    shown = {"valid": validation.valid, "tracking_id": validation.tracking_id, **_tier(redeemable.tier)}
    if data.asks_for("category"):
        shown["categories"] = categories_view(redeemable, validation.stacking)
    if effect is None:
        return shown | {"discount": redeemable.discount} | _refused(validation, redeemable)
    shown |= _reached(validation, effect) | {"discount": effect.discount}
    return shown if validation.order is None else shown | {"order": validation.order}


def promotion_answer(
    validation: Validation, place: int, effect: Effect, known: Mapping[str, Category] | None
) -> dict[str, Any]:
    """Return one of the tiers that `validate-promotions` answers: one that could be applied alone.

    `known` are the campaigns' categories by their ids, where categories are asked for.
    """
    redeemable = validation.redeemables[place]
    assert redeemable.tier is not None
    shown: dict[str, Any] = {
        "valid": True,
        "tracking_id": validation.tracking_id,
        **_tier(redeemable.tier),
        **_reached(validation, effect, place),
        "discount": effect.discount,
        "discount_amount": effect.off,
        "applied_discount_amount": effect.off,
    }
    if redeemable.categories:
        shown["category_id"] = redeemable.categories[0].id
    if known is not None:
        shown["categories"] = categories_view(redeemable, validation.stacking)
        own = known.get(redeemable.tier.campaign_category_id or "")
        shown["campaign"]["categories"] = [] if own is None else [category_view(own)]
    if validation.order is not None and effect.cart is not None:
        shown["order"] = with_cart_view(validation.order, effect.cart)
    return shown
