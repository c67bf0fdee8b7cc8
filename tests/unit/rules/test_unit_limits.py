from typing import Any

import pytest

from rapport.discounts.applicable import Applicable, Target
from rapport.discounts.applying import apply
from rapport.discounts.cart import Cart
from rapport.discounts.expressions import FormulaError
from rapport.discounts.schemas import checked as discount
from rapport.redemptions.effects import between, units_of
from rapport.redemptions.limiting import MissingCustomer, limited
from rapport.rules import budgets, conditions, unit_limits
from rapport.rules.applicable import checked
from rapport.rules.counters import Counter, Redeemed, Spent, Units, Use, Watch, counters
from rapport.rules.models import Assigned
from rapport.rules.unit_limits import UNIT_LIMITS, asked, counter_of, watches, without_limits
from rule_facts import NOW, WARSAW, facts

MUGS = "product:mug"
ALL = "products_collection:all"
BY_NAME = {one.name: one for one in UNIT_LIMITS}
CAMPAIGN = "product_campaign_quantity_limit"
CUSTOMER = "product_customer_campaign_quantity_limit"
EACH = "product_in_collection_campaign_quantity_limit"
EACH_TIER = "product_in_collection_promotion_tier_quantity_limit"


def redeemed(*units: Units, tier: bool = False, customer: str | None = "c1", campaign: str | None = "camp") -> Redeemed:
    kind, name = ("promotion_tier", "t1") if tier else ("voucher", "v1")
    return Redeemed(name, kind, campaign, NOW, customer, "app", None, 1000, 100, units)  # type: ignore[arg-type]


def entry(kind: str = "product", found: str = "mug", **more: Any) -> dict[str, Any]:
    return checked({"included": [{"object": kind, "id": found, **more}]})


def test_the_names_are_those_of_the_reference() -> None:
    assert len(BY_NAME) == 8
    assert {CAMPAIGN, CUSTOMER, EACH, EACH_TIER, "product_in_collection_customer_promotion_tier_quantity_limit"} <= set(
        BY_NAME
    )


@pytest.mark.parametrize("name", [*BY_NAME, *(one.formula for one in UNIT_LIMITS)])
def test_each_is_kept_asked_for_and_taken_out(name: str) -> None:
    value: Any = "1 + 1" if name.endswith("formula") else 5
    stored = entry("products_collection", "all", **{name: value})
    assert stored["included"][0][name] == value
    assert checked(stored) == stored
    use = Use(
        redeemed(tier=True), ((Assigned("r", "promotion_tier", {}, None, stored), conditions.parse({})),), facts()
    )
    products = {one.product for one in asked([use], lambda _entry: ["mug", "cup"])}
    assert asked([use], lambda _entry: []) == set()
    limit = BY_NAME[name.removesuffix("_formula")]
    assert products == ({"mug", "cup"} if limit.by_product else {""})
    assert len(watches(stored, "t1", "camp")) == (0 if limit.by_customer else 1)
    assert without_limits(stored) == entry("products_collection", "all")


def test_what_a_limit_counts() -> None:
    campaign, tier = BY_NAME[CAMPAIGN], BY_NAME[EACH_TIER]
    found = counter_of(campaign, MUGS, redeemed(), "mug")
    assert found == Counter("camp", "units", "", "total", "campaign", goods=MUGS)
    alone = counter_of(campaign, MUGS, redeemed(campaign=None), "mug")
    assert alone is not None
    assert (alone.object_id, alone.kind) == ("v1", "voucher")
    assert counter_of(tier, ALL, redeemed(), "mug") is None
    of_tier = counter_of(tier, ALL, redeemed(tier=True), "mug")
    assert of_tier == Counter("t1", "units", "", "total", "promotion_tier", goods=ALL, product="mug")
    own = counter_of(BY_NAME[CUSTOMER], MUGS, redeemed(), "")
    assert own is not None
    assert (own.counted_by, own.name, own.is_stored) == ("customer_units", "c1", False)
    assert counter_of(BY_NAME[CUSTOMER], MUGS, redeemed(customer=None), "") is None
    assert len({one.key for one in (found, of_tier, own)}) == 3
    assert sorted([of_tier, found]) == [found, of_tier]


def test_a_redemption_moves_the_counters_that_are_watched() -> None:
    done = redeemed(Units(ALL, "mug", 2), Units(ALL, "cup", 3), Units(MUGS, "mug", 4), tier=True)
    whole = counters(Watch("camp", "units", "total", ALL), done, WARSAW)
    assert [(one.object_id, done.spent_on(one).number) for one in whole] == [("camp", 5)]
    each = counters(Watch("camp", "product_units", "total", ALL), done, WARSAW)
    assert sorted((one.product, done.spent_on(one).number) for one in each) == [("cup", 3), ("mug", 2)]
    (of_tier,) = counters(Watch("camp", "tier_units", "total", MUGS), done, WARSAW)
    assert (of_tier.object_id, done.spent_on(of_tier).number) == ("t1", 4)
    assert counters(Watch("camp", "tier_units", "total", MUGS), redeemed(Units(MUGS, "mug", 1)), WARSAW) == []
    assert counters(Watch("camp", "units", "total", "sku:x"), done, WARSAW) == []


