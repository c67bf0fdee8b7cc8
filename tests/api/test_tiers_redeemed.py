from typing import Any

from in_cart import make_category, make_promotion, make_stack, tier
from promotions import make_rule, make_voucher, one_rule, percent, summary
from shopping import line, redeem, statuses, validate


def tiers_of(api: Any, campaign: dict[str, Any]) -> list[str]:
    found = api.call("GET", f"/v1/promotions/{campaign['id']}/tiers")["tiers"]
    return [one["id"] for one in found]


def test_a_tier_is_redeemed_counted_and_rolled_back(api: Any) -> None:
    one, _ = tiers_of(api, make_promotion(api, tier("A", 10), tier("B", 20)))
    done = redeem(api, ("promotion_tier", one))
    row = done["redemptions"][0]
    assert (row["related_object_type"], row["related_object_id"], row["voucher"]) == ("promotion_tier", one, None)
    assert (row["promotion_tier"]["name"], done["order"]["total_amount"]) == ("A", 900)
    shown = api.call("GET", f"/v1/promotions/tiers/{one}")["summary"]
    assert (shown["redemptions"]["total_redeemed"], shown["orders"]["total_discount_amount"]) == (1, 100)
    assert summary(api) == {"total_redeemed": 1, "total_succeeded": 1}
    assert api.call("GET", f"/v1/redemptions/{row['id']}")["promotion_tier"]["id"] == one
    found = api.call("GET", "/v1/redemptions", params={"related_object_id": one})
    assert [each["id"] for each in found["redemptions"]] == [row["id"]]
    back = api.call("POST", f"/v1/redemptions/{row['id']}/rollback")
    assert (back["order"]["total_amount"], back["related_object_type"]) == (1000, "promotion_tier")
    assert summary(api)["total_rolled_back"] == 1


def test_a_tier_is_redeemed_and_validated_by_the_older_operations(api: Any) -> None:
    (one,) = tiers_of(api, make_promotion(api, tier("A", 10)))
    body = {"customer": {"source_id": "ann"}, "order": {"amount": 500}}
    found = api.call("POST", f"/v1/promotions/tiers/{one}/validation", body)
    assert (found["valid"], found["discount"]["percent_off"], found["order"]["total_amount"]) == (True, 10, 450)
    done = api.call("POST", f"/v1/promotions/tiers/{one}/redemption", body)
    assert (done["related_object_id"], done["order"]["total_amount"]) == (one, 450)
    api.fails("POST", "/v1/promotions/tiers/promo_x/validation", body, status=404, key="not_found")
    api.fails("POST", "/v1/promotions/tiers/promo_x/redemption", body, status=404, key="not_found")


def test_a_tier_that_is_off_is_refused_and_the_failure_kept(api: Any) -> None:
    (one,) = tiers_of(api, make_promotion(api, tier("A", 10, active=False)))
    body = {"customer": {"source_id": "ann"}, "order": {"amount": 500}}
    found = api.call("POST", f"/v1/promotions/tiers/{one}/validation", body)
    assert (found["valid"], found["error"]["key"], found["reason"]) == (
        False,
        "promotion_inactive",
        "Inactive Promotion",
    )
    error = api.fails("POST", f"/v1/promotions/tiers/{one}/redemption", body, status=400, key="promotion_inactive")
    kept = api.call("GET", f"/v1/redemptions/{error['resource_id']}")
    assert (kept["result"], kept["related_object_id"]) == ("FAILURE", one)
    assert summary(api) == {"total_failed": 1}


def test_all_tiers_that_apply_are_listed_by_rank(api: Any) -> None:
    rule = make_rule(api, one_rule("order.amount", "$more_than", 2000))
    make_promotion(api, tier("A", 10), tier("Big", 50, validation_rules=[rule]), tier("C", 30))
    body = {"order": {"amount": 1000}, "options": {"expand": ["category"]}}
    found = api.call("POST", "/v1/promotions/validation", body)
    assert [(one["name"], one["discount_amount"]) for one in found["promotions"]] == [("A", 100), ("C", 300)]
    assert [one["order"]["total_amount"] for one in found["promotions"]] == [900, 700]
    none = api.call("POST", "/v1/promotions/validation", {})
    assert [one["name"] for one in none["promotions"]] == ["A", "C"]


