import email
import email.policy
from typing import Any

import pytest

import facts
import harness
from conftest import Api
from rapport.core.db import Database
from rapport.distributions import queries

GOLD = {"junction": "and", "metadata.tier": {"conditions": {"$is": ["gold"]}}}
EVENT = {"type": "customer.custom_event", "event": "review_written"}


def make_segment(api: Api, kind: str = "auto-update") -> str:
    body: dict[str, Any] = {"name": "Gold", "type": kind}
    if kind != "static":
        body["filter"] = GOLD
    return str(api.call("POST", "/v1/segments", body)["id"])


def make_distribution(**fields: Any) -> dict[str, Any]:
    """Return a valid body."""
    message: Any = {"subject": "Hello {{ customer.name }}", "text": "Hi!"}
    given = fields.pop("message", {})
    message = message | given if isinstance(given, dict) else given
    return {"name": "Welcome", "trigger": EVENT, "channel": "email", "message": message} | fields


def test_a_distribution_is_shown_as_it_was_made(api: Api) -> None:
    segment = make_segment(api)
    made = api.call(
        "POST",
        "/v1/distributions",
        make_distribution(
            trigger={"type": "customer.segment.entered", "segment_id": segment},
            message={"html": "<p>Hi</p>", "from": "The Shop <shop@example.com>", "reply_to": "help@example.com"},
            metadata={"team": "crm"},
        ),
    )
    assert made == {
        "id": made["id"],
        "name": "Welcome",
        "trigger": {"type": "customer.segment.entered", "segment_id": segment},
        "campaign": None,
        "channel": "email",
        "consent": None,
        "message": {
            "subject": "Hello {{ customer.name }}",
            "text": "Hi!",
            "html": "<p>Hi</p>",
            "from": "The Shop <shop@example.com>",
            "reply_to": "help@example.com",
        },
        "active": True,
        "metadata": {"team": "crm"},
        "created_at": made["created_at"],
        "updated_at": None,
        "object": "distribution",
    }
    assert made["id"].startswith("dist_")
    assert api.call("GET", f"/v1/distributions/{made['id']}") == made


def test_what_a_change_leaves_out_stays(api: Api) -> None:
    made = api.call("POST", "/v1/distributions", make_distribution(message={"html": "<p>Hi</p>"}, metadata={"a": 1}))
    path = f"/v1/distributions/{made['id']}"
    changed = api.call("PUT", path, {"message": {"text": None}, "metadata": {"b": 2}, "active": False})
    assert changed["message"] == made["message"] | {"text": None}
    assert changed["metadata"] == {"a": 1, "b": 2}
    assert (changed["name"], changed["trigger"], changed["active"]) == ("Welcome", EVENT, False)
    assert changed["updated_at"] >= made["created_at"]
    assert api.call("PUT", path, {"name": "Other"})["name"] == "Other"
    assert api.call("PUT", path, {"trigger": EVENT})["trigger"] == EVENT


def test_distributions_are_listed_newest_first(api: Api) -> None:
    ids = [api.call("POST", "/v1/distributions", make_distribution(name=f"d{number}"))["id"] for number in range(3)]
    api.call("DELETE", f"/v1/distributions/{ids[0]}", status=204)
    found = api.call("GET", "/v1/distributions")
    assert [one["id"] for one in found["data"]] == [ids[2], ids[1]]
    assert (found["object"], found["data_ref"], found["total"], found["has_more"]) == ("list", "data", 2, False)
    assert [one["id"] for one in api.call("GET", "/v1/distributions", params={"name": "d1"})["data"]] == [ids[1]]


def test_a_deleted_distribution_is_gone(api: Api) -> None:
    made = api.call("POST", "/v1/distributions", make_distribution())
    path = f"/v1/distributions/{made['id']}"
    api.call("DELETE", path, status=204)
    api.fails("GET", path, status=404, key="not_found")
    api.fails("PUT", path, {"name": "x"}, status=404, key="not_found")
    api.fails("DELETE", path, status=404, key="not_found")
    assert api.call("GET", f"{path}/messages")["total"] == 0


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"name": ""}, ".name"),
        ({"name": None}, ".name"),
        ({"trigger": {"type": "customer.created"}}, ".trigger.type"),
        ({"trigger": {"type": "customer.custom_event"}}, ".trigger.event"),
        ({"trigger": {"type": "customer.segment.entered", "event": "x"}}, ".trigger.segment_id"),
        ({"trigger": "customer.custom_event"}, ".trigger"),
        ({"channel": "sms"}, ".channel"),
        ({"campaign": {}}, ".campaign"),
        ({"active": "yes"}, ".active"),
        ({"metadata": []}, ".metadata"),
        ({"message": {"text": None}}, ".message"),
        ({"message": {"subject": ""}}, ".message.subject"),
        ({"message": {"subject": "x" * 1001}}, ".message.subject"),
        ({"message": {"text": "x" * 100_001}}, ".message.text"),
        ({"message": {"text": "a\n\n{{ customer.name"}}, ".message.text is not a valid template: line 3"),
        ({"message": {"subject": "{% if %}"}}, ".message.subject is not a valid template: line 1"),
        ({"message": {"html": "\n{{ x | nope }}"}}, ".message.html is not a valid template: line 2"),
        ({"message": {"html": "{% include 'x' %}"}}, ".message.html is not a valid template: line 1"),
        ({"message": {"text": "a\x00b"}}, "NUL"),
        ({"message": {"from": "not an address"}}, ".message.from"),
        ({"message": {"from": "a@b.example\r\nBcc: <c@d.example>"}}, ".message.from"),
        ({"message": {"reply_to": "A <a@b.example>"}}, ".message.reply_to"),
        ({"message": "Hello"}, ".message"),
    ],
)
def test_a_bad_distribution_is_refused_by_its_property(api: Api, fields: dict[str, Any], named: str) -> None:
    error = api.fails("POST", "/v1/distributions", make_distribution(**fields), status=400, key="invalid_payload")
    assert named in error["details"]
    assert api.call("GET", "/v1/distributions")["total"] == 0