def test_more_than_is_left_is_a_violation_unless_nothing_is_taken() -> None:
    rules = ((Assigned("r", "voucher", {}, None), conditions.parse({})),)
    key = Counter("camp", "units", "", "total", "campaign", goods=MUGS)

    def fits(units: int, before: int) -> bool:
        use = Use(redeemed(Units(MUGS, "mug", units)), rules, facts(), {key: 5})
        return budgets.judge([use], {key: Spent(before)}, WARSAW) == [None]

    assert [fits(2, 3), fits(2, 4), fits(0, 9)] == [True, False, True]


CART = Cart.of(
    1500, 0, [{"product_id": "mug", "quantity": 9, "price": 100}, {"product_id": "cup", "quantity": 6, "price": 100}]
)


def left(stored: dict[str, Any], spent: dict[Counter, Spent] | None = None, **more: Any) -> Target:
    (one,) = stored["included"]
    target = Target(object=one["object"], id=one["id"], lines=(0, 1))
    done = redeemed(**more)
    found, most = limited(stored["included"], Applicable(included=(target,)), done, spent or {}, CART, {})
    assert all(number >= 0 for number in most.values())
    return found.included[0]


def test_what_is_left_is_what_may_still_be_touched() -> None:
    key = Counter("camp", "units", "", "total", "campaign", goods=MUGS)
    assert left(entry()).left is None
    assert left(entry(**{CAMPAIGN: 7}), {key: Spent(3)}).left == 4
    assert left(entry(**{CAMPAIGN: 7}), {key: Spent(30)}).left == 0
    assert left(entry(**{CAMPAIGN: 7, CUSTOMER: 2})).left == 2
    each = left(entry("products_collection", "all", **{EACH: 3, f"{CAMPAIGN}_formula": "ORDER_ITEMS_COUNT + 0.9"}))
    assert (each.left, each.left_of_product) == (2, {"mug": 3, "cup": 3})
    by_line = left(entry("products_collection", "all", **{f"{EACH}_formula": "ORDER_ITEM_QUANTITY / 2"}))
    assert by_line.left_of_product == {"mug": 4, "cup": 3}
    assert left(entry(**{EACH_TIER: 1})).left_of_product == {}
    assert left(entry(**{f"{CAMPAIGN}_formula": "0 - 1"})).left == 0
    with pytest.raises(MissingCustomer):
        left(entry(**{CUSTOMER: 2}), customer=None)
    with pytest.raises(FormulaError):
        left(entry(**{f"{CAMPAIGN}_formula": "1 +"}))
    assert left(entry(**{CAMPAIGN: 6, f"{CAMPAIGN}_formula": "1 +"})).left == 6
    assert unit_limits.goods_of({"object": "sku", "id": "s"}) == "sku:s"


def test_effects_tell_the_units_to_be_counted() -> None:
    target = Target(object="products_collection", id="all", lines=(0, 1), aggregated_quantity_limit=11)
    half = discount({"type": "PERCENT", "percent_off": 50, "effect": "APPLY_TO_ITEMS"})
    done = apply(half, CART, applicable=Applicable(included=(target,)))
    effects = between(CART.items(), done.cart.items(), done.covered)
    assert units_of(effects) == (Units(ALL, "mug", 9), Units(ALL, "cup", 2))
    assert units_of(between(CART.items(), done.cart.items())) == units_of(None) == ()


def test_units_count_for_all_the_goods_that_rules_name_them_by() -> None:
    goods: list[dict[str, Any]] = [{"object": "products_collection", "id": "all"}, {"object": "product", "id": "mug"}]
    one, other, again = (Target(lines=(0,), **named) for named in (*goods, goods[0]))
    half = discount({"type": "PERCENT", "percent_off": 50, "effect": "APPLY_TO_ITEMS"})
    done = apply(half, CART, applicable=Applicable(included=(one,), further=((other,), (again,))))
    effects = between(CART.items(), done.cart.items(), done.covered)
    assert units_of(effects) == (Units(ALL, "mug", 9), Units(MUGS, "mug", 9))
    # What was kept as a text before is read as it was.
    assert units_of([{**effects[0], "goods": ALL}]) == (Units(ALL, "mug", 9),)


def test_a_limit_is_that_of_the_goods_in_whichever_rule_they_are_named() -> None:
    named = [
        entry("products_collection", "all"),
        entry(**{CAMPAIGN: 7}),
        entry("products_collection", "all", **{EACH: 3}),
    ]
    targets = [
        Target(object=one["object"], id=one["id"], lines=(0,)) for (one,) in (each["included"] for each in named)
    ]
    reached = Applicable(included=(targets[0],), further=((targets[1],), (targets[2],)))
    entries = [one for each in named for one in each["included"]]
    key = Counter("camp", "units", "", "total", "campaign", goods=MUGS)
    found, most = limited(entries, reached, redeemed(), {key: Spent(3)}, CART, {})
    assert [(one.left, one.left_of_product) for one in found.targets] == [
        (None, {"mug": 3}),
        (4, {}),
        (None, {"mug": 3}),
    ]
    assert sorted(most.values()) == [3, 7]
