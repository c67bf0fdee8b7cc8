"""Products and SKUs through the API."""

from typing import Any

import pytest

import bulk_requests as bulk
from catalogue import PRODUCTS, make_product, make_sku
from harness import Server
from management import managed
from rapport.core.db import Database
from rapport.projects.actions import create_key
from rapport.projects.models import NewKey


def test_a_product_is_made_and_changed_by_its_source_id(api: Any) -> None:
    made = make_product(api, name="Phone", price=200_000, attributes=["color", "memory"], metadata={"a": 1, "b": 2})
    assert made["id"].startswith("prod_")
    assert {name: made[name] for name in made if name not in ("id", "created_at")} == {
        "source_id": "phone", "name": "Phone", "price": 200_000, "attributes": ["color", "memory"],
        "metadata": {"a": 1, "b": 2}, "image_url": None, "updated_at": None, "object": "product",
    }  # fmt: skip
    again = make_product(api, price=1, metadata={"b": None, "c": 3})
    assert (again["id"], again["name"], again["price"], again["metadata"]) == (made["id"], "Phone", 1, {"a": 1, "c": 3})
    assert again["updated_at"] is not None
    assert make_product(api)["updated_at"] == again["updated_at"]
    assert api.call("GET", PRODUCTS)["total"] == 1


def test_a_product_is_updated_but_not_its_ids(api: Any) -> None:
    made = make_product(api, name="Phone", image_url="https://x/y.png")
    body = {"name": "", "price": 210_000, "source_id": "other", "id": "prod_other", "image_url": None}
    changed = api.call("PUT", f"{PRODUCTS}/phone", body)
    assert (changed["id"], changed["source_id"], changed["name"]) == (made["id"], "phone", None)
    assert (changed["price"], changed["image_url"]) == (210_000, "https://x/y.png")
    assert api.call("GET", f"{PRODUCTS}/{made['id']}")["price"] == 210_000


def test_skus_belong_to_their_product(api: Any) -> None:
    product = make_product(api)
    values = {"sku": "S", "price": 1300, "currency": "USD", "attributes": {"color": "blue", "memory": 256}}
    made = make_sku(api, metadata={"m": True}, **values)
    assert made["id"].startswith("sku_")
    expected = {**values, "product_id": product["id"], "object": "sku", "metadata": {"m": True}, "updated_at": None}
    assert {name: made[name] for name in expected} == expected
    assert api.call("GET", "/v1/skus/phone-s") == made == api.call("GET", f"/v1/skus/{made['id']}")
    changed = api.call("PUT", f"{PRODUCTS}/phone/skus/phone-s", {"price": 5, "attributes": {"memory": None}})
    assert (changed["price"], changed["attributes"]) == (5, {"color": "blue"})
    shown = api.call("GET", f"{PRODUCTS}/phone")["skus"]
    assert shown == {"object": "list", "data_ref": "data", "data": [changed], "total": 1}
    listed = api.call("GET", f"{PRODUCTS}/phone/skus")
    assert (listed["data_ref"], listed["skus"], listed["total"]) == ("skus", [changed], 1)
    assert api.call("GET", PRODUCTS)["products"][0]["skus"]["total"] == 1


def test_a_sku_is_not_taken_over_by_another_product(api: Any) -> None:
    make_product(api)
    make_product(api, "book")
    sku = make_sku(api)
    api.fails("POST", f"{PRODUCTS}/book/skus", {"source_id": "phone-s"}, status=409, key="duplicate_found")
    api.fails("POST", f"{PRODUCTS}/book/skus", {"id": sku["id"]}, status=409, key="duplicate_found")
    api.fails("PUT", f"{PRODUCTS}/book/skus/phone-s", {"price": 1}, status=404, key="not_found")
    api.fails("DELETE", f"{PRODUCTS}/book/skus/phone-s", status=404, key="not_found")
    assert api.call("GET", "/v1/skus/phone-s") == sku


