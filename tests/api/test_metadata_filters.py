"""Segments read operands by the types of the metadata schemas."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

import facts
import harness
from facts import new_segment, where
from management import Management, managed
from rapport.core.db import Database
from rapport.projects.models import NewKey


@pytest.fixture
async def management(server: harness.Server, db: Database, key: NewKey) -> AsyncIterator[Management]:
    """The management API of the test's project."""
    async with managed(server, db, key.project) as found:
        yield found


def test_a_filter_is_kept_as_its_types_want_it_whatever_becomes_of_the_schema(management: Management, api: Any) -> None:
    schema_id = management.define("customer", {"age": "number", "vip": "boolean", "since": "datetime"})
    raw = {
        **where("metadata.age", "$is", "5"),
        **where("metadata.vip", "$is", "true"),
        **where("metadata.since", "$is", "2026-01-31T12:00+01:00"),
        **where("metadata.other", "$is", "5"),
    }
    kept = {
        **where("metadata.age", "$is", 5),
        **where("metadata.vip", "$is", True),  # noqa: FBT003 (the operand)
        **where("metadata.since", "$is", "2026-01-31T11:00:00.000Z"),
        **where("metadata.other", "$is", "5"),
    }
    created = api.call("POST", "/v1/segments", {"name": "S", "type": "passive", "filter": raw})
    assert created["filter"] == kept
    metadata = {"age": 5, "vip": True, "since": "2026-01-31T11:00Z", "other": 5}
    ann = api.call("POST", "/v1/customers", {"source_id": "ann", "metadata": metadata})
    facts.wait_until_filled(api, created["id"])
    assert api.call("GET", "/v1/customers/ann/segments")["total"] == 1
    management.call("DELETE", f"/metadata-schemas/{schema_id}", status=204)
    assert api.call("GET", f"/v1/segments/{created['id']}")["filter"] == kept
    preview = api.call("POST", "/v1/segments/preview", {"filter": kept})
    assert (preview["count"], preview["sample"][0]["id"]) == (1, ann["id"])


def test_editing_a_filter_into_what_it_is_already_builds_nothing(management: Management, api: Any) -> None:
    management.define("customer", {"age": "number"})
    segment_id = new_segment(api, where("metadata.age", "$is", "5"))
    facts.wait_until_filled(api, segment_id)
    edited = api.call("PUT", f"/v1/segments/{segment_id}", {"filter": where("metadata.age", "$is", "5.0")})
    facts.wait_until_filled(api, segment_id)
    same = api.call("PUT", f"/v1/segments/{segment_id}", {"filter": where("metadata.age", "$is", "5")})
    assert edited["id"] == same["id"] == segment_id
    assert same["filter"] == where("metadata.age", "$is", 5)
    assert "next_filter" not in same


def test_what_does_not_fit_the_type_is_refused_everywhere_a_filter_comes_in(management: Management, api: Any) -> None:
    management.define("customer", {"age": "number"})
    management.define_event("review", {"stars": "number"})
    segment_id = new_segment(api, where("name", "$is", "Ann"))
    for bad, details in (
        (where("metadata.age", "$is", "five"), "filter.metadata.age.conditions.$is: takes a number"),
        (
            where("metadata.age", "$starts_with", "5"),
            "filter.metadata.age.conditions.$starts_with: does not apply to metadata of type number",
        ),
        (
            {"events.review": {"where": where("metadata.stars", "$is", "five")}},
            "filter.events.review.where.metadata.stars.conditions.$is: takes a number",
        ),
    ):
        for method, path, body in (
            ("POST", "/v1/segments", {"name": "S", "type": "passive", "filter": bad}),
            ("POST", "/v1/segments", {"name": "S", "type": "static", "filter": bad}),
            ("PUT", f"/v1/segments/{segment_id}", {"filter": bad}),
            ("POST", "/v1/segments/preview", {"filter": bad}),
        ):
            error = api.fails(method, path, body, status=400, key="invalid_payload")
            assert error["details"] == details
    assert api.call("GET", "/v1/segments")["total"] == 1


def test_typed_dates_follow_the_time(management: Management, api: Any) -> None:
    management.define("customer", {"renewal": "date", "seen": "datetime"})
    filter_ = {**where("metadata.renewal", "$less_than_future", 20000), **where("metadata.seen", "$more_than_ago", 7)}
    segment_id = new_segment(api, filter_)
    metadata = {"renewal": "2060-01-01T00:00Z", "seen": "2020-01-01T00:00+02:00"}
    api.call("POST", "/v1/customers", {"source_id": "ann", "metadata": metadata})
    api.call("POST", "/v1/customers", {"source_id": "bob", "metadata": {**metadata, "seen": "2060-01-01"}})
    facts.wait_until_filled(api, segment_id)
    counts = [api.call("GET", f"/v1/customers/{who}/segments")["total"] for who in ("ann", "bob")]
    assert counts == [1, 0]
