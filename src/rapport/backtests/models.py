"""A back-test as a value, and what it keeps about single orders."""

from datetime import datetime
from typing import Any, Literal

import msgspec

from rapport.backtests.tally import Tally

Kind = Literal["qualified", "refused", "compared"]


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """What is tried, checked, as it is stored.

    `validation_rule`: the rule that it was read from, which may have changed since. Without `discount` only the rules
    are tried. `api_key` is that of whoever asked: app id and name.
    """

    validation_rule: str | None
    rules: dict[str, Any]
    error: dict[str, Any] | None
    applicable_to: dict[str, Any]
    discount: dict[str, Any] | None
    api_key: list[str]
    bundle_rules: dict[str, Any] = {}


class Backtest(msgspec.Struct, frozen=True):
    """One back-test. Orders of `statuses` that were made from `since` on and before `until` are replayed.

    `cursor_at` and `cursor_id` name the last order that was replayed; `is_replayed`: all were, and what was counted for
    the replay is being removed. `status` is that of its asynchronous action.
    """

    id: str
    async_action_id: str
    draft: Draft
    campaign_id: str | None
    campaign: str | None
    statuses: list[str]
    since: datetime | None
    until: datetime
    cursor_at: datetime | None
    cursor_id: str | None
    orders_total: int | None
    is_replayed: bool
    tally: Tally
    created_at: datetime
    finished_at: datetime | None
    status: str

    @property
    def progress(self) -> int:
        """How much is done, in percent."""
        if self.finished_at is not None:
            return 100
        return min(99, 100 * self.tally.orders // self.orders_total) if self.orders_total else 0


class Sample(msgspec.Struct, frozen=True):
    """What became of one order; `details` is what the API shows beside the ids."""

    id: str
    backtest_id: str
    kind: Kind
    order_id: str
    customer_id: str | None
    details: dict[str, Any]
    created_at: datetime
