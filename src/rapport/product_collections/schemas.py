"""Collections of products on the wire."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from rapport.core.clock import iso
from rapport.core.errors import InvalidPayload
from rapport.product_collections.models import AUTO_UPDATE, STATIC, Collection, Item, Member
from rapport.products.models import Product, Sku
from rapport.products.schemas import view_product, view_sku

MAX_MEMBERS = 2_000

Name = Annotated[str, Meta(min_length=1, max_length=255)]
Id = Annotated[str, Meta(min_length=1, max_length=255)]


class MemberInput(msgspec.Struct, kw_only=True):
    """A product or a SKU that is to be in a collection."""

    id: Id
    object: Literal["product", "sku"]
    product_id: Id | None = None


Members = Annotated[list[MemberInput], Meta(max_length=MAX_MEMBERS)]


class CollectionInput(msgspec.Struct, kw_only=True):
    """A new collection: `ProductCollectionsCreateRequestBody` of the reference, both kinds."""

    type: Literal["STATIC", "AUTO_UPDATE"]
    name: Name
    products: Members | None = None
    filter: dict[str, Any] | None = None


class CollectionUpdate(msgspec.Struct, kw_only=True):
    """`ProductCollectionsUpdateRequestBody` of the reference; what is absent or null stays."""

    name: Name | None = None
    filter: dict[str, Any] | None = None
    products: Members | None = None


def check_kind(kind: str, data: CollectionInput | CollectionUpdate) -> None:
    """Raise InvalidPayload where a request says what collections of this kind do not have."""
    if kind == STATIC and data.filter is not None:
        raise InvalidPayload("'STATIC' collection has no filter")
    if kind == AUTO_UPDATE and data.products:
        raise InvalidPayload("'AUTO_UPDATE' collection has no products of its own: its filter says what is in it")


def view(collection: Collection, members: Sequence[Member]) -> dict[str, Any]:
    """Return the collection object of the API (`ProductCollectionsItem`)."""
    shown: dict[str, Any] = {"id": collection.id, "name": collection.name, "type": collection.type}
    if collection.type == STATIC:
        shown["products"] = [_member(one) for one in members]
    else:
        shown["filter"] = collection.filter
    shown["created_at"] = iso(collection.created_at)
    if collection.updated_at is not None:
        shown["updated_at"] = iso(collection.updated_at)
    shown["object"] = "products_collection"
    return shown


def _member(member: Member) -> dict[str, Any]:
    if member.sku_id is None:
        return {"id": member.product_id, "object": "product"}
    return {"id": member.sku_id, "product_id": member.product_id, "object": "sku"}


def view_item(item: Item, products: Mapping[str, Item]) -> dict[str, Any]:
    """Return a product, or a SKU with its product (`SkuWithProduct`).

    Without the attributes of a SKU: to the SDKs both kinds are one class, whose attributes are a list of names.
    """
    if item.object == "product":
        return _product(item)
    sku = Sku(
        item.id, item.product_id or "", item.source_id, item.name, item.price, item.currency, {}, item.metadata,
        item.image_url, item.created_at, item.updated_at,
    )  # fmt: skip
    shown = {name: value for name, value in view_sku(sku).items() if name != "attributes"}
    parent = products.get(sku.product_id)
    return shown if parent is None else {**shown, "product": _product(parent)}


def _product(item: Item) -> dict[str, Any]:
    product = Product(
        item.id, item.source_id, item.name, item.price, list(item.attributes), item.metadata, item.image_url,
        item.created_at, item.updated_at,
    )  # fmt: skip
    return view_product(product)
