"""Publications from a shop's page, for one customer alone, and found again."""

from collections.abc import Iterator
from typing import Any

import pytest

from conftest import Api
from harness import Server
from management import managed
from promotions import codes_of, make_campaign, make_voucher, publish, redeem, rows, stack
from rapport.core.db import Database
from rapport.projects.actions import create_key
from rapport.projects.models import NewKey

PUBLISH = "/client/v1/publish"


@pytest.fixture
async def client_key(db: Database, key: NewKey) -> NewKey:
    return await create_key(db, key.project, "client")


@pytest.fixture
def client(server: Server, client_key: NewKey) -> Iterator[Api]:
    headers = {"X-Client-Application-Id": client_key.app_id, "X-Client-Token": client_key.app_token}
    with Api(base_url=server.base_url, headers=headers, timeout=30, verify=False) as found:
        yield found


def body(**more: Any) -> dict[str, Any]:
    """Return the body of a publication."""
    return {"campaign": {"name": "Spring"}, "customer": {"source_id": "ann"}, **more}


def test_a_page_of_a_shop_publishes_a_code_and_learns_nothing_of_the_customer(api: Any, client: Api) -> None:
    campaign = make_campaign(api)
    api.call("POST", "/v1/customers", {"source_id": "ann", "name": "Ann", "email": "ann@example.com"})
    made = client.call("POST", PUBLISH, body(source_id="p-1", channel="myown", metadata={"year": 2026}))
    assert made["voucher"]["code"] in codes_of(api, campaign["id"])
    assert (made["source_id"], made["metadata"], made["result"]) == ("p-1", {"year": 2026}, "SUCCESS")
    assert made["customer"] == {
        "id": made["customer_id"], "source_id": "ann", "object": "customer",
        "summary": None, "loyalty": None, "referrals": None,
    }  # fmt: skip
    assert "ann@" not in str(made)
    (listed,) = api.call("GET", "/v1/publications")["publications"]
    assert (listed["id"], listed["channel"]) == (made["id"], "myown")
    entries = api.call("GET", "/v1/customers/ann/activity", params={"additions": "true"})["data"]
    assert entries[0]["data"]["event_source"]["channel"] == "CLIENT_API"


def test_a_page_of_a_shop_names_a_customer_by_source_id_only(api: Any, client: Api) -> None:
    make_campaign(api)
    ann = api.call("POST", "/v1/customers", {"source_id": "ann"})
    for customer in ({"id": ann["id"]}, {"source_id": ann["id"]}, {"name": "Ann"}, {}, "ann", None):
        client.fails("POST", PUBLISH, body(customer=customer), status=400, key="invalid_payload")
    assert api.call("GET", "/v1/publications")["total"] == 0


def test_a_page_of_a_shop_publishes_as_a_server_does(api: Any, client: Api) -> None:
    make_campaign(api)
    make_voucher(api, "CODE")
    first = client.call("POST", PUBLISH, body())
    assert client.call("POST", PUBLISH, body(), params={"join_once": "true"})["id"] == first["id"]
    several = client.call("POST", PUBLISH, body(campaign={"name": "Spring", "count": 2}))
    assert len(several["vouchers"]) == 2
    assert client.call("POST", PUBLISH, {"voucher": "CODE", "customer": {"source_id": "bob"}})["voucher"]["code"]
    client.fails("POST", PUBLISH, {"customer": {"source_id": "ann"}}, status=400, key="missing_vouchers")
    client.fails("POST", PUBLISH, body(), status=400, key="no_voucher_suitable_for_publication")
    client.fails("POST", PUBLISH, body(campaign={"name": "None"}), status=404, key="not_found")
    client.fails("POST", PUBLISH, body(), params={"join_once": "x"}, status=400, key="invalid_query_params")
    client.fails("POST", PUBLISH, body(metadata=1), status=400, key="invalid_payload")


async def test_metadata_of_publications_are_checked(
    server: Server, db: Database, key: NewKey, api: Any, client: Api
) -> None:
    make_campaign(api)
    async with managed(server, db, key.project) as management:
        management.define("publication", {"year": "number"}, allow_defined_only=True)
    for caller, path in ((api, "/v1/publications"), (client, PUBLISH)):
        for metadata in ({"year": "x"}, {"month": 1}):
            caller.fails("POST", path, body(metadata=metadata), status=400, key="metadata_validation_failed")
    assert api.call("GET", "/v1/publications")["total"] == 0
    assert client.call("POST", PUBLISH, body(metadata={"year": 2026}))["metadata"] == {"year": 2026}


