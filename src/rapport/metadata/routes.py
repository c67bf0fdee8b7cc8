"""HTTP operations of metadata schemas and of schemas of custom events."""

from typing import Any

from litestar import Request, Response, Router, delete, get, post, put

from rapport.async_actions.schemas import Accepted
from rapport.core.errors import NotFound, Unauthorized
from rapport.http.bodies import answer, no_content, read_body
from rapport.http.caller import MANAGEMENT_HEADERS, Caller, KeyRing
from rapport.http.openapi import operation
from rapport.metadata import actions, purge, queries
from rapport.metadata.schemas import (
    CopyInput,
    CopyView,
    EventSchemaInput,
    EventSchemaList,
    EventSchemaUpdate,
    EventSchemaView,
    OlderSchemaList,
    OlderSchemaView,
    SchemaInput,
    SchemaList,
    SchemaUpdate,
    SchemaView,
    event_view,
    older_view,
    view,
)
from rapport.projects.access import check_project

_PROJECT = "/management/v1/projects/{project_id:str}"
_SCHEMAS = f"{_PROJECT}/metadata-schemas"
_EVENTS = f"{_PROJECT}/custom-event-schemas"


@get("/v1/metadata-schemas", opt=operation("list-metadata-schemas", answer=OlderSchemaList))
async def list_older(caller: Caller) -> Response[bytes]:
    """List the metadata schemas of the project."""
    async with caller.db.read() as conn:
        rows = await queries.list_schemas(conn, caller.project_id)
    return answer(OlderSchemaList(schemas=[older_view(row) for row in rows], total=len(rows)))


@get("/v1/metadata-schemas/{resource:str}", opt=operation("get-metadata-schema", answer=OlderSchemaView))
async def get_older(resource: str, caller: Caller) -> Response[bytes]:
    """Get the metadata schema of a resource, such as customer, or of a custom object."""
    async with caller.db.read() as conn:
        row = await queries.find_schema_of(conn, caller.project_id, resource)
    if row is None:
        raise NotFound(actions.SCHEMA, resource)
    return answer(older_view(row))


@post(
    _SCHEMAS,
    status_code=200,
    opt=operation("create-metadata-schema", body=SchemaInput, answer=SchemaView, management=True),
)
async def create_schema(request: Request[Any, Any, Any], project_id: str, management_caller: Caller) -> Response[bytes]:
    """Define the metadata of a resource, or of a custom object that others may hold."""
    await check_project(management_caller, project_id)
    data = await read_body(request, SchemaInput)
    return answer(view(await actions.create(management_caller.db, management_caller.project_id, data)))


@get(_SCHEMAS, opt=operation("list-metadata-schemas-1", answer=SchemaList, management=True))
async def list_schemas(project_id: str, management_caller: Caller) -> Response[bytes]:
    """List the metadata schemas of the project."""
    await check_project(management_caller, project_id)
    async with management_caller.db.read() as conn:
        rows = await queries.list_schemas(conn, management_caller.project_id)
    return answer(SchemaList(data=[view(row) for row in rows], total=len(rows)))


@get(_SCHEMAS + "/{schema_id:str}", opt=operation("get-metadata-schema-1", answer=SchemaView, management=True))
async def get_schema(project_id: str, schema_id: str, management_caller: Caller) -> Response[bytes]:
    """Get a metadata schema by its id."""
    await check_project(management_caller, project_id)
    async with management_caller.db.read() as conn:
        return answer(view(await actions.get_schema(conn, management_caller.project_id, schema_id)))


@put(
    _SCHEMAS + "/{schema_id:str}",
    opt=operation("update-metadata-schema", body=SchemaUpdate, answer=SchemaView, management=True),
)
async def update_schema(
    request: Request[Any, Any, Any], project_id: str, schema_id: str, management_caller: Caller
) -> Response[bytes]:
    """Add, change, remove or restore definitions; those that the body leaves out stay.

    A definition that is given replaces all that was said about its key; its type cannot change.
    """
    await check_project(management_caller, project_id)
    data = await read_body(request, SchemaUpdate)
    return answer(view(await actions.update(management_caller.db, management_caller.project_id, schema_id, data)))


@delete(_SCHEMAS + "/{schema_id:str}", status_code=204, opt=operation("delete-metadata-schema", management=True))
async def delete_schema(project_id: str, schema_id: str, management_caller: Caller) -> Response[None]:
    """Delete a metadata schema for good; the values of resources stay."""
    await check_project(management_caller, project_id)
    await actions.delete(management_caller.db, management_caller.project_id, schema_id)
    return no_content()


