"""Writes of the catalogue: some products or SKUs at a time, each created or changed."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Generic, NamedTuple, TypeVar

import msgspec

from rapport.activity.log import Signature
from rapport.core.db import Restart, UniqueViolation
from rapport.core.errors import DuplicateFound, InvalidPayload, NotFound, RapportError
from rapport.core.ids import new_id
from rapport.customers.writes import Unit, Writer
from rapport.products import queries
from rapport.products.models import Product, Sku
from rapport.products.queries import PRODUCT_ROWS, SKU_ROWS, Rows
from rapport.products.schemas import (
    ProductInput,
    SkuInput,
    apply_product,
    apply_sku,
    blank_product,
    blank_sku,
    checked,
    differs,
)

Thing = TypeVar("Thing", Product, Sku)


class Saved(NamedTuple, Generic[Thing]):
    """What became of a thing: as it was (None: it is new), and as it is."""

    before: Thing | None
    after: Thing


class Known(Generic[Thing]):
    """Things as they are now, by id and by source id; the id wins."""

    def __init__(self, things: Sequence[Thing]) -> None:
        """Begin with what is stored."""
        self.by_id: dict[str, Thing] = {}
        self._by_source: dict[str, str] = {}
        for one in things:
            self.keep(one)

    def keep(self, thing: Thing) -> None:
        """Note what has become of a thing."""
        self.by_id[thing.id] = thing
        if thing.source_id is not None:
            self._by_source[thing.source_id] = thing.id

    def find(self, thing_id: str | None, source_id: str | None) -> Thing | None:
        """Return the thing with this id or, where none is given, with this source id."""
        if thing_id is not None:
            return self.by_id.get(thing_id)
        found = None if source_id is None else self.by_id.get(self._by_source.get(source_id, ""))
        return found if found is not None and found.source_id == source_id else None


async def write(unit: Unit, rows: Rows[Thing], stored: Mapping[str, Thing], now: Mapping[str, Thing]) -> None:
    """Write things that are new, and locked ones that are others than stored. Raises Restart where one came first."""
    made = [one for one in now.values() if one.id not in stored]
    changed = [one for one in now.values() if one.id in stored and one is not stored[one.id]]
    if made and not await queries.insert(unit.conn, rows, unit.project_id, made):
        raise Restart
    if changed:
        await queries.update(unit.conn, rows, unit.project_id, changed)


async def save_products(unit: Unit, inputs: Sequence[ProductInput]) -> list[Saved[Product] | RapportError]:
    """Create or change products, in their order; one that cannot be is answered with the error, not raised.

    A product is named by `id` (which must exist) or `source_id` (made when unknown); without either a new one is made.
    """

    def apply(change: ProductInput, current: Product | None) -> Product:
        return apply_product(change, current or blank_product(new_id("prod"), unit.now))

    return await _save(unit, PRODUCT_ROWS, inputs, apply, "product")


async def save_skus(unit: Unit, inputs: Sequence[tuple[Product, SkuInput]]) -> list[Saved[Sku] | RapportError]:
    """As `save_products`, for SKUs of locked products. A SKU stays with its product."""
    parents = {id(change): product for product, change in inputs}

    def apply(change: SkuInput, current: Sku | None) -> Sku:
        product = parents[id(change)]
        if current is not None and current.product_id != product.id:
            details = f"The SKU {change.id or change.source_id} is one of another product"
            raise DuplicateFound("sku", current.id, details)
        return apply_sku(change, current or blank_sku(new_id("sku"), product.id, unit.now))

    return await _save(unit, SKU_ROWS, [change for _, change in inputs], apply, "sku")


Change = TypeVar("Change", ProductInput, SkuInput)


async def _save(
    unit: Unit,
    rows: Rows[Thing],
    inputs: Sequence[Change],
    apply: Callable[[Change, Thing | None], Thing],
    kind: str,
) -> list[Saved[Thing] | RapportError]:
    await unit.open()
    ids = [one.id for one in inputs if one.id is not None]
    source_ids = [one.source_id for one in inputs if one.source_id is not None]
    stored = await queries.find_all(unit.conn, rows, unit.project_id, ids, source_ids, lock=True)
    known = Known(stored)
    outcomes: list[Saved[Thing] | RapportError] = []
    for change in inputs:
        before = known.find(change.id, change.source_id)
        try:
            if before is None and change.id is not None:
                raise NotFound(kind, change.id)
            named = None if change.source_id is None else known.find(None, change.source_id)
            if before is not None and named is not None and named.id != before.id:
                raise DuplicateFound(kind, str(change.source_id))
            after = checked(apply(change, before), before, unit.moment.schemas)
        except RapportError as error:
            outcomes.append(error)
            continue
        if before is not None:
            after = msgspec.structs.replace(after, updated_at=unit.now) if differs(before, after) else before
        known.keep(after)
        outcomes.append(Saved(before, after))
    await write(unit, rows, {one.id: one for one in stored}, known.by_id)
    return outcomes


def one(outcomes: Sequence[Saved[Thing] | RapportError]) -> Thing:
    """Return what became of the only thing. Raises what it was refused for."""
    (found,) = outcomes
    if isinstance(found, RapportError):
        raise found
    return found.after


async def commit(
    writer: Writer, signature: Signature, work: Callable[[Unit], Awaitable[Thing]], kind: str, source_id: str | None
) -> Thing:
    """Commit a unit that saves one thing. Raises DuplicateFound where another takes its source id meanwhile."""
    try:
        return await writer.commit(signature, work)
    except UniqueViolation as error:
        raise DuplicateFound(kind, str(source_id)) from error


async def create_product(unit: Unit, change: ProductInput) -> Product:
    """Create a product or change the one with the same id or source id (`create-product`). Raises NotFound."""
    return one(await save_products(unit, [change]))


async def get_product(unit: Unit, reference: str) -> Product:
    """Lock and return the product with this id or source id. Raises NotFound."""
    product = await queries.find(unit.conn, PRODUCT_ROWS, unit.project_id, reference, lock=True)
    if product is None:
        raise NotFound("product", reference)
    return product


async def update_product(unit: Unit, reference: str, change: ProductInput) -> Product:
    """Change the product with this id or source id, but not its ids (`update-product`). Raises NotFound."""
    product = await get_product(unit, reference)
    return one(await save_products(unit, [msgspec.structs.replace(change, id=product.id, source_id=None)]))


async def save_sku(unit: Unit, product_reference: str, change: SkuInput, reference: str | None = None) -> Sku:
    """Create a SKU or change the one with the same id or source id (`create-sku`, `update-sku`).

    `reference`: the id or source id of one that has to be there, and keeps its ids. Raises NotFound, DuplicateFound.
    """
    product = await get_product(unit, product_reference)
    if reference is not None:
        sku = await queries.find(unit.conn, SKU_ROWS, unit.project_id, reference)
        if sku is None or sku.product_id != product.id:
            raise NotFound("sku", reference)
        change = msgspec.structs.replace(change, id=sku.id, source_id=None)
    return one(await save_skus(unit, [(product, change)]))


def look_at(data: ProductInput) -> ProductInput:
    """Return a product of a bulk update as it is kept: named by its source id. Raises InvalidPayload."""
    if data.source_id is None:
        raise InvalidPayload("Missing required property .source_id")
    return msgspec.structs.replace(data, id=None)