async def test_an_offer_for_exactly_one_customer_is_one_call(api: Any, db: Database, project_id: int) -> None:
    make_campaign(api, type="AUTO_UPDATE", quantity=None)
    code = api.call("POST", "/v1/publications", body(holder_only=True))["voucher"]["code"]
    for customer in ("bob", None):
        failed = api.call("POST", "/v1/redemptions", stack(code, customer=customer), status=400)
        assert failed["key"] in {"customer_rules_violated", "redemption_rules_violated", "missing_customer"}
        assert api.call("POST", "/v1/validations", stack(code, customer=customer))["valid"] is False
    redeem(api, code)
    # The others of the campaign are anybody's, and the next offer takes the same rule.
    anybodys = publish(api, customer="bob")["voucher"]["code"]
    redeem(api, anybodys, customer="eve")
    query = {"campaign[name]": "Spring", "customer[source_id]": "dan", "holder_only": "true"}
    api.call("GET", "/v1/publications/create", params=query)
    assert await rows(db, project_id, "validation_rules") == 1
    assert await rows(db, project_id, "validation_rule_assignments") == 2


def test_an_offer_for_one_customer_that_fails_leaves_nothing(api: Any) -> None:
    make_campaign(api, vouchers_count=1)
    publish(api)
    api.fails(
        "POST",
        "/v1/publications",
        body(holder_only=True),
        status=400,
        key="no_voucher_suitable_for_publication",
    )
    assert api.call("GET", "/v1/validation-rules")["total"] == 0
    api.fails("POST", "/v1/publications", body(holder_only="x"), status=400, key="invalid_payload")
    query = {"campaign[name]": "Spring", "customer[source_id]": "dan", "holder_only": "x"}
    api.fails("GET", "/v1/publications/create", params=query, status=400, key="invalid_query_params")


def test_publications_are_found_by_every_filter_of_the_reference(api: Any) -> None:
    campaign = make_campaign(api, vouchers_count=1)
    make_voucher(api, "CODE")
    first = publish(api, source_id="p-1")
    own = api.call("POST", "/v1/publications", {"voucher": "CODE", "customer": {"source_id": "bob"}})
    api.call("POST", "/v1/publications", body(customer={"source_id": "eve"}), status=400)
    failed = api.call("GET", "/v1/publications", params={"result": "FAILURE"})["publications"][0]["id"]

    def listed(**params: str) -> list[str]:
        return [one["id"] for one in api.call("GET", "/v1/publications", params=params)["publications"]]

    def found(field: str, operator: str, *values: str, **more: str) -> list[str]:
        names = [f"filters[{field}][conditions][{operator}][{number}]" for number in range(len(values))]
        return listed(order="created_at", **dict(zip(names, values, strict=True)), **more)

    everything = [first["id"], own["id"], failed]
    assert found("customer_id", "$is", first["customer_id"]) == [first["id"]]
    assert found("customer_id", "$in", first["customer_id"], own["customer_id"]) == everything[:2]
    assert found("customer_id", "$not_in", first["customer_id"]) == everything[1:]
    assert found("campaign_name", "$is", "Spring") == [first["id"], failed]
    assert found("campaign_name", "$is_unknown", "") == found("campaign_name", "$is_not", "Spring") == [own["id"]]
    assert found("campaign_name", "$starts_with", "Spr") == found("campaign_name", "$ends_with", "ing")
    assert found("parent_object_id", "$is", campaign["id"]) == [first["id"], failed]
    assert found("related_object_id", "$is", own["voucher"]["id"]) == [own["id"]]
    assert found("result", "$is", "FAILURE") == found("failure_code", "$contains", "suitable") == [failed]
    assert found("source_id", "$has_value", "") == [first["id"]]
    assert found("voucher_type", "$is", "DISCOUNT_VOUCHER") == everything[:2]
    assert found("is_referral_code", "$is", "true") == listed(is_referral_code="true") == []
    assert listed(voucher_type="discount", order="created_at") == everything[:2]
    assert listed(voucher_type="loyalty") == []
    either = {"filters[result][conditions][$is]": "FAILURE", "filters[junction]": "OR"}
    assert found("source_id", "$is", "p-1", **either) == [first["id"], failed]
    assert listed(order="tracking_id") == everything
    assert listed(order="-voucher_code")[0] == failed
    for params in (
        {"filters[x][conditions][$is]": "y"},
        {"filters[result][conditions][$x]": "y"},
        {"filters[result]": "y"},
        {"voucher_type": "x"},
        {"is_referral_code": "x"},
        {"order": "x"},
    ):
        api.fails("GET", "/v1/publications", params=params, status=400, key="invalid_query_params")
