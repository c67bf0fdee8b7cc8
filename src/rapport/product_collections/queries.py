"""All SQL of collections of products."""

from collections.abc import Collection as AnyCollection
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from rapport.core.db import Connection, columns
from rapport.http.lists import Found, ListSpec, Page
from rapport.http.queries import fetch_page
from rapport.product_collections import filters
from rapport.product_collections.models import STATIC, Collection, Item, Member
from rapport.segments.sql import Condition, compile_rows
from rapport.segments.tree import Group

COLLECTIONS = ListSpec(
    data_ref="data",
    table="product_collections",
    row=Collection,
    orders={"created_at": "created_at", "updated_at": "coalesce(updated_at, created_at)", "name": "name"},
    default_order="-created_at",
)
ITEMS = ListSpec(
    data_ref="data",
    table="products",
    row=Item,
    orders={"created_at": "r.created_at", "updated_at": "coalesce(r.updated_at, r.created_at)"},
    default_order="-created_at",
    cursor="r.created_at",
)
_COLUMNS = columns(Collection)
_ITEM = ", ".join(f"r.{name}" for name in Item.__struct_fields__)

# Every product and SKU that is not in the bin, as a row `r` that filters look at. The indexes are the keys.
_ROWS: Final = """(
    SELECT project_id, 'product' COLLATE "C" AS object, id, NULL::text COLLATE "C" AS product_id, source_id, name,
        price, NULL::text COLLATE "C" AS currency, attributes, metadata, image_url, created_at, updated_at,
        COALESCE((SELECT jsonb_agg(jsonb_build_object('sku_id', s.id, 'sku_source_id', s.source_id, 'sku', s.sku))
            FROM skus AS s WHERE s.project_id = p.project_id AND s.product_id = p.id AND s.binned_as IS NULL),
            '[]') AS skus
    FROM products AS p WHERE binned_as IS NULL
    UNION ALL
    SELECT project_id, 'sku', id, product_id, source_id, sku, price, currency, attributes, metadata, image_url,
        created_at, updated_at, '[]' FROM skus WHERE binned_as IS NULL
) AS r"""
# What is in some collections at once: the collections, who is in those that are STATIC, and what filters look at.
_WHERE: Final = f"""
SELECT date_trunc('milliseconds', clock_timestamp()) AS now, time_zone,
    (SELECT jsonb_agg(jsonb_build_array(id, filter::text)) FROM product_collections
        WHERE project_id = $1 AND id = ANY ($3) AND filter IS NOT NULL) AS filters,
    (SELECT jsonb_agg(jsonb_build_array(collection_id, coalesce(sku_id, product_id))) FROM product_collection_members
        WHERE project_id = $1 AND collection_id = ANY ($3)
            AND (sku_id = ANY ($2) OR (product_id = ANY ($2) AND sku_id IS NULL))) AS members,
    (SELECT jsonb_agg(to_jsonb(r)) FROM {_ROWS} WHERE r.project_id = $1 AND r.id = ANY ($2)) AS items
FROM projects WHERE project_id = $1
"""


async def insert(conn: Connection, project_id: int, collection: Collection) -> None:
    """Insert a collection. Raises UniqueViolation for its name."""
    await conn.execute(
        f"INSERT INTO product_collections (project_id, {_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        project_id,
        *msgspec.structs.astuple(collection),
    )


async def add_members(conn: Connection, project_id: int, collection_id: str, members: Sequence[Member]) -> None:
    """Put products and SKUs into a collection."""
    await conn.execute(
        "INSERT INTO product_collection_members (project_id, collection_id, place, product_id, sku_id) "
        "SELECT $1, $2, one.place, one.product_id, one.sku_id "
        "FROM unnest($3::text[], $4::text[]) WITH ORDINALITY AS one (product_id, sku_id, place)",
        project_id,
        collection_id,
        [one.product_id for one in members],
        [one.sku_id for one in members],
    )


