"""Rows of customers, applied through the write path, and undone."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import msgspec

from rapport.core import jsons
from rapport.core.clock import LATEST
from rapport.core.db import Restart
from rapport.core.errors import RapportError
from rapport.core.ids import new_ids
from rapport.customers.many import find_or_make
from rapport.customers.models import ADDRESS_FIELDS, Customer
from rapport.customers.schemas import apply
from rapport.customers.writes import Unit
from rapport.imports.customers import queries
from rapport.imports.customers.columns import CustomerColumns, Said
from rapport.imports.models import Done, Options, RowFailed
from rapport.imports.stored import without_shown
from rapport.metadata.models import Schema
from rapport.metadata.values import MetadataInvalid, check

_FIELDS = ("source_id", "name", "description", "email", "phone", "birthdate")
_CREATED = "The customer has changed since"


def is_person(subject_id: str) -> bool:
    """Tell whether a subject of an import is a customer, by its id."""
    return subject_id.startswith("cust_") and "/" not in subject_id


class Customers:
    """Customers, as the engine of imports knows them."""

    ndjson = False

    async def reader(self, unit: Unit, header: Sequence[str], options: Options, *, lines: bool) -> CustomerColumns:
        """Make sense of a header. Raises UnusableFile."""
        _ = lines
        await unit.open()
        return CustomerColumns(header, options, unit.moment.schemas.of("customer"), unit.now)

    async def apply(self, unit: Unit, said: Sequence[Said], options: Options) -> list[Done | RowFailed]:
        """Create and update the customers that rows are about, in their order."""
        _ = options
        batch = _Batch(unit, said)
        await batch.find()
        return [batch.apply(number) for number in range(len(said))]

    async def undo(
        self, unit: Unit, done: Sequence[tuple[str, dict[str, list[Any]] | None]], request_ids: list[str]
    ) -> list[tuple[str, str | None]]:
        """Delete whom the import made, and give the others back the values that are still those of the import."""
        locked = {one.id: one for one in await unit.lock_all(sorted(subject for subject, _ in done))}
        made = [subject for subject, changes in done if changes is None and subject in locked]
        touched = await queries.touched_since(unit.conn, unit.project_id, made, request_ids)
        outcomes: list[tuple[str, str | None]] = []
        for subject, changes in done:
            if subject not in locked:
                outcomes.append(("GONE", None))
            elif changes is not None:
                outcomes.append(_restore(unit, locked[subject], changes))
            elif subject in touched:
                outcomes.append(("KEPT", f"{_CREATED} the import made them: {touched[subject]}"))
            else:
                outcomes.append(("DELETED", None))
        gone = [locked[who] for (who, _), (outcome, _) in zip(done, outcomes, strict=True) if outcome == "DELETED"]
        if gone:
            await unit.delete(*gone)
        return outcomes


class _Batch:
    """Some rows, and the customers that they are about."""

    def __init__(self, unit: Unit, said: Sequence[Said]) -> None:
        self._unit, self._said = unit, said
        self._fresh: list[Customer | RowFailed | None] = [None] * len(said)
        self._ids: list[str] = []
        self._by_id: dict[str, Customer] = {}
        self._by_source: dict[str, Customer] = {}
        self._schema: Schema | None = None

    async def find(self) -> None:
        """Lock those who are there, make those who are not. Raises Restart where the schema is another by then."""
        await self._unit.open()
        self._schema = self._unit.moment.schemas.of("customer")
        by_source: dict[str, int] = {}
        ids: list[str] = []
        names: list[str] = []
        nameless: list[Customer] = []
        for number, (one, _) in enumerate(self._said):
            if one.source_id is not None:
                names.append(one.source_id)
            if one.id is not None:
                ids.append(one.id)
            elif one.source_id is not None:
                by_source.setdefault(one.source_id, number)
            else:
                made = self._make(number)
                nameless += [] if made is None else [made]

        def make(source_id: str) -> Customer | None:
            number = by_source.get(source_id)
            return None if number is None else self._make(number)

        self._by_id, self._by_source = await find_or_make(self._unit, set(ids), set(names), make, nameless)
        if self._unit.moment.schemas.of("customer") != self._schema:
            raise Restart

    def _new_id(self) -> str:
        """Return a new id; they are drawn by the hundred."""
        self._ids = self._ids or new_ids("cust", 100)
        return self._ids.pop()

    def _make(self, number: int) -> Customer | None:
        one, created_at = self._said[number]
        blank = Customer(id=self._new_id(), created_at=created_at or LATEST, updated_at=LATEST, source="CSV")
        try:
            said = apply(one, blank)
            fresh = msgspec.structs.replace(said, metadata=check(self._schema, said.metadata))
        except RapportError as error:
            self._fresh[number] = _failed(error)
            return None
        self._fresh[number] = fresh
        return fresh

    def apply(self, number: int) -> Done | RowFailed:
        """Apply a row."""
        one = self._said[number].input
        fresh = self._fresh[number]
        if isinstance(fresh, RowFailed):
            return fresh
        found = self._find(one.id, one.source_id, fresh)
        if isinstance(found, RowFailed):
            return found
        unit = self._unit
        if fresh is not None and unit.was_made(fresh.id) and found.id == fresh.id:
            unit.announce(found.id)
            return Done("created", found.id, None)
        before = unit.get(found.id)
        if one.metadata:
            one = msgspec.structs.replace(one, metadata=without_shown(one.metadata, before.metadata))
        try:
            unit.change(found.id, one)
        except RapportError as error:
            return _failed(error)
        after = unit.get(found.id)
        if after is before:
            return Done("unchanged", found.id, {})
        return Done("updated", found.id, changes_of(before, after))

    def _find(self, customer_id: str | None, source_id: str | None, fresh: Customer | None) -> Customer | RowFailed:
        """Return the customer that a row is about."""
        if customer_id is not None:
            found = self._by_id.get(customer_id)
            if found is None:
                return RowFailed(f"There is no customer with the id {customer_id}", "id")
            other = None if source_id is None else self._by_source.get(source_id)
            if other is not None and other.id != customer_id:
                return RowFailed(f"Another customer has the source_id {source_id}", "source_id")
            return found
        found = self._by_source.get(source_id) if source_id is not None else None
        found = found or (self._by_id.get(fresh.id) if fresh is not None else None)
        return found or RowFailed("An earlier row about the same customer could not be read")


def _failed(error: RapportError) -> RowFailed:
    column = error.place.removeprefix(".metadata.").partition(".")[0] if isinstance(error, MetadataInvalid) else None
    return RowFailed(error.details, column)


def changes_of(before: Customer, after: Customer) -> dict[str, list[Any]]:
    """Return by path what a value was and what it is now, for what an import can set; null where there is none."""
    changes: dict[str, list[Any]] = {}
    for name in _FIELDS:
        old, new = getattr(before, name), getattr(after, name)
        if old != new:
            changes[name] = [_plain(old), _plain(new)]
    for group, keys in (("address", ADDRESS_FIELDS), ("metadata", before.metadata.keys() | after.metadata.keys())):
        one, other = getattr(before, group), getattr(after, group)
        if one is not other:
            for key in keys:
                old, new = one.get(key), other.get(key)
                if old is not new and not jsons.alike(old, new):
                    changes[f"{group}.{key}"] = [old, new]
    return changes


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, str) else value.isoformat()


def _restore(unit: Unit, customer: Customer, changes: dict[str, list[Any]]) -> tuple[str, str | None]:
    """Give back each value that is still what the import set."""
    fields: dict[str, Any] = {"address": dict(customer.address), "metadata": dict(customer.metadata)}
    kept = []
    for path, (before, after) in changes.items():
        group, _, key = path.partition(".")
        current = fields[group].get(key) if key else _plain(getattr(customer, group))
        if not jsons.alike(current, after):
            kept.append(path)
        elif not key:
            fields[group] = _date(before) if group == "birthdate" else before
        elif before is None:
            del fields[group][key]
        else:
            fields[group][key] = before
    unit.set(msgspec.structs.replace(customer, **fields))
    if not kept:
        return "RESTORED", None
    return "KEPT" if len(kept) == len(changes) else "PARTLY", f"Changed since: {', '.join(sorted(kept))}"


def _date(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)
