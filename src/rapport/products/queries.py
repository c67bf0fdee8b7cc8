"""All SQL of the catalogue."""

from collections.abc import Sequence
from typing import Any, Generic, TypeVar

import msgspec

from rapport.core import jsons
from rapport.core.db import Connection, columns
from rapport.http.lists import Found, From, ListSpec, Page, Until
from rapport.http.queries import fetch_page
from rapport.products.models import Product, Sku

Thing = TypeVar("Thing", Product, Sku)

_FILTERS = {"start_date": From("created_at"), "end_date": Until("created_at")}
_ORDERS = {"created_at": "created_at", "updated_at": "coalesce(updated_at, created_at)"}
PRODUCTS = ListSpec(
    data_ref="products",
    table="products",
    row=Product,
    orders={**_ORDERS, "name": "name", "price": "price", "source_id": "source_id"},
    default_order="created_at",
    filters=_FILTERS,
)
SKUS = ListSpec(
    data_ref="skus",
    table="skus",
    row=Sku,
    orders={**_ORDERS, "sku": "sku", "price": "price", "source_id": "source_id"},
    default_order="created_at",
    filters=_FILTERS,
)
VISIBLE = "binned_as IS NULL"
_TYPES = {"price": "bigint", "attributes": "jsonb", "metadata": "jsonb"} | dict.fromkeys(
    ("created_at", "updated_at"), "timestamptz"
)

# A product or SKU as it stands in what an order names.
_NAMED = """
WITH s AS (
    SELECT * FROM skus WHERE project_id = $1 AND binned_as IS NULL AND (id = ANY ($4) OR source_id = ANY ($5))
), p AS (
    SELECT * FROM products WHERE project_id = $1 AND binned_as IS NULL
        AND (id = ANY ($2::text[] || ARRAY(SELECT product_id FROM s)) OR source_id = ANY ($3))
)
SELECT {products}, NULL FROM p UNION ALL SELECT {skus}, currency FROM s
"""


# The statements about either kind of thing: `{names}` are its fields, `{rows}` some rows as arrays of these.
_FIND = "SELECT {names} FROM {table} WHERE project_id = $1 AND binned_as IS NULL AND "
_INSERT = "INSERT INTO {table} (project_id, {names}) SELECT $1, one.* FROM {rows} ON CONFLICT DO NOTHING"
_UPDATE = (
    "UPDATE {table} SET {sets} FROM {rows} WHERE {table}.project_id = $1 AND {table}.id = one.id "
    "AND {table}.binned_as IS NULL"
)
_BIN = "UPDATE {table} SET binned_as = $3 WHERE project_id = $1 AND id = $2 AND binned_as IS NULL"
_SHOW = "UPDATE {table} SET binned_as = NULL WHERE project_id = $1 AND id = $2 AND binned_as = $3"
_REMOVE = "DELETE FROM {table} WHERE project_id = $1 AND id = ANY ($2)"
_PURGE = (
    "WITH part AS (SELECT id, metadata FROM {table} WHERE project_id = $1 AND id > $2 ORDER BY id LIMIT $4), "
    "changed AS (UPDATE {table} AS one SET metadata = one.metadata - $3 FROM part "
    "WHERE one.project_id = $1 AND one.id = part.id AND part.metadata ? $3 RETURNING one.id) "
    "SELECT (SELECT max(id) FROM part), (SELECT count(*) FROM changed)"
)