async def parents_of(conn: Connection, project_id: int, ids: Sequence[str]) -> dict[str, str | None]:
    """Return which of the products and SKUs there are: a SKU's product, None for a product. They stay until the end."""
    products = await conn.fetch(
        "SELECT id FROM products WHERE project_id = $1 AND id = ANY ($2) AND binned_as IS NULL "
        "ORDER BY id FOR KEY SHARE",
        project_id,
        ids,
    )
    skus = await conn.fetch(
        "SELECT id, product_id FROM skus WHERE project_id = $1 AND id = ANY ($2) AND binned_as IS NULL "
        "ORDER BY id FOR KEY SHARE",
        project_id,
        ids,
    )
    return {row["id"]: None for row in products} | {row["id"]: row["product_id"] for row in skus}


async def find(conn: Connection, project_id: int, collection_id: str, *, lock: bool = False) -> Collection | None:
    """Return the collection with this id, locked against its users if asked for, or None."""
    suffix = " FOR UPDATE" if lock else ""
    row = await conn.fetchrow(
        f"SELECT {_COLUMNS} FROM product_collections WHERE project_id = $1 AND id = $2{suffix}",
        project_id,
        collection_id,
    )
    return None if row is None else Collection(*row)


async def hold(conn: Connection, project_id: int, ids: AnyCollection[str]) -> set[str]:
    """Return those of the collections that there are; none is deleted before the transaction ends."""
    if not ids:
        return set()
    rows = await conn.fetch(
        "SELECT id FROM product_collections WHERE project_id = $1 AND id = ANY ($2) ORDER BY id FOR KEY SHARE",
        project_id,
        sorted(ids),
    )
    return {row["id"] for row in rows}


async def update(conn: Connection, project_id: int, collection: Collection) -> None:
    """Write a locked collection. Raises UniqueViolation for its name."""
    await conn.execute(
        "UPDATE product_collections SET name = $3, filter = $4, updated_at = $5 WHERE project_id = $1 AND id = $2",
        project_id,
        collection.id,
        collection.name,
        collection.filter,
        collection.updated_at,
    )


async def remove(conn: Connection, project_id: int, collection_id: str) -> None:
    """Delete a collection."""
    await conn.execute("DELETE FROM product_collections WHERE project_id = $1 AND id = $2", project_id, collection_id)


async def list_page(conn: Connection, project_id: int, page: Page) -> Found[Collection]:
    """Return one page of collections."""
    return await fetch_page(conn, COLLECTIONS, project_id, page)


async def members_of(conn: Connection, project_id: int, ids: Sequence[str]) -> dict[str, list[Member]]:
    """Return what is in STATIC collections, in their order, without what is in the bin."""
    rows = await conn.fetch(
        "SELECT m.collection_id, m.product_id, m.sku_id FROM product_collection_members AS m "
        "JOIN products AS p ON p.project_id = $1 AND p.id = m.product_id AND p.binned_as IS NULL "
        "LEFT JOIN skus AS s ON s.project_id = $1 AND s.id = m.sku_id AND s.binned_as IS NULL "
        "WHERE m.project_id = $1 AND m.collection_id = ANY ($2) AND (m.sku_id IS NULL OR s.id IS NOT NULL) "
        "ORDER BY m.collection_id, m.place",
        project_id,
        ids,
    )
    found: dict[str, list[Member]] = {collection_id: [] for collection_id in ids}
    for row in rows:
        found[row["collection_id"]].append(Member(row["product_id"], row["sku_id"]))
    return found


def _condition(collection: Collection, root: Group | None, now: datetime, zone_name: str) -> Condition:
    """Return what holds for the rows `r` in a collection, with placeholders from $2 on."""
    if root is not None:
        return compile_rows(root, now=now, zone_name=zone_name, first_parameter=2)
    members = (
        "SELECT coalesce(m.sku_id, m.product_id) FROM product_collection_members AS m "
        "WHERE m.project_id = $1 AND m.collection_id = $2::text"
    )
    return Condition(f"r.id = ANY (ARRAY({members}))", [collection.id])


