"""Campaigns on the wire."""

import re
from datetime import datetime
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from rapport.campaigns import codes, durations
from rapport.campaigns.models import DISCOUNT_COUPONS, GIFT_VOUCHER, PROMOTION, Campaign
from rapport.campaigns.validity import WINDOWS, WindowsInput
from rapport.core.clock import iso, parse_instant
from rapport.core.errors import InvalidPayload
from rapport.core.jsons import check_limits
from rapport.customers.schemas import LongText, Metadata
from rapport.discounts.schemas import Discount, Gift, checked_gift

MAX_VOUCHERS = 10_000_000
MAX_QUANTITY = 2**53 - 1
MAX_CATEGORY = 255

Name = Annotated[str, Meta(min_length=1, max_length=255)]
Type = Literal["STATIC", "AUTO_UPDATE"]
CampaignType = Literal["DISCOUNT_COUPONS", "GIFT_VOUCHERS", "PROMOTION"]
VoucherType = Literal["DISCOUNT_VOUCHER", "GIFT_VOUCHER"]
Part = Annotated[str, Meta(max_length=codes.MAX_LENGTH)]
CategoryName = Annotated[str, Meta(max_length=MAX_CATEGORY)]
# Something of the reference that is not served yet: refused where it is more than empty.
Unserved = Any


def refuse(data: msgspec.Struct, names: tuple[str, ...], path: str = "") -> None:
    """Refuse what is not served yet and would change who may redeem or how much is off. Raises InvalidPayload."""
    for name in names:
        value = getattr(data, name)
        if value is not UNSET and value not in (None, False, [], {}, ""):
            raise InvalidPayload(f"Property {path}.{name} is not supported yet")


# Dates of campaigns and vouchers may have full hours: `YYYY-MM-DDTHH` is among the formats of the reference.
_HOURS: Final = re.compile(r"\d{4}-\d{2}-\d{2}[Tt]\d{2}", re.ASCII)


def instant(text: str | None, path: str) -> datetime | None:
    """Read an optional date-time. Raises InvalidPayload."""
    if text is None:
        return None
    try:
        return parse_instant(f"{text}:00" if _HOURS.fullmatch(text) else text)
    except ValueError as error:
        raise InvalidPayload(f"Property {path} should be a date-time in ISO 8601 format") from error


def changed_instant(text: str | None, current: datetime | None, path: str) -> datetime | None:
    """Return a date after an update: null leaves it as it is, an empty text removes it. Raises InvalidPayload."""
    return current if text is None else instant(text or None, path)


def check_dates(start: datetime | None, end: datetime | None) -> None:
    """See that the end is after the start. Raises InvalidPayload."""
    if start is not None and end is not None and end <= start:
        raise InvalidPayload("Property .expiration_date should be after .start_date")


def gift_of(data: Gift, path: str) -> dict[str, Any]:
    """Return what a campaign keeps of a gift: what each card is worth, and how it is spent. Raises InvalidPayload."""
    gift = checked_gift(data.given(), path)
    return {"amount": gift["amount"], "effect": gift["effect"]}


def gift_view(amount: int, subtracted: int, balance: int, effect: str | None) -> dict[str, Any]:
    """Return the gift object of the API."""
    shown: dict[str, Any] = {"amount": amount, "subtracted_amount": subtracted, "balance": balance}
    return shown if effect is None else shown | {"effect": effect}


class RedemptionInput(msgspec.Struct, kw_only=True):
    """How often each code may be redeemed; null is without limit."""

    quantity: Annotated[int, Meta(ge=0, le=MAX_QUANTITY)] | None | UnsetType = UNSET


class CodeConfigInput(msgspec.Struct, kw_only=True):
    """How codes look, in a request."""

    length: Annotated[int, Meta(ge=1, le=codes.MAX_LENGTH)] | None = None
    charset: Annotated[str, Meta(max_length=1_000)] | None = None
    prefix: Part | None = None
    postfix: Part | None = None
    pattern: Part | None = None

    def configure(self, path: str) -> codes.CodeConfig:
        """Return the configuration. Raises InvalidPayload."""
        return codes.configure(self.length, self.charset, self.prefix, self.postfix, self.pattern, path)


class CampaignVoucherInput(msgspec.Struct, kw_only=True):
    """What the campaign's codes are like."""

    discount: Discount | None = None
    gift: Gift | None = None
    type: VoucherType | None = None
    code_config: CodeConfigInput | None = None
    redemption: RedemptionInput | None = None
    is_referral_code: bool | None = None
    loyalty_card: Unserved = None


