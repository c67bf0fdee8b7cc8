"""A campaign as a value, and what its codes are worth."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Protocol

import msgspec

from rapport.campaigns.codes import CodeConfig
from rapport.core.db import Connection
from rapport.http.caller import Caller

STATIC = "STATIC"
AUTO_UPDATE = "AUTO_UPDATE"
DISCOUNT_COUPONS = "DISCOUNT_COUPONS"
GIFT_VOUCHERS = "GIFT_VOUCHERS"
PROMOTION = "PROMOTION"
DISCOUNT_VOUCHER = "DISCOUNT_VOUCHER"
GIFT_VOUCHER = "GIFT_VOUCHER"
VOUCHER_TYPES: Final[Mapping[str, str]] = {DISCOUNT_COUPONS: DISCOUNT_VOUCHER, GIFT_VOUCHERS: GIFT_VOUCHER}
"""What the codes of a campaign are, by its type; a campaign of in-cart promotions has none."""


class Campaign(msgspec.Struct, frozen=True):
    """One campaign row.

    `discount` is the reference's discount object, as `DISCOUNT_COUPONS` have it; `gift` is what each code of
    `GIFT_VOUCHERS` is worth: `amount` in minor units, and maybe its `effect`. `quantity` is how often each code may be
    redeemed, None without limit. `codes_made` of `codes_wanted` vouchers are there; those that an AUTO_UPDATE campaign
    makes while it publishes are in neither, so that publishing does not write the campaign's row. The windows of time
    are as the API shows them (see `windows`).
    """

    id: str
    name: str
    description: str | None
    campaign_type: str
    type: str
    join_once: bool
    auto_join: bool
    start_date: datetime | None
    expiration_date: datetime | None
    activity_duration: str | None
    discount: dict[str, Any] | None
    quantity: int | None
    code_config: dict[str, Any]
    metadata: dict[str, Any]
    active: bool
    codes_wanted: int
    codes_made: int
    codes_failed: bool
    created_at: datetime
    updated_at: datetime | None
    gift: dict[str, Any] | None = None
    validity_timeframe: dict[str, Any] | None = None
    validity_day_of_week: list[int] | None = None
    validity_hours: dict[str, Any] | None = None
    category: str | None = None
    category_id: str | None = None
    is_referral_code: bool = False
    use_voucher_metadata_schema: bool = False
    codes_deleted: int = 0

    @property
    def codes(self) -> CodeConfig:
        """How the campaign's codes look."""
        return msgspec.convert(self.code_config, CodeConfig)

    @property
    def voucher_type(self) -> str | None:
        """What its codes are, or None where it has none."""
        return VOUCHER_TYPES.get(self.campaign_type)

    @property
    def metadata_schema(self) -> str:
        """The resource whose metadata schema holds for the campaign."""
        return "voucher" if self.use_voucher_metadata_schema else "campaign"

    @property
    def creation_status(self) -> str:
        """The state of the generation of codes, in the reference's words."""
        if self.codes_failed:
            return "FAILED"
        return "DONE" if self.codes_made == self.codes_wanted else "IN_PROGRESS"


class Tiers(Protocol):
    """The tiers of campaigns of type PROMOTION, which a feature above keeps (`app.state.promotion_tiers`)."""

    async def create(self, conn: Connection, caller: Caller, campaign: Campaign, promotion: Any) -> None:
        """Create what the `promotion` of a new campaign says, in its transaction. Raises InvalidPayload."""

    async def shown(self, conn: Connection, project_id: int, campaign_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Return the `promotion` of each of these campaigns as the API shows it."""
