import os
from collections.abc import AsyncIterator
from typing import Any

import pytest

import facts
import harness
from conftest import Api
from promotions import make_campaign, make_voucher, percent, publish, redeem, refused
from rapport.core.db import Database
from rapport.profiles.queries import MAX_COUNTED
from rapport.projects.actions import create_key

SECTIONS = [
    "segments", "activity", "orders", "events", "messages", "codes", "redemptions", "publications",
    "expired_promotions",
]  # fmt: skip


def profile(api: Any, reference: str = "ann", **params: Any) -> Any:
    """Return a customer's profile."""
    return api.call("GET", f"/v1/customers/{reference}/profile", params=params)


@pytest.fixture
async def stranger(db: Database, server: harness.Server) -> AsyncIterator[Api]:
    """A client of another project."""
    key = await create_key(db, f"other {os.urandom(4).hex()}", "server")
    headers = {"X-App-Id": key.app_id, "X-App-Token": key.app_token}
    with Api(base_url=server.base_url, headers=headers, timeout=30) as client:
        yield client


@pytest.fixture
def story(api: Any) -> dict[str, str]:
    """A customer of whom there is something in every section but the messages, and another with nothing."""
    oslo = facts.new_segment(api, facts.OSLO, name="Oslo")
    gold = facts.new_segment(api, facts.where("metadata.tier", "$is", "gold"), name="Gold")
    ann = api.call("POST", "/v1/customers", facts.ANN)
    api.call("POST", "/v1/customers", {"source_id": "nobody"})
    make_campaign(api, vouchers_count=2, quantity=3)
    code = publish(api)["voucher"]["code"]
    redeem(api, code, order={"source_id": "o1", "amount": 1000})
    gone = make_voucher(api, "GONE", percent(5), redemption={"quantity": 1}, expiration_date="2020-01-02")
    api.call("POST", "/v1/publications", {"voucher": "GONE", "customer": {"source_id": "ann"}})
    refused(api, "GONE", key="voucher_expired")
    api.call("POST", "/v1/orders", {"source_id": "o2", "customer": {"source_id": "ann"}, "amount": 5})
    for name in ("seen", "liked"):
        api.call("POST", "/v1/events", {"event": name, "customer": {"source_id": "ann"}, "metadata": {"n": name}})
    return {"ann": ann["id"], "code": code, "gone": gone["id"], "oslo": oslo, "gold": gold}


def test_everything_about_a_customer_in_one_call(api: Any, story: dict[str, str]) -> None:
    found = profile(api)
    by_id = profile(api, story["ann"])
    assert by_id == found | {"as_of": by_id["as_of"]}
    assert found["customer"] == api.call("GET", "/v1/customers/ann")
    assert {one["id"]: one["name"] for one in found["segments"]["items"]} == {
        story["oslo"]: "Oslo",
        story["gold"]: "Gold",
    }
    assert all(one["entered_at"] <= found["as_of"] for one in found["segments"]["items"])
    assert [one["type"] for one in found["events"]["items"]] == ["liked", "seen"]
    assert found["events"]["items"][0]["metadata"] == {"n": "liked"}
    assert [one["source_id"] for one in found["orders"]["items"]] == ["o2", "o1"]
    assert [(one["code"], one["state"], one["balance"]) for one in found["codes"]["items"]] == [
        ("GONE", "EXPIRED", 1),
        (story["code"], "ACTIVE", 2),
    ]
    assert [one["code"] for one in found["expired_promotions"]["items"]] == ["GONE"]
    failed, succeeded = found["redemptions"]["items"]
    assert (failed["voucher_code"], failed["status"]) == ("GONE", "FAILED")
    assert (failed["failure_code"], failed["failure_message"]) == ("voucher_expired", "voucher expired")
    assert (succeeded["voucher_code"], succeeded["status"], succeeded["failure_code"]) == (
        story["code"],
        "SUCCEEDED",
        None,
    )
    assert [one["voucher_codes"] for one in found["publications"]["items"]] == [["GONE"], [story["code"]]]
    assert found["messages"]["items"] == []
    assert found["consents"] == found["customer"]["consents"]
    assert found["object"] == "customer_profile"
    totals = {name: found[name]["total"] for name in SECTIONS if name != "activity"}
    assert totals == {
        "segments": 2, "orders": 2, "events": 2, "messages": 0, "codes": 2, "redemptions": 2, "publications": 2,
        "expired_promotions": 1,
    }  # fmt: skip
    assert all(found[name]["total_is_exact"] for name in SECTIONS)


