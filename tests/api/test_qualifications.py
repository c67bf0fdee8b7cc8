from typing import Any

import pytest

from in_cart import make_category, make_promotion, make_stack, tier
from promotions import amount, make_campaign, make_rule, make_voucher, one_rule, percent, publish
from shopping import gift_card, line


def qualify(api: Any, scenario: str | None = None, customer: str | None = "ann", **more: Any) -> dict[str, Any]:
    body: dict[str, Any] = {"order": {"amount": 1000}, "options": {"limit": 50}, **more}
    if customer is not None:
        body["customer"] = {"source_id": customer}
    if scenario is not None:
        body["scenario"] = scenario
    return api.call("POST", "/v1/qualifications", body)  # type: ignore[no-any-return]


def found(answer: dict[str, Any]) -> list[tuple[str, str]]:
    return sorted((one["object"], one.get("name") or one["id"]) for one in answer["redeemables"]["data"])


@pytest.fixture
def shop(api: Any) -> dict[str, Any]:
    big = make_rule(api, one_rule("order.amount", "$more_than", 5000))
    make_voucher(api, "ALL", percent(10))
    make_voucher(api, "BIG", percent(50), validation_rules=[big])
    make_voucher(api, "OFF", active=False)
    campaign = make_campaign(api, "Mine", percent(20))
    mine = publish(api, "Mine")["voucher"]["code"]
    promotion = make_promotion(api, tier("Tier", 30), tier("Big tier", 40, validation_rules=[big]))
    return {"mine": mine, "campaign": campaign["id"], "promotion": promotion["id"]}


def test_all_that_a_customer_could_redeem(api: Any, shop: dict[str, Any]) -> None:
    answer = qualify(api, options={"limit": 50, "expand": ["redeemable"]})
    assert found(answer) == [
        ("campaign", "Mine"),
        ("promotion_tier", "Tier"),
        ("voucher", "ALL"),
        ("voucher", shop["mine"]),
    ]
    names = {
        one["object"]: (one.get("name"), one.get("campaign_name"), one.get("campaign_id"))
        for one in answer["redeemables"]["data"]
        if one["id"] != "ALL"
    }
    assert names == {
        "campaign": ("Mine", None, None),
        "promotion_tier": ("Tier", "Deals", shop["promotion"]),
        "voucher": (None, "Mine", shop["campaign"]),
    }
    totals = {one["id"]: one["order"]["total_amount"] for one in answer["redeemables"]["data"]}
    assert (totals["ALL"], totals[shop["mine"]]) == (900, 800)
    assert (answer["redeemables"]["has_more"], answer["order"]["amount"]) == (False, 1000)
    assert answer["stacking_rules"]["redeemables_limit"] == 30
    assert ("voucher", shop["mine"]) not in found(qualify(api, customer="bob"))


def test_the_wallet_is_what_the_customer_holds(api: Any, shop: dict[str, Any]) -> None:
    assert found(qualify(api, "CUSTOMER_WALLET")) == [("voucher", shop["mine"])]
    assert found(qualify(api, "CUSTOMER_WALLET", customer="bob")) == []
    assert found(qualify(api, "CUSTOMER_WALLET", customer=None)) == []


def test_an_audience_is_asked_about_the_customer_alone(api: Any, shop: dict[str, Any]) -> None:
    names = [name for _, name in found(qualify(api, "AUDIENCE_ONLY", options={"limit": 50, "expand": ["redeemable"]}))]
    assert {"ALL", "BIG", "Tier", "Big tier", shop["mine"]} <= set(names)
    gold = make_rule(api, {"1": {"name": "customer.metadata", "property": "tier", "conditions": {"$is": ["gold"]}}})
    make_voucher(api, "GOLD", validation_rules=[gold])
    assert ("voucher", "GOLD") not in found(qualify(api, "AUDIENCE_ONLY"))
    api.call("POST", "/v1/customers", {"source_id": "ann", "metadata": {"tier": "gold"}})
    assert ("voucher", "GOLD") in found(qualify(api, "AUDIENCE_ONLY"))


def test_what_is_about_products(api: Any, shop: dict[str, Any]) -> None:
    _ = shop
    items = make_rule(api, one_rule("order.items.price_any", "$more_than", 50))
    make_voucher(api, "ITEMS", percent(50, effect="APPLY_TO_ITEMS"))
    make_voucher(api, "NEEDS", percent(5), validation_rules=[items])
    order = {"items": [line("apple")]}
    assert found(qualify(api, "PRODUCTS", order=order)) == [("voucher", "ITEMS"), ("voucher", "NEEDS")]
    assert found(qualify(api, "PRODUCTS_DISCOUNT", order=order)) == [("voucher", "ITEMS")]
    assert found(qualify(api, "PRODUCTS_DISCOUNT_BY_CUSTOMER", order=order)) == [("voucher", "ITEMS")]


