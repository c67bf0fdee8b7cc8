"""Stacks of tiers: made, changed, listed and deleted, and what is refused."""

from typing import Any

import pytest

from in_cart import make_category, make_promotion, make_stack, tier
from promotions import make_campaign, rows
from rapport.core.db import Database


@pytest.fixture
def ids(api: Any) -> list[str]:
    """The ids of three tiers of a campaign called Deals."""
    return [one["id"] for one in make_promotion(api, *map(tier, "ABC"))["promotion"]["tiers"]]


def test_a_stack_is_created_changed_listed_and_deleted(api: Any, ids: list[str]) -> None:
    campaign = api.call("GET", "/v1/campaigns/Deals")["id"]
    category = make_category(api)
    made = make_stack(api, "Deals", ids[2], ids[0], name="First", category_id=category)
    assert made == {
        "id": made["id"],
        "name": "First",
        "created_at": made["created_at"],
        "campaign_id": campaign,
        "tiers": {"ids": [ids[2], ids[0]], "hierarchy_mode": "MANUAL"},
        "object": "promotion_stack",
        "category_id": category,
        "categories": made["categories"],
    }
    assert [one["id"] for one in made["categories"]] == [category]
    one = f"/v1/promotions/Deals/stacks/{made['id']}"
    assert api.call("GET", one) == made
    changed = api.call("PUT", one, {"name": "Second", "tiers": {"ids": ids}, "category_id": ""})
    assert changed == made | {
        "name": "Second",
        "tiers": {"ids": ids, "hierarchy_mode": "MANUAL"},
        "category_id": None,
        "categories": [],
        "updated_at": changed["updated_at"],
    }
    same = api.call("PUT", one, {"name": None, "tiers": None, "category_id": None})
    assert same == changed | {"updated_at": same["updated_at"]}
    other = make_stack(api, campaign, ids[1], name="Another")
    found = api.call("GET", "/v1/promotions/Deals/stacks")
    assert found == {"object": "list", "data_ref": "data", "data": [same, other], "total": 2, "has_more": False}
    api.call("DELETE", one, status=204)
    for method in ("GET", "PUT", "DELETE"):
        api.fails(method, one, {} if method == "PUT" else None, status=404, key="not_found")
    assert api.call("GET", "/v1/promotions/Deals/stacks")["data"] == [other]


def test_stacks_are_listed_over_all_campaigns(api: Any, ids: list[str]) -> None:
    first = make_stack(api, "Deals", ids[0], name="B")
    foreign = make_promotion(api, tier("D"), name="Other")["promotion"]["tiers"][0]["id"]
    second = make_stack(api, "Other", foreign, name="A")

    def found(**query: str) -> list[Any]:
        return api.call("GET", "/v1/promotions/stacks", params=query)["data"]  # type: ignore[no-any-return]

    assert found() == [second, first]
    assert found(order="created_at") == [first, second]
    assert found(order="name") == [second, first]
    assert found(limit="1", page="2") == [first]
    for name in (
        "created_at[after]",
        "[created_at][after]",
        "[filters][created_at][conditions][$after][0]",
        "filters[created_at][conditions][$after]",
    ):
        assert found(**{name: first["created_at"]}) == [second]
    assert found(**{"created_at[before]": second["created_at"]}) == [first]
    api.fails("GET", "/v1/promotions/stacks", status=400, key="invalid_query_params", params={"created_at[after]": "x"})


@pytest.mark.parametrize(
    "change",
    [
        {"name": None},
        {"name": ""},
        {"name": "x\x00"},
        {"tiers": None},
        {"tiers": {}},
        {"tiers": {"ids": []}},
        {"tiers": {"ids": [1]}},
        {"tiers": {"ids": ["promo_1"] * 2}},
        {"tiers": {"ids": [f"promo_{number}" for number in range(31)]}},
        {"tiers": {"ids": ["promo_1"], "hierarchy_mode": "AUTO"}},
    ],
)
async def test_what_is_no_stack_is_refused(
    api: Any, ids: list[str], db: Database, project_id: int, change: dict[str, Any]
) -> None:
    body = {"name": "Stack", "tiers": {"ids": ids}} | change
    api.fails("POST", "/v1/promotions/Deals/stacks", body, status=400, key="invalid_payload")
    assert await rows(db, project_id, "promotion_stacks") == 0


def test_a_stack_is_of_tiers_of_its_own_campaign(api: Any, ids: list[str]) -> None:
    foreign = make_promotion(api, tier("D"), name="Other")["promotion"]["tiers"][0]["id"]
    stack = make_stack(api, "Deals", ids[0])
    for tiers in ([ids[0], foreign], ["promo_none"]):
        body = {"name": "x", "tiers": {"ids": tiers}}
        for method, path in (
            ("POST", "/v1/promotions/Deals/stacks"),
            ("PUT", f"/v1/promotions/Deals/stacks/{stack['id']}"),
        ):
            error = api.fails(method, path, body, status=404, key="not_found")
            assert (error["resource_type"], error["resource_id"]) == ("promotion_tier", tiers[-1])
    api.fails("GET", f"/v1/promotions/Other/stacks/{stack['id']}", status=404, key="not_found")
    assert api.call("GET", f"/v1/promotions/Deals/stacks/{stack['id']}") == stack
    make_campaign(api)
    body = {"name": "x", "tiers": {"ids": ids}}
    api.fails("POST", "/v1/promotions/Spring/stacks", body, status=400, key="not_a_promotion_campaign")
    api.fails("POST", "/v1/promotions/nothing/stacks", body, status=404, key="not_found")
