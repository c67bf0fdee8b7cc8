"""The official SDK defines schemas through the management API and reads them, there and with a server key."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import voucherify
from voucherify import models

import harness
from contract.test_reference_schemas import misfits, schema_of
from management import Management, managed
from rapport.core.db import Database
from rapport.projects.models import NewKey

PROPERTIES = {
    "tier": {"type": "string", "optional": False, "array": False, "eq": ["gold", "silver"], "max_length": 6},
    "sizes": {"type": "number", "optional": True, "array": True, "gte": 1, "lt": 50},
    "work": {"type": "object", "optional": True, "array": False, "object_type": "Company"},
    "gone": {"type": "date", "optional": True, "array": False, "deleted": True},
}
STARS = {"stars": {"type": "number", "optional": True}}


@pytest.fixture
async def management(server: harness.Server, db: Database, key: NewKey) -> AsyncIterator[Management]:
    """The management API of the test's project."""
    async with managed(server, db, key.project) as found:
        found.define("Company", {"size": "number"})
        yield found


@pytest.fixture
def projects(server: harness.Server, management: Management) -> voucherify.ManagementApi:
    """The SDK's management API."""
    configuration = voucherify.Configuration(host=server.base_url)
    configuration.api_key = {
        "X-Management-Id": management.key.app_id,
        "X-Management-Token": management.key.app_token,
    }
    return voucherify.ManagementApi(voucherify.ApiClient(configuration))


def test_metadata_schemas(
    projects: voucherify.ManagementApi, management: Management, sdk: voucherify.ApiClient
) -> None:
    project = management.key.project_id
    body = {"related_object": "customer", "properties": PROPERTIES, "allow_defined_only": True}
    request = models.ManagementProjectsMetadataSchemasCreateRequestBody.from_dict(body)
    created = projects.create_metadata_schema(project, request)
    assert (created.related_object, created.allow_defined_only, created.updated_at) == ("customer", True, None)
    assert created.properties["tier"] == {**PROPERTIES["tier"], "object_type": None}
    assert created.properties["gone"]["deleted"] is True
    change = models.ManagementProjectsMetadataSchemasUpdateRequestBody.from_dict({
        "properties": {"tier": {"type": "string", "optional": True, "array": False}},
    })  # fmt: skip
    updated = projects.update_metadata_schema(project, created.id, change)
    assert updated.properties["tier"]["optional"] is True
    assert updated.properties["sizes"] == created.properties["sizes"]
    assert updated.updated_at.tzinfo is not None
    assert projects.get_metadata_schema1(project, created.id).to_dict() == updated.to_dict()
    listed = projects.list_metadata_schemas1(project)
    assert [one.related_object for one in listed.data] == ["Company", "customer"]
    assert listed.total == 2
    reading = voucherify.MetadataSchemasApi(sdk)
    older = reading.get_metadata_schema("customer")
    assert (older.id, older.related_object) == (created.id, "customer")
    assert older.properties["work"]["objectType"] == "Company"
    schemas = reading.list_metadata_schemas()
    assert [one.id for one in schemas.schemas] == [one.id for one in listed.data]
    assert projects.delete_metadata_schema(project, created.id) is None
    with pytest.raises(voucherify.exceptions.NotFoundException):
        projects.get_metadata_schema1(project, created.id)


def test_custom_event_schemas(projects: voucherify.ManagementApi, management: Management) -> None:
    project = management.key.project_id
    body = {"name": "review", "schema": {"properties": STARS}}
    request = models.ManagementProjectsCustomEventSchemasCreateRequestBody.from_dict(body)
    created = projects.create_custom_event_schema(project, request)
    assert (created.name, created.var_schema.properties) == ("review", STARS)
    change = {"schema": {"properties": {"text": {"type": "string", "optional": False}}}}
    request = models.ManagementProjectsCustomEventSchemasUpdateRequestBody.from_dict(change)
    updated = projects.update_custom_event_schema(project, created.id, request)
    assert sorted(updated.var_schema.properties) == ["stars", "text"]
    assert projects.get_custom_event_schema(project, created.id).to_dict() == updated.to_dict()
    listed = projects.list_custom_event_schemas(project)
    assert [one.to_dict() for one in listed.data] == [updated.to_dict()]
    assert projects.delete_custom_event_schema(project, created.id) is None
    assert projects.list_custom_event_schemas(project).total == 0


def fits(answer: Any, document: str, method: str, path: str) -> dict[str, str]:
    """Return where an answer does not fit the reference's schema."""
    return misfits(answer, schema_of(document, method, path, "200"))


def test_answers_fit_the_reference(management: Management, api: Any) -> None:
    root = "/management/v1/projects/{projectId}"
    body = {"related_object": "customer", "properties": PROPERTIES}
    created = management.call("POST", "/metadata-schemas", body)
    event = management.call("POST", "/custom-event-schemas", {"name": "review", "schema": {"properties": STARS}})
    one, same = f"/metadata-schemas/{created['id']}", f"{root}/metadata-schemas/{{metadataSchemaId}}"
    custom, as_custom = f"/custom-event-schemas/{event['id']}", f"{root}/custom-event-schemas/{{customEventSchemaId}}"
    for answer, method, path in (
        (created, "post", f"{root}/metadata-schemas"),
        (management.call("GET", "/metadata-schemas"), "get", f"{root}/metadata-schemas"),
        (management.call("GET", one), "get", same),
        (management.change(created["id"], {}), "put", same),
        (event, "post", f"{root}/custom-event-schemas"),
        (management.call("GET", "/custom-event-schemas"), "get", f"{root}/custom-event-schemas"),
        (management.call("GET", custom), "get", as_custom),
        (management.call("PUT", custom, {"schema": {"properties": {}}}), "put", as_custom),
    ):
        assert fits(answer, "management", method, path) == {}, (method, path)
    older = api.call("GET", "/v1/metadata-schemas/customer")
    assert fits(older, "metadata-schemas", "get", "/v1/metadata-schemas/{resource}") == {}
    # The document requires `data` beside `data_ref: schemas`; the SDK knows `schemas` only.
    listed = fits(api.call("GET", "/v1/metadata-schemas"), "metadata-schemas", "get", "/v1/metadata-schemas")
    assert listed == {"": "'data' is a required property"}