class Rows(Generic[Thing]):
    """The statements about one kind of thing; two of them, made once from names in this source."""

    def __init__(self, kind: type[Thing], table: str) -> None:
        """Write the statements for the struct's fields."""
        self.kind: type[Thing] = kind
        self.columns = columns(kind)
        names = kind.__struct_fields__
        arrays = [f"${place}::{_TYPES.get(name, 'text')}[]" for place, name in enumerate(names, start=2)]
        parts = {
            "table": table,
            "names": self.columns,
            "rows": f"unnest({', '.join(arrays)}) AS one ({self.columns})",
            "sets": ", ".join(f"{name} = one.{name}" for name in names if name not in ("id", "created_at")),
        }
        self.find, self.insert, self.update = (one.format(**parts) for one in (_FIND, _INSERT, _UPDATE))
        self.bin, self.show = (one.format(**parts) for one in (_BIN, _SHOW))
        self.remove, self.purge = (one.format(**parts) for one in (_REMOVE, _PURGE))


PRODUCT_ROWS = Rows(Product, "products")
SKU_ROWS = Rows(Sku, "skus")
_FIND_NAMED = _NAMED.format(
    products=(
        "id, NULL AS product_id, source_id, name, price, attributes, metadata, image_url, created_at, updated_at, "
        "'product' AS object"
    ),
    skus="id, product_id, source_id, sku, price, attributes, metadata, image_url, created_at, updated_at, 'sku'",
)


def _element(value: Any) -> Any:
    """Return a value as it stands in an array: a list of its own would be taken for a further dimension."""
    return msgspec.Raw(jsons.encode(value)) if isinstance(value, list) else value


def _arrays(rows: Rows[Thing], things: Sequence[Thing]) -> list[list[Any]]:
    return [[_element(getattr(one, name)) for one in things] for name in rows.kind.__struct_fields__]


async def find(
    conn: Connection, rows: Rows[Thing], project_id: int, reference: str, *, lock: bool = False
) -> Thing | None:
    """Return the thing with this id or source id (the id wins), locked if asked for, or None."""
    found = await find_all(conn, rows, project_id, [reference], [reference], lock=lock)
    return next((one for one in found if one.id == reference), found[0] if found else None)


async def find_all(
    conn: Connection,
    rows: Rows[Thing],
    project_id: int,
    ids: Sequence[str],
    source_ids: Sequence[str],
    *,
    lock: bool = False,
) -> list[Thing]:
    """Return the things with these ids or source ids in the order of their ids, locked in it if asked for."""
    suffix = " FOR NO KEY UPDATE" if lock else ""
    found = await conn.fetch(
        f"{rows.find}(id = ANY ($2) OR source_id = ANY ($3)) ORDER BY id{suffix}", project_id, ids, source_ids
    )
    return [rows.kind(*row) for row in found]


async def find_named(
    conn: Connection,
    project_id: int,
    products: tuple[Sequence[str], Sequence[str]],
    skus: tuple[Sequence[str], Sequence[str]],
) -> tuple[list[Product], list[Sku]]:
    """Return the products and the SKUs with these ids or source ids, and the products of these SKUs.

    One statement; the indexes are the keys and products_by_source_id, skus_by_source_id.
    """
    found_products, found_skus = [], []
    for row in await conn.fetch(_FIND_NAMED, project_id, *products, *skus):
        one, parent, source_id, name, price, attributes, metadata, image_url, made, changed, kind, currency = row
        if kind == "product":
            found_products.append(Product(one, source_id, name, price, attributes, metadata, image_url, made, changed))
        else:
            found_skus.append(
                Sku(one, parent, source_id, name, price, currency, attributes, metadata, image_url, made, changed)
            )
    return found_products, found_skus


async def insert(conn: Connection, rows: Rows[Thing], project_id: int, things: Sequence[Thing]) -> bool:
    """Insert things in the order of their source ids; return False if one of these was taken in the meantime."""
    ordered = sorted(things, key=lambda one: (one.source_id or "", one.id))
    done = await conn.execute(rows.insert, project_id, *_arrays(rows, ordered))
    return int(done.rpartition(" ")[2]) == len(things)


async def update(conn: Connection, rows: Rows[Thing], project_id: int, things: Sequence[Thing]) -> None:
    """Write locked rows."""
    await conn.execute(rows.update, project_id, *_arrays(rows, things))


