"""Customers that rows of orders and events name."""

from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from rapport.activity.log import IMPORT, Internal
from rapport.customers import queries
from rapport.customers.writes import Unit
from rapport.imports.customers.rows import changes_of

Changes = Mapping[str, dict[str, list[Any]] | None]


async def unknown(unit: Unit, ids: Collection[str]) -> set[str]:
    """Return those of the ids by which no customer is known."""
    if not ids:
        return set()
    locked = await queries.lock_named(unit.conn, unit.project_id, sorted(ids))
    missing = set(ids) - {one.id for one in locked} - {one.source_id for one in locked if one.source_id is not None}
    aliases = await queries.find_aliases(unit.conn, unit.project_id, sorted(missing)) if missing else {}
    return missing - aliases.keys()


def changed(unit: Unit) -> Changes:
    """Return what a unit has done to customers along the way, for its undoing."""
    found: dict[str, dict[str, list[Any]] | None] = {}
    for before, after in unit.touched():
        if before is None:
            found[after.id] = None
        elif changes := changes_of(before, after):
            found[after.id] = changes
    return found


def sign_as_past(unit: Unit) -> None:
    """Mark what a unit logs as told about the past; what it says of segments is as its `turned_by` says."""
    source = unit.signature.source
    past = msgspec.structs.replace(source, reason=IMPORT.reason)
    unit.turned_by = unit.turned_by or source
    unit.signature = Internal(unit.project_id, unit.signature.request_id, past)
