from datetime import datetime, timedelta
from typing import Any

import pytest

import facts
from promotions import codes_of, make_campaign, make_voucher, publish, redeem, refused, rows
from rapport.core.db import Database


async def test_a_code_that_nobody_has_is_given_to_the_customer(api: Any, db: Database, project_id: int) -> None:
    campaign = make_campaign(api, activity_duration_after_publishing="P24D", vouchers_count=2)
    body = {
        "campaign": {"name": "Spring"}, "customer": {"source_id": "ann", "name": "Ann"}, "source_id": "p-1",
        "channel": "newsletter", "metadata": {"year": 2026},
    }  # fmt: skip
    made = api.call("POST", "/v1/publications", body)
    assert made["id"].startswith("pub_")
    assert (made["object"], made["result"], made["source_id"]) == ("publication", "SUCCESS", "p-1")
    assert (made["tracking_id"], made["metadata"]) == ("ann", {"year": 2026})
    assert made["customer"]["name"] == "Ann"
    voucher = made["voucher"]
    assert voucher["code"] in codes_of(api, campaign["id"])
    assert made["vouchers_id"] == [voucher["id"]]
    assert voucher["holder_id"] == made["customer_id"]
    assert voucher["publish"]["count"] == 1
    lifetime = datetime.fromisoformat(voucher["expiration_date"]) - datetime.fromisoformat(made["created_at"])
    assert lifetime == timedelta(days=24)
    assert api.call("GET", f"/v1/vouchers/{voucher['code']}")["holder_id"] == made["customer_id"]
    listed = api.call("GET", "/v1/publications")["publications"]
    assert [(one["id"], one["channel"], one["voucher"]["code"]) for one in listed] == [
        (made["id"], "newsletter", voucher["code"])
    ]
    assert api.call("GET", voucher["publish"]["url"])["publications"] == listed
    (other,) = set(codes_of(api, campaign["id"])) - {voucher["code"]}
    assert api.call("GET", f"/v1/vouchers/{other}/publications")["total"] == 0
    api.fails("GET", "/v1/vouchers/NONE/publications", status=404, key="not_found")
    assert await facts.log_types(db, project_id, made["customer_id"]) == [
        "customer.created",
        "customer.publication.succeeded",
    ]


def test_every_customer_gets_a_code_of_their_own_until_there_are_none(api: Any) -> None:
    campaign = make_campaign(api, vouchers_count=3)
    given = [publish(api, customer=name)["voucher"]["code"] for name in ("ann", "bob", "ann")]
    assert sorted(given) == codes_of(api, campaign["id"])
    body = {"campaign": {"name": "Spring"}, "customer": {"source_id": "eve"}}
    api.fails("POST", "/v1/publications", body, status=400, key="no_voucher_suitable_for_publication")
    failed = api.call("GET", "/v1/publications", params={"result": "FAILURE"})["publications"]
    assert [(one["customer"]["source_id"], one["failure_code"]) for one in failed] == [
        ("eve", "no_voucher_suitable_for_publication")
    ]
    assert (failed[0]["vouchers"], failed[0]["vouchers_id"]) == ([], [])
    activity = api.call("GET", "/v1/customers/eve/activity")["data"]
    assert [entry["type"] for entry in activity] == ["customer.publication.failed", "customer.created"]


def test_a_campaign_that_grows_makes_codes_as_they_are_asked_for(api: Any) -> None:
    campaign = make_campaign(api, type="AUTO_UPDATE", vouchers_count=1)
    given = {publish(api, customer=f"c{number}")["voucher"]["code"] for number in range(4)}
    assert len(given) == 4
    assert set(codes_of(api, campaign["id"])) == given
    assert api.call("GET", "/v1/campaigns/Spring")["creation_status"] == "DONE"


def test_a_campaign_to_be_joined_once_gives_the_same_code_again(api: Any) -> None:
    make_campaign(api, join_once=True)
    first = publish(api)
    again = publish(api)
    assert (again["id"], again["voucher"]["code"]) == (first["id"], first["voucher"]["code"])
    assert publish(api, customer="bob")["voucher"]["code"] != first["voucher"]["code"]
    assert api.call("GET", "/v1/publications")["total"] == 2


