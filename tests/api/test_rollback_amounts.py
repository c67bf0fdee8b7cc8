"""What an order costs after redemptions, changes by the shop and rollbacks, in whatever order they come."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

import harness
from catalogue import make_product
from management import Management, managed
from promotions import amount, make_voucher, percent, redeem
from rapport.core.db import Database
from rapport.projects.models import NewKey
from shopping import line


@pytest.fixture
async def management(server: harness.Server, db: Database, key: NewKey) -> AsyncIterator[Management]:
    async with managed(server, db, key.project) as found:
        yield found


@pytest.fixture
def free_unit(api: Any) -> str:
    """A voucher for one unit of a product at 20.00; return the product's id."""
    product = api.call("POST", "/v1/products", {"source_id": "mug", "name": "Mug", "price": 2000})["id"]
    discount = {"type": "UNIT", "unit_off": 1, "unit_type": product, "effect": "ADD_NEW_ITEMS"}
    make_voucher(api, "UNIT", discount)
    return product  # type: ignore[no-any-return]


def on_items(off: float) -> dict[str, Any]:
    return percent(off, effect="APPLY_TO_ITEMS")


def one(answer: dict[str, Any]) -> str:
    return answer["redemptions"][0]["id"]  # type: ignore[no-any-return]


def roll_back(api: Any, redemption_id: str, **body: Any) -> dict[str, Any]:
    return api.call("POST", f"/v1/redemptions/{redemption_id}/rollback", body)["order"]  # type: ignore[no-any-return]


def bare(order: dict[str, Any]) -> dict[str, Any]:
    """Return an order without what the catalogue says of the products of its items."""
    return {**order, "items": [{**item, "product": None} for item in order["items"]]}


def put(api: Any, **body: Any) -> tuple[int, int, int, int]:
    return shown(api.call("PUT", "/v1/orders/o", body))


def shown(order: dict[str, Any]) -> tuple[int, int, int, int]:
    """Return what an order costs, what is off it as a whole and off its items, and what is to be paid."""
    found = (order["amount"], order["discount_amount"], order["items_discount_amount"], order["total_amount"])
    assert found[0] - found[1] - found[2] == found[3]
    assert "standing" not in str(order)
    return found


def stored(api: Any) -> tuple[int, int, int, int]:
    return shown(api.call("GET", "/v1/orders/o"))


@pytest.mark.usefixtures("free_unit")
def test_a_rollback_takes_a_unit_off_an_order_without_other_items_and_no_more(api: Any) -> None:
    make_voucher(api, "SOME", amount(1000))
    unit = one(redeem(api, "UNIT", order={"source_id": "o", "amount": 10_000}))
    assert stored(api) == (12_000, 0, 2000, 10_000)
    some = one(redeem(api, "SOME", order={"source_id": "o"}))
    assert stored(api) == (12_000, 1000, 2000, 9000)
    order = roll_back(api, some)
    assert (shown(order), order["status"]) == ((12_000, 0, 2000, 10_000), "PAID")
    order = roll_back(api, unit)
    assert (shown(order), order["items"], order["initial_amount"]) == ((10_000, 0, 0, 10_000), [], 10_000)
    assert put(api, amount=15_000, status="PAID") == (15_000, 0, 0, 15_000)
    assert api.call("GET", "/v1/orders/o")["initial_amount"] == 15_000


def test_an_amount_that_the_shop_set_past_the_items_stays(api: Any) -> None:
    make_voucher(api, "SOME", amount(100))
    some = one(redeem(api, "SOME", order={"source_id": "o", "items": [line("pen", price=2000)]}))
    assert put(api, amount=5000) == (5000, 100, 0, 4900)
    assert shown(roll_back(api, some)) == (5000, 0, 0, 5000)


