"""Answers about the catalogue and its collections fit the reference's schemas, and its examples are taken."""

import functools
import json
from typing import Any

from catalogue import COLLECTIONS, PRODUCTS, make_collection, make_filter, make_product, make_sku
from contract.test_promotion_schemas import check
from contract.test_reference_schemas import document


@functools.cache
def examples(name: str, method: str, path: str) -> list[Any]:
    """The bodies that a document gives as examples."""
    body = document(name)["paths"][path][method]["requestBody"]["content"]["application/json"]
    return [one["value"] for one in body["examples"].values()]


def test_products_and_skus(api: Any) -> None:
    one = "/v1/products/{productId}"
    (body,) = examples("products", "post", PRODUCTS)
    made = check(api.call("POST", PRODUCTS, body), "products", "post", PRODUCTS)
    path = f"{PRODUCTS}/{made['id']}"
    (body,) = examples("products", "post", f"{one}/skus")
    sku = check(api.call("POST", f"{path}/skus", body), "products", "post", f"{one}/skus")
    (body,) = examples("products", "put", one)
    assert check(api.call("PUT", path, body), "products", "put", one)["price"] == 210_000
    (body,) = examples("products", "put", f"{one}/skus/{{skuId}}")
    changed = api.call("PUT", f"{path}/skus/{sku['id']}", body)
    assert check(changed, "products", "put", f"{one}/skus/{{skuId}}")["currency"] == "PLN"
    check(api.call("GET", path), "products", "get", one)
    check(api.call("GET", PRODUCTS), "products", "get", PRODUCTS)
    check(api.call("GET", f"{path}/skus"), "products", "get", f"{one}/skus")
    check(api.call("GET", f"/v1/skus/{sku['id']}"), "products", "get", "/v1/skus/{skuId}")
    for kind in ("bulk", "metadata"):
        (body,) = examples("products", "post", f"{PRODUCTS}/{kind}/async")
        answer = api.call("POST", f"{PRODUCTS}/{kind}/async", body, status=202)
        check(answer, "products", "post", f"{PRODUCTS}/{kind}/async", "202")
    for kind in ("products", "skus"):
        files = {"file": (f"{kind}.csv", b"product_id,source_id,name\n1,2,3\n", "text/csv")}
        answer = api.call("POST", f"/v1/{kind}/importCSV", files=files)
        check(answer, "products", "post", f"/v1/{kind}/importCSV")


def test_collections(api: Any) -> None:
    name, one = "product-collections", f"{COLLECTIONS}/{{productCollectionId}}"
    product = make_product(api, "brand", price=6000, metadata={"brand": "Voucherify"})
    make_sku(api, "brand", "brand-s", price=6000, metadata={"brand": "Voucherify"})
    static, dynamic = examples(name, "post", COLLECTIONS)
    static = {**static, "products": [{**static["products"][0], "id": product["id"]}]}
    check(api.call("POST", COLLECTIONS, static), name, "post", COLLECTIONS)
    made = check(api.call("POST", COLLECTIONS, dynamic), name, "post", COLLECTIONS)
    _, body = examples(name, "put", one)
    path = f"{COLLECTIONS}/{made['id']}"
    listed = api.call("GET", f"{path}/products")
    # The document has a SKU's attributes as an object, which the SDK cannot read here: they alone are left out.
    listed["data"] = [{"attributes": {}, **item} for item in listed["data"]]
    check(listed, name, "get", f"{one}/products")
    assert sorted(item["source_id"] for item in listed["data"]) == ["brand", "brand-s"]
    check(api.call("PUT", path, body), name, "put", one)
    check(api.call("GET", path), name, "get", one)
    check(api.call("GET", COLLECTIONS), name, "get", COLLECTIONS)


def test_the_filters_of_the_reference_are_understood_but_for_places(api: Any) -> None:
    listed = document("product-collections")["paths"][COLLECTIONS]["get"]["responses"]["200"]
    found = listed["content"]["application/json"]["examples"]["Example"]["value"]["data"]
    filters = [one["filter"] for one in found if "filter" in one]
    assert len(filters) == 8
    for number, one in enumerate(filters):
        body = {"type": "AUTO_UPDATE", "name": str(number), "filter": one}
        if "$in_location" in json.dumps(one):
            api.fails("POST", COLLECTIONS, body, status=400, key="invalid_payload")
        else:
            assert api.call("POST", COLLECTIONS, body)["filter"] == one
    assert make_collection(api, "more", filter=make_filter("price", "$is", 1))["type"] == "AUTO_UPDATE"


def test_the_example_order_is_answered_as_the_reference_shows(api: Any) -> None:
    _, body = examples("orders", "post", "/v1/orders")
    answer = check(api.call("POST", "/v1/orders", body), "orders", "post", "/v1/orders")
    shown = document("orders")["paths"]["/v1/orders"]["post"]["responses"]["200"]
    expected = shown["content"]["application/json"]["examples"]["Example"]["value"]
    assert (answer["amount"], answer["total_amount"]) == (expected["amount"], expected["total_amount"])
    for item, wanted in zip(answer["items"], expected["items"], strict=True):
        assert _without_ids(wanted).items() <= _without_ids(item).items()


def _without_ids(item: dict[str, Any]) -> dict[str, Any]:
    return {
        name: {key: one for key, one in value.items() if key != "id"} if isinstance(value, dict) else value
        for name, value in item.items()
        if name not in ("product_id", "sku_id")
    }
