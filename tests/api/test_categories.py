"""Categories: made, changed, listed in their order, and kept while something is in them."""

import os
from typing import Any

import pytest

from conftest import Api
from harness import Server
from in_cart import add_tier, make_category, make_promotion, make_stack, tier
from promotions import make_campaign, rows
from rapport.core.db import Database
from rapport.projects.actions import create_key


def test_a_category_is_created_changed_listed_and_deleted(api: Any) -> None:
    made = api.call("POST", "/v1/categories", {"name": "Deals", "hierarchy": 3})
    assert made == {
        "id": made["id"],
        "name": "Deals",
        "hierarchy": 3,
        "created_at": made["created_at"],
        "object": "category",
    }
    assert made["id"].startswith("cat_")
    first = make_category(api, "First", 0)
    one = f"/v1/categories/{made['id']}"
    assert api.call("GET", one) == made
    changed = api.call("PUT", one, {"name": "Bargains", "hierarchy": 4})
    assert changed == made | {"name": "Bargains", "hierarchy": 4, "updated_at": changed["updated_at"]}
    found = api.call("GET", "/v1/categories")
    assert found == {"object": "list", "data_ref": "data", "data": [found["data"][0], changed], "total": 2}
    assert found["data"][0]["id"] == first
    api.call("DELETE", one, status=204)
    api.fails("GET", one, status=404, key="not_found")
    api.fails("DELETE", one, status=404, key="not_found")
    api.fails("PUT", one, {"name": "x", "hierarchy": 1}, status=404, key="not_found")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": "x"},
        {"hierarchy": 1},
        {"name": "", "hierarchy": 1},
        {"name": "x" * 256, "hierarchy": 1},
        {"name": "x", "hierarchy": -1},
        {"name": "x", "hierarchy": 1.5},
        {"name": "x", "hierarchy": 2**31},
        {"name": "a\x00b", "hierarchy": 1},
        {"name": 1, "hierarchy": 1},
        [],
    ],
)
async def test_what_is_no_category_is_refused(api: Any, db: Database, project_id: int, body: Any) -> None:
    api.fails("POST", "/v1/categories", body, status=400, key="invalid_payload")
    assert await rows(db, project_id, "categories") == 0


def test_names_are_different(api: Any) -> None:
    make_category(api, "Deals")
    other = make_category(api, "Other")
    body = {"name": "Deals", "hierarchy": 1}
    error = api.fails("POST", "/v1/categories", body, status=409, key="duplicate_found")
    assert (error["resource_type"], error["resource_id"]) == ("category", "Deals")
    api.fails("PUT", f"/v1/categories/{other}", body, status=409, key="duplicate_found")


def test_a_category_stays_while_something_is_in_it(api: Any) -> None:
    used = {name: make_category(api, name) for name in ("tier", "stack", "campaign")}
    promotion = make_promotion(api, tier("A", category_id=used["tier"]))
    first = promotion["promotion"]["tiers"][0]
    stack = make_stack(api, promotion["id"], first["id"], category_id=used["stack"])
    campaign = make_campaign(api, category_id=used["campaign"])
    for name, user in (("tier", first), ("stack", stack), ("campaign", campaign)):
        error = api.fails("DELETE", f"/v1/categories/{used[name]}", status=409, key="resource_in_use")
        assert user["id"] in error["details"]
    api.call("PUT", f"/v1/promotions/tiers/{first['id']}", {"category_id": ""})
    api.call("DELETE", f"/v1/categories/{used['tier']}", status=204)


def test_a_tier_is_put_into_a_category_by_id_or_by_name(api: Any) -> None:
    category = make_category(api, "Deals", 2)
    campaign = make_promotion(api)["id"]
    for name, given in (("A", {"category_id": category}), ("B", {"category": "Deals"})):
        made = add_tier(api, campaign, name, **given)
        assert made["category_id"] == category
        assert [(one["id"], one["name"], one["hierarchy"]) for one in made["categories"]] == [(category, "Deals", 2)]
    for given in ({"category_id": "cat_none"}, {"category": "Nothing"}):
        body = tier("C", **given)
        error = api.fails("POST", f"/v1/promotions/{campaign}/tiers", body, status=404, key="not_found")
        assert error["resource_type"] == "category"


def test_a_campaign_is_put_into_a_category_by_id_or_by_name(api: Any) -> None:
    first, second = make_category(api, "First"), make_category(api, "Second")
    made = make_campaign(api, category="First")
    assert (made["category_id"], made["category"]) == (first, "First")
    assert [one["id"] for one in made["categories"]] == [first]
    changed = api.call("PUT", "/v1/campaigns/Spring", {"category_id": second})
    assert (changed["category_id"], changed["category"]) == (second, "Second")
    api.call("PUT", f"/v1/categories/{second}", {"name": "Renamed", "hierarchy": 1})
    assert api.call("GET", "/v1/campaigns/Spring")["category"] == "Renamed"
    for given in ({"category": "Nothing"}, {"category_id": "cat_none"}):
        api.fails("PUT", "/v1/campaigns/Spring", given, status=404, key="not_found")
    body = {"name": "Other", "campaign_type": "PROMOTION", "category": "Nothing"}
    error = api.fails("POST", "/v1/campaigns", body, status=404, key="not_found")
    assert (error["resource_type"], error["resource_id"]) == ("category", "Nothing")
    none = api.call("PUT", "/v1/campaigns/Spring", {"category": ""})
    assert (none["category_id"], none["categories"], "category" in none) == (None, [], False)
    api.call("DELETE", f"/v1/categories/{second}", status=204)


async def test_a_category_of_another_project_is_not_there(api: Any, server: Server, db: Database) -> None:
    category = make_category(api)
    key = await create_key(db, f"other {os.urandom(4).hex()}", "server")
    headers = {"X-App-Id": key.app_id, "X-App-Token": key.app_token}
    with Api(base_url=server.base_url, headers=headers, timeout=30, verify=False) as stranger:
        stranger.fails("GET", f"/v1/categories/{category}", status=404, key="not_found")
        stranger.fails("DELETE", f"/v1/categories/{category}", status=404, key="not_found")
        make_promotion(stranger)
        body = tier("A", category_id=category)
        stranger.fails("POST", "/v1/promotions/Deals/tiers", body, status=404, key="not_found")
