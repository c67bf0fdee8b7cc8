"""Metadata schemas and schemas of custom events on the wire.

The operations of the management API write the names of rules with underscores, `GET /v1/metadata-schemas` as the older
operations of the reference do (`objectType`, `minLength`).
"""

from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from rapport.core.clock import iso
from rapport.metadata.models import Definition, EventSchemaRow, EventType, SchemaRow, Type

Name = Annotated[str, Meta(min_length=1, max_length=255)]
Listed = list[str | int | float | bool | None]


class DefinitionInput(msgspec.Struct, kw_only=True):
    """`ManagementProjectsMetadataSchemaDefinition` of the reference; what is left out has its default."""

    type: Type
    optional: bool | None = None
    array: bool | None = None
    deleted: bool | None = None
    object_type: Annotated[str, Meta(max_length=255)] | None = None
    eq: Listed | None = None
    ne: Listed | None = None
    lt: float | int | None = None
    lte: float | int | None = None
    gt: float | int | None = None
    gte: float | int | None = None
    min_length: int | None = None
    max_length: int | None = None
    exact_length: int | None = None


class SchemaInput(msgspec.Struct, kw_only=True):
    """`ManagementProjectsMetadataSchemasCreateRequestBody` of the reference."""

    related_object: Name
    properties: dict[str, DefinitionInput]
    allow_defined_only: bool | None = None


class SchemaUpdate(msgspec.Struct, kw_only=True):
    """`ManagementProjectsMetadataSchemasUpdateRequestBody` of the reference; `properties` may be left out."""

    properties: dict[str, DefinitionInput] | None = None
    allow_defined_only: bool | None = None


class EventDefinitionInput(msgspec.Struct, kw_only=True):
    """One property of a schema of custom events in a request."""

    type: EventType
    optional: bool | None = None
    deleted: bool | None = None


class EventPropertiesInput(msgspec.Struct, kw_only=True):
    """The `schema` of a schema of custom events in a request."""

    properties: dict[str, EventDefinitionInput]


class EventSchemaInput(msgspec.Struct, kw_only=True):
    """`ManagementProjectsCustomEventSchemasCreateRequestBody` of the reference."""

    name: Annotated[str, Meta(min_length=1, max_length=300)]
    schema: EventPropertiesInput


class EventSchemaUpdate(msgspec.Struct, kw_only=True):
    """`ManagementProjectsCustomEventSchemasUpdateRequestBody` of the reference."""

    schema: EventPropertiesInput


class Credentials(msgspec.Struct, kw_only=True):
    """The management key of another project: what its `X-Management-Id` and `X-Management-Token` would be."""

    management_id: Name
    management_token: Name


class CopyInput(msgspec.Struct, kw_only=True):
    """From which project schemas are copied (an addition)."""

    source: Credentials


class CopyView(msgspec.Struct, kw_only=True):
    """What was copied: the resources and custom objects, and the names of events."""

    metadata_schemas: list[str]
    custom_event_schemas: list[str]


class DefinitionView(msgspec.Struct, kw_only=True):
    """A definition as the management API shows it."""

    type: Type
    array: bool
    optional: bool
    object_type: str | None
    deleted: bool | UnsetType = UNSET
    eq: Listed | UnsetType = UNSET
    ne: Listed | UnsetType = UNSET
    lt: float | int | UnsetType = UNSET
    lte: float | int | UnsetType = UNSET
    gt: float | int | UnsetType = UNSET
    gte: float | int | UnsetType = UNSET
    min_length: int | UnsetType = UNSET
    max_length: int | UnsetType = UNSET
    exact_length: int | UnsetType = UNSET


class OlderDefinitionView(msgspec.Struct, kw_only=True, rename="camel"):
    """`MetadataSchemaDefinitionDeprecated` of the reference: the same in its older spelling."""

    type: Type
    array: bool
    optional: bool
    object_type: str | None
    deleted: bool | UnsetType = UNSET
    eq: Listed | UnsetType = UNSET
    ne: Listed | UnsetType = UNSET
    lt: float | int | UnsetType = UNSET
    lte: float | int | UnsetType = UNSET
    gt: float | int | UnsetType = UNSET
    gte: float | int | UnsetType = UNSET
    min_length: int | UnsetType = UNSET
    max_length: int | UnsetType = UNSET
    exact_length: int | UnsetType = UNSET


