"""All SQL of the benchmarks that is not the product's: filling tables, the bare statements to compare with, sizes."""

import time
from datetime import datetime
from io import BytesIO
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

# A customer's history: $1 the project, $2 the customer, $3 how many of each.
_HISTORY = {
    "events": """
INSERT INTO events (project_id, customer_id, name, created_at, id, metadata)
SELECT $1, $2, 'seen ' || n % 5, now() - n * interval '1 minute', 'ev_' || left(md5($2 || n), 24), '{"stars": 5}'
FROM generate_series(1, $3::int) AS n""",
    "activity": """
INSERT INTO activity (project_id, id, created_at, type, customer_id, payload, source, group_id)
SELECT $1, 'ev_' || left(md5($2 || n), 24), now() - n * interval '1 minute', 'customer.custom_event', $2,
    jsonb_build_object('event', jsonb_build_object('type', 'seen', 'metadata', '{"stars": 5}'::jsonb)),
    '{"channel": "API"}', 'v-000000000000000000'
FROM generate_series(1, $3::int) AS n""",
    "orders": """
INSERT INTO orders (project_id, id, status, customer_id, amount, discount_amount, total_amount,
    applied_discount_amount, items, metadata, redemptions, created_at)
SELECT $1, 'ord_' || left(md5($2 || n), 24), 'PAID', $2, 1000, 0, 1000, 0,
    '[{"object": "order_item", "product_id": "prod_1", "quantity": 1, "amount": 1000}]', '{}', '{}',
    now() - n * interval '1 hour'
FROM generate_series(1, $3::int) AS n""",
    "messages": """
INSERT INTO messages (project_id, id, distribution_id, trigger_id, trigger_type, customer_id, channel, state, subject,
    created_at, sent_at)
SELECT $1, 'msg_' || left(md5($2 || n), 24), 'dist_1', 'ev_' || n, 'customer.custom_event', $2, 'email', 'SENT',
    'Hello', now() - n * interval '1 hour', now() - n * interval '1 hour'
FROM generate_series(1, $3::int) AS n""",
    "memberships": """
WITH made AS (
    INSERT INTO segments (project_id, id, name, type, conditions, names, version, state, created_at)
    SELECT $1, 'seg_' || left(md5($2 || n), 24), 'Segment ' || n, 'static', 0, '{}', 0, 'live', now()
    FROM generate_series(1, $3::int) AS n RETURNING id
)
INSERT INTO segment_members (project_id, segment_id, customer_id, entered_at, logged)
SELECT $1, id, $2, now(), false FROM made""",
}

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


async def insert_history(conn: Connection, project_id: int, customer_id: str, sizes: dict[str, int]) -> None:
    """Give a customer so many events (and as many entries of the log), orders, messages and memberships."""
    for name, number in {**sizes, "activity": sizes["events"]}.items():
        await conn.execute(_HISTORY[name], project_id, customer_id, number, timeout=None)
    await conn.execute(
        "UPDATE customers SET events = jsonb_build_object('seen 0', jsonb_build_object('count', $3::int, 'first_at', "
        "'2026-01-01T00:00:00.000Z', 'last_at', '2026-01-01T00:00:00.000Z')) WHERE project_id = $1 AND id = $2",
        project_id,
        customer_id,
        sizes["events"],
    )


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


# What a database does at best with a file of customers: all of it into a table of its own, then merged into customers.
_STAGED = """
CREATE TEMP TABLE IF NOT EXISTS staged (source_id text, name text, email text, phone text, birthdate date, city text,
    country text, tier text, visits text, newsletter text)
"""
_MERGE = """
INSERT INTO customers (
    project_id, id, source_id, name, email, phone, birthdate, address, metadata, system_metadata, source, orders_count,
    orders_amount, last_order_products, redemptions, loyalty, referrals, events, created_at, updated_at
)
SELECT $1::integer, 'cust_' || left(md5(random()::text || source_id), 24), source_id, name, email, phone, birthdate,
    jsonb_build_object('city', city, 'country', country),
    jsonb_build_object('tier', tier, 'visits', visits, 'newsletter', newsletter), '{}', 'CSV', 0, 0, '[]',
    '{"total_redeemed": 0, "total_failed": 0, "total_succeeded": 0, "total_rolled_back": 0,
        "total_rollback_failed": 0, "total_rollback_succeeded": 0,
        "gift": {"redeemed_amount": 0, "amount_to_go": 0},
        "loyalty_card": {"redeemed_points": 0, "points_to_go": 0}}',
    '{"points": 0, "referred_customers": 0, "campaigns": {}}', '{"total": 0, "campaigns": []}', '{}', now(), now()
FROM staged
ON CONFLICT (project_id, source_id) DO UPDATE SET name = excluded.name, email = excluded.email, phone = excluded.phone,
    birthdate = excluded.birthdate, address = customers.address || excluded.address,
    metadata = customers.metadata || excluded.metadata, updated_at = excluded.updated_at
"""
_SAME_LOG = """
INSERT INTO activity (project_id, id, created_at, type, customer_id, payload, source, group_id)
SELECT $1, 'ev_' || left(md5(random()::text || id), 24), created_at, type, customer_id, payload, source, group_id
FROM bare_log
"""
_KEEP_LOG = """
CREATE TEMP TABLE bare_log AS SELECT id, created_at, type, customer_id, payload, source, group_id
FROM activity WHERE project_id = {0} AND group_id = (
    SELECT request_id FROM imports WHERE project_id = {0} ORDER BY created_at DESC LIMIT 1)
"""


async def merge_file(conn: Connection, project_id: int, path: str) -> None:
    """Copy a file of customers into a table of its own and merge it into the project's."""
    await conn.execute(_STAGED)
    await conn.execute("TRUNCATE staged")
    await conn.copy_to_table("staged", source=path, format="csv", header=True)
    await conn.execute(_MERGE, project_id)


async def keep_log(conn: Connection, project_id: int) -> None:
    """Keep what the project's last import has logged, in a table of the connection's own."""
    await conn.execute("DROP TABLE IF EXISTS bare_log")
    await conn.execute(_KEEP_LOG.format(project_id))


async def log_the_same(conn: Connection, project_id: int) -> None:
    """Log in a project what was kept."""
    await conn.execute(_SAME_LOG, project_id)


async def copy_codes(conn: Connection, campaign_id: str) -> float:
    """Bring the vouchers of a campaign into an empty table of the same shape by COPY; return the seconds it takes."""
    rows = BytesIO()
    await conn.copy_from_query("SELECT * FROM vouchers WHERE campaign_id = $1", campaign_id, output=rows)
    rows.seek(0)
    await conn.execute("CREATE TABLE bare_codes (LIKE vouchers INCLUDING ALL)")
    began = time.monotonic()
    await conn.copy_to_table("bare_codes", source=rows)
    took = time.monotonic() - began
    await conn.execute("DROP TABLE bare_codes")
    return took
