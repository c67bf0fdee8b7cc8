"""What a template keeps of a campaign or a tier, and the requests that it turns into again. Pure."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from rapport.campaigns.models import AUTO_UPDATE, DISCOUNT_COUPONS, Campaign
from rapport.campaigns.schemas import CampaignInput, code_config_view
from rapport.campaigns.validity import WINDOWS
from rapport.core import jsons
from rapport.core.clock import iso
from rapport.core.errors import InvalidPayload
from rapport.http.bodies import parse
from rapport.promotions.models import Tier
from rapport.promotions.schemas import TierInput
from rapport.templates.schemas import CampaignSetup, TierSetup

_OF_TIER: Final = ("start_date", "expiration_date", *WINDOWS, "metadata", "banner")


def _times(original: Campaign | Tier) -> dict[str, Any]:
    dates = {name: getattr(original, name) for name in ("start_date", "expiration_date")}
    windows = {name: getattr(original, name) for name in WINDOWS}
    return {name: iso(at) for name, at in dates.items() if at is not None} | {
        name: window for name, window in windows.items() if window is not None
    }


def of_campaign(campaign: Campaign) -> dict[str, Any]:
    """Return what a template keeps of a campaign that has codes."""
    voucher: dict[str, Any] = {
        "type": campaign.voucher_type,
        "redemption": {"quantity": campaign.quantity},
        "code_config": code_config_view(campaign.code_config),
        "is_referral_code": campaign.is_referral_code,
    }
    voucher |= {"discount": campaign.discount} if campaign.gift is None else {"gift": campaign.gift}
    kept: dict[str, Any] = {
        "campaign_type": campaign.campaign_type,
        "type": campaign.type,
        "auto_join": campaign.auto_join,
        "join_once": campaign.join_once,
        "use_voucher_metadata_schema": campaign.use_voucher_metadata_schema,
        "metadata": campaign.metadata,
        "voucher": voucher,
        **_times(campaign),
    }
    if campaign.description is not None:
        kept["description"] = campaign.description
    if campaign.activity_duration is not None:
        kept["activity_duration_after_publishing"] = campaign.activity_duration
    return kept


def of_tier(tier: Tier) -> dict[str, Any]:
    """Return what a template keeps of a tier: a campaign of discount coupons that take the same off."""
    kept: dict[str, Any] = {
        "campaign_type": DISCOUNT_COUPONS,
        "type": AUTO_UPDATE,
        "metadata": tier.metadata,
        "voucher": {"type": "DISCOUNT_VOUCHER", "discount": tier.discount},
        **_times(tier),
    }
    return kept if tier.banner is None else kept | {"banner": tier.banner}


def _without(setup: msgspec.Struct, fixed: tuple[str, ...], path: str = "") -> dict[str, Any]:
    """Return what a setup says. Raises InvalidPayload where it says what only the template does."""
    for name in fixed:
        if getattr(setup, name) not in (None, [], {}):
            raise InvalidPayload(f"Property {path}.{name} is what the template says")
    return {name: value for name, value in msgspec.to_builtins(setup).items() if name not in fixed}


def campaign_input(configuration: Mapping[str, Any], setup: CampaignSetup) -> CampaignInput:
    """Return the request for a campaign as the template says, but for what the setup says. Raises InvalidPayload."""
    given = _without(setup, ("campaign_type", "validation_rules", "promotion"))
    if setup.voucher is not None:
        given["voucher"] = _without(setup.voucher, ("type", "discount", "gift", "is_referral_code"), ".voucher")
    voucher = configuration["voucher"] | given.pop("voucher", {})
    body = {**configuration, **given, "voucher": voucher}
    if body["type"] == AUTO_UPDATE:
        body.setdefault("vouchers_count", 0)
    return parse(jsons.encode(body), CampaignInput)


def tier_input(configuration: Mapping[str, Any], setup: TierSetup) -> TierInput:
    """Return the request for a tier as the template says, but for what the setup says. Raises InvalidPayload."""
    given = _without(setup, ("action", "validation_rules", "validation_rule_assignments"))
    kept = {name: configuration[name] for name in _OF_TIER if name in configuration}
    action = {"discount": configuration["voucher"]["discount"]}
    return parse(jsons.encode({**kept, **given, "action": action}), TierInput)
