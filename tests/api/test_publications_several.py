"""Codes of several campaigns at once, for one customer."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from harness import Server, async_client
from promotions import make_campaign, redeem, rows, stack
from rapport.core.db import Database
from rapport.projects.models import NewKey

PATH = "/v1/publications/campaigns"


def body(*names: Any, customer: str = "ann", **more: Any) -> dict[str, Any]:
    """Return a request for codes of these campaigns."""
    campaigns = [name if isinstance(name, dict) else {"name": name} for name in names]
    return {"campaigns": campaigns, "customer": {"source_id": customer}, **more}


def test_each_campaign_has_a_publication_of_its_own(api: Any) -> None:
    made = {name: make_campaign(api, name, pattern=f"{name}-######") for name in ("Spring", "Summer", "Autumn")}
    wanted = body(
        "Summer", {"id": made["Spring"]["id"], "count": 2}, {"name": "Autumn", "source_id": "p-1"},
        channel="mailing", metadata={"year": 2026},
    )  # fmt: skip
    found = api.call("POST", PATH, wanted)
    assert (found["object"], found["data_ref"], found["total"]) == ("list", "publications", 3)
    summer, spring, autumn = found["publications"]
    assert summer["voucher"]["code"].startswith("Summer-")
    assert [code.partition("-")[0] for code in spring["vouchers"]] == ["Spring", "Spring"]
    assert (autumn["source_id"], summer["source_id"]) == ("p-1", None)
    assert {one["customer"]["source_id"] for one in found["publications"]} == {"ann"}
    listed = api.call("GET", "/v1/publications", params={"campaign": "Spring"})["publications"]
    assert [(one["id"], one["channel"], one["metadata"]) for one in listed] == [
        (spring["id"], "mailing", {"year": 2026})
    ]
    assert api.call("GET", "/v1/vouchers", params={"customer": "ann"})["total"] == 4
    kinds = [one["type"] for one in api.call("GET", "/v1/customers/ann/activity")["data"]]
    assert kinds.count("customer.publication.succeeded") == 3


def test_who_joined_one_of_them_keeps_that_code(api: Any) -> None:
    for name in ("Spring", "Summer"):
        make_campaign(api, name, pattern=f"{name}-######")
    first = api.call("POST", "/v1/publications", {"campaign": "Spring", "customer": {"source_id": "ann"}})
    found = api.call("POST", PATH, body("Spring", "Summer"), params={"join_once": "true"})["publications"]
    assert found[0]["voucher"]["code"] == first["voucher"]["code"]
    again = api.call("POST", PATH, body("Summer", "Spring"), params={"join_once": "true"})["publications"]
    assert [one["id"] for one in again] == [found[1]["id"], first["id"]]


def test_they_can_be_for_one_customer_alone(api: Any) -> None:
    for name in ("Spring", "Summer"):
        make_campaign(api, name, pattern=f"{name}-######")
    found = api.call("POST", PATH, body("Spring", "Summer", holder_only=True))["publications"]
    for one in found:
        refused = stack(one["voucher"]["code"], customer="bob")
        api.fails("POST", "/v1/redemptions", refused, status=400, key="customer_rules_violated")
        redeem(api, one["voucher"]["code"], customer="ann")


async def test_without_a_code_in_one_of_them_none_is_published(api: Any, db: Database, project_id: int) -> None:
    make_campaign(api, "Spring", pattern="Spring-######")
    make_campaign(api, "Empty", pattern="Empty-######", vouchers_count=1)
    api.call("POST", "/v1/publications", {"campaign": "Empty", "customer": {"source_id": "eve"}})
    wanted = body("Spring", {"name": "Empty", "source_id": "p-2"}, metadata={"year": 2026})
    api.fails("POST", PATH, wanted, status=400, key="no_voucher_suitable_for_publication")
    assert api.call("GET", "/v1/vouchers", params={"customer": "ann"})["total"] == 0
    (failed,) = api.call("GET", "/v1/publications", params={"customer": "ann"})["publications"]
    assert (failed["result"], failed["failure_code"]) == ("FAILURE", "no_voucher_suitable_for_publication")
    assert (failed["source_id"], failed["metadata"]) == ("p-2", {"year": 2026})
    kinds = [one["type"] for one in api.call("GET", "/v1/customers/ann/activity")["data"]]
    assert [one for one in kinds if "publication" in one] == ["customer.publication.failed"]
    api.fails("POST", PATH, body("Spring", "Nobody", customer="new"), status=404, key="not_found")
    api.fails("GET", "/v1/customers/new", status=404, key="not_found")
    assert await rows(db, project_id, "publications") == 2


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        ({"campaigns": []}, "invalid_payload"),
        ({"campaigns": [{"name": "Spring"}] * 21}, "invalid_payload"),
        ({"campaigns": ["Spring"]}, "invalid_payload"),
        ({"campaigns": [{"count": 1}]}, "missing_vouchers"),
        ({"campaigns": [{"name": "Spring", "count": 26}] * 2}, "too_many_vouchers_requested"),
        ({"campaigns": [{"name": "Spring", "count": 2, "source_id": "p"}]}, "too_many_vouchers_requested"),
        ({"campaigns": [{"name": "Spring", "source_id": "p"}] * 2}, "invalid_payload"),
        ({"customer": {}}, "invalid_payload"),
        ({"metadata": 1}, "invalid_payload"),
    ],
)
async def test_what_cannot_be_is_refused(
    api: Any, db: Database, project_id: int, wanted: dict[str, Any], reason: str
) -> None:
    make_campaign(api)
    api.fails("POST", PATH, body("Spring") | wanted, status=400, key=reason)
    assert await rows(db, project_id, "publications") == 0


async def test_many_at_once_get_all_or_nothing(server: Server, api: Any, key: NewKey) -> None:
    """Ten codes in each of two campaigns, asked for in either order by sixteen customers: ten have both."""
    for name in ("Spring", "Summer"):
        make_campaign(api, name, pattern=f"{name}-######", vouchers_count=10)
    headers = {"X-App-Id": key.app_id, "X-App-Token": key.app_token}
    async with async_client(server.base_url, headers) as client:
        orders = [("Spring", "Summer"), ("Summer", "Spring")]
        done = await asyncio.gather(
            *(client.post(PATH, json=body(*orders[number % 2], customer=f"c{number}")) for number in range(16))
        )
    assert Counter(one.status_code for one in done) == {200: 10, 400: 6}
    held = Counter(api.call("GET", "/v1/vouchers", params={"customer": f"c{one}"})["total"] for one in range(16))
    assert held == {2: 10, 0: 6}
