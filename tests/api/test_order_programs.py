"""Random programs of redemptions, changes by the shop and rollbacks: the order's amounts agree after every step."""

import random
from typing import Any

import pytest

from promotions import amount, make_voucher, percent, redeem
from shopping import gift_card, line

CODES = ("AMOUNT", "PERCENT", "FIXED", "ITEMS", "LINES", "SPREAD", "NEW", "MISSING", "CARD", "ITEMCARD")


def make_redeemables(api: Any) -> None:
    mug = api.call("POST", "/v1/products", {"source_id": "mug", "name": "Mug", "price": 333})["id"]
    for code, discount in (
        ("AMOUNT", amount(120)),
        ("PERCENT", percent(15)),
        ("FIXED", {"type": "FIXED", "fixed_amount": 900}),
        ("ITEMS", percent(20, effect="APPLY_TO_ITEMS")),
        ("LINES", {**amount(30), "effect": "APPLY_TO_ITEMS"}),
        ("SPREAD", {**amount(77), "effect": "APPLY_TO_ITEMS_PROPORTIONALLY"}),
        ("NEW", {"type": "UNIT", "unit_off": 1, "unit_type": mug, "effect": "ADD_NEW_ITEMS"}),
        ("MISSING", {"type": "UNIT", "unit_off": 2, "unit_type": mug, "effect": "ADD_MISSING_ITEMS"}),
    ):
        make_voucher(api, code, discount)
    gift_card(api, "CARD", 100_000)
    gift_card(api, "ITEMCARD", 100_000, effect="APPLY_TO_ITEMS")


def cart(chance: random.Random) -> dict[str, Any]:
    """Return what a shop says of its cart: items with prices, an amount, or nothing."""
    items = [line(name, chance.randint(1, 3), price) for name, price in (("pen", 100), ("mug", 333), ("bag", 7))]
    return chance.choice(
        [{}, {"amount": chance.randint(0, 3_000)}, {"items": chance.sample(items, chance.randint(1, 3))}]
    )


def check(order: dict[str, Any]) -> dict[str, Any]:
    off_items = sum(item.get("discount_amount", 0) for item in order["items"])
    assert order["items_discount_amount"] == off_items
    assert order["total_discount_amount"] == order["discount_amount"] + off_items
    assert order["total_amount"] == order["amount"] - order["total_discount_amount"] >= 0
    for item in order["items"]:
        assert item.get("subtotal_amount", 0) == item.get("amount", 0) - item.get("discount_amount", 0) >= 0
    return order


def worth_of_free(item: dict[str, Any]) -> int:
    return int(item.get("discount_quantity", 0) * item.get("amount", 0) / (item.get("quantity") or 1))


class Till:
    """One order at a till."""

    def __init__(self, api: Any) -> None:
        self.api = api
        self.standing: dict[str, bool] = {}

    @property
    def order(self) -> dict[str, Any]:
        """The order as it is stored."""
        return check(self.api.call("GET", "/v1/orders/o"))

    def redeem(self, chance: random.Random) -> None:
        """Redeem one or several things; what has nothing to take off may be refused."""
        codes = chance.sample(CODES, chance.randint(1, 2))
        said = {"source_id": "o", "status": "PAID", **cart(chance)}
        answer = redeem(self.api, *codes, order=said)
        check(answer["order"])
        stacked = answer.get("parent_redemption")
        self.standing[(stacked or answer["redemptions"][0])["id"]] = stacked is not None

    def put(self, chance: random.Random) -> None:
        """Change the order: its cart, its status, or all of it as it was answered."""
        before = self.order
        if chance.random() < 0.3:
            names = ("amount", "initial_amount", "discount_amount", "items", "status", "metadata")
            after = self.api.call("PUT", "/v1/orders/o", {name: before[name] for name in names})
            for name in ("amount", "initial_amount", "discount_amount", "items_discount_amount", "total_amount"):
                assert after[name] == before[name], name
        else:
            check(self.api.call("PUT", "/v1/orders/o", {"status": "FULFILLED", **cart(chance)}))

    def roll_back(self, redemption_id: str) -> None:
        """Undo a redemption; nothing gets cheaper by it, unless units went that were not quite free after a cut."""
        before, stacked = self.order, self.standing.pop(redemption_id)
        path = f"/v1/redemptions/{redemption_id}/rollback{'s' if stacked else ''}"
        check(self.api.call("POST", path, {})["order"])
        after = self.order
        if all(worth_of_free(item) <= item.get("discount_amount", 0) for item in before["items"]):
            assert after["total_amount"] >= before["total_amount"]
        assert after["discount_amount"] <= before["discount_amount"]
        assert after["items_discount_amount"] <= before["items_discount_amount"]
        assert (after["status"] == "CANCELED") == (not self.standing)


@pytest.mark.parametrize("seed", range(6))
def test_whatever_is_done_with_an_order_its_amounts_agree(api: Any, seed: int) -> None:
    chance, till = random.Random(seed), Till(api)
    make_redeemables(api)
    api.call("POST", "/v1/orders", {"source_id": "o", "amount": 2_000, "customer": {"source_id": "ann"}})
    for _ in range(14):
        step = chance.choice(("redeem", "redeem", "put", "roll back"))
        if step == "redeem":
            till.redeem(chance)
        elif step == "put":
            till.put(chance)
        elif till.standing:
            till.roll_back(chance.choice(sorted(till.standing)))
    for redemption_id in chance.sample(sorted(till.standing), len(till.standing)):
        till.roll_back(redemption_id)
    order = till.order
    assert (order["discount_amount"], order["items_discount_amount"]) == (0, 0), seed
    assert order["total_amount"] == order["amount"] == order["initial_amount"]
    assert all(not item.get("discount_quantity") for item in order["items"])
