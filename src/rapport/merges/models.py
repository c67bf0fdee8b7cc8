"""A merge as a value, and the arithmetic of two profiles: what comes out of a merge, and what an undo leaves."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

import msgspec

from rapport.consents import state as consents
from rapport.core import jsons
from rapport.customers.models import Customer

Status = Literal["DONE", "UNDONE"]
Side = Literal["source", "target"]
DONE: Status = "DONE"
UNDONE: Status = "UNDONE"

FIELDS = ("source_id", "name", "description", "email", "phone", "birthdate", "address")
METADATA = ("metadata", "system_metadata")
# Who somebody is, and what is counted from rows: never taken from the other one.
_FIXED = frozenset(
    {"devices", "marketing", "in_store"}
    | {"id", "created_at", "updated_at", "orders_count", "orders_amount", "last_order_id", "last_order_amount"}
    | {"last_order_at", "last_order_products", "redemptions", "events", *METADATA}
)


class Merge(msgspec.Struct, frozen=True):
    """One row of merges, without what only an undo needs. `counts`: rows moved, by holding."""

    id: str
    status: Status
    source_id: str
    target_id: str
    counts: dict[str, int]
    created_at: datetime
    undone_at: datetime | None


class Profiles(msgspec.Struct, frozen=True):
    """The customer who went, and the one who stayed as they were before and after."""

    source: Customer
    before: Customer
    after: Customer


class Moved(msgspec.Struct, frozen=True):
    """What went over: rows by holding, static segments (`entered`: the new ones), and what led to the source."""

    rows: dict[str, list[str]]
    static: list[str]
    entered: list[str]
    aliases: list[str]


def combined(target: Customer, source: Customer, fields: Mapping[str, Side], metadata: Mapping[str, Side]) -> Customer:
    """Return the target as it comes out: what it has not, it takes from the source; choices go first. Pure.

    An address counts as a whole. `metadata` is chosen key by key. Of consents the newest word counts.
    """
    values: dict[str, Any] = {}
    for name in FIELDS:
        own, other = getattr(target, name), getattr(source, name)
        if name in fields:
            values[name] = other if fields[name] == "source" else own
        else:
            values[name] = own or other
    values["source_id"] = values["source_id"] or target.source_id
    for name in METADATA:
        merged = {**getattr(source, name), **getattr(target, name)}
        if name == "metadata":
            merged |= {key: source.metadata[key] for key, side in metadata.items() if _has(side, key, source)}
        values[name] = merged
    values["consents"] = consents.combined(target.consents, source.consents)
    return msgspec.structs.replace(target, **values)


def _has(side: Side, key: str, source: Customer) -> bool:
    return side == "source" and key in source.metadata


def reverted(current: Customer, profiles: Profiles) -> Customer:
    """Return the target without what the merge brought; what has been changed since then stays. Pure."""
    before, after = profiles.before, profiles.after
    values: dict[str, Any] = {}
    for name in Customer.__struct_fields__:
        if name not in _FIXED and jsons.alike(getattr(current, name), getattr(after, name)):
            values[name] = getattr(before, name)
    for name in METADATA:
        was, came, now = (getattr(one, name) for one in (before, after, current))
        kept = {key: value for key, value in now.items() if key not in came or not jsons.alike(value, came[key])}
        back = {key: was[key] for key in was if key in now and key not in kept}
        values[name] = {**back, **kept}
    return msgspec.structs.replace(current, **values)