class SchemaView(msgspec.Struct, kw_only=True):
    """`ManagementProjectsMetadataSchema` of the reference."""

    id: str
    related_object: str
    properties: dict[str, DefinitionView]
    allow_defined_only: bool
    created_at: str
    updated_at: str | None
    object: Literal["metadata_schema"] = "metadata_schema"


class OlderSchemaView(msgspec.Struct, kw_only=True):
    """`MetadataSchemaDeprecated` of the reference."""

    id: str
    related_object: str
    properties: dict[str, OlderDefinitionView]
    allow_defined_only: bool
    created_at: str
    updated_at: str | None
    object: Literal["metadata_schema"] = "metadata_schema"


class SchemaList(msgspec.Struct, kw_only=True):
    """All metadata schemas of a project, as the management API lists them."""

    data: list[SchemaView]
    total: int
    object: Literal["list"] = "list"
    data_ref: Literal["data"] = "data"


class OlderSchemaList(msgspec.Struct, kw_only=True):
    """`MetadataSchemasListResponseBody` of the reference."""

    schemas: list[OlderSchemaView]
    total: int
    object: Literal["list"] = "list"
    data_ref: Literal["schemas"] = "schemas"


class EventDefinitionView(msgspec.Struct, kw_only=True):
    """One property of a schema of custom events."""

    type: EventType
    optional: bool
    deleted: bool | UnsetType = UNSET


class EventPropertiesView(msgspec.Struct, kw_only=True):
    """The properties of a schema of custom events."""

    properties: dict[str, EventDefinitionView]


class EventSchemaView(msgspec.Struct, kw_only=True):
    """`ManagementProjectsCustomEventSchema` of the reference; `updated_at` is there once it was changed."""

    id: str
    name: str
    schema: EventPropertiesView
    created_at: str
    updated_at: str | UnsetType = UNSET
    object: Literal["custom-event-schema"] = "custom-event-schema"


class EventSchemaList(msgspec.Struct, kw_only=True):
    """All schemas of custom events of a project."""

    data: list[EventSchemaView]
    total: int
    object: Literal["list"] = "list"
    data_ref: Literal["data"] = "data"


_RULES = ("eq", "ne", "lt", "lte", "gt", "gte", "min_length", "max_length", "exact_length")


def _values(one: Definition) -> dict[str, Any]:
    shown: dict[str, Any] = {name: _plain(getattr(one, name)) for name in _RULES if getattr(one, name) is not None}
    shown |= {"type": one.type, "array": one.array, "optional": one.optional, "object_type": one.object_type}
    return {**shown, "deleted": True} if one.deleted else shown


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else value
    return list(value) if isinstance(value, tuple) else value


def view(row: SchemaRow) -> SchemaView:
    """Return a metadata schema as the management API shows it."""
    properties = {key: DefinitionView(**_values(one)) for key, one in row.properties.items()}
    return SchemaView(properties=properties, **_frame(row))


def older_view(row: SchemaRow) -> OlderSchemaView:
    """Return a metadata schema as `GET /v1/metadata-schemas` shows it."""
    properties = {key: OlderDefinitionView(**_values(one)) for key, one in row.properties.items()}
    return OlderSchemaView(properties=properties, **_frame(row))


def _frame(row: SchemaRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "related_object": row.related_object,
        "allow_defined_only": row.allow_defined_only,
        "created_at": iso(row.created_at),
        "updated_at": None if row.updated_at is None else iso(row.updated_at),
    }


def event_view(row: EventSchemaRow) -> EventSchemaView:
    """Return a schema of custom events."""
    properties = {}
    for key, one in row.properties.items():
        kind = msgspec.convert(one.type, EventType)
        properties[key] = EventDefinitionView(type=kind, optional=one.optional, deleted=True if one.deleted else UNSET)
    return EventSchemaView(
        id=row.id,
        name=row.name,
        schema=EventPropertiesView(properties=properties),
        created_at=iso(row.created_at),
        updated_at=UNSET if row.updated_at is None else iso(row.updated_at),
    )
