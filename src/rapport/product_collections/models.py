"""Collections, and what may be in them, as values."""

from datetime import datetime
from typing import Any, Literal

import msgspec

STATIC = "STATIC"
AUTO_UPDATE = "AUTO_UPDATE"


class Collection(msgspec.Struct, frozen=True):
    """One collection: `filter` says what is in one that is AUTO_UPDATE."""

    id: str
    name: str
    type: Literal["STATIC", "AUTO_UPDATE"]
    filter: dict[str, Any] | None
    created_at: datetime
    updated_at: datetime | None


class Member(msgspec.Struct, frozen=True):
    """A product in a STATIC collection, or a SKU with its product."""

    product_id: str
    sku_id: str | None


class Item(msgspec.Struct, frozen=True):
    """A product or a SKU as filters look at it, and as the API shows both in one list.

    `product_id` is that of a SKU's product; `name` is what a SKU calls `sku`; `skus` are those of a product.
    """

    object: Literal["product", "sku"]
    id: str
    product_id: str | None
    source_id: str | None
    name: str | None
    price: int | None
    currency: str | None
    attributes: list[str] | dict[str, Any]
    metadata: dict[str, Any]
    image_url: str | None
    skus: list[dict[str, Any]]
    created_at: datetime
    updated_at: datetime | None
