"""The SQL meaning of a collection's filter equals the Python meaning, for products and SKUs.

`RAPPORT_SOAK=1` runs many times as many examples.
"""

import asyncio
import itertools
import os
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from filter_worlds import Pool, _operands, nows, zones
from rapport.core.db import Connection, connect
from rapport.http.lists import Page
from rapport.product_collections import fields, filters, queries
from rapport.product_collections.models import Collection, Item
from rapport.products.models import Product, Sku
from rapport.products.queries import PRODUCT_ROWS, SKU_ROWS, insert
from rapport.segments.filters import InvalidFilter
from rapport.segments.operators import BY_NAME, Presence, Recurring

KEYS = ("a", "b", "a.b")
FIELDS = (*fields.FIXED, "price", "skus", "source_id",
          *(f'{name}."{key}"' for name in ("attributes", "metadata") for key in KEYS),
          "metadata.a.b", "attributes.a.b", "metadata.a", "metadata.b")  # fmt: skip
# What things are called by: here operands are names that there are.
NAMING = ("id", "product_id", "source_id", "skus")
EXAMPLES = 2_000 if os.environ.get("RAPPORT_SOAK") else 80
numbers = itertools.count(1_000)


@dataclass(frozen=True)
class World:
    """Products, SKUs, filters, and a moment."""

    products: list[Product]
    skus: list[Sku]
    filters: list[dict[str, Any]]
    now: datetime
    zone: ZoneInfo

    def items(self) -> list[Item]:
        """Return both as the Python meaning looks at them."""
        found = [
            Item(
                "product", one.id, None, one.source_id, one.name, one.price, None, one.attributes, one.metadata,
                one.image_url,
                [
                    {"sku_id": sku.id, "sku_source_id": sku.source_id, "sku": sku.sku}
                    for sku in self.skus if sku.product_id == one.id
                ],
                one.created_at, one.updated_at,
            )
            for one in self.products
        ]  # fmt: skip
        return found + [
            Item(
                "sku", sku.id, sku.product_id, sku.source_id, sku.sku, sku.price, sku.currency, sku.attributes,
                sku.metadata, sku.image_url, [], sku.created_at, sku.updated_at,
            )
            for sku in self.skus
        ]  # fmt: skip


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Draw a world."""
    now, zone = draw(nows), draw(zones)
    pool = Pool(draw, now)
    maybe = st.none() | pool.texts
    prices = st.none() | st.integers(0, 5) | st.integers(0, 2**53 - 1)
    objects = st.fixed_dictionaries({}, optional=dict.fromkeys(KEYS, pool.values))
    times = {"created_at": pool.instants, "updated_at": st.none() | pool.instants}
    drawn = draw(st.lists(st.none() | pool.texts, min_size=9, max_size=9))
    # Each is given once.
    source_ids = iter([None if name in drawn[:place] else name for place, name in enumerate(drawn)])
    products, skus = [], []
    for number in range(draw(st.integers(1, 3))):
        product = st.builds(
            Product, id=st.just(f"prod_{number}"), source_id=st.just(next(source_ids)), name=maybe, price=prices,
            image_url=maybe, attributes=st.lists(pool.texts, max_size=2), metadata=objects, **times,
        )  # fmt: skip
        products.append(draw(product))
        for place in range(draw(st.integers(0, 2))):
            sku = st.builds(
                Sku, id=st.just(f"sku_{number}_{place}"), product_id=st.just(f"prod_{number}"),
                source_id=st.just(next(source_ids)), sku=maybe, price=prices, currency=maybe, attributes=objects,
                metadata=objects, image_url=maybe, **times,
            )  # fmt: skip
            skus.append(draw(sku))
    things = (*products, *skus)
    ids = st.sampled_from([name for one in things for name in (one.id, one.source_id) if name is not None])
    return World(products, skus, draw(st.lists(collection_filters(pool, ids), min_size=4, max_size=10)), now, zone)


@st.composite
def collection_filters(draw: st.DrawFn, pool: Pool, ids: st.SearchStrategy[str], depth: int = 1) -> dict[str, Any]:
    """Draw a filter as the API takes it."""
    found: dict[str, Any] = {"junction": draw(st.sampled_from(("and", "or")))}
    for name in draw(st.lists(st.sampled_from(FIELDS), min_size=1, max_size=2, unique=True)):
        given_ = draw(conditions(name, pool, ids))
        try:
            filters.parse({"junction": "and", name: {"conditions": given_}})
        except InvalidFilter as error:
            if not error.details.endswith("can never hold together"):
                raise
            given_ = dict([next(iter(given_.items()))])
        found[name] = {"conditions": given_}
    if depth and draw(st.integers(0, 3)) == 0:
        found["groups"] = draw(st.lists(collection_filters(pool, ids, depth - 1), min_size=1, max_size=2))
    return found


@st.composite
def conditions(draw: st.DrawFn, name: str, pool: Pool, ids: st.SearchStrategy[str]) -> dict[str, Any]:
    """Draw operators on a field."""
    kind = fields.find(name).kind
    fitting = [spelling for spelling, operator in BY_NAME.items() if kind in operator.meanings]
    found: dict[str, Any] = {}
    for spelling in draw(st.lists(st.sampled_from(fitting), min_size=1, max_size=2, unique=True)):
        meaning = BY_NAME[spelling].meanings[kind]
        one = ids if name in NAMING and spelling in ("$is", "$is_not", "$in") else _operands(meaning, kind, pool)
        single = isinstance(meaning, Presence | Recurring)
        found[spelling] = draw(one if single else one | st.lists(one, min_size=1, max_size=3))
    return found


@dataclass(frozen=True)
class Shelf:
    """A connection to a database with the real tables."""

    conn: Connection
    run: Callable[[Any], Any]

    async def fill(self, world: World) -> int:
        """Write a world as a project of its own."""
        project_id = next(numbers)
        await self.conn.execute(
            "INSERT INTO projects (project_id, id, name, time_zone, created_at) OVERRIDING SYSTEM VALUE "
            "VALUES ($1, $2, $2, $3, now())",
            project_id,
            f"proj_{project_id}",
            world.zone.key,
        )
        assert await insert(self.conn, PRODUCT_ROWS, project_id, world.products)
        if world.skus:
            assert await insert(self.conn, SKU_ROWS, project_id, world.skus)
        return project_id

    async def listed(self, project_id: int, world: World, filter_: dict[str, Any]) -> set[str]:
        """Return what `list_items` shows of a collection with this filter."""
        one = Collection("pc_1", "C", "AUTO_UPDATE", filter_, world.now, None)
        page = Page(limit=1_000, page=1, order="created_at", descending=True, filters=())
        found = await queries.list_items(self.conn, project_id, one, page, world.now, world.zone.key)
        return {item.id for item in found.items}

    async def asked(self, project_id: int, world: World, filter_: dict[str, Any]) -> set[str]:
        """Return what `collections_of` finds in a collection with this filter."""
        one = Collection(f"pc_{next(numbers)}", f"C {next(numbers)}", "AUTO_UPDATE", filter_, world.now, None)
        await queries.insert(self.conn, project_id, one)
        products, skus = [it.id for it in world.products], [it.id for it in world.skus]
        found = await queries.collections_of(self.conn, project_id, products, skus, [one.id], now=world.now)
        return {item_id for item_id, ids in found.items() if one.id in ids}


@pytest.fixture(scope="module")
def shelf(new_database: Callable[[str], str]) -> Iterator[Shelf]:
    """Lend a database of its own."""
    url = new_database("product_filters")
    loop = asyncio.new_event_loop()

    async def lend() -> AsyncIterator[Shelf]:
        pool = await connect(url)
        try:
            async with pool.read() as conn:
                yield Shelf(conn, loop.run_until_complete)
        finally:
            await pool.close()

    lent = lend()
    try:
        yield loop.run_until_complete(anext(lent))
    finally:
        loop.run_until_complete(lent.aclose())
        loop.close()


@given(world=worlds())
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
)
def test_sql_and_python_agree_on_every_filter_and_item(shelf: Shelf, world: World) -> None:
    project_id = shelf.run(shelf.fill(world))
    for raw in world.filters:
        root = filters.parse(raw)
        expected = {item.id for item in world.items() if filters.matches(root, item, world.now, world.zone)}
        assert shelf.run(shelf.listed(project_id, world, raw)) == expected, raw
        assert shelf.run(shelf.asked(project_id, world, raw)) == expected, raw
