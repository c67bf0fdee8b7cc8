"""A line of the redemption ledger as a value."""

from datetime import datetime
from typing import Any

import msgspec

REDEMPTION = "redemption"
ROLLBACK = "redemption_rollback"
SUCCESS = "SUCCESS"
FAILURE = "FAILURE"


class Redemption(msgspec.Struct, frozen=True):
    """One row of redemptions: a redemption or a rollback, succeeded or failed.

    It is about a voucher or a promotion tier (named through `promotion_stack_id`, maybe), or it is the parent of a
    stack, whose children name it in `parent_id`. A rollback names in `redemption_id` what it undid; a redemption that
    was undone names in `rollback_id` by what. `amounts` are the order's amounts as they were with this redemption, in
    minor units, as the API shows them; `credits` is what was taken off a gift card; `effects` is what was done to
    single items (see `redemptions.effects`).
    """

    id: str
    object: str
    result: str
    channel: dict[str, str]
    created_at: datetime
    parent_id: str | None = None
    redemption_id: str | None = None
    rollback_id: str | None = None
    voucher_id: str | None = None
    voucher_code: str | None = None
    campaign_id: str | None = None
    campaign: str | None = None
    customer_id: str | None = None
    order_id: str | None = None
    amounts: dict[str, int] | None = None
    metadata: dict[str, Any] | None = None
    reason: str | None = None
    failure_code: str | None = None
    failure_message: str | None = None
    promotion_tier_id: str | None = None
    promotion_stack_id: str | None = None
    credits: int | None = None
    effects: list[dict[str, Any]] | None = None

    @property
    def is_parent(self) -> bool:
        """Whether it stands for several others."""
        return self.voucher_id is None and self.promotion_tier_id is None

    @property
    def related_object_type(self) -> str:
        """What it is about, in the reference's words."""
        if self.voucher_id is not None:
            return "voucher"
        return "redemption" if self.promotion_tier_id is None else "promotion_tier"

    @property
    def related_object_id(self) -> str:
        """The id of what it is about."""
        return self.voucher_id or self.promotion_tier_id or self.id

    @property
    def status(self) -> str:
        """The state of the redemption in the reference's words."""
        if self.result == FAILURE:
            return "FAILED"
        return "SUCCEEDED" if self.rollback_id is None else "ROLLED_BACK"

    @property
    def applied_amount(self) -> int:
        """What this redemption took off its order, in minor units."""
        return 0 if self.amounts is None else self.amounts["applied_discount_amount"]
