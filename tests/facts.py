"""What tests read in the database besides the API, and what they hold it against."""

import json
from collections import defaultdict
from datetime import datetime
from typing import Any

import harness
from rapport.core.db import Connection, Database
from rapport.segments.filters import parse
from rapport.segments.sql import compile_filter

TABLES = ("customers", "orders", "events", "segments", "segment_members", "activity")
ITEMS = [
    {
        "product_id": "prod_1",
        "quantity": 2,
        "price": 150,
        "discount_amount": 20,
        "product": {"name": "Mug", "price": 150},
    },
    {"source_id": "red", "related_object": "sku", "quantity": 1, "amount": 99, "sku": {"sku": "Red"}},
]
ANN = {
    "source_id": "ann",
    "name": "Ann",
    "description": "A customer",
    "email": "ann@example.com",
    "phone": "+48600000000",
    "birthdate": "1990-12-05",
    "address": {"city": "Oslo", "state": "O", "line_1": "1", "line_2": "2", "country": "NO", "postal_code": "0001"},
    "metadata": {"tier": "gold", "sizes": [36, 38], "nested": {"score": 1.5}},
}
OSLO = {"junction": "and", "address.city": {"conditions": {"$is": ["Oslo"]}}}
_COUNTS = " UNION ALL ".join(
    f"SELECT '{table}' AS name, count(*) AS number FROM {table} WHERE project_id = $1" for table in TABLES
)


async def counts(db: Database, project_id: int) -> dict[str, int]:
    """Return how many rows a project has in each table; tables without rows are left out."""
    async with db.read() as conn:
        rows = await conn.fetch(_COUNTS, project_id)
    return {row["name"]: row["number"] for row in rows if row["number"]}


async def log_types(db: Database, project_id: int, customer_id: str | None = None) -> list[str]:
    """Return the types of all activity in the order it was written, of one customer if named."""
    async with db.read() as conn:
        rows = await conn.fetch(
            "SELECT type FROM activity WHERE project_id = $1 AND ($2::text IS NULL OR customer_id = $2) ORDER BY seq",
            project_id,
            customer_id,
        )
    return [row["type"] for row in rows]


async def moves(db: Database, project_id: int, segment_id: str) -> dict[str, list[str]]:
    """Return for each customer the `entered` and `left` of one segment, in the order of the log."""
    async with db.read() as conn:
        rows = await conn.fetch(
            "SELECT customer_id, type FROM activity WHERE project_id = $1 AND type LIKE 'customer.segment.%' "
            "AND payload #>> '{segment,id}' = $2 ORDER BY seq",
            project_id,
            segment_id,
        )
    found: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        found[row["customer_id"]].append(row["type"].removeprefix("customer.segment."))
    return dict(found)


async def now_of(conn: Connection, db: Database) -> datetime:
    """Return the time as the server with the same offset sees it."""
    return await conn.fetchval("SELECT date_trunc('milliseconds', clock_timestamp() + $1::interval)", db.clock_offset)  # type: ignore[no-any-return]


async def members_by_sql(db: Database, project_id: int, raw: dict[str, Any]) -> list[str]:
    """Return the ids of the customers that the SQL meaning of a filter holds for now."""
    async with db.read() as conn:
        zone = await conn.fetchval("SELECT time_zone FROM projects WHERE project_id = $1", project_id)
        condition = compile_filter(
            parse(raw), now=await now_of(conn, db), zone_name=zone, project_id=project_id, first_parameter=2
        )
        rows = await conn.fetch(
            f"SELECT id FROM customers AS c WHERE project_id = $1 AND ({condition.text}) ORDER BY id",
            project_id,
            *condition.parameters,
        )
    return [row["id"] for row in rows]


async def members(db: Database, project_id: int, segment_id: str) -> list[str]:
    """Return the ids of a segment's stored members, in order."""
    async with db.read() as conn:
        rows = await conn.fetch(
            "SELECT customer_id FROM segment_members WHERE project_id = $1 AND segment_id = $2 "
            "AND entered_at IS NOT NULL ORDER BY customer_id",
            project_id,
            segment_id,
        )
    return [row["customer_id"] for row in rows]


