"""The customer as a value: what is stored of a person, and what filters, rules and messages may look at."""

from datetime import date, datetime
from typing import Any, Literal, get_args

import msgspec

from rapport.core import jsons

# By what a person can be reached.
Channel = Literal["email", "sms", "push", "web_push", "app", "whatsapp", "messenger", "phone", "post", "webhook"]
CHANNELS: tuple[Channel, ...] = get_args(Channel)
# What becomes of a message that goes to a person.
Interaction = Literal["sent", "delivered", "opened", "clicked", "bounced", "complained", "unsubscribed"]
INTERACTIONS: tuple[Interaction, ...] = get_args(Interaction)
ADDRESS_FIELDS = ("city", "state", "line_1", "line_2", "country", "postal_code")

NO_REDEMPTIONS: dict[str, Any] = {
    "total_redeemed": 0,
    "total_failed": 0,
    "total_succeeded": 0,
    "total_rolled_back": 0,
    "total_rollback_failed": 0,
    "total_rollback_succeeded": 0,
    "gift": {"redeemed_amount": 0, "amount_to_go": 0},
    "loyalty_card": {"redeemed_points": 0, "points_to_go": 0},
}
NO_LOYALTY: dict[str, Any] = {"points": 0, "referred_customers": 0, "campaigns": {}}
NO_REFERRALS: dict[str, Any] = {"total": 0, "campaigns": []}


class Customer(msgspec.Struct, frozen=True):
    """One customer row. Amounts are minor units, instants aware UTC in milliseconds.

    The JSON parts (`address`, `metadata`, `redemptions`, `loyalty`, `referrals`, `events`, `last_order_products`,
    `consents`, `devices`, `marketing`, `in_store`) have the shape the API shows. They are shared between copies:
    replace them, never change them in place.
    """

    id: str
    created_at: datetime
    updated_at: datetime
    source_id: str | None = None
    name: str | None = None
    description: str | None = None
    email: str | None = None
    phone: str | None = None
    birthdate: date | None = None
    address: dict[str, str] = msgspec.field(default_factory=dict)
    metadata: dict[str, Any] = msgspec.field(default_factory=dict)
    system_metadata: dict[str, Any] = msgspec.field(default_factory=dict)
    source: str = "API"
    orders_count: int = 0
    orders_amount: int = 0
    last_order_id: str | None = None
    last_order_amount: int | None = None
    last_order_at: datetime | None = None
    last_order_products: list[dict[str, Any]] = msgspec.field(default_factory=list)
    redemptions: dict[str, Any] = msgspec.field(default_factory=lambda: NO_REDEMPTIONS)
    loyalty: dict[str, Any] = msgspec.field(default_factory=lambda: NO_LOYALTY)
    referrals: dict[str, Any] = msgspec.field(default_factory=lambda: NO_REFERRALS)
    events: dict[str, dict[str, Any]] = msgspec.field(default_factory=dict)
    consents: dict[str, dict[str, Any]] = msgspec.field(default_factory=dict)
    devices: list[dict[str, Any]] = msgspec.field(default_factory=list)
    marketing: dict[str, dict[str, Any]] = msgspec.field(default_factory=dict)
    in_store: dict[str, Any] = msgspec.field(default_factory=dict)

    @property
    def orders_average(self) -> int:
        """The mean amount of the counted orders in minor units, rounded half up; 0 without orders."""
        return (2 * self.orders_amount + self.orders_count) // (2 * self.orders_count) if self.orders_count else 0


def differs(one: Customer, other: Customer) -> bool:
    """Whether there is anything to be written; 1 and true in metadata, which are equal in Python, are two things."""
    return one is not other and not (
        one == other
        and jsons.alike(one.metadata, other.metadata)
        and jsons.alike(one.system_metadata, other.system_metadata)
    )
