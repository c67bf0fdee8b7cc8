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

    `voucher_id` is None for the parent of a stack, whose children name it in `parent_id`. A rollback names in
    `redemption_id` what it undid; a redemption that was undone names in `rollback_id` by what. `amounts` are the
    order's amounts as they were with this redemption, in minor units, as the API shows them.
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
