"""Metadata is held against its schema on every way in, and stored by its type."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

import facts
import harness
from management import Management, managed
from promotions import make_campaign, make_voucher, stack
from rapport.core.db import Database
from rapport.projects.models import NewKey

AGE = {"age": {"type": "number", "gte": 0}}
KEY = "metadata_validation_failed"


@pytest.fixture
async def management(server: harness.Server, db: Database, key: NewKey) -> AsyncIterator[Management]:
    """The management API of the test's project."""
    async with managed(server, db, key.project) as found:
        yield found


def refused(api: Any, path: str, body: Any, method: str = "POST") -> str:
    """Make a call whose metadata must be refused; return the details."""
    error = api.fails(method, path, body, status=400, key=KEY)
    assert error["message"] == "Metadata validation failed"
    return str(error["details"])


async def test_a_customer_is_stored_by_type_or_not_at_all(
    management: Management, api: Any, db: Database, project_id: int
) -> None:
    management.define("customer", {**AGE, "since": "datetime", "home": "geopoint"})
    body = {"source_id": "ann", "metadata": {"age": 5, "since": "2026-01-31T12:00+01:00", "home": "1,2", "x": "y"}}
    ann = api.call("POST", "/v1/customers", body)
    typed = {"age": 5, "since": "2026-01-31T11:00:00.000Z", "home": "1, 2", "x": "y"}
    assert ann["metadata"] == typed
    assert api.call("GET", "/v1/customers/ann") == ann
    async with db.read() as conn:
        logged = await conn.fetch("SELECT payload FROM activity WHERE project_id = $1", project_id)
    assert [row["payload"]["customer"]["metadata"] for row in logged] == [typed]
    details = refused(api, "/v1/customers", {"source_id": "bob", "metadata": {"age": "5"}})
    assert details == 'Property .metadata.age must be a number (is "5")'
    details = refused(api, "/v1/customers/ann", {"name": "Ann", "metadata": {"age": -1}}, "PUT")
    assert details == "Property .metadata.age must be at least 0 (is -1)"
    assert api.call("GET", "/v1/customers/ann") == ann
    assert await facts.counts(db, project_id) == {"customers": 1, "activity": 1}


def test_old_customers_are_changed_freely_in_what_is_not_their_metadata(management: Management, api: Any) -> None:
    old = {"age": "unknown", "note": 1}
    api.call("POST", "/v1/customers", {"source_id": "ann", "metadata": old})
    management.define("customer", {**AGE, "tier": {"type": "string", "optional": False}}, allow_defined_only=True)
    assert api.call("PUT", "/v1/customers/ann", {"name": "Ann"})["metadata"] == old
    assert api.call("PUT", "/v1/customers/ann", {"metadata": {"note": 1}})["metadata"] == old
    assert api.call("POST", "/v1/events", {"event": "seen", "customer": {"source_id": "ann"}})
    details = refused(api, "/v1/customers/ann", {"metadata": {"age": 5}}, "PUT")
    assert details == "Property .metadata.tier is required"
    changed = api.call("PUT", "/v1/customers/ann", {"metadata": {"tier": "gold"}})
    assert changed["metadata"] == {**old, "tier": "gold"}
    details = refused(api, "/v1/customers/ann", {"metadata": {"note": 2}}, "PUT")
    assert details == "Property .metadata.note is not defined in the metadata schema of customer"
    refused(api, "/v1/customers/ann", {"metadata": {"tier": None}}, "PUT")
    assert api.call("PUT", "/v1/customers/ann", {"metadata": {"note": None, "age": None}})["metadata"] == {
        "tier": "gold"
    }


async def test_a_new_customer_needs_what_is_required_however_they_come(
    management: Management, api: Any, db: Database, project_id: int
) -> None:
    management.define("customer", {"tier": {"type": "string", "optional": False}})
    ann = {"source_id": "ann"}
    for path, body in (
        ("/v1/customers", ann),
        ("/v1/events", {"event": "seen", "customer": ann}),
        ("/v1/orders", {"amount": 5, "customer": ann}),
        ("/v1/orders", {"amount": 5, "referrer": ann}),
    ):
        assert refused(api, path, body) == "Property .metadata.tier is required"
    assert await facts.counts(db, project_id) == {}
    created = api.call("POST", "/v1/events", {"event": "seen", "customer": {**ann, "metadata": {"tier": "gold"}}})
    assert created["customer"]["metadata"] == {"tier": "gold"}


