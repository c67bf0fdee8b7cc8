"""What the operations of customers answer, as the OpenAPI document declares it."""

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from rapport.http.answers import Count, Day, Instant


class Address(msgspec.Struct, kw_only=True):
    """A customer's address."""

    city: str | UnsetType = UNSET
    state: str | UnsetType = UNSET
    line_1: str | UnsetType = UNSET
    line_2: str | UnsetType = UNSET
    country: str | UnsetType = UNSET
    postal_code: str | UnsetType = UNSET


class GiftSummary(msgspec.Struct, kw_only=True):
    """Gift cards of a customer, in minor units."""

    redeemed_amount: int
    amount_to_go: int


class LoyaltyCardSummary(msgspec.Struct, kw_only=True):
    """Loyalty cards of a customer, in points."""

    redeemed_points: int
    points_to_go: int


class RedemptionsSummary(msgspec.Struct, kw_only=True):
    """How often a customer redeemed."""

    total_redeemed: Count
    total_failed: Count
    total_succeeded: Count
    total_rolled_back: Count
    total_rollback_failed: Count
    total_rollback_succeeded: Count
    gift: GiftSummary
    loyalty_card: LoyaltyCardSummary


class BoughtProduct(msgspec.Struct, kw_only=True):
    """A line of a customer's last order."""

    product_id: str | UnsetType = UNSET
    source_id: str | UnsetType = UNSET
    sku_id: str | UnsetType = UNSET
    sku_source_id: str | UnsetType = UNSET
    sku: str | UnsetType = UNSET
    name: str | UnsetType = UNSET
    quantity: Count | UnsetType = UNSET


class OrdersSummary(msgspec.Struct, kw_only=True):
    """What a customer's orders that are paid or fulfilled add up to, in minor units."""

    total_amount: int
    total_count: Count
    average_amount: int
    last_order_amount: int
    last_order_date: Instant | UnsetType = UNSET
    last_order_products: list[BoughtProduct] | UnsetType = UNSET


class Summary(msgspec.Struct, kw_only=True):
    """What a customer's redemptions and orders add up to."""

    redemptions: RedemptionsSummary
    orders: OrdersSummary


class LoyaltySummary(msgspec.Struct, kw_only=True):
    """A customer's loyalty points, in all and by campaign."""

    points: int
    referred_customers: int
    campaigns: dict[str, Any]


class ReferralsSummary(msgspec.Struct, kw_only=True):
    """How a customer was referred."""

    total: int
    campaigns: list[dict[str, Any]]


class EventsCount(msgspec.Struct, kw_only=True):
    """How many custom events of one name a customer has."""

    count: Count
    first_at: Instant
    last_at: Instant


class CustomerAnswer(msgspec.Struct, kw_only=True):
    """A customer: `CustomerWithSummaryLoyaltyReferrals` of the reference, and additions.

    `source` says how the customer came in, `system_metadata` what that system says of them, `events` how many custom
    events of each name there are, `consents` what they agreed to, `devices` where they were seen, `marketing` what
    became of messages to them, `in_store` where they were and bought.
    """

    id: str
    source_id: str | UnsetType = UNSET
    name: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    email: str | UnsetType = UNSET
    phone: str | UnsetType = UNSET
    birthdate: Day | UnsetType = UNSET
    birthday: Day | UnsetType = UNSET
    address: Address | None
    summary: Summary
    loyalty: LoyaltySummary
    referrals: ReferralsSummary
    metadata: dict[str, Any]
    system_metadata: dict[str, Any]
    source: str
    events: dict[str, EventsCount]
    consents: dict[str, dict[str, Any]]
    devices: list[dict[str, Any]]
    marketing: dict[str, dict[str, Any]]
    in_store: dict[str, Any]
    created_at: Instant
    updated_at: Instant
    object: Literal["customer"]


class ClientCustomerAnswer(msgspec.Struct, kw_only=True):
    """A customer as the page that made or changed them is told of: with what it said itself."""

    id: str
    source_id: str
    name: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    email: str | UnsetType = UNSET
    phone: str | UnsetType = UNSET
    birthdate: str | UnsetType = UNSET
    birthday: str | UnsetType = UNSET
    address: Address | UnsetType | None = UNSET
    metadata: dict[str, Any]
    object: Literal["customer"]


class SimpleCustomer(msgspec.Struct, kw_only=True):
    """A customer as other objects carry it."""

    id: str
    source_id: str | UnsetType = UNSET
    name: str | UnsetType = UNSET
    email: str | UnsetType = UNSET
    metadata: dict[str, Any]
    object: Literal["customer"]


class NamedCustomer(msgspec.Struct, kw_only=True):
    """A customer as an order names it."""

    id: str
    object: Literal["customer"]
