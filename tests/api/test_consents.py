"""Consents: what a project asks for, what customers say, and who hears of it."""

from typing import Any

import pytest

import facts
from rapport.consents.actions import MAX_DEFINITIONS
from rapport.consents.schemas import MAX_NAMED
from rapport.core.db import Database

EARLY, LATE = "2026-01-01T00:00:00.000Z", "2026-02-01T00:00:00.000Z"


@pytest.fixture
def newsletter(api: Any) -> str:
    return str(api.call("POST", "/v1/consents", {"name": "newsletter", "category": "MARKETING"})["id"])


@pytest.fixture
def ann(api: Any) -> str:
    return str(api.call("POST", "/v1/customers", {"source_id": "ann", "email": "Ann@example.com"})["id"])


def say(api: Any, body: Any, customer: str = "ann") -> Any:
    return api.call("PUT", f"/v1/customers/{customer}/consents", body)["consents"]


def history(api: Any, **query: Any) -> list[Any]:
    return api.call("GET", "/v1/customers/ann/consents", params={"order": "recorded_at", **query})["data"]  # type: ignore[no-any-return]


def test_every_project_can_be_unsubscribed_from(api: Any) -> None:
    found = api.call("GET", "/v1/consents")
    assert (found["object"], found["data_ref"], found["total"]) == ("list", "consents", 1)
    (one,) = found["consents"]
    assert (one["id"], one["name"], one["object"]) == ("unsubscribed", "Opt-out of all communication", "consent")
    assert api.fails("DELETE", "/v1/consents/unsubscribed", status=409, key="resource_in_use")
    api.fails("PUT", "/v1/consents/unsubscribed", {"name": "x"}, status=409, key="resource_in_use")


def test_a_consent_is_made_renamed_and_deleted(api: Any, newsletter: str) -> None:
    assert newsletter.startswith("cnst_")
    changed = api.call("PUT", f"/v1/consents/{newsletter}", {"name": "News"})
    assert (changed["name"], changed["category"]) == ("News", "MARKETING")
    assert [one["name"] for one in api.call("GET", "/v1/consents")["consents"]][1:] == ["News"]
    api.call("DELETE", f"/v1/consents/{newsletter}", status=204)
    assert api.call("GET", "/v1/consents")["total"] == 1
    api.fails("DELETE", f"/v1/consents/{newsletter}", status=404, key="not_found")


@pytest.mark.parametrize(
    "body",
    [{}, {"name": ""}, {"name": None}, {"name": "cnst_x"}, {"name": "unsubscribed"}, {"name": "consents"},
     {"name": "x", "channels": []}, {"name": "x", "channels": ["fax"]}, {"name": "a\0"}, [], 5],
)  # fmt: skip
def test_a_consent_that_is_none_is_refused(api: Any, body: Any) -> None:
    api.fails("POST", "/v1/consents", body, status=400, key="invalid_payload")
    assert api.call("GET", "/v1/consents")["total"] == 1


def test_a_name_is_given_once_and_free_again_after_a_deletion(api: Any, newsletter: str) -> None:
    api.fails("POST", "/v1/consents", {"name": "newsletter"}, status=409, key="duplicate_found")
    other = api.call("POST", "/v1/consents", {"name": "other"})["id"]
    api.fails("PUT", f"/v1/consents/{other}", {"name": "newsletter"}, status=409, key="duplicate_found")
    api.call("DELETE", f"/v1/consents/{newsletter}", status=204)
    assert api.call("POST", "/v1/consents", {"name": "newsletter"})["id"] != newsletter


def test_a_project_has_so_many_consents_at_most(api: Any) -> None:
    for number in range(MAX_DEFINITIONS):
        api.call("POST", "/v1/consents", {"name": f"c{number}"})
    api.fails("POST", "/v1/consents", {"name": "one more"}, status=400, key="too_many_consents")


@pytest.mark.parametrize(
    "body",
    [
        lambda known: {known: True, "unsubscribed": False},
        lambda known: {"consents": {known: True, "unsubscribed": False}},
        lambda _known: {"newsletter": True, "unsubscribed": {"given": False}},
    ],
)
def test_the_old_bodies_and_ours_say_the_same(api: Any, newsletter: str, ann: str, body: Any) -> None:
    consents = say(api, body(newsletter))
    assert {name: one["given"] for name, one in consents.items()} == {newsletter: True, "unsubscribed": False}
    assert api.call("GET", f"/v1/customers/{ann}")["consents"] == consents


def test_a_list_gives_what_it_names_and_leaves_the_rest(api: Any, newsletter: str, ann: str) -> None:
    _ = ann
    say(api, {"unsubscribed": True})
    consents = say(api, [newsletter])
    assert (consents[newsletter]["given"], consents["unsubscribed"]["given"]) == (True, True)