def test_every_list_that_a_profile_names_holds_what_it_shows(api: Any, story: dict[str, str]) -> None:
    found = profile(api, limit=50)
    for name in SECTIONS:
        answer = api.call("GET", found[name]["url"], params=None)
        items = answer[answer["data_ref"]]
        ids = [one["id"] for one in found[name]["items"]]
        if name == "expired_promotions":
            assert set(ids) < {one["id"] for one in items}
        elif name == "segments":
            assert sorted(ids) == sorted(one["id"] for one in items)
        else:
            assert [one["id"] for one in items] == ids[:10], name
            assert answer.get("total", found[name]["total"]) == found[name]["total"], name
    assert story["ann"] in found["orders"]["url"]


def test_a_profile_shows_the_latest_and_counts_the_rest(api: Any, story: dict[str, str]) -> None:
    whole, found = profile(api, limit=50), profile(api, limit=1)
    for name in SECTIONS:
        assert found[name]["items"] == whole[name]["items"][:1]
        assert found[name]["total"] == whole[name]["total"]
    assert found["activity"]["total"] == len(whole["activity"]["items"])
    assert found["customer"]["id"] == story["ann"]


@pytest.mark.usefixtures("story")
def test_of_whom_nothing_is_known_there_is_nothing(api: Any) -> None:
    found = profile(api, "nobody")
    for name in SECTIONS:
        assert (found[name]["items"] == []) is (name != "activity")
    assert [one["type"] for one in found["activity"]["items"]] == ["customer.created"]
    api.fails("GET", "/v1/customers/unknown/profile", status=404, key="not_found")


@pytest.mark.parametrize("limit", ["0", "51", "x"])
def test_a_bad_limit_is_refused(api: Any, limit: str) -> None:
    api.call("POST", "/v1/customers", {"source_id": "ann"})
    api.fails("GET", "/v1/customers/ann/profile", params={"limit": limit}, status=400, key="invalid_query_params")


async def test_counting_ends_where_it_would_cost(api: Any, db: Database, project_id: int) -> None:
    ann = api.call("POST", "/v1/customers", {"source_id": "ann"})["id"]

    async def orders(number: int) -> tuple[int, bool]:
        async with db.read() as conn:
            await conn.execute(
                "INSERT INTO orders (project_id, id, status, customer_id, amount, discount_amount, total_amount, "
                "applied_discount_amount, items, metadata, redemptions, created_at) "
                "SELECT $1, 'ord_' || $2 || '_' || $4 || '_' || n, 'CREATED', $2, 1, 0, 1, 0, '[]', '{}', '{}', now() "
                "FROM generate_series(1, $3::int) AS n",
                project_id,
                ann,
                number,
                str(number),
            )
        found = profile(api)["orders"]
        assert len(found["items"]) == 10
        return found["total"], found["total_is_exact"]

    assert await orders(MAX_COUNTED) == (MAX_COUNTED, True)
    assert await orders(1) == (MAX_COUNTED, False)


