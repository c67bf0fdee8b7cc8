"""Customers that rows of orders and events name."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec

from rapport.activity.log import IMPORT, Internal
from rapport.core.db import Restart
from rapport.customers import queries
from rapport.customers.writes import Unit
from rapport.imports.customers.rows import Customers, changes_of, is_person
from rapport.imports.histories.tables import Said
from rapport.imports.models import Done, RowFailed

Undone = tuple[str, dict[str, list[Any]] | None]
Changes = Mapping[str, dict[str, list[Any]] | None]


async def unknown(unit: Unit, ids: Collection[str]) -> set[str]:
    """Return those of the ids by which no customer is known."""
    if not ids:
        return set()
    locked = await queries.lock_named(unit.conn, unit.project_id, sorted(ids))
    missing = set(ids) - {one.id for one in locked} - {one.source_id for one in locked if one.source_id is not None}
    aliases = await queries.find_aliases(unit.conn, unit.project_id, sorted(missing)) if missing else {}
    return missing - aliases.keys()


def _changed(unit: Unit) -> Changes:
    """Return what a unit has done to customers along the way, for its undoing."""
    found: dict[str, dict[str, list[Any]] | None] = {}
    for before, after in unit.touched():
        if before is None:
            found[after.id] = None
        elif changes := changes_of(before, after):
            found[after.id] = changes
    return found


def with_people(unit: Unit, outcomes: list[Done | RowFailed]) -> list[Done | RowFailed]:
    """Return outcomes, of which one says what was done to customers along the way."""
    also = _changed(unit)
    for place, one in enumerate(outcomes):
        if also and isinstance(one, Done):
            outcomes[place] = one._replace(also=also)
            break
    return outcomes


async def begin(unit: Unit, said: Sequence[Said]) -> None:
    """Begin to apply rows. Raises Restart where the schemas that they were read by are others by now."""
    sign_as_past(unit)
    await unit.open()
    if unit.moment.schemas != said[0].schemas:
        raise Restart


async def undo_people(unit: Unit, done: Sequence[Undone], request_ids: list[str]) -> dict[str, tuple[str, str | None]]:
    """Undo what was done to those of the subjects that are customers, by subject."""
    people = [one for one in done if is_person(one[0])]
    found = await Customers().undo(unit, people, request_ids) if people else []
    return {subject: outcome for (subject, _), outcome in zip(people, found, strict=True)}


def sign_as_past(unit: Unit) -> None:
    """Mark what a unit logs as told about the past; what it says of segments is as its `turned_by` says."""
    source = unit.signature.source
    past = msgspec.structs.replace(source, reason=IMPORT.reason)
    unit.turned_by = unit.turned_by or source
    unit.signature = Internal(unit.project_id, unit.signature.request_id, past)
