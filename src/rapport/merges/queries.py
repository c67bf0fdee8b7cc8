"""All SQL of merges and of the search for duplicates."""

from collections.abc import AsyncIterator
from datetime import date, datetime
from typing import Any, NamedTuple

import msgspec

from rapport.core.db import Connection, columns
from rapport.customers.models import Customer
from rapport.customers.queries import DIGITS_OF
from rapport.http.lists import Equals, Found, ListFilter, ListSpec, Page
from rapport.http.queries import fetch_page
from rapport.merges.models import Merge, Moved, Profiles

MERGES = ListSpec(
    data_ref="merges",
    table="merges",
    row=Merge,
    orders={"created_at": "created_at"},
    default_order="-created_at",
    filters={"customer": ListFilter("(source_id = {0} OR target_id = {0})"), "status": Equals("status")},
)
_MERGE = columns(Merge)

_MERGED_INTO = """
WITH RECURSIVE merged AS (
    SELECT source_id, profiles, created_at FROM merges
    WHERE project_id = $1 AND target_id = $2 AND status = 'DONE'
    UNION ALL
    SELECT merges.source_id, merges.profiles, merges.created_at
    FROM merged JOIN merges ON merges.project_id = $1 AND merges.target_id = merged.source_id
    WHERE merges.status = 'DONE'
)
SELECT profiles -> 'source' AS profile FROM merged ORDER BY created_at, source_id
"""
_KEPT_OF = """
WITH RECURSIVE kept AS (
    SELECT $2::text COLLATE "C" AS id, 0 AS step
    UNION ALL
    SELECT merges.target_id, kept.step + 1
    FROM kept JOIN merges ON merges.project_id = $1 AND merges.source_id = kept.id
    WHERE merges.status = 'DONE'
)
SELECT id FROM kept ORDER BY step DESC LIMIT 1
"""

SHOWN_OF_GROUP = 10
# Each reads one index from a key on, and ends when the page is full; members are read for its groups only.
_MEMBERS = (
    "CROSS JOIN LATERAL (SELECT array_agg(id) AS ids FROM (SELECT id FROM customers WHERE project_id = $1 AND {same} "
    "ORDER BY id LIMIT $4) AS first) AS members"
)
_BY_EMAIL = f"""
SELECT number, ids FROM (
    SELECT lower(email) AS key, count(*) AS number FROM customers
    WHERE project_id = $1 AND email IS NOT NULL AND lower(email) > $2::text
    GROUP BY lower(email) HAVING count(*) > 1 ORDER BY lower(email) LIMIT $3
) AS groups {_MEMBERS.format(same="email IS NOT NULL AND lower(email) = key")} ORDER BY key
"""
_PHONE = f"({DIGITS_OF.format('phone')})"
_BY_PHONE = f"""
SELECT number, ids FROM (
    SELECT {_PHONE} AS key, count(*) AS number FROM customers
    WHERE project_id = $1 AND phone IS NOT NULL AND {_PHONE} > $2::text
    GROUP BY {_PHONE} HAVING count(*) > 1 AND length({_PHONE}) >= 6 ORDER BY {_PHONE} LIMIT $3
) AS groups {_MEMBERS.format(same=f"phone IS NOT NULL AND {_PHONE} = key")} ORDER BY key
"""
_BY_BIRTHDATE = f"""
SELECT number, ids FROM (
    SELECT birthdate AS born, lower(name) AS key, count(*) AS number
    FROM customers WHERE project_id = $1 AND name IS NOT NULL AND birthdate >= $2::date
        AND (birthdate, lower(name)) > ($2::date, $5::text)
    GROUP BY birthdate, lower(name) HAVING count(*) > 1 ORDER BY birthdate, lower(name) LIMIT $3
) AS groups {_MEMBERS.format(same="birthdate = born AND lower(name) = key")} ORDER BY born, key
"""
_BY_POSTAL_CODE = f"""
SELECT number, ids FROM (
    SELECT name AS called, address ->> 'postal_code' AS key, count(*) AS number
    FROM customers WHERE project_id = $1 AND name >= $2::text AND (address ->> 'postal_code') IS NOT NULL
        AND (name, address ->> 'postal_code') > ($2::text, $5::text)
    GROUP BY name, address ->> 'postal_code' HAVING count(*) > 1 ORDER BY name, address ->> 'postal_code' LIMIT $3
) AS groups {_MEMBERS.format(same="name = called AND address ->> 'postal_code' = key")} ORDER BY called, key
"""
_KEYS = (
    f"SELECT lower(email), {_PHONE}, birthdate, lower(name), name, address ->> 'postal_code' FROM customers "
    "WHERE project_id = $1 AND id = $2"
)


class Key(NamedTuple):
    """What a customer is compared by."""

    email: str | None
    phone: str | None
    birthdate: date | None
    folded_name: str | None
    name: str | None
    postal_code: str | None


FIRST = Key("", "", date(1, 1, 1), "", "", "")


async def take_time(conn: Connection) -> None:
    """Let the statements of this transaction take longer than others: a person may have 100,000 rows."""
    await conn.execute("SELECT set_config('statement_timeout', '240s', true)")