def test_lists_are_paged_ordered_and_narrowed(api: Any) -> None:
    for name, price in (("a", 3), ("b", 1), ("c", 2)):
        make_product(api, name, price=price)
    assert [one["source_id"] for one in api.call("GET", PRODUCTS)["products"]] == ["a", "b", "c"]
    page = api.call("GET", PRODUCTS, params={"order": "price", "limit": "2", "page": "2"})
    assert ([one["source_id"] for one in page["products"]], page["total"], page["has_more"]) == (["a"], 3, False)
    at = api.call("GET", f"{PRODUCTS}/b")["created_at"]
    until = api.call("GET", PRODUCTS, params={"end_date": at, "order": "created_at"})
    assert [one["source_id"] for one in until["products"]] == ["a", "b"]
    since = api.call("GET", PRODUCTS, params={"start_date": at, "order": "created_at"})
    assert [one["source_id"] for one in since["products"]] == ["b", "c"]
    api.fails("GET", PRODUCTS, params={"order": "type"}, status=400, key="invalid_query_params")


@pytest.mark.parametrize(
    "body",
    [
        {"price": -1},
        {"price": 1.5},
        {"price": 2**53},
        {"price": "1"},
        {"name": "x" * 1025},
        {"source_id": ""},
        {"source_id": "x" * 256},
        {"name": "a\x00b"},
        {"attributes": ["a"] * 101},
        {"attributes": [1]},
        {"attributes": {"a": 1}},
        {"metadata": []},
        {"metadata": {"a": "x" * 16_384}},
        {"metadata": {str(number): 1 for number in range(1001)}},
        {"image_url": "x" * 2049},
        [],
        "x",
    ],
)
def test_a_bad_product_is_refused_whole(api: Any, body: Any) -> None:
    if isinstance(body, dict):
        body = {"source_id": "bad", **body}
    api.fails("POST", PRODUCTS, body, status=400, key="invalid_payload")
    assert api.call("GET", PRODUCTS)["total"] == 0


@pytest.mark.parametrize(
    "body", [{"attributes": ["a"]}, {"attributes": {str(n): 1 for n in range(101)}}, {"currency": "x" * 9}, {"sku": 1}]
)
def test_a_bad_sku_is_refused_whole(api: Any, body: Any) -> None:
    make_product(api)
    api.fails("POST", f"{PRODUCTS}/phone/skus", {"source_id": "bad", **body}, status=400, key="invalid_payload")
    assert api.call("GET", f"{PRODUCTS}/phone/skus")["total"] == 0


def test_what_is_not_there_is_not_found(api: Any) -> None:
    make_product(api)
    for method, path, body in (
        ("GET", f"{PRODUCTS}/none", None),
        ("PUT", f"{PRODUCTS}/none", {}),
        ("DELETE", f"{PRODUCTS}/none", None),
        ("GET", f"{PRODUCTS}/none/skus", None),
        ("POST", f"{PRODUCTS}/none/skus", {}),
        ("PUT", f"{PRODUCTS}/phone/skus/none", {}),
        ("DELETE", f"{PRODUCTS}/phone/skus/none", None),
        ("GET", "/v1/skus/none", None),
        ("POST", PRODUCTS, {"id": "prod_none"}),
        ("POST", f"{PRODUCTS}/phone/skus", {"id": "sku_none"}),
    ):
        api.fails(method, path, body, status=404, key="not_found")


def test_a_source_id_is_given_once(api: Any) -> None:
    make_product(api)
    other = make_product(api, "book")
    api.fails("POST", PRODUCTS, {"id": other["id"], "source_id": "phone"}, status=409, key="duplicate_found")
    renamed = api.call("POST", PRODUCTS, {"id": other["id"], "source_id": "novel"})
    assert (renamed["id"], renamed["source_id"]) == (other["id"], "novel")


