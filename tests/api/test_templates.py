"""Campaign templates: of campaigns and tiers, and what is made from them."""

from typing import Any

import pytest

from in_cart import make_category, make_promotion, ranked, tier
from promotions import amount, make_campaign, make_rule, one_rule, percent, rows
from rapport.core.db import Database

RULE = one_rule("redemption.count.per_customer", "$less_than_or_equal", 1)
ALL = "/v1/templates/campaigns"


def make_template(api: Any, name: str = "Template", **more: Any) -> dict[str, Any]:
    """Create a template."""
    return api.call("POST", ALL, {"name": name, **more})  # type: ignore[no-any-return]


def of_campaign(api: Any, name: str = "Template", **more: Any) -> dict[str, Any]:
    """Create a campaign with a rule, and a template of it."""
    more = {"quantity": 3, "discount": percent(12.5, amount_limit=500), "metadata": {"a": 1}, **more}
    campaign = make_campaign(api, "Original", validation_rules=[make_rule(api, RULE, name="Big orders")], **more)
    return make_template(api, name, campaign_id=campaign["id"])


def test_a_template_is_created_changed_listed_and_deleted(api: Any) -> None:
    made = of_campaign(api)
    assert made == {
        "id": made["id"],
        "name": "Template",
        "campaign_type": "DISCOUNT_COUPONS",
        "created_at": made["created_at"],
        "object": "campaign_template",
    }
    assert made["id"].startswith("camp_tpl_")
    one = f"{ALL}/{made['id']}"
    assert api.call("GET", one) == made
    changed = api.call("PUT", one, {"name": "New", "description": "Each autumn"})
    assert changed == made | {"name": "New", "description": "Each autumn", "updated_at": changed["updated_at"]}
    assert "description" not in api.call("PUT", one, {"description": ""})
    api.call("DELETE", one, status=204)
    for method in ("GET", "PUT", "DELETE"):
        error = api.fails(method, one, {} if method == "PUT" else None, status=404, key="not_found")
        assert error["resource_type"] == "campaign_template"


def test_templates_are_listed_in_parts(api: Any) -> None:
    campaign = make_campaign(api)["id"]
    ids = [make_template(api, f"T{number}", campaign_id=campaign)["id"] for number in range(3)]

    def found(**query: str) -> Any:
        return api.call("GET", ALL, params=query)

    assert [one["id"] for one in found()["data"]] == sorted(ids)
    first = found(order="id", limit="2")
    assert [one["id"] for one in first["data"]] == sorted(ids)[:2]
    assert (first["object"], first["data_ref"], first["has_more"]) == ("list", "data", True)
    assert "total" not in first
    assert first["more_starting_after"] == sorted(ids)[1]
    rest = found(order="id", starting_after_id=first["more_starting_after"], include_total="true")
    assert ([one["id"] for one in rest["data"]], rest["has_more"], rest["total"]) == (sorted(ids)[2:], False, 3)
    assert [one["name"] for one in found(**{"filters[name][conditions][$is]": "T1"})["data"]] == ["T1"]
    assert found(**{"filters[campaign_type][conditions][$is]": "GIFT_VOUCHERS"})["data"] == []
    for query in ({"order": "name"}, {"filters[x][conditions][$is]": "1"}, {"starting_after_id": "camp_tpl_0"}):
        api.fails("GET", ALL, status=400, key="invalid_query_params", params=query)


def test_a_campaign_from_a_template_is_as_the_original_with_a_rule_of_its_own(api: Any) -> None:
    template = of_campaign(api)
    api.call("DELETE", "/v1/campaigns/Original", status=202, params={"force": "true"})
    setup = f"{ALL}/{template['id']}/campaign-setup"
    made = api.call("POST", setup, {"name": "Copy"})
    assert made["object"] == "campaign_setup"
    campaign, (rule,) = made["campaign"], made["created_resources"]
    assert (campaign["name"], campaign["type"], campaign["metadata"]) == ("Copy", "STATIC", {"a": 1})
    voucher = campaign["voucher"]
    assert voucher["discount"] == percent(12.5, amount_limit=500, effect="APPLY_TO_ORDER")
    assert (voucher["redemption"], voucher["code_config"]["pattern"]) == ({"quantity": 3}, "SPR-######")
    assert rule["object"] == "validation_rules"
    (assigned,) = campaign["validation_rules_assignments"]["data"]
    assert (assigned["rule_id"], assigned["related_object_id"]) == (rule["id"], campaign["id"])
    copied = api.call("GET", f"/v1/validation-rules/{rule['id']}")
    assert (copied["name"], copied["rules"]) == ("Big orders (Copy)", RULE)
    assert api.call("GET", "/v1/campaigns/Copy") == campaign


