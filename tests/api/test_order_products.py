"""Products and SKUs of the catalogue in orders, and orders that override them."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import bulk_requests as bulk
from catalogue import PRODUCTS, make_product, make_sku
from db.test_metadata_round_trips import statements
from rapport.core.db import Database
from rapport.customers.writes import Unit, Writer
from rapport.orders import actions
from rapport.orders.schemas import ItemInput, OrderInput, ProductInput
from rapport.segments.membership import SegmentDecider

BOOKS = {
    "source_id": "ComicBook_1",
    "related_object": "sku",
    "quantity": 1,
    "product": {
        "source_id": "Books", "name": "Comic Books1", "price": 2100, "metadata": {"vendor": "B"}, "override": True,
    },
    "sku": {
        "sku": "Comics1", "source_id": "ComicBook_1", "price": 1700, "metadata": {"color": ["golden"]},
        "override": True,
    },
}  # fmt: skip


def order(api: Any, *items: Any, **more: Any) -> Any:
    """Place an order and return it."""
    return api.call("POST", "/v1/orders", {"items": list(items), **more})


def test_known_products_and_skus_are_filled_in(api: Any) -> None:
    phone = make_product(api, name="Phone", price=2000, metadata={"a": 1, "b": 2})
    sku = make_sku(api, sku="S", price=1500, metadata={"m": 1})
    shown = {
        "id": phone["id"], "source_id": "phone", "name": "Phone", "price": 2000, "metadata": {"a": 1, "b": 2},
    }  # fmt: skip
    shown_sku = {"id": sku["id"], "source_id": "phone-s", "sku": "S", "price": 1500, "metadata": {"m": 1}}
    by_product = {"object": "order_item", "product_id": phone["id"], "product": shown, "price": 2000}
    by_sku = {
        "object": "order_item", "product_id": phone["id"], "sku_id": sku["id"], "product": shown, "sku": shown_sku,
        "price": 1500,
    }  # fmt: skip
    for item, expected, quantity in (
        ({"product_id": phone["id"], "quantity": 2}, by_product, 2),
        ({"product": {"id": phone["id"]}, "quantity": 2}, by_product, 2),
        ({"product": {"source_id": "phone"}}, by_product, 1),
        ({"source_id": "phone", "related_object": "product", "quantity": 3}, by_product, 3),
        ({"sku_id": sku["id"], "quantity": 2}, by_sku, 2),
        ({"sku": {"source_id": "phone-s"}}, by_sku, 1),
        ({"source_id": "phone-s", "related_object": "sku", "quantity": 4}, by_sku, 4),
        ({"product_id": phone["id"], "sku_id": sku["id"]}, by_sku, 1),
    ):
        placed = order(api, item)
        amount = expected["price"] * quantity
        said = {name: item[name] for name in ("source_id", "related_object", "quantity") if name in item}
        assert placed["items"] == [{**expected, **said, "amount": amount, "subtotal_amount": amount}], item
        assert (placed["amount"], placed["total_amount"]) == (amount, amount)
        assert api.call("GET", f"/v1/orders/{placed['id']}")["items"] == placed["items"]


def test_a_known_sku_is_of_its_own_product_whatever_is_named_beside_it(api: Any) -> None:
    product = make_product(api, "p", price=100)
    other = make_product(api, "q", price=1)
    sku = make_sku(api, "p", "s")
    for named in ({"product_id": other["id"]}, {"product": {"source_id": "q"}}, {}):
        item = {"sku_id": sku["id"], "quantity": 1, "price": 5, **named}
        (kept,) = api.call("POST", "/v1/orders", {"items": [item]})["items"]
        assert (kept["sku_id"], kept["product_id"]) == (sku["id"], product["id"])


def test_what_the_order_says_itself_counts(api: Any) -> None:
    phone = make_product(api, name="Phone", price=2000, metadata={"a": 1, "b": 2})
    said = {"name": "Mine", "metadata": {"b": 3, "a": None}, "id": phone["id"]}
    (item,) = order(api, {"product": said, "price": 7, "quantity": 2})["items"]
    assert (item["price"], item["amount"], item["product"]["price"]) == (7, 14, 2000)
    assert (item["product"]["name"], item["product"]["metadata"]) == ("Mine", {"b": 3})
    (item,) = order(api, {"product": {"source_id": "phone", "price": 11}})["items"]
    assert (item["price"], item["product"]["price"]) == (11, 11)
    assert api.call("GET", f"{PRODUCTS}/phone")["name"] == "Phone"
    assert api.call("GET", f"{PRODUCTS}/phone")["updated_at"] is None


def test_unknown_products_are_taken_as_they_are(api: Any) -> None:
    item = {"source_id": "sample", "related_object": "product", "quantity": 1, "price": 5, "product": {"name": "x"}}
    placed = order(api, item, {"product_id": "prod_none"}, {"sku": {"id": "sku_none", "override": False}})
    shown = {**item, "object": "order_item", "amount": 5, "subtotal_amount": 5}
    assert placed["items"] == [
        shown,
        {"object": "order_item", "product_id": "prod_none"},
        {"object": "order_item", "sku": {"id": "sku_none"}},
    ]
    assert api.call("GET", PRODUCTS)["total"] == 0


def test_a_product_in_the_bin_is_unknown(api: Any) -> None:
    phone = make_product(api, price=5)
    make_sku(api)
    api.call("DELETE", f"{PRODUCTS}/phone", status=204)
    placed = order(api, {"product_id": phone["id"]}, {"sku": {"source_id": "phone-s"}})
    assert placed["items"] == [
        {"object": "order_item", "product_id": phone["id"]},
        {"object": "order_item", "sku": {"source_id": "phone-s"}},
    ]


def test_an_override_makes_what_is_unknown(api: Any) -> None:
    first = {"source_id": "prod_1", "related_object": "product", "quantity": 2, "product": {
        "name": "Apple iPhone 12", "price": 60_000, "metadata": {"color": ["purple"]}, "override": True,
    }}  # fmt: skip
    placed = order(api, first, BOOKS, status="FULFILLED", customer={"source_id": "bob"})
    phone, books = api.call("GET", f"{PRODUCTS}/prod_1"), api.call("GET", f"{PRODUCTS}/Books")
    comic = api.call("GET", "/v1/skus/ComicBook_1")
    assert (phone["name"], phone["price"], phone["metadata"]) == ("Apple iPhone 12", 60_000, {"color": ["purple"]})
    assert (books["name"], books["price"], books["skus"]["data"]) == ("Comic Books1", 2100, [comic])
    assert (comic["sku"], comic["price"], comic["product_id"]) == ("Comics1", 1700, books["id"])
    one, other = placed["items"]
    assert one["product"] == {
        "id": phone["id"], "source_id": "prod_1", "name": "Apple iPhone 12", "price": 60_000,
        "metadata": {"color": ["purple"]},
    }  # fmt: skip
    assert (one["price"], one["amount"], other["price"], other["amount"]) == (60_000, 120_000, 1700, 1700)
    assert (other["product_id"], other["sku_id"], other["sku"]["id"]) == (books["id"], comic["id"], comic["id"])
    assert placed["amount"] == 121_700
    bought = api.call("GET", "/v1/customers/bob")["summary"]["orders"]["last_order_products"]
    assert [(item["product_id"], item["name"]) for item in bought] == [
        (phone["id"], "Apple iPhone 12"),
        (books["id"], "Comic Books1"),
    ]


def test_an_override_changes_what_is_known_and_leaves_the_rest(api: Any) -> None:
    phone = make_product(api, name="Phone", price=2000, attributes=["color"], metadata={"a": 1, "b": 2})
    make_sku(api, sku="S", price=1500)
    item = {
        "product": {"id": phone["id"], "override": True, "price": 2500, "metadata": {"b": None, "c": 3}},
        "sku": {"source_id": "phone-s", "override": True, "sku": "Small"},
    }
    (shown,) = order(api, item)["items"]
    changed, sku = api.call("GET", f"{PRODUCTS}/phone"), api.call("GET", "/v1/skus/phone-s")
    assert (changed["name"], changed["price"], changed["metadata"]) == ("Phone", 2500, {"a": 1, "c": 3})
    assert (changed["attributes"], sku["sku"], sku["price"]) == (["color"], "Small", 1500)
    assert (shown["product"]["metadata"], shown["price"], shown["sku"]["sku"]) == ({"a": 1, "c": 3}, 1500, "Small")
    again = order(api, item)
    assert api.call("GET", f"{PRODUCTS}/phone")["updated_at"] == changed["updated_at"]
    assert again["items"][0]["product"] == shown["product"]
    updated = api.call("PUT", f"/v1/orders/{again['id']}", {"items": [{**item, "quantity": 2}]})
    assert updated["amount"] == 3000


def test_one_order_may_say_it_twice(api: Any) -> None:
    placed = order(
        api,
        {"product": {"source_id": "x", "override": True, "name": "First", "price": 1}},
        {"product": {"source_id": "x", "override": True, "name": "Second"}},
        {"product": {"source_id": "x"}},
    )
    (product,) = api.call("GET", PRODUCTS)["products"]
    assert (product["name"], product["price"]) == ("Second", 1)
    assert [item["product"]["id"] for item in placed["items"]] == [product["id"]] * 3
    assert [item["product"]["name"] for item in placed["items"]] == ["First", "Second", "Second"]


@pytest.mark.parametrize(
    ("item", "status", "refused", "details"),
    [
        ({"product": {"override": True}}, 400, "invalid_payload", "Property .items[0].product overrides something"),
        ({"product": {"override": True, "id": "prod_none"}}, 404, "not_found", "Cannot find product"),
        ({"product": {"override": "yes", "source_id": "x"}}, 400, "invalid_payload", "Property .items[0]"),
        (
            {"product": {"override": True, "source_id": "x", "price": -1}},
            400,
            "invalid_payload",
            "Property .items[0].product.price is out of range",
        ),
        (
            {"product": {"override": True, "source_id": "x" * 256}},
            400,
            "invalid_payload",
            "Property .items[0].product.source_id should have 1 to 255 characters",
        ),
        (
            {"product": {"override": True, "source_id": "x", "metadata": {"a": "x" * 17_000}}},
            400,
            "invalid_payload",
            "Property .items[0].product.metadata has more than",
        ),
        ({"sku": {"override": True, "source_id": "x"}}, 400, "invalid_payload", "Property .items[0].sku is new"),
        ({"sku": {"override": True, "id": "sku_none"}}, 404, "not_found", "Cannot find sku"),
        (
            {"product": {"override": True, "source_id": "x"}, "price": 1, "discount_amount": 2},
            400,
            "invalid_payload",
            "Property .items[].discount_amount",
        ),
    ],
)
def test_a_bad_override_leaves_nothing(api: Any, item: Any, status: int, refused: str, details: str) -> None:
    body = {"items": [item], "customer": {"source_id": "ann"}}
    error = api.fails("POST", "/v1/orders", body, status=status, key=refused)
    assert error["details"].startswith(details)
    assert api.call("GET", PRODUCTS)["total"] == 0
    assert api.call("GET", "/v1/orders")["total"] == 0
    assert api.call("GET", "/v1/customers")["total"] == 0


def test_imported_orders_take_the_same_path_and_fail_alone(api: Any) -> None:
    make_product(api, price=5, name="Phone")
    orders = [
        {"source_id": "a", "items": [{"product": {"source_id": "phone"}, "quantity": 2}]},
        {"source_id": "b", "items": [{"product": {"source_id": "new", "override": True, "name": "A"}}]},
        {"source_id": "c", "items": [{"product": {"source_id": "new", "override": True, "name": "B", "price": 3}}]},
        {"source_id": "d", "items": [{"product": {"source_id": "z", "override": True}, "discount_amount": 2}]},
        {"source_id": "e", "items": [{"product": {"source_id": "bad2", "override": True, "price": -1}}]},
        {"source_id": "f", "items": [{"product": {"source_id": "phone", "override": True, "price": 6}}]},
    ]  # fmt: skip
    action = bulk.run(api, "/v1/orders/import", orders)
    assert (action["result"]["done_count"], action["result"]["failed_count"]) == (4, 2)
    products = {one["source_id"]: (one["name"], one["price"]) for one in api.call("GET", PRODUCTS)["products"]}
    assert products == {"phone": ("Phone", 6), "new": ("B", 3)}
    assert api.call("GET", "/v1/orders/a")["amount"] == 10


def test_a_validation_fills_in_but_keeps_nothing(api: Any) -> None:
    make_product(api, price=500)
    code = {"type": "DISCOUNT_VOUCHER", "discount": {"type": "AMOUNT", "amount_off": 100}}
    api.call("POST", "/v1/vouchers/CODE", code)
    items = [
        {"product": {"source_id": "phone"}, "quantity": 2},
        {"product": {"source_id": "new", "override": True, "price": 300}},
    ]
    body = {"redeemables": [{"object": "voucher", "id": "CODE"}], "order": {"items": items}}
    answer = api.call("POST", "/v1/validations", body)
    assert (answer["valid"], answer["order"]["amount"]) == (True, 1300)
    assert api.call("GET", PRODUCTS)["total"] == 1
    redeemed = api.call("POST", "/v1/redemptions", body)
    assert redeemed["order"]["amount"] == 1300
    assert api.call("GET", f"{PRODUCTS}/new")["price"] == 300


async def test_an_order_costs_what_it_did_and_one_statement_with_products(
    api: Any, db: Database, project_id: int
) -> None:
    make_product(api, price=5, name="Phone")
    writer = Writer(db, SegmentDecider())

    def placing(*items: ItemInput) -> Callable[[Unit], Awaitable[Any]]:
        async def work(unit: Unit) -> None:
            await actions.place(unit, await actions.open_order(unit, OrderInput(items=list(items)), None))

        return work

    unnamed = placing(ItemInput(quantity=1, price=5))
    await statements(writer, project_id, unnamed)  # the driver learns its types
    plain = await statements(writer, project_id, unnamed)
    named = ItemInput(product=ProductInput(source_id="phone"))
    same = ItemInput(product=ProductInput(source_id="phone", override=True, price=5, name="Phone"))
    for items in ([named], [named] * 500, [same], [ItemInput(product_id="none")]):
        assert len(await statements(writer, project_id, placing(*items))) == len(plain) + 1, items


def test_a_refused_redemption_overrides_nothing(api: Any) -> None:
    code = {"type": "DISCOUNT_VOUCHER", "discount": {"type": "AMOUNT", "amount_off": 100}, "active": False}
    api.call("POST", "/v1/vouchers/CODE", code)
    items = [{"product": {"source_id": "new", "override": True, "price": 300}}]
    body = {"redeemables": [{"object": "voucher", "id": "CODE"}], "order": {"items": items}}
    api.fails("POST", "/v1/redemptions", body, status=400, key="voucher_disabled")
    assert api.call("GET", PRODUCTS)["total"] == 0
    assert api.call("GET", "/v1/orders")["total"] == 0
