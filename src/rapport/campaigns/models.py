"""A campaign as a value, and what its codes take off an order."""

from datetime import datetime
from typing import Any

import msgspec

from rapport.campaigns.codes import CodeConfig

STATIC = "STATIC"
AUTO_UPDATE = "AUTO_UPDATE"
DISCOUNT_COUPONS = "DISCOUNT_COUPONS"


class Campaign(msgspec.Struct, frozen=True):
    """One campaign row.

    `discount` is the reference's discount object: PERCENT with `percent_off` (0 to 100, may have a fraction) and maybe
    `amount_limit`, or AMOUNT with `amount_off`; amounts in minor units. `quantity` is how often each code may be
    redeemed, None without limit. `codes_made` of `codes_wanted` vouchers are there; those that an
    AUTO_UPDATE campaign makes while it publishes are in neither, so that publishing does not write the campaign's row.
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
    discount: dict[str, Any]
    quantity: int | None
    code_config: dict[str, Any]
    metadata: dict[str, Any]
    active: bool
    codes_wanted: int
    codes_made: int
    codes_failed: bool
    created_at: datetime
    updated_at: datetime | None

    @property
    def codes(self) -> CodeConfig:
        """How the campaign's codes look."""
        return msgspec.convert(self.code_config, CodeConfig)

    @property
    def creation_status(self) -> str:
        """The state of the generation of codes, in the reference's words."""
        if self.codes_failed:
            return "FAILED"
        return "DONE" if self.codes_made == self.codes_wanted else "IN_PROGRESS"