def test_how_and_when_are_kept_by_channel(api: Any, newsletter: str, ann: str) -> None:
    _ = ann
    one = {"given": True, "channels": ["email", "sms"], "source": "form", "proof": {"ip": "192.0.2.1"}, "at": EARLY}
    word = {"given": True, "at": EARLY, "source": "form"}
    assert say(api, {"consents": {"newsletter": one}}) == {newsletter: {"channels": {"email": word, "sms": word}}}
    rows = history(api)
    assert [(row["channel"], row["given"], row["at"], row["source"], row["applied"]) for row in rows] == [
        ("email", True, EARLY, "form", True),
        ("sms", True, EARLY, "form", True),
    ]
    assert rows[0]["proof"] == {"ip": "192.0.2.1"}
    assert rows[0]["event_source"]["channel"] == "API"


async def test_late_and_repeated_words_change_nothing_but_the_history(
    api: Any, newsletter: str, ann: str, db: Database, project_id: int
) -> None:
    say(api, {newsletter: {"given": False, "at": LATE}})
    before = api.call("GET", "/v1/customers/ann")
    for _ in range(2):
        say(api, {newsletter: {"given": True, "at": EARLY}})
        say(api, {newsletter: {"given": False, "at": LATE}})
        say(api, {newsletter: False})
    assert api.call("GET", "/v1/customers/ann") == before
    assert [(row["given"], row["at"], row["applied"]) for row in history(api)] == [
        (False, LATE, True),
        (True, EARLY, False),
    ]
    assert await facts.log_types(db, project_id, ann) == ["customer.created", "customer.consents.revoked"]


def test_the_activity_says_what_was_given_and_what_was_revoked(api: Any, newsletter: str, ann: str) -> None:
    say(api, {newsletter: {"given": True, "channels": ["email"]}, "unsubscribed": True})
    say(api, {"unsubscribed": False})
    entries = api.call("GET", f"/v1/customers/{ann}/activity", params={"order": "created_at", "additions": "true"})[
        "data"
    ][1:]
    found = [(entry["type"], entry["data"]["data"]["consents"]) for entry in entries]
    opt_out = {"id": "unsubscribed", "name": "Opt-out of all communication", "object": "consent"}
    assert found == [
        ("customer.consents.given",
         [{"id": newsletter, "name": "newsletter", "object": "consent", "channels": ["email"]}]),
        ("customer.consents.revoked", [opt_out]),
        ("customer.consents.given", [opt_out]),
    ]  # fmt: skip
    assert {entry["data"]["data"]["customer"]["id"] for entry in entries} == {ann}


@pytest.mark.parametrize(
    ("body", "status", "place"),
    [
        ({}, 400, "1 to"),
        ([], 400, "1 to"),
        ("newsletter", 400, "."),
        ({"newsletter": 1}, 400, ".newsletter "),
        ({"newsletter": None}, 400, ".newsletter "),
        ({"newsletter": {}}, 400, ".newsletter.given"),
        ({"newsletter": {"given": True, "channels": []}}, 400, ".newsletter.channels"),
        ({"newsletter": {"given": True, "channels": ["fax"]}}, 400, ".newsletter.channels"),
        ({"newsletter": {"given": True, "at": "yesterday"}}, 400, ".newsletter.at"),
        ({"newsletter": {"given": True, "source": ""}}, 400, ".newsletter.source"),
        ({"newsletter": {"given": True, "proof": {"x": "y" * 5000}}}, 400, ".newsletter.proof"),
        ({"newsletter": {"given": True, "proof": [1]}}, 400, ".newsletter.proof"),
        ({"consents": {"newsletter": {"given": "yes"}}}, 400, ".newsletter.given"),
        ({f"c{number}": True for number in range(MAX_NAMED + 1)}, 400, "1 to"),
        ([5], 400, "["),
        ({"nobody": True}, 404, "nobody"),
        (["newsletter", "nobody"], 404, "nobody"),
    ],
)
def test_what_cannot_be_said_changes_nothing(
    api: Any, newsletter: str, ann: str, body: Any, status: int, place: str
) -> None:
    _ = newsletter, ann
    key = "not_found" if status == 404 else "invalid_payload"
    assert place in api.fails("PUT", "/v1/customers/ann/consents", body, status=status, key=key)["details"]
    assert api.call("GET", "/v1/customers/ann")["consents"] == {}
    assert history(api) == []


