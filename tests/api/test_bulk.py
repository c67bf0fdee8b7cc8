"""Bulk updates of customers: each thing by itself, its result, its report."""

import re
from typing import Any

import httpx2
import pytest

import bulk_requests as bulk
import facts
import harness
from rapport.async_actions.tasks import OldActions
from rapport.bulk.tasks import Tidying
from rapport.core import jsons
from rapport.core.db import Database

UPDATE = "/v1/customers/bulk/async"
METADATA = "/v1/customers/metadata/async"


def test_a_name_that_cannot_be_kept_fails_alone(api: Any) -> None:
    things = [{"source_id": "a", "metadata": {"n\x00": 1}}, {"source_id": "b"}, {"metadata": {"x" * 5_000: "\x00"}}]
    action = bulk.run(api, UPDATE, things)
    nul, good, long = bulk.items(api, action)
    assert (nul["status"], good["status"], long["status"]) == ("FAILED", "DONE", "FAILED")
    assert nul["error"]["details"] == "Property .metadata.n\\u0000 must not contain a NUL character"
    assert long["error"]["details"] == f"{'Property .metadata.'.ljust(2_000, 'x')}…"


@pytest.mark.parametrize(
    "path", ["/v1/async-actions/aa_1/report?", "/v1/imports/imp_1/failures?", "/v1/exports/exp_1?token=x.y.z&"]
)
def test_a_link_that_names_no_project_there_can_be_is_refused(path: str, server: harness.Server) -> None:
    answer = httpx2.get(f"{server.base_url}{path}project=%00&until=1&signature=x")
    assert answer.status_code == 401, answer.text


async def test_customers_are_made_and_updated_and_each_result_is_told(api: Any, db: Database, project_id: int) -> None:
    ann = api.call("POST", "/v1/customers", {"source_id": "ann", "name": "Ann", "metadata": {"a": 1, "b": 2}})
    action = bulk.run(
        api,
        UPDATE,
        [{"source_id": "ann", "email": "ann@x.com", "metadata": {"b": None, "c": 1.50}}, {"source_id": "bob"}],
    )
    assert {name: action[name] for name in ("type", "status", "operation_status", "progress", "object")} == {
        "type": "CUSTOMERS.BULK_UPDATE",
        "status": "DONE",
        "operation_status": "SUCCESS",
        "progress": 100,
        "object": "async_action",
    }
    result = action["result"]
    assert (result["done_count"], result["failed_count"], result["errors"]) == (2, 0, [])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", result["reports_available_till"])
    updated, made = api.call("GET", "/v1/customers/ann"), api.call("GET", "/v1/customers/bob")
    assert (updated["id"], updated["name"], updated["email"]) == (ann["id"], "Ann", "ann@x.com")
    assert updated["metadata"] == {"a": 1, "c": 1.5}
    assert bulk.items(api, action) == [
        {
            "number": number,
            "status": "DONE",
            "source_id": one["source_id"],
            "object_id": one["id"],
            "customer_id": one["id"],
            "found": one is updated,
            "updated": True,
            "object": "async_action_item",
        }
        for number, one in enumerate((updated, made), start=1)
    ]
    assert bulk.report(api, action) == [
        {
            "number": str(number),
            "source_id": one["source_id"],
            "found": "true" if one is updated else "false",
            "updated": "true",
            "id": one["id"],
            "customer_id": one["id"],
            "error": "",
        }
        for number, one in enumerate((updated, made), start=1)
    ]
    assert await facts.log_types(db, project_id) == ["customer.created", "customer.updated", "customer.created"]
    source = api.call("GET", "/v1/customers/bob/activity")["data"][0]["data"]["event_source"]
    assert (source["channel"], "reason" in source) == ("API", False)


BAD = [
    ({"source_id": "bad1", "name": 5}, "invalid_payload", "Property .name should be string or null, is integer"),
    ({"name": "nobody"}, "invalid_payload", "Missing required property .source_id"),
    ({"id": "cust_1"}, "invalid_payload", "Missing required property .source_id"),
    (5, "invalid_payload", "Property . should be object, is integer"),
    (None, "invalid_payload", "Property . should be object, is null"),
    ({"source_id": "bad2", "metadata": []}, "invalid_payload", "Property .metadata should be object or null, is array"),
    (
        {"source_id": "bad3", "metadata": {"a": "\x00"}},
        "invalid_payload",
        "Property .metadata.a must not contain a NUL",
    ),
    ({"source_id": "bad\x00", "x": 1}, "invalid_payload", "Property .source_id must not contain a NUL character"),
    ({"source_id": "bad4", "birthdate": "31.1.2020"}, "invalid_payload", "Property .birthdate should be a date"),
    ({"source_id": ""}, "invalid_payload", "Property .source_id: Expected `str` of length >= 1"),
    ({"source_id": "bad5", "metadata": {str(n): n for n in range(1001)}}, "invalid_payload", "Property .metadata has"),
    ({"source_id": "long", "x": "x" * 1_048_576}, "invalid_payload", "It is longer than 1048576 bytes"),
    ({"source_id": "first", "name": "Again"}, "duplicate_found", "Its source id is in the request already"),
]


