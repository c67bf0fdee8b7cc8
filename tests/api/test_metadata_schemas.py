"""The operations on metadata schemas and schemas of custom events."""

import re
import subprocess
import sys
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import harness
from management import Management, managed
from rapport.core.db import Database
from rapport.projects.models import NewKey

FULL = {
    "tier": {"type": "string", "optional": False, "array": False, "eq": ["gold", "silver"], "max_length": 6},
    "sizes": {"type": "number", "optional": True, "array": True, "gte": 1, "lt": Decimal("50.5"), "ne": [13]},
}
INNER = "Property .properties.inner"
SHOWN = {key: {**one, "object_type": None} for key, one in FULL.items()}


@pytest.fixture
async def management(server: harness.Server, db: Database, key: NewKey) -> AsyncIterator[Management]:
    """The management API of the test's project."""
    async with managed(server, db, key.project) as found:
        yield found


def test_a_schema_is_answered_as_it_was_defined(management: Management) -> None:
    body = {"related_object": "customer", "properties": FULL, "allow_defined_only": True}
    created = management.call("POST", "/metadata-schemas", body)
    assert created == {
        "id": created["id"],
        "related_object": "customer",
        "properties": SHOWN,
        "allow_defined_only": True,
        "created_at": created["created_at"],
        "updated_at": None,
        "object": "metadata_schema",
    }
    assert re.fullmatch(r"ms_[0-9A-Za-z]{24}", created["id"])
    assert management.call("GET", f"/metadata-schemas/{created['id']}") == created
    assert management.call("GET", "/metadata-schemas") == {
        "object": "list",
        "data_ref": "data",
        "data": [created],
        "total": 1,
    }


def test_server_keys_read_schemas_in_the_older_spelling(management: Management, api: Any) -> None:
    assert api.call("GET", "/v1/metadata-schemas") == {
        "object": "list",
        "data_ref": "schemas",
        "schemas": [],
        "total": 0,
    }
    management.define("Company", {"size": "number"})
    management.define("customer", {**FULL, "work": {"type": "object", "object_type": "Company"}})
    found = api.call("GET", "/v1/metadata-schemas/customer")
    assert found["properties"] == {
        "tier": {
            "type": "string", "array": False, "optional": False, "objectType": None,
            "eq": ["gold", "silver"], "maxLength": 6,
        },
        "sizes": {
            "type": "number", "array": True, "optional": True, "objectType": None,
            "gte": 1, "lt": Decimal("50.5"), "ne": [13],
        },
        "work": {"type": "object", "array": False, "optional": True, "objectType": "Company"},
    }  # fmt: skip
    listed = api.call("GET", "/v1/metadata-schemas")
    assert [one["related_object"] for one in listed["schemas"]] == ["Company", "customer"]
    assert listed["schemas"][1] == found
    error = api.fails("GET", "/v1/metadata-schemas/reward", status=404, key="not_found")
    assert (error["resource_id"], error["resource_type"]) == ("reward", "metadata schema")
    assert error["details"] == "Cannot find metadata schema with id reward"


def test_a_definition_is_replaced_as_a_whole_and_others_stay(management: Management) -> None:
    schema_id = management.define("customer", FULL)
    changed = management.change(schema_id, {"tier": "string", "new": "date"})
    assert changed["properties"] == {
        "tier": {"type": "string", "array": False, "optional": True, "object_type": None},
        "sizes": SHOWN["sizes"],
        "new": {"type": "date", "array": False, "optional": True, "object_type": None},
    }
    assert changed["updated_at"] is not None
    assert changed["allow_defined_only"] is False
    assert management.change(schema_id, {}, allow_defined_only=True)["allow_defined_only"] is True
    assert management.change(schema_id, {})["allow_defined_only"] is True


def test_a_type_stays_what_it_is(management: Management) -> None:
    schema_id = management.define("customer", FULL)
    body = {"properties": {"tier": {"type": "number", "optional": True, "array": False}}}
    details = management.fails("PUT", f"/metadata-schemas/{schema_id}", body)
    assert details == "Property .properties.tier.type cannot be changed: it is string"
    assert management.call("GET", f"/metadata-schemas/{schema_id}")["properties"] == SHOWN


def test_a_definition_is_removed_and_restored(management: Management) -> None:
    schema_id = management.define("customer", FULL)
    removed = management.change(schema_id, {"tier": {**FULL["tier"], "deleted": True}})
    assert removed["properties"]["tier"] == {**SHOWN["tier"], "deleted": True}
    restored = management.change(schema_id, {"tier": {**FULL["tier"], "deleted": False}})
    assert restored["properties"]["tier"] == SHOWN["tier"]