def test_a_consent_for_some_channels_is_given_for_those_only(api: Any, ann: str) -> None:
    _ = ann
    made = api.call("POST", "/v1/consents", {"name": "texts", "channels": ["sms", "sms"]})
    assert made["channels"] == ["sms"]
    body = {"texts": {"given": True, "channels": ["email"]}}
    api.fails("PUT", "/v1/customers/ann/consents", body, status=400, key="invalid_payload")
    changed = {"channels": ["email"]}
    api.fails("PUT", f"/v1/consents/{made['id']}", changed, status=400, key="invalid_payload")
    assert list(say(api, {"texts": {"given": True, "channels": ["sms"]}})) == [made["id"]]


def test_nobody_says_anything_for_somebody_unknown(api: Any, newsletter: str) -> None:
    api.fails("PUT", "/v1/customers/nobody/consents", {newsletter: True}, status=404, key="not_found")
    api.fails("GET", "/v1/customers/nobody/consents", status=404, key="not_found")


def test_who_unsubscribes_leaves_a_segment_in_the_same_moment(api: Any, newsletter: str, ann: str) -> None:
    raw = {
        f"consents.{newsletter}.channels.email.given": {"conditions": {"$is": [True]}},
        "consents.unsubscribed.given": {"conditions": {"$is_not": [True]}},
    }
    segment = facts.new_segment(api, raw)
    say(api, {newsletter: {"given": True, "channels": ["email"]}})
    assert api.call("GET", f"/v1/customers/{ann}/segments")["data"][0]["id"] == segment
    say(api, {"unsubscribed": True})
    assert api.call("GET", f"/v1/customers/{ann}/segments")["data"] == []


def test_a_preview_counts_only_whom_a_channel_reaches(api: Any, ann: str) -> None:
    _ = ann
    api.call("POST", "/v1/customers", {"source_id": "bob", "email": "bob@example.com", "phone": "+1"})
    api.call("POST", "/v1/customers/bob/devices", {"platform": "ios"})
    preview = {"filter": {"email": {"conditions": {"$has_value": [True]}}}}

    def reachable() -> Any:
        return api.call("POST", "/v1/segments/preview", preview)["reachable"]

    assert reachable() == {"email": 2, "sms": 1, "push": 1, "webhook": 2}
    say(api, {"unsubscribed": {"given": True, "channels": ["email"]}})
    say(api, {"unsubscribed": True}, "bob")
    say(api, {"unsubscribed": {"given": False, "channels": ["sms"]}}, "bob")
    assert reachable() == {"email": 0, "sms": 1, "push": 0, "webhook": 2}


@pytest.mark.parametrize(
    ("body", "customers"),
    [
        ({"channel": "email", "from": "Ann <ANN@EXAMPLE.COM>", "text": "Unsubscribe\n> quoted"}, 2),
        ({"channel": "sms", "from": "0048 600 100 200", "text": " stop. "}, 1),
        ({"channel": "sms", "from": "+48600100200", "text": "please"}, 0),
        ({"channel": "sms", "from": "+48600100201", "text": "STOP"}, 0),
    ],
)
def test_a_stop_word_unsubscribes_everyone_with_the_address(api: Any, ann: str, body: Any, customers: int) -> None:
    _ = ann
    api.call("POST", "/v1/customers", {"source_id": "bob", "email": "ann@EXAMPLE.com", "phone": "+48 600-100-200"})
    found = api.call("POST", "/v1/consents/inbound", {"id": "m1", **body})
    assert found["customers"] == customers
    stopped = [
        name
        for name in ("ann", "bob")
        if api.call("GET", f"/v1/customers/{name}")["consents"]
        .get("unsubscribed", {}).get("channels", {}).get(body["channel"], {}).get("given")
    ]  # fmt: skip
    assert stopped == ["ann", "bob"][2 - customers :]
    if stopped:
        api.call("POST", "/v1/consents/inbound", {**body, "text": "START"})
        consents = api.call("GET", "/v1/customers/bob")["consents"]["unsubscribed"]["channels"]
        assert consents[body["channel"]]["given"] is False


@pytest.mark.parametrize(
    "body",
    [{}, {"channel": "email", "from": "+48600100200", "text": "stop"},
     {"channel": "sms", "from": "a@b.c", "text": "stop"}, {"channel": "push", "from": "xyz", "text": "stop"},
     {"channel": "sms", "from": "+48600", "text": "st\0op"},
     {"channel": "sms", "from": "+48600", "text": "stop", "at": "soon"}],
)  # fmt: skip
def test_an_inbound_message_from_nowhere_is_refused(api: Any, body: Any) -> None:
    api.fails("POST", "/v1/consents/inbound", body, status=400, key="invalid_payload")
