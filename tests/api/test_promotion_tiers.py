"""Tiers of in-cart promotions: with their campaign and alone, in their order, and what is refused."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from conftest import Api
from harness import Server
from in_cart import add_tier, make_promotion, make_stack, ranked, tier
from management import managed
from promotions import make_campaign, make_rule, one_rule, percent, rows
from rapport.core.db import Database
from rapport.projects.actions import create_key
from rapport.projects.models import NewKey

RULE = one_rule("redemption.count.per_customer", "$less_than_or_equal", 1)
TIMES = {
    "start_date": "2026-01-01T00:00:00.000Z",
    "expiration_date": "2099-01-01T00:00:00.000Z",
    "validity_timeframe": {"interval": "P2D", "duration": "P1D"},
    "validity_day_of_week": [1, 2, 3],
    "validity_hours": {"daily": [{"start_time": "09:00", "expiration_time": "17:30", "days_of_week": [1]}]},
}


def iso(days: int) -> str:
    """Return a date so many days from now."""
    return (datetime.now(UTC) + timedelta(days=days)).isoformat()


def test_a_campaign_is_created_with_its_tiers_and_shows_them(api: Any) -> None:
    rule = make_rule(api, RULE)
    made = make_promotion(
        api,
        tier("A", banner="10% off", metadata={"level": "B"}, active=False, validation_rules=[rule], **TIMES),
        tier("B", 20),
        start_date="2026-01-01T00:00:00Z",
        validity_day_of_week=[0, 1],
    )
    promotion = made["promotion"]
    assert (promotion["object"], promotion["data_ref"], promotion["total"], promotion["has_more"]) == (
        "list", "tiers", 2, False,
    )  # fmt: skip
    first, second = promotion["tiers"]
    assignment = first["validation_rule_assignments"]["data"][0]
    assert first == {
        "id": first["id"],
        "created_at": first["created_at"],
        "name": "A",
        "banner": "10% off",
        "action": {"discount": percent(10, effect="APPLY_TO_ORDER")},
        "metadata": {"level": "B"},
        "hierarchy": 1,
        "promotion_id": made["id"],
        "campaign": {
            "id": made["id"],
            "name": "Deals",
            "campaign_type": "PROMOTION",
            "active": True,
            "category_id": None,
            "start_date": "2026-01-01T00:00:00.000Z",
            "validity_day_of_week": [0, 1],
            "object": "campaign",
        },
        "campaign_id": made["id"],
        "active": False,
        **TIMES,
        "summary": {
            "redemptions": {"total_redeemed": 0},
            "orders": {"total_amount": 0, "total_discount_amount": 0},
        },
        "object": "promotion_tier",
        "validation_rule_assignments": {
            "object": "list",
            "data_ref": "data",
            "data": [assignment],
            "total": 1,
        },
        "category_id": None,
        "categories": [],
    }
    assert (assignment["rule_id"], assignment["related_object_type"]) == (rule, "promotion_tier")
    assert (second["name"], second["hierarchy"], second["active"]) == ("B", 2, True)
    assert api.call("GET", "/v1/campaigns/Deals")["promotion"] == promotion
    assert api.call("GET", "/v1/campaigns")["campaigns"][0]["promotion"] == promotion
    assert api.call("GET", "/v1/promotions/Deals/tiers") == promotion
    assert api.call("GET", f"/v1/promotions/tiers/{first['id']}") == first


def test_tiers_are_listed_newest_first_over_all_campaigns(api: Any) -> None:
    make_promotion(api, tier("A"), tier("B"))
    make_promotion(api, tier("C"), name="Other")
    add_tier(api, "Deals", "D")

    def names(**query: str) -> list[str]:
        return [one["name"] for one in api.call("GET", "/v1/promotions/tiers", params=query)["tiers"]]

    assert names(order="-created_at")[0] == "D"
    assert names() == names(order="-created_at")
    assert names(order="created_at") == names()[::-1]
    assert names(limit="2", page="2") == names()[2:]
    page = api.call("GET", "/v1/promotions/tiers", params={"limit": "3"})
    assert (page["object"], page["data_ref"], page["total"], page["has_more"]) == ("list", "tiers", 4, True)
    for query in ({"order": "name"}, {"limit": "0"}, {"limit": "101"}, {"page": "101"}, {"is_available": "maybe"}):
        api.fails("GET", "/v1/promotions/tiers", status=400, key="invalid_query_params", params=query)


def test_available_are_tiers_that_are_active_and_within_their_dates_and_those_of_their_campaign(api: Any) -> None:
    make_promotion(
        api,
        tier("now"),
        tier("within", start_date=iso(-1), expiration_date=iso(1)),
        tier("disabled", active=False),
        tier("expired", expiration_date=iso(-1)),
        tier("later", start_date=iso(1)),
    )
    for number, more in enumerate(({"active": False}, {"expiration_date": iso(-1)}, {"start_date": iso(1)})):
        make_promotion(api, tier("not now"), name=f"Other {number}", **more)
    found = api.call("GET", "/v1/promotions/tiers", params={"is_available": "true"})
    assert (found["total"], sorted(one["name"] for one in found["tiers"])) == (2, ["now", "within"])
    assert api.call("GET", "/v1/promotions/tiers", params={"is_available": "false"})["total"] == 8


async def test_a_client_key_lists_tiers_and_no_other_does(api: Any, server: Server, db: Database, key: NewKey) -> None:
    make_promotion(api, tier("A"), tier("B", active=False))
    path = "/client/v1/promotions/tiers"
    api.fails("GET", path, status=401, key="unauthorized")
    client = await create_key(db, key.project, "client")
    headers = {"X-Client-Application-Id": client.app_id, "X-Client-Token": client.app_token}
    with Api(base_url=server.base_url, headers=headers, verify=False) as shop:
        assert shop.call("GET", path) == api.call("GET", "/v1/promotions/tiers")
        assert [one["name"] for one in shop.call("GET", path, params={"is_available": "true"})["tiers"]] == ["A"]
        shop.fails("GET", "/v1/promotions/tiers", status=401, key="unauthorized")


def test_a_tier_is_added_after_the_others_or_at_its_rank(api: Any) -> None:
    make_promotion(api, tier("A"), tier("B"))
    assert add_tier(api, "Deals", "C")["hierarchy"] == 3
    assert add_tier(api, "Deals", "first", hierarchy=1)["hierarchy"] == 1
    assert ranked(api, "Deals") == [("first", 1), ("A", 2), ("B", 3), ("C", 4)]
    add_tier(api, "Deals", "far", hierarchy=10)
    assert add_tier(api, "Deals", "last")["hierarchy"] == 11


def test_a_tier_that_moves_changes_places_with_nobody_else_than_those_it_passes(api: Any) -> None:
    ids = {one["name"]: one["id"] for one in make_promotion(api, *map(tier, "ABCD"))["promotion"]["tiers"]}
    assert api.call("PUT", f"/v1/promotions/tiers/{ids['A']}", {"hierarchy": 3})["hierarchy"] == 3
    assert ranked(api, "Deals") == [("B", 1), ("C", 2), ("A", 3), ("D", 4)]
    api.call("PUT", f"/v1/promotions/tiers/{ids['D']}", {"hierarchy": 1})
    assert ranked(api, "Deals") == [("D", 1), ("B", 2), ("C", 3), ("A", 4)]
    api.call("PUT", f"/v1/promotions/tiers/{ids['B']}", {"hierarchy": 9})
    assert ranked(api, "Deals") == [("D", 1), ("C", 3), ("A", 4), ("B", 9)]


def test_an_update_changes_what_it_names_and_an_empty_value_removes(api: Any) -> None:
    made = make_promotion(api, tier("A", banner="x", metadata={"a": 1, "b": 2}, **TIMES))["promotion"]["tiers"][0]
    one = f"/v1/promotions/tiers/{made['id']}"
    assert api.call("PUT", one, {}) == made
    assert api.call("PUT", one, dict.fromkeys(("name", "banner", "action", "start_date", "category"))) == made
    changed = api.call(
        "PUT",
        one,
        {
            "name": "B",
            "banner": "",
            "metadata": {"a": None, "c": 3},
            "action": {"discount": {"type": "AMOUNT", "amount_off": 300}},
            "expiration_date": "",
            "validity_day_of_week": [],
            "validity_hours": {},
            "validity_timeframe": {},
        },
    )
    gone = ("banner", "expiration_date", "validity_day_of_week", "validity_hours", "validity_timeframe")
    assert changed == {name: value for name, value in made.items() if name not in gone} | {
        "name": "B",
        "metadata": {"b": 2, "c": 3},
        "action": {"discount": {"type": "AMOUNT", "amount_off": 300, "effect": "APPLY_TO_ORDER"}},
        "updated_at": changed["updated_at"],
    }
    assert api.call("GET", one) == changed


def test_the_rules_of_a_tier_are_those_that_were_given_last(api: Any) -> None:
    first, second, third = (make_rule(api, RULE, name=name) for name in ("1", "2", "3"))
    campaign = make_promotion(api)["id"]

    def held(shown: Any) -> list[str]:
        return sorted(one["rule_id"] for one in shown["validation_rule_assignments"]["data"])

    made = add_tier(api, campaign, validation_rules=[first, second])
    one = f"/v1/promotions/tiers/{made['id']}"
    assert held(made) == sorted([first, second])
    assert held(api.call("PUT", one, {"name": "B"})) == sorted([first, second])
    assert held(api.call("PUT", one, {"validation_rules": [second, third]})) == sorted([second, third])
    given = {"validation_rule_assignments": {"data": [{"rule_id": first}], "total": 1}}
    assert held(api.call("PUT", one, given)) == [first]
    body = {"related_object_type": "promotion_tier", "related_object_id": made["id"]}
    assigned = api.call("POST", f"/v1/validation-rules/{second}/assignments", body)
    assert assigned["related_object_type"] == "promotion_tier"
    assert held(api.call("GET", one)) == sorted([first, second])
    assert held(api.call("PUT", one, {"validation_rules": []})) == []
    api.fails("PUT", one, {"name": "C", "validation_rules": ["val_none"]}, status=404, key="not_found")
    assert api.call("GET", one)["name"] == "B"


def test_a_tier_is_disabled_and_enabled(api: Any) -> None:
    made = make_promotion(api, tier())["promotion"]["tiers"][0]
    one = f"/v1/promotions/tiers/{made['id']}"
    assert api.call("POST", f"{one}/disable")["active"] is False
    assert api.call("GET", one)["active"] is False
    assert api.call("POST", f"{one}/enable")["active"] is True
    for word in ("enable", "disable"):
        api.fails("POST", f"/v1/promotions/tiers/promo_none/{word}", status=404, key="not_found")


async def test_a_deleted_tier_is_gone_with_its_assignments_and_the_others_keep_their_ranks(
    api: Any, db: Database, project_id: int
) -> None:
    rule = make_rule(api, RULE)
    tiers = make_promotion(api, tier("A", validation_rules=[rule]), tier("B"))["promotion"]["tiers"]
    one = f"/v1/promotions/tiers/{tiers[0]['id']}"
    api.call("DELETE", one, status=204)
    for method in ("GET", "PUT", "DELETE"):
        error = api.fails(method, one, {} if method == "PUT" else None, status=404, key="not_found")
        assert error["resource_type"] == "promotion_tier"
    assert ranked(api, "Deals") == [("B", 2)]
    assert await rows(db, project_id, "validation_rule_assignments") == 0
    assert api.call("GET", "/v1/trash-bin")["data"] == []


def test_a_tier_of_a_stack_stays(api: Any) -> None:
    campaign = make_promotion(api, tier("A"), tier("B"))
    first, second = (one["id"] for one in campaign["promotion"]["tiers"])
    stack = make_stack(api, campaign["id"], first, second)["id"]
    error = api.fails("DELETE", f"/v1/promotions/tiers/{first}", status=409, key="resource_in_use")
    assert stack in error["details"]
    api.call("PUT", f"/v1/promotions/{campaign['id']}/stacks/{stack}", {"tiers": {"ids": [second]}})
    api.call("DELETE", f"/v1/promotions/tiers/{first}", status=204)


async def test_tiers_go_into_the_bin_with_their_campaign_and_come_back(api: Any, db: Database, project_id: int) -> None:
    rule = make_rule(api, RULE)
    campaign = make_promotion(api, tier("A", validation_rules=[rule]))
    made = campaign["promotion"]["tiers"][0]
    one = f"/v1/promotions/tiers/{made['id']}"
    stack = make_stack(api, "Deals", made["id"])["id"]
    api.call("DELETE", "/v1/campaigns/Deals", status=202)
    api.fails("GET", one, status=404, key="not_found")
    api.fails("PUT", one, {}, status=404, key="not_found")
    assert api.call("GET", "/v1/promotions/tiers")["total"] == 0
    assert api.call("GET", "/v1/promotions/stacks")["total"] == 0
    api.fails("GET", "/v1/promotions/Deals/tiers", status=404, key="not_found")
    entry = api.call("GET", "/v1/trash-bin")["data"][0]["id"]
    api.call("POST", f"/v1/trash-bin/{entry}/restore", status=204)
    assert api.call("GET", one) == made
    api.call("DELETE", "/v1/campaigns/Deals", status=202, params={"force": "true"})
    api.fails("GET", f"/v1/promotions/{campaign['id']}/stacks/{stack}", status=404, key="not_found")
    for table in ("campaigns", "promotion_tiers", "promotion_stacks", "validation_rule_assignments"):
        assert await rows(db, project_id, table) == 0


BAD = [
    ({"name": ""}, ".name"),
    ({"name": "x" * 256}, ".name"),
    ({"name": "a\x00"}, ".name"),
    ({"action": None}, ".action.discount"),
    ({"action": {}}, ".action.discount"),
    ({"action": {"discount": {"type": "PERCENT"}}}, ".action.discount.percent_off"),
    ({"action": {"discount": {"type": "PERCENT", "percent_off": 101}}}, ".action.discount.percent_off"),
    ({"action": {"discount": {"type": "AMOUNT", "amount_off": -1}}}, ".action.discount.amount_off"),
    ({"banner": "x" * 2001}, ".banner"),
    ({"banner": "a\x00"}, ".banner"),
    ({"hierarchy": -1}, ".hierarchy"),
    ({"hierarchy": 1.5}, ".hierarchy"),
    ({"hierarchy": 1_000_001}, ".hierarchy"),
    ({"active": "yes"}, ".active"),
    ({"metadata": []}, ".metadata"),
    ({"start_date": "soon"}, ".start_date"),
    ({"start_date": "2026-02-01", "expiration_date": "2026-01-01"}, ".expiration_date"),
    ({"validity_day_of_week": [7]}, ".validity_day_of_week"),
    ({"validity_timeframe": {"interval": "P1D", "duration": "P1D"}}, ".start_date"),
    ({"start_date": "2026-01-01", "validity_timeframe": {"interval": "often"}}, ".validity_timeframe"),
    ({"validity_hours": {"daily": [{"start_time": "25:00", "expiration_time": "1:00"}]}}, ".validity_hours"),
    ({"validation_rules": ["val"] * 51}, ".validation_rules"),
]


@pytest.mark.parametrize(("change", "place"), BAD)
async def test_a_bad_tier_is_refused_and_nothing_of_it_is_kept(
    api: Any, db: Database, project_id: int, change: dict[str, Any], place: str
) -> None:
    make_promotion(api)
    error = api.fails("POST", "/v1/promotions/Deals/tiers", tier() | change, status=400, key="invalid_payload")
    assert place in error["details"]
    body = {"name": "Other", "campaign_type": "PROMOTION", "promotion": {"tiers": [tier("good"), tier() | change]}}
    error = api.fails("POST", "/v1/campaigns", body, status=400, key="invalid_payload")
    if "\x00" not in str(change):
        assert f".promotion.tiers[1]{place}" in error["details"]
    assert await rows(db, project_id, "promotion_tiers") == 0
    assert await rows(db, project_id, "campaigns") == 1


@pytest.mark.parametrize("promotion", [[], "x", {"tiers": {}}, {"tiers": [1]}, {"tiers": [tier()] * 501}])
async def test_a_campaign_with_bad_tiers_is_refused(api: Any, db: Database, project_id: int, promotion: Any) -> None:
    body = {"name": "Deals", "campaign_type": "PROMOTION", "promotion": promotion or ["x"]}
    api.fails("POST", "/v1/campaigns", body, status=400, key="invalid_payload")
    assert await rows(db, project_id, "campaigns") == 0


def test_only_campaigns_of_promotions_have_tiers(api: Any) -> None:
    make_campaign(api)
    path = "/v1/promotions/Spring/tiers"
    api.fails("POST", path, tier(), status=400, key="not_a_promotion_campaign")
    assert api.call("GET", path)["tiers"] == []
    for method, body in (("GET", None), ("POST", tier())):
        error = api.fails(method, "/v1/promotions/nothing/tiers", body, status=404, key="not_found")
        assert error["resource_type"] == "campaign"


async def test_a_schema_holds_for_the_metadata_of_tiers_and_a_purge_takes_a_key_out(
    api: Any, server: Server, db: Database, key: NewKey
) -> None:
    make_promotion(api)
    async with managed(server, db, key.project) as management:
        level = {"type": "number", "optional": False}
        schema = management.define("promotion_tier", {"level": level, "note": "string"}, allow_defined_only=True)
        made = add_tier(api, "Deals", metadata={"level": 1, "note": "x"})
        for wrong in ({}, {"level": "one"}, {"level": 1, "other": 1}):
            body = tier(metadata=wrong)
            api.fails("POST", "/v1/promotions/Deals/tiers", body, status=400, key="metadata_validation_failed")
        body = {"name": "Other", "campaign_type": "PROMOTION", "promotion": {"tiers": [tier()]}}
        error = api.fails("POST", "/v1/campaigns", body, status=400, key="metadata_validation_failed")
        assert ".promotion.tiers[0].metadata.level" in error["details"]
        management.change(schema, {"level": level, "note": {"type": "string", "deleted": True}})
        assert management.purge(schema, "note", server=api)["status"] == "DONE"
    assert api.call("GET", f"/v1/promotions/tiers/{made['id']}")["metadata"] == {"level": 1}
