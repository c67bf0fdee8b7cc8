"""All SQL of the benchmarks that is not the product's: filling tables, the bare statements to compare with, sizes."""

from datetime import datetime
from typing import Any

from rapport.core.db import Connection
from rapport.segments.models import Segment
from rapport.segments.sql import Condition

# Draws are hashes of the customer's number: the same at every run, independent of each other.
_DRAWS = ", ".join(f"(hashint8extended(n, {seed}) & 1073741823) / 1073741824.0::float8 AS u{seed}" for seed in range(9))
_ISO = '\'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"\''

# $1 the project, $2 and $3 the first and last number, $4 the countries, $5 now; then who is due when: $6 every how
# many customers there is one (and are ten), $7 and $8 their last orders; $9 how many were imported at once, $10 when.
_CUSTOMERS = f"""
INSERT INTO customers (
    project_id, id, source_id, name, email, birthdate, address, metadata, system_metadata, source, orders_count,
    orders_amount, last_order_id, last_order_amount, last_order_at, last_order_products, redemptions, loyalty,
    referrals, events, created_at, updated_at
)
SELECT $1::integer, 'cust_' || left(md5($1::text || ':' || n), 24), 'bench-' || n, 'Name ' || n,
    'bench-' || n || '@mail' || floor(40 * u0 * u0) || '.example.com', date '1945-01-01' + floor(22000 * u1)::int,
    jsonb_build_object('country', country, 'city', country || ' ' || floor(20 * u3 * u3)),
    jsonb_build_object(
        'tier', (ARRAY['none', 'bronze', 'silver', 'gold'])[1 + floor(4 * u4 * u4)::int],
        'visits', (n * 7919 % 1250) * (n * 7919 % 1250) / 1250 * 10 + 5,
        'level', 'B', 'score', round((100 * u5)::numeric, 1), 'newsletter', u6 < 0.4
    ),
    '{{}}', 'API', orders, orders * amount, CASE WHEN orders > 0 THEN 'ord_' || left(md5('o' || n), 24) END,
    CASE WHEN orders > 0 THEN amount END,
    CASE WHEN orders = 0 THEN NULL WHEN n % $6 = 1 THEN $7 WHEN n % $6 BETWEEN 2 AND 11 THEN $8
        ELSE date_trunc('milliseconds', $5::timestamptz - interval '1 hour' - interval '365 days' * u7 * u7) END,
    '[]', '{{"total_redeemed": 0, "total_failed": 0, "total_succeeded": 0, "total_rolled_back": 0,
        "total_rollback_failed": 0, "total_rollback_succeeded": 0,
        "gift": {{"redeemed_amount": 0, "amount_to_go": 0}},
        "loyalty_card": {{"redeemed_points": 0, "points_to_go": 0}}}}',
    '{{"points": 0, "referred_customers": 0, "campaigns": {{}}}}', '{{"total": 0, "campaigns": []}}',
    CASE WHEN n % 5 <> 0 THEN '{{}}' ELSE jsonb_build_object('review_written', jsonb_build_object(
        'count', 1 + n % 4, 'first_at', to_char(reviewed - interval '5 days' * (n % 4), {_ISO}),
        'last_at', to_char(reviewed, {_ISO}))) END,
    born, born
FROM generate_series($2::bigint, $3) AS n,
    LATERAL (SELECT {_DRAWS}) AS draws,
    LATERAL (
        SELECT ($4::text[])[1 + floor(array_length($4, 1) * u2 * u2)::int] AS country,
            CASE WHEN u8 < 0.3 AND n % $6 NOT BETWEEN 1 AND 11 THEN 0
                ELSE 1 - floor(ln(1 - u8) * 2)::bigint END AS orders,
            1000 + floor(20000 * u5 * u5 * u5)::bigint AS amount,
            CASE WHEN n <= $9 THEN $10::timestamptz ELSE date_trunc(
                'milliseconds', $5::timestamptz - interval '1 hour' - interval '1000 days' * u6) END AS born,
            date_trunc('milliseconds', $5::timestamptz - interval '1 minute' - interval '150 days' * u7) AS reviewed
    ) AS drawn
"""