def test_states_of_codes(api: Any) -> None:
    dates = {"FUTURE": {"start_date": "2999-01-01"}, "OVER": {"expiration_date": "2020-01-01"}, "OFF": {}, "USED": {}}
    for code, more in dates.items():
        make_voucher(api, code, percent(5), redemption={"quantity": 1}, **more)
        api.call("POST", "/v1/publications", {"voucher": code, "customer": {"source_id": "ann"}})
    make_voucher(api, "FREE", percent(5), redemption={"quantity": None})
    api.call("POST", "/v1/publications", {"voucher": "FREE", "customer": {"source_id": "ann"}})
    api.call("POST", "/v1/vouchers/OFF/disable")
    redeem(api, "USED")
    states = {one["code"]: (one["state"], one["balance"]) for one in profile(api)["codes"]["items"]}
    assert states == {
        "FUTURE": ("SCHEDULED", 1), "OVER": ("EXPIRED", 1), "OFF": ("DISABLED", 1), "USED": ("USED_UP", 0),
        "FREE": ("ACTIVE", None),
    }  # fmt: skip


def test_a_code_of_a_campaign_that_is_over_is_an_expired_promotion(api: Any) -> None:
    make_campaign(api, vouchers_count=1, start_date="2020-01-01", expiration_date="2020-02-01")
    code = api.call("GET", "/v1/vouchers")["vouchers"][0]["code"]
    api.call("POST", "/v1/publications", {"voucher": code, "customer": {"source_id": "ann"}})
    found = profile(api)
    (expired,) = found["expired_promotions"]["items"]
    assert (expired["code"], expired["state"], expired["campaign"]) == (code, "EXPIRED", "Spring")
    assert expired["expiration_date"] == "2020-02-01T00:00:00.000Z"


def test_another_projects_customer_has_no_profile_here(story: dict[str, str], stranger: Any) -> None:
    stranger.fails("GET", f"/v1/customers/{story['ann']}/profile", status=404, key="not_found")
    stranger.fails("GET", f"/v1/customers/{story['ann']}/events", status=404, key="not_found")
    stranger.fails("GET", f"/v1/customers/{story['ann']}/messages", status=404, key="not_found")
    assert stranger.call("GET", "/v1/orders", params={"customer": story["ann"]})["orders"] == []


def test_events_of_a_customer_are_listed_by_name_and_time(api: Any) -> None:
    for number in range(5):
        body = {"event": f"e{number % 2}", "customer": {"source_id": "ann"}, "metadata": {"n": number}}
        api.call("POST", "/v1/events", body)
    api.call("POST", "/v1/events", {"event": "e0", "customer": {"source_id": "bob"}})

    def numbers(**params: Any) -> list[int]:
        return [one["metadata"]["n"] for one in api.call("GET", "/v1/customers/ann/events", params=params)["data"]]

    assert numbers() == [4, 3, 2, 1, 0]
    assert numbers(order="created_at") == [0, 1, 2, 3, 4]
    assert numbers(type="e1") == [3, 1]
    assert numbers(start_date="2999-01-01") == []
    assert numbers(end_date="2999-01-01", limit=2) == [4, 3]
    first = api.call("GET", "/v1/customers/ann/events", params={"limit": 3})
    assert first["has_more"] is True
    assert numbers(starting_after_id=first["more_starting_after"]) == [1, 0]
    api.fails(
        "GET",
        "/v1/customers/bob/events",
        params={"starting_after_id": first["more_starting_after"]},
        status=400,
        key="invalid_query_params",
    )


def test_orders_are_listed_by_customer(api: Any) -> None:
    for source_id in ("ann", "bob", "ann"):
        api.call("POST", "/v1/orders", {"customer": {"source_id": source_id}, "amount": 1})
    ann = api.call("GET", "/v1/customers/ann")["id"]
    for reference in ("ann", ann):
        found = api.call("GET", "/v1/orders", params={"customer": reference})
        assert (found["total"], {one["customer_id"] for one in found["orders"]}) == (2, {ann})
    assert api.call("GET", "/v1/orders", params={"customer": "nobody"})["orders"] == []
    assert api.call("GET", "/v1/orders")["total"] == 3
