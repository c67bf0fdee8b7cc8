"""All SQL of orders."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec

from rapport.core import jsons
from rapport.core.clock import iso
from rapport.core.db import Connection, columns
from rapport.customers.in_store import Purchases
from rapport.customers.queries import OF_CUSTOMER
from rapport.http.lists import Found, ListSpec, Page
from rapport.http.queries import fetch_page
from rapport.orders.models import Order

ORDERS = ListSpec(
    data_ref="orders",
    table="orders",
    row=Order,
    orders={"created_at": "created_at", "updated_at": "coalesce(updated_at, created_at)"},
    default_order="-created_at",
    filters={"customer": OF_CUSTOMER},
    max_page=100,
)
_COLUMNS = columns(Order)
_NAMES = Order.__struct_fields__
_VALUES = ", ".join(f"${index}" for index in range(2, len(_NAMES) + 2))
_INSERT = f"INSERT INTO orders (project_id, {_COLUMNS}) VALUES ($1, {_VALUES}) ON CONFLICT DO NOTHING"
_TYPES = dict.fromkeys(_NAMES, "text") | {
    **dict.fromkeys(
        ("amount", "initial_amount", "discount_amount", "total_amount", "applied_discount_amount"), "bigint"
    ),
    **dict.fromkeys(("items", "metadata", "redemptions", "location"), "jsonb"),
    **dict.fromkeys(("created_at", "updated_at"), "timestamptz"),
}
_ARRAYS = ", ".join(f"${index}::{_TYPES[name]}[]" for index, name in enumerate(_NAMES, start=2))
_INSERT_MANY = (
    f"INSERT INTO orders (project_id, {_COLUMNS}) SELECT $1, one.* FROM unnest({_ARRAYS}) AS one ON CONFLICT DO NOTHING"
)
_SETS = ", ".join(f"{name} = ${index}" for index, name in enumerate(_NAMES, start=2))

_IN_STORE = """
SELECT (array_agg(location ORDER BY created_at DESC, id DESC))[1] AS location, count(*) AS number,
    sum(total_amount) AS amount, min(created_at) AS first_at, max(created_at) AS last_at
FROM orders
WHERE project_id = $1 AND customer_id = $2 AND location IS NOT NULL AND status IN ('PAID', 'FULFILLED')
GROUP BY coalesce(location ->> 'id', location ->> 'source_id')
ORDER BY max(created_at), min(id)
"""


async def find(conn: Connection, project_id: int, reference: str, *, lock: bool = False) -> Order | None:
    """Return the order with this id or source id (the id wins), locked if asked for, or None."""
    suffix = " FOR NO KEY UPDATE" if lock else ""
    for column in ("id", "source_id"):
        row = await conn.fetchrow(
            f"SELECT {_COLUMNS} FROM orders WHERE project_id = $1 AND {column} = $2{suffix}",
            project_id,
            reference,
        )
        if row is not None:
            return Order(*row)
    return None


async def find_named(
    conn: Connection, project_id: int, references: Sequence[str], *, lock: bool = False
) -> list[Order]:
    """Return the orders with these ids or source ids in the order of their ids, locked if asked for."""
    suffix = " FOR NO KEY UPDATE" if lock else ""
    rows = await conn.fetch(
        f"SELECT {_COLUMNS} FROM orders WHERE project_id = $1 AND (id = ANY ($2) OR source_id = ANY ($2)) "
        f"ORDER BY id{suffix}",
        project_id,
        references,
    )
    return [Order(*row) for row in rows]


async def insert_many(conn: Connection, project_id: int, orders: Sequence[Order]) -> bool:
    """Insert orders; return False if the source id of one was taken in the meantime."""
    done = await conn.execute(
        _INSERT_MANY, project_id, *[[_element(getattr(order, name)) for order in orders] for name in _NAMES]
    )
    return int(done.rpartition(" ")[2]) == len(orders)


def _element(value: Any) -> Any:
    """Return a value as it stands in an array: a list of its own would be taken for a further dimension."""
    return msgspec.Raw(jsons.encode(value)) if isinstance(value, list) else value


async def remove(conn: Connection, project_id: int, order_ids: Sequence[str]) -> None:
    """Delete the rows of locked orders."""
    await conn.execute("DELETE FROM orders WHERE project_id = $1 AND id = ANY ($2)", project_id, order_ids)


async def insert(conn: Connection, project_id: int, order: Order) -> bool:
    """Insert an order; return False if its source id was taken in the meantime."""
    done = await conn.execute(_INSERT, project_id, *[getattr(order, name) for name in _NAMES])
    return bool(done == "INSERT 0 1")


async def update(conn: Connection, project_id: int, order: Order) -> None:
    """Write a locked order's row."""
    await conn.execute(
        f"UPDATE orders SET {_SETS} WHERE project_id = $1 AND id = $2",
        project_id,
        *[getattr(order, name) for name in _NAMES],
    )