def test_orders_and_their_items_have_schemas_of_their_own(management: Management, api: Any) -> None:
    management.define("order", {"shop": {"type": "string", "optional": False}, "on": "date"})
    management.define("order_item", {"size": {"type": "number", "optional": False}})
    item = {"product_id": "p", "quantity": 1, "price": 100, "metadata": {"size": 5}}
    body = {"source_id": "o", "metadata": {"shop": "A", "on": "2026-01-31T00:00Z"}, "items": [item]}
    placed = api.call("POST", "/v1/orders", body)
    assert placed["metadata"] == {"shop": "A", "on": "2026-01-31"}
    assert placed["items"][0]["metadata"] == {"size": 5}
    assert refused(api, "/v1/orders", {"items": [item]}) == "Property .metadata.shop is required"
    body["items"] = [item, {**item, "metadata": {"size": "L"}}]
    assert refused(api, "/v1/orders", body) == 'Property .items[1].metadata.size must be a number (is "L")'
    bare = {"product_id": "p"}
    assert refused(api, "/v1/orders/o", {"items": [bare]}, "PUT") == "Property .items[0].metadata.size is required"
    assert refused(api, "/v1/orders/o", {"metadata": {"on": "x"}}, "PUT").startswith("Property .metadata.on must")
    assert api.call("PUT", "/v1/orders/o", {"status": "PAID"})["metadata"] == placed["metadata"]
    assert api.call("GET", "/v1/orders/o")["items"] == placed["items"]


async def test_events_are_held_against_the_schema_of_their_name(
    management: Management, api: Any, db: Database, project_id: int
) -> None:
    management.define_event("review", {"stars": {"type": "number", "optional": False}, "at": "datetime"})
    ann = {"source_id": "ann"}
    body = {"event": "review", "customer": ann, "metadata": {"stars": 5, "at": "2026-01-31", "more": [1]}}
    assert api.call("POST", "/v1/events", body)["metadata"] == {
        "stars": 5,
        "at": "2026-01-31T00:00:00.000Z",
        "more": [1],
    }
    assert refused(api, "/v1/events", {"event": "review", "customer": ann}) == "Property .metadata.stars is required"
    body["metadata"] = {"stars": "five"}
    assert refused(api, "/v1/events", body) == 'Property .metadata.stars must be a number (is "five")'
    other = api.call("POST", "/v1/events", {"event": "other", "customer": ann, "metadata": {"stars": "five"}})
    assert other["metadata"] == {"stars": "five"}
    async with db.read() as conn:
        stored = await conn.fetch(
            "SELECT name, metadata FROM events WHERE project_id = $1 ORDER BY created_at", project_id
        )
    assert [(row["name"], row["metadata"]["stars"]) for row in stored] == [("review", 5), ("other", "five")]


def test_campaigns_and_vouchers_are_checked_when_made_and_when_changed(management: Management, api: Any) -> None:
    for resource in ("campaign", "voucher"):
        management.define(resource, {"region": {"type": "string", "optional": False, "eq": ["EU"]}, "until": "date"})
    good = {"region": "EU", "until": "2026-01-31T00:00Z"}
    campaign = make_campaign(api, metadata=good)
    voucher = make_voucher(api, metadata=good)
    for found, path in ((campaign, "/v1/campaigns/Spring"), (voucher, "/v1/vouchers/CODE")):
        assert found["metadata"] == {"region": "EU", "until": "2026-01-31"}
        assert refused(api, path, {"metadata": {"region": "US"}}, "PUT").startswith("Property .metadata.region must be")
        assert refused(api, path, {"metadata": {"region": None}}, "PUT") == "Property .metadata.region is required"
        assert api.call("GET", path)["metadata"] == found["metadata"]
    details = refused(api, "/v1/campaigns/Spring", {"unset_metadata_fields": ["region"]}, "PUT")
    assert details == "Property .metadata.region is required"
    body = {"type": "DISCOUNT_VOUCHER", "discount": {"type": "AMOUNT", "amount_off": 1}}
    assert refused(api, "/v1/vouchers/OTHER", body) == "Property .metadata.region is required"
    api.fails("GET", "/v1/vouchers/OTHER", status=404, key="not_found")
    details = refused(api, "/v1/campaigns/Spring/vouchers", {"metadata": {"region": "US"}})
    assert details.startswith("Property .metadata.region must be one of EU")
    added = api.call("POST", "/v1/campaigns/Spring/vouchers", {"metadata": good})
    assert added["metadata"] == {"region": "EU", "until": "2026-01-31"}


