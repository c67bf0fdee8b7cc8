"""Devices: seen on a customer, moved to another, forgotten."""

from typing import Any

import pytest

import facts
from rapport.core.db import Database
from rapport.devices.actions import MAX_DEVICES


@pytest.fixture(autouse=True)
def people(api: Any) -> None:
    for name in ("ann", "bob"):
        api.call("POST", "/v1/customers", {"source_id": name})


def add(api: Any, customer: str = "ann", **device: Any) -> Any:
    return api.call("POST", f"/v1/customers/{customer}/devices", device)


def devices(api: Any, customer: str = "ann") -> list[str]:
    listed = [one["id"] for one in api.call("GET", f"/v1/customers/{customer}/devices", params={"limit": 100})["data"]]
    shown = [one["id"] for one in api.call("GET", f"/v1/customers/{customer}")["devices"]]
    assert sorted(listed) == sorted(shown), "the table and the customer say the same"
    return shown


async def test_a_device_is_seen_again_and_forgotten(api: Any, db: Database, project_id: int) -> None:
    made = add(api, id="d", platform="ios", channel="push", token="t", app_version="1")
    assert (made["id"], made["platform"], made["channel"], made["token"]) == ("d", "ios", "push", "t")
    assert made["first_seen_at"] == made["last_seen_at"]
    again = add(api, token="t", app_version="2")
    assert (again["id"], again["platform"], again["app_version"]) == ("d", "ios", "2")
    assert again["first_seen_at"] == made["first_seen_at"] < again["last_seen_at"]
    add(api, id="d")
    (shown,) = api.call("GET", "/v1/customers/ann")["devices"]
    assert "token" not in shown
    assert (shown["id"], shown["app_version"]) == ("d", "2")
    api.call("DELETE", "/v1/customers/ann/devices/d", status=204)
    assert devices(api) == []
    api.fails("DELETE", "/v1/customers/ann/devices/d", status=404, key="not_found")
    kinds = [kind for kind in await facts.log_types(db, project_id) if "device" in kind]
    assert kinds == ["customer.device.added", "customer.device.updated", "customer.device.removed"]


def test_a_device_without_an_id_gets_one(api: Any) -> None:
    made = add(api, platform="web")
    assert made["id"].startswith("dev_")
    assert devices(api) == [made["id"]]


def test_a_device_that_another_customer_uses_moves(api: Any) -> None:
    add(api, id="d", platform="ios", token="t")
    moved = add(api, "bob", id="d")
    assert (moved["platform"], moved["token"]) == ("ios", "t")
    assert (devices(api), devices(api, "bob")) == ([], ["d"])
    api.fails("DELETE", "/v1/customers/ann/devices/d", status=404, key="not_found")


def test_a_token_is_on_one_device(api: Any) -> None:
    add(api, id="old", token="t")
    add(api, "bob", id="new", token="t")
    assert (devices(api), devices(api, "bob")) == ([], ["new"])
    add(api, id="a", token="u")
    add(api, id="b", token="v")
    add(api, id="b", token="u")
    assert devices(api) == ["b"]


def test_a_device_of_a_deleted_customer_is_free(api: Any) -> None:
    add(api, id="d", token="t")
    api.call("DELETE", "/v1/customers/ann", status=204)
    add(api, "bob", token="t")
    assert devices(api, "bob") == ["d"]


def test_an_event_tells_of_a_device(api: Any) -> None:
    add(api, id="d", token="t", platform="android")
    body = {"event": "opened", "customer": {"source_id": "bob"}, "device": {"token": "t", "app_version": "3"}}
    tracked = api.call("POST", "/v1/events", body)
    assert (tracked["device"]["id"], tracked["device"]["app_version"]) == ("d", "3")
    assert (devices(api), devices(api, "bob")) == ([], ["d"])
    entry = api.call("GET", "/v1/customers/bob/activity", params={"limit": 100})["data"]
    event = next(one for one in entry if one["type"] == "customer.custom_event")
    assert event["data"]["data"]["event"]["device"]["platform"] == "android"


def test_of_too_many_the_one_not_seen_for_longest_goes(api: Any) -> None:
    for number in range(MAX_DEVICES):
        add(api, id=f"d{number}", platform="web")
    add(api, id="d0")
    add(api, id="new")
    found = devices(api)
    assert (len(found), "d1" in found, {"d0", "new"} <= set(found)) == (MAX_DEVICES, False, True)


def test_devices_are_filtered_on(api: Any) -> None:
    raw = {
        "devices": {"conditions": {"$count_more": [1]}},
        "devices.platform": {"conditions": {"$is": ["ios"]}},
        "devices.last_seen_at": {"conditions": {"$less_than_ago": [1]}},
    }
    segment = facts.new_segment(api, raw)
    add(api, id="a", platform="web")
    assert api.call("GET", "/v1/customers/ann/segments")["data"] == []
    add(api, id="b", platform="ios")
    assert [one["id"] for one in api.call("GET", "/v1/customers/ann/segments")["data"]] == [segment]
    add(api, "bob", id="b")
    assert api.call("GET", "/v1/customers/ann/segments")["data"] == []


@pytest.mark.parametrize(
    "body",
    [{"platform": "fridge"}, {"channel": "fax"}, {"id": ""}, {"id": "x" * 256}, {"token": ""}, {"token": "x" * 5000},
     {"token": "a\0"}, {"id": 5}, {"app_version": "x" * 101}, []],
)  # fmt: skip
def test_a_device_that_is_none_is_refused(api: Any, body: Any) -> None:
    api.fails("POST", "/v1/customers/ann/devices", body, status=400, key="invalid_payload")
    event = {"event": "e", "customer": {"source_id": "ann"}, "device": body}
    api.fails("POST", "/v1/events", event, status=400, key="invalid_payload")
    assert devices(api) == []
    assert api.call("GET", "/v1/customers/ann")["events"] == {}


def test_nobody_unknown_has_devices(api: Any) -> None:
    api.fails("POST", "/v1/customers/nobody/devices", {"platform": "web"}, status=404, key="not_found")
    api.fails("GET", "/v1/customers/nobody/devices", status=404, key="not_found")
