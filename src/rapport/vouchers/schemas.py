"""Vouchers on the wire."""

from typing import Annotated, Any, Literal
from urllib.parse import quote

import msgspec
from msgspec import Meta

from rapport.campaigns.codes import MAX_CODE_LENGTH
from rapport.campaigns.schemas import CodeConfigInput, DiscountInput, RedemptionInput, Unserved, simple_view
from rapport.core.clock import iso
from rapport.customers.schemas import LongText, Metadata
from rapport.vouchers.models import DISCOUNT_VOUCHER, Voucher

Code = Annotated[str, Meta(min_length=1, max_length=MAX_CODE_LENGTH)]


class VoucherInput(msgspec.Struct, kw_only=True):
    """`VouchersCreateRequestBody` of the reference, for discounts."""

    discount: DiscountInput
    type: Literal["DISCOUNT_VOUCHER"] | None = None
    code: Code | None = None
    code_config: CodeConfigInput | None = None
    start_date: str | None = None
    expiration_date: str | None = None
    active: bool | None = None
    additional_info: LongText | None = None
    metadata: Metadata | None = None
    redemption: RedemptionInput | None = None
    validation_rules: Annotated[list[str], Meta(max_length=50)] | None = None
    campaign: Unserved = None
    campaign_id: Unserved = None
    gift: Unserved = None
    loyalty_card: Unserved = None
    validity_timeframe: Unserved = None
    validity_day_of_week: Unserved = None
    validity_hours: Unserved = None


class AddedVoucherInput(msgspec.Struct, kw_only=True):
    """`CampaignsVouchersCreateInBulkRequestBody` of the reference: what differs from the campaign."""

    code: Code | None = None
    code_config: CodeConfigInput | None = None
    start_date: str | None = None
    expiration_date: str | None = None
    active: bool | None = None
    additional_info: LongText | None = None
    metadata: Metadata | None = None
    redemption: RedemptionInput | None = None

    @property
    def differs(self) -> bool:
        """Whether anything but the code differs from the campaign."""
        names = ("start_date", "expiration_date", "additional_info", "metadata", "redemption")
        return self.active is False or any(getattr(self, name) is not None for name in names)


class VoucherUpdate(msgspec.Struct, kw_only=True):
    """`VouchersUpdateRequestBody` of the reference, and `redemption`: what is absent or null stays.

    The official SDK sends null for whatever it was not given. An empty date or additional info is removed.
    """

    start_date: str | None = None
    expiration_date: str | None = None
    active: bool | None = None
    additional_info: LongText | None = None
    metadata: Metadata | None = None
    discount: DiscountInput | None = None
    redemption: RedemptionInput | None = None
    gift: Unserved = None
    loyalty_card: Unserved = None
    validity_timeframe: Unserved = None
    validity_day_of_week: Unserved = None
    validity_hours: Unserved = None


def _counters(voucher: Voucher) -> dict[str, Any]:
    address = f"/v1/vouchers/{quote(voucher.code, safe='')}"
    return {
        "redemption": {
            "quantity": voucher.quantity,
            "redeemed_quantity": voucher.redeemed_quantity,
            "object": "list",
            "url": f"{address}/redemptions?page=1&limit=10",
        },
        "publish": {
            "object": "list",
            "count": 0 if voucher.publication_id is None else 1,
            "url": f"{address}/publications?page=1&limit=10",
        },
    }


def view(voucher: Voucher, assignments: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the voucher object of the API."""
    shown: dict[str, Any] = {
        "id": voucher.id,
        "code": voucher.code,
        "campaign": voucher.campaign,
        "campaign_id": voucher.campaign_id,
        "category": None,
        "category_id": None,
        "categories": [],
        "type": DISCOUNT_VOUCHER,
        "discount": voucher.discount,
        "gift": None,
        "loyalty_card": None,
        "start_date": None if voucher.start_date is None else iso(voucher.start_date),
        "expiration_date": None if voucher.expiration_date is None else iso(voucher.expiration_date),
        "validity_timeframe": None,
        "validity_day_of_week": None,
        "active": voucher.active,
        "additional_info": voucher.additional_info,
        "metadata": voucher.metadata,
        "is_referral_code": False,
        "created_at": iso(voucher.created_at),
        "updated_at": None if voucher.updated_at is None else iso(voucher.updated_at),
        **_counters(voucher),
        "object": "voucher",
    }
    if voucher.holder_id is not None:
        shown["holder_id"] = voucher.holder_id
    if assignments is not None:
        shown["validation_rules_assignments"] = assignments
    return shown


def event_view(voucher: Voucher) -> dict[str, Any]:
    """Return the `SimpleVoucher` that events carry."""
    shown: dict[str, Any] = {
        "id": voucher.id,
        "code": voucher.code,
        "type": DISCOUNT_VOUCHER,
        "campaign": voucher.campaign,
        "campaign_id": voucher.campaign_id,
        "discount": voucher.discount,
        "active": voucher.active,
        "is_referral_code": False,
        "redemption": {"quantity": voucher.quantity, "redeemed_quantity": voucher.redeemed_quantity},
        "metadata": voucher.metadata,
        "created_at": iso(voucher.created_at),
        "object": "voucher",
    }
    if voucher.holder_id is not None:
        shown["holder_id"] = voucher.holder_id
    if voucher.expiration_date is not None:
        shown["expiration_date"] = iso(voucher.expiration_date)
    return {name: value for name, value in shown.items() if value is not None}


def campaign_view(voucher: Voucher) -> dict[str, Any] | None:
    """Return the `SimpleCampaign` that events carry beside a voucher."""
    return simple_view(voucher.campaign_id, voucher.campaign, voucher.campaign_type)
