import asyncio
from typing import Any

import httpx2
import pytest

import facts
from harness import Server, client
from rapport.core.db import Database
from rapport.http.caller import KEY_CACHE_S
from rapport.projects.actions import create_key
from rapport.projects.models import Kind, NewKey

CALLS = [
    ("GET", "/v1/customers"),
    ("POST", "/v1/customers"),
    ("GET", "/v1/customers/x"),
    ("PUT", "/v1/customers/x"),
    ("DELETE", "/v1/customers/x"),
    ("GET", "/v1/customers/x/activity"),
    ("GET", "/v1/customers/x/activities"),
    ("GET", "/v1/customers/x/segments"),
    ("GET", "/v1/orders"),
    ("POST", "/v1/orders"),
    ("GET", "/v1/orders/x"),
    ("PUT", "/v1/orders/x"),
    ("POST", "/v1/events"),
    ("GET", "/v1/segments"),
    ("POST", "/v1/segments"),
    ("GET", "/v1/segments/x"),
    ("DELETE", "/v1/segments/x"),
]


def assert_unauthorized(answer: httpx2.Response) -> None:
    """Assert that this is a 401 in the reference's shape that gives nothing away."""
    assert answer.status_code == 401, answer.text
    body = answer.json()
    assert (body["code"], body["key"]) == (401, "unauthorized")
    assert {"message", "details", "request_id"} <= set(body)


@pytest.mark.parametrize(("method", "path"), CALLS)
async def test_no_call_works_without_the_right_keys(
    server: Server, key: NewKey, db: Database, project_id: int, method: str, path: str
) -> None:
    body = {"name": "X", "source_id": "x", "event": "x", "customer": {"source_id": "x"}}
    for headers in (
        {},
        {"X-App-Id": key.app_id},
        {"X-App-Token": key.app_token},
        {"X-App-Id": key.app_id, "X-App-Token": ""},
        {"X-App-Id": key.app_id, "X-App-Token": key.app_token[:-1]},
        {"X-App-Id": key.app_id, "X-App-Token": key.app_token + "0"},
        {"X-App-Id": key.app_id, "X-App-Token": key.app_token.upper()},
        {"X-App-Id": key.app_token, "X-App-Token": key.app_id},
        {"X-App-Id": "00000000-0000-0000-0000-000000000000", "X-App-Token": key.app_token},
        {"Authorization": f"Bearer {key.app_token}"},
    ):
        assert_unauthorized(httpx2.request(method, server.base_url + path, json=body, headers=headers))
    assert await facts.counts(db, project_id) == {}


def test_odd_bytes_in_keys_are_a_401_like_any_other(server: Server, key: NewKey) -> None:
    for app_id in (b"\xff\xfe", "klucz-ż".encode(), b"x" * 5000, b"' OR 1=1 --"):
        headers = [(b"X-App-Id", app_id), (b"X-App-Token", key.app_token.encode())]
        assert_unauthorized(httpx2.get(f"{server.base_url}/v1/customers", headers=headers))
        headers = [(b"X-App-Id", key.app_id.encode()), (b"X-App-Token", app_id)]
        assert_unauthorized(httpx2.get(f"{server.base_url}/v1/customers", headers=headers))


def test_header_names_in_any_case_work(server: Server, key: NewKey) -> None:
    headers = {"x-APP-id": key.app_id, "x-app-TOKEN": key.app_token}
    assert httpx2.get(f"{server.base_url}/v1/customers", headers=headers).status_code == 200


@pytest.mark.parametrize("kind", ["client", "management"])
async def test_keys_of_another_kind_open_nothing_here(
    server: Server, db: Database, key: NewKey, project_id: int, kind: Kind
) -> None:
    other = await create_key(db, key.project, kind)
    assert other.project_id == key.project_id
    with client(server.base_url, other.app_id, other.app_token) as http:
        for method, path in CALLS:
            assert_unauthorized(http.request(method, path, json={}))
    assert await facts.counts(db, project_id) == {}