async def test_what_is_wrong_fails_alone(api: Any, db: Database, project_id: int) -> None:
    body = [{"source_id": "first", "name": "First"}, *(one for one, _, _ in BAD), {"source_id": "last"}]
    action = bulk.run(api, UPDATE, body)
    assert action["status"] == "DONE"
    assert (action["result"]["done_count"], action["result"]["failed_count"]) == (2, len(BAD))
    found = bulk.items(api, action)
    for item, (_, key, details) in zip(found[1:-1], BAD, strict=True):
        assert (item["status"], item["customer_id"], item["error"]["key"]) == ("FAILED", None, key), item
        assert item["error"]["details"].startswith(details), item
        assert "updated" in item
    assert [one["details"] for one in action["result"]["errors"]] == [one["error"]["details"] for one in found[1:-1]]
    assert all(isinstance(one["source_id"], str) and one["message"] for one in action["result"]["errors"])
    assert {found[0]["source_id"], found[-1]["source_id"]} == {"first", "last"}
    assert api.call("GET", "/v1/customers/first")["name"] == "First"
    assert await facts.counts(db, project_id) == {"customers": 2, "activity": 2}


def test_failures_can_be_listed_by_themselves(api: Any) -> None:
    action = bulk.run(api, UPDATE, [{"source_id": "a"}, {"source_id": "b", "name": []}, {"source_id": "c"}])
    path = f"/v1/async-actions/{action['id']}/items"
    failed = api.call("GET", path, params={"status": "FAILED"})
    assert (failed["total"], failed["has_more"], failed["data_ref"]) == (1, False, "items")
    assert [one["source_id"] for one in failed["items"]] == ["b"]
    page = api.call("GET", path, params={"limit": 2, "page": 2})
    assert ([one["source_id"] for one in page["items"]], page["has_more"]) == (["c"], False)
    api.fails("GET", "/v1/async-actions/aa_none/items", status=404, key="not_found")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (UPDATE, {}),
        (UPDATE, []),
        (UPDATE, "x"),
        (UPDATE, [{"source_id": str(number)} for number in range(101)]),
        (METADATA, []),
        (METADATA, {"source_ids": ["a"]}),
        (METADATA, {"metadata": {"a": 1}}),
        (METADATA, {"source_ids": [], "metadata": {}}),
        (METADATA, {"source_ids": ["a"], "metadata": []}),
        (METADATA, {"source_ids": "a", "metadata": {}}),
        (METADATA, {"source_ids": ["a"], "metadata": {"a": "\x00"}}),
        (METADATA, {"source_ids": ["a"], "metadata": {"a": "x" * 140_000}}),
        (METADATA, {"source_ids": [str(number) for number in range(101)], "metadata": {}}),
    ],
)
async def test_a_body_that_is_none_is_refused_whole(
    api: Any, db: Database, project_id: int, path: str, body: Any
) -> None:
    error = api.fails("POST", path, body, status=400, key="invalid_payload")
    if isinstance(body, list) and len(body) == 101:
        assert error["details"] == "A request may have 1 to 100 customers, this one has 101"
    assert api.call("GET", "/v1/async-actions")["async_actions"] == []
    assert await facts.counts(db, project_id) == {}


@pytest.mark.parametrize("content", [b"", b"[{]", b'[{"source_id": "a"}', b"[" * 100_000, b"\xff", b'[{"a": 1}] x'])
def test_a_body_that_is_not_json_is_refused(api: Any, content: bytes) -> None:
    answer = api.post(UPDATE, content=content, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["key"]) == (400, "invalid_payload"), answer.text


def test_ten_mebibytes_are_taken_here_and_one_elsewhere(api: Any) -> None:
    metadata = {"text": "x" * 95_000}
    action = bulk.run(api, UPDATE, [{"source_id": f"c{number}", "metadata": metadata} for number in range(100)])
    assert action["result"]["done_count"] == 100
    body = jsons.encode([{"source_id": "c", "metadata": {"text": "x" * 10_485_760}}])
    error = api.call("POST", UPDATE, None, status=413, content=body)
    assert {name: error[name] for name in ("statusCode", "error", "message", "code", "key")} == {
        "statusCode": 413,
        "error": "Request Entity Too Large",
        "message": "Payload content length greater than maximum allowed: 10485760",
        "code": 413,
        "key": "payload_too_large",
    }
    big = {"metadata": {"text": "x" * 1_100_000}}
    api.fails("POST", "/v1/customers", big, status=413, key="payload_too_large")
    assert api.call("GET", "/v1/customers")["total"] == 100