async def insert(conn: Connection, project_id: int, merge: Merge, profiles: Profiles, moved: Moved) -> None:
    """Keep a merge with what undoing it needs."""
    await conn.execute(
        f"INSERT INTO merges (project_id, {_MERGE}, profiles, moved) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        project_id,
        *[getattr(merge, name) for name in Merge.__struct_fields__],
        profiles,
        moved,
    )


async def find(conn: Connection, project_id: int, merge_id: str) -> Merge | None:
    """Return a merge, or None."""
    row = await conn.fetchrow(f"SELECT {_MERGE} FROM merges WHERE project_id = $1 AND id = $2", project_id, merge_id)
    return None if row is None else Merge(*row)


async def lock(conn: Connection, project_id: int, merge_id: str) -> tuple[Merge, Profiles | None, Moved | None] | None:
    """Lock a merge; return it with what undoing it needs, which is gone once it is undone."""
    row = await conn.fetchrow(
        f"SELECT {_MERGE}, profiles, moved FROM merges WHERE project_id = $1 AND id = $2 FOR NO KEY UPDATE",
        project_id,
        merge_id,
    )
    if row is None:
        return None
    *values, profiles, moved = row
    if profiles is None or moved is None:
        return Merge(*values), None, None
    return Merge(*values), msgspec.convert(profiles, Profiles), msgspec.convert(moved, Moved)


async def mark_undone(conn: Connection, project_id: int, merge_id: str, at: datetime) -> None:
    """Mark a locked merge as undone; what it kept of the two is forgotten."""
    await conn.execute(
        "UPDATE merges SET status = 'UNDONE', undone_at = $3, profiles = NULL, moved = NULL "
        "WHERE project_id = $1 AND id = $2",
        project_id,
        merge_id,
        at,
    )


async def list_page(conn: Connection, project_id: int, page: Page) -> Found[Merge]:
    """Return one page of merges."""
    return await fetch_page(conn, MERGES, project_id, page)


async def merged_into(conn: Connection, project_id: int, customer_id: str) -> list[Customer]:
    """Return those who were merged into a customer, also by way of others, as they were then; merges_of_target."""
    rows = await conn.fetch(_MERGED_INTO, project_id, customer_id)
    return [msgspec.convert(row["profile"], Customer) for row in rows]


async def kept_of(conn: Connection, project_id: int, customer_id: str) -> str:
    """Return the id of whom a customer was merged into in the end, also if that one is deleted; merges_of_source."""
    return str(await conn.fetchval(_KEPT_OF, project_id, customer_id))


async def undone_of(conn: Connection, project_id: int, customer_id: str) -> list[Merge]:
    """Return the undone merges that a customer took part in; merges_of_source and merges_of_target."""
    rows = await conn.fetch(
        f"SELECT {_MERGE} FROM merges WHERE project_id = $1 AND (source_id = $2 OR target_id = $2) "
        "AND status = 'UNDONE'",
        project_id,
        customer_id,
    )
    return [Merge(*row) for row in rows]


async def stream_of_customer(conn: Connection, project_id: int, customer_id: str) -> AsyncIterator[Merge]:
    """Yield the merges that a customer took part in, oldest first; merges_of_source and merges_of_target."""
    query = (
        f"SELECT {_MERGE} FROM merges WHERE project_id = $1 AND (source_id = $2 OR target_id = $2) "
        "ORDER BY created_at, id"
    )
    async for row in conn.cursor(query, project_id, customer_id):
        yield Merge(*row)


async def erase_of_customer(conn: Connection, project_id: int, customer_id: str) -> int:
    """Delete the merges that a customer took part in; return how many (merges_of_source, merges_of_target)."""
    done = await conn.execute(
        "DELETE FROM merges WHERE project_id = $1 AND (source_id = $2 OR target_id = $2)", project_id, customer_id
    )
    return int(done.rpartition(" ")[2])


async def find_key(conn: Connection, project_id: int, customer_id: str) -> Key | None:
    """Return what a customer is compared by, or None if there is no such customer."""
    row = await conn.fetchrow(_KEYS, project_id, customer_id)
    return None if row is None else Key(*row)


async def same_email(conn: Connection, project_id: int, after: Key, limit: int) -> list[Any]:
    """Return groups (number, ids) with one address however it is cased; the index is customers_by_same_email."""
    return list(await conn.fetch(_BY_EMAIL, project_id, after.email, limit, SHOWN_OF_GROUP))


async def same_phone(conn: Connection, project_id: int, after: Key, limit: int) -> list[Any]:
    """Return groups (number, ids) with one phone number of six digits or more; customers_by_same_phone."""
    return list(await conn.fetch(_BY_PHONE, project_id, after.phone, limit, SHOWN_OF_GROUP))


async def same_birthdate(conn: Connection, project_id: int, after: Key, limit: int) -> list[Any]:
    """Return groups (number, ids) with one name and date of birth; the index is customers_by_birthdate."""
    parameters = project_id, after.birthdate, limit, SHOWN_OF_GROUP, after.folded_name
    return list(await conn.fetch(_BY_BIRTHDATE, *parameters))


async def same_postal_code(conn: Connection, project_id: int, after: Key, limit: int) -> list[Any]:
    """Return groups (number, ids) with one name and postal code; the index is customers_by_name."""
    parameters = project_id, after.name, limit, SHOWN_OF_GROUP, after.postal_code
    return list(await conn.fetch(_BY_POSTAL_CODE, *parameters))
