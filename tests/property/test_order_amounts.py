"""Redemptions, changes by the shop and rollbacks in any order: the amounts of an order agree, and each takes its own.

The order is a value here, and goes through the functions that requests go through.
"""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapport.core.errors import InvalidPayload
from rapport.discounts import applying
from rapport.discounts.cart import CatalogueItem
from rapport.orders import standing
from rapport.orders.actions import blank
from rapport.orders.models import Order
from rapport.orders.schemas import OrderInput, apply, view
from rapport.redemptions import effects
from rapport.redemptions.deciding import cart_of
from rapport.redemptions.keeping import with_cart
from rapport.redemptions.models import Redemption

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PRODUCTS = ("pen", "mug", "bag")
CATALOGUE = {
    name: CatalogueItem({"id": name, "name": name}, None, price)
    for name, price in (("pen", 100), ("mug", 333), ("bag", 1))
}
NUMBERS = ("quantity", "amount", "discount_quantity", "discount_amount")

offs = st.integers(0, 1_500)
discounts = st.one_of(
    st.builds(
        lambda kind, off: {"type": "AMOUNT", "amount_off": off, "effect": kind},
        st.sampled_from(("APPLY_TO_ORDER", "APPLY_TO_ITEMS", "APPLY_TO_ITEMS_PROPORTIONALLY")),
        offs,
    ),
    st.builds(
        lambda kind, off: {"type": "PERCENT", "percent_off": off, "effect": kind},
        st.sampled_from(("APPLY_TO_ORDER", "APPLY_TO_ITEMS")),
        st.integers(0, 100),
    ),
    st.builds(
        lambda kind, to: {"type": "FIXED", "fixed_amount": to, "effect": kind},
        st.sampled_from(("APPLY_TO_ORDER", "APPLY_TO_ITEMS")),
        offs,
    ),
    st.builds(
        lambda kind, units, what: {"type": "UNIT", "unit_off": units, "unit_type": what, "effect": kind},
        st.sampled_from(("ADD_NEW_ITEMS", "ADD_MISSING_ITEMS", "ADD_SAME_ITEMS")),
        st.integers(1, 3),
        st.sampled_from(PRODUCTS),
    ),
    st.builds(
        lambda kind, credits_used: {"type": "GIFT", "credits": credits_used, "effect": kind},
        st.sampled_from(("APPLY_TO_ORDER", "APPLY_TO_ITEMS")),
        offs,
    ),
)


@st.composite
def carts(draw: st.DrawFn, *, least: int = 0) -> list[dict[str, Any]]:
    """Return lines of a cart: of products, with prices mostly, and some that name nothing."""
    items = []
    for name in draw(st.lists(st.sampled_from((*PRODUCTS, None)), min_size=least, max_size=4)):
        item: dict[str, Any] = {"quantity": draw(st.integers(1, 4)), "price": draw(st.sampled_from((100, 333, 1)))}
        items.append(item if name is None else {**item, "product_id": name})
    return items


class Shop:
    """An order, what was redeemed on it, and what is done with it."""

    def __init__(self, change: dict[str, Any]) -> None:
        self.order = apply(_input(change), blank("ord_1", NOW))
        self.rows: dict[str, Redemption] = {}
        self.made = 0

    def put(self, **change: Any) -> None:
        """Change the order as a request does."""
        self.order = apply(_input(change), self.order)

    def redeem(self, discount: dict[str, Any], **change: Any) -> str:
        """Redeem something, with what the request says about the order; return the redemption's id."""
        order = apply(_input(change), self.order)
        cart = cart_of(order)
        if discount["type"] == "GIFT":
            done = applying.credits(discount["credits"], discount["effect"], cart)
        else:
            done = applying.apply(discount, cart, products=CATALOGUE)
        self.made += 1
        row = Redemption(
            id=f"r_{self.made}",
            object="redemption",
            result="SUCCESS",
            channel={},
            created_at=NOW,
            amounts=done.cart.amounts(),
            effects=effects.between(cart.items(), done.cart.items()) or None,
        )
        entry = {standing.STANDING: {row.id: standing.record(row.applied_amount, row.effects)}}
        self.rows[row.id] = row
        after = with_cart(order, done.cart)
        self.order = msgspec.structs.replace(after, redemptions={**order.redemptions, row.id: entry})
        return row.id

    def roll_back(self, *ids: str) -> None:
        """Undo redemptions, several as a stack."""
        rows = [self.rows.pop(one) for one in ids]
        self.order = effects.without(self.order, rows, list(self.rows.values()))

    def again(self, *names: str) -> dict[str, Any]:
        """Return a request with these values of the order as answers have them."""
        shown = view(self.order)
        return {name: shown[name] for name in names}

    def same_items(self) -> list[dict[str, Any]]:
        """Return the items as a shop has them that knows nothing of discounts."""
        return [
            {name: value for name, value in item.items() if name in ("product_id", "quantity", "price", "amount")}
            for item in self.order.items
        ]