async def test_two_keys_of_a_project_see_the_same(server: Server, db: Database, key: NewKey, api: Any) -> None:
    other = await create_key(db, key.project, "server")
    created = api.call("POST", "/v1/customers", {"source_id": "c"})
    with client(server.base_url, other.app_id, other.app_token) as http:
        assert http.get("/v1/customers/c").json() == facts.plain(created)


async def test_nothing_of_another_project_can_be_read_or_changed(
    server: Server, db: Database, api: Any, project_id: int
) -> None:
    customer = api.call("POST", "/v1/customers", {"source_id": "shared", "address": {"city": "Oslo"}})
    order = api.call("POST", "/v1/orders", {"source_id": "o", "customer": {"source_id": "shared"}})
    segment = facts.new_segment(api, facts.where("address.city", "$is", "Oslo"))
    entry = api.call("GET", "/v1/customers/shared/activity")["data"][0]["id"]
    before = await facts.counts(db, project_id), await facts.log_types(db, project_id)
    stranger = await create_key(db, f"stranger to {project_id}", "server")
    with client(server.base_url, stranger.app_id, stranger.app_token) as http:
        for method, path, body in (
            ("GET", f"/v1/customers/{customer['id']}", None),
            ("GET", "/v1/customers/shared", None),
            ("PUT", f"/v1/customers/{customer['id']}", {"name": "X"}),
            ("DELETE", f"/v1/customers/{customer['id']}", None),
            ("GET", f"/v1/customers/{customer['id']}/activity", None),
            ("GET", f"/v1/customers/{customer['id']}/segments", None),
            ("POST", "/v1/customers", {"id": customer["id"], "name": "X"}),
            ("GET", f"/v1/orders/{order['id']}", None),
            ("PUT", f"/v1/orders/{order['id']}", {"status": "PAID"}),
            ("POST", "/v1/orders", {"id": order["id"]}),
            ("POST", "/v1/orders", {"customer_id": customer["id"]}),
            ("POST", "/v1/events", {"event": "e", "customer": {"id": customer["id"]}}),
            ("GET", f"/v1/segments/{segment}", None),
            ("DELETE", f"/v1/segments/{segment}", None),
            ("POST", "/v1/segments", {"name": "S", "customers": [customer["id"]]}),
            (
                "POST",
                "/v1/segments",
                {"name": "S", "type": "passive", "filter": facts.where("segments", "$is", segment)},
            ),
        ):
            answer = http.request(method, path, json=body)
            assert (answer.status_code, answer.json()["key"]) == (404, "not_found"), (method, path)
        for path in ("/v1/customers", "/v1/orders", "/v1/segments", f"/v1/customers?segment_id={segment}"):
            assert http.get(path).json()["total"] == 0, path
        # The same source ids are free here, and what happens with them stays here.
        assert http.post("/v1/customers", json={"source_id": "shared"}).json()["id"] != customer["id"]
        assert http.post("/v1/orders", json={"source_id": "o", "customer": {"source_id": "shared"}}).status_code == 200
        answer = http.get("/v1/customers/shared/activity", params={"starting_after_id": entry})
        assert (answer.status_code, answer.json()["key"]) == (400, "invalid_query_params")
    assert (await facts.counts(db, project_id), await facts.log_types(db, project_id)) == before
    assert api.call("GET", "/v1/customers/shared") == api.call("GET", f"/v1/customers/{customer['id']}")


async def test_a_removed_key_stops_working_within_the_time_it_is_remembered(
    server: Server, db: Database, key: NewKey
) -> None:
    with client(server.base_url, key.app_id, key.app_token) as http:
        assert http.get("/v1/customers").status_code == 200
        async with db.read() as conn:
            await conn.execute("DELETE FROM api_keys WHERE app_id = $1", key.app_id)
        await asyncio.sleep(KEY_CACHE_S + 0.1)
        assert_unauthorized(http.get("/v1/customers"))


async def test_tokens_are_not_kept_in_clear(db: Database, key: NewKey) -> None:
    async with db.read() as conn:
        rows = await conn.fetch("SELECT * FROM api_keys")
    assert len(rows) > 0
    assert key.app_token not in repr([tuple(row) for row in rows])
