"""All SQL of customers."""

from datetime import timedelta
from operator import attrgetter
from typing import Any

import msgspec

from rapport.activity.queries import append_text
from rapport.core import jsons
from rapport.core.clock import LATEST
from rapport.core.db import Connection, UniqueViolation, columns
from rapport.core.errors import DuplicateFound, NotFound
from rapport.customers.models import Customer
from rapport.http.lists import After, Before, Equals, Found, ListFilter, ListSpec, Page
from rapport.http.queries import fetch_page

# The members of a deleted segment are removed by and by.
_IS_MEMBER = """id IN (
    SELECT customer_id FROM segment_members WHERE project_id = $1 AND segment_id = {0}
    AND entered_at IS NOT NULL AND EXISTS (
        SELECT FROM segments WHERE segments.project_id = $1 AND segments.id = {0}
            AND state <> 'deleted' AND replaces IS NULL
    )
)"""
# Of lists about customers: the rows of the one with this id or source id; of one who is deleted, by the id they had.
OF_CUSTOMER = ListFilter(
    "customer_id = coalesce((SELECT customers.id FROM customers WHERE customers.project_id = $1 "
    "AND (customers.id = {0} OR customers.source_id = {0}) ORDER BY customers.id = {0} DESC LIMIT 1), "
    "(SELECT alias.customer_id FROM customer_aliases AS alias WHERE alias.project_id = $1 AND alias.reference = {0}), "
    "{0})"
)
CUSTOMERS = ListSpec(
    data_ref="customers",
    table="customers",
    row=Customer,
    orders={"created_at": "created_at", "updated_at": "updated_at", "source_id": "source_id"},
    default_order="-created_at",
    filters={
        "email": Equals("email"),
        "city": Equals("address ->> 'city'"),
        "name": Equals("name"),
        "source": Equals("source"),
        "segment_id": ListFilter(_IS_MEMBER),
        "created_at[before]": Before("created_at"),
        "created_at[after]": After("created_at"),
        "updated_at[before]": Before("updated_at"),
        "updated_at[after]": After("updated_at"),
    },
    cursor="created_at",
    max_page=99,
)

_ONLY_DIGITS = "translate({0}, translate({0}, '0123456789', ''), '')"
# A phone number as it is compared: its digits, where 00 stands for a plus. The index is customers_by_same_phone.
DIGITS_OF = f"CASE WHEN starts_with({_ONLY_DIGITS}, '00') THEN substr({_ONLY_DIGITS}, 3) ELSE {_ONLY_DIGITS} END"
_COLUMNS = columns(Customer)
_ALIASED = "(SELECT customer_id FROM customer_aliases WHERE project_id = $1 AND reference = $2)"
_NAMES = Customer.__struct_fields__

_UPDATE_TYPES = {
    "updated_at": "timestamptz",
    "source_id": "text",
    "name": "text",
    "description": "text",
    "email": "text",
    "phone": "text",
    "birthdate": "date",
    "address": "jsonb",
    "metadata": "jsonb",
    "system_metadata": "jsonb",
    "source": "text",
    "orders_count": "bigint",
    "orders_amount": "bigint",
    "last_order_id": "text",
    "last_order_amount": "bigint",
    "last_order_at": "timestamptz",
    "last_order_products": "jsonb",
    "redemptions": "jsonb",
    "loyalty": "jsonb",
    "referrals": "jsonb",
    "events": "jsonb",
    "consents": "jsonb",
    "devices": "jsonb",
    "marketing": "jsonb",
    "in_store": "jsonb",
}
_UPDATE = (
    "UPDATE customers SET "
    + ", ".join(f"{name} = ${index}::{kind}" for index, (name, kind) in enumerate(_UPDATE_TYPES.items(), start=3))
    + " WHERE project_id = $1 AND id = $2"
)


_UPDATE_AND_LOG = f"WITH logged AS ({append_text(3 + len(_UPDATE_TYPES))}) {_UPDATE}"
# For a row whose source id is new. Who inserted it may have waited for a merge without seeing it: then the source id is
# an alias by now.
_UNLESS_ALIAS = " AND NOT EXISTS (SELECT FROM customer_aliases AS alias WHERE alias.project_id = $1 AND reference = $4)"

_INSERT_TYPES = {"id": "text"} | _UPDATE_TYPES
del _INSERT_TYPES["updated_at"]
_INSERT_VALUES = ", ".join(f"${index}::{kind}" for index, kind in enumerate(_INSERT_TYPES.values(), start=4))