def test_publications_and_redemptions_are_checked_before_anything_is_used(management: Management, api: Any) -> None:
    for resource in ("publication", "redemption"):
        management.define(resource, {"place": {"type": "string", "optional": False, "min_length": 2}, "on": "date"})
    make_campaign(api)
    make_voucher(api)
    good, typed = {"place": "L1", "on": "2026-01-31T00:00Z"}, {"place": "L1", "on": "2026-01-31"}
    body = {"campaign": {"name": "Spring"}, "customer": {"source_id": "ann"}}
    for wrong in ({}, {"metadata": {"place": "L"}}):
        assert refused(api, "/v1/publications", {**body, **wrong}).startswith("Property .metadata.place ")
        assert refused(api, "/v1/redemptions", stack("CODE", **wrong)).startswith("Property .metadata.place ")
    assert api.call("GET", "/v1/publications")["total"] == 0
    assert api.call("GET", "/v1/redemptions")["total"] == 0
    assert api.call("POST", "/v1/publications", {**body, "metadata": good})["metadata"] == typed
    redeemed = api.call("POST", "/v1/redemptions", stack("CODE", metadata=good))["redemptions"][0]
    assert redeemed["metadata"] == typed
    path = f"/v1/redemptions/{redeemed['id']}/rollback"
    assert refused(api, path, {"metadata": {"place": "L"}}).startswith("Property .metadata.place must have at least 2")
    assert api.call("POST", path, {})["result"] == "SUCCESS"


def test_a_validation_refuses_what_the_redemption_would(management: Management, api: Any) -> None:
    management.define("customer", AGE)
    management.define("order", AGE)
    management.define("redemption", {"place": {"type": "string", "optional": False}, **AGE})
    make_voucher(api)
    bad, good = {"metadata": {"age": "x"}}, {"metadata": {"age": 1}}
    order = {"amount": 1000}
    for body in (
        stack("CODE", customer=None, order={**order, **bad}),
        {**stack("CODE", customer=None), "customer": {"source_id": "ann", **bad}},
        stack("CODE", metadata={"age": "x", "place": "L1"}),
    ):
        assert refused(api, "/v1/validations", body).startswith("Property .metadata.age must be a number")
    fine = stack("CODE", order={**order, **good}, metadata={"place": "L1"})
    assert api.call("POST", "/v1/validations", fine)["valid"] is True


def test_a_removed_definition_stops_to_check_and_hides_nothing(management: Management, api: Any) -> None:
    schema_id = management.define("customer", AGE)
    api.call("POST", "/v1/customers", {"source_id": "ann", "metadata": {"age": 5}})
    management.change(schema_id, {"age": {**AGE["age"], "deleted": True}})
    assert api.call("GET", "/v1/customers/ann")["metadata"] == {"age": 5}
    assert api.call("PUT", "/v1/customers/ann", {"metadata": {"age": "five"}})["metadata"] == {"age": "five"}
    management.change(schema_id, AGE)
    refused(api, "/v1/customers/ann", {"metadata": {"age": "six"}}, "PUT")
    assert api.call("GET", "/v1/customers/ann")["metadata"] == {"age": "five"}
    management.call("DELETE", f"/metadata-schemas/{schema_id}", status=204)
    assert api.call("PUT", "/v1/customers/ann", {"metadata": {"age": "six"}})["metadata"] == {"age": "six"}


def test_a_validation_is_held_against_what_its_redemption_would_be(management: Management, api: Any) -> None:
    management.define("redemption", {"channel": {"type": "string", "optional": False}})
    make_voucher(api, "CODE")
    assert refused(api, "/v1/redemptions", stack("CODE")) == refused(api, "/v1/validations", stack("CODE"))
    refused(api, "/v1/vouchers/CODE/validate", {"order": {"amount": 100}})
    refused(api, "/v1/promotions/validation", {"order": {"amount": 100}})
    body = stack("CODE", metadata={"channel": "shop"})
    assert api.call("POST", "/v1/validations", body)["valid"] is True
    # Whoever only asks what there is does not have to say how it would be redeemed, but nothing wrong either.
    api.call("POST", "/v1/qualifications", {"order": {"amount": 100}})
    refused(api, "/v1/qualifications", {"order": {"amount": 100}, "metadata": {"channel": 5}})
