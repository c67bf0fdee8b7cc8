"""What the items of orders name in the catalogue: filled in from it, and kept in it where they `override` it.

Read once for all items; then decided purely, order after order; then written. What is only read is not locked, so that
orders of one product do not wait for each other: of overrides, only those that change something take the row.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from rapport.core.db import Connection, Restart
from rapport.core.errors import InvalidPayload, NotFound
from rapport.core.ids import new_id
from rapport.customers.writes import Unit
from rapport.metadata.models import Schemas
from rapport.orders.schemas import ItemInput, OrderInput, ProductInput, SkuInput
from rapport.products import queries
from rapport.products.actions import Known, write
from rapport.products.models import MAX_PRICE, Product, Sku
from rapport.products.queries import PRODUCT_ROWS, SKU_ROWS
from rapport.products.schemas import blank_product, blank_sku, checked, differs, merged

Thing = TypeVar("Thing", Product, Sku)
_Said = ProductInput | SkuInput


@dataclass(frozen=True, slots=True)
class _Names:
    """What an item calls its product and its SKU."""

    product_id: str | None
    product_source_id: str | None
    sku_id: str | None
    sku_source_id: str | None

    @property
    def names_sku(self) -> bool:
        return self.sku_id is not None or self.sku_source_id is not None


def _names(item: ItemInput) -> _Names:
    product, sku = item.product or ProductInput(), item.sku or SkuInput()
    is_sku = item.related_object == "sku"
    return _Names(
        product_id=item.product_id or product.id or None,
        product_source_id=product.source_id or (None if is_sku else item.source_id) or None,
        sku_id=item.sku_id or sku.id or None,
        sku_source_id=sku.source_id or (item.source_id if is_sku else None) or None,
    )


def _items(inputs: Iterable[OrderInput]) -> Iterator[ItemInput]:
    for data in inputs:
        if isinstance(data.items, list):
            yield from data.items


@dataclass(slots=True)
class Catalogue:
    """The products and SKUs that some orders name: as they are stored, and as the orders leave them."""

    stored_products: dict[str, Product] = field(default_factory=dict)
    stored_skus: dict[str, Sku] = field(default_factory=dict)
    products: Known[Product] = field(default_factory=lambda: Known[Product](()))
    skus: Known[Sku] = field(default_factory=lambda: Known[Sku](()))

    @classmethod
    def of(cls, products: Sequence[Product], skus: Sequence[Sku]) -> "Catalogue":
        """Return a catalogue of these."""
        return cls({one.id: one for one in products}, {one.id: one for one in skus}, Known(products), Known(skus))

    def filled(
        self, data: OrderInput, schemas: Schemas, now: datetime, *, keep: bool = True
    ) -> tuple[OrderInput, "Draft"]:
        """Return an order whose items say what the catalogue says where they say nothing themselves.

        With `keep`, the draft has what items override; it is as if nothing was said until it is kept. Pure; raises
        NotFound, InvalidPayload.
        """
        draft = Draft(self, schemas, now)
        if not isinstance(data.items, list) or not any(_is_about(item) for item in data.items):
            return data, draft
        items = [draft.filled(place, item, keep=keep) for place, item in enumerate(data.items)]
        return msgspec.structs.replace(data, items=items), draft

    def keep(self, draft: "Draft") -> None:
        """Note what an order overrides, to be written by `write`."""
        for product in draft.products.values():
            self.products.keep(product)
        for sku in draft.skus.values():
            self.skus.keep(sku)

    @property
    def changed(self) -> tuple[list[str], list[str]]:
        """The ids of stored products and SKUs that orders leave otherwise, new SKUs of products among it."""
        parents = {one.product_id for one in self.skus.by_id.values() if one.id not in self.stored_skus}
        products = [
            one for one, row in self.stored_products.items() if self.products.by_id[one] is not row or one in parents
        ]
        skus = [one for one, row in self.stored_skus.items() if self.skus.by_id[one] is not row]
        return sorted(products), sorted(skus)

    async def write(self, unit: Unit) -> None:
        """Write what orders override; the changed rows are locked. Raises Restart where a new one came first."""
        await write(unit, PRODUCT_ROWS, self.stored_products, self.products.by_id)
        await write(unit, SKU_ROWS, self.stored_skus, self.skus.by_id)


def _is_about(item: ItemInput) -> bool:
    """Tell whether an item names anything at all."""
    names = _names(item)
    return any((names.product_id, names.product_source_id, names.sku_id, names.sku_source_id)) or _overrides(item)


def _overrides(item: ItemInput) -> bool:
    return any(one is not None and one.override is True for one in (item.product, item.sku))


class Draft:
    """One order against the catalogue: what it overrides, until all of it is known to do."""

    def __init__(self, catalogue: Catalogue, schemas: Schemas, now: datetime) -> None:
        """Begin with nothing overridden."""
        self._catalogue, self._schemas, self._now = catalogue, schemas, now
        self.products: dict[str, Product] = {}
        self.skus: dict[str, Sku] = {}
        self._names: dict[tuple[str, str], str] = {}

    def _product(self, thing_id: str | None, source_id: str | None) -> Product | None:
        return self._find(self._catalogue.products, self.products, "product", thing_id, source_id)

    def _sku(self, thing_id: str | None, source_id: str | None) -> Sku | None:
        return self._find(self._catalogue.skus, self.skus, "sku", thing_id, source_id)

    def _find(
        self, known: Known[Thing], own: dict[str, Thing], kind: str, thing_id: str | None, source_id: str | None
    ) -> Thing | None:
        """Return what is named: by the id, or else by the source id."""
        found = None if thing_id is None else own.get(thing_id) or known.find(thing_id, None)
        if found is None and source_id is not None:
            found = own.get(self._names.get((kind, source_id), "")) or known.find(None, source_id)
        return None if found is None else own.get(found.id, found)

    def filled(self, place: int, item: ItemInput, *, keep: bool) -> ItemInput:
        """Return an item with what is known of its product and its SKU; a known SKU is of its own product."""
        names, path = _names(item), f".items[{place}]"
        sku = self._sku(names.sku_id, names.sku_source_id) if names.names_sku else None
        product = self._product(names.product_id, names.product_source_id)
        overrides = keep and item.product is not None and item.product.override
        if sku is not None and not (overrides and product is not None):
            product = self._product(sku.product_id, None) or product
        if keep and item.product is not None and item.product.override:
            product = self._override_product(item.product, product, names, f"{path}.product")
            item = msgspec.structs.replace(item, product=None)
        if keep and item.sku is not None and item.sku.override:
            sku = self._override_sku(item.sku, sku, product, names, f"{path}.sku")
            item = msgspec.structs.replace(item, sku=None)
        return _told(item, product, sku)

    def _override_product(self, said: ProductInput, current: Product | None, names: _Names, path: str) -> Product:
        source_id = names.product_source_id
        if current is None:
            _check_nameable("product", names.product_id, source_id, path)
        before = current or msgspec.structs.replace(blank_product(new_id("prod"), self._now), source_id=source_id)
        after = msgspec.structs.replace(
            before,
            name=said.name or before.name,
            price=_price(said, before.price, path),
            metadata=merged(before.metadata, said.metadata, f"{path}.metadata"),
        )
        after = self._settled(after, current, path)
        self.products[after.id] = after
        if source_id is not None and current is None:
            self._names["product", source_id] = after.id
        return after

    def _override_sku(
        self, said: SkuInput, current: Sku | None, product: Product | None, names: _Names, path: str
    ) -> Sku:
        source_id = names.sku_source_id
        if current is None:
            _check_nameable("sku", names.sku_id, source_id, path)
            if product is None:
                raise InvalidPayload(f"Property {path} is new: the item should name the product that it is of")
        parent = current.product_id if current is not None else product.id if product is not None else ""
        before = current or msgspec.structs.replace(blank_sku(new_id("sku"), parent, self._now), source_id=source_id)
        after = msgspec.structs.replace(
            before,
            sku=said.sku or before.sku,
            price=_price(said, before.price, path),
            metadata=merged(before.metadata, said.metadata, f"{path}.metadata"),
        )
        after = self._settled(after, current, path)
        self.skus[after.id] = after
        if source_id is not None and current is None:
            self._names["sku", source_id] = after.id
        return after

    def _settled(self, after: Thing, current: Thing | None, path: str) -> Thing:
        """Return a thing as it is to be stored: the very one that is stored, where nothing is different."""
        after = checked(after, current, self._schemas, f"{path}.metadata")
        if current is None:
            return after
        return msgspec.structs.replace(after, updated_at=self._now) if differs(after, current) else current


def _check_nameable(kind: str, thing_id: str | None, source_id: str | None, path: str) -> None:
    """Raise what is wrong where something new has no source id to be known by."""
    if source_id is None and thing_id is not None:
        raise NotFound(kind, thing_id)
    if source_id is None:
        raise InvalidPayload(f"Property {path} overrides something: it should have id or source_id")
    if not 1 <= len(source_id) <= 255:
        raise InvalidPayload(f"Property {path}.source_id should have 1 to 255 characters")


def _price(said: _Said, current: int | None, path: str) -> int | None:
    if said.price is None:
        return current
    price = round(said.price)
    if not 0 <= price <= MAX_PRICE:
        raise InvalidPayload(f"Property {path}.price is out of range")
    return price


def _told(item: ItemInput, product: Product | None, sku: Sku | None) -> ItemInput:
    """Return an item with what the catalogue says; what the item says itself stays."""
    if product is not None:
        said = item.product or ProductInput()
        item = msgspec.structs.replace(
            item,
            product_id=product.id,
            product=ProductInput(
                id=product.id,
                source_id=product.source_id,
                name=said.name if said.name is not None else product.name,
                price=said.price if said.price is not None else product.price,
                metadata=_both(product.metadata, said.metadata),
            ),
        )
    if sku is not None:
        spoken = item.sku or SkuInput()
        item = msgspec.structs.replace(
            item,
            sku_id=sku.id,
            sku=SkuInput(
                id=sku.id,
                source_id=sku.source_id,
                sku=spoken.sku if spoken.sku is not None else sku.sku,
                price=spoken.price if spoken.price is not None else sku.price,
                metadata=_both(sku.metadata, spoken.metadata),
            ),
        )
    return item


def _both(stored: dict[str, Any], said: dict[str, Any] | None) -> dict[str, Any]:
    if not said:
        return stored
    return {name: value for name, value in {**stored, **said}.items() if value is not None}


async def read(conn: Connection, project_id: int, inputs: Iterable[OrderInput]) -> Catalogue:
    """Return what the items of orders name in the catalogue; without a statement where they name nothing."""
    product_ids, product_source_ids, sku_ids, sku_source_ids = set(), set(), set(), set()
    for item in _items(inputs):
        names = _names(item)
        product_ids.add(names.product_id)
        product_source_ids.add(names.product_source_id)
        sku_ids.add(names.sku_id)
        sku_source_ids.add(names.sku_source_id)
    sought = [
        sorted(one for one in some if one is not None)
        for some in (product_ids, product_source_ids, sku_ids, sku_source_ids)
    ]
    if not any(sought):
        return Catalogue()
    return Catalogue.of(*await queries.find_named(conn, project_id, (sought[0], sought[1]), (sought[2], sought[3])))


async def lock(unit: Unit, catalogue: Catalogue) -> bool:
    """Lock the rows that orders change; return whether they are still as they were read."""
    products, skus = catalogue.changed
    same = True
    if products:
        rows = await queries.find_all(unit.conn, PRODUCT_ROWS, unit.project_id, products, [], lock=True)
        same = rows == [catalogue.stored_products[one] for one in products]
    if skus:
        found = await queries.find_all(unit.conn, SKU_ROWS, unit.project_id, skus, [], lock=True)
        same = same and found == [catalogue.stored_skus[one] for one in skus]
    return same


async def open_items(unit: Unit, data: OrderInput) -> tuple[OrderInput, Catalogue]:
    """Return an order with its items filled in, and the catalogue with what it overrides, whose rows are locked.

    Raises NotFound, InvalidPayload, and Restart where rows change before they can be locked.
    """
    catalogue = await read(unit.conn, unit.project_id, [data])
    filled, draft = catalogue.filled(data, unit.moment.schemas, unit.now)
    catalogue.keep(draft)
    if not any(catalogue.changed) or await lock(unit, catalogue):
        return filled, catalogue
    locked = await read(unit.conn, unit.project_id, [data])
    filled, draft = locked.filled(data, unit.moment.schemas, unit.now)
    locked.keep(draft)
    if any(set(now) - set(before) for now, before in zip(locked.changed, catalogue.changed, strict=True)):
        raise Restart
    return filled, locked


async def told(conn: Connection, project_id: int, data: OrderInput, schemas: Schemas, now: datetime) -> OrderInput:
    """Return an order that is only thought of with its items filled in; what they override is left as it is."""
    catalogue = await read(conn, project_id, [data])
    return catalogue.filled(data, schemas, now, keep=False)[0]