def test_a_request_may_ask_to_join_once(api: Any) -> None:
    make_campaign(api)
    body = {"campaign": {"name": "Spring"}, "customer": {"source_id": "ann"}}
    first = api.call("POST", "/v1/publications", body)
    again = api.call("POST", "/v1/publications", body, params={"join_once": "true"})
    assert again["id"] == first["id"]
    # Where the official JavaScript SDK puts it; the query goes first.
    assert api.call("POST", "/v1/publications", body | {"join_once": True})["id"] == first["id"]
    assert api.call("POST", "/v1/publications", body)["id"] != first["id"]
    both = api.call("POST", "/v1/publications", body | {"join_once": True}, params={"join_once": "false"})
    assert both["id"] != first["id"]
    api.fails("POST", "/v1/publications", body, params={"join_once": "x"}, status=400, key="invalid_query_params")


def test_used_and_disabled_codes_and_codes_of_others_are_not_given_away(api: Any) -> None:
    campaign = make_campaign(api, vouchers_count=5)
    disabled, used, over, given, left = codes_of(api, campaign["id"])
    api.call("POST", f"/v1/vouchers/{disabled}/disable")
    redeem(api, used)
    api.call("PUT", f"/v1/vouchers/{over}", {"expiration_date": "2020-01-01"})
    api.call("POST", "/v1/publications", {"voucher": given, "customer": {"source_id": "bob"}})
    assert publish(api)["voucher"]["code"] == left
    several = {"campaign": {"name": "Spring", "count": 2}, "customer": {"source_id": "ann"}}
    for body in (several, several | {"campaign": {"name": "Spring"}}):
        api.fails("POST", "/v1/publications", body, status=400, key="no_voucher_suitable_for_publication")


def test_a_particular_code_is_published_once(api: Any) -> None:
    voucher = make_voucher(api, "CODE")
    body = {"voucher": "CODE", "customer": {"source_id": "ann"}}
    assert api.call("POST", "/v1/publications", body)["voucher"]["code"] == "CODE"
    error = api.fails(
        "POST",
        "/v1/publications",
        body | {"customer": {"source_id": "bob"}},
        status=400,
        key="voucher_already_published",
    )
    assert error["details"] == f"Voucher '{voucher['id']}' has already been published"
    by_code = api.call("GET", "/v1/publications", params={"voucher": "CODE"})["publications"]
    assert [one["customer"]["source_id"] for one in by_code] == ["ann"]
    api.fails("POST", "/v1/publications", body | {"voucher": "NONE"}, status=404, key="not_found")
    make_voucher(api, "OFF", active=False)
    api.fails("POST", "/v1/publications", body | {"voucher": "OFF"}, status=400, key="voucher_cannot_be_published")


async def test_a_source_id_is_used_once(api: Any, db: Database, project_id: int) -> None:
    make_campaign(api)
    publish(api, source_id="p-1")
    for customer in ("ann", "bob"):
        body = {"campaign": {"name": "Spring"}, "customer": {"source_id": customer}, "source_id": "p-1"}
        error = api.fails("POST", "/v1/publications", body, status=400, key="duplicate_source_id")
        assert error["details"] == "Publication with source_id: 'p-1' already exists"
    assert await rows(db, project_id, "publications") == 1
    api.fails("GET", "/v1/customers/bob", status=404, key="not_found")


