"""A project and its settings in the management API."""

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Any

import pytest

import harness
from conftest import Api
from management import Management, managed
from rapport.core.db import Database
from rapport.http.client_side import SWITCHES
from rapport.projects.actions import create_key
from rapport.projects.models import NewKey

DOMAINS = [
    "https://shop.example",
    "https://shop.example:8443/",
    "Shop.Example",
    "*.shop.example",
    "bücher.example",
    "*",
]


@pytest.fixture
async def management(server: harness.Server, db: Database, key: NewKey) -> AsyncIterator[Management]:
    async with managed(server, db, key.project) as found:
        yield found


def test_a_project_begins_open(management: Management, key: NewKey) -> None:
    project = management.call("GET", "")
    assert project == {
        "id": key.project_id,
        "name": key.project,
        "description": "",
        "timezone": "UTC",
        "dial_code": None,
        "case_sensitive_codes": True,
        "client_trusted_domains": [],
        **dict.fromkeys(SWITCHES, True),
    }
    listed = management.api.call("GET", "/management/v1/projects")
    assert listed == {"object": "list", "data_ref": "data", "data": [project], "total": 1}


def test_only_what_is_sent_is_changed(management: Management) -> None:
    expected = management.call("GET", "")
    for change in (
        {"name": "Shop"},
        {"description": "All of Europe"},
        {"currency": "EUR"},
        {"dial_code": "+48"},
        {"client_trusted_domains": DOMAINS},
        *({switch: False} for switch in SWITCHES),
        {"client_trusted_domains": [], "description": "", "client_redeem_enabled": True},
        {},
    ):
        expected |= change
        assert management.call("PUT", "", change) == expected
        assert management.call("GET", "") == expected
    assert management.call("PUT", "", expected) == expected
    # As everywhere: null is as good as absent, and an empty text removes one.
    assert management.call("PUT", "", dict.fromkeys(expected)) == expected
    removed = management.call("PUT", "", {"currency": "", "dial_code": ""})
    expected.pop("currency")
    assert removed == expected | {"dial_code": None}


async def test_commands_go_on_naming_a_project_as_they_did(management: Management, db: Database, key: NewKey) -> None:
    shown = f"other {os.urandom(4).hex()}"
    assert management.call("PUT", "", {"name": shown})["name"] == shown
    assert (await create_key(db, key.project, "server")).project_id == key.project_id
    assert (await create_key(db, shown, "server")).project_id != key.project_id


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"name": ""}, ".name"),
        ({"name": "  "}, ".name"),
        ({"name": "a\nb"}, ".name"),
        ({"name": "x" * 256}, ".name"),
        ({"description": "x" * 1_001}, ".description"),
        ({"description": 1}, ".description"),
        ({"currency": "euro"}, ".currency"),
        ({"currency": "EUR\n"}, ".currency"),
        ({"dial_code": "+48 22"}, ".dial_code"),
        ({"dial_code": "٤٨"}, ".dial_code"),
        ({"timezone": "Europe/Warsaw"}, ".timezone"),
        ({"id": "proj_x"}, ".id"),
        ({"case_sensitive_codes": False}, ".case_sensitive_codes"),
        ({"webhooks_callout_notifications": {}}, ".webhooks_callout_notifications"),
        ({"cluster_id": "eu1"}, ".cluster_id"),
        ({"client_redeem_enabled": "yes"}, ".client_redeem_enabled"),
        ({"client_trusted_domains": "shop.example"}, ".client_trusted_domains"),
        ({"client_trusted_domains": ["shop.example"] * 101}, ".client_trusted_domains"),
        ({"client_trusted_domains": [None]}, ".client_trusted_domains[0]"),
        ({"client_trusted_domains": ["a.example", "https://shop.example/path"]}, ".client_trusted_domains[1]"),
        ({"client_trusted_domains": ["https://me@shop.example"]}, ".client_trusted_domains[0]"),
        ({"client_trusted_domains": [f"{'a.' * 127}aa"]}, ".client_trusted_domains"),
        ({"client_trusted_domains": ["null"]}, ".client_trusted_domains[0]"),
        ({"client_trusted_domains": [""]}, ".client_trusted_domains"),
        ({"client_trusted_domains": ["a\x00.example"]}, ""),
        ([], ""),
        ("x", ""),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_changed(management: Management, body: Any, said: str) -> None:
    before = management.call("GET", "")
    sent = body | {"client_publish_enabled": False} if isinstance(body, dict) else body
    assert said in management.fails("PUT", "", sent)
    assert management.call("GET", "") == before


def test_a_change_of_the_time_zone_says_why_not(management: Management) -> None:
    assert "segments" in management.fails("PUT", "", {"timezone": "Europe/Warsaw"})
    assert management.call("PUT", "", {"timezone": "UTC", "name": "Shop"})["name"] == "Shop"


async def test_a_key_opens_its_own_project_only(
    server: harness.Server, db: Database, api: Api, management: Management
) -> None:
    async with managed(server, db, f"stranger {os.urandom(4).hex()}") as stranger:
        for method, body in (("GET", None), ("PUT", {"name": "Taken"})):
            stranger.api.fails(method, management.path, body, status=404, key="not_found")
        (listed,) = stranger.api.call("GET", "/management/v1/projects")["data"]
        assert listed["id"] == stranger.key.project_id
        # A name is what people call it: that of another project is free, and nothing tells that it is there.
        name = management.call("GET", "")["name"]
        assert stranger.call("PUT", "", {"name": name})["name"] == name
    for path in ("/management/v1/projects", management.path):
        api.fails("GET", path, status=401, key="unauthorized")
    assert management.call("GET", "")["name"] != "Taken"


async def test_changes_side_by_side_do_not_undo_each_other(server: harness.Server, management: Management) -> None:
    headers = dict(management.api.headers)
    async with harness.async_client(server.base_url, headers) as client:
        changes = [{switch: False} for switch in SWITCHES] + [{"description": "D"}, {"client_trusted_domains": ["a.b"]}]
        answers = await asyncio.gather(*(client.put(management.path, json=change) for change in changes))
    assert [answer.status_code for answer in answers] == [200] * len(changes)
    project = management.call("GET", "")
    assert [project[switch] for switch in SWITCHES] == [False] * len(SWITCHES)
    assert (project["description"], project["client_trusted_domains"]) == ("D", ["a.b"])
