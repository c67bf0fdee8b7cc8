"""The project fits the reference's schemas, but for what Rapport has nothing of; the SDK has no models of it."""

from typing import Any

import harness
from contract.test_reference_schemas import misfits, schema_of
from management import Management, managed
from rapport.core.db import Database
from rapport.projects.models import NewKey

ALL, ONE = "/management/v1/projects", "/management/v1/projects/{projectId}"
# What the schema requires and is not there, and why; examples of the document leave out `webhook_token` themselves.
MISSING = {
    "cluster_id": "there are no clusters to choose from",
    "api_version": "there is one version",
    "is_sandbox": "all projects are alike",
    "api_usage_notifications": "there are no limits of usage",
    "webhooks_callout_notifications": "nothing notifies of webhooks",
    "webhook_version": "see webhooks_callout_notifications",
    "webhook_token": "see webhooks_callout_notifications",
}
SETTINGS = {
    "description": "D",
    "currency": "EUR",
    "dial_code": "48",
    "client_trusted_domains": ["https://shop.example"],
}


def misfits_of(answer: Any, schema: dict[str, Any]) -> dict[str, str]:
    """Return where an answer does not fit a schema, once what is known to be missing is put there."""
    there: dict[str, Any] = {
        "cluster_id": "eu1",
        "api_version": "v2018-08-01",
        "is_sandbox": False,
        "webhook_version": "v2024-01-01",
        "webhook_token": "t",
    }
    usage = {"value": 80, "emails": [], "in_app": False, "enabled": False}
    kinds = ("redemptions", "messages", "api_calls", "bulk_api_calls", "webhook_calls", "cycle_calls")
    there["api_usage_notifications"] = dict.fromkeys(kinds, usage)
    callouts = {"email": False, "in_app": False, "emails": []}
    there["webhooks_callout_notifications"] = {"webhooks": callouts, "distributions": callouts}
    assert there.keys() == MISSING.keys()
    assert not there.keys() & answer.keys()
    return misfits({**answer, **there}, schema)


def listed(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of what the list holds."""
    return {"$ref": "#/components/schemas/ManagementProject", "components": schema["components"]}


async def test_a_project_fits_the_references_schema(server: harness.Server, db: Database, key: NewKey) -> None:
    async with managed(server, db, key.project) as management:
        changed = management.call("PUT", "", SETTINGS)
        assert misfits_of(changed, schema_of("management", "put", ONE, "200")) == {}
        assert misfits_of(management.call("GET", ""), schema_of("management", "get", ONE, "200")) == {}
        found = management.api.call("GET", ALL)
        schema = schema_of("management", "get", ALL, "200")
        assert misfits({**found, "data": []}, schema) == {}
        assert misfits_of(found["data"][0], listed(schema)) == {}
        _errors(management)


def _errors(management: Management) -> None:
    unknown = management.api.fails("GET", f"{ALL}/proj_x", status=404, key="not_found")
    assert misfits(unknown, schema_of("management", "get", ONE, "404")) == {}


async def test_only_a_currency_that_nobody_set_is_missing(server: harness.Server, db: Database, key: NewKey) -> None:
    async with managed(server, db, key.project) as management:
        schema = schema_of("management", "get", ONE, "200")
        found = misfits_of(management.call("GET", ""), schema)
        assert list(found.values()) == ["'currency' is a required property"]


async def test_the_examples_of_the_reference_are_taken_or_say_what_is_not_there(
    server: harness.Server, db: Database, key: NewKey
) -> None:
    document = schema_of("management", "put", ONE, "200")
    properties = document["components"]["schemas"]["ManagementProjectBase"]["properties"]
    values = {"array": ["shop.example"], "boolean": False, "object": {}}
    special = {"currency": "EUR", "timezone": "UTC", "dial_code": "48", "webhook_version": "v2024-01-01"}
    refused = set()
    async with managed(server, db, key.project) as management:
        for name, property_ in properties.items():
            value = special.get(name, values.get(property_.get("type"), "x"))
            answer = management.api.put(management.path, json={name: value})
            assert answer.status_code in (200, 400)
            if answer.status_code == 200:
                assert answer.json()[name] == value
            else:
                assert f".{name} " in answer.json()["details"]
                refused.add(name)
    assert refused == {"webhook_version", "webhooks_callout_notifications"}
