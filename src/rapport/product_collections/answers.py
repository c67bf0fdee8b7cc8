"""What the operations of collections answer, as the OpenAPI document declares it."""

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from rapport.http.answers import Count, Instant
from rapport.products.answers import ProductWithoutSkus


class MemberAnswer(msgspec.Struct, kw_only=True):
    """A product or a SKU in a collection; `product_id` is that of a SKU's product."""

    id: str
    object: Literal["product", "sku"]
    product_id: str | UnsetType = UNSET


class CollectionAnswer(msgspec.Struct, kw_only=True):
    """A collection: `ProductCollectionsItem` of the reference."""

    id: str
    name: str
    type: Literal["STATIC", "AUTO_UPDATE"]
    created_at: Instant
    object: Literal["products_collection"]
    filter: dict[str, Any] | UnsetType = UNSET
    products: list[MemberAnswer] | UnsetType = UNSET
    updated_at: Instant | UnsetType = UNSET


class ItemAnswer(msgspec.Struct, kw_only=True):
    """A product, or a SKU with its product: `ProductWithoutSkus` and `SkuWithProduct` of the reference."""

    id: str
    source_id: str | None
    price: Count | None
    metadata: dict[str, Any]
    image_url: str | None
    created_at: Instant
    updated_at: Instant | None
    object: Literal["product", "sku"]
    attributes: list[str] | UnsetType = UNSET
    name: str | None | UnsetType = UNSET
    sku: str | None | UnsetType = UNSET
    currency: str | None | UnsetType = UNSET
    product_id: str | UnsetType = UNSET
    product: ProductWithoutSkus | UnsetType = UNSET
