"""Whatever the cart, the discount and the rule: nothing below zero, parts that sum to the whole, limits that hold."""

import contextlib
import itertools
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import msgspec
from hypothesis import assume, example, given
from hypothesis import strategies as st

from rapport.core.errors import InvalidPayload
from rapport.core.rounding import half_up
from rapport.discounts import applying
from rapport.discounts.applicable import Applicable, Target, cover
from rapport.discounts.applied import Applied
from rapport.discounts.applying import apply
from rapport.discounts.cart import Cart, CatalogueItem, Line, product_of
from rapport.discounts.schemas import EFFECTS as EFFECTS_OF
from rapport.discounts.schemas import Discount, checked
from rapport.discounts.shares import split

MAX_LINES = 6
EFFECTS = [
    "APPLY_TO_EVERY",
    "APPLY_TO_CHEAPEST",
    "APPLY_FROM_CHEAPEST",
    "APPLY_TO_MOST_EXPENSIVE",
    "APPLY_FROM_MOST_EXPENSIVE",
]
SPREAD = ["APPLY_TO_ITEMS_PROPORTIONALLY", "APPLY_TO_ITEMS_PROPORTIONALLY_BY_QUANTITY"]
PRODUCTS = {
    "prod_a": CatalogueItem({"id": "prod_a", "name": "A"}, price=700),
    "prod_b": CatalogueItem({"id": "prod_b", "name": "B"}),
    "sku_c": CatalogueItem({"id": "prod_a"}, sku={"id": "sku_c", "sku": "C"}, price=333),
}
VARIABLES = {"CUSTOMER_METADATA": {"age": 31}}
money = st.integers(0, 3_000) | st.integers(0, 2**53 - 1)
small = st.integers(0, 3_000)
unpriced = small | st.integers(0, 2**52)  # units that are added do not make the order too large
maybe = st.none() | small
percentages = st.integers(0, 100) | st.decimals(0, 100, places=3)
formulas = st.sampled_from(
    [
        None,
        "ORDER_ITEM_PRICE * 0.3",
        "ORDER_AMOUNT / 3",
        'IF(CUSTOMER_METADATA("age") > 30; 15; ORDER_UNITS_QUANTITY)',
        "ORDER_ITEM_QUANTITY - 3",
        "MAX(1; CHEAPEST_ORDER_ITEM_PRICE)",
        "1 / (ORDER_ITEMS_COUNT - 2)",
        'PUBLICATION_METADATA("x")',
    ]
)


@st.composite
def lines(draw: st.DrawFn) -> dict[str, Any]:
    """Draw an order item with consistent amounts: at a price, with an amount alone, or without either."""
    ids = draw(st.sampled_from([{"product_id": "prod_a"}, {"product_id": "prod_b"}, {"sku_id": "sku_c"}, {}]))
    item: dict[str, Any] = {"object": "order_item", **ids, "quantity": draw(st.integers(0, 7))}
    kind = draw(st.sampled_from(["price", "price", "price", "amount", "neither"]))
    if kind == "neither":
        return item
    if kind == "price":
        item["price"] = draw(small)
    item["amount"] = item.get("price", 0) * item["quantity"] if kind == "price" else draw(small)
    item["discount_amount"] = draw(st.just(0) | st.integers(0, item["amount"]))
    item["discount_quantity"] = draw(st.just(0) | st.integers(0, item["quantity"]))
    return item


@st.composite
def carts(draw: st.DrawFn) -> Cart:
    """Draw a cart whose discounts are not more than its amount."""
    items = draw(st.lists(lines(), max_size=MAX_LINES))
    priced = sum(item.get("amount", 0) for item in items)
    amount = priced if any("amount" in item for item in items) else draw(unpriced)
    left = amount - sum(item.get("discount_amount", 0) for item in items)
    return Cart.of(amount, draw(st.just(0) | st.integers(0, left) | st.just(max(0, left - 100))), items)