# A lock clause returns the newest version of the row even if it had to wait; a row inserted by somebody else in the
# meantime is neither found nor inserted: the answer is empty, and the caller asks again.
_UNREAD = ", ".join(f"NULL::{_UPDATE_TYPES[name]}" for name in _NAMES[3:])  # known to who inserts them
_LOCK_OR_INSERT = f"""
WITH found AS (
    SELECT {_COLUMNS} FROM customers WHERE project_id = $1 AND source_id = $2 FOR NO KEY UPDATE
), inserted AS (
    INSERT INTO customers (project_id, created_at, updated_at, {", ".join(_INSERT_TYPES)})
    SELECT $1, moment.at, moment.at, {_INSERT_VALUES}
    FROM (SELECT date_trunc('milliseconds', clock_timestamp() + $3::interval) AS at) AS moment
    WHERE NOT EXISTS (SELECT FROM found)
        AND NOT EXISTS (SELECT FROM customer_aliases WHERE project_id = $1 AND reference = $2)
    ON CONFLICT DO NOTHING
    RETURNING id, created_at, updated_at
)
SELECT true AS existed, {_COLUMNS} FROM found
UNION ALL SELECT false, id, created_at, updated_at, {_UNREAD} FROM inserted
"""

# Many at once. What nobody has who was just made (summaries, loyalty, …) is the same for all of them.
_MADE = ("id", "source_id", "name", "description", "email", "phone", "birthdate", "address", "metadata",
         "system_metadata", "source")  # fmt: skip
_SAME = [name for name in _INSERT_TYPES if name not in _MADE]
_SAME_VALUES = ", ".join(f"${index}::{_INSERT_TYPES[name]}" for index, name in enumerate(_SAME, start=4 + len(_MADE)))
_MADE_ARRAYS = ", ".join(f"${index}::{_INSERT_TYPES[name]}[]" for index, name in enumerate(_MADE, start=4))
_INSERT_MANY = f"""
INSERT INTO customers (project_id, created_at, updated_at, {", ".join([*_MADE, *_SAME])})
SELECT $1, coalesce(one.created_at, moment.at), moment.at, {", ".join(f"one.{name}" for name in _MADE)}, {_SAME_VALUES}
FROM (SELECT date_trunc('milliseconds', clock_timestamp() + $2::interval) AS at) AS moment,
    unnest($3::timestamptz[], {_MADE_ARRAYS}) AS one (created_at, {", ".join(_MADE)})
ON CONFLICT DO NOTHING
RETURNING id, created_at, updated_at
"""


def _update_many(names: list[str]) -> str:
    arrays = ", ".join(f"${index}::{_UPDATE_TYPES[name]}[]" for index, name in enumerate(names, start=3))
    return (
        f"UPDATE customers AS c SET {', '.join(f'{name} = one.{name}' for name in names)} "
        f"FROM unnest($2::text[], {arrays}) AS one (id, {', '.join(names)}) WHERE c.project_id = $1 AND c.id = one.id"
    )


# What is written of many: all, or what a file or a form can say, where the rest is as it was.
_SAID = [name for name in _UPDATE_TYPES if name in {"updated_at", *_MADE}]
_UNSAID = [name for name in _UPDATE_TYPES if name not in _SAID]
_unsaid_of = attrgetter(*_UNSAID)
_UPDATE_MANY = {tuple(names): _update_many(names) for names in (_SAID, list(_UPDATE_TYPES))}


def _customer(row: Any) -> Customer:
    return Customer(*row)


async def find(conn: Connection, project_id: int, reference: str) -> Customer | None:
    """Return the customer with this id or source id, or the one whom such a customer was merged into, or None."""
    row = await conn.fetchrow(
        f"SELECT {_COLUMNS} FROM customers WHERE project_id = $1 AND id = $2 "
        f"UNION ALL SELECT {_COLUMNS} FROM customers WHERE project_id = $1 AND source_id = $2 "
        f"UNION ALL SELECT {_COLUMNS} FROM customers WHERE project_id = $1 AND id = {_ALIASED} LIMIT 1",
        project_id,
        reference,
    )
    return None if row is None else _customer(row)


async def get(conn: Connection, project_id: int, reference: str) -> Customer:
    """Return the customer with this id or source id. Raises NotFound."""
    customer = await find(conn, project_id, reference)
    if customer is None:
        raise NotFound("customer", reference)
    return customer