def _input(change: dict[str, Any]) -> OrderInput:
    return msgspec.convert(change, OrderInput)


def check(order: Order) -> None:
    off_items = sum(item.get("discount_amount", 0) for item in order.items)
    assert order.total_amount == order.amount - order.discount_amount - off_items
    assert order.total_amount >= 0
    assert order.discount_amount >= order.applied_discount_amount >= 0
    for item in order.items:
        for name in NUMBERS:
            assert item.get(name, 0) >= 0
        assert item.get("discount_amount", 0) <= item.get("amount", 0)
        assert item.get("discount_quantity", 0) <= item.get("quantity", 1)
        assert item.get("subtotal_amount", 0) == item.get("amount", 0) - item.get("discount_amount", 0)
    assert "standing" not in str(view(order))
    assert msgspec.json.decode(msgspec.json.encode(order.redemptions)) == order.redemptions


def sums(order: Order) -> Counter[Any]:
    """Return what an order has: of each product, and as a whole."""
    found = Counter({"off": order.discount_amount, "amount": order.amount})
    for item in order.items:
        for name in NUMBERS:
            found[item.get("product_id"), name] += item.get(name, 0)
    return Counter({name: value for name, value in found.items() if value})


steps = st.lists(
    st.tuples(
        st.sampled_from(("redeem", "redeem", "redeem again", "status", "echo", "echo all", "items", "roll back")),
        discounts,
        st.integers(0, 99),
    ),
    max_size=10,
)


@given(carts(), st.integers(0, 3_000), steps)
def test_what_redemptions_took_is_taken_back_exactly(cart: list[Any], amount: int, program: list[Any]) -> None:
    shop = Shop({"amount": amount, "items": cart, "status": "PAID"})
    start = sums(shop.order)
    made: dict[str, Counter[Any]] = {}
    for step, discount, chance in program:
        before = sums(shop.order)
        if step in ("redeem", "redeem again"):
            change = {} if step == "redeem" else {"items": shop.same_items()}
            name = shop.redeem(discount, **change)
            after = sums(shop.order)
            made[name] = Counter({key: after[key] - before[key] for key in after.keys() | before.keys()})
        elif step == "status":
            shop.put(status="FULFILLED", metadata={"a": chance})
        elif step == "echo":
            shop.put(**shop.again("amount", "discount_amount", "status"))
        elif step == "echo all":
            shop.put(**shop.again("amount", "initial_amount", "discount_amount", "items", "status"))
        elif step == "items" and (shop.order.items or not amount):
            shop.put(items=shop.same_items())
        elif step == "roll back" and shop.rows:
            name = sorted(shop.rows)[chance % len(shop.rows)]
            shop.roll_back(name)
            del made[name]
        check(shop.order)
        expected = Counter(start)
        for one in made.values():
            expected.update(one)
        assert sums(shop.order) == Counter({name: value for name, value in expected.items() if value}), step
    for name in sorted(shop.rows, reverse=True):
        shop.roll_back(name)
    check(shop.order)
    assert sums(shop.order) == start
    assert shop.order.initial_amount in (None, shop.order.amount)


changes = st.fixed_dictionaries(
    {},
    optional={
        "amount": st.integers(0, 4_000),
        "discount_amount": st.integers(0, 500),
        "status": st.sampled_from(("PAID", "FULFILLED")),
        "items": carts(),
    },
)
wild = st.lists(
    st.tuples(
        st.sampled_from(("redeem", "redeem with", "put", "own", "fewer", "echo", "roll back", "roll back two")),
        discounts,
        changes,
        st.integers(0, 99),
    ),
    max_size=14,
)


def try_put(shop: Shop, change: dict[str, Any]) -> None:
    try:
        shop.put(**change)
    except InvalidPayload:
        # Only a discount that is said may be refused.
        assert "discount_amount" in change or any("discount_amount" in item for item in change.get("items", ()))


def act(shop: Shop, step: str, discount: dict[str, Any], change: dict[str, Any], chance: int) -> None:
    if step == "redeem":
        shop.redeem(discount)
    elif step == "redeem with":
        try_put(shop, change)
        shop.redeem(discount)
    elif step == "put":
        try_put(shop, change)
    elif step == "echo":
        shop.put(**shop.again("amount", "items", "discount_amount"))
    elif shop.order.items and step in ("own", "fewer"):
        items = shop.same_items()
        item = items[chance % len(items)]
        if step == "own":
            item["discount_amount"] = item["amount"] * chance // 100 if "amount" in item else 0
        else:
            item["quantity"] = item["quantity"] * chance // 100
            item.pop("amount", None)
        try_put(shop, {"items": items})