async def last_counted(conn: Connection, project_id: int, customer_id: str) -> Order | None:
    """Return a customer's latest order that counts; the index is orders_counted_of_customer."""
    row = await conn.fetchrow(
        f"SELECT {_COLUMNS} FROM orders WHERE project_id = $1 AND customer_id = $2 "
        "AND status IN ('PAID', 'FULFILLED') ORDER BY created_at DESC, id DESC LIMIT 1",
        project_id,
        customer_id,
    )
    return None if row is None else Order(*row)


async def purchases_in_store(conn: Connection, project_id: int, customer_id: str) -> list[Purchases]:
    """Return what a customer's counted orders at each location come to; the index is orders_in_store."""
    rows = await conn.fetch(_IN_STORE, project_id, customer_id)
    return [
        Purchases(row["location"], row["number"], int(row["amount"]), iso(row["first_at"]), iso(row["last_at"]))
        for row in rows
    ]


async def list_page(conn: Connection, project_id: int, page: Page) -> Found[Order]:
    """Return one page of orders."""
    return await fetch_page(conn, ORDERS, project_id, page)


async def stream_of_customer(conn: Connection, project_id: int, customer_id: str) -> AsyncIterator[Order]:
    """Yield a customer's orders, oldest first, inside a transaction; the index is orders_of_customer."""
    query = f"SELECT {_COLUMNS} FROM orders WHERE project_id = $1 AND customer_id = $2 ORDER BY created_at, id"
    async for row in conn.cursor(query, project_id, customer_id, prefetch=200):
        yield Order(*row)


async def erase_of_customer(conn: Connection, project_id: int, customer_id: str) -> tuple[int, int]:
    """Delete a customer's orders, and name them in no other as the referrer; return how many of each."""
    gone = await conn.execute("DELETE FROM orders WHERE project_id = $1 AND customer_id = $2", project_id, customer_id)
    changed = await conn.execute(
        "UPDATE orders SET referrer_id = NULL WHERE project_id = $1 AND referrer_id = $2", project_id, customer_id
    )
    return int(gone.rpartition(" ")[2]), int(changed.rpartition(" ")[2])


async def move_to_customer(
    conn: Connection, project_id: int, giver_id: str, taker_id: str, only: Sequence[str] | None
) -> list[str]:
    """Give a customer's orders, all or some, to another; return their ids (orders_of_customer)."""
    rows = await conn.fetch(
        "UPDATE orders SET customer_id = $3 WHERE project_id = $1 AND customer_id = $2 "
        "AND ($4::text[] IS NULL OR id IN (SELECT unnest($4::text[]))) RETURNING id",
        project_id,
        giver_id,
        taker_id,
        only,
    )
    return [row["id"] for row in rows]


async def move_to_referrer(
    conn: Connection, project_id: int, giver_id: str, taker_id: str, only: Sequence[str] | None
) -> list[str]:
    """Name another customer as the referrer of a customer's referred orders; return their ids (orders_of_referrer)."""
    rows = await conn.fetch(
        "UPDATE orders SET referrer_id = $3 WHERE project_id = $1 AND referrer_id = $2 "
        "AND ($4::text[] IS NULL OR id IN (SELECT unnest($4::text[]))) RETURNING id",
        project_id,
        giver_id,
        taker_id,
        only,
    )
    return [row["id"] for row in rows]


async def counted_of_customer(conn: Connection, project_id: int, customer_id: str) -> tuple[int, int]:
    """Return how many orders of a customer count, and their total in minor units; orders_counted_of_customer."""
    row = await conn.fetchrow(
        "SELECT count(*), coalesce(sum(total_amount), 0)::bigint FROM orders "
        "WHERE project_id = $1 AND customer_id = $2 AND status IN ('PAID', 'FULFILLED')",
        project_id,
        customer_id,
    )
    return row[0], row[1]


async def next_with_key(
    conn: Connection, project_id: int, key: str, after: str, count: int
) -> tuple[str | None, list[tuple[str, str | None]]]:
    """Look at the next `count` orders after an id; return the last, and those whose metadata has the key.

    They come as (id, customer's id).
    """
    row = await conn.fetchrow(
        "SELECT max(id), jsonb_agg(jsonb_build_array(id, customer_id)) FILTER (WHERE metadata ? $3) FROM "
        "(SELECT id, customer_id, metadata FROM orders WHERE project_id = $1 AND id > $2 ORDER BY id LIMIT $4) AS part",
        project_id,
        after,
        key,
        count,
    )
    return row[0], [(order_id, customer_id) for order_id, customer_id in row[1] or ()]


async def next_with_item_key(
    conn: Connection, project_id: int, key: str, after: str, count: int
) -> tuple[str | None, list[tuple[str, str | None]]]:
    """As `next_with_key`, for orders with an item whose metadata has the key."""
    row = await conn.fetchrow(
        "SELECT max(id), jsonb_agg(jsonb_build_array(id, customer_id)) FILTER (WHERE EXISTS ("
        "SELECT FROM jsonb_array_elements(items) AS item WHERE item -> 'metadata' ? $3)) FROM "
        "(SELECT id, customer_id, items FROM orders WHERE project_id = $1 AND id > $2 ORDER BY id LIMIT $4) AS part",
        project_id,
        after,
        key,
        count,
    )
    return row[0], [(order_id, customer_id) for order_id, customer_id in row[1] or ()]