_EVENTS = """
INSERT INTO events (project_id, customer_id, name, created_at, id, metadata)
SELECT project_id, id, 'review_written',
    (events #>> '{review_written,last_at}')::timestamptz - interval '5 days' * back,
    'ev_' || left(md5(id || back), 24), jsonb_build_object('stars', 1 + back % 5)
FROM customers, LATERAL generate_series(0, (events #>> '{review_written,count}')::int - 1) AS back
WHERE project_id = $1 AND events ? 'review_written'
"""

_ACTIVITY = """
INSERT INTO activity (project_id, id, created_at, type, customer_id, payload, source, group_id)
SELECT project_id, 'ev_' || left(md5('created' || id), 24), created_at, 'customer.created', id,
    jsonb_build_object('customer', jsonb_build_object('id', id, 'source_id', source_id, 'name', name, 'email', email,
        'address', address, 'metadata', metadata, 'object', 'customer')),
    '{"channel": "API"}', 'v-' || left(md5(id), 18)
FROM customers WHERE project_id = $1
"""

# The shape of segment_members with its two indexes, filled with the rows of one segment.
_MEMBERS = "INSERT INTO {table} SELECT $1::integer, $2::text, c.id, $3::timestamptz, $4::boolean FROM customers AS c"

_LOG_OF_MEMBERS = """
INSERT INTO bare_activity (project_id, id, created_at, type, customer_id, payload, source, group_id)
SELECT $1, 'ev_' || left(md5(random()::text || c.id), 24), $3, 'customer.segment.entered', c.id,
    jsonb_build_object(
        'customer', jsonb_build_object('id', c.id, 'source_id', c.source_id, 'name', c.name, 'email', c.email,
            'object', 'customer'),
        'segment', jsonb_build_object('id', $2::text, 'name', 'A segment', 'object', 'segment')),
    '{"channel": "INTERNAL", "reason": "back_fill"}', 'v-000000000000000000'
FROM bare_members AS m JOIN customers AS c ON c.project_id = m.project_id AND c.id = m.customer_id
"""

# What somebody would write by hand for the conditions of previews.CONDITIONS, one more each.
BARE_COUNTS = (
    "(c.address ->> 'country') = 'Poland'",
    "c.orders_amount > 10000",
    "(c.metadata ->> 'tier') = ANY ('{silver,gold}')",
    "c.last_order_at > now() - interval '90 days' AND c.last_order_at <= now()",
    """EXISTS (SELECT FROM events AS e WHERE e.project_id = c.project_id AND e.customer_id = c.id
        AND e.name = 'review_written' AND e.created_at > now() - interval '120 days' AND e.created_at <= now())""",
)

_SIZES = """
SELECT relname AS name, greatest(reltuples, 0)::bigint AS rows, pg_table_size(oid) AS table_bytes,
    pg_indexes_size(oid) AS index_bytes
FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND pg_total_relation_size(oid) > 1000000
ORDER BY pg_total_relation_size(oid) DESC
"""


async def read_now(conn: Connection) -> datetime:
    """Return the database's time, cut to milliseconds."""
    now: datetime = await conn.fetchval("SELECT date_trunc('milliseconds', clock_timestamp())")
    return now


async def project_id_of(conn: Connection, public_id: str) -> int:
    """Return the number of a project."""
    return int(await conn.fetchval("SELECT project_id FROM projects WHERE id = $1", public_id))


async def insert_customers(conn: Connection, *parameters: Any) -> None:
    """Insert customers by number; the parameters are told at `_CUSTOMERS`."""
    await conn.execute(_CUSTOMERS, *parameters)


async def insert_what_happened(conn: Connection, project_id: int) -> None:
    """Insert the events of the customers of a project, and the log entries of their making."""
    await conn.execute(_EVENTS, project_id)
    await conn.execute(_ACTIVITY, project_id)


