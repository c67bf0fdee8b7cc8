"""Products and SKUs in CSV files: applied, failed row by row, undone."""

from typing import Any

import pytest

import imports
from catalogue import PRODUCTS, make_product, make_sku


def run(api: Any, kind: str, *lines: str, **options: str) -> Any:
    """Import a file and return what became of it."""
    return imports.run(api, "\n".join(lines), status=200, kind=kind, **options)


def test_products_are_made_and_changed(api: Any) -> None:
    known = make_product(api, name="Old", price=5, metadata={"a": 5, "b": "x"})
    one = run(
        api, "products",
        "name,source_id,price,attributes,image_url,Metadata_vendor,a",
        'Phone,phone,200000,"color, memory",https://x/y.png,Shop,5',
        "Book,book,,,,,",
        "Nameless,,900,,,,",
        ",,5,,,,",
        "Bad,bad,1.5,,,,",
    )  # fmt: skip
    assert (one["state"], imports.counts(one)) == ("DONE", (2, 1, 0, 2))
    changed = api.call("GET", f"{PRODUCTS}/phone")
    assert (changed["id"], changed["name"], changed["price"]) == (known["id"], "Phone", 200_000)
    assert (changed["attributes"], changed["image_url"]) == (["color", "memory"], "https://x/y.png")
    assert changed["metadata"] == {"a": 5, "b": "x", "vendor": "Shop"}
    assert api.call("GET", PRODUCTS)["total"] == 3
    (_, first, second) = imports.failures(api, one["id"])
    assert first[:3] == ["5", "", "There is no name or source_id"]
    assert second[:3] == ["6", "price", "The value should be a whole number of minor units, as 1999 for 19.99"]
    action = api.call("GET", f"/v1/async-actions/{one['async_action_id']}")
    assert (action["type"], action["status"]) == ("PRODUCTS.IMPORT_CSV", "DONE")


def test_skus_are_made_and_changed_under_their_products(api: Any) -> None:
    product, other = make_product(api), make_product(api, "book")
    make_sku(api, sku="Old", attributes={"memory": "64"})
    one = run(
        api, "skus",
        "product_id,sku,source_id,price,currency,image_url,attributes,material",
        f"{product['id']},S,phone-s,1300,USD,,\"{{'color':'blue'}}\",steel",
        'phone,L,phone-l,,,,"{""color"": ""red""}",',
        "none,X,x,,,,,",
        f"{other['id']},S,phone-s,,,,,",
        "phone,Y,y,,,,[],",
    )  # fmt: skip
    assert (one["state"], imports.counts(one)) == ("DONE", (1, 1, 0, 3))
    changed, made = api.call("GET", "/v1/skus/phone-s"), api.call("GET", "/v1/skus/phone-l")
    assert (changed["sku"], changed["price"], changed["currency"]) == ("S", 1300, "USD")
    assert (changed["attributes"], changed["metadata"]) == ({"memory": "64", "color": "blue"}, {"material": "steel"})
    assert (made["product_id"], made["attributes"]) == (product["id"], {"color": "red"})
    reasons = [row[1:3] for row in imports.failures(api, one["id"])[1:]]
    assert reasons == [
        ["product_id", "There is no product with the id none"],
        ["", "The SKU phone-s is one of another product"],
        ["attributes", "The value should be an object written as JSON"],
    ]


def test_a_dry_run_keeps_nothing(api: Any) -> None:
    one = run(api, "products", "name,source_id", "Phone,phone", dry_run="true")
    assert imports.counts(one) == (1, 0, 0, 0)
    assert api.call("GET", PRODUCTS)["total"] == 0


def test_an_import_is_undone(api: Any) -> None:
    make_product(api, name="Old", price=5, metadata={"a": 1})
    make_product(api, "book", name="Book")
    one = run(
        api, "products",
        "name,source_id,price,metadata.b",
        "New,phone,6,x", "Other,book,7,", "Made,made,,", "Used,used,,", "Changed,changed,,",
    )  # fmt: skip
    assert imports.counts(one) == (3, 2, 0, 0)
    api.call("PUT", f"{PRODUCTS}/book", {"price": 8})
    make_sku(api, "used", "used-s")
    api.call("PUT", f"{PRODUCTS}/changed", {"price": 8})
    undone = imports.undo(api, one["id"])["undo"]
    assert (undone["deleted"], undone["restored"], undone["partly"], undone["kept"]) == (1, 1, 1, 2)
    phone, book = api.call("GET", f"{PRODUCTS}/phone"), api.call("GET", f"{PRODUCTS}/book")
    assert (phone["name"], phone["price"], phone["metadata"]) == ("Old", 5, {"a": 1})
    assert (book["name"], book["price"]) == ("Book", 8)
    assert sorted(one["source_id"] for one in api.call("GET", PRODUCTS)["products"]) == [
        "book",
        "changed",
        "phone",
        "used",
    ]
    skus = run(api, "skus", "product_id,sku,source_id", "phone,S,phone-s", "used,N,used-s")
    assert imports.counts(skus) == (1, 1, 0, 0)
    undone = imports.undo(api, skus["id"])["undo"]
    assert (undone["deleted"], undone["restored"]) == (1, 1)
    api.fails("GET", "/v1/skus/phone-s", status=404, key="not_found")
    assert api.call("GET", "/v1/skus/used-s")["sku"] is None


@pytest.mark.parametrize(
    ("kind", "header"), [("products", "price,color"), ("skus", "source_id,sku"), ("skus", "product_id,sku")]
)
def test_a_file_without_the_columns_it_needs_is_unusable(api: Any, kind: str, header: str) -> None:
    one = run(api, kind, header, "1,2")
    assert one["state"] == "FAILED"
    assert one["message"].startswith("There is no column ")


def test_a_request_without_a_file_is_refused(api: Any) -> None:
    for kind in ("products", "skus"):
        api.fails("POST", f"/v1/{kind}/importCSV", {}, status=400, key="invalid_payload")