def test_there_is_one_schema_for_each_resource(management: Management) -> None:
    management.define("customer", {})
    error = management.api.fails(
        "POST", management.path + "/metadata-schemas", {"related_object": "customer", "properties": {}},
        status=409, key="duplicate_found",
    )  # fmt: skip
    assert error["details"] == "Duplicated metadata schema exists with related_object customer"
    assert (error["resource_id"], error["resource_type"]) == ("customer", "metadata schema")


def test_a_custom_object_in_use_is_kept(management: Management) -> None:
    company = management.define("Company", {"size": "number"})
    customer = management.define("customer", {"work": {"type": "object", "object_type": "Company"}})
    details = management.fails("DELETE", f"/metadata-schemas/{company}", status=409, key="resource_in_use")
    assert details == "Company is used by customer.work"
    management.call("DELETE", f"/metadata-schemas/{customer}", status=204)
    management.call("DELETE", f"/metadata-schemas/{company}", status=204)
    assert management.call("GET", "/metadata-schemas")["total"] == 0
    management.fails("GET", f"/metadata-schemas/{company}", status=404, key="not_found")


def test_circles_and_unknown_objects_are_refused(management: Management) -> None:
    def nested(related_object: str, named: str) -> Any:
        inner = {"type": "object", "object_type": named, "optional": True, "array": False}
        return {"related_object": related_object, "properties": {"inner": inner}}

    management.define("Company", {})
    for name in ("Company", "Other"):
        details = management.fails("POST", "/metadata-schemas", nested("Bag", name))
        assert (
            details == "Property .properties.inner.type must not be object: Bag is itself an object inside of metadata"
        )
    details = management.fails("POST", "/metadata-schemas", nested("customer", "Nothing"))
    assert details == f"{INNER}.object_type names no custom object of this project: Nothing"
    assert management.call("GET", "/metadata-schemas")["total"] == 1


@pytest.mark.parametrize(
    ("body", "details"),
    [
        ({"properties": {}}, "Missing required property .related_object"),
        ({"related_object": "customer"}, "Missing required property .properties"),
        ({"related_object": "unknown", "properties": {}}, "Property .related_object must not be unknown"),
        ({"related_object": "a\x00", "properties": {}}, "Property .related_object must not contain a NUL character"),
        ({"related_object": "customer", "properties": {" ": {"type": "string"}}}, "Property .properties.  should have"),
        ({"related_object": "customer", "properties": {"k": {"type": "text"}}}, "Property .properties[...].type: Inv"),
        ({"related_object": "customer", "properties": {"k": {}}}, "Missing required property .properties[...].type"),
        (
            {"related_object": "customer", "properties": {"k": {"type": "string", "eq": [1]}}},
            "Property .properties.k.eq[0] must be a text",
        ),
    ],
)
def test_a_bad_schema_is_refused_and_changes_nothing(management: Management, body: Any, details: str) -> None:
    assert management.fails("POST", "/metadata-schemas", body).startswith(details)
    assert management.call("GET", "/metadata-schemas")["total"] == 0


def test_event_schemas_are_created_changed_and_deleted(management: Management) -> None:
    properties = {"stars": {"type": "number", "optional": False}}
    created = management.call("POST", "/custom-event-schemas", {"name": "review", "schema": {"properties": properties}})
    assert created == {
        "id": created["id"],
        "name": "review",
        "schema": {"properties": properties},
        "created_at": created["created_at"],
        "object": "custom-event-schema",
    }
    path = f"/custom-event-schemas/{created['id']}"
    more = {"text": {"type": "string", "optional": True, "deleted": True}}
    changed = management.call("PUT", path, {"schema": {"properties": more}})
    assert changed["schema"] == {"properties": {**properties, **more}}
    assert changed["updated_at"] >= created["created_at"]
    assert management.call("GET", path) == changed
    assert management.call("GET", "/custom-event-schemas") == {
        "object": "list",
        "data_ref": "data",
        "data": [changed],
        "total": 1,
    }
    body = {"name": "review", "schema": {"properties": {}}}
    details = management.fails("POST", "/custom-event-schemas", body, status=409, key="duplicate_found")
    assert details == "Duplicated custom_event_schema exists with name review"
    bad = {"schema": {"properties": {"stars": {"type": "object", "optional": True}}}}
    assert management.fails("PUT", path, bad).startswith("Property .schema.properties[...].type")
    bad = {"schema": {"properties": {"stars": {"type": "string", "optional": True}}}}
    assert management.fails("PUT", path, bad).startswith("Property .schema.properties.stars.type cannot be changed")
    management.call("DELETE", path, status=204)
    management.fails("GET", path, status=404, key="not_found")