def off_values(kind: str, value: str, values: st.SearchStrategy[Any], effects: Sequence[str]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries(
        {"type": st.just(kind), value: values, "effect": st.sampled_from(effects)},
        optional={f"{value}_formula": formulas},
    )


limits = st.fixed_dictionaries({}, optional={"aggregated_amount_limit": small})
amounts_off = off_values(
    "AMOUNT", "amount_off", money, ["APPLY_TO_ORDER", "APPLY_TO_ITEMS", "APPLY_TO_ITEMS_BY_QUANTITY", *SPREAD]
)
percents_off = off_values("PERCENT", "percent_off", percentages, ["APPLY_TO_ORDER", "APPLY_TO_ITEMS"])
fixed = off_values("FIXED", "fixed_amount", money, ["APPLY_TO_ORDER", "APPLY_TO_ITEMS"])
prices_off = st.one_of(
    st.builds(dict.__or__, amounts_off, limits),
    st.builds(
        dict.__or__, percents_off, st.builds(dict.__or__, limits, st.fixed_dictionaries({"amount_limit": maybe}))
    ),
    fixed,
)
unit_types = st.sampled_from([*PRODUCTS, "prod_unknown", "sku_unknown"])


def unit_off(effects: Sequence[str]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries(
        {"unit_off": st.integers(1, 9), "unit_type": unit_types, "effect": st.sampled_from(effects)},
        optional={"unit_off_formula": formulas},
    )


units_off = st.one_of(
    unit_off(["ADD_MISSING_ITEMS", "ADD_NEW_ITEMS", "ADD_SAME_ITEMS"]),
    st.lists(unit_off(["ADD_MISSING_ITEMS", "ADD_NEW_ITEMS"]), min_size=1, max_size=3).map(
        lambda many: {"units": many}
    ),
).map(lambda unit: {"type": "UNIT", **unit})


def fitting(discount: dict[str, Any]) -> dict[str, Any]:
    """Return a discount without the formulas about the item that belong to discounts on each item alone."""
    if discount.get("effect") in {"APPLY_TO_ITEMS", "APPLY_TO_ITEMS_BY_QUANTITY"}:
        return discount
    kept = {
        name: value
        for name, value in discount.items()
        if not (name.endswith("_formula") and value is not None and "ORDER_ITEM_" in value)
    }
    return kept | ({"units": [fitting(one) for one in kept["units"]]} if "units" in kept else {})


discounts = (prices_off | units_off).map(fitting).map(checked)

targets = st.builds(
    Target,
    object=st.just("product"),
    id=st.just("prod_1"),
    lines=st.just(tuple(range(MAX_LINES))) | st.lists(st.integers(0, MAX_LINES), max_size=MAX_LINES).map(tuple),
    effect=st.sampled_from(EFFECTS),
    quantity_limit=st.none() | st.integers(0, 5),
    aggregated_quantity_limit=st.none() | st.integers(0, 9),
    amount_limit=maybe,
    aggregated_amount_limit=maybe,
    price=maybe,
    price_formula=formulas,
    skip_initially=st.integers(0, 3),
    repeat=st.integers(1, 4),
    target=st.sampled_from(["ITEM", "UNIT"]),
    left=st.none() | st.integers(0, 9),
    left_of_product=st.dictionaries(st.sampled_from(["prod_a", "prod_b", "sku_c"]), st.integers(0, 5)),
)
applicables = st.none() | st.builds(
    Applicable,
    included=st.lists(targets, max_size=3).map(tuple),
    excluded=st.frozensets(st.integers(0, MAX_LINES), max_size=3),
    included_all=st.booleans(),
)


def run(discount: dict[str, Any], cart: Cart, applicable: Applicable | None = None) -> Applied:
    return apply(discount, cart, applicable=applicable, variables=VARIABLES, products=PRODUCTS)


def check_amounts(cart: Cart) -> None:
    """See that a cart's amounts agree with each other and that none is below zero."""
    shown, items = cart.amounts(), cart.items()
    assert all(amount >= 0 for amount in shown.values())
    assert shown["total_amount"] == shown["amount"] - shown["total_discount_amount"]
    assert shown["total_discount_amount"] == shown["discount_amount"] + shown["items_discount_amount"]
    assert shown["items_discount_amount"] == sum(item.get("discount_amount", 0) for item in items)
    assert shown["items_applied_discount_amount"] == sum(item.get("applied_discount_amount", 0) for item in items)
    assert (
        shown["total_applied_discount_amount"]
        == shown["applied_discount_amount"] + shown["items_applied_discount_amount"]
    )
    for item, line in zip(items, cart.lines, strict=True):
        assert 0 <= line.discount_quantity <= line.quantity
        assert line.priced == ("subtotal_amount" in item)
        if line.priced:
            assert item["subtotal_amount"] == item["amount"] - item.get("discount_amount", 0) >= 0


scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3), st.decimals(allow_nan=False), small
)
KEYS = sorted(Discount.__struct_fields__)
WORDS = st.sampled_from([*EFFECTS_OF, *(effect for effects in EFFECTS_OF.values() for effect in effects), "1 + 1"])
loose = st.dictionaries(
    st.sampled_from(KEYS), scalars | WORDS | st.lists(scalars | st.dictionaries(st.sampled_from(KEYS), scalars | WORDS))
)


