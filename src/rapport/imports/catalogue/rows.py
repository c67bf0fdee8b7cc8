"""Rows of products and SKUs, applied to the catalogue, and undone."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar

import msgspec

from rapport.core import jsons
from rapport.core.errors import RapportError
from rapport.customers.writes import Unit
from rapport.imports.catalogue.columns import PRODUCTS, SKUS, SkuRow
from rapport.imports.histories.tables import JsonLines, Said, Table, failed, reader
from rapport.imports.models import Done, Options, RowFailed
from rapport.imports.stored import without_shown
from rapport.products import queries
from rapport.products.actions import Known, Saved, save_products, save_skus
from rapport.products.models import Product, Sku
from rapport.products.queries import PRODUCT_ROWS, SKU_ROWS, Rows

Thing = TypeVar("Thing", Product, Sku)
Changes = dict[str, list[Any]] | None
_FIELDS: Final = ("source_id", "name", "sku", "price", "currency", "image_url", "attributes")


class Products:
    """Products, as the engine of imports knows them."""

    ndjson = False

    async def reader(self, unit: Unit, header: Sequence[str], options: Options, *, lines: bool) -> Table | JsonLines:
        """Make sense of a header. Raises UnusableFile."""
        return await reader(PRODUCTS, unit, header, options, lines=lines)

    async def apply(self, unit: Unit, said: Sequence[Said], options: Options) -> list[Done | RowFailed]:
        """Create and change the products that rows are about, in their order."""
        _ = options
        inputs = await _new_metadata(unit, PRODUCT_ROWS, [one.data for one in said])
        saved = await save_products(unit, inputs)
        return [_outcome(outcome, one.headers) for one, outcome in zip(said, saved, strict=True)]

    async def undo(
        self, unit: Unit, done: Sequence[tuple[str, Changes]], request_ids: list[str]
    ) -> list[tuple[str, str | None]]:
        """Remove the products that the import made, unless more was done with them, and give the others back theirs."""
        _ = request_ids
        made = [subject for subject, changes in done if changes is None]
        kept = dict.fromkeys(await queries.with_skus(unit.conn, unit.project_id, made), "The product has SKUs by now")
        return await _undo(unit, PRODUCT_ROWS, done, kept)


class Skus:
    """SKUs, as the engine of imports knows them."""

    ndjson = False

    async def reader(self, unit: Unit, header: Sequence[str], options: Options, *, lines: bool) -> Table | JsonLines:
        """Make sense of a header. Raises UnusableFile."""
        return await reader(SKUS, unit, header, options, lines=lines)

    async def apply(self, unit: Unit, said: Sequence[Said], options: Options) -> list[Done | RowFailed]:
        """Create and change the SKUs that rows are about, in their order."""
        _ = options
        parents = sorted({str(one.data.product_id) for one in said})
        locked = await queries.find_all(unit.conn, PRODUCT_ROWS, unit.project_id, parents, parents, lock=True)
        known = Known(locked)
        inputs: Sequence[SkuRow] = await _new_metadata(unit, SKU_ROWS, [one.data for one in said])
        found = [known.find(row.product_id, None) or known.find(None, row.product_id) for row in inputs]
        named = [(parent, row) for parent, row in zip(found, inputs, strict=True) if parent is not None]
        saved = iter(await save_skus(unit, named))
        return [
            RowFailed(f"There is no product with the id {one.data.product_id}", one.headers.get("product_id"))
            if parent is None
            else _outcome(next(saved), one.headers)
            for one, parent in zip(said, found, strict=True)
        ]

    async def undo(
        self, unit: Unit, done: Sequence[tuple[str, Changes]], request_ids: list[str]
    ) -> list[tuple[str, str | None]]:
        """Remove the SKUs that the import made, unless they were changed since, and give the others back theirs."""
        _ = request_ids
        return await _undo(unit, SKU_ROWS, done, {})


async def _new_metadata(unit: Unit, rows: Rows[Thing], inputs: Sequence[Any]) -> list[Any]:
    """Return rows without metadata that is how files show what is stored."""
    telling = [one for one in inputs if one.metadata]
    ids = [one.id for one in telling if one.id is not None]
    names = [one.source_id for one in telling if one.source_id is not None]
    stored = await queries.find_all(unit.conn, rows, unit.project_id, ids, names) if telling else []
    known = Known(stored)
    found = []
    for one in inputs:
        before = known.find(one.id, one.source_id)
        if before is None or not one.metadata:
            found.append(one)
        else:
            found.append(msgspec.structs.replace(one, metadata=without_shown(one.metadata, before.metadata)))
    return found


def _outcome(saved: Saved[Thing] | RapportError, headers: Mapping[str, str]) -> Done | RowFailed:
    if isinstance(saved, RapportError):
        return failed(saved, headers)
    before, after = saved
    if before is None:
        return Done("created", after.id, None)
    if after is before:
        return Done("unchanged", after.id, {})
    return Done("updated", after.id, _changes(before, after))


def _changes(before: Thing, after: Thing) -> dict[str, list[Any]]:
    """Return by path what a value was and what it is now; null where there is none."""
    found: dict[str, list[Any]] = {}
    for name in _FIELDS:
        old, new = getattr(before, name, None), getattr(after, name, None)
        if not jsons.alike(old, new):
            found[name] = [old, new]
    for key in before.metadata.keys() | after.metadata.keys():
        old, new = before.metadata.get(key), after.metadata.get(key)
        if not jsons.alike(old, new):
            found[f"metadata.{key}"] = [old, new]
    return found


async def _undo(
    unit: Unit, rows: Rows[Thing], done: Sequence[tuple[str, Changes]], kept: Mapping[str, str]
) -> list[tuple[str, str | None]]:
    await unit.open()
    ids = sorted(subject for subject, _ in done)
    locked = {one.id: one for one in await queries.find_all(unit.conn, rows, unit.project_id, ids, [], lock=True)}
    outcomes: list[tuple[str, str | None]] = []
    gone: list[str] = []
    changed: list[Thing] = []
    for subject, changes in done:
        thing = locked.get(subject)
        if thing is None:
            outcomes.append(("GONE", None))
        elif changes is not None:
            after, outcome = _restored(thing, changes)
            changed.append(msgspec.structs.replace(after, updated_at=unit.now))
            outcomes.append(outcome)
        elif thing.updated_at is not None or subject in kept:
            outcomes.append(("KEPT", kept.get(subject, "It was changed since the import made it")))
        else:
            gone.append(subject)
            outcomes.append(("DELETED", None))
    if changed:
        await queries.update(unit.conn, rows, unit.project_id, changed)
    if gone:
        await queries.remove(unit.conn, rows, unit.project_id, gone)
    return outcomes


def _restored(thing: Thing, changes: Mapping[str, list[Any]]) -> tuple[Thing, tuple[str, str | None]]:
    """Return a thing with each value back that is still what the import set, and what came of it."""
    values: dict[str, Any] = {}
    metadata = dict(thing.metadata)
    kept = []
    for path, (before, after) in changes.items():
        group, _, key = path.partition(".")
        current = metadata.get(key) if key else getattr(thing, group)
        if not jsons.alike(current, after):
            kept.append(path)
        elif not key:
            values[group] = before
        elif before is None:
            del metadata[key]
        else:
            metadata[key] = before
    restored = msgspec.structs.replace(thing, **values, metadata=metadata)
    if not kept:
        return restored, ("RESTORED", None)
    outcome = "KEPT" if len(kept) == len(changes) else "PARTLY"
    return restored, (outcome, f"Changed since: {', '.join(sorted(kept))}")
