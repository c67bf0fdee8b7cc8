"""Metadata schemas as values: which keys the metadata of a resource may have, and of what type."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Literal, get_args

import msgspec

Type = Literal["string", "number", "boolean", "date", "datetime", "image_url", "object", "geopoint"]
TYPES: Final[tuple[str, ...]] = get_args(Type)
EventType = Literal["string", "number", "date", "datetime", "boolean"]

STANDARD: Final = (
    "campaign",
    "customer",
    "earning_rule",
    "loyalty_tier",
    "order",
    "order_item",
    "product",
    "promotion_tier",
    "publication",
    "redemption",
    "reward",
    "voucher",
)
"""The resources that have metadata; a schema of any other name describes an object inside of metadata."""

UNKNOWN_OBJECT: Final = "unknown"
"""The `object_type` of an object that may hold anything."""


class Definition(msgspec.Struct, frozen=True, kw_only=True):
    """What is said about one key. `purge` is the action that is just removing the key's values."""

    type: Type
    optional: bool = True
    array: bool = False
    deleted: bool = False
    object_type: str | None = None
    eq: tuple[Any, ...] | None = None
    ne: tuple[Any, ...] | None = None
    lt: Decimal | None = None
    lte: Decimal | None = None
    gt: Decimal | None = None
    gte: Decimal | None = None
    min_length: int | None = None
    max_length: int | None = None
    exact_length: int | None = None
    purge: str | None = None


@dataclass(frozen=True, slots=True)
class Schema:
    """The definitions of one kind of metadata, by key; `nested` are the custom objects that they name.

    `active` are those that count (not removed), `required` the keys that must be there.
    """

    name: str
    properties: Mapping[str, Definition]
    allow_defined_only: bool = False
    nested: Mapping[str, "Schema"] = field(default_factory=dict)
    active: Mapping[str, Definition] = field(init=False, repr=False, compare=False)
    required: tuple[str, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        active = {key: one for key, one in self.properties.items() if not one.deleted}
        object.__setattr__(self, "active", active)
        object.__setattr__(self, "required", tuple(key for key, one in active.items() if not one.optional))


@dataclass(frozen=True, slots=True)
class Schemas:
    """All schemas of a project as of one moment."""

    resources: Mapping[str, Schema] = field(default_factory=dict)
    events: Mapping[str, Schema] = field(default_factory=dict)

    def of(self, resource: str) -> Schema | None:
        """Return the schema of a resource's metadata, None where any metadata will do."""
        return self.resources.get(resource)

    def event(self, name: str) -> Schema | None:
        """Return the schema of the metadata of events of this name, None where any metadata will do."""
        return self.events.get(name)


NO_SCHEMAS: Final = Schemas()


class SchemaRow(msgspec.Struct, frozen=True, kw_only=True):
    """One metadata schema as it is stored."""

    id: str
    related_object: str
    properties: dict[str, Definition]
    allow_defined_only: bool
    created_at: datetime
    updated_at: datetime | None


class EventSchemaRow(msgspec.Struct, frozen=True, kw_only=True):
    """One schema of custom events as it is stored."""

    id: str
    name: str
    properties: dict[str, Definition]
    created_at: datetime
    updated_at: datetime | None


def link(rows: Mapping[str, tuple[Mapping[str, Definition], bool]]) -> dict[str, Schema]:
    """Return schemas by name, each with the custom objects that its definitions name. Pure."""
    plain = {name: Schema(name, properties, closed) for name, (properties, closed) in rows.items()}
    found = {}
    for name, (properties, closed) in rows.items():
        named = {one.object_type for one in properties.values() if one.object_type is not None}
        nested = {one: plain[one] for one in named if one in plain}
        found[name] = Schema(name, properties, closed, nested) if nested else plain[name]
    return found