@given(loose | st.builds(dict.__or__, discounts, loose) | st.builds(dict.__or__, loose, discounts))
def test_a_discount_is_refused_or_stays_what_it_is(raw: dict[str, Any]) -> None:
    with contextlib.suppress(InvalidPayload):
        stored = checked(raw)
        assert checked(stored) == stored
        run(stored, Cart.of(700, 0, [{"product_id": "prod_a", "price": 700, "quantity": 1, "amount": 700}]))


@given(carts(), discounts, applicables)
def test_amounts_agree_and_nothing_is_below_zero(cart: Cart, discount: dict[str, Any], rule: Applicable | None) -> None:
    check_amounts(cart)
    done = run(discount, cart, rule)
    check_amounts(done.cart)
    assert done.off == done.cart.amounts()["total_applied_discount_amount"] >= 0
    assert done.off == done.cart.total_discount_amount - cart.total_discount_amount
    assert done.saved == cart.total_amount - done.cart.total_amount
    assert 0 <= done.saved <= cart.total_amount
    assert done.cart.initial_amount == cart.initial_amount
    assert sum(off for _, off in done.lines) + done.cart.applied_discount_amount == done.off


@given(carts(), prices_off.map(fitting).map(checked), applicables)
def test_a_discount_on_prices_adds_nothing(cart: Cart, discount: dict[str, Any], rule: Applicable | None) -> None:
    done = run(discount, cart, rule)
    assert done.off == done.saved
    assert done.added == ()
    assert done.cart.amount == cart.amount
    for after, before in zip(done.cart.lines, cart.lines, strict=True):
        assert (after.amount, after.quantity, after.discount_quantity) == (
            before.amount,
            before.quantity,
            before.discount_quantity,
        )


@given(carts(), units_off.map(fitting).map(checked), applicables)
def test_units_that_are_added_are_free(cart: Cart, discount: dict[str, Any], rule: Applicable | None) -> None:
    done = run(discount, cart, rule)
    more = sum(line.quantity for line in done.cart.lines) - sum(line.quantity for line in cart.lines)
    assert more == sum(added.quantity for added in done.added)
    assert done.cart.discount_amount == cart.discount_amount
    assert done.off - done.saved == done.cart.amount - cart.amount >= 0
    for index, line in enumerate(cart.lines):
        after = done.cart.lines[index]
        assert after.initial_quantity == line.initial_quantity
        assert after.paid_quantity <= line.paid_quantity
        assert after.subtotal_amount <= line.subtotal_amount
    for line in done.cart.lines[len(cart.lines) :]:
        assert (line.initial_quantity, line.initial_amount, line.paid_quantity, line.subtotal_amount) == (0, 0, 0, 0)


@given(carts(), unit_off(["ADD_MISSING_ITEMS"]), st.integers(1, 9))
def test_missing_units_are_there_and_free_afterwards(cart: Cart, unit: dict[str, Any], count: int) -> None:
    discount = checked({"type": "UNIT", **unit, "unit_off": count, "unit_off_formula": None})
    after = run(discount, cart).cart
    check_amounts(after)
    of_it = [line for line in after.lines if unit["unit_type"] in line.sku_ids | line.product_ids]
    assert sum(line.quantity for line in of_it) >= count
    assert sum(line.discount_quantity for line in of_it) >= count
    again = run(discount, after)
    assert (again.cart.fresh(), again.off, again.added) == (after.fresh(), 0, ())


def allowed(rule: Applicable | None, cart: Cart) -> dict[int, Fraction]:
    """Return what is left to pay of the units that are covered, by line."""
    return {one.line: one.value for one in cover(rule, cart)}


