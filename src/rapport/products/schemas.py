"""Products and SKUs on the wire."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from rapport.core import jsons
from rapport.core.clock import iso
from rapport.core.errors import InvalidPayload
from rapport.metadata.models import Schema, Schemas
from rapport.metadata.values import check
from rapport.products.models import MAX_PRICE, Product, Sku

MAX_METADATA_KEYS = 1000
# An order keeps the metadata of the products that it is of.
MAX_METADATA_BYTES = 16_384
MAX_ATTRIBUTES = 100
# SKUs that a product shows; all of them are in their own list.
SHOWN_SKUS = 100
# The schema of both: a SKU has a product's metadata, but it need not repeat what its product has to have.
SCHEMA = "product"

Text = Annotated[str, Meta(max_length=1024)]
LongText = Annotated[str, Meta(max_length=2048)]
Identifier = Annotated[str, Meta(min_length=1, max_length=255)]
Price = Annotated[int, Meta(ge=0, le=MAX_PRICE)]
Attributes = Annotated[list[Annotated[str, Meta(min_length=1, max_length=255)]], Meta(max_length=MAX_ATTRIBUTES)]
_THING = TypeVar("_THING", Product, Sku)


class ProductInput(msgspec.Struct, kw_only=True):
    """A product in a request: `ProductsCreateRequestBody` and `ProductsUpdateRequestBody` of the reference.

    What is absent or null stays as it is: the official SDK sends null for whatever it was not given. An empty text
    removes the value. `metadata` is merged key by key, and a key that is null is removed.
    """

    id: Identifier | None = None
    source_id: Identifier | None = None
    name: Text | None = None
    price: Price | None = None
    attributes: Attributes | None = None
    metadata: dict[str, Any] | None = None
    image_url: LongText | None = None


class SkuInput(msgspec.Struct, kw_only=True):
    """A SKU in a request: `ProductsSkusCreateRequestBody` of the reference; as ProductInput."""

    id: Identifier | None = None
    source_id: Identifier | None = None
    sku: Text | None = None
    price: Price | None = None
    currency: Annotated[str, Meta(max_length=8)] | None = None
    attributes: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None
    image_url: LongText | None = None


def blank_product(product_id: str, now: datetime) -> Product:
    """Return a product of which nothing is said yet."""
    return Product(product_id, None, None, None, [], {}, None, now, None)


def blank_sku(sku_id: str, product_id: str, now: datetime) -> Sku:
    """Return a SKU of which nothing is said yet."""
    return Sku(sku_id, product_id, None, None, None, None, {}, {}, None, now, None)


def merged(current: dict[str, Any], said: dict[str, Any] | None, path: str = ".metadata") -> dict[str, Any]:
    """Return metadata with what a request says set. Raises InvalidPayload."""
    if said is None:
        return current
    jsons.check_limits(said, path)
    found = {name: value for name, value in {**current, **said}.items() if value is not None}
    if len(found) > MAX_METADATA_KEYS or len(jsons.encode(found)) > MAX_METADATA_BYTES:
        raise InvalidPayload(f"Property {path} has more than {MAX_METADATA_KEYS} keys or {MAX_METADATA_BYTES} bytes")
    return found


def _text(said: str | None, current: str | None) -> str | None:
    return current if said is None else said or None


def _with_names(change: ProductInput | SkuInput, current: _THING) -> _THING:
    """Return a thing with what both kinds have set."""
    return msgspec.structs.replace(
        current,
        source_id=current.source_id if change.source_id is None else change.source_id,
        price=current.price if change.price is None else change.price,
        image_url=_text(change.image_url, current.image_url),
        metadata=merged(current.metadata, change.metadata),
    )


def apply_product(change: ProductInput, current: Product) -> Product:
    """Return the product with a request's values set. Pure; raises InvalidPayload."""
    jsons.check_limits(change.attributes or [], ".attributes")
    attributes = current.attributes if change.attributes is None else list(dict.fromkeys(change.attributes))
    return msgspec.structs.replace(
        _with_names(change, current), name=_text(change.name, current.name), attributes=attributes
    )


def apply_sku(change: SkuInput, current: Sku) -> Sku:
    """Return the SKU with a request's values set. Pure; raises InvalidPayload."""
    attributes = merged(current.attributes, change.attributes, ".attributes")
    if len(attributes) > MAX_ATTRIBUTES:
        raise InvalidPayload(f"Property .attributes has more than {MAX_ATTRIBUTES} keys")
    return msgspec.structs.replace(
        _with_names(change, current),
        sku=_text(change.sku, current.sku),
        currency=_text(change.currency, current.currency),
        attributes=attributes,
    )


def _optional(schema: Schema | None) -> Schema | None:
    if schema is None or not schema.required:
        return schema
    properties = {key: msgspec.structs.replace(one, optional=True) for key, one in schema.properties.items()}
    return Schema(schema.name, properties, schema.allow_defined_only, schema.nested)


def checked(after: _THING, before: _THING | None, schemas: Schemas, path: str = ".metadata") -> _THING:
    """Return a thing with the metadata as the schema wants it. Pure; raises MetadataInvalid."""
    schema = schemas.of(SCHEMA)
    if isinstance(after, Sku):
        schema = _optional(schema)
    if schema is None or (before is not None and after.metadata is before.metadata):
        return after
    metadata = check(schema, after.metadata, before=None if before is None else before.metadata, path=path)
    return msgspec.structs.replace(after, metadata=metadata)


def differs(one: _THING, other: _THING) -> bool:
    """Tell whether two things have other values, whenever they were made or changed."""
    same = one is other or (
        msgspec.structs.replace(one, updated_at=None) == msgspec.structs.replace(other, updated_at=None)
        and jsons.alike(one.metadata, other.metadata)
        and jsons.alike(one.attributes, other.attributes)
    )
    return not same


def view_product(product: Product) -> dict[str, Any]:
    """Return the product object of the API (`ProductWithoutSkus`)."""
    return {
        "id": product.id,
        "source_id": product.source_id,
        "name": product.name,
        "price": product.price,
        "attributes": product.attributes,
        "metadata": product.metadata,
        "image_url": product.image_url,
        "created_at": iso(product.created_at),
        "updated_at": None if product.updated_at is None else iso(product.updated_at),
        "object": "product",
    }


def view_sku(sku: Sku) -> dict[str, Any]:
    """Return the SKU object of the API (`Sku`)."""
    return {
        "id": sku.id,
        "source_id": sku.source_id,
        "product_id": sku.product_id,
        "sku": sku.sku,
        "price": sku.price,
        "currency": sku.currency,
        "attributes": sku.attributes,
        "image_url": sku.image_url,
        "metadata": sku.metadata,
        "created_at": iso(sku.created_at),
        "updated_at": None if sku.updated_at is None else iso(sku.updated_at),
        "object": "sku",
    }


def view_with_skus(product: Product, skus: Sequence[Sku], total: int) -> dict[str, Any]:
    """Return the product object with its first SKUs (`Product`)."""
    listed = {"object": "list", "data_ref": "data", "data": [view_sku(sku) for sku in skus], "total": total}
    return {**view_product(product), "skus": listed}