@given(changes, wild)
def test_amounts_agree_and_rollbacks_take_no_more_than_their_own(start: dict[str, Any], program: list[Any]) -> None:
    shop = Shop({name: value for name, value in start.items() if name != "discount_amount"})
    check(shop.order)
    for step, discount, change, chance in program:
        if not step.startswith("roll back"):
            act(shop, step, discount, change, chance)
            check(shop.order)
            continue
        names = sorted(shop.rows)[chance % (len(shop.rows) or 1) :][: 2 if step.endswith("two") else 1]
        before, records = shop.order, standing.records_of(shop.order.redemptions)
        shop.roll_back(*names)
        check(shop.order)
        taken_back(before, shop.order, [records[name] for name in names])


def taken_back(before: Order, after: Order, mine: list[standing.Record]) -> None:
    """Check what a rollback did: nothing is off that was not, and no more was put back than these had off."""
    assert 0 <= before.discount_amount - after.discount_amount <= sum(one["off"] for one in mine)
    assert after.total_amount >= before.total_amount
    units: Counter[int] = Counter()
    worth: Counter[int] = Counter()
    off: Counter[int] = Counter()
    for one in mine:
        for line in one["lines"]:
            units[line["index"]] += line.get("quantity", 0)
            worth[line["index"]] += line.get("amount", 0)
            off[line["index"]] += line.get("discount_amount", 0)
    assert before.amount - after.amount == sum(worth.values())
    left = iter(after.items)
    for place, item in enumerate(before.items):
        if units[place] and units[place] == item.get("quantity", 1):
            continue
        now = next(left)
        if not (units[place] or worth[place] or off[place]):
            assert {**now, "applied": None} == {**item, "applied": None}
        assert item.get("quantity", 1) - now.get("quantity", 1) == units[place]
        assert item.get("amount", 0) - now.get("amount", 0) == worth[place]
        assert 0 <= item.get("discount_amount", 0) - now.get("discount_amount", 0) <= off[place]
    assert next(left, None) is None


@given(carts(least=1), st.lists(st.tuples(discounts, st.booleans()), min_size=1, max_size=5), st.integers(0, 99))
def test_what_the_shop_says_of_discounts_stays(cart: list[Any], program: list[Any], share: int) -> None:
    shop = Shop({"items": cart})
    for discount, _ in program:
        shop.redeem(discount)
    items = [{**item, "discount_amount": item["amount"] * share // 100} for item in shop.same_items()]
    off = sum(item["amount"] - item["discount_amount"] for item in items) // 2
    pairs = [
        *zip(shop.order.items, items, strict=True),
        ({"discount_amount": shop.order.discount_amount}, {"discount_amount": off}),
    ]
    if any(old.get("discount_amount", 0) == new["discount_amount"] for old, new in pairs):
        return
    said = {"items": items, "discount_amount": off}
    shop.put(**said)
    expected = sums(shop.order)
    for name in sorted(shop.rows):
        shop.roll_back(name)
        check(shop.order)
        assert sums(shop.order) == expected


def test_an_order_of_before_there_were_records_is_rolled_back_by_the_ledger() -> None:
    shop = Shop({"items": [{"product_id": "pen", "quantity": 1, "price": 1000}]})
    first = shop.redeem({"type": "PERCENT", "percent_off": 50, "effect": "APPLY_TO_ITEMS"})
    second = shop.redeem({"type": "AMOUNT", "amount_off": 100, "effect": "APPLY_TO_ORDER"})
    third = shop.redeem({"type": "UNIT", "unit_off": 1, "unit_type": "mug", "effect": "ADD_NEW_ITEMS"})
    bare = {name: standing.shown(shop.order.redemptions)[name] for name in (first, second, third)}
    shop.order = msgspec.structs.replace(shop.order, redemptions=bare)
    for name, expected in ((first, (1333, 100, 333)), (third, (1000, 100, 0)), (second, (1000, 0, 0))):
        shop.roll_back(name)
        check(shop.order)
        assert (shop.order.amount, shop.order.discount_amount, shop.order.items_discount_amount) == expected


@pytest.mark.parametrize("quantity", [0, 1, 2, 3, 4, 9])
def test_units_that_stay_in_the_quantity_stay_free(quantity: int) -> None:
    shop = Shop({"items": [{"product_id": "pen", "quantity": 1, "price": 100}]})
    name = shop.redeem({"type": "UNIT", "unit_off": 2, "unit_type": "pen", "effect": "ADD_NEW_ITEMS"})
    shop.put(items=[{"product_id": "pen", "quantity": quantity, "price": 100}])
    free = max(0, min(2, quantity - 1))
    assert shop.order.total_amount == 100 * (quantity - free)
    shop.roll_back(name)
    assert (shop.order.amount, shop.order.total_amount) == (100 * (quantity - free), 100 * (quantity - free))