class CampaignInput(WindowsInput, kw_only=True):
    """`CampaignsCreateRequestBody` of the reference, for discount coupons, gift cards and in-cart promotions."""

    name: Name
    voucher: CampaignVoucherInput | None = None
    campaign_type: CampaignType | None = None
    type: Type | None = None
    description: LongText | None = None
    join_once: bool | None = None
    auto_join: bool | None = None
    active: bool | None = None
    vouchers_count: Annotated[int, Meta(ge=0, le=MAX_VOUCHERS)] | None = None
    start_date: str | None = None
    expiration_date: str | None = None
    activity_duration_after_publishing: str | None = None
    validation_rules: Annotated[list[str], Meta(max_length=50)] | None = None
    metadata: Metadata | None = None
    category: CategoryName | None = None
    category_id: CategoryName | None = None
    use_voucher_metadata_schema: bool | None = None
    access_settings: Unserved = None
    referral_program: Unserved = None
    promotion: Any = None
    loyalty_tiers_expiration: Unserved = None


class CampaignUpdate(WindowsInput, kw_only=True):
    """`CampaignsUpdateRequestBody` of the reference: what is absent or null stays.

    The official SDK sends null for whatever it was not given. An empty description, date or duration is removed.
    """

    description: LongText | None = None
    type: Type | None = None
    join_once: bool | None = None
    auto_join: bool | None = None
    active: bool | None = None
    start_date: str | None = None
    expiration_date: str | None = None
    activity_duration_after_publishing: str | None = None
    discount: Discount | None = None
    gift: Gift | None = None
    category: CategoryName | None = None
    category_id: CategoryName | None = None
    metadata: Metadata | None = None
    unset_metadata_fields: Annotated[list[str], Meta(max_length=1_000)] | None = None
    access_settings: Unserved = None
    referral_program: Unserved = None
    loyalty_tiers_expiration: Unserved = None


def duration_of(text: str | None, path: str) -> str | None:
    """Check an ISO 8601 duration and return it. Raises InvalidPayload."""
    if text is None:
        return None
    try:
        durations.parse(text)
    except ValueError as error:
        raise InvalidPayload(f"Property {path} should be a duration in ISO 8601 format, as P24D or PT12H") from error
    return text


def merged_metadata(current: Metadata, change: Metadata | None) -> Metadata:
    """Return metadata with a request's keys set; those that are null are removed. Raises InvalidPayload."""
    if change is None:
        return current
    check_limits(change, ".metadata")
    return {name: value for name, value in {**current, **change}.items() if value is not None}


def code_config_view(config: dict[str, Any]) -> dict[str, Any]:
    """Return the code configuration as the API shows it."""
    return {name: value for name, value in config.items() if value != ""}


def _voucher_view(campaign: Campaign) -> dict[str, Any]:
    shown: dict[str, Any] = {"type": campaign.voucher_type}
    if campaign.voucher_type == GIFT_VOUCHER:
        gift = campaign.gift or {}
        shown["gift"] = gift_view(gift["amount"], 0, gift["amount"], gift.get("effect"))
    else:
        shown["discount"] = campaign.discount
    shown |= {
        "redemption": {"quantity": campaign.quantity},
        "code_config": code_config_view(campaign.code_config),
        "is_referral_code": campaign.is_referral_code,
    }
    return shown | _times(campaign)


def _times(campaign: Campaign) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    if campaign.start_date is not None:
        shown["start_date"] = iso(campaign.start_date)
    if campaign.expiration_date is not None:
        shown["expiration_date"] = iso(campaign.expiration_date)
    windows = {name: getattr(campaign, name) for name in WINDOWS}
    return shown | {name: window for name, window in windows.items() if window is not None}


def view(campaign: Campaign, vouchers_count: int, assignments: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the campaign object of the API."""
    shown: dict[str, Any] = {"id": campaign.id, "name": campaign.name}
    if campaign.description is not None:
        shown["description"] = campaign.description
    shown |= {"campaign_type": campaign.campaign_type, "type": campaign.type}
    if campaign.campaign_type != PROMOTION:
        shown["voucher"] = _voucher_view(campaign)
    shown |= {
        "auto_join": campaign.auto_join,
        "join_once": campaign.join_once,
        "use_voucher_metadata_schema": campaign.use_voucher_metadata_schema,
        "vouchers_count": vouchers_count,
        "active": campaign.active,
        "metadata": campaign.metadata,
        "created_at": iso(campaign.created_at),
        "updated_at": None if campaign.updated_at is None else iso(campaign.updated_at),
        "creation_status": campaign.creation_status,
        "vouchers_generation_status": campaign.creation_status,
        "protected": False,
        "category_id": campaign.category_id,
        "categories": [],
        "object": "campaign",
    }
    if campaign.category is not None:
        shown["category"] = campaign.category
    if campaign.activity_duration is not None:
        shown["activity_duration_after_publishing"] = campaign.activity_duration
    if assignments is not None:
        shown["validation_rules_assignments"] = assignments
    return shown | _times(campaign)


def simple_view(
    campaign_id: str | None, name: str | None, kind: str | None = None, campaign_type: str = DISCOUNT_COUPONS
) -> dict[str, Any] | None:
    """Return the campaign as events carry it, or None for a voucher without one."""
    if campaign_id is None:
        return None
    shown = {"id": campaign_id, "name": name, "campaign_type": campaign_type, "object": "campaign"}
    return shown if kind is None else shown | {"type": kind}