async def lock(conn: Connection, project_id: int, reference: str) -> Customer | None:
    """Lock and return the customer with this id or source id (the id wins), or None.

    Only where there is none, the one whom such a customer was merged into is looked for.
    """
    for column in ("id", "source_id"):
        row = await conn.fetchrow(
            f"SELECT {_COLUMNS} FROM customers WHERE project_id = $1 AND {column} = $2 FOR NO KEY UPDATE",
            project_id,
            reference,
        )
        if row is not None:
            return _customer(row)
    # A merge that was waited for is not seen by the statement that waited, and may be followed by another one.
    while (kept := await find_alias(conn, project_id, reference)) is not None:
        row = await conn.fetchrow(
            f"SELECT {_COLUMNS} FROM customers WHERE project_id = $1 AND id = $2 FOR NO KEY UPDATE", project_id, kept
        )
        if row is not None:
            return _customer(row)
    return None


async def lock_many(conn: Connection, project_id: int, ids: list[str]) -> list[Customer]:
    """Lock and return the customers that exist among `ids`, in the order of their ids."""
    rows = await conn.fetch(
        f"SELECT {_COLUMNS} FROM customers WHERE project_id = $1 AND id = ANY ($2) ORDER BY id FOR NO KEY UPDATE",
        project_id,
        ids,
    )
    return [_customer(row) for row in rows]


async def lock_named(conn: Connection, project_id: int, references: list[str]) -> list[Customer]:
    """Lock and return the customers that exist with these ids or source ids, in the order of their ids.

    Those whom customers of these names were merged into are among them.
    """
    rows = await conn.fetch(
        f"SELECT {_COLUMNS} FROM customers WHERE project_id = $1 AND (id = ANY ($2) OR source_id = ANY ($2) "
        "OR id = ANY (ARRAY (SELECT customer_id FROM customer_aliases WHERE project_id = $1 AND reference = ANY ($2))"
        ")) ORDER BY id FOR NO KEY UPDATE",
        project_id,
        references,
    )
    return [_customer(row) for row in rows]


async def lock_both(conn: Connection, project_id: int, ids: list[str], source_ids: list[str]) -> list[Customer]:
    """Lock and return the customers that exist with these ids, and with these source ids, in the order of their ids."""
    rows = await conn.fetch(
        f"SELECT {_COLUMNS} FROM customers WHERE project_id = $1 AND (id = ANY ($2) OR source_id = ANY ($3)) "
        "ORDER BY id FOR NO KEY UPDATE",
        project_id,
        ids,
        source_ids,
    )
    return [_customer(row) for row in rows]


async def insert_many(conn: Connection, project_id: int, fresh: list[Customer], offset: timedelta) -> list[Customer]:
    """Insert new customers, as of now unless they bring a moment of their own; return those that were.

    LATEST as `created_at` stands for now. Left out are those whose source id somebody else has taken.
    """
    if not fresh:
        return []
    rows = await conn.fetch(
        _INSERT_MANY,
        project_id,
        offset,
        [None if one.created_at == LATEST else one.created_at for one in fresh],
        *[[getattr(one, name) for one in fresh] for name in _MADE],
        *[getattr(fresh[0], name) for name in _SAME],
    )
    by_id = {one.id: one for one in fresh}
    return [msgspec.structs.replace(by_id[row[0]], created_at=row[1], updated_at=row[2]) for row in rows]


async def lock_or_insert(
    conn: Connection, project_id: int, fresh: Customer, offset: timedelta
) -> tuple[Customer, bool] | None:
    """Lock the customer that has the source id of `fresh`, or insert `fresh` as of now; say whether it existed.

    Returns None when somebody else inserted it at the same moment: call again. Likewise for the source id of a customer
    who was merged into another one: `lock` finds that one.
    """
    values = [getattr(fresh, name) for name in _INSERT_TYPES]
    row = await conn.fetchrow(_LOCK_OR_INSERT, project_id, fresh.source_id, offset, *values)
    if row is None:
        return None
    if row["existed"]:
        return Customer(*row[1:]), True
    return msgspec.structs.replace(fresh, created_at=row["created_at"], updated_at=row["updated_at"]), False


async def update(
    conn: Connection, project_id: int, customer: Customer, log: list[Any] | None = None, *, named: bool = False
) -> bool:
    """Write a locked customer's row and, in the same round trip, append to the activity log (`append_parameters`).

    `named`: the source id is new to the row; returns False if it belongs to a customer who was merged into another one,
    and then the transaction must not go on. Raises DuplicateFound for a source id that another customer has.
    """
    values = [getattr(customer, name) for name in _UPDATE_TYPES]
    text = _UPDATE if log is None else _UPDATE_AND_LOG
    text = text + _UNLESS_ALIAS if named else text
    try:
        done = await conn.execute(text, project_id, customer.id, *values, *(log or ()))
    except UniqueViolation as error:
        raise DuplicateFound("customer", str(customer.source_id)) from error
    return bool(done == "UPDATE 1")