def test_stacks_qualify_as_a_whole(api: Any) -> None:
    big = make_rule(api, one_rule("order.amount", "$more_than", 5000))
    promotion = make_promotion(api, tier("A", 50), tier("B", 10), tier("Big", 40, validation_rules=[big]))
    ids = [one["id"] for one in api.call("GET", f"/v1/promotions/{promotion['id']}/tiers")["tiers"]]
    made = make_stack(api, promotion["id"], ids[0], ids[1], name="Both")["id"]
    make_stack(api, promotion["id"], ids[0], ids[2], name="Not")
    answer = qualify(api, "PROMOTION_STACKS")
    (one,) = answer["redeemables"]["data"]
    assert (one["id"], one["object"], one["name"]) == (made, "promotion_stack", "Both")
    assert (one["order"]["total_amount"], [part["id"] for part in one["redeemables"]]) == (450, ids[:2])


def test_the_best_deal_comes_first_or_last(api: Any) -> None:
    for code, off in (("A", 100), ("B", 300), ("C", 200)):
        make_voucher(api, code, amount(off))
    for rule, order in (("BEST_DEAL", ["B", "C", "A"]), ("LEAST_DEAL", ["A", "C", "B"]), ("DEFAULT", ["C", "B", "A"])):
        answer = qualify(api, options={"sorting_rule": rule, "limit": 50})
        assert [one["id"] for one in answer["redeemables"]["data"]] == order, rule


def test_pages_follow_each_other(api: Any) -> None:
    for number in range(7):
        make_voucher(api, f"C{number}")
    seen, after = [], None
    for size in (3, 3, 1):
        options = {"limit": 3} | ({} if after is None else {"starting_after": after})
        part = qualify(api, options=options)["redeemables"]
        assert (part["total"], part["has_more"]) == (size, size == 3)
        seen += [one["id"] for one in part["data"]]
        after = part.get("more_starting_after")
    assert seen == [f"C{number}" for number in reversed(range(7))]
    assert after is None


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"resource_type": {"conditions": {"$is": ["voucher"]}}}, {"CARD", "DEAL", "PLAIN"}),
        ({"voucher_type": {"conditions": {"$in": ["GIFT_VOUCHER"]}}}, {"CARD"}),
        ({"code": {"conditions": {"$in": ["PLAIN", "CARD"]}}}, {"CARD", "PLAIN"}),
        (
            {
                "code": {"conditions": {"$not_in": ["PLAIN"]}},
                "voucher_type": {"conditions": {"$is": ["DISCOUNT_VOUCHER"]}},
            },
            {"DEAL"},
        ),
        (
            {
                "junction": "OR",
                "code": {"conditions": {"$is": ["PLAIN"]}},
                "voucher_type": {"conditions": {"$is": ["GIFT_VOUCHER"]}},
            },
            {"CARD", "PLAIN"},
        ),
        ({"campaign_type": {"conditions": {"$is": ["PROMOTION"]}}}, {"Tier"}),
        ({"code": {"conditions": {"$is": ["PLAIN", "DEAL"]}}}, {"PLAIN", "DEAL"}),
        ({"code": {"conditions": {"$is_not": ["CARD", "DEAL"], "$has_value": ""}}}, {"PLAIN"}),
        ({"code": {"conditions": {"$is_unknown": ""}}}, {"Tier"}),
        ({"category_id": {"conditions": {"$has_value": ""}}}, {"DEAL"}),
    ],
)
def test_filters_choose(api: Any, filters: dict[str, Any], expected: set[str]) -> None:
    category = make_category(api)
    make_voucher(api, "PLAIN")
    make_voucher(api, "DEAL", category_id=category)
    gift_card(api)
    make_promotion(api, tier("Tier"))
    options = {"limit": 50, "filters": filters, "expand": ["redeemable"]}
    assert {name for _, name in found(qualify(api, options=options))} == expected
    options["filters"] = {"category_id": {"conditions": {"$is": [category]}}}
    assert found(qualify(api, options=options)) == [("voucher", "DEAL")]