async def settle_tables(conn: Connection) -> None:
    """Leave the tables as they are some time after a bulk load: vacuumed, analysed, written out."""
    await conn.execute("VACUUM ANALYZE")
    await conn.execute("CHECKPOINT")


async def insert_live(conn: Connection, project_id: int, segment: Segment, conditions: int, version: int) -> None:
    """Insert a segment that is complete once its members are in."""
    await conn.execute(
        "INSERT INTO segments (project_id, id, name, type, filter, conditions, names, version, state, created_at) "
        "VALUES ($1, $2, $3, $4, $5, $6, '{}', $7, 'live', $8)",
        project_id,
        segment.id,
        segment.name,
        segment.type,
        segment.filter,
        conditions,
        version,
        segment.created_at,
    )


async def insert_members(
    conn: Connection, project_id: int, segment_id: str, at: datetime, condition: Condition, *, bare: bool = False
) -> int:
    """Insert who matches (`first_parameter` 5) into segment_members or the bare table; return how many."""
    done = await conn.execute(
        _MEMBERS.format(table="bare_members" if bare else "segment_members")
        + f" WHERE c.project_id = $1 AND ({condition.text})",
        project_id,
        segment_id,
        at,
        True,  # noqa: FBT003 (logged)
        *condition.parameters,
        timeout=None,
    )
    return int(done.rpartition(" ")[2])


async def make_bare_tables(conn: Connection) -> None:
    """Make empty tables of the shape of segment_members and activity, with the same indexes."""
    for name, like in (("bare_members", "segment_members"), ("bare_activity", "activity")):
        await conn.execute(f"DROP TABLE IF EXISTS {name}")
        await conn.execute(f"CREATE TABLE {name} (LIKE {like} INCLUDING ALL)")


async def drop_bare_tables(conn: Connection) -> None:
    """Remove them."""
    await conn.execute("DROP TABLE bare_members, bare_activity")


async def insert_log(conn: Connection, project_id: int, segment_id: str, at: datetime) -> None:
    """Log the members of the bare table in the bare log as a back-fill does."""
    await conn.execute(_LOG_OF_MEMBERS, project_id, segment_id, at)


async def bare_count(conn: Connection, project_id: int, conditions: int) -> int:
    """Count the customers that meet the first of `BARE_COUNTS`, written by hand."""
    tests = " AND ".join(BARE_COUNTS[:conditions])
    return int(
        await conn.fetchval(f"SELECT count(*) FROM customers AS c WHERE c.project_id = $1 AND {tests}", project_id)
    )


async def left_since(
    conn: Connection, project_id: int, segment_id: str, since: datetime
) -> tuple[int, datetime | None, datetime | None]:
    """Return how many have left a segment since then, and when the first and the last of them did."""
    row = await conn.fetchrow(
        "SELECT count(*), min(left_at), max(left_at) FROM segment_past "
        "WHERE project_id = $1 AND segment_id = $2 AND left_at >= $3",
        project_id,
        segment_id,
        since,
    )
    return row[0], row[1], row[2]


async def table_sizes(conn: Connection) -> list[tuple[str, int, int, int]]:
    """Return (name, rows, bytes, bytes of its indexes) of every table over a megabyte, the largest first."""
    return [tuple(row) for row in await conn.fetch(_SIZES)]


async def copy_customers(conn: Connection, project_id: int) -> int:
    """Read a project's customers by a bare COPY, the columns of an export in its order; return the number of bytes."""
    length = 0

    async def count(data: bytes) -> None:
        nonlocal length
        length += len(data)

    await conn.copy_from_query(
        "SELECT id, source_id, name, email, created_at, address ->> 'city', address ->> 'country', orders_amount, "
        "orders_count, metadata ->> 'tier' FROM customers WHERE project_id = $1 ORDER BY created_at, id",
        project_id,
        output=count,
        format="csv",
        header=True,
    )
    return length