@pytest.mark.usefixtures("free_unit")
def test_an_amount_without_items_is_that_of_the_cart_before_units_were_added(api: Any) -> None:
    make_voucher(api, "SOME", amount(1000))
    redeem(api, "UNIT", order={"source_id": "o", "amount": 10_000})
    assert put(api, amount=10_000, status="FULFILLED") == (12_000, 0, 2000, 10_000)
    assert put(api, amount=12_000) == (12_000, 0, 2000, 10_000)
    order = redeem(api, "SOME", order={"source_id": "o", "amount": 10_000})["order"]
    assert shown(order) == (12_000, 1000, 2000, 9000)
    assert put(api, amount=11_000) == (13_000, 1000, 2000, 10_000)
    order = api.call("GET", "/v1/orders/o")
    assert (order["initial_amount"], shown(order)) == (11_000, (13_000, 1000, 2000, 10_000))
    assert put(api, items=[]) == (11_000, 1000, 0, 10_000)


@pytest.mark.usefixtures("free_unit")
def test_an_order_sent_back_as_it_was_answered_is_as_it_was(api: Any) -> None:
    make_voucher(api, "HALF", on_items(50))
    for items in ([], [line("pen", 2, 1000), {"price": 500, "quantity": 1}]):
        source_id = f"o{len(items)}"
        redeem(api, "HALF", order={"source_id": source_id, "amount": 10_000, "items": items})
        order = redeem(api, "UNIT", order={"source_id": source_id})["order"]
        order = api.call("GET", f"/v1/orders/{source_id}")
        names = ("amount", "initial_amount", "discount_amount", "items", "status", "metadata", "source_id")
        again = api.call("PUT", f"/v1/orders/{source_id}", {name: order[name] for name in names})
        assert {**bare(again), "updated_at": None} == {**bare(order), "updated_at": None}


def test_free_units_that_the_shop_declined_are_not_taken_off_what_is_paid(api: Any) -> None:
    pen = api.call("POST", "/v1/products", {"source_id": "pen", "name": "Pen", "price": 1000})["id"]
    make_voucher(api, "PENS", {"type": "UNIT", "unit_off": 2, "unit_type": pen, "effect": "ADD_NEW_ITEMS"})
    make_voucher(api, "SOME", amount(100))
    cart = [line(pen, 1, 1000), line("mug", 1, 500)]
    pens = one(redeem(api, "PENS", order={"source_id": "o", "items": cart}))
    redeem(api, "SOME", order={"source_id": "o"})
    assert stored(api) == (3500, 100, 2000, 1400)
    assert put(api, items=[line(pen, 2, 1000), line("mug", 1, 500)]) == (2500, 100, 1000, 1400)
    assert put(api, items=cart) == (1500, 100, 0, 1400)
    order = roll_back(api, pens)
    assert shown(order) == (1500, 100, 0, 1400)
    assert [item["quantity"] for item in order["items"]] == [1, 1]


def test_more_of_a_product_of_which_units_are_free_is_paid_for(api: Any) -> None:
    pen = api.call("POST", "/v1/products", {"source_id": "pen", "name": "Pen", "price": 1000})["id"]
    make_voucher(api, "PENS", {"type": "UNIT", "unit_off": 2, "unit_type": pen, "effect": "ADD_NEW_ITEMS"})
    pens = one(redeem(api, "PENS", order={"source_id": "o", "items": [line(pen, 1, 1000)]}))
    assert put(api, items=[line(pen, 5, 1000)]) == (5000, 0, 2000, 3000)
    assert put(api, items=[line(pen, 5, 1200)]) == (6000, 0, 2400, 3600)
    item = api.call("GET", "/v1/orders/o")["items"][0]
    assert (item["initial_quantity"], item["initial_amount"], item["discount_quantity"]) == (3, 3600, 2)
    order = roll_back(api, pens)
    assert (shown(order), order["items"][0]["quantity"]) == ((3600, 0, 0, 3600), 3)