def test_a_deleted_product_waits_in_the_bin_with_its_skus(api: Any) -> None:
    product = make_product(api, name="Phone")
    own, other = make_sku(api), make_sku(api, source_id="phone-l", sku="L")
    api.call("DELETE", f"{PRODUCTS}/phone/skus/phone-l", status=204)
    api.call("DELETE", f"{PRODUCTS}/phone", status=204)
    for path in (f"{PRODUCTS}/phone", "/v1/skus/phone-s", "/v1/skus/phone-l"):
        api.fails("GET", path, status=404, key="not_found")
    first, second = api.call("GET", "/v1/trash-bin")["data"]
    assert (first["resource_type"], first["resource_id"], first["resource_name"]) == ("product", product["id"], "Phone")
    assert (second["resource_type"], second["resource_name"], second["resource_parent_id"]) == (
        "sku",
        "L",
        product["id"],
    )
    api.fails("POST", f"/v1/trash-bin/{second['id']}/restore", status=409, key="not_restored")
    taken = make_product(api, name="Other")
    api.fails("POST", f"/v1/trash-bin/{first['id']}/restore", status=409, key="not_restored")
    api.call("DELETE", f"{PRODUCTS}/{taken['id']}", status=204, params={"force": "true"})
    api.call("POST", f"/v1/trash-bin/{first['id']}/restore", status=204)
    back = api.call("GET", f"{PRODUCTS}/phone")
    assert (back["id"], back["skus"]["data"]) == (product["id"], [own])
    api.call("POST", f"/v1/trash-bin/{second['id']}/restore", status=204)
    assert api.call("GET", "/v1/skus/phone-l") == other
    assert api.call("GET", "/v1/trash-bin")["data"] == []


def test_a_product_deleted_for_good_takes_all_along(api: Any) -> None:
    make_product(api)
    make_sku(api)
    make_sku(api, source_id="phone-l")
    api.call("DELETE", f"{PRODUCTS}/phone/skus/phone-l", status=204)
    api.call("DELETE", f"{PRODUCTS}/phone", status=204, params={"force": "true"})
    assert api.call("GET", "/v1/trash-bin")["data"] == []
    api.fails("GET", "/v1/skus/phone-s", status=404, key="not_found")
    make_product(api)
    api.call("DELETE", f"{PRODUCTS}/phone", status=204)
    (entry,) = api.call("GET", "/v1/trash-bin")["data"]
    api.call("DELETE", f"/v1/trash-bin/{entry['id']}", status=204)
    api.fails("DELETE", f"{PRODUCTS}/phone", status=404, key="not_found")
    api.fails("DELETE", f"{PRODUCTS}/phone", status=400, key="invalid_query_params", params={"force": "perhaps"})


async def test_metadata_fits_the_schema_of_products(api: Any, server: Server, db: Database, key: NewKey) -> None:
    async with managed(server, db, key.project) as management:
        schema_id = management.define(
            "product", {"brand": {"type": "string", "optional": False}, "gone": "string", "weight": "number"}
        )
        api.fails("POST", PRODUCTS, {"source_id": "x"}, status=400, key="metadata_validation_failed")
        make_product(api, metadata={"brand": "b", "gone": "g", "weight": 5})
        wrong = {"metadata": {"weight": "heavy"}}
        api.fails("PUT", f"{PRODUCTS}/phone", wrong, status=400, key="metadata_validation_failed")
        # A SKU need not repeat what its product must have.
        make_sku(api, metadata={"gone": "g"})
        error = api.fails("PUT", f"{PRODUCTS}/phone/skus/phone-s", wrong, status=400, key="metadata_validation_failed")
        assert error["details"].startswith("Property .metadata.weight must be a number")
        item = {"product": {"source_id": "new", "override": True, "metadata": {"weight": 1}}}
        error = api.fails("POST", "/v1/orders", {"items": [item]}, status=400, key="metadata_validation_failed")
        assert error["details"].startswith("Property .items[0].product.metadata.brand is required")
        management.change(schema_id, {"gone": {"type": "string", "deleted": True}})
        action = management.purge(schema_id, "gone", server=api)
        assert (action["type"], action["result"]) == ("PRODUCTS.METADATA_KEY_PURGE", {"done_count": 2})
        assert api.call("GET", f"{PRODUCTS}/phone")["metadata"] == {"brand": "b", "weight": 5}
        assert api.call("GET", "/v1/skus/phone-s")["metadata"] == {}