def test_the_tiers_that_apply_are_chosen_by_campaign_metadata_and_audience(api: Any) -> None:
    big = make_rule(api, one_rule("order.amount", "$more_than", 2000))
    gold = make_rule(api, one_rule("customer.metadata", "$is", "gold", property="tier"))
    first = make_promotion(api, tier("A", 10, metadata={"has_budget": True, "kind": "x"}), tier("B", 20), name="One")
    make_promotion(api, tier("Big", 50, validation_rules=[big]), tier("Gold", 30, validation_rules=[gold]), name="Two")

    def names(**params: str) -> list[str]:
        found = api.call("POST", "/v1/promotions/validation", {"order": {"amount": 1000}}, params=params)
        return sorted(one["name"] for one in found["promotions"])

    assert names() == ["A", "B"]
    assert names(audienceRulesOnly="true") == ["A", "B", "Big"]
    for form in ("filters[promotion_id]", "[filters][promotion_id]"):
        assert names(**{f"{form}[conditions][$is]": first["id"]}) == ["A", "B"]
        assert names(**{f"{form}[conditions][$is_not][0]": first["id"], "audienceRulesOnly": "true"}) == ["Big"]
    for form in ("[filters][metadata.has_budget]", "filters[metadata.has_budget]", "filters[metadata][has_budget]"):
        assert names(**{f"{form}[conditions][$is]": "true"}) == ["A"]
        assert names(**{f"{form}[conditions][$is]": "false"}) == []
        assert names(**{f"{form}[conditions][$is_unknown]": ""}) == ["B"]
    both = {"filters[metadata.kind][conditions][$starts_with]": "x", "filters[promotion_id][conditions][$is]": "camp_x"}
    assert names(**both) == []
    assert names(**both, **{"filters[junction]": "or"}) == ["A"]
    for wrong in (
        {"audienceRulesOnly": "zzz"},
        {"filters[name][conditions][$is]": "A"},
        {"filters[promotion_id][conditions][$x]": "A"},
        {"[filters][metadata.a][conditions]": "A"},
        {"filters[metadata.a\0][conditions][$is]": "A"},
    ):
        path = "/v1/promotions/validation"
        api.fails("POST", path, {}, params=wrong, status=400, key="invalid_query_params")


def test_categories_are_told_where_they_are_asked_for(api: Any) -> None:
    own, of_campaign = make_category(api, "Own"), make_category(api, "All")
    make_voucher(api, "CODE", percent(10), category_id=own)
    promotion = make_promotion(api, tier("A", 10, category_id=own), tier("B", 20), category_id=of_campaign)
    body: dict[str, Any] = {"order": {"amount": 1000}}
    expanded = body | {"options": {"expand": ["category"]}}

    def names(shown: dict[str, Any]) -> list[str]:
        return [one["name"] for one in shown["categories"]]

    for asked, path in (
        (own, "/v1/vouchers/CODE/validate"),
        (own, f"/v1/promotions/tiers/{tiers_of(api, promotion)[0]}/validation"),
    ):
        assert "categories" not in api.call("POST", path, body)
        assert [one["id"] for one in api.call("POST", path, expanded)["categories"]] == [asked]
    plain = api.call("POST", "/v1/promotions/validation", body)["promotions"]
    assert not any("categories" in one or "categories" in one["campaign"] for one in plain)
    found = api.call("POST", "/v1/promotions/validation", expanded)["promotions"]
    assert [(names(one), names(one["campaign"])) for one in found] == [(["Own"], ["All"]), (["All"], ["All"])]
    one_tier = ("promotion_tier", tiers_of(api, promotion)[0])
    for expand, told in ((["order"], False), (["category"], False), (["order", "redeemable"], True)):
        (shown,) = validate(api, one_tier, options={"expand": expand})["redeemables"]
        assert {name in shown for name in ("campaign_id", "campaign_name", "name", "metadata")} == {told}, expand


def test_a_stack_is_its_tiers_one_after_another(api: Any) -> None:
    campaign = make_promotion(api, tier("A", 50), tier("B", 10))
    one, other = tiers_of(api, campaign)
    made = make_stack(api, campaign["id"], other, one)["id"]
    answer = validate(api, ("promotion_stack", made))
    assert statuses(answer) == [(other, "APPLICABLE"), (one, "APPLICABLE")]
    assert (answer["valid"], answer["order"]["total_amount"]) == (True, 450)
    done = redeem(api, ("promotion_stack", made))
    assert [row["promotion_tier"]["id"] for row in done["redemptions"]] == [other, one]
    assert [row["order"]["total_amount"] for row in done["redemptions"]] == [900, 450]
    undone = api.call("POST", f"/v1/redemptions/{done['parent_redemption']['id']}/rollbacks")
    assert (len(undone["rollbacks"]), undone["order"]["total_amount"]) == (2, 1000)


