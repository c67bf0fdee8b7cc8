"""What formulas of discounts may name besides the cart, each from a redemption's real circumstances."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from in_cart import make_promotion, tier
from promotions import make_campaign, make_rule, make_voucher, percent, publish
from shopping import basket, line, redeem, validate

ORDER = {"amount": 10000}


def by(formula: str) -> dict[str, Any]:
    """Return a discount of as many per cent as a formula says, or of 1."""
    return percent(1, percent_off_formula=formula)


def off(api: Any, *codes: Any, **more: Any) -> int:
    """Return what a validation would take off an order of 100.00."""
    answer = validate(api, *codes, order=ORDER, **more)
    assert answer["valid"] is True
    return ORDER["amount"] - int(answer["order"]["total_amount"])


def redeemed_off(api: Any, *codes: Any, **more: Any) -> int:
    return ORDER["amount"] - int(redeem(api, *codes, order=ORDER, **more)["order"]["total_amount"])


def test_metadata_of_what_is_redeemed(api: Any) -> None:
    formula = 'IF(REDEEMABLE_METADATA("tier") = "gold"; 50; 10)'
    make_voucher(api, "GOLD", by(formula), metadata={"tier": "gold"})
    make_voucher(api, "TIN", by(formula), metadata={"tier": "tin"})
    make_voucher(api, "NONE", by('REDEEMABLE_METADATA("tier")'))
    assert [off(api, code) for code in ("GOLD", "TIN", "NONE")] == [5000, 1000, 100]
    assert redeemed_off(api, "GOLD") == 5000
    own = tier("A", action={"discount": by(formula)}, metadata={"tier": "gold"})
    other = tier("B", action={"discount": by('PROMOTION_TIER_METADATA("pct")')}, metadata={"pct": 30})
    tiers = [one["id"] for one in make_promotion(api, own, other)["promotion"]["tiers"]]
    assert [off(api, ("promotion_tier", one)) for one in tiers] == [5000, 3000]


def test_metadata_of_the_campaign_and_of_the_publication(api: Any) -> None:
    both = 'CAMPAIGN_METADATA("pct") + PUBLICATION_METADATA("pct")'
    make_campaign(api, "Spring", by(both), quantity=None, metadata={"pct": 30})
    code = publish(api, metadata={"pct": 12})["voucher"]["code"]
    assert (off(api, code), redeemed_off(api, code)) == (4200, 4200)
    campaign = make_promotion(api, tier("A", action={"discount": by('CAMPAIGN_METADATA("pct")')}), metadata={"pct": 40})
    assert off(api, ("promotion_tier", campaign["promotion"]["tiers"][0]["id"])) == 4000
    make_voucher(api, "ALONE", by('CAMPAIGN_METADATA("pct")'))
    assert off(api, "ALONE") == 100


def test_counts_of_a_voucher(api: Any) -> None:
    formula = "10 + VOUCHER_REDEMPTION_COUNT * 5 + VOUCHER_CUSTOMER_REDEMPTION_COUNT"
    make_voucher(api, "CODE", by(formula))
    assert redeemed_off(api, "CODE") == 1000
    assert redeemed_off(api, "CODE", customer="bob") == 1500
    assert (off(api, "CODE"), off(api, "CODE", customer="eve")) == (2100, 2000)
    one = redeem(api, "CODE", order=ORDER)["redemptions"][0]
    assert one["voucher"]["discount"]["percent_off_formula"] == formula
    assert off(api, "CODE") == 2700
    api.call("POST", f"/v1/redemptions/{one['id']}/rollback")
    assert off(api, "CODE") == 2100
    # Nobody in particular has redeemed nothing that could be counted: the stated value holds.
    assert off(api, "CODE", customer=None) == 100


def test_counts_of_a_campaign_and_whether_a_code_is_published(api: Any) -> None:
    formula = "10 * VOUCHER_PUBLISH_COUNT + 5 * CAMPAIGN_REDEMPTION_COUNT + CAMPAIGN_CUSTOMER_REDEMPTION_COUNT"
    make_campaign(api, "Spring", by(formula), quantity=None)
    first, second = (publish(api, customer=name)["voucher"]["code"] for name in ("ann", "bob"))
    assert redeemed_off(api, first) == 1000
    assert [off(api, second, customer=name) for name in ("bob", "ann")] == [1500, 1600]
    # Those of a request that come first count: 16% of the whole, then 22% of what it left.
    assert off(api, first, second) == 1600 + (10000 - 1600) * 22 // 100


def test_the_price_formula_of_a_rule_has_them_too(api: Any) -> None:
    price = 'IF(REDEEMABLE_METADATA("tier") = "gold"; ORDER_ITEM_PRICE * 0.5; ORDER_ITEM_PRICE)'
    entry = {"object": "product", "id": "prod_pen", "price_formula": price}
    rule = make_rule(api, {}, applicable_to={"included": [entry]})
    fixed = {"type": "FIXED", "fixed_amount": 900, "effect": "APPLY_TO_ITEMS"}
    make_voucher(api, "GOLD", fixed, metadata={"tier": "gold"}, validation_rules=[rule])
    answer = validate(api, "GOLD", order={"items": [line("prod_pen", 2, 1000)]})
    assert answer["order"]["total_amount"] == 1000


@pytest.mark.parametrize("formula", ["(((", "NOBODY_KNOWS", 'VOUCHER_METADATA("a")'])
def test_a_price_formula_that_cannot_be_read_is_refused(api: Any, formula: str) -> None:
    entry = {"object": "product", "id": "prod_pen", "price_formula": formula}
    body = {"name": "Rule", "rules": {}, "applicable_to": {"included": [entry]}}
    error = api.fails("POST", "/v1/validation-rules", body, status=400, key="invalid_validation_rules")
    assert "price_formula is not a formula" in error["details"]


def test_the_uses_of_a_voucher_are_counted_one_after_another_whoever_comes_at_once(api: Any) -> None:
    make_voucher(api, "CODE", by("IF(VOUCHER_REDEMPTION_COUNT = 0; 50; 10)"))
    bodies = [basket("CODE", customer=f"c{number}", order=ORDER) for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda body: api.call("POST", "/v1/redemptions", body), bodies))
    assert sorted(one["order"]["total_amount"] for one in done) == [5000] + [9000] * 7
