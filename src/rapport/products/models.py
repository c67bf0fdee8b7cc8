"""Products and SKUs as values."""

from datetime import datetime
from typing import Any

import msgspec

MAX_PRICE = 2**53 - 1


class Product(msgspec.Struct, frozen=True):
    """One product. `price` in minor units; `attributes` names those that its SKUs may have values for."""

    id: str
    source_id: str | None
    name: str | None
    price: int | None
    attributes: list[str]
    metadata: dict[str, Any]
    image_url: str | None
    created_at: datetime
    updated_at: datetime | None


class Sku(msgspec.Struct, frozen=True):
    """One variant of a product. `price` in minor units; `attributes` has the values of the product's attributes."""

    id: str
    product_id: str
    source_id: str | None
    sku: str | None
    price: int | None
    currency: str | None
    attributes: dict[str, Any]
    metadata: dict[str, Any]
    image_url: str | None
    created_at: datetime
    updated_at: datetime | None