async def test_metadata_is_set_on_those_who_are_there_and_on_new_ones(api: Any, db: Database, project_id: int) -> None:
    api.call("POST", "/v1/customers", {"source_id": "ann", "name": "Ann", "metadata": {"a": 1, "b": 2}})
    names = ["ann", "new", "ann", 5, "", None]
    action = bulk.run(api, METADATA, {"source_ids": names, "metadata": {"b": None, "lang": "en"}})
    assert action["type"] == "CUSTOMERS.METADATA_UPDATE"
    assert (action["result"]["done_count"], action["result"]["failed_count"]) == (2, 3)
    assert action["result"]["errors"][0] == {
        "key": "invalid_payload",
        "message": "Invalid payload",
        "details": "Property .source_ids[3] should be a string of 1 to 255 characters",
        "source_id": "",
    }
    assert [(one["source_id"], one["found"], one["updated"]) for one in bulk.items(api, action)[:2]] == [
        ("ann", True, True),
        ("new", False, True),
    ]
    assert api.call("GET", "/v1/customers/ann")["metadata"] == {"a": 1, "lang": "en"}
    assert api.call("GET", "/v1/customers/new")["metadata"] == {"lang": "en"}
    assert await facts.counts(db, project_id) == {"customers": 2, "activity": 3}


async def test_segments_follow_a_bulk_update(api: Any, db: Database, project_id: int) -> None:
    segment_id = facts.new_segment(api, facts.OSLO)
    body = [{"source_id": str(number), "address": {"city": "Oslo" if number % 2 else "Rome"}} for number in range(10)]
    bulk.run(api, UPDATE, body)
    assert len(await facts.assert_exact(db, project_id, segment_id, facts.OSLO)) == 5
    bulk.run(api, UPDATE, [{"source_id": str(number), "address": {"city": "Oslo"}} for number in range(10)])
    assert len(await facts.assert_exact(db, project_id, segment_id, facts.OSLO)) == 10


async def test_what_was_asked_for_is_not_kept_once_it_is_done(api: Any, db: Database, project_id: int) -> None:
    bulk.run(api, UPDATE, [{"source_id": "a", "email": "secret@x.com"}, {"source_id": "b", "email": 5}])
    bulk.run(api, METADATA, {"source_ids": ["a"], "metadata": {"secret": "secret"}})
    async with db.read() as conn:
        rows = await conn.fetch("SELECT * FROM bulk_items WHERE project_id = $1", project_id)
        actions = await conn.fetch("SELECT * FROM async_actions WHERE project_id = $1", project_id)
    assert [row["input"] for row in rows] == [None] * 3
    assert [row["parameters"] for row in actions] == [{}, {}]
    assert "secret" not in repr(rows) + repr(actions)


def test_a_report_needs_its_link(api: Any) -> None:
    action = bulk.run(api, UPDATE, [{"source_id": "=1+1"}, {"source_id": "\uff1d1+1"}, {"source_id": "+48 600"}])
    (url,) = action["result"]["reports"]
    assert [row["source_id"] for row in bulk.report(api, action)] == ["'=1+1", "'\uff1d1+1", "+48 600"]
    bare, _, query = url.partition("?")
    assert httpx2.get(bare).status_code == 401
    assert httpx2.get(url[:-1] + ("0" if url[-1] != "0" else "1")).status_code == 401
    assert httpx2.get(f"{bare}?{query.replace('until=2', 'until=3')}").status_code == 401
    assert httpx2.get(f"{bare.replace(action['id'], 'aa_other')}?{query}").status_code == 401
    assert api.get(bare).status_code == 401


async def test_reports_and_actions_are_removed_in_time(api: Any, db: Database, project_id: int) -> None:
    action = bulk.run(api, UPDATE, [{"source_id": "a"}])
    kept = bulk.run(api, UPDATE, [{"source_id": "b"}])
    (url,) = action["result"]["reports"]

    async def age(days: int) -> None:
        async with db.read() as conn:
            await conn.execute(
                "UPDATE async_actions SET updated_at = updated_at - make_interval(days => $3) "
                "WHERE project_id = $1 AND id = $2",
                project_id,
                action["id"],
                days,
            )

    await age(8)
    while await Tidying().run(db):
        pass
    assert bulk.items(api, action) == []
    answer = httpx2.get(url)
    assert (answer.status_code, answer.json()["key"]) == (404, "not_found")
    assert api.call("GET", f"/v1/async-actions/{action['id']}")["status"] == "DONE"
    assert len(bulk.items(api, kept)) == 1
    await age(23)
    assert await OldActions().run(db) is True
    api.fails("GET", f"/v1/async-actions/{action['id']}", status=404, key="not_found")
    assert [one["id"] for one in api.call("GET", "/v1/async-actions")["async_actions"]] == [kept["id"]]
