"""Something to be redeemed as a value, whatever it is."""

from datetime import datetime
from typing import Any

import msgspec

from rapport.campaigns.windows import is_open
from rapport.core.errors import NotFound
from rapport.promotions.models import STACK, TIER, Tier
from rapport.redemptions.stacking import Category
from rapport.rules.models import Assigned
from rapport.vouchers.availability import Refusal, unavailable
from rapport.vouchers.models import Voucher

VOUCHER = "voucher"
__all__ = ["STACK", "TIER", "VOUCHER", "Held", "NamedCategory", "Redeemable"]


class NamedCategory(Category, frozen=True):
    """A category as answers show it; its times as JSON has them."""

    name: str = ""
    created_at: str = ""
    updated_at: str | None = None


class Held(msgspec.Struct, frozen=True):
    """What validation sessions hold back of a voucher: for others than who asks, and `stale`: locks that are over."""

    quantity: int = 0
    credits: int = 0
    stale: int = 0
    own: int = 0


NOTHING_HELD = Held()


class Redeemable(msgspec.Struct, frozen=True, kw_only=True):
    """A voucher, a gift card or a tier, with the rules that hold for it; or what was asked for and is not there.

    `id` is what requests call it by: the code of a voucher, the id of a tier. `stack_id` is the stack through which a
    tier was named. `is_counted`: some rule or formula may want its redemptions counted. `asked_credits` is how much of
    a gift card the request wants to use, None: as much as there is use for.
    """

    object: str
    id: str
    assigned: list[Assigned]
    categories: tuple[NamedCategory, ...] = ()
    voucher: Voucher | None = None
    tier: Tier | None = None
    stack_id: str | None = None
    asked_credits: int | None = None
    held: Held = NOTHING_HELD
    is_counted: bool = True

    @property
    def source(self) -> Voucher | Tier | None:
        """The voucher or the tier; None: there is no such thing."""
        return self.voucher or self.tier

    @property
    def object_id(self) -> str:
        """The id of the voucher or of the tier: what a line of the ledger names."""
        return self.id if self.source is None else self.source.id

    @property
    def campaign_id(self) -> str | None:
        """The campaign it belongs to."""
        return None if self.source is None else self.source.campaign_id

    @property
    def campaign(self) -> str | None:
        """The name of its campaign."""
        return None if self.source is None else self.source.campaign

    @property
    def discount(self) -> dict[str, Any] | None:
        """What it takes off, unless it is a gift card."""
        return None if self.source is None else self.source.discount

    @property
    def gift(self) -> dict[str, Any] | None:
        """What is on it, if it is a gift card."""
        return None if self.voucher is None else self.voucher.gift

    @property
    def balance(self) -> int:
        """What may be used of a gift card now, in minor units: what nobody else holds back."""
        return 0 if self.gift is None else max(0, self.gift["balance"] - self.held.credits)

    @property
    def metadata(self) -> dict[str, Any]:
        """Its own metadata."""
        return {} if self.source is None else self.source.metadata

    def unavailable(self, now: datetime, zone_name: str) -> Refusal | None:
        """Return why it cannot be used now in the project's time zone, whoever asks, or None."""
        if self.tier is not None:
            return _tier_unavailable(self.tier, now, zone_name)
        if self.voucher is None:
            return Refusal(NotFound.key, NotFound.message, f"Cannot find {self.object} with id {self.id}")
        quantity = self.voucher.quantity
        if quantity is not None and self.held.quantity and self.voucher.redeemed_quantity < quantity:
            used = self.voucher.redeemed_quantity + self.held.quantity
            return unavailable(msgspec.structs.replace(self.voucher, redeemed_quantity=min(used, quantity)), now)
        return unavailable(self.voucher, now)


def _tier_unavailable(tier: Tier, now: datetime, zone: str) -> Refusal | None:
    starts = [date for date in (tier.start_date, tier.campaign_start_date) if date is not None]
    ends = [date for date in (tier.expiration_date, tier.campaign_expiration_date) if date is not None]
    if not (tier.active and tier.campaign_active):
        return _inactive(tier, "is disabled")
    if starts and now < max(starts):
        return _inactive(tier, "has not started yet")
    if ends and now >= min(ends):
        return _inactive(tier, "has expired")
    own = (tier.validity_timeframe, tier.validity_day_of_week, tier.validity_hours)
    campaign = (
        tier.campaign_validity_timeframe,
        tier.campaign_validity_day_of_week,
        tier.campaign_validity_hours,
    )
    if is_open(*own, start=tier.start_date or tier.campaign_start_date, now=now, zone_name=zone) and is_open(
        *campaign, start=tier.campaign_start_date, now=now, zone_name=zone
    ):
        return None
    return _inactive(tier, "is not active at this time")


def _inactive(tier: Tier, why: str) -> Refusal:
    return Refusal("promotion_inactive", "Inactive Promotion", f"Promotion tier {tier.id} {why}")
