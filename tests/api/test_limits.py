"""What limits and budgets of rules count: credits of gift cards, people who are gone; and windows of tiers."""

from datetime import UTC, datetime, timedelta
from typing import Any

from in_cart import make_promotion, tier
from promotions import codes_of, make_campaign, make_rule, one_rule, percent, redeem, refused
from rapport.core.clock import iso
from shopping import basket

CARDS = {"campaign_type": "GIFT_VOUCHERS", "type": "AUTO_UPDATE", "vouchers_count": 1}


def test_a_budget_counts_credits_with_and_without_an_order(api: Any) -> None:
    rule = make_rule(api, one_rule("campaign.orders.amount_discounted", "$less_than_or_equal", 1000))
    body = CARDS | {"name": "Cards", "validation_rules": [rule]}
    voucher = {"type": "GIFT_VOUCHER", "gift": {"amount": 5000, "effect": "APPLY_TO_ORDER"}, "redemption": {}}
    campaign = api.call("POST", "/v1/campaigns", body | {"voucher": voucher})
    code = codes_of(api, campaign["id"])[0]
    alone = {"redeemables": [{"object": "voucher", "id": code, "gift": {"credits": 900}}]}
    done = api.call("POST", "/v1/redemptions", alone)["redemptions"][0]["id"]
    for again in (alone, basket(("voucher", code, 101), order={"amount": 500})):
        api.fails("POST", "/v1/redemptions", again, status=400, key="redemption_rules_violated")
        assert api.call("POST", "/v1/validations", again)["valid"] is False
    api.call("POST", f"/v1/redemptions/{done}/rollback")
    api.call("POST", "/v1/redemptions", basket(("voucher", code, 600), order={"amount": 700}))
    api.fails("POST", "/v1/redemptions", alone, status=400, key="redemption_rules_violated")


def test_who_was_erased_still_counts_as_one_customer(api: Any) -> None:
    limit = {"name": "campaign.redemptions.customers_count", "conditions": {"$less_than_or_equal": [2]}}
    rule = make_rule(api, {"1": limit, "logic": "1"})
    code = codes_of(api, make_campaign(api, quantity=None, validation_rules=[rule])["id"])[0]
    for _ in range(2):
        redeem(api, code, customer="x")
    redeem(api, code, customer="y")
    refused(api, code, customer="z", key="redemption_rules_violated")
    api.call("POST", "/v1/customers/x/permanent-deletion")
    more = {"2": {"name": "campaign.redemptions.count", "conditions": {"$less_than": [100]}}, "logic": "1 and 2"}
    api.call("PUT", f"/v1/validation-rules/{rule}", {"rules": {"1": limit} | more})
    refused(api, code, customer="z", key="redemption_rules_violated")
    redeem(api, code, customer="y")


def test_the_redemption_of_somebody_who_was_erased_is_taken_back_whole(api: Any) -> None:
    rule = make_rule(api, one_rule("campaign.redemptions.customers_count", "$less_than_or_equal", 1))
    code = codes_of(api, make_campaign(api, quantity=None, validation_rules=[rule])["id"])[0]
    done = redeem(api, code, customer="x")["redemptions"][0]["id"]
    api.call("POST", "/v1/customers/x/permanent-deletion")
    refused(api, code, customer="y", key="redemption_rules_violated")
    api.call("POST", f"/v1/redemptions/{done}/rollback")
    redeem(api, code, customer="y")
    refused(api, code, customer="z", key="redemption_rules_violated")


def test_a_timeframe_of_a_tier_counts_from_the_campaigns_start_where_it_has_none(api: Any) -> None:
    begun = datetime.now(UTC) - timedelta(hours=5)
    hour = {"interval": "P7D", "duration": "PT1H"}
    promotion = make_promotion(api, tier("over", validity_timeframe=hour), start_date=iso(begun))
    over = api.call("GET", f"/v1/promotions/{promotion['id']}/tiers")["tiers"][0]["id"]
    api.fails("POST", "/v1/redemptions", basket(("promotion_tier", over)), status=400, key="promotion_inactive")
    later = tier("open", validity_timeframe=hour, start_date=iso(datetime.now(UTC) - timedelta(minutes=5)))
    still_open = api.call("POST", f"/v1/promotions/{promotion['id']}/tiers", later)["id"]
    api.call("POST", "/v1/redemptions", basket(("promotion_tier", still_open)))


def test_a_campaigns_summary_has_what_was_taken_off_items(api: Any) -> None:
    campaign = make_campaign(api, discount=percent(10, effect="APPLY_TO_ITEMS"), quantity=None)
    code = codes_of(api, campaign["id"])[0]
    items = {"items": [{"product_id": "p", "quantity": 1, "price": 10_000}]}
    for _ in range(2):
        done = redeem(api, code, order=items)["redemptions"][0]["id"]
    api.call("POST", f"/v1/redemptions/{done}/rollback")
    redemptions = api.call("GET", f"/v1/campaigns/{campaign['id']}/summary")
    assert find(redemptions, "discounted_amount") == 2_000
    assert find(redemptions, "rolledback_discounted_amount") == 1_000


def find(node: Any, name: str) -> Any:
    """Return the value of a property, wherever it is."""
    if not isinstance(node, dict):
        return None
    if name in node:
        return node[name]
    return next((found for one in node.values() if (found := find(one, name)) is not None), None)