def test_campaigns_are_in_their_categories(api: Any) -> None:
    category = make_category(api, "Deals")
    made = make_campaign(api, "Spring", category_id=category)["id"]
    make_campaign(api, "Summer")
    options = {"filters": {"category_id": {"conditions": {"$is": [category]}}}, "expand": ["category"]}
    (one,) = qualify(api, options=options)["redeemables"]["data"]
    assert (one["id"], one["object"], [each["name"] for each in one["categories"]]) == (made, "campaign", ["Deals"])


@pytest.mark.parametrize(
    "filters",
    [
        {"cod": {"conditions": {"$is": ["A"]}}},
        {"code": {"conditions": {"$iss": ["A"]}}},
        {"code": {"conditions": {}}},
        {"code": {}},
        {"code": {"conditions": {"$is": ["A"]}, "condition": {}}},
        {"junction": "XOR"},
    ],
)
def test_filters_that_say_nothing_known_are_refused(api: Any, filters: dict[str, Any]) -> None:
    api.fails("POST", "/v1/qualifications", {"options": {"filters": filters}}, status=400, key="invalid_payload")


def test_the_answer_is_expanded_as_asked(api: Any) -> None:
    category = make_category(api, "Deals")
    rule = make_rule(api, one_rule("order.amount", "$more_than", 1))
    make_voucher(api, "CODE", metadata={"a": 1}, category_id=category, validation_rules=[rule])
    plain = qualify(api)["redeemables"]["data"][0]
    assert not {"metadata", "categories", "validation_rules_assignments"} & set(plain)
    assert plain["validation_rule_id"] == rule
    whole = qualify(api, options={"expand": ["redeemable", "category", "validation_rules"]})["redeemables"]["data"][0]
    assert (whole["metadata"], whole["categories"][0]["name"]) == ({"a": 1}, "Deals")
    assert whole["validation_rules_assignments"]["data"][0]["rule_id"] == rule


@pytest.mark.parametrize(
    "options",
    [{"limit": 51}, {"limit": 0}, {"starting_after": "soon"}, {"sorting_rule": "NEWEST"}, {"expand": ["all"]}],
)
def test_options_that_are_none_are_refused(api: Any, options: dict[str, Any]) -> None:
    api.fails("POST", "/v1/qualifications", {"options": options}, status=400, key="invalid_payload")


def test_the_older_operations_list_vouchers_and_campaigns(api: Any, shop: dict[str, Any]) -> None:
    body = {"customer": {"source_id": "ann"}, "order": {"amount": 1000}}
    vouchers = api.call("POST", "/v1/vouchers/qualification", body)
    assert {one["code"] for one in vouchers["data"]} == {"ALL", shop["mine"]}
    assert vouchers["id"].startswith("qfl_")
    audience = api.call("POST", "/v1/vouchers/qualification", body, params={"audienceRulesOnly": "true"})
    assert {one["code"] for one in audience["data"]} == {"ALL", "BIG", shop["mine"]}
    campaigns = api.call("POST", "/v1/campaigns/qualification", body)
    assert [one["id"] for one in campaigns["data"]] == [shop["campaign"]]
    limited = api.call("POST", "/v1/vouchers/qualification", body, params={"limit": "1", "order": "created_at"})
    assert [one["code"] for one in limited["data"]] == ["ALL"]
    for order, first in (
        ("code", "ALL"),
        ("-code", shop["mine"]),
        ("updated_at", "ALL"),
        ("-updated_at", shop["mine"]),
    ):
        found = api.call("POST", "/v1/vouchers/qualification", body, params={"order": order})["data"]
        assert (len(found), found[0]["code"]) == (2, first), order
    category = make_category(api, "Deals")
    other = make_campaign(api, "Another", category_id=category, type="AUTO_UPDATE")["id"]
    for order, expected in (
        ("campaign", [other, shop["campaign"]]),
        ("-campaign", [shop["campaign"], other]),
        ("category", [other, shop["campaign"]]),
        ("-category", [other, shop["campaign"]]),
        ("-type", [shop["campaign"], other]),
        ("created_at", [shop["campaign"], other]),
    ):
        found = api.call("POST", "/v1/campaigns/qualification", body, params={"order": order})["data"]
        assert [one["id"] for one in found] == expected, order
    api.fails(
        "POST", "/v1/campaigns/qualification", body, params={"order": "code"}, status=400, key="invalid_query_params"
    )
    zeros = {"limit": "0000000050" + "0" * 5000}
    for query in ({"limit": "51"}, {"limit": "x"}, zeros, {"order": "color"}, {"audienceRulesOnly": "zzz"}):
        api.fails("POST", "/v1/vouchers/qualification", body, params=query, status=400, key="invalid_query_params")
