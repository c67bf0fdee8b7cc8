"""Purging a removed key: its values go from all resources of the kind, in steps, and then the definition itself.

From the request on no write takes a value for the key any more, and the first step waits for those that began before
it: none ever has to come back. Who holds the values is a higher feature's affair: `worker.py` hands in one `Remove` for
each kind.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Final, Protocol

import msgspec

from rapport.activity.log import Signature
from rapport.async_actions import queries as async_actions
from rapport.async_actions.models import Action
from rapport.async_actions.tasks import Step
from rapport.core.db import Connection, Database
from rapport.core.errors import InvalidPayload, NotFound
from rapport.core.ids import new_id
from rapport.metadata import queries
from rapport.metadata.actions import change, get_schema
from rapport.metadata.models import STANDARD

# How long a step that waits for others takes.
_PAUSE_S: Final = 0.2
# As in the reference, what is part of the ledger stays as it was.
_KEPT: Final = ("redemption", "publication")
TYPES: Final[Mapping[str, str]] = {
    name: f"{name.upper()}S.METADATA_KEY_PURGE" for name in STANDARD if name not in _KEPT
}
"""The type of the asynchronous action for each resource, such as `CUSTOMERS.METADATA_KEY_PURGE`."""


class Remove(Protocol):
    """Removes a key from the metadata of the next resources after `after`, inside a step's unit."""

    async def __call__(self, unit: Any, key: str, after: str) -> tuple[str | None, int]:
        """Return the last of the resources looked at (None: there are no more), and how many were changed."""


async def request(db: Database, signature: Signature, schema_id: str, key: str) -> str:
    """Have the values of a removed key purged; return the id of the action, the same one while it runs.

    Raises NotFound, and InvalidPayload for a key that is not removed and for resources that keep their values.
    """
    project_id = signature.project_id

    async def work(conn: Connection) -> str:
        await queries.lock(conn, project_id)
        row = await get_schema(conn, project_id, schema_id)
        definition = row.properties.get(key)
        if definition is None:
            raise NotFound("metadata definition", key)
        if definition.purge is not None:
            return definition.purge
        if row.related_object not in TYPES:
            raise InvalidPayload(f"The values of a {row.related_object} cannot be purged")
        if not definition.deleted:
            raise InvalidPayload(f"Remove the definition of {key} first: set .properties.{key}.deleted to true")
        action_id = new_id("aa")
        parameters = {"schema_id": schema_id, "related_object": row.related_object, "key": key}
        await async_actions.enqueue(
            conn, signature, TYPES[row.related_object], parameters, offset=db.clock_offset, action_id=action_id
        )
        marked = {**row.properties, key: msgspec.structs.replace(definition, purge=action_id)}
        closed = row.allow_defined_only
        await queries.update_schema(
            conn, project_id, schema_id, marked, allow_defined_only=closed, offset=db.clock_offset
        )
        return action_id

    return await change(db, work)


class _Purge:
    """The step of the action for one kind of resource; None: nothing of this kind is kept here."""

    def __init__(self, db: Database, remove: Remove | None) -> None:
        self._db = db
        self._remove = remove

    async def __call__(self, unit: Any, action: Action) -> Action:
        """Remove the key from some resources; from the last on, remove the definition.

        Before the first, wait for the writes that may still know the key as one that takes values.
        """
        waiting = await self._still_running(unit.conn, action)
        if waiting is not None:
            return msgspec.structs.replace(action, cursor={"waiting": sorted(waiting)})
        key = str(action.parameters["key"])
        last, changed = None, 0
        if self._remove is not None:
            last, changed = await self._remove(unit, key, str(action.cursor.get("after", "")))
        action = msgspec.structs.replace(action, done_count=action.done_count + changed)
        if last is not None:
            return msgspec.structs.replace(action, cursor={"after": last})
        await self._finish(unit.conn, unit.project_id, action, key)
        return msgspec.structs.replace(action, status="DONE", result={"done_count": action.done_count})

    async def _still_running(self, conn: Connection, action: Action) -> set[str] | None:
        if "after" in action.cursor:
            return None
        running = await queries.running(conn)
        if "waiting" not in action.cursor:
            return running
        left = running.intersection(action.cursor["waiting"])
        if not left:
            return None
        await asyncio.sleep(_PAUSE_S)
        return left

    async def _finish(self, conn: Connection, project_id: int, action: Action, key: str) -> None:
        await queries.lock(conn, project_id)
        row = await queries.find_schema(conn, project_id, str(action.parameters["schema_id"]))
        if row is None or key not in row.properties or row.properties[key].purge != action.id:
            return
        left = {name: one for name, one in row.properties.items() if name != key}
        closed = row.allow_defined_only
        await queries.update_schema(
            conn, project_id, row.id, left, allow_defined_only=closed, offset=self._db.clock_offset
        )


def steps(db: Database, removers: Mapping[str, Remove]) -> dict[str, Step[Any]]:
    """Return the steps of all purges by the type of their action; `removers` by resource."""
    return {kind: _Purge(db, removers.get(name)) for name, kind in TYPES.items()}
