"""Marketing interaction: counted once, and heeded."""

from typing import Any

import pytest

import facts
from rapport.core.db import Database

EARLY, LATE = "2026-01-01T00:00:00.000Z", "2026-02-01T00:00:00.000Z"


@pytest.fixture(autouse=True)
def people(api: Any) -> None:
    for name in ("ann", "bob"):
        api.call("POST", "/v1/customers", {"source_id": name})


def tell(api: Any, type_: str, id_: str = "i", **more: Any) -> Any:
    body = {"id": id_, "channel": "email", "type": type_, **more}
    return api.call("POST", "/v1/customers/ann/interactions", body)


def unsubscribed(api: Any, channel: str = "email") -> Any:
    consents = api.call("GET", "/v1/customers/ann")["consents"]
    return consents.get("unsubscribed", {}).get("channels", {}).get(channel, {}).get("given")


async def test_what_became_of_a_message_counts_once_by_its_id(api: Any, db: Database, project_id: int) -> None:
    first = tell(api, "opened", "a", at=LATE, message_id="m", metadata={"url": "x"})
    assert (first["at"], first["message_id"], first["metadata"]) == (LATE, "m", {"url": "x"})
    assert tell(api, "opened", "a", at=EARLY) == first
    tell(api, "opened", "b", at=EARLY)
    customer = api.call("GET", "/v1/customers/ann")
    assert customer["marketing"] == {"email": {"opened": {"count": 2, "first_at": EARLY, "last_at": LATE}}}
    listed = api.call("GET", "/v1/customers/ann/interactions", params={"type": "opened"})
    assert [one["id"] for one in listed["data"]] == ["a", "b"]
    kinds = await facts.log_types(db, project_id, customer["id"])
    assert kinds == ["customer.created", "customer.email.opened", "customer.email.opened"]
    assert unsubscribed(api) is None


@pytest.mark.parametrize(
    ("told", "heeded"),
    [
        ({"type_": "bounced", "bounce": "hard"}, True),
        ({"type_": "bounced", "bounce": "soft"}, None),
        ({"type_": "bounced"}, None),
        ({"type_": "complained"}, True),
        ({"type_": "unsubscribed"}, True),
        ({"type_": "clicked"}, None),
    ],
)
def test_a_dead_address_and_a_complaint_are_left_alone(api: Any, told: Any, heeded: Any) -> None:
    tell(api, **told)
    assert (unsubscribed(api), unsubscribed(api, "sms")) == (heeded, None)


def test_a_bounce_from_before_a_new_yes_does_not_undo_it(api: Any) -> None:
    api.call("PUT", "/v1/customers/ann/consents", {"unsubscribed": {"given": False, "channels": ["email"], "at": LATE}})
    tell(api, "bounced", bounce="hard", at=EARLY)
    assert unsubscribed(api) is False
    assert api.call("GET", "/v1/customers/ann/consents")["total"] == 2


def test_an_id_means_one_thing(api: Any) -> None:
    tell(api, "opened")
    body = {"id": "i", "channel": "email", "type": "opened"}
    api.fails("POST", "/v1/customers/bob/interactions", body, status=409, key="duplicate_found")
    body["type"] = "clicked"
    api.fails("POST", "/v1/customers/ann/interactions", body, status=409, key="duplicate_found")
    assert api.call("GET", "/v1/customers/bob")["marketing"] == {}
    assert list(api.call("GET", "/v1/customers/ann")["marketing"]["email"]) == ["opened"]


def test_interactions_are_filtered_on(api: Any) -> None:
    raw = {
        "marketing.email.opened.count": {"conditions": {"$more_than": [1]}},
        "marketing.email.opened.last_at": {"conditions": {"$less_than_ago": [7]}},
    }
    segment = facts.new_segment(api, raw)
    tell(api, "opened", "a")
    assert api.call("GET", "/v1/customers/ann/segments")["data"] == []
    tell(api, "opened", "b")
    assert [one["id"] for one in api.call("GET", "/v1/customers/ann/segments")["data"]] == [segment]


@pytest.mark.parametrize("name", ["marketing.fax.sent.count", "marketing.email.read.count", "marketing.email.sent"])
def test_a_filter_on_an_interaction_that_there_is_not_is_refused(api: Any, name: str) -> None:
    body = {"name": "S", "type": "passive", "filter": {name: {"conditions": {"$has_value": [True]}}}}
    api.fails("POST", "/v1/segments", body, status=400, key="invalid_payload")


@pytest.mark.parametrize(
    "change",
    [{"id": ""}, {"id": None}, {"channel": "fax"}, {"type": "read"}, {"at": "x"}, {"bounce": "hard"},
     {"bounce": "odd", "type": "bounced"}, {"metadata": {"x": "y" * 5000}}, {"message_id": "a\0"}, {"metadata": []}],
)  # fmt: skip
def test_an_interaction_that_is_none_is_refused(api: Any, change: Any) -> None:
    body = {"id": "i", "channel": "email", "type": "opened", **change}
    api.fails("POST", "/v1/customers/ann/interactions", body, status=400, key="invalid_payload")
    assert api.call("GET", "/v1/customers/ann")["marketing"] == {}
