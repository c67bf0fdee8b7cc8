"""Defining metadata: creating, changing, deleting and copying schemas.

Every change is one transaction that begins with `queries.lock`, and is answered only when the writes that may not know
of it are over: what is stored after the answer fits the new schemas.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeVar

from rapport.core.db import Connection, Database
from rapport.core.errors import DuplicateFound, InvalidPayload, NotFound, RapportError, ResourceInUse
from rapport.core.ids import new_id
from rapport.metadata import queries
from rapport.metadata.defining import MAX_EVENT_NAME, check_name, check_object_name, merged
from rapport.metadata.models import STANDARD, Definition, EventSchemaRow, SchemaRow
from rapport.metadata.schemas import CopyView, EventSchemaInput, EventSchemaUpdate, SchemaInput, SchemaUpdate

MAX_SCHEMAS: Final = 112
MAX_EVENT_SCHEMAS: Final = 500
# So long a change waits at most for the writes that began before it.
MAX_WAIT_S: Final = 10.0
_POLL_S: Final = 0.01

SCHEMA: Final = "metadata schema"
EVENT_SCHEMA: Final = "custom_event_schema"
Result = TypeVar("Result")


class TooManySchemas(RapportError):
    """The project has as many schemas as one project may have."""

    key = "too_many_schemas"
    message = "Too many schemas"


async def change(db: Database, work: Callable[[Connection], Awaitable[Result]]) -> Result:
    """Run a change of schemas, and wait until the writes that began before its commit are over.

    A write that takes longer than `MAX_WAIT_S` is not waited for any more.
    """
    result = await db.transaction(work)
    async with db.read() as conn:
        before = await queries.running(conn)
        for _ in range(int(MAX_WAIT_S / _POLL_S)):
            if not before:
                break
            await asyncio.sleep(_POLL_S)
            before &= await queries.running(conn)
    return result


async def get_schema(conn: Connection, project_id: int, schema_id: str) -> SchemaRow:
    """Return the metadata schema with this id. Raises NotFound."""
    row = await queries.find_schema(conn, project_id, schema_id)
    if row is None:
        raise NotFound(SCHEMA, schema_id)
    return row


async def get_event_schema(conn: Connection, project_id: int, schema_id: str) -> EventSchemaRow:
    """Return the schema of custom events with this id. Raises NotFound."""
    row = await queries.find_event_schema(conn, project_id, schema_id)
    if row is None:
        raise NotFound(EVENT_SCHEMA, schema_id)
    return row


def _objects(rows: list[SchemaRow]) -> set[str]:
    return {row.related_object for row in rows if row.related_object not in STANDARD}


async def create(db: Database, project_id: int, data: SchemaInput) -> SchemaRow:
    """Define the metadata of a resource, or a custom object (`create-metadata-schema`).

    Raises InvalidPayload, DuplicateFound where there is a schema of this name, TooManySchemas.
    """
    check_object_name(data.related_object)
    schema_id = new_id("ms")

    async def work(conn: Connection) -> SchemaRow:
        await queries.lock(conn, project_id)
        rows = await queries.list_schemas(conn, project_id)
        name = data.related_object
        if any(row.related_object == name for row in rows):
            raise DuplicateFound(SCHEMA, name, f"Duplicated metadata schema exists with related_object {name}")
        if len(rows) >= MAX_SCHEMAS:
            raise TooManySchemas(f"A project may have {MAX_SCHEMAS} metadata schemas")
        properties = merged({}, data.properties, owner=name, objects=_objects(rows))
        await queries.insert_schema(
            conn, project_id, schema_id, name, properties,
            allow_defined_only=bool(data.allow_defined_only), offset=db.clock_offset,
        )  # fmt: skip
        return await get_schema(conn, project_id, schema_id)

    return await change(db, work)


async def update(db: Database, project_id: int, schema_id: str, data: SchemaUpdate) -> SchemaRow:
    """Add, change, remove or restore definitions (`update-metadata-schema`); those that are left out stay.

    Raises NotFound, InvalidPayload, ResourceInUse for a definition whose values are being purged.
    """

    async def work(conn: Connection) -> SchemaRow:
        await queries.lock(conn, project_id)
        row = await get_schema(conn, project_id, schema_id)
        objects = _objects(await queries.list_schemas(conn, project_id))
        properties = merged(row.properties, data.properties or {}, owner=row.related_object, objects=objects)
        closed = row.allow_defined_only if data.allow_defined_only is None else data.allow_defined_only
        await queries.update_schema(
            conn, project_id, schema_id, properties, allow_defined_only=closed, offset=db.clock_offset
        )
        return await get_schema(conn, project_id, schema_id)

    return await change(db, work)


async def delete(db: Database, project_id: int, schema_id: str) -> None:
    """Delete a metadata schema for good (`delete-metadata-schema`); the values stay, unchecked from now on.

    Raises NotFound, and ResourceInUse while values are being purged or another schema names the custom object.
    """

    async def work(conn: Connection) -> None:
        await queries.lock(conn, project_id)
        row = await get_schema(conn, project_id, schema_id)
        for key, one in row.properties.items():
            if one.purge is not None:
                raise ResourceInUse(f"The values of {key} are being purged, see {one.purge}", resource_id=one.purge)
        if row.related_object not in STANDARD:
            _refuse_if_named(row.related_object, await queries.list_schemas(conn, project_id))
        await queries.delete_schema(conn, project_id, schema_id)

    await change(db, work)


def _refuse_if_named(name: str, rows: list[SchemaRow]) -> None:
    for row in rows:
        for key, one in row.properties.items():
            if one.object_type == name and not one.deleted:
                used = f"{row.related_object}.{key}"
                raise ResourceInUse(f"{name} is used by {used}", resource_id=row.id, resource_type=SCHEMA)


async def create_event(db: Database, project_id: int, data: EventSchemaInput) -> EventSchemaRow:
    """Define the metadata of events of a name (`create-custom-event-schema`).

    Raises InvalidPayload, DuplicateFound, TooManySchemas.
    """
    check_name(data.name, ".name", MAX_EVENT_NAME)
    schema_id = new_id("ms")
    properties = merged({}, data.schema.properties, owner=data.name, objects=(), path=".schema.properties")

    async def work(conn: Connection) -> EventSchemaRow:
        await queries.lock(conn, project_id)
        rows = await queries.list_event_schemas(conn, project_id)
        if any(row.name == data.name for row in rows):
            details = f"Duplicated {EVENT_SCHEMA} exists with name {data.name}"
            raise DuplicateFound(EVENT_SCHEMA, data.name, details)
        if len(rows) >= MAX_EVENT_SCHEMAS:
            raise TooManySchemas(f"A project may have {MAX_EVENT_SCHEMAS} custom event schemas")
        await queries.insert_event_schema(conn, project_id, schema_id, data.name, properties, db.clock_offset)
        return await get_event_schema(conn, project_id, schema_id)

    return await change(db, work)


async def update_event(db: Database, project_id: int, schema_id: str, data: EventSchemaUpdate) -> EventSchemaRow:
    """Add, change, remove or restore properties of events (`update-custom-event-schema`).

    Raises NotFound and InvalidPayload.
    """

    async def work(conn: Connection) -> EventSchemaRow:
        await queries.lock(conn, project_id)
        row = await get_event_schema(conn, project_id, schema_id)
        given, path = data.schema.properties, ".schema.properties"
        properties = merged(row.properties, given, owner=row.name, objects=(), path=path)
        await queries.update_event_schema(conn, project_id, schema_id, properties, db.clock_offset)
        return await get_event_schema(conn, project_id, schema_id)

    return await change(db, work)


async def delete_event(db: Database, project_id: int, schema_id: str) -> None:
    """Delete a schema of custom events (`delete-custom-event-schema`); events stay as they are. Raises NotFound."""

    async def work(conn: Connection) -> None:
        await queries.lock(conn, project_id)
        await get_event_schema(conn, project_id, schema_id)
        await queries.delete_event_schema(conn, project_id, schema_id)

    await change(db, work)


async def copy(db: Database, source_id: int, project_id: int) -> CopyView:
    """Copy all schemas of one project into another, all or none (an addition).

    What the other project lacks is added, definitions of the same key are replaced, others stay; removed definitions
    are not copied. Raises InvalidPayload where both have the same key with different types, ResourceInUse, and
    TooManySchemas.
    """
    if source_id == project_id:
        raise InvalidPayload("A project's schemas cannot be copied into itself")

    async def work(conn: Connection) -> CopyView:
        await queries.lock_both(conn, source_id, project_id)
        copied = await _copy_schemas(conn, db, source_id, project_id)
        return CopyView(
            metadata_schemas=copied,
            custom_event_schemas=await _copy_event_schemas(conn, db, source_id, project_id),
        )

    return await change(db, work)


def _taken_over(name: str, current: Mapping[str, Definition], given: Mapping[str, Definition]) -> dict[str, Definition]:
    result = dict(current)
    for key, one in given.items():
        known = current.get(key)
        if one.deleted:
            continue
        if known is not None and known.type != one.type:
            raise InvalidPayload(f"Property {name}.{key} is of type {known.type} here and {one.type} there")
        if known is not None and known.purge is not None:
            raise ResourceInUse(f"The values of {key} are being purged, see {known.purge}", resource_id=known.purge)
        result[key] = one
    # The limits hold for what comes of it, too.
    merged(result, {}, owner=name, objects=())
    return result


async def _copy_schemas(conn: Connection, db: Database, source_id: int, project_id: int) -> list[str]:
    here = {row.related_object: row for row in await queries.list_schemas(conn, project_id)}
    there = await queries.list_schemas(conn, source_id)
    if len(here.keys() | {row.related_object for row in there}) > MAX_SCHEMAS:
        raise TooManySchemas(f"A project may have {MAX_SCHEMAS} metadata schemas")
    for row in there:
        name, known = row.related_object, here.get(row.related_object)
        properties = _taken_over(name, {} if known is None else known.properties, row.properties)
        closed = row.allow_defined_only
        if known is None:
            await queries.insert_schema(
                conn, project_id, new_id("ms"), name, properties, allow_defined_only=closed, offset=db.clock_offset
            )
        else:
            await queries.update_schema(
                conn, project_id, known.id, properties, allow_defined_only=closed, offset=db.clock_offset
            )
    return [row.related_object for row in there]


async def _copy_event_schemas(conn: Connection, db: Database, source_id: int, project_id: int) -> list[str]:
    here = {row.name: row for row in await queries.list_event_schemas(conn, project_id)}
    there = await queries.list_event_schemas(conn, source_id)
    if len(here.keys() | {row.name for row in there}) > MAX_EVENT_SCHEMAS:
        raise TooManySchemas(f"A project may have {MAX_EVENT_SCHEMAS} custom event schemas")
    for row in there:
        known = here.get(row.name)
        properties = _taken_over(row.name, {} if known is None else known.properties, row.properties)
        if known is None:
            await queries.insert_event_schema(conn, project_id, new_id("ms"), row.name, properties, db.clock_offset)
        else:
            await queries.update_event_schema(conn, project_id, known.id, properties, db.clock_offset)
    return [row.name for row in there]