def test_discounts_on_items_stand_when_the_items_are_sent_again(api: Any) -> None:
    make_voucher(api, "HALF", on_items(50))
    make_voucher(api, "TENTH", on_items(10))
    items = [line("pen", price=10_000)]
    half = one(redeem(api, "HALF", order={"source_id": "o", "items": items}))
    assert put(api, status="FULFILLED", items=items) == (10_000, 0, 5000, 5000)
    assert put(api, items=[line("pen", price=10_000, metadata={"wrap": True})]) == (10_000, 0, 5000, 5000)
    tenth = one(redeem(api, "TENTH", order={"source_id": "o", "items": items}))
    assert stored(api) == (10_000, 0, 5500, 4500)
    assert shown(roll_back(api, half)) == (10_000, 0, 500, 9500)
    assert put(api, items=items) == (10_000, 0, 500, 9500)
    assert shown(roll_back(api, tenth)) == (10_000, 0, 0, 10_000)
    assert put(api, items=items) == (10_000, 0, 0, 10_000)


def test_items_are_known_again_wherever_they_stand(api: Any) -> None:
    make_voucher(api, "HALF", on_items(50))
    pen, mug, bag = line("pen", price=1000), {"price": 400, "quantity": 1}, line("bag", price=50)
    half = one(redeem(api, "HALF", order={"source_id": "o", "items": [pen, mug]}))
    assert put(api, items=[bag, mug, pen]) == (1450, 0, 700, 750)
    assert [one.get("discount_amount", 0) for one in api.call("GET", "/v1/orders/o")["items"]] == [0, 200, 500]
    assert put(api, items=[bag, {"product_id": "pen", "quantity": 2}]) == (2050, 0, 500, 1550)
    assert shown(roll_back(api, half)) == (2050, 0, 0, 2050)