def test_products_are_updated_in_bulk_each_by_itself(api: Any) -> None:
    known = make_product(api, name="Phone", metadata={"a": 1})
    things = [
        {"source_id": "phone", "price": 5},
        {"source_id": "new", "name": "New"},
        {"source_id": "bad", "price": -1},
        {"name": "nameless"},
        {"source_id": "phone", "price": 6},
    ]
    action = bulk.run(api, f"{PRODUCTS}/bulk/async", things)
    assert (action["type"], action["status"]) == ("PRODUCTS.BULK_UPDATE", "DONE")
    assert (action["result"]["done_count"], action["result"]["failed_count"]) == (2, 3)
    first, second, *bad = bulk.items(api, action)
    assert (first["found"], first["updated"], first["object_id"]) == (True, True, known["id"])
    assert (second["found"], second["updated"], second["customer_id"]) == (False, True, None)
    assert [one["error"]["key"] for one in bad] == ["invalid_payload", "invalid_payload", "duplicate_found"]
    changed = api.call("GET", f"{PRODUCTS}/phone")
    assert (changed["price"], changed["name"], changed["metadata"]) == (5, "Phone", {"a": 1})
    body = {"source_ids": ["phone", "made", "phone"], "metadata": {"a": None, "origin": "PL"}}
    action = bulk.run(api, f"{PRODUCTS}/metadata/async", body)
    assert (action["type"], action["result"]["done_count"]) == ("PRODUCTS.METADATA_UPDATE", 2)
    assert [one["found"] for one in bulk.items(api, action)] == [True, False]
    for name in ("phone", "made"):
        assert api.call("GET", f"{PRODUCTS}/{name}")["metadata"] == {"origin": "PL"}
    assert api.call("GET", "/v1/customers")["total"] == 0


def test_a_bulk_request_about_products_survives_the_erasure_of_a_customer_of_that_name(api: Any) -> None:
    customer = api.call("POST", "/v1/customers", {"source_id": "phone"})
    action = bulk.run(api, f"{PRODUCTS}/bulk/async", [{"source_id": "phone"}])
    api.call("POST", f"/v1/customers/{customer['id']}/permanent-deletion")
    assert bulk.items(api, action)[0]["status"] == "DONE"
    assert api.call("GET", f"{PRODUCTS}/phone")["source_id"] == "phone"


@pytest.mark.parametrize("body", [{}, {"source_id": "x"}, [], [{}] * 2001])
def test_a_bad_bulk_request_is_refused(api: Any, body: Any) -> None:
    api.fails("POST", f"{PRODUCTS}/bulk/async", body, status=400, key="invalid_payload")
    api.fails("POST", f"{PRODUCTS}/metadata/async", body, status=400, key="invalid_payload")


async def test_another_project_sees_nothing_of_it(api: Any, db: Database) -> None:
    product, sku = make_product(api), make_sku(api)
    other = await create_key(db, f"other {product['id']}", "server")
    headers = {"X-App-Id": other.app_id, "X-App-Token": other.app_token}
    for name in (product["id"], "phone"):
        for method, path in (("GET", name), ("PUT", name), ("DELETE", name), ("GET", f"{name}/skus")):
            content = {"json": {}} if method == "PUT" else {}
            answer = api.request(method, f"{PRODUCTS}/{path}", headers=headers, **content)
            assert (answer.status_code, answer.json()["key"]) == (404, "not_found")
    api.fails("GET", f"/v1/skus/{sku['id']}", status=404, key="not_found", headers=headers)
    assert api.call("GET", PRODUCTS, headers=headers)["total"] == 0
