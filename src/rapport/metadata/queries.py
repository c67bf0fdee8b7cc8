"""All SQL of metadata schemas and of schemas of custom events."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, TypeVar

import msgspec

from rapport.core.db import Connection, columns
from rapport.metadata.models import Definition, EventSchemaRow, SchemaRow, Schemas, link

RowT = TypeVar("RowT", SchemaRow, EventSchemaRow)

_SCHEMA = columns(SchemaRow)
_EVENT = columns(EventSchemaRow)
_NOW = "date_trunc('milliseconds', clock_timestamp() + {}::interval)"
_DEFAULTS = msgspec.structs.asdict(Definition(type="string"))

# The version and everything that is defined, in one snapshot.
_LOAD = """
SELECT metadata_version,
    (SELECT jsonb_agg(jsonb_build_array(related_object, properties, allow_defined_only))
     FROM metadata_schemas WHERE metadata_schemas.project_id = projects.project_id),
    (SELECT jsonb_agg(jsonb_build_array(name, properties))
     FROM event_schemas WHERE event_schemas.project_id = projects.project_id)
FROM projects WHERE project_id = $1
"""
# Transactions that run now, those among them that have written nothing yet and may have read the version already.
_RUNNING = """
SELECT locks.virtualxid || '/' || locks.pid FROM pg_locks AS locks JOIN pg_stat_activity AS session USING (pid)
WHERE locks.locktype = 'virtualxid' AND session.datname = current_database() AND pid <> pg_backend_pid()
    AND session.backend_type = 'client backend'
"""


def _definitions(raw: Mapping[str, Any]) -> dict[str, Definition]:
    return {key: msgspec.convert(one, Definition) for key, one in raw.items()}


def _stored(properties: Mapping[str, Definition]) -> dict[str, Any]:
    """Return definitions as JSON, without what has its default."""
    found = {}
    for key, one in properties.items():
        values = msgspec.structs.asdict(one)
        found[key] = {name: value for name, value in values.items() if name == "type" or value != _DEFAULTS[name]}
    return found


def _row(kind: type[RowT], row: Any) -> RowT:
    return kind(**{**dict(row), "properties": _definitions(row["properties"])})


async def load_versioned(conn: Connection, project_id: int) -> tuple[int, Schemas]:
    """Return all schemas of a project, and the version at which they are these."""
    row = await conn.fetchrow(_LOAD, project_id)
    if row is None:
        raise LookupError(project_id)
    version, resources, events = row
    found = {name: (_definitions(properties), closed) for name, properties, closed in resources or ()}
    named = {name: (_definitions(properties), False) for name, properties in events or ()}
    return version, Schemas(link(found), link(named))


async def load(conn: Connection, project_id: int) -> Schemas:
    """Return all schemas of a project; use the ones of the moment where a unit of work has one."""
    return (await load_versioned(conn, project_id))[1]


async def lock(conn: Connection, project_id: int) -> None:
    """Begin to change a project's schemas: the version grows, and other changes wait."""
    await conn.execute("UPDATE projects SET metadata_version = metadata_version + 1 WHERE project_id = $1", project_id)


async def lock_both(conn: Connection, reading: int, changing: int) -> None:
    """As `lock`, while another project's schemas are read; in one order, so that two copies do not deadlock."""
    for project_id in sorted({reading, changing}):
        if project_id == changing:
            await lock(conn, project_id)
        else:
            await conn.execute("SELECT FROM projects WHERE project_id = $1 FOR SHARE", project_id)


async def running(conn: Connection) -> set[str]:
    """Return marks of the transactions that run at this moment."""
    return {row[0] for row in await conn.fetch(_RUNNING)}


async def list_schemas(conn: Connection, project_id: int) -> list[SchemaRow]:
    """Return the metadata schemas of a project, by the name of what they are about."""
    rows = await conn.fetch(
        f"SELECT {_SCHEMA} FROM metadata_schemas WHERE project_id = $1 ORDER BY related_object", project_id
    )
    return [_row(SchemaRow, row) for row in rows]


