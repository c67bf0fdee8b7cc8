"""Redemption over HTTP against pgbench with the same statements, on many codes and on one."""

import json
import random
from collections.abc import Iterator
from datetime import timedelta

import msgspec

from benchmarks import load, upsert
from benchmarks.pgbench import Expression, Script
from rapport.activity.log import Entry, Logged
from rapport.activity.queries import append_parameters
from rapport.core.db import columns, connect
from rapport.customers import queries as customers
from rapport.orders import queries as orders
from rapport.redemptions import queries as redemptions
from rapport.redemptions.models import Redemption
from rapport.segments import queries as segments
from rapport.vouchers import queries as vouchers

CODES = 1_000


def fill(headers: dict[str, str]) -> Iterator[bytes]:
    """Yield the codes: ten percent off, as often as one likes."""
    discount = {"type": "PERCENT", "percent_off": 10, "effect": "APPLY_TO_ORDER"}
    body = json.dumps({"type": "DISCOUNT_VOUCHER", "discount": discount, "redemption": {"quantity": None}}).encode()
    for number in range(CODES):
        yield load.request("POST", f"/v1/vouchers/bench-{number}", headers, body)


def requests(headers: dict[str, str], number: int, *, hot: bool) -> Iterator[bytes]:
    """Yield redemptions by known customers at random, each with an order of its own."""
    draw = random.Random(number)
    while True:
        customer = {"source_id": f"bench-{draw.randrange(upsert.CUSTOMERS)}"}
        body = json.dumps({"customer": customer, "order": {"amount": draw.randrange(1_000, 50_000)}}).encode()
        code = "bench-0" if hot else f"bench-{draw.randrange(CODES)}"
        yield load.request("POST", f"/v1/vouchers/{code}/redemption", headers, body)


async def script(url: str, project_id: int, *, hot: bool) -> Script:
    """Return one redemption as pgbench runs it, with the values of one that went over HTTP."""
    db = await connect(url)
    async with db.read() as conn:
        row = await conn.fetchrow(
            f"SELECT {columns(Redemption)} FROM redemptions WHERE project_id = $1 ORDER BY created_at DESC LIMIT 1",
            project_id,
        )
        redemption = Redemption(*row)
        customer = await customers.get(conn, project_id, redemption.customer_id or "")
        order = await orders.find(conn, project_id, redemption.order_id or "")
        logged = await conn.fetch(
            f"SELECT {columns(Logged)} FROM activity WHERE project_id = $1 AND customer_id = $2 AND created_at = $3 "
            "ORDER BY seq",
            project_id,
            customer.id,
            redemption.created_at,
        )
    await db.close()
    assert order is not None
    entries = [Entry(one["type"], one["customer_id"], one["payload"]) for one in logged]

    made = Script()
    made.set(rf"\set k random(0, {upsert.CUSTOMERS - 1})")
    made.set(r"\set v 0" if hot else rf"\set v random(0, {CODES - 1})")
    made.add("BEGIN")
    key, code = Expression("'bench-' || :k"), Expression("'bench-' || :v")
    inserted = {name: getattr(customer, name) for name in customers._INSERT_TYPES}
    inserted |= {"id": Expression("'cust_' || :k"), "source_id": key}
    made.add(customers._LOCK_OR_INSERT, project_id, key, timedelta(0), *inserted.values(), gset="c_")
    made.add(segments._OPEN, project_id, timedelta(0), Expression("ARRAY[:c_id]"))
    made.add(vouchers._REDEEMABLES, project_id, Expression("ARRAY['bench-' || :v]"))
    placed = msgspec.structs.asdict(order) | {
        "id": Expression("'ord_' || gen_random_uuid()"),
        "customer_id": Expression(":c_id"),
    }
    made.add(orders._INSERT, project_id, *placed.values())
    made.add(
        redemptions._TAKE,
        project_id,
        redemption.created_at,
        code,
        Expression("'r_' || gen_random_uuid()"),
        redemption.parent_id,
        redemption.voucher_id,
        redemption.campaign_id,
        redemption.campaign,
        Expression(":c_id"),
        redemption.order_id,
        redemption.amounts,
        redemption.metadata,
        redemption.channel,
    )
    updated = {name: getattr(customer, name) for name in customers._UPDATE_TYPES}
    updated |= {"source_id": key, "orders_amount": Expression("(random() * 1000000)::bigint")}
    log = append_parameters(redemption.created_at, "v-000000000000000000", upsert.SOURCE, entries)
    log[3] = Expression("ARRAY[" + ", ".join(["'ev_' || gen_random_uuid()"] * len(entries)) + "]")
    made.add(customers._UPDATE_AND_LOG, project_id, Expression(":c_id"), *updated.values(), *log)
    made.add("COMMIT")
    return made
