"""Who gets at exports and their files, and what is refused."""

import base64
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

import harness
from conftest import Api
from exports_world import create, download, finished
from rapport.core.db import Database
from rapport.exports.parameters import MAX_FIELDS
from rapport.projects.actions import create_key


@pytest.fixture
async def other(server: harness.Server, db: Database) -> AsyncIterator[Api]:
    """A client with the keys of another project."""
    key = await create_key(db, "Another project of exports", "server")
    headers = {"X-App-Id": key.app_id, "X-App-Token": key.app_token}
    with Api(base_url=server.base_url, headers=headers, timeout=30, verify=False) as client:
        yield client


def refused(api: Any, exported_object: Any, parameters: Any, key: str = "invalid_payload", status: int = 400) -> str:
    """Ask for an export that must be refused; return the details."""
    body = {"exported_object": exported_object, "parameters": parameters}
    return api.fails("POST", "/v1/exports", body, status=status, key=key)["details"]  # type: ignore[no-any-return]


def test_another_project_neither_sees_nor_deletes_nor_downloads(api: Any, other: Api) -> None:
    mine = finished(api, create(api, "customer")["id"])
    theirs = finished(other, create(other, "customer")["id"])
    path = f"/v1/exports/{mine['id']}"
    for method in ("GET", "DELETE"):
        error = other.fails(method, path, status=404, key="not_found")
        assert error["details"] == f"Cannot find export with id {mine['id']}"
    assert [one["id"] for one in other.call("GET", "/v1/exports")["exports"]] == [theirs["id"]]
    answer = httpx2.get(mine["result"]["url"])
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["content-disposition"] == f'attachment; filename="customer-{mine["id"]}.csv"'
    token = theirs["result"]["url"].partition("token=")[2]
    other.fails("GET", path, status=401, key="unauthorized", params={"token": token})
    assert download(mine["result"]["url"])


def test_a_forged_token_opens_nothing(api: Any, other: Api) -> None:
    done = finished(api, create(api, "customer")["id"])
    second = finished(api, create(api, "customer")["id"])
    path, token = f"/v1/exports/{done['id']}", done["result"]["url"].partition("token=")[2]
    query = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
    project = query.partition("project=")[2].partition("&")[0]
    until = query.partition("until=")[2].partition("&")[0]
    stranger = finished(other, create(other, "order")["id"])["result"]["url"].partition("token=")[2]
    stranger_query = base64.urlsafe_b64decode(stranger + "=" * (-len(stranger) % 4)).decode()
    strange_project = stranger_query.partition("project=")[2].partition("&")[0]

    def packed(text: str) -> str:
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    for forged in (
        "",
        "x",
        "%00",
        "ą",
        "a" * 5_000,
        token[:-2],
        token + "A",
        stranger,
        second["result"]["url"].partition("token=")[2],
        packed(query.replace(until, "2999-01-01T00%3A00%3A00.000Z")),
        packed(query.replace(project, strange_project)),
        packed(query.replace(project, "proj_x%00")),
        packed(f"project={project}&until={until}"),
        packed(f"project={project}&until=&signature="),
    ):
        api.fails("GET", path, status=401, key="unauthorized", params={"token": forged})
    assert download(done["result"]["url"])


def test_nobody_without_a_key_or_a_token_sees_an_export(api: Any, server: harness.Server) -> None:
    made = create(api, "customer")
    for path in ("/v1/exports", f"/v1/exports/{made['id']}"):
        assert httpx2.get(f"{server.base_url}{path}").status_code == 401
    assert httpx2.delete(f"{server.base_url}/v1/exports/{made['id']}").status_code == 401


def test_a_deleted_export_is_gone_with_its_file(api: Any) -> None:
    done = finished(api, create(api, "customer")["id"])
    api.call("DELETE", f"/v1/exports/{done['id']}", status=204)
    assert httpx2.get(done["result"]["url"]).status_code == 404
    for method in ("GET", "DELETE"):
        api.fails(method, f"/v1/exports/{done['id']}", status=404, key="not_found")
    assert api.call("GET", "/v1/exports")["exports"] == []


def test_exports_are_listed_and_additions_only_where_they_are_asked_for(api: Any) -> None:
    ids = [finished(api, create(api, name)["id"])["id"] for name in ("customer", "order", "event")]
    found = api.call("GET", "/v1/exports")
    assert (found["object"], found["data_ref"], found["total"]) == ("list", "exports", 2)
    assert [one["id"] for one in found["exports"]] == [ids[1], ids[0]]
    assert all(one["result"]["url"] for one in found["exports"])
    page = api.call("GET", "/v1/exports", params={"limit": 1, "page": 2, "order": "created_at"})
    assert [one["id"] for one in page["exports"]] == [ids[1]]
    assert len(api.call("GET", "/v1/exports", params={"order": "-status"})["exports"]) == 2
    events = api.call("GET", "/v1/exports", params={"exported_object": "event"})["exports"]
    assert [one["id"] for one in events] == [ids[2]]
    api.fails("GET", "/v1/exports", status=400, key="invalid_query_params", params={"order": "name"})