async def list_items(
    conn: Connection, project_id: int, collection: Collection, page: Page, now: datetime, zone_name: str
) -> Found[Item]:
    """Return one page of the products and SKUs that are in a collection at `now`."""
    root = None if collection.type == STATIC else filters.parse(collection.filter)
    condition = _condition(collection, root, now, zone_name)
    parameters = [project_id, *condition.parameters]
    total = await conn.fetchval(
        f"SELECT count(*) FROM {_ROWS} WHERE r.project_id = $1 AND ({condition.text})", *parameters
    )
    comparison, direction = ("<", "DESC") if page.descending else (">", "ASC")
    places = [f"${len(parameters) + place}" for place in (1, 2, 3)]
    column = ITEMS.orders[page.order]
    rows = await conn.fetch(
        f"SELECT {_ITEM} FROM {_ROWS} WHERE r.project_id = $1 AND ({condition.text}) "
        f"AND ({places[0]}::timestamptz IS NULL OR {column} {comparison} {places[0]}::timestamptz) "
        f"ORDER BY {column} {direction}, r.id {direction} LIMIT {places[1]} OFFSET {places[2]}",
        *parameters,
        page.starting_after,
        page.limit + 1,
        (page.page - 1) * page.limit,
    )
    return Found([Item(*row) for row in rows[: page.limit]], total, len(rows) > page.limit)


async def products_of(conn: Connection, project_id: int, ids: Sequence[str]) -> dict[str, Item]:
    """Return products by their ids, as items."""
    rows = await conn.fetch(
        f"SELECT {_ITEM} FROM {_ROWS} WHERE r.project_id = $1 AND r.id = ANY ($2) AND r.object = 'product'",
        project_id,
        ids,
    )
    return {row["id"]: Item(*row) for row in rows}


async def collections_of(
    conn: Connection,
    project_id: int,
    product_ids: AnyCollection[str],
    sku_ids: AnyCollection[str],
    collection_ids: AnyCollection[str],
    *,
    now: datetime | None = None,
) -> Mapping[str, frozenset[str]]:
    """Return, for each of the products and SKUs by its id, which of the collections it is in; in one statement.

    What is in an AUTO_UPDATE collection is what its filter holds for at `now` (that of the database without one). A SKU
    is in a collection by itself: a product brings none of its SKUs along. What is not in the catalogue is in none.
    """
    ids = sorted({*product_ids, *sku_ids})
    found: dict[str, set[str]] = {one: set() for one in ids}
    if not ids or not collection_ids:
        return {one: frozenset() for one in ids}
    row = await conn.fetchrow(_WHERE, project_id, ids, sorted(collection_ids))
    items = {one.id: one for one in (_item(raw) for raw in row["items"] or ())}
    for collection_id, item_id in row["members"] or ():
        if item_id in items:
            found[item_id].add(collection_id)
    at, zone = now or row["now"], ZoneInfo(row["time_zone"])
    for collection_id, text in row["filters"] or ():
        root = filters.parsed(text)
        for item in items.values():
            if filters.matches(root, item, at, zone):
                found[item.id].add(collection_id)
    return {one: frozenset(names) for one, names in found.items()}


def _item(raw: dict[str, Any]) -> Item:
    return msgspec.convert(raw, Item)


async def read_moment(conn: Connection, project_id: int, offset: Any) -> tuple[datetime, str]:
    """Return the time, the clock moved by `offset`, and the project's zone."""
    row = await conn.fetchrow(
        "SELECT date_trunc('milliseconds', clock_timestamp() + $2::interval) AS now, time_zone "
        "FROM projects WHERE project_id = $1",
        project_id,
        offset,
    )
    return row["now"], row["time_zone"]