async def test_only_a_management_key_of_the_project_opens_its_management(
    management: Management, api: Any, server: harness.Server, db: Database
) -> None:
    path = management.path + "/metadata-schemas"
    error = api.fails("GET", path, status=401, key="unauthorized")
    assert error["details"] == "Missing X-Management-Id or X-Management-Token header"
    headers = {"X-Management-Id": api.headers["X-App-Id"], "X-Management-Token": api.headers["X-App-Token"]}
    error = api.fails("GET", path, status=401, key="unauthorized", headers=headers)
    assert error["details"] == "A server key may not call this operation"
    headers = {"X-Management-Id": management.key.app_id, "X-Management-Token": "wrong"}
    error = api.fails("GET", path, status=401, key="unauthorized", headers=headers)
    assert error["details"] == "Unknown X-Management-Id or wrong X-Management-Token"
    headers = {"X-App-Id": management.key.app_id, "X-App-Token": management.key.app_token}
    api.fails("GET", "/v1/metadata-schemas", status=401, key="unauthorized", headers=headers)
    async with managed(server, db, f"{management.key.project} other") as other:
        for foreign in (other.path, "/management/v1/projects/proj_nothing"):
            error = management.api.fails("GET", f"{foreign}/metadata-schemas", status=404, key="not_found")
            assert error["resource_type"] == "project"


async def test_a_project_takes_over_the_schemas_of_another(
    management: Management, server: harness.Server, db: Database
) -> None:
    async with managed(server, db, f"{management.key.project} other") as other:
        management.define("Company", {"size": "number"})
        management.define(
            "customer",
            {
                "tier": "string",
                "work": {"type": "object", "object_type": "Company"},
                "x": {"type": "date", "deleted": True},
            },
            allow_defined_only=True,
        )
        management.define_event("review", {"stars": "number"})
        kept = other.define("customer", {"own": "date", "tier": {"type": "string", "eq": ["gold"]}})
        source = {"management_id": management.key.app_id, "management_token": management.key.app_token}
        copied = other.call("POST", "/schemas/copy", {"source": source})
        assert copied == {"metadata_schemas": ["Company", "customer"], "custom_event_schemas": ["review"]}
        found = other.call("GET", f"/metadata-schemas/{kept}")
        assert found["allow_defined_only"] is True
        assert {key: one["type"] for key, one in found["properties"].items()} == {
            "own": "date", "tier": "string", "work": "object",
        }  # fmt: skip
        assert "eq" not in found["properties"]["tier"]
        assert other.call("GET", "/custom-event-schemas")["data"][0]["name"] == "review"
        again = other.call("POST", "/schemas/copy", {"source": source})
        assert again == copied
        wrong = {"source": {**source, "management_token": "wrong"}}
        other.fails("POST", "/schemas/copy", wrong, status=401, key="unauthorized")


async def test_a_copy_that_would_change_a_type_changes_nothing(
    management: Management, server: harness.Server, db: Database
) -> None:
    async with managed(server, db, f"{management.key.project} other") as other:
        management.define("campaign", {"region": "string"})
        management.define("customer", {"tier": "number"})
        other.define("customer", {"tier": "string"})
        source = {"management_id": management.key.app_id, "management_token": management.key.app_token}
        details = other.fails("POST", "/schemas/copy", {"source": source})
        assert details == "Property customer.tier is of type string here and number there"
        assert [one["related_object"] for one in other.call("GET", "/metadata-schemas")["data"]] == ["customer"]
        own = {"management_id": other.key.app_id, "management_token": other.key.app_token}
        assert other.fails("POST", "/schemas/copy", {"source": own}).startswith("A project's schemas cannot be copied")


async def test_the_command_copies_schemas_between_projects(
    management: Management, server: harness.Server, db: Database, database_url: str
) -> None:
    async with managed(server, db, f"{management.key.project} other") as other:
        management.define("customer", {"tier": "string"})
        command = [str(Path(sys.executable).with_name("rapport")), "schemas", "copy", "--database-url", database_url]
        arguments = ["--from", management.key.project, "--to", other.key.project_id]
        done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=True)
        assert done.stdout == "metadata schemas      customer\ncustom event schemas  none\n"
        assert other.call("GET", "/metadata-schemas")["total"] == 1
        arguments = ["--from", "no such project", "--to", other.key.project_id]
        failed = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
        assert failed.returncode == 1
        assert "there is no project 'no such project'" in failed.stderr