async def multiply(db: Database, project_id: int, template_id: str, number: int) -> None:
    """Copy a customer `number` times, past the API: ids `cust_1` …, source ids `c1` …, metadata `{"n": 1}` …."""
    async with db.read() as conn:
        names = [
            row["attname"]
            for row in await conn.fetch(
                "SELECT attname FROM pg_attribute WHERE attrelid = 'customers'::regclass AND attnum > 0"
            )
            if row["attname"] not in ("project_id", "id", "source_id", "metadata")
        ]
        await conn.execute(
            f"INSERT INTO customers (project_id, id, source_id, metadata, {', '.join(names)}) "
            "SELECT project_id, 'cust_' || n, 'c' || n, jsonb_build_object('n', n), "
            f"{', '.join(names)} FROM customers, generate_series(1, $3) AS n WHERE project_id = $1 AND id = $2",
            project_id,
            template_id,
            number,
        )


async def wrong_summaries(db: Database, project_id: int) -> list[Any]:
    """Return the customers whose purchase summary is not the sum of their counted orders."""
    async with db.read() as conn:
        return await conn.fetch(  # type: ignore[no-any-return]
            "SELECT c.source_id, orders_count, orders_amount, counted.* FROM customers AS c CROSS JOIN LATERAL ("
            " SELECT count(*) AS number, coalesce(sum(total_amount), 0) AS amount, max(created_at) AS last_at"
            " FROM orders AS o WHERE o.project_id = $1 AND o.customer_id = c.id AND status IN ('PAID', 'FULFILLED')"
            ") AS counted WHERE c.project_id = $1 AND (orders_count <> counted.number "
            "OR orders_amount <> counted.amount OR last_order_at IS DISTINCT FROM counted.last_at)",
            project_id,
        )


async def assert_exact(db: Database, project_id: int, segment_id: str, raw: dict[str, Any]) -> list[str]:
    """Assert that a segment's stored members, its SQL meaning and the fold of the log are one; return the members.

    Who is deleted leaves every segment with nothing said but `customer.deleted`.
    """
    stored = await members(db, project_id, segment_id)
    assert stored == await members_by_sql(db, project_id, raw)
    by_customer = await moves(db, project_id, segment_id)
    for customer_id, kinds in by_customer.items():
        assert kinds == (["entered", "left"] * len(kinds))[: len(kinds)], customer_id
    inside = [customer_id for customer_id, kinds in by_customer.items() if kinds[-1] == "entered"]
    async with db.read() as conn:
        rows = await conn.fetch("SELECT id FROM customers WHERE project_id = $1 AND id = ANY ($2)", project_id, inside)
    assert stored == sorted(row["id"] for row in rows)
    return stored


def wait_until_filled(api: Any, segment_id: str) -> None:
    """Wait until the worker has filled in a new segment."""
    path = f"/v1/segments/{segment_id}"
    harness.wait_for(lambda: api.call("GET", path)["initial_sync_status"] == "DONE", what="the back-fill")


def new_segment(api: Any, raw: dict[str, Any], *, name: str = "S", kind: str = "auto-update", wait: bool = True) -> str:
    """Create a segment with a filter, wait until it is filled in, and return its id."""
    segment_id = str(api.call("POST", "/v1/segments", {"name": name, "type": kind, "filter": raw})["id"])
    if wait:
        wait_until_filled(api, segment_id)
    return segment_id


def where(field: str, operator: str, *operands: Any) -> dict[str, Any]:
    """Return a filter of one condition."""
    return {"junction": "and", field: {"conditions": {operator: list(operands)}}}


def plain(value: Any) -> Any:
    """Return JSON with its decimals as floats, to compare with literals."""
    return json.loads(json.dumps(value, default=float))