async def update_many(conn: Connection, project_id: int, pairs: list[tuple[Customer, Customer]]) -> None:
    """Write the rows of locked customers, given with what is stored of them.

    Raises DuplicateFound for a source id that another customer has.
    """
    whole = any(
        one is not other for old, new in pairs for one, other in zip(_unsaid_of(old), _unsaid_of(new), strict=True)
    )
    names = list(_UPDATE_TYPES) if whole else _SAID
    try:
        await conn.execute(
            _UPDATE_MANY[tuple(names)],
            project_id,
            [new.id for _, new in pairs],
            *[[_element(getattr(new, name)) for _, new in pairs] for name in names],
        )
    except UniqueViolation as error:
        raise DuplicateFound("customer", str(pairs[0][1].source_id)) from error


def _element(value: Any) -> Any:
    """Return a value as it stands in an array: a list of its own would be taken for a further dimension."""
    return msgspec.Raw(jsons.encode(value)) if isinstance(value, list) else value


async def restore(conn: Connection, project_id: int, customer: Customer) -> None:
    """Insert the row of a customer who was there before. Raises DuplicateFound for an id or source id that is taken."""
    places = ", ".join(f"${number}" for number in range(2, len(_NAMES) + 2))
    try:
        await conn.execute(
            f"INSERT INTO customers (project_id, {_COLUMNS}) VALUES ($1, {places})",
            project_id,
            *[getattr(customer, name) for name in _NAMES],
        )
    except UniqueViolation as error:
        raise DuplicateFound("customer", str(customer.source_id or customer.id)) from error


async def delete(conn: Connection, project_id: int, *customer_ids: str) -> None:
    """Delete the rows of locked customers."""
    await conn.execute("DELETE FROM customers WHERE project_id = $1 AND id = ANY ($2)", project_id, customer_ids)


async def find_alias(conn: Connection, project_id: int, reference: str) -> str | None:
    """Return the id of the customer whom the one with this id or source id was merged into, or None."""
    return await conn.fetchval(f"SELECT {_ALIASED}", project_id, reference)  # type: ignore[no-any-return]


async def find_aliases(conn: Connection, project_id: int, references: list[str]) -> dict[str, str]:
    """Return whom customers with these ids or source ids were merged into: ids by reference."""
    rows = await conn.fetch(
        "SELECT reference, customer_id FROM customer_aliases WHERE project_id = $1 AND reference = ANY ($2)",
        project_id,
        references,
    )
    return {row["reference"]: row["customer_id"] for row in rows}


async def aliases_of(conn: Connection, project_id: int, customer_id: str) -> list[str]:
    """Return by what those were known who were merged into a customer."""
    rows = await conn.fetch(
        "SELECT reference FROM customer_aliases WHERE project_id = $1 AND customer_id = $2 ORDER BY reference",
        project_id,
        customer_id,
    )
    return [row["reference"] for row in rows]


async def set_aliases(conn: Connection, project_id: int, customer_id: str, references: list[str]) -> None:
    """Let these references, of nobody or of others so far, lead to a customer."""
    await conn.execute(
        "INSERT INTO customer_aliases (project_id, reference, customer_id) SELECT $1, unnest($3::text[]), $2 "
        "ON CONFLICT (project_id, reference) DO UPDATE SET customer_id = excluded.customer_id",
        project_id,
        customer_id,
        references,
    )


async def remove_aliases(conn: Connection, project_id: int, references: list[str]) -> None:
    """Let these references lead nowhere."""
    await conn.execute(
        "DELETE FROM customer_aliases WHERE project_id = $1 AND reference = ANY ($2)", project_id, references
    )


async def list_page(conn: Connection, project_id: int, page: Page) -> Found[Customer]:
    """Return one page of customers."""
    return await fetch_page(conn, CUSTOMERS, project_id, page)


async def next_with_key(
    conn: Connection, project_id: int, key: str, after: str, count: int
) -> tuple[str | None, list[str]]:
    """Look at the next `count` customers after an id; return the last of them and those whose metadata has the key."""
    row = await conn.fetchrow(
        "SELECT max(id), array_agg(id) FILTER (WHERE metadata ? $3) "
        "FROM (SELECT id, metadata FROM customers WHERE project_id = $1 AND id > $2 ORDER BY id LIMIT $4) AS part",
        project_id,
        after,
        key,
        count,
    )
    return row[0], row[1] or []
