"""Whether a voucher may be used at all at a moment, whoever asks. Pure."""

from dataclasses import dataclass
from datetime import datetime

from rapport.campaigns.windows import is_open
from rapport.rules.bundles import Identified
from rapport.vouchers.models import Voucher


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why something may not be redeemed: the reference's key and message, details, and the shop's own message.

    `bundle`: what there is of a bundle that is not complete.
    """

    key: str
    message: str
    details: str
    shop_message: str | None = None
    bundle: Identified | None = None


def unavailable(voucher: Voucher, now: datetime) -> Refusal | None:
    """Return why the voucher cannot be used now, or None."""
    starts = [date for date in (voucher.start_date, voucher.campaign_start_date) if date is not None]
    ends = [date for date in (voucher.expiration_date, voucher.campaign_expiration_date) if date is not None]
    if not voucher.active:
        return Refusal("voucher_disabled", "voucher is disabled", voucher.code)
    if voucher.campaign_active is False:
        return Refusal("campaign_not_active", "campaign is not active", voucher.code)
    if starts and now < max(starts):
        return Refusal("voucher_not_active", "voucher is not active yet", voucher.code)
    if ends and now >= min(ends):
        return Refusal("voucher_expired", "voucher expired", voucher.code)
    return _unavailable_now(voucher, now)


def _unavailable_now(voucher: Voucher, now: datetime) -> Refusal | None:
    if not is_open(
        voucher.validity_timeframe,
        voucher.validity_day_of_week,
        voucher.validity_hours,
        start=voucher.start_date,
        now=now,
        zone_name=voucher.time_zone or "UTC",
    ):
        return Refusal("voucher_not_active_now", "voucher is not active now", voucher.code)
    if voucher.quantity is not None and voucher.redeemed_quantity >= voucher.quantity:
        return Refusal("quantity_exceeded", "quantity exceeded", voucher.code)
    return None
