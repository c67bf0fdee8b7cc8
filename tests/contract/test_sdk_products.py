"""The official SDK, unmodified, makes every call about products and collections that it has, and reads every answer."""

from pathlib import Path
from typing import Any

import pytest
import voucherify
from voucherify import models
from voucherify.exceptions import ApiException, NotFoundException

from contract.test_bulk import finished


@pytest.fixture
def products(sdk: voucherify.ApiClient) -> voucherify.ProductsApi:
    return voucherify.ProductsApi(sdk)


def make(products: voucherify.ProductsApi, **more: Any) -> Any:
    body = {"source_id": "phone", "name": "Phone", "price": 2000, "attributes": ["color"], "metadata": {"a": 1}, **more}
    return products.create_product(models.ProductsCreateRequestBody.from_dict(body))


def make_sku(products: voucherify.ProductsApi) -> Any:
    body = {"source_id": "phone-s", "sku": "S", "price": 1500, "currency": "USD", "attributes": {"color": "blue"}}
    return products.create_sku("phone", models.ProductsSkusCreateRequestBody.from_dict(body))


def test_products_and_skus(products: voucherify.ProductsApi) -> None:
    made, sku = make(products), make_sku(products)
    assert (made.name, made.price, made.attributes, made.metadata) == ("Phone", 2000, ["color"], {"a": 1})
    assert (sku.sku, sku.price, sku.attributes, sku.product_id) == ("S", 1500, {"color": "blue"}, made.id)
    read = products.get_product(made.id)
    assert (read.id, read.skus.total, read.skus.data[0].id) == (made.id, 1, sku.id)
    update = models.ProductsUpdateRequestBody.from_dict({"price": 3000})
    assert products.update_product("phone", update).price == 3000
    change = models.ProductsSkusUpdateRequestBody.from_dict({"currency": "PLN"})
    assert products.update_sku("phone", "phone-s", change).currency == "PLN"
    assert products.get_sku(sku.id).currency == "PLN"
    listed = products.list_products(limit=5, page=1, order="-created_at")
    assert ([one.id for one in listed.products], listed.total) == ([made.id], 1)
    assert [one.id for one in products.list_skus_in_product("phone").skus] == [sku.id]
    products.delete_sku("phone", "phone-s")
    products.delete_product("phone", force=True)
    with pytest.raises(NotFoundException):
        products.get_product("phone")


def test_bulk_and_files(sdk: voucherify.ApiClient, products: voucherify.ProductsApi, tmp_path: Path) -> None:
    body = [models.ProductsUpdateInBulkRequestBody.from_dict({"source_id": "phone", "name": "Phone"})]
    accepted = products.update_products_in_bulk(body)
    assert finished(sdk, accepted.async_action_id).type == "PRODUCTS.BULK_UPDATE"
    more = models.ProductsMetadataUpdateInBulkRequestBody(source_ids=["phone"], metadata={"lang": "en"})
    accepted = products.update_products_metadata_in_bulk(more)
    assert finished(sdk, accepted.async_action_id).type == "PRODUCTS.METADATA_UPDATE"
    assert products.get_product("phone").metadata == {"lang": "en"}
    path = tmp_path / "products.csv"
    path.write_text("name,source_id,price\nBook,book,900\n")
    accepted = products.import_products_using_csv(file=str(path))
    action = finished(sdk, accepted.async_action_id)
    assert (action.type, action.result["done_count"]) == ("PRODUCTS.IMPORT_CSV", 1)
    path = tmp_path / "skus.csv"
    path.write_text("product_id,sku,source_id\nbook,Paper,book-p\n")
    accepted = products.import_skus_using_csv(file=str(path))
    action = finished(sdk, accepted.async_action_id)
    assert (action.type, action.result["done_count"]) == ("SKUS.IMPORT_CSV", 1)
    assert products.get_sku("book-p").sku == "Paper"


def test_collections(sdk: voucherify.ApiClient, products: voucherify.ProductsApi) -> None:
    collections = voucherify.ProductCollectionsApi(sdk)
    made, sku = make(products), make_sku(products)
    body = models.ProductCollectionsCreateRequestBody
    given = {"type": "STATIC", "name": "S", "products": [{"id": made.id, "object": "product"}]}
    static = collections.create_product_collection(body.from_dict(given))
    assert (static.type, static.products[0].id) == ("STATIC", made.id)
    cheap = {"junction": "and", "price": {"conditions": {"$is": [1500]}}}
    dynamic = collections.create_product_collection(
        body.from_dict({"type": "AUTO_UPDATE", "name": "A", "filter": cheap})
    )
    read = collections.get_product_collection(dynamic.id)
    assert (read.name, read.filter) == ("A", cheap)
    listed = collections.list_product_collections()
    assert {one.id for one in listed.data} == {static.id, dynamic.id}
    found = collections.list_products_in_collection(dynamic.id)
    assert [one.id for one in found.data] == [sku.id]
    found = collections.list_products_in_collection(static.id)
    assert [one.id for one in found.data] == [made.id]
    collections.delete_product_collection(static.id)
    with pytest.raises(ApiException) as refused:
        collections.get_product_collection(static.id)
    assert refused.value.status == 404


def test_an_order_overrides_a_product(sdk: voucherify.ApiClient, products: voucherify.ProductsApi) -> None:
    item = {"source_id": "new", "related_object": "product", "quantity": 2,
            "product": {"name": "New", "price": 300, "override": True}}  # fmt: skip
    order = voucherify.OrdersApi(sdk).create_order(models.OrdersCreateRequestBody.from_dict({"items": [item]}))
    product = products.get_product("new")
    assert (order.amount, order.items[0].product.id, order.items[0].price) == (600, product.id, 300)
    assert (product.name, product.price) == ("New", 300)
