"""Products, SKUs and collections as tests make them."""

from typing import Any

PRODUCTS = "/v1/products"
COLLECTIONS = "/v1/product-collections"


def make_product(api: Any, source_id: str = "phone", **more: Any) -> Any:
    """Make a product, or change it."""
    return api.call("POST", PRODUCTS, {"source_id": source_id, **more})


def make_sku(api: Any, product: str = "phone", source_id: str = "phone-s", **more: Any) -> Any:
    """Make a SKU of a product, or change it."""
    return api.call("POST", f"{PRODUCTS}/{product}/skus", {"source_id": source_id, **more})


def make_filter(field: str, operator: str, *operands: Any) -> dict[str, Any]:
    """Return a filter with one condition."""
    return {"junction": "and", field: {"conditions": {operator: list(operands)}}}


def make_collection(api: Any, name: str, **more: Any) -> Any:
    """Make a collection: STATIC where it is given products."""
    kind = "STATIC" if "products" in more else "AUTO_UPDATE"
    return api.call("POST", COLLECTIONS, {"type": kind, "name": name, **more})


def items_of(api: Any, collection_id: str, **query: str) -> list[str]:
    """Return the source ids of what is in a collection, as its list has them."""
    found = api.call("GET", f"{COLLECTIONS}/{collection_id}/products", params=query)
    return [one["source_id"] for one in found["data"]]