def test_several_codes_are_published_together_or_not_at_all(api: Any) -> None:
    campaign = make_campaign(api, vouchers_count=3)
    body = {"campaign": {"name": "Spring", "count": 2}, "customer": {"source_id": "ann"}}
    made = api.call("POST", "/v1/publications", body)
    assert len(made["vouchers"]) == len(made["vouchers_id"]) == 2
    assert "voucher" not in made
    api.fails("POST", "/v1/publications", body, status=400, key="no_voucher_suitable_for_publication")
    left = [code for code in codes_of(api, campaign["id"]) if code not in made["vouchers"]]
    assert "holder_id" not in api.call("GET", f"/v1/vouchers/{left[0]}")
    for change in ({"campaign": {"name": "Spring", "count": 51}}, {"source_id": "p-1"}):
        api.fails("POST", "/v1/publications", body | change, status=400, key="too_many_vouchers_requested")


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        ({"customer": {"source_id": "ann"}}, 400, "missing_vouchers"),
        ({"campaign": {"name": "Spring"}}, 400, "invalid_payload"),
        ({"campaign": {"name": "Spring"}, "customer": {}}, 400, "invalid_payload"),
        ({"campaign": {"name": "Spring"}, "customer": "ann"}, 400, "invalid_payload"),
        ({"campaign": {"name": "None"}, "customer": {"source_id": "ann"}}, 404, "not_found"),
        ({"campaign": {"name": "Spring"}, "customer": {"id": "cust_x"}}, 404, "not_found"),
        ({"campaign": {"name": "Spring", "count": 0}, "customer": {"source_id": "ann"}}, 400, "invalid_payload"),
        ({"campaign": 1, "customer": {"source_id": "ann"}}, 400, "invalid_payload"),
        ({"campaign": {"name": "Spring"}, "customer": {"source_id": "ann"}, "metadata": 1}, 400, "invalid_payload"),
    ],
)
async def test_a_publication_that_cannot_be_is_refused(
    api: Any, db: Database, project_id: int, body: dict[str, Any], status: int, reason: str
) -> None:
    make_campaign(api)
    api.fails("POST", "/v1/publications", body, status=status, key=reason)
    assert await rows(db, project_id, "publications") == 0
    assert await rows(db, project_id, "customers") == 0


def test_a_code_is_published_by_query(api: Any) -> None:
    make_campaign(api)
    make_voucher(api, "CODE")
    query = {"campaign[name]": "Spring", "customer[source_id]": "ann", "metadata[a]": "b", "source_id": "p-1"}
    made = api.call("GET", "/v1/publications/create", params=query)
    assert (made["customer"]["source_id"], made["metadata"], made["source_id"]) == ("ann", {"a": "b"}, "p-1")
    assert api.call("GET", "/v1/publications/create", params={"voucher": "CODE", "customer": "bob"})["voucher"]
    api.fails("GET", "/v1/publications/create", params={"voucher": "X"}, status=400, key="invalid_query_params")
    api.fails("GET", "/v1/publications/create", params={"customer": "bob"}, status=400, key="missing_vouchers")
    many = {"campaign[name]": "Spring", "campaign[count]": "2", "customer": "bob"}
    api.fails("GET", "/v1/publications/create", params=many, status=400, key="too_many_vouchers_requested")


def test_a_code_out_of_time_after_publishing_is_expired(api: Any) -> None:
    make_campaign(api, activity_duration_after_publishing="PT1S", quantity=None)
    code = publish(api)["voucher"]["code"]
    redeem(api, code)
    expires = api.call("GET", f"/v1/vouchers/{code}")["expiration_date"]
    api.call("PUT", f"/v1/vouchers/{code}", {"expiration_date": "2020-01-01"})
    refused(api, code, key="voucher_expired")
    assert expires is not None


def test_publications_are_listed_and_filtered(api: Any) -> None:
    campaign = make_campaign(api)
    first = publish(api, source_id="p-1")["id"]
    second = publish(api, customer="bob")["id"]

    def listed(**params: str) -> list[str]:
        found = api.call("GET", "/v1/publications", params=params)
        assert (found["object"], found["data_ref"]) == ("list", "publications")
        return [one["id"] for one in found["publications"]]

    assert listed() == [second, first]
    assert listed(order="created_at") == [first, second]
    assert listed(customer="ann") == listed(source_id="p-1") == [first]
    assert listed(campaign="Spring") == listed(campaign=campaign["id"]) == [second, first]
    assert listed(campaign="None") == []
    assert listed(result="FAILURE") == []


@pytest.mark.parametrize("name", ["voucher", "campaign", "customer", "customer[name]", "source_id", "metadata[a]"])
def test_a_nul_in_the_query_of_a_publication_is_refused(api: Any, name: str) -> None:
    make_campaign(api)
    query = {"campaign[name]": "Spring", "customer[source_id]": "ann", name: "a\x00b"}
    api.fails("GET", "/v1/publications/create", params=query, status=400, key="invalid_query_params")
    api.fails("GET", "/v1/customers/ann", status=404, key="not_found")


def test_a_page_of_publications_above_the_limit_has_its_own_key(api: Any) -> None:
    assert api.call("GET", "/v1/publications", params={"page": "1000"})["publications"] == []
    api.fails("GET", "/v1/publications", params={"page": "1001"}, status=400, key="page_over_limit")
    api.fails("GET", "/v1/publications", params={"page": "0"}, status=400, key="invalid_query_params")