def test_a_stack_stands_alone_in_a_request(api: Any) -> None:
    campaign = make_promotion(api, tier("A", 50))
    (one,) = tiers_of(api, campaign)
    made = make_stack(api, campaign["id"], one)["id"]
    make_voucher(api, "CODE")
    body = {"redeemables": [{"object": "promotion_stack", "id": made}, {"object": "voucher", "id": "CODE"}]}
    for path in ("/v1/validations", "/v1/redemptions"):
        api.fails("POST", path, body | {"order": {"amount": 1}}, status=400, key="invalid_redeemables")
    api.fails(
        "POST",
        "/v1/redemptions",
        {"redeemables": [{"object": "promotion_stack", "id": "stack_x"}], "order": {"amount": 1}},
        status=404,
        key="not_found",
    )


def test_a_tier_and_a_code_are_redeemed_together(api: Any) -> None:
    (one,) = tiers_of(api, make_promotion(api, tier("A", 50)))
    make_voucher(api, "CODE", percent(10))
    done = redeem(api, ("promotion_tier", one), "CODE")
    assert done["order"]["total_amount"] == 450
    assert [row["related_object_type"] for row in done["redemptions"]] == ["promotion_tier", "voucher"]


def test_units_that_a_discount_adds_are_in_the_order_and_go_with_a_rollback(api: Any) -> None:
    product = api.call("POST", "/v1/products", {"source_id": "nut", "name": "Nut", "price": 50})["id"]
    discount = {"type": "UNIT", "unit_off": 2, "unit_type": product, "effect": "ADD_NEW_ITEMS"}
    make_voucher(api, "FREE", discount)
    make_voucher(api, "TEN", percent(10))
    done = redeem(api, "FREE", order={"source_id": "o", "items": [line("apple", 1, 1000)]})
    order = done["order"]
    assert [(item["product_id"], item["quantity"]) for item in order["items"]] == [("apple", 1), (product, 2)]
    assert (order["amount"], order["initial_amount"], order["total_amount"]) == (1100, 1000, 1000)
    assert order["items"][1]["product"]["name"] == "Nut"
    second = redeem(api, "TEN", order={"source_id": "o"})
    assert second["order"]["total_amount"] == 900
    back = api.call("POST", f"/v1/redemptions/{done['redemptions'][0]['id']}/rollback")
    assert [item["product_id"] for item in back["order"]["items"]] == ["apple"]
    assert (back["order"]["amount"], back["order"]["discount_amount"], back["order"]["total_amount"]) == (
        1000,
        100,
        900,
    )


def test_a_discount_on_some_items_touches_these_and_says_so(api: Any) -> None:
    apple = api.call("POST", "/v1/products", {"source_id": "apple", "name": "Apple", "price": 100})["id"]
    applicable = {"included": [{"object": "product", "id": apple}], "excluded": [], "included_all": False}
    rule = make_rule(api, {"logic": ""}, applicable_to=applicable)
    make_voucher(api, "ITEMS", percent(50, effect="APPLY_TO_ITEMS"), validation_rules=[rule])
    order = {"items": [line(apple, 2, 100), line("pear", 1, 400)]}
    answer = validate(api, "ITEMS", order=order)
    one = answer["redeemables"][0]
    assert [(item["id"], item["order_item_indices"]) for item in one["applicable_to"]["data"]] == [(apple, [0])]
    assert (answer["order"]["items_discount_amount"], answer["order"]["total_amount"]) == (100, 500)
    done = redeem(api, "ITEMS", order=order)
    assert [item.get("discount_amount") for item in done["order"]["items"]] == [100, None]
    back = api.call("POST", f"/v1/redemptions/{done['redemptions'][0]['id']}/rollback")
    assert (back["order"]["total_amount"], back["order"]["items_discount_amount"]) == (600, 0)


def test_the_tiers_of_a_stack_are_not_limited_by_their_number_or_category(api: Any) -> None:
    category = make_category(api)
    campaign = make_promotion(api, *(tier(f"T{number}", 10, category_id=category) for number in range(7)))
    made = make_stack(api, campaign["id"], *tiers_of(api, campaign))["id"]
    done = redeem(api, ("promotion_stack", made))
    assert len(done["redemptions"]) == 7
    many = [("promotion_tier", one) for one in tiers_of(api, campaign)]
    assert [status for _, status in statuses(validate(api, *many))] == [
        "APPLICABLE",
        *["applicable_redeemables_per_category_limit_exceeded"] * 6,
    ]
