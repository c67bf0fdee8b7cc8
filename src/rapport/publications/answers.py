"""What the operations of publications answer, as the OpenAPI document declares it."""

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from rapport.campaigns.answers import DiscountAnswer, GiftAnswer
from rapport.customers.answers import CustomerAnswer, SimpleCustomer
from rapport.http.answers import Count, Instant
from rapport.vouchers.answers import VoucherAnswer


class PublishedVoucher(msgspec.Struct, kw_only=True):
    """A voucher as a publication in a list carries it; a deleted one without what it is worth."""

    id: str
    code: str
    object: Literal["voucher"]
    campaign: str | None
    is_referral_code: bool
    discount: DiscountAnswer | UnsetType = UNSET
    gift: GiftAnswer | UnsetType = UNSET


class PublicationAnswer(msgspec.Struct, kw_only=True):
    """A publication: codes given to a customer, or that this failed. A deleted customer is null."""

    id: str
    object: Literal["publication"]
    created_at: Instant
    customer_id: str | None
    tracking_id: str | None
    metadata: dict[str, Any]
    channel: str
    source_id: str | None
    result: Literal["SUCCESS", "FAILURE"]
    customer: SimpleCustomer | None
    failure_code: str | None | UnsetType = UNSET
    failure_message: str | None | UnsetType = UNSET
    vouchers_id: list[str] | UnsetType = UNSET
    vouchers: list[str] | UnsetType = UNSET
    voucher: PublishedVoucher | UnsetType = UNSET


class NamedCustomer(msgspec.Struct, kw_only=True):
    """What a client key is told of a customer."""

    id: str
    source_id: str | None
    object: Literal["customer"]
    summary: None
    loyalty: None
    referrals: None


class CreatedPublication(msgspec.Struct, kw_only=True):
    """A publication that succeeded, with its customer and the one voucher, or the codes of several."""

    id: str
    object: Literal["publication"]
    created_at: Instant
    customer_id: str
    tracking_id: str | None
    metadata: dict[str, Any]
    channel: Literal["API"]
    source_id: str | None
    result: Literal["SUCCESS"]
    customer: CustomerAnswer
    vouchers_id: list[str]
    vouchers: list[str] | UnsetType = UNSET
    voucher: VoucherAnswer | UnsetType = UNSET


class CreatedPublications(msgspec.Struct, kw_only=True):
    """A publication for each campaign, in the order in which they were named."""

    object: Literal["list"]
    data_ref: Literal["publications"]
    publications: list[CreatedPublication]
    total: Count


class ClientPublication(msgspec.Struct, kw_only=True):
    """As `CreatedPublication`, to a client key."""

    id: str
    object: Literal["publication"]
    created_at: Instant
    customer_id: str
    tracking_id: str | None
    metadata: dict[str, Any]
    channel: Literal["API"]
    source_id: str | None
    result: Literal["SUCCESS"]
    customer: NamedCustomer
    vouchers_id: list[str]
    vouchers: list[str] | UnsetType = UNSET
    voucher: VoucherAnswer | UnsetType = UNSET