@given(carts(), prices_off.map(fitting).map(checked), applicables)
def test_limits_hold(cart: Cart, discount: dict[str, Any], rule: Applicable | None) -> None:
    done = run(discount, cart, rule)
    if discount.get("aggregated_amount_limit") is not None:
        assert done.off <= discount["aggregated_amount_limit"]
    if discount["effect"] == "APPLY_TO_ORDER":
        assert done.off <= discount.get("amount_limit", done.off)
        return
    covered = allowed(rule, cart)
    for index, off in done.lines:
        assert off <= half_up(covered[index])
        assert off <= discount.get("amount_limit", off)
    offs = dict(done.lines)
    for target in rule.included if rule is not None else ():
        mine = [one for one in cover(rule, cart) if one.target is target]
        assert all(one.units <= target.quantity_limit for one in mine if target.quantity_limit is not None)
        if target.aggregated_quantity_limit is not None:
            assert sum(one.units for one in mine) <= target.aggregated_quantity_limit
        assert target.left is None or sum(one.units for one in mine) <= target.left
        for product, left in target.left_of_product.items():
            of_it = [one.units for one in mine if product_of(cart.lines[one.line].item) == product]
            assert sum(of_it) <= left
        if target.amount_limit is not None:
            assert all(offs.get(one.line, 0) <= target.amount_limit for one in mine)
        if target.aggregated_amount_limit is not None:
            assert sum(offs.get(one.line, 0) for one in mine) <= target.aggregated_amount_limit


@given(carts(), prices_off.map(fitting).map(checked), applicables)
def test_what_got_something_off_is_what_was_covered(
    cart: Cart, discount: dict[str, Any], rule: Applicable | None
) -> None:
    done = run(discount, cart, rule)
    if discount["effect"] == "APPLY_TO_ORDER":
        assert done.covered == ()
        return
    assert sorted(one.line for one in done.covered) == sorted(index for index, off in done.lines if off)
    assert set(map(id, (one.target for one in done.covered))) <= set(map(id, (one.target for one in cover(rule, cart))))


@given(carts(), prices_off.map(fitting).map(checked), applicables, st.integers(1, 5))
def test_a_discount_for_several_bundles_is_no_less_and_within_its_limits(
    cart: Cart, discount: dict[str, Any], rule: Applicable | None, times: int
) -> None:
    if rule is not None:
        # What is left over all redemptions is not multiplied: the first line may use up what a dearer one had.
        endless = tuple(msgspec.structs.replace(one, left=None, left_of_product={}) for one in rule.included)
        rule = msgspec.structs.replace(rule, included=endless)
    once = run(discount, cart, rule)
    more = applying.apply(
        discount,
        cart,
        applicable=applying.scaled(rule, discount, times),
        variables=VARIABLES,
        products=PRODUCTS,
        times=times,
    )
    check_amounts(more.cart)
    assert more.off >= once.off
    assert {name: value for name, value in more.discount.items() if name != "is_dynamic"} == {
        name: value for name, value in once.discount.items() if name != "is_dynamic"
    }
    if discount["type"] != "FIXED" and discount.get("aggregated_amount_limit") is not None:
        assert more.off <= discount["aggregated_amount_limit"]


@given(carts(), applicables)
def test_what_is_covered_is_there_and_paid_for(cart: Cart, rule: Applicable | None) -> None:
    covered = cover(rule, cart)
    assert len({one.line for one in covered}) == len(covered)
    for one in covered:
        assert 1 <= one.units == len(one.numbers) <= cart.lines[one.line].paid_quantity
        assert one.numbers[0] >= 1
        assert one.numbers[-1] <= cart.lines[one.line].paid_quantity
        assert one.value <= cart.lines[one.line].subtotal_amount
        assert rule is None or one.line not in rule.excluded


@given(carts(), st.integers(0, 5), st.integers(1, 4), st.sampled_from(["ITEM", "UNIT"]))
def test_every_so_manieth_is_the_one_that_counting_finds(cart: Cart, skip: int, repeat: int, counts: Any) -> None:
    target = Target(
        object="product",
        id="p",
        lines=tuple(range(len(cart.lines))),
        skip_initially=skip,
        repeat=repeat,
        target=counts,
    )
    found = {one.line: list(one.numbers) for one in cover(Applicable(included=(target,)), cart)}
    wanted: dict[int, list[int]] = {}
    passed = 0
    for index, line in enumerate(cart.lines):
        numbers = range(1, line.paid_quantity + 1)
        if counts == "UNIT":
            for unit in numbers:
                if passed >= skip and (passed - skip) % repeat == 0:
                    wanted.setdefault(index, []).append(unit)
                passed += 1
        elif numbers:
            if passed >= skip and (passed - skip) % repeat == 0:
                wanted[index] = list(numbers)
            passed += 1
    assert found == wanted


