"""Vouchers on the wire."""

from typing import Annotated, Any
from urllib.parse import quote

import msgspec
from msgspec import Meta

from rapport.campaigns.codes import MAX_CODE_LENGTH
from rapport.campaigns.models import DISCOUNT_COUPONS
from rapport.campaigns.schemas import (
    CategoryName,
    CodeConfigInput,
    RedemptionInput,
    Unserved,
    VoucherType,
    simple_view,
)
from rapport.campaigns.schemas import gift_view as campaign_gift
from rapport.campaigns.validity import WindowsInput
from rapport.core.clock import iso
from rapport.customers.schemas import LongText, Metadata
from rapport.discounts.schemas import Discount, Gift
from rapport.vouchers.models import Voucher

Code = Annotated[str, Meta(min_length=1, max_length=MAX_CODE_LENGTH)]
# The name or id of a campaign.
Reference = Annotated[str, Meta(max_length=255)]


class VoucherInput(WindowsInput, kw_only=True):
    """`VouchersCreateRequestBody` of the reference, for discounts and gift cards."""

    discount: Discount | None = None
    gift: Gift | None = None
    type: VoucherType | None = None
    code: Code | None = None
    code_config: CodeConfigInput | None = None
    category: CategoryName | None = None
    category_id: CategoryName | None = None
    start_date: str | None = None
    expiration_date: str | None = None
    active: bool | None = None
    additional_info: LongText | None = None
    metadata: Metadata | None = None
    redemption: RedemptionInput | None = None
    validation_rules: Annotated[list[str], Meta(max_length=50)] | None = None
    campaign: Reference | None = None
    campaign_id: Reference | None = None
    loyalty_card: Unserved = None


class AddedVoucherInput(msgspec.Struct, kw_only=True):
    """`CampaignsVouchersCreateInBulkRequestBody` of the reference: what differs from the campaign."""

    code: Code | None = None
    code_config: CodeConfigInput | None = None
    category: CategoryName | None = None
    category_id: CategoryName | None = None
    start_date: str | None = None
    expiration_date: str | None = None
    active: bool | None = None
    additional_info: LongText | None = None
    metadata: Metadata | None = None
    redemption: RedemptionInput | None = None
    gift: Gift | None = None

    @property
    def differs(self) -> bool:
        """Whether anything but the code differs from the campaign."""
        names = (
            "category", "category_id", "start_date", "expiration_date", "additional_info", "metadata", "redemption",
            "gift",
        )  # fmt: skip
        return self.active is False or any(getattr(self, name) is not None for name in names)


class VoucherUpdate(WindowsInput, kw_only=True):
    """`VouchersUpdateRequestBody` of the reference, and `redemption`: what is absent or null stays.

    The official SDK sends null for whatever it was not given. An empty date, category or additional info is removed.
    """

    type: VoucherType | None = None
    category: CategoryName | None = None
    category_id: CategoryName | None = None
    start_date: str | None = None
    expiration_date: str | None = None
    active: bool | None = None
    additional_info: LongText | None = None
    metadata: Metadata | None = None
    discount: Discount | None = None
    gift: Gift | None = None
    redemption: RedemptionInput | None = None
    loyalty_card: Unserved = None


def gift_view(voucher: Voucher) -> dict[str, Any] | None:
    """Return the gift object of a voucher as the API shows it, None for one that is no gift card."""
    if voucher.gift is None:
        return None
    gift = voucher.gift
    return campaign_gift(gift["amount"], gift["subtracted_amount"], gift["balance"], gift["effect"])


def assets_view(voucher: Voucher, base_url: str = "") -> dict[str, Any] | None:
    """Return the images of a voucher: a QR code and a barcode of its code, served without a key."""
    if voucher.asset_id is None:
        return None
    return {
        kind: {"id": voucher.asset_id, "url": f"{base_url}/v1/assets/{kind}/{voucher.asset_id}"}
        for kind in ("qr", "barcode")
    }


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


def view(voucher: Voucher, assignments: dict[str, Any] | None = None, base_url: str = "") -> dict[str, Any]:
    """Return the voucher object of the API; `base_url` is put before the links to its images."""
    shown: dict[str, Any] = {
        "id": voucher.id,
        "code": voucher.code,
        "campaign": voucher.campaign,
        "campaign_id": voucher.campaign_id,
        "category": voucher.category if voucher.in_category is None else voucher.in_category["name"],
        "category_id": voucher.category_id,
        "categories": [] if voucher.in_category is None else [voucher.in_category],
        "type": voucher.type,
        "discount": voucher.discount,
        "gift": gift_view(voucher),
        "loyalty_card": None,
        "start_date": None if voucher.start_date is None else iso(voucher.start_date),
        "expiration_date": None if voucher.expiration_date is None else iso(voucher.expiration_date),
        "validity_timeframe": voucher.validity_timeframe,
        "validity_day_of_week": voucher.validity_day_of_week,
        "validity_hours": voucher.validity_hours,
        "active": voucher.active,
        "additional_info": voucher.additional_info,
        "metadata": voucher.metadata,
        "assets": assets_view(voucher, base_url),
        "is_referral_code": bool(voucher.is_referral_code),
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
        "type": voucher.type,
        "campaign": voucher.campaign,
        "campaign_id": voucher.campaign_id,
        "category_id": voucher.category_id,
        "discount": voucher.discount,
        "gift": gift_view(voucher),
        "active": voucher.active,
        "is_referral_code": bool(voucher.is_referral_code),
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
    kind = voucher.campaign_kind or DISCOUNT_COUPONS
    return simple_view(voucher.campaign_id, voucher.campaign, voucher.campaign_type, kind)
