"""Campaigns on the wire."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from rapport.campaigns import codes, durations
from rapport.campaigns.models import DISCOUNT_COUPONS, Campaign
from rapport.core.clock import iso, parse_instant
from rapport.core.errors import InvalidPayload
from rapport.core.jsons import check_limits
from rapport.customers.schemas import LongText, Metadata
from rapport.orders.models import MAX_AMOUNT

MAX_VOUCHERS = 10_000_000
MAX_QUANTITY = 2**53 - 1

Name = Annotated[str, Meta(min_length=1, max_length=255)]
Type = Literal["STATIC", "AUTO_UPDATE"]
Amount = Annotated[int, Meta(ge=0, le=MAX_AMOUNT)]
Part = Annotated[str, Meta(max_length=codes.MAX_LENGTH)]
# Something of the reference that is not served yet: refused where it is more than empty.
Unserved = Any
TIMEFRAMES = ("validity_timeframe", "validity_day_of_week", "validity_hours")


def refuse(data: msgspec.Struct, names: tuple[str, ...], path: str = "") -> None:
    """Refuse what is not served yet and would change who may redeem or how much is off. Raises InvalidPayload."""
    for name in names:
        value = getattr(data, name)
        if value is not UNSET and value not in (None, False, [], {}, ""):
            raise InvalidPayload(f"Property {path}.{name} is not supported yet")


def instant(text: str | None, path: str) -> datetime | None:
    """Read an optional date-time. Raises InvalidPayload."""
    if text is None:
        return None
    try:
        return parse_instant(text)
    except ValueError as error:
        raise InvalidPayload(f"Property {path} should be a date-time in ISO 8601 format") from error


def changed_instant(text: str | None, current: datetime | None, path: str) -> datetime | None:
    """Return a date after an update: null leaves it as it is, an empty text removes it. Raises InvalidPayload."""
    return current if text is None else instant(text or None, path)


def check_dates(start: datetime | None, end: datetime | None) -> None:
    """See that the end is after the start. Raises InvalidPayload."""
    if start is not None and end is not None and end <= start:
        raise InvalidPayload("Property .expiration_date should be after .start_date")


class DiscountInput(msgspec.Struct, kw_only=True):
    """A discount in a request: `DiscountPercent` or `DiscountAmount` of the reference."""

    type: Literal["PERCENT", "AMOUNT"]
    percent_off: Annotated[float, Meta(ge=0, le=100)] | None = None
    amount_off: Amount | None = None
    amount_limit: Amount | None = None
    effect: Literal["APPLY_TO_ORDER"] | None = None
    percent_off_formula: Unserved = None
    amount_off_formula: Unserved = None
    aggregated_amount_limit: Unserved = None
    is_dynamic: Unserved = None


def discount_of(data: DiscountInput, path: str, current: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the discount object as it is stored and shown. Raises InvalidPayload.

    In an update, the limit of the `current` discount stays unless another is given.
    """
    refuse(data, ("percent_off_formula", "amount_off_formula", "aggregated_amount_limit", "is_dynamic"), path)
    if data.type == "PERCENT":
        if data.percent_off is None:
            raise InvalidPayload(f"Missing required property {path}.percent_off")
        off = Decimal(str(data.percent_off))
        shown: dict[str, Any] = {"type": "PERCENT", "percent_off": int(off) if off == int(off) else off}
        limit = (current or {}).get("amount_limit") if data.amount_limit is None else data.amount_limit
        if limit is not None:
            shown["amount_limit"] = limit
    else:
        if data.amount_off is None:
            raise InvalidPayload(f"Missing required property {path}.amount_off")
        shown = {"type": "AMOUNT", "amount_off": data.amount_off}
    return shown | {"effect": "APPLY_TO_ORDER"}


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

    discount: DiscountInput
    type: Literal["DISCOUNT_VOUCHER"] | None = None
    code_config: CodeConfigInput | None = None
    redemption: RedemptionInput | None = None
    is_referral_code: Unserved = None


class CampaignInput(msgspec.Struct, kw_only=True):
    """`CampaignsCreateRequestBody` of the reference, for discount coupons."""

    name: Name
    voucher: CampaignVoucherInput
    campaign_type: Literal["DISCOUNT_COUPONS"] | None = None
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
    validity_timeframe: Unserved = None
    validity_day_of_week: Unserved = None
    validity_hours: Unserved = None
    access_settings: Unserved = None
    use_voucher_metadata_schema: Unserved = None
    referral_program: Unserved = None
    promotion: Unserved = None
    loyalty_tiers_expiration: Unserved = None


class CampaignUpdate(msgspec.Struct, kw_only=True):
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
    discount: DiscountInput | None = None
    metadata: Metadata | None = None
    unset_metadata_fields: list[str] | None = None
    validity_timeframe: Unserved = None
    validity_day_of_week: Unserved = None
    validity_hours: Unserved = None
    access_settings: Unserved = None


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
    shown: dict[str, Any] = {
        "type": "DISCOUNT_VOUCHER",
        "discount": campaign.discount,
        "redemption": {"quantity": campaign.quantity},
        "code_config": code_config_view(campaign.code_config),
        "is_referral_code": False,
    }
    if campaign.start_date is not None:
        shown["start_date"] = iso(campaign.start_date)
    if campaign.expiration_date is not None:
        shown["expiration_date"] = iso(campaign.expiration_date)
    return shown


def view(campaign: Campaign, vouchers_count: int, assignments: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the campaign object of the API."""
    shown: dict[str, Any] = {"id": campaign.id, "name": campaign.name}
    if campaign.description is not None:
        shown["description"] = campaign.description
    shown |= {
        "campaign_type": campaign.campaign_type,
        "type": campaign.type,
        "voucher": _voucher_view(campaign),
        "auto_join": campaign.auto_join,
        "join_once": campaign.join_once,
        "use_voucher_metadata_schema": False,
        "vouchers_count": vouchers_count,
        "active": campaign.active,
        "metadata": campaign.metadata,
        "created_at": iso(campaign.created_at),
        "updated_at": None if campaign.updated_at is None else iso(campaign.updated_at),
        "creation_status": campaign.creation_status,
        "vouchers_generation_status": campaign.creation_status,
        "protected": False,
        "category_id": None,
        "categories": [],
        "object": "campaign",
    }
    if campaign.start_date is not None:
        shown["start_date"] = iso(campaign.start_date)
    if campaign.expiration_date is not None:
        shown["expiration_date"] = iso(campaign.expiration_date)
    if campaign.activity_duration is not None:
        shown["activity_duration_after_publishing"] = campaign.activity_duration
    if assignments is not None:
        shown["validation_rules_assignments"] = assignments
    return shown


def simple_view(campaign_id: str | None, name: str | None, kind: str | None = None) -> dict[str, Any] | None:
    """Return the campaign as events carry it, or None for a voucher without one."""
    if campaign_id is None:
        return None
    shown = {"id": campaign_id, "name": name, "campaign_type": DISCOUNT_COUPONS, "object": "campaign"}
    return shown if kind is None else shown | {"type": kind}
