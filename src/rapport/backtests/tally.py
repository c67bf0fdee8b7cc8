"""What is counted of a replay, order by order. Its size does not grow with the orders. Pure.

Amounts are minor units.
"""

from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

# Reasons beyond these are counted together: there are as many as rules, and a few more.
MAX_REASONS: Final = 300
# Months beyond these are counted together: 50 years.
MAX_MONTHS: Final = 600
OTHER: Final = "other"
SAMPLES: Final = 20
SAMPLES_OF_ONE_REASON: Final = 5


class Month(msgspec.Struct, kw_only=True):
    """One month of the project's time zone."""

    orders: int = 0
    qualified: int = 0
    orders_amount: int = 0
    discount_amount: int = 0


class RuleCount(msgspec.Struct, kw_only=True):
    """How many orders a rule kept out, and how many of them all other rules would have let in."""

    name: str
    refused: int = 0
    refused_alone: int = 0


class Reason(msgspec.Struct, kw_only=True):
    """Why so many orders were refused: the error that a redemption would have given, and the first rule at fault."""

    key: str
    message: str
    number: str | None
    name: str | None
    count: int = 0


class Compared(msgspec.Struct, kw_only=True):
    """What the draft would have made of redemptions of a campaign; `redemptions` is how many were looked at."""

    redemptions: int = 0
    unchanged: int = 0
    would_be_refused: int = 0
    amount_changes: int = 0
    discount_amount: int = 0
    draft_discount_amount: int = 0
    newly_qualified_orders: int = 0


class Tally(msgspec.Struct, kw_only=True):
    """All that was counted. `amount` is what the orders came to before discounts; `samples` were kept by kind."""

    orders: int = 0
    amount: int = 0
    qualified: int = 0
    qualified_amount: int = 0
    without_customer: int = 0
    customers: int = 0
    qualified_customers: int = 0
    discount_amount: int = 0
    months: dict[str, Month] = {}
    rules: dict[str, RuleCount] = {}
    reasons: dict[str, Reason] = {}
    compared: Compared = msgspec.field(default_factory=Compared)
    samples: dict[str, int] = {}

    def month_of(self, at: datetime, zone: ZoneInfo) -> Month:
        """Return the month of a moment; what comes after as many months as are told apart goes into OTHER."""
        month = at.astimezone(zone).date().isoformat()[:7]
        if month not in self.months and len(self.months) >= MAX_MONTHS:
            month = OTHER
        return self.months.setdefault(month, Month())

    def has_room(self, kind: str) -> bool:
        """Whether one more sample of a kind is kept; it is counted if so."""
        number = self.samples.get(kind, 0)
        self.samples[kind] = min(SAMPLES, number + 1)
        return number < SAMPLES

    def reason_of(self, key: str, message: str, number: str | None, name: str | None) -> Reason:
        """Return the reason that an order is refused for, with what was counted of it."""
        place = f"{key} {number or ''}"
        if place not in self.reasons and len(self.reasons) >= MAX_REASONS:
            place, key, message, number, name = "", "other", "Other reasons", None, None
        return self.reasons.setdefault(place, Reason(key=key, message=message, number=number, name=name))