@post(
    _SCHEMAS + "/{schema_id:str}/properties/{name:str}/purge",
    status_code=202,
    opt=operation("purge-metadata-property", answer=Accepted, management=True),
)
async def purge_property(project_id: str, schema_id: str, name: str, management_caller: Caller) -> Response[bytes]:
    """Purge a removed definition (an addition): the key's values go from all resources, then the definition.

    It is done in the background; the asynchronous action tells how far it is.
    """
    await check_project(management_caller, project_id)
    action_id = await purge.request(management_caller.db, management_caller, schema_id, name)
    return answer(Accepted(async_action_id=action_id), 202)


@post(
    _EVENTS,
    status_code=200,
    opt=operation("create-custom-event-schema", body=EventSchemaInput, answer=EventSchemaView, management=True),
)
async def create_event_schema(
    request: Request[Any, Any, Any], project_id: str, management_caller: Caller
) -> Response[bytes]:
    """Define the metadata of custom events of a name."""
    await check_project(management_caller, project_id)
    data = await read_body(request, EventSchemaInput)
    return answer(event_view(await actions.create_event(management_caller.db, management_caller.project_id, data)))


@get(_EVENTS, opt=operation("list-custom-event-schemas", answer=EventSchemaList, management=True))
async def list_event_schemas(project_id: str, management_caller: Caller) -> Response[bytes]:
    """List the schemas of custom events of the project."""
    await check_project(management_caller, project_id)
    async with management_caller.db.read() as conn:
        rows = await queries.list_event_schemas(conn, management_caller.project_id)
    return answer(EventSchemaList(data=[event_view(row) for row in rows], total=len(rows)))


@get(_EVENTS + "/{schema_id:str}", opt=operation("get-custom-event-schema", answer=EventSchemaView, management=True))
async def get_event_schema(project_id: str, schema_id: str, management_caller: Caller) -> Response[bytes]:
    """Get a schema of custom events by its id."""
    await check_project(management_caller, project_id)
    async with management_caller.db.read() as conn:
        return answer(event_view(await actions.get_event_schema(conn, management_caller.project_id, schema_id)))


@put(
    _EVENTS + "/{schema_id:str}",
    opt=operation("update-custom-event-schema", body=EventSchemaUpdate, answer=EventSchemaView, management=True),
)
async def update_event_schema(
    request: Request[Any, Any, Any], project_id: str, schema_id: str, management_caller: Caller
) -> Response[bytes]:
    """Add, change, remove or restore properties of a custom event; those that the body leaves out stay."""
    await check_project(management_caller, project_id)
    data = await read_body(request, EventSchemaUpdate)
    row = await actions.update_event(management_caller.db, management_caller.project_id, schema_id, data)
    return answer(event_view(row))


@delete(_EVENTS + "/{schema_id:str}", status_code=204, opt=operation("delete-custom-event-schema", management=True))
async def delete_event_schema(project_id: str, schema_id: str, management_caller: Caller) -> Response[None]:
    """Delete a schema of custom events for good; events stay as they are."""
    await check_project(management_caller, project_id)
    await actions.delete_event(management_caller.db, management_caller.project_id, schema_id)
    return no_content()


@post(
    _PROJECT + "/schemas/copy",
    status_code=200,
    opt=operation("copy-schemas", body=CopyInput, answer=CopyView, management=True),
)
async def copy_schemas(request: Request[Any, Any, Any], project_id: str, management_caller: Caller) -> Response[bytes]:
    """Copy all schemas of another project into this one (an addition); the body holds a management key to that one."""
    await check_project(management_caller, project_id)
    source = (await read_body(request, CopyInput)).source
    ring: KeyRing = request.app.state.key_ring
    key, _ = await ring.check(source.management_id, source.management_token, MANAGEMENT_HEADERS)
    if key.kind != "management":
        raise Unauthorized(f"A {key.kind} key may not call this operation")
    return answer(await actions.copy(management_caller.db, key.project_id, management_caller.project_id))


router = Router(
    "/",
    route_handlers=[
        list_older,
        get_older,
        create_schema,
        list_schemas,
        get_schema,
        update_schema,
        delete_schema,
        purge_property,
        create_event_schema,
        list_event_schemas,
        get_event_schema,
        update_event_schema,
        delete_event_schema,
        copy_schemas,
    ],
)
