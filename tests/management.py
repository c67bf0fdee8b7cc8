"""The management API, for tests: a client with a key to the test's own project, and schemas by short calls."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import harness
from conftest import Api
from rapport.core.db import Database
from rapport.projects.actions import create_key
from rapport.projects.models import NewKey


class Management:
    """Calls of the management API about one project."""

    def __init__(self, api: Api, key: NewKey) -> None:
        self.api = api
        self.key = key
        self.path = f"/management/v1/projects/{key.project_id}"

    def call(self, method: str, path: str, body: Any = None, *, status: int = 200) -> Any:
        """Make a call below the project's path."""
        return self.api.call(method, self.path + path, body, status=status)

    def fails(
        self, method: str, path: str, body: Any = None, *, status: int = 400, key: str = "invalid_payload"
    ) -> Any:
        """Make a call below the project's path that must be refused; return the details."""
        return self.api.fails(method, self.path + path, body, status=status, key=key)["details"]

    def define(self, related_object: str, properties: dict[str, Any], **more: Any) -> str:
        """Create a metadata schema; return its id."""
        body = {"related_object": related_object, "properties": filled(properties), **more}
        return str(self.call("POST", "/metadata-schemas", body)["id"])

    def change(self, schema_id: str, properties: dict[str, Any], **more: Any) -> dict[str, Any]:
        """Change definitions of a metadata schema; return it."""
        body = {"properties": filled(properties), **more}
        return self.call("PUT", f"/metadata-schemas/{schema_id}", body)  # type: ignore[no-any-return]

    def define_event(self, name: str, properties: dict[str, Any]) -> str:
        """Create a schema of custom events; return its id."""
        body = {"name": name, "schema": {"properties": filled(properties)}}
        return str(self.call("POST", "/custom-event-schemas", body)["id"])

    def purge(self, schema_id: str, name: str, *, server: Api, timeout_s: float = 20.0) -> dict[str, Any]:
        """Purge a removed definition, and wait until that is done; return the action."""
        path = f"/metadata-schemas/{schema_id}/properties/{name}/purge"
        action_id = self.call("POST", path, status=202)["async_action_id"]

        def done() -> Any:
            action = server.call("GET", f"/v1/async-actions/{action_id}")
            return action if action["status"] in ("DONE", "FAILED") else None

        return harness.wait_for(done, timeout_s=timeout_s, what="the purge")  # type: ignore[no-any-return]


def filled(properties: dict[str, Any]) -> dict[str, Any]:
    """Return definitions with what the reference requires; a type alone stands for an optional single value."""
    return {
        name: {"optional": True, "array": False, **(one if isinstance(one, dict) else {"type": one})}
        for name, one in properties.items()
    }


@contextlib.asynccontextmanager
async def managed(server: harness.Server, db: Database, project: str) -> AsyncIterator[Management]:
    """Lend the management API of a project, by the project's name."""
    key = await create_key(db, project, "management")
    headers = {"X-Management-Id": key.app_id, "X-Management-Token": key.app_token}
    with Api(base_url=server.base_url, headers=headers, timeout=30, verify=False) as client:  # no TLS: nothing to load
        yield Management(client, key)