def test_what_a_setup_says_holds_instead_of_the_template(api: Any) -> None:
    template = of_campaign(api)
    category = make_category(api)
    body = {
        "name": "Copy",
        "description": "Another",
        "type": "AUTO_UPDATE",
        "join_once": True,
        "active": False,
        "vouchers_count": 2,
        "start_date": "2026-01-01T00:00:00.000Z",
        "metadata": {"b": 2},
        "category_id": category,
        "voucher": {"code_config": {"pattern": "NEW-####"}, "redemption": {"quantity": None}},
        "validity_day_of_week": [1],
    }
    campaign = api.call("POST", f"{ALL}/{template['id']}/campaign-setup", body)["campaign"]
    for name in (
        "description",
        "type",
        "join_once",
        "active",
        "vouchers_count",
        "start_date",
        "metadata",
        "category_id",
    ):
        assert campaign[name] == body[name], name
    assert campaign["validity_day_of_week"] == [1]
    assert campaign["voucher"]["code_config"]["pattern"] == "NEW-####"
    assert campaign["voucher"]["redemption"] == {"quantity": None}
    assert campaign["voucher"]["discount"]["percent_off"] == 12.5


def test_a_setup_cannot_change_what_is_taken_off_nor_the_rules(api: Any) -> None:
    one = f"{ALL}/{of_campaign(api)['id']}"
    promotion = make_promotion(api, tier("A", 10))["id"]
    for more in (
        {"voucher": {"discount": percent(50)}},
        {"voucher": {"gift": {"amount": 1}}},
        {"voucher": {"is_referral_code": False}},
        {"voucher": {"type": "GIFT_VOUCHER"}},
        {"validation_rules": ["val_1"]},
        {"campaign_type": "GIFT_VOUCHERS"},
    ):
        error = api.fails("POST", f"{one}/campaign-setup", {"name": "x", **more}, status=400, key="invalid_payload")
        assert "is what the template says" in error["details"]
    for name, value in (("action", {"discount": percent(50)}), ("validation_rules", ["val_1"])):
        body = {"name": "x", "campaign_id": promotion, name: value}
        error = api.fails("POST", f"{one}/tier-setup", body, status=400, key="invalid_payload")
        assert error["details"] == f"Property .{name} is what the template says"
    assert api.call("GET", "/v1/campaigns")["total"] == 2


def test_a_tier_becomes_a_template_of_coupons_and_of_tiers(api: Any) -> None:
    rule = make_rule(api, RULE)
    promotion = make_promotion(
        api, tier("A", 25, banner="Sale", metadata={"a": 1}, validation_rules=[rule], validity_day_of_week=[6])
    )
    template = make_template(api, promotion_tier_id=promotion["promotion"]["tiers"][0]["id"])
    assert template["campaign_type"] == "DISCOUNT_COUPONS"
    campaign = api.call("POST", f"{ALL}/{template['id']}/campaign-setup", {"name": "Coupons"})["campaign"]
    assert campaign["voucher"]["discount"] == percent(25, effect="APPLY_TO_ORDER")
    assert (campaign["type"], campaign["vouchers_count"], campaign["validity_day_of_week"]) == ("AUTO_UPDATE", 0, [6])
    body = {"name": "B", "campaign_id": "Deals", "hierarchy": 1, "metadata": {"b": 2}}
    made = api.call("POST", f"{ALL}/{template['id']}/tier-setup", body)
    assert made["object"] == "promotion_tier_setup"
    added, (created,) = made["promotion_tier"], made["created_resources"]
    assert (added["banner"], added["metadata"], added["hierarchy"]) == ("Sale", {"b": 2}, 1)
    assert added["action"] == {"discount": percent(25, effect="APPLY_TO_ORDER")}
    assert [one["rule_id"] for one in added["validation_rule_assignments"]["data"]] == [created["id"]]
    assert created["id"] != rule
    assert ranked(api, "Deals") == [("B", 1), ("A", 2)]
    expanded = api.call("GET", f"{ALL}/{template['id']}", params={"expand": "json_template"})
    assert expanded["json_template"]["voucher"]["discount"]["percent_off"] == 25


def test_a_template_of_gift_cards_makes_no_tiers(api: Any) -> None:
    gift = {"type": "GIFT_VOUCHER", "gift": {"amount": 5000}, "discount": None}
    campaign = make_campaign(api, campaign_type="GIFT_VOUCHERS", voucher=gift)
    template = make_template(api, campaign_id=campaign["id"])
    assert template["campaign_type"] == "GIFT_VOUCHERS"
    copied = api.call("POST", f"{ALL}/{template['id']}/campaign-setup", {"name": "Copy"})["campaign"]
    assert copied["voucher"]["gift"] == campaign["voucher"]["gift"]
    make_promotion(api)
    key = "campaign_type_is_not_supported_by_campaign_template"
    body = {"name": "A", "campaign_id": "Deals"}
    api.fails("POST", f"{ALL}/{template['id']}/tier-setup", body, status=400, key=key)


