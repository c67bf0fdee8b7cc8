"""What the operations of orders answer, as the OpenAPI document declares it. Amounts are minor units."""

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from rapport.customers.answers import NamedCustomer
from rapport.http.answers import Count, Instant


class ItemProduct(msgspec.Struct, kw_only=True):
    """What an order's item says about its product."""

    id: str | UnsetType = UNSET
    source_id: str | UnsetType = UNSET
    name: str | UnsetType = UNSET
    price: float | UnsetType = UNSET
    metadata: dict[str, Any] | UnsetType = UNSET


class ItemSku(msgspec.Struct, kw_only=True):
    """What an order's item says about its SKU."""

    id: str | UnsetType = UNSET
    source_id: str | UnsetType = UNSET
    sku: str | UnsetType = UNSET
    price: float | UnsetType = UNSET
    metadata: dict[str, Any] | UnsetType = UNSET


class OrderItem(msgspec.Struct, kw_only=True):
    """One line of an order."""

    object: Literal["order_item"]
    sku_id: str | UnsetType = UNSET
    product_id: str | UnsetType = UNSET
    related_object: Literal["product", "sku"] | UnsetType = UNSET
    source_id: str | UnsetType = UNSET
    quantity: Count | UnsetType = UNSET
    discount_quantity: Count | UnsetType = UNSET
    initial_quantity: Count | UnsetType = UNSET
    price: Count | UnsetType = UNSET
    amount: Count | UnsetType = UNSET
    discount_amount: Count | UnsetType = UNSET
    initial_amount: Count | UnsetType = UNSET
    subtotal_amount: Count | UnsetType = UNSET
    product: ItemProduct | UnsetType = UNSET
    sku: ItemSku | UnsetType = UNSET
    metadata: dict[str, Any] | UnsetType = UNSET


class OrderRedemption(msgspec.Struct, kw_only=True):
    """A redemption on an order, and the rollback that undid it."""

    date: Instant
    related_object_type: Literal["redemption", "voucher", "promotion_tier"]
    related_object_id: str
    related_object_parent_id: str | UnsetType = UNSET
    stacked: list[str] | UnsetType = UNSET
    rollback_id: str | UnsetType = UNSET
    rollback_date: Instant | UnsetType = UNSET


class OrderAmounts(msgspec.Struct, kw_only=True):
    """What an order holds, whether it is stored or only thought of."""

    amount: Count
    initial_amount: Count
    discount_amount: Count
    items_discount_amount: Count
    total_discount_amount: Count
    applied_discount_amount: Count
    items_applied_discount_amount: Count
    total_applied_discount_amount: Count
    total_amount: Count
    items: list[OrderItem]
    metadata: dict[str, Any]
    customer_id: str | None
    referrer_id: str | None
    object: Literal["order"]
    customer: NamedCustomer | UnsetType = UNSET
    referrer: NamedCustomer | UnsetType = UNSET
    redemptions: dict[str, OrderRedemption] | UnsetType = UNSET


class OrderAnswer(OrderAmounts, kw_only=True):
    """An order: `OrderCalculated` of the reference."""

    id: str
    source_id: str | None
    status: Literal["CREATED", "PAID", "CANCELED", "FULFILLED"]
    created_at: Instant
    updated_at: Instant | None