@given(st.integers(0, 10**6), st.lists(st.tuples(st.integers(0, 9_999), st.integers(0, 9_999)), max_size=8))
@example(100, [(1, 10), (1, 1000), (1, 1000)])
def test_parts_sum_to_the_whole_and_are_fair(whole: int, pairs: list[tuple[int, int]]) -> None:
    weights, most = [weight for weight, _ in pairs], [cap for _, cap in pairs]
    parts = split(whole, weights, most)
    can_take = sum(cap for weight, cap in pairs if weight > 0)
    assert sum(parts) == min(whole, can_take)
    assert all(0 <= part <= cap for part, cap in zip(parts, most, strict=True))
    # None that could take more has less than its share beside another: they differ by rounding alone.
    open_ones = [at for at in range(len(pairs)) if weights[at] > 0 and parts[at] < most[at]]
    for at in open_ones:
        for other in range(len(pairs)):
            if weights[other] > 0:
                assert Fraction(parts[other] - 1, weights[other]) < Fraction(parts[at] + 1, weights[at])


@given(
    st.lists(lines(), min_size=2, max_size=MAX_LINES),
    prices_off.map(fitting).map(checked),
    st.randoms(use_true_random=False),
)
def test_the_order_of_equal_lines_does_not_matter(
    items: list[dict[str, Any]], discount: dict[str, Any], random: Any
) -> None:
    def offs(order: list[dict[str, Any]]) -> list[tuple[str, int]]:
        done = run(discount, Cart.of(sum(item.get("amount", 0) for item in order), 0, order))
        return [(str(item), line.applied_discount_amount) for item, line in zip(order, done.cart.lines, strict=True)]

    assert offs(items) == offs([dict(item) for item in items])
    shuffled = list(items)
    random.shuffle(shuffled)
    if all(item == items[0] for item in items):
        assert offs(shuffled) == offs(items)
    if "aggregated_amount_limit" not in discount and discount["effect"] not in SPREAD:
        assert sorted(offs(shuffled)) == sorted(offs(items))
    assert sum(off for _, off in offs(shuffled)) == sum(off for _, off in offs(items))


@given(carts(), percentages, percentages, st.sampled_from(["APPLY_TO_ORDER", "APPLY_TO_ITEMS"]), applicables)
def test_more_percent_is_not_less_off(cart: Cart, one: Any, other: Any, effect: str, rule: Applicable | None) -> None:
    less, more = sorted((one, other))
    offs = [
        run(checked({"type": "PERCENT", "percent_off": percent, "effect": effect}), cart, rule)
        for percent in (less, more)
    ]
    assert offs[0].off <= offs[1].off
    if effect == "APPLY_TO_ORDER":
        exact = Fraction(less) * cart.total_amount / 100
        assert abs(offs[0].off - exact) <= Fraction(1, 2)


@given(carts(), st.lists(st.tuples(discounts, applicables), max_size=4))
def test_a_stack_comes_to_the_sum_of_what_each_took(cart: Cart, stack: list[tuple[Any, Any]]) -> None:
    now, off, saved = cart, 0, 0
    for discount, rule in stack:
        done = run(discount, now.fresh(), rule)
        now, off, saved = done.cart, off + done.off, saved + done.saved
    whole = now.since(cart)
    check_amounts(whole)
    assert whole.amounts()["total_applied_discount_amount"] == off
    assert cart.total_amount - whole.total_amount == saved
    assert sum(line.applied_discount_quantity for line in whole.lines) == sum(
        line.discount_quantity for line in whole.lines
    ) - sum(line.discount_quantity for line in cart.lines)


@given(carts(), discounts)
def test_what_is_shown_is_read_again_as_the_same(cart: Cart, discount: dict[str, Any]) -> None:
    after = run(discount, cart).cart
    again = Cart.of(after.amount, after.discount_amount, after.items(), after.initial_amount)
    assert again.items() == after.fresh().items()
    assert again.amounts() == after.fresh().amounts()

    def bare(line: Line) -> Line:
        return msgspec.structs.replace(line, item={})

    assert [bare(line) for line in again.lines if line.priced] == [
        bare(line) for line in after.fresh().lines if line.priced
    ]