def test_what_is_no_template_is_refused(api: Any) -> None:
    campaign = make_campaign(api)["id"]
    promotion = make_promotion(api, tier())
    made = promotion["promotion"]["tiers"][0]["id"]
    for body in (
        {},
        {"name": "x"},
        {"campaign_id": campaign},
        {"name": "", "campaign_id": campaign},
        {"name": "a\x00", "campaign_id": campaign},
        {"name": "x", "campaign_id": campaign, "promotion_tier_id": made},
    ):
        api.fails("POST", ALL, body, status=400, key="invalid_payload")
    for name, kind in (("campaign_id", "campaign"), ("promotion_tier_id", "promotion_tier")):
        error = api.fails("POST", ALL, {"name": "x", name: "none"}, status=404, key="not_found")
        assert error["resource_type"] == kind
    key = "campaign_type_is_not_supported_by_campaign_template"
    api.fails("POST", ALL, {"name": "x", "campaign_id": promotion["id"]}, status=400, key=key)
    make_template(api, "Taken", campaign_id=campaign)
    other = make_template(api, "Other", campaign_id=campaign)
    error = api.fails("POST", ALL, {"name": "Taken", "campaign_id": campaign}, status=409, key="duplicate_found")
    assert (error["resource_type"], error["resource_id"]) == ("campaign_template", "Taken")
    api.fails("PUT", f"{ALL}/{other['id']}", {"name": "Taken"}, status=409, key="duplicate_found")
    wrong = {"expand": "everything"}
    api.fails("GET", f"{ALL}/{other['id']}", status=400, key="invalid_query_params", params=wrong)


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({}, 400, "invalid_payload"),
        ({"name": "Original"}, 409, "duplicate_found"),
        ({"name": "x", "start_date": "soon"}, 400, "invalid_payload"),
        ({"name": "x", "vouchers_count": -1}, 400, "invalid_payload"),
        ({"name": "x", "voucher": {"code_config": {"pattern": "no places"}}}, 400, "invalid_payload"),
        ({"name": "x", "metadata": []}, 400, "invalid_payload"),
        ({"name": "x", "category_id": "cat_none"}, 404, "not_found"),
    ],
)
async def test_a_setup_that_fails_leaves_nothing_behind(
    api: Any, db: Database, project_id: int, body: dict[str, Any], status: int, said: str
) -> None:
    template = of_campaign(api)
    api.fails("POST", f"{ALL}/{template['id']}/campaign-setup", body, status=status, key=said)
    assert await rows(db, project_id, "campaigns") == 1
    assert await rows(db, project_id, "validation_rules") == 1


async def test_a_tier_that_cannot_be_set_up_leaves_no_rule_behind(api: Any, db: Database, project_id: int) -> None:
    template = of_campaign(api, discount=amount(300))
    setup = f"{ALL}/{template['id']}/tier-setup"
    api.fails("POST", setup, {"name": "A", "campaign_id": "none"}, status=404, key="not_found")
    api.fails("POST", setup, {"name": "A", "campaign_id": "Original"}, status=400, key="not_a_promotion_campaign")
    for body in ({"name": "A"}, {"campaign_id": "Original"}, {"name": "A", "campaign_id": "x", "hierarchy": -1}):
        api.fails("POST", setup, body, status=400, key="invalid_payload")
    for path in ("campaign-setup", "tier-setup"):
        body = {"name": "x", "campaign_id": "y"}
        api.fails("POST", f"{ALL}/camp_tpl_none/{path}", body, status=404, key="not_found")
    assert await rows(db, project_id, "validation_rules") == 1


def test_a_rule_whose_segment_is_gone_is_not_copied(api: Any) -> None:
    segment = api.call("POST", "/v1/segments", {"name": "S", "type": "static", "customers": []})["id"]
    rule = make_rule(api, one_rule("customer.segment", "$is", segment))
    campaign = make_campaign(api, validation_rules=[rule])
    template = make_template(api, campaign_id=campaign["id"])
    api.call("DELETE", f"/v1/validation-rules/{rule}", status=204)
    api.call("DELETE", f"/v1/segments/{segment}", status=204)
    error = api.fails("POST", f"{ALL}/{template['id']}/campaign-setup", {"name": "x"}, status=404, key="not_found")
    assert (error["resource_type"], error["resource_id"]) == ("segment", segment)
