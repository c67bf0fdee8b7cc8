"""What the operations of the catalogue answer, as the OpenAPI document declares it. Prices are minor units."""

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from rapport.http.answers import Count, Instant


class SkuAnswer(msgspec.Struct, kw_only=True):
    """A SKU: `Sku` of the reference."""

    id: str
    source_id: str | None
    product_id: str
    sku: str | None
    price: Count | None
    currency: str | None
    attributes: dict[str, Any]
    image_url: str | None
    metadata: dict[str, Any]
    created_at: Instant
    updated_at: Instant | None
    object: Literal["sku"]


class SkusOfProduct(msgspec.Struct, kw_only=True):
    """The first SKUs of a product; `total` counts all of them."""

    object: Literal["list"]
    data_ref: Literal["data"]
    data: list[SkuAnswer]
    total: Count


class ProductWithoutSkus(msgspec.Struct, kw_only=True):
    """A product on its own: `ProductWithoutSkus` of the reference."""

    id: str
    source_id: str | None
    name: str | None
    price: Count | None
    attributes: list[str]
    metadata: dict[str, Any]
    image_url: str | None
    created_at: Instant
    updated_at: Instant | None
    object: Literal["product"]


class ProductAnswer(ProductWithoutSkus, kw_only=True):
    """A product: `Product` of the reference."""

    skus: SkusOfProduct | UnsetType = UNSET
