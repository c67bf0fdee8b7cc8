"""New vouchers from what a request or an import says of them, checked but not stored."""

from typing import Any

import msgspec

from rapport.campaigns.models import Campaign
from rapport.campaigns.schemas import RedemptionInput, check_dates, gift_of, instant, merged_metadata, refuse
from rapport.campaigns.validity import check_start, windows_of
from rapport.core.errors import InvalidPayload
from rapport.core.ids import new_id
from rapport.discounts.schemas import checked
from rapport.vouchers.models import DISCOUNT_VOUCHER, GIFT_VOUCHER
from rapport.vouchers.queries import NewVoucher
from rapport.vouchers.schemas import VoucherInput

_UNSERVED = ("loyalty_card",)


def quantity_of(redemption: RedemptionInput | None, default: int | None) -> int | None:
    """Return how often a voucher may be redeemed, None without limit; `default` where nothing is said."""
    if redemption is None or isinstance(redemption.quantity, msgspec.UnsetType):
        return default
    return redemption.quantity


def offer_of(data: VoucherInput) -> dict[str, Any]:
    """Return what a voucher of its own is worth, as columns of `NewVoucher`. Raises InvalidPayload."""
    kind = data.type or (GIFT_VOUCHER if data.gift is not None and data.discount is None else DISCOUNT_VOUCHER)
    name, other = ("gift", "discount") if kind == GIFT_VOUCHER else ("discount", "gift")
    if getattr(data, other) is not None:
        raise InvalidPayload(f"Property .{other} does not belong to a voucher of type {kind}")
    if getattr(data, name) is None:
        raise InvalidPayload(f"Missing required property .{name}")
    if data.gift is not None:
        gift = gift_of(data.gift, ".gift")
        return {"type": kind, "discount": None, "gift_amount": gift["amount"], "gift_effect": gift["effect"]}
    assert data.discount is not None
    return {"type": kind, "discount": checked(data.discount.given(), ".discount")}


def standalone(data: VoucherInput) -> NewVoucher:
    """Return a voucher without a campaign, its code left open. Raises InvalidPayload."""
    refuse(data, _UNSERVED)
    return _draft(data, None, {"quantity": quantity_of(data.redemption, None), **offer_of(data)})


def check_has_vouchers(campaign: Campaign) -> str:
    """Return the type of a campaign's vouchers. Raises InvalidPayload for a campaign that has none."""
    if campaign.voucher_type is None:
        raise InvalidPayload("A campaign of in-cart promotions has no vouchers")
    return campaign.voucher_type


def of_campaign(data: VoucherInput, campaign: Campaign) -> NewVoucher:
    """Return a voucher of a campaign, its code left open; what is not said is the campaign's. Raises InvalidPayload."""
    refuse(data, _UNSERVED)
    kind = check_has_vouchers(campaign)
    if data.type is not None and data.type != kind:
        raise InvalidPayload(f"Property .type in this campaign should be {kind}")
    for name in ("discount", "gift"):
        if getattr(data, name) is not None and getattr(campaign, name) is None:
            raise InvalidPayload(f"Property .{name} does not belong to a campaign of type {campaign.campaign_type}")
    gift = {} if data.gift is None else gift_of(data.gift, ".gift")
    offer = {
        "type": kind,
        "discount": None if data.discount is None else checked(data.discount.given(), ".discount"),
        "gift_amount": gift.get("amount"),
        "gift_effect": gift.get("effect"),
        "quantity": quantity_of(data.redemption, campaign.quantity),
    }
    return _draft(data, campaign, offer)


def _draft(data: VoucherInput, campaign: Campaign | None, offer: dict[str, Any]) -> NewVoucher:
    """Return a voucher with what it is worth, and all else that a request says of it. Raises InvalidPayload."""
    start = instant(data.start_date, ".start_date")
    end = instant(data.expiration_date, ".expiration_date")
    check_dates(start, end)
    windows = windows_of(data)
    check_start(windows.get("validity_timeframe"), start or (None if campaign is None else campaign.start_date))
    return NewVoucher(
        id=new_id("v"),
        code="",
        campaign_id=None if campaign is None else campaign.id,
        active=data.active is not False,
        start_date=start,
        expiration_date=end,
        additional_info=data.additional_info,
        metadata=merged_metadata({}, data.metadata),
        category=data.category or None,
        category_id=data.category_id or None,
        **windows,
        **offer,
    )
