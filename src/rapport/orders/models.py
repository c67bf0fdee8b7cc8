"""An order as a value, its arithmetic, and what it counts for."""

from datetime import datetime
from typing import Any

import msgspec

COUNTED = frozenset({"PAID", "FULFILLED"})
MAX_AMOUNT = 2**53 - 1


class Order(msgspec.Struct, frozen=True):
    """One order row. Amounts are minor units."""

    id: str
    source_id: str | None
    status: str
    customer_id: str | None
    referrer_id: str | None
    amount: int
    initial_amount: int | None
    discount_amount: int
    total_amount: int
    applied_discount_amount: int
    items: list[dict[str, Any]]
    metadata: dict[str, Any]
    redemptions: dict[str, Any]
    created_at: datetime
    updated_at: datetime | None
    location: dict[str, str] | None = None

    @property
    def counts(self) -> bool:
        """Whether the order counts in its customer's summary (`CustomerSummaryOrders` of the reference)."""
        return self.status in COUNTED

    @property
    def items_discount_amount(self) -> int:
        """The sum of the discounts on single items, in minor units."""
        return sum(item.get("discount_amount", 0) for item in self.items)


def products(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what was bought, flat, as `summary.orders.last_order_products` shows it: ids, source ids, SKU, name."""
    found = []
    for item in items:
        product, sku = item.get("product") or {}, item.get("sku") or {}
        is_sku = item.get("related_object") == "sku"
        entry = {
            "product_id": item.get("product_id") or product.get("id"),
            "source_id": product.get("source_id") or (None if is_sku else item.get("source_id")),
            "sku_id": item.get("sku_id") or sku.get("id"),
            "sku_source_id": sku.get("source_id") or (item.get("source_id") if is_sku else None),
            "sku": sku.get("sku"),
            "name": product.get("name"),
            "quantity": item.get("quantity"),
        }
        found.append({name: value for name, value in entry.items() if value is not None})
    return found