def test_an_answer_names_all_columns_and_in_fields_those_of_the_reference(api: Any) -> None:
    made = create(api, "customer", fields=["id", "metadata.tier", "address.city"])
    assert made["columns"] == ["id", "metadata.tier", "address.city"]
    assert made["parameters"]["fields"] == ["id"]


@pytest.mark.parametrize("name", ["points_expiration", "product", "sku"])
def test_what_does_not_exist_yet_is_refused_by_name(api: Any, name: str) -> None:
    assert f"{name} cannot be exported" in refused(api, name, {})


@pytest.mark.parametrize(
    ("exported_object", "parameters", "named"),
    [
        ("customers", {}, ".exported_object"),
        (5, {}, ".exported_object"),
        ("customer", [], ".parameters"),
        ("customer", {"order": "metadata.tier"}, ".parameters.order"),
        ("customer", {"order": 5}, ".parameters.order"),
        ("customer", {"order": "--name"}, ".parameters.order"),
        ("order", {"order": "amount"}, ".parameters.order"),
        ("customer", {"fields": "name"}, ".parameters.fields"),
        ("customer", {"fields": [5]}, ".parameters.fields"),
        ("customer", {"filters": []}, ".parameters.filters"),
        ("customer", {"filters": {"junction": "xor"}}, ".parameters.filters.junction"),
        (
            "customer",
            {"filters": {"publications.created_at": {"conditions": {"$is": ["x"]}}}},
            "publications.created_at",
        ),
        ("customer", {"filters": {"email": {"conditions": {"$like": ["x"]}}}}, ".parameters.filters.email"),
        ("customer", {"filters": {"email": {"conditions": {"$is": [{}]}}}}, ".parameters.filters.email"),
        ("customer", {"filters": {"city": {}, "address.city": {}}}, "address.city"),
        (
            "customer",
            {"filters": {"created_at": {"conditions": {"$after": ["soon"]}}}},
            ".parameters.filters.created_at",
        ),
        ("order", {"filters": {"amount": {"conditions": {"$more_than": ["many"]}}}}, ".parameters.filters.amount"),
        ("order", {"filters": {"junction": "and", "customer": {"conditions": {"$is": ["x"]}}}}, "filters.customer"),
        ("voucher", {"filters": {"redemption_status": {"conditions": {"$redeemed": ""}}}}, "redemption_status"),
        ("voucher", {"filters": {"category_ids": {"conditions": {"$in": ["x"]}}}}, "category_ids"),
        ("redemption", {"filters": {"user_login": {"conditions": {"$is": ["x"]}}}}, "user_login"),
        ("publication", {"filters": {"metadata.": {"conditions": {"$is": ["x"]}}}}, ".parameters.filters.metadata."),
        ("customer", {"campaign_id": "camp_x"}, ".parameters.campaign_id"),
        ("customer", {"segment_id": "seg_x"}, ".parameters.segment_id"),
        ("segment_members", {}, ".parameters.segment_id"),
        ("segment_members", {"segment_id": ""}, ".parameters.segment_id"),
        ("voucher", {"campaign_id": "\x00"}, ".parameters.campaign_id"),
    ],
)
def test_bad_input_is_refused_with_its_name(api: Any, exported_object: Any, parameters: Any, named: str) -> None:
    assert named in refused(api, exported_object, parameters)
    assert api.call("GET", "/v1/exports")["total"] == 0


@pytest.mark.parametrize(
    "field",
    [
        "",
        "first_name",
        "Name",
        "metadata.",
        'metadata."a',
        "metadata..a",
        "summary..x",
        "password",
        "é",
        "x" * 2_000,
    ],
)
def test_a_field_that_there_is_not_is_refused_with_those_there_are(api: Any, field: str) -> None:
    details = refused(api, "customer", {"fields": ["name", field]}, "invalid_export_fields")
    assert "Unsupported field used" in details
    assert "orders_total_amount" in details


def test_too_many_fields_and_fields_named_twice_are_refused(api: Any) -> None:
    many = [f"metadata.k{number}" for number in range(MAX_FIELDS + 1)]
    refused(api, "customer", {"fields": many}, "invalid_export_fields")
    assert "twice: name" in refused(api, "customer", {"fields": ["name", "id", "name"]}, "invalid_export_fields")


def test_a_segment_or_campaign_that_there_is_not_is_not_found(api: Any) -> None:
    assert "seg_x" in refused(api, "segment_members", {"segment_id": "seg_x"}, "not_found", 404)
    filters = {"segments": {"conditions": {"$is": ["seg_y"]}}}
    assert "seg_y" in refused(api, "customer", {"filters": filters}, "not_found", 404)
    assert "camp_x" in refused(api, "voucher", {"campaign_id": "camp_x"}, "not_found", 404)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"exported_object"', b"null"])
def test_a_body_that_is_none_is_refused(api: Any, body: bytes) -> None:
    answer = api.post("/v1/exports", content=body)
    assert (answer.status_code, answer.json()["key"]) == (400, "invalid_payload")