async def find_schema(conn: Connection, project_id: int, schema_id: str) -> SchemaRow | None:
    """Return the metadata schema with this id, or None."""
    row = await conn.fetchrow(
        f"SELECT {_SCHEMA} FROM metadata_schemas WHERE project_id = $1 AND id = $2", project_id, schema_id
    )
    return None if row is None else _row(SchemaRow, row)


async def find_schema_of(conn: Connection, project_id: int, related_object: str) -> SchemaRow | None:
    """Return the metadata schema of a resource or custom object, or None."""
    row = await conn.fetchrow(
        f"SELECT {_SCHEMA} FROM metadata_schemas WHERE project_id = $1 AND related_object = $2",
        project_id,
        related_object,
    )
    return None if row is None else _row(SchemaRow, row)


async def insert_schema(
    conn: Connection,
    project_id: int,
    schema_id: str,
    related_object: str,
    properties: Mapping[str, Definition],
    *,
    allow_defined_only: bool,
    offset: timedelta,
) -> None:
    """Add a metadata schema; the caller has seen that there is none of this name."""
    await conn.execute(
        "INSERT INTO metadata_schemas (project_id, id, related_object, properties, allow_defined_only, created_at) "
        f"SELECT $1, $2, $3, $4, $5, {_NOW.format('$6')}",
        project_id,
        schema_id,
        related_object,
        _stored(properties),
        allow_defined_only,
        offset,
    )


async def update_schema(
    conn: Connection,
    project_id: int,
    schema_id: str,
    properties: Mapping[str, Definition],
    *,
    allow_defined_only: bool,
    offset: timedelta,
) -> None:
    """Change a metadata schema."""
    await conn.execute(
        f"UPDATE metadata_schemas SET properties = $3, allow_defined_only = $4, updated_at = {_NOW.format('$5')} "
        "WHERE project_id = $1 AND id = $2",
        project_id,
        schema_id,
        _stored(properties),
        allow_defined_only,
        offset,
    )


async def delete_schema(conn: Connection, project_id: int, schema_id: str) -> None:
    """Remove a metadata schema for good."""
    await conn.execute("DELETE FROM metadata_schemas WHERE project_id = $1 AND id = $2", project_id, schema_id)


async def list_event_schemas(conn: Connection, project_id: int) -> list[EventSchemaRow]:
    """Return the schemas of custom events of a project, by name."""
    rows = await conn.fetch(f"SELECT {_EVENT} FROM event_schemas WHERE project_id = $1 ORDER BY name", project_id)
    return [_row(EventSchemaRow, row) for row in rows]


async def find_event_schema(conn: Connection, project_id: int, schema_id: str) -> EventSchemaRow | None:
    """Return the schema of custom events with this id, or None."""
    row = await conn.fetchrow(
        f"SELECT {_EVENT} FROM event_schemas WHERE project_id = $1 AND id = $2", project_id, schema_id
    )
    return None if row is None else _row(EventSchemaRow, row)


async def insert_event_schema(
    conn: Connection,
    project_id: int,
    schema_id: str,
    name: str,
    properties: Mapping[str, Definition],
    offset: timedelta,
) -> None:
    """Add a schema of custom events; the caller has seen that there is none of this name."""
    await conn.execute(
        "INSERT INTO event_schemas (project_id, id, name, properties, created_at) "
        f"SELECT $1, $2, $3, $4, {_NOW.format('$5')}",
        project_id,
        schema_id,
        name,
        _stored(properties),
        offset,
    )


async def update_event_schema(
    conn: Connection, project_id: int, schema_id: str, properties: Mapping[str, Definition], offset: timedelta
) -> None:
    """Change a schema of custom events."""
    await conn.execute(
        f"UPDATE event_schemas SET properties = $3, updated_at = {_NOW.format('$4')} WHERE project_id = $1 AND id = $2",
        project_id,
        schema_id,
        _stored(properties),
        offset,
    )


async def delete_event_schema(conn: Connection, project_id: int, schema_id: str) -> None:
    """Remove a schema of custom events for good."""
    await conn.execute("DELETE FROM event_schemas WHERE project_id = $1 AND id = $2", project_id, schema_id)