@pytest.mark.parametrize("own", [300, 700, 0])
def test_a_discount_that_the_shop_says_itself_is_the_shops(api: Any, own: int) -> None:
    make_voucher(api, "HALF", on_items(50))
    make_voucher(api, "SOME", amount(100))
    items = [line("pen", price=1000)]
    half = one(redeem(api, "HALF", order={"source_id": "o", "items": items}))
    some = one(redeem(api, "SOME", order={"source_id": "o"}))
    assert put(api, items=[{**items[0], "discount_amount": own}]) == (1000, 100, own, 900 - own)
    assert put(api, discount_amount=own // 10) == (1000, own // 10, own, 1000 - own - own // 10)
    assert shown(roll_back(api, half)) == (1000, own // 10, own, 1000 - own - own // 10)
    assert shown(roll_back(api, some)) == (1000, own // 10, own, 1000 - own - own // 10)


def test_an_order_may_shrink_below_its_discount(api: Any) -> None:
    make_voucher(api, "MUCH", amount(5000))
    make_voucher(api, "SOME", amount(500))
    much = one(redeem(api, "MUCH", order={"source_id": "o", "items": [line("a", price=4000), line("b", price=2000)]}))
    redeem(api, "SOME", order={"source_id": "o"})
    assert put(api, items=[line("a", price=4000)]) == (4000, 4000, 0, 0)
    error = api.fails("PUT", "/v1/orders/o", {"discount_amount": 4001}, status=400, key="invalid_payload")
    assert ".discount_amount" in error["details"]
    assert put(api, amount=4500, status="FULFILLED") == (4500, 4000, 0, 500)
    assert shown(roll_back(api, much)) == (4500, 500, 0, 4000)


def test_an_order_may_shrink_below_the_discounts_of_its_items(api: Any) -> None:
    make_voucher(api, "HALF", on_items(50))
    half = one(redeem(api, "HALF", order={"source_id": "o", "items": [line("a", price=400), line("b", price=200)]}))
    assert put(api, amount=250) == (250, 0, 250, 0)
    assert [item["discount_amount"] for item in api.call("GET", "/v1/orders/o")["items"]] == [200, 50]
    own = [{"product_id": "a", "amount": 400, "discount_amount": 300}]
    assert put(api, items=own) == (400, 0, 300, 100)
    error = api.fails("PUT", "/v1/orders/o", {"items": own, "discount_amount": 101}, status=400, key="invalid_payload")
    assert ".discount_amount" in error["details"]
    assert shown(roll_back(api, half)) == (400, 0, 300, 100)


@pytest.mark.usefixtures("free_unit")
def test_a_stack_takes_back_its_own(api: Any) -> None:
    make_voucher(api, "HALF", on_items(50))
    make_voucher(api, "SOME", amount(100))
    make_voucher(api, "FEW", amount(7))
    items = [line("pen", price=1000)]
    stacked = redeem(api, "HALF", "UNIT", "SOME", order={"source_id": "o", "items": items})["parent_redemption"]["id"]
    few = one(redeem(api, "FEW", order={"source_id": "o"}))
    assert stored(api) == (3000, 107, 2500, 393)
    assert put(api, status="FULFILLED", items=items) == (1000, 107, 500, 393)
    order = api.call("POST", f"/v1/redemptions/{stacked}/rollbacks", {})["order"]
    assert (shown(order), order["status"]) == ((1000, 7, 0, 993), "FULFILLED")
    assert shown(roll_back(api, few)) == (1000, 0, 0, 1000)


def test_where_rollbacks_leave_orders_alone_the_discounts_stay(api: Any, management: Management) -> None:
    management.call("POST", "/stacking-rules", {"redeemables_rollback_order_mode": "WITHOUT_ORDER"})
    make_voucher(api, "HALF", on_items(50))
    items = [line("pen", price=1000)]
    half = one(redeem(api, "HALF", order={"source_id": "o", "items": items}))
    assert shown(roll_back(api, half)) == (1000, 0, 500, 500)
    assert put(api, items=items) == (1000, 0, 500, 500)


def stored_items(api: Any) -> list[dict[str, Any]]:
    return api.call("GET", "/v1/orders/o")["items"]  # type: ignore[no-any-return]


@pytest.mark.parametrize("change", ["reversed", "first dropped", "one in front", "as it was"])
@pytest.mark.parametrize(
    "discount", [percent(10, effect="APPLY_TO_ITEMS"), {**amount(200), "effect": "APPLY_TO_ITEMS"}]
)
def test_lines_of_one_product_that_are_sent_back_keep_their_own_discounts(
    api: Any, discount: dict[str, Any], change: str
) -> None:
    make_voucher(api, "CODE", discount)
    items = [line("p", 2, 1000), line("p", 1, 1000)]
    done = redeem(api, "CODE", order={"source_id": "o", "items": items})["redemptions"][0]["id"]
    known = stored_items(api)
    sent = {
        "reversed": known[::-1],
        "first dropped": known[1:],
        "one in front": [line("p", 3, 1000), *known],
        "as it was": known,
    }[change]
    changed = api.call("PUT", "/v1/orders/o", {"items": sent})
    off = sum(item.get("discount_amount", 0) for item in sent)
    assert changed["items_discount_amount"] == off
    api.call("POST", f"/v1/redemptions/{done}/rollback")
    after = api.call("GET", "/v1/orders/o")
    assert (after["items_discount_amount"], after["total_amount"]) == (0, changed["amount"])


def test_an_order_of_which_only_free_units_are_left_costs_nothing(api: Any) -> None:
    make_product(api, "g", price=99)
    make_voucher(api, "FREE", {"type": "UNIT", "unit_off": 2, "unit_type": "g", "effect": "ADD_NEW_ITEMS"})
    redeem(api, "FREE", order={"source_id": "o", "items": [line("p", 3, 1000)]})
    gift = stored_items(api)[1:]
    for said in ({}, {"amount": 198}):
        after = api.call("PUT", "/v1/orders/o", {"items": gift, **said})
        assert (after["amount"], after["total_amount"]) == (198, 0)