async def list_products(conn: Connection, project_id: int, page: Page) -> Found[Product]:
    """Return one page of products."""
    return await fetch_page(conn, PRODUCTS, project_id, page, conditions=((VISIBLE, ()),))


async def list_skus(conn: Connection, project_id: int, product_id: str, page: Page) -> Found[Sku]:
    """Return one page of a product's SKUs; the index is skus_of_product."""
    where = {"product_id": product_id}
    return await fetch_page(conn, SKUS, project_id, page, where=where, conditions=((VISIBLE, ()),))


async def first_skus(
    conn: Connection, project_id: int, product_ids: Sequence[str], most: int
) -> dict[str, tuple[list[Sku], int]]:
    """Return the first SKUs of each product, and how many it has in all; the index is skus_of_product."""
    rows = await conn.fetch(
        f"SELECT {SKU_ROWS.columns}, total FROM (SELECT *, count(*) OVER part AS total, "
        "row_number() OVER (PARTITION BY product_id ORDER BY created_at, id) AS place FROM skus "
        "WHERE project_id = $1 AND product_id = ANY ($2) AND binned_as IS NULL "
        "WINDOW part AS (PARTITION BY product_id)) AS one WHERE place <= $3 ORDER BY product_id, created_at, id",
        project_id,
        product_ids,
        most,
    )
    found: dict[str, tuple[list[Sku], int]] = {product_id: ([], 0) for product_id in product_ids}
    for row in rows:
        sku, total = Sku(*tuple(row)[:-1]), row["total"]
        found[sku.product_id] = ([*found[sku.product_id][0], sku], total)
    return found


async def hide(conn: Connection, rows: Rows[Thing], project_id: int, thing_id: str, entry_id: str) -> None:
    """Mark a locked thing as being in the bin."""
    await conn.execute(rows.bin, project_id, thing_id, entry_id)


async def hide_skus_of(conn: Connection, project_id: int, product_id: str, entry_id: str) -> None:
    """Mark the SKUs of a product as being in the bin together with it (skus_of_product)."""
    await conn.execute(
        "UPDATE skus SET binned_as = $3 WHERE project_id = $1 AND product_id = $2 AND binned_as IS NULL",
        project_id,
        product_id,
        entry_id,
    )


async def show(conn: Connection, rows: Rows[Thing], project_id: int, thing_id: str, entry_id: str) -> bool:
    """Take a thing out of the bin; return whether it was there. Raises UniqueViolation for a source id in use."""
    return bool(await conn.execute(rows.show, project_id, thing_id, entry_id) == "UPDATE 1")


async def show_skus_of(conn: Connection, project_id: int, product_id: str, entry_id: str) -> None:
    """Take the SKUs out of the bin that went there with their product."""
    await conn.execute(
        "UPDATE skus SET binned_as = NULL WHERE project_id = $1 AND product_id = $2 AND binned_as = $3",
        project_id,
        product_id,
        entry_id,
    )


async def remove(conn: Connection, rows: Rows[Thing], project_id: int, ids: Sequence[str]) -> None:
    """Delete rows for good; what belongs to a product goes with it."""
    await conn.execute(rows.remove, project_id, ids)


async def remove_key(
    conn: Connection, rows: Rows[Thing], project_id: int, key: str, after: str, count: int
) -> tuple[str | None, int]:
    """Remove a key from the metadata of the next `count` rows after an id; return the last, and how many had it."""
    row = await conn.fetchrow(rows.purge, project_id, after, key, count)
    return row[0], row[1]


async def with_skus(conn: Connection, project_id: int, product_ids: Sequence[str]) -> set[str]:
    """Return those of the products that have a SKU, in the bin or not."""
    rows = await conn.fetch(
        "SELECT DISTINCT product_id FROM skus WHERE project_id = $1 AND product_id = ANY ($2)", project_id, product_ids
    )
    return {row["product_id"] for row in rows}