@given(carts(), money, st.sampled_from(["APPLY_TO_ORDER", "APPLY_TO_ITEMS"]), applicables)
def test_credits_are_used_as_far_as_there_is_something_to_pay(
    cart: Cart, amount: int, effect: str, rule: Applicable | None
) -> None:
    done = applying.credits(amount, effect, cart, rule)
    check_amounts(done.cart)
    assert 0 <= done.off == done.saved <= min(amount, cart.total_amount)
    if effect == "APPLY_TO_ORDER":
        assert done.off == min(amount, cart.total_amount)
    elif rule is None:
        payable = sum(half_up(value) for value in allowed(rule, cart).values())
        assert done.off == min(amount, cart.total_amount, payable)


@given(carts(), st.sampled_from(SPREAD), st.integers(0, 5_000))
def test_a_spread_amount_is_all_spread(cart: Cart, effect: str, amount: int) -> None:
    assume(cart.lines)
    done = run(checked({"type": "AMOUNT", "amount_off": amount, "effect": effect}), cart)
    payable = sum(half_up(value) for value in allowed(None, cart).values())
    assert done.off == min(amount, cart.total_amount, payable)


plain = {"effect": "APPLY_TO_EVERY", "price": None, "price_formula": None, "skip_initially": 0, "repeat": 1}
# In a rule, goods are named once: the first entry that names them has all their lines.
limiting = st.lists(
    st.builds(lambda one, name: msgspec.structs.replace(one, id=name, **plain), targets, st.sampled_from("abc")),
    max_size=3,
    unique_by=lambda one: one.id,
).map(tuple)
of_rules = st.builds(
    Applicable,
    included=limiting,
    excluded=st.frozensets(st.integers(0, MAX_LINES), max_size=2),
    further=st.lists(limiting, max_size=2).map(tuple),
    only=st.just(frozenset(range(MAX_LINES + 1))),
)


@given(carts(), prices_off.map(fitting).map(checked), of_rules)
def test_the_order_of_rules_does_not_change_what_is_off(cart: Cart, discount: dict[str, Any], rule: Applicable) -> None:
    orders = itertools.permutations((rule.included, *rule.further))
    found = [
        run(discount, cart, msgspec.structs.replace(rule, included=first, further=tuple(rest)))
        for first, *rest in orders
    ]
    assert len({(done.off, done.lines) for done in found}) == 1


@given(carts(), prices_off.map(fitting).map(checked), of_rules | applicables.filter(bool), limiting)
def test_one_limit_more_never_takes_off_more(
    cart: Cart, discount: dict[str, Any], rule: Applicable, more: tuple[Target, ...]
) -> None:
    before = run(discount, cart, rule)
    after = run(discount, cart, msgspec.structs.replace(rule, further=(*rule.further, more)))
    assert after.off <= before.off
    units = {one.line: one.units for one in cover(rule, cart)}
    for one in cover(msgspec.structs.replace(rule, further=(*rule.further, more)), cart):
        assert one.units <= units[one.line]


@given(carts(), prices_off.map(fitting).map(checked), of_rules)
def test_limits_of_all_rules_hold(cart: Cart, discount: dict[str, Any], rule: Applicable) -> None:
    covered, offs = cover(rule, cart), dict(run(discount, cart, rule).lines)
    by_items = discount["effect"] != "APPLY_TO_ORDER"
    for target in rule.targets:
        mine = [one for one in covered if any(own is target for own in one.targets)]
        counts = [one.units for one in mine]
        assert target.quantity_limit is None or all(count <= target.quantity_limit for count in counts)
        assert target.aggregated_quantity_limit is None or sum(counts) <= target.aggregated_quantity_limit
        off = [offs.get(one.line, 0) for one in mine if by_items]
        assert target.amount_limit is None or all(one <= target.amount_limit for one in off)
        assert target.aggregated_amount_limit is None or sum(off) <= target.aggregated_amount_limit
        of_goods = [one for one in covered if target.id in {own.id for own in one.targets}]
        if mine:
            assert target.left is None or sum(one.units for one in of_goods) <= target.left
            for product, left in target.left_of_product.items():
                of_it = [one.units for one in of_goods if product_of(cart.lines[one.line].item) == product]
                assert sum(of_it) <= left