@pytest.mark.parametrize("name", ["name", "trigger", "message"])
def test_what_a_distribution_cannot_do_without_is_required(api: Api, name: str) -> None:
    body = make_distribution()
    del body[name]
    error = api.fails("POST", "/v1/distributions", body, status=400, key="invalid_payload")
    assert f".{name}" in error["details"]


def test_an_unknown_segment_and_an_unknown_campaign_are_not_found(api: Api) -> None:
    entered = {"type": "customer.segment.entered", "segment_id": "seg_nope"}
    error = api.fails("POST", "/v1/distributions", make_distribution(trigger=entered), status=404, key="not_found")
    assert (error["resource_type"], error["resource_id"]) == ("segment", "seg_nope")
    error = api.fails(
        "POST", "/v1/distributions", make_distribution(campaign={"name": "nope"}), status=404, key="not_found"
    )
    assert (error["resource_type"], error["resource_id"]) == ("campaign", "nope")


def test_a_segment_that_nobody_enters_by_what_they_do_is_refused(api: Api) -> None:
    entered = {"type": "customer.segment.entered", "segment_id": make_segment(api, "static")}
    error = api.fails(
        "POST", "/v1/distributions", make_distribution(trigger=entered), status=400, key="invalid_payload"
    )
    assert "static" in error["details"]


def test_a_passive_segment_turns_active_when_a_distribution_uses_it(api: Api) -> None:
    api.call("POST", "/v1/customers", {"source_id": "before", "metadata": {"tier": "gold"}})
    segment_id = make_segment(api, "passive")
    facts.wait_until_filled(api, segment_id)
    before = api.call("GET", f"/v1/segments/{segment_id}")
    entered = {"type": "customer.segment.entered", "segment_id": segment_id}
    api.call("POST", "/v1/distributions", make_distribution(trigger=entered))
    facts.wait_until_filled(api, segment_id)
    after = api.call("GET", f"/v1/segments/{segment_id}")
    assert (before["type"], after["type"]) == ("passive", "auto-update")
    api.call("POST", "/v1/customers", {"source_id": "after", "metadata": {"tier": "gold"}})
    api.call("POST", "/v1/customers", {"source_id": "before", "metadata": {"tier": "none"}})

    def logged(who: str) -> list[tuple[str, str | None]]:
        found = api.call("GET", f"/v1/customers/{who}/activity?order=created_at")["data"]
        return [
            (one["type"].removeprefix("customer.segment."), one["data"]["event_source"].get("reason"))
            for one in found
            if one["type"].startswith("customer.segment.")
        ]

    assert logged("before") == [("entered", "back_fill"), ("left", None)]
    assert logged("after") == [("entered", None)]


def test_the_trigger_of_a_distribution_cannot_be_changed(api: Api) -> None:
    made = api.call("POST", "/v1/distributions", make_distribution())
    other = {"trigger": {"type": "customer.custom_event", "event": "other"}}
    api.fails("PUT", f"/v1/distributions/{made['id']}", other, status=400, key="invalid_payload")


def test_a_change_that_is_wrong_changes_nothing(api: Api) -> None:
    made = api.call("POST", "/v1/distributions", make_distribution())
    path = f"/v1/distributions/{made['id']}"
    api.fails("PUT", path, {"name": "New", "message": {"text": "{{ x"}}, status=400, key="invalid_payload")
    assert api.call("GET", path) == made


def test_unknown_messages_are_not_found(api: Api) -> None:
    made = api.call("POST", "/v1/distributions", make_distribution())
    api.fails("GET", "/v1/distributions/dist_nope/messages", status=404, key="not_found")
    api.fails("GET", f"/v1/distributions/{made['id']}/messages/msg_nope", status=404, key="not_found")
    api.fails("POST", f"/v1/distributions/{made['id']}/messages/msg_nope/resend", status=404, key="not_found")


async def test_the_distributions_that_use_a_segment_are_known(api: Api, db: Database, project_id: int) -> None:
    segment = make_segment(api)
    entered = {"type": "customer.segment.entered", "segment_id": segment}
    made = api.call("POST", "/v1/distributions", make_distribution(trigger=entered))
    async with db.read() as conn:
        assert await queries.of_segment(conn, project_id, segment) == [made["id"]]
    api.fails("DELETE", f"/v1/segments/{segment}", status=409, key="resource_in_use")
    api.call("DELETE", f"/v1/distributions/{made['id']}", status=204)
    async with db.read() as conn:
        assert await queries.of_segment(conn, project_id, segment) == []
    api.call("DELETE", f"/v1/segments/{segment}", status=204)


def test_a_running_server_without_smtp_keeps_the_mail_in_its_outbox(api: Api, server: harness.Server) -> None:
    made = api.call("POST", "/v1/distributions", make_distribution(message={"text": "Kept {{ event.metadata.n }}"}))
    customer = {"source_id": "ann", "email": "ann@example.com"}
    api.call("POST", "/v1/events", {"event": "review_written", "customer": customer, "metadata": {"n": 7}})
    path = f"/v1/distributions/{made['id']}/messages"
    (message,) = harness.wait_for(lambda: api.call("GET", path, params={"state": "SENT"})["data"])
    assert message["provider"] == "outbox"
    (file,) = (server.log_path.parent / "outbox").glob(f"*_{message['id']}.eml")
    mail = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
    assert mail["To"] == "ann@example.com"
    assert b"Kept 7" in file.read_bytes()
