"""All SQL of what is counted for rules."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from rapport.core.db import Connection
from rapport.rules.counters import Counter, Spent, Watch

# The two halves of the protocol in budgets.py meet under this advisory lock, one for each project.
_LOCK = 7_237_766
# Where the ledger is asked how many customers there were, nobody makes one of two until that is written down.
_PERSONS_LOCK = 7_237_767
# How the ledger names what was redeemed, and by whom; see counters.Counter.
_OBJECTS: Mapping[str, str] = {
    "voucher": "r.voucher_id",
    "campaign": "r.campaign_id",
    "promotion_tier": "r.promotion_tier_id",
}
_BY: Mapping[str, str] = {
    "all": "true",
    "customers": "true",
    "customer": "r.customer_id = wanted.name",
    "api_key": "r.channel ->> 'channel_id' = wanted.name",
    "user": "r.channel ->> 'user' = wanted.name",
    "units": "true",
    "customer_units": "r.customer_id = wanted.name",
}
# A redemption; what was rolled back is none any more.
_REDEEMED = "r.object = 'redemption' AND r.result = 'SUCCESS' AND r.rollback_id IS NULL"
# Who was erased still is one person.
_PERSONS = "count(DISTINCT coalesce(r.customer_id, r.former_customer))"
_NUMBERS = """
coalesce(sum((r.amounts ->> 'amount')::bigint), 0)::bigint AS orders_amount,
coalesce(sum(coalesce((r.amounts ->> 'total_applied_discount_amount')::bigint, r.credits)), 0)::bigint
    AS discount_amount
FROM redemptions AS r
"""
# What a redemption did to single lines (redemptions/effects.py) names the units, their product and their goods: a text,
# or a list where rules name them differently. The operator finds it in either.
_UNITS = """
coalesce(sum((effect ->> 'units')::bigint), 0)::bigint AS number, 0 AS orders_amount, 0 AS discount_amount
FROM redemptions AS r, jsonb_array_elements(r.effects) AS effect
"""
_OF_UNITS = """
AND effect -> 'goods' ? wanted.goods AND (wanted.product = '' OR wanted.product = coalesce(
    effect -> 'key' ->> 0, effect -> 'key' ->> 1, effect -> 'key' ->> 2))
"""


async def hold_assignments_off(conn: Connection, project_id: int) -> None:
    """Let nobody assign rules that count until this transaction ends; many transactions may do so at once."""
    await conn.execute("SELECT pg_advisory_xact_lock_shared($1, $2)", _LOCK, project_id)


async def shut_redemptions_out(conn: Connection, project_id: int) -> None:
    """Wait until no redemption is under way in the project, and let none begin until this transaction ends."""
    await conn.execute("SELECT pg_advisory_xact_lock($1, $2)", _LOCK, project_id)


async def watched(conn: Connection, project_id: int, object_ids: list[str]) -> list[Watch]:
    """Return what has to be counted of these vouchers, promotion tiers and campaigns."""
    rows = await conn.fetch(
        "SELECT object_id, counted_by, period, goods FROM rule_counted WHERE project_id = $1 AND object_id = ANY ($2) "
        "UNION SELECT id, 'all', 'total', '' FROM campaigns "
        "WHERE project_id = $1 AND id = ANY ($2) AND formulas_count",
        project_id,
        object_ids,
    )
    return [Watch(*row) for row in rows]


async def count_for_formulas(conn: Connection, project_id: int, campaign_ids: Sequence[str]) -> None:
    """Have counted how often these campaigns were redeemed, whatever rules ask for; redemptions are shut out."""
    rows = await conn.fetch(
        "UPDATE campaigns SET formulas_count = true WHERE project_id = $1 AND id = ANY ($2) AND NOT formulas_count "
        "RETURNING id",
        project_id,
        campaign_ids,
    )
    # They begin anew with what the ledger says; those that somebody else was faster with have begun already.
    await conn.execute(
        "DELETE FROM rule_counters WHERE project_id = $1 AND object_id = ANY ($2) AND counted_by = 'all' "
        "AND period = 'total'",
        project_id,
        [row["id"] for row in rows],
    )


async def watch(
    conn: Connection, project_id: int, assignment_ids: Sequence[str], watches: Iterable[tuple[str, Watch]]
) -> None:
    """Have counted what these assignments ask for, and nothing else because of them; redemptions are shut out.

    Each watch comes with its assignment. The counters of the objects begin anew, with what the ledger says.
    """
    await conn.execute(
        "DELETE FROM rule_counted WHERE project_id = $1 AND assignment_id = ANY ($2)", project_id, list(assignment_ids)
    )
    wanted = list(watches)
    await conn.execute(
        "DELETE FROM rule_counters WHERE project_id = $1 AND (object_id = ANY ($2) OR object_id IN ("
        "SELECT id FROM promotion_tiers WHERE project_id = $1 AND campaign_id = ANY ($2)))",
        project_id,
        [one.object_id for _, one in wanted],
    )
    await conn.execute(
        "INSERT INTO rule_counted (project_id, object_id, assignment_id, counted_by, period, goods) "
        "SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[])",
        project_id,
        [one.object_id for _, one in wanted],
        [assignment_id for assignment_id, _ in wanted],
        [one.counted_by for _, one in wanted],
        [one.period for _, one in wanted],
        [one.goods for _, one in wanted],
    )


# Counters, as the rows of a table that names them.
_WANTED = (
    "unnest($2::text[], $3::text[], $4::text[], $5::text[]) WITH ORDINALITY "
    "AS wanted (object_id, counted_by, name, period, place)"
)


def _keys(wanted: Sequence[Counter]) -> list[list[str]]:
    return [[one.object_id for one in wanted], *([one.key[part] for one in wanted] for part in range(3))]


async def read_counters(conn: Connection, project_id: int, wanted: list[Counter]) -> dict[Counter, Spent]:
    """Return those of the counters that there are."""
    rows = await conn.fetch(
        f"SELECT place, number, orders_amount, discount_amount FROM {_WANTED} "
        "JOIN rule_counters USING (object_id, counted_by, name, period) WHERE project_id = $1",
        project_id,
        *_keys(wanted),
    )
    return {wanted[row["place"] - 1]: Spent(*row[1:]) for row in rows}


async def count_in_ledger(conn: Connection, project_id: int, wanted: list[Counter]) -> dict[Counter, Spent]:
    """Return what the ledger says about each counter; what was rolled back does not count.

    The indexes are redemptions_of_customer, redemptions_of_voucher and, within a period, redemptions_by_created_at.
    """
    groups: dict[tuple[str, str], list[Counter]] = defaultdict(list)
    for one in wanted:
        groups[one.kind, one.counted_by].append(one)
    found: dict[Counter, Spent] = {}
    for (kind, by), counters in groups.items():
        numbers, of = f"{_PERSONS if by == 'customers' else 'count(*)'} AS number, {_NUMBERS}", ""
        if by in ("units", "customer_units"):
            numbers, of = _UNITS, _OF_UNITS
        rows = await conn.fetch(
            "SELECT summed.* FROM unnest($2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::text[], "
            "$7::text[]) WITH ORDINALITY AS wanted (object_id, name, since, until, goods, product, place), LATERAL ("
            f"SELECT wanted.place, {numbers} WHERE r.project_id = $1 AND {_OBJECTS[kind]} = wanted.object_id "
            f"AND {_REDEEMED} AND {_BY[by]} AND r.created_at >= coalesce(wanted.since, '-infinity') "
            f"AND r.created_at < coalesce(wanted.until, 'infinity') {of}) AS summed",
            project_id,
            [one.object_id for one in counters],
            [one.name for one in counters],
            [one.since for one in counters],
            [one.until for one in counters],
            [one.goods for one in counters],
            [one.product for one in counters],
        )
        found |= {counters[row["place"] - 1]: Spent(*row[1:]) for row in rows}
    return found


async def recount_customers(conn: Connection, project_id: int, customer_ids: list[str]) -> None:
    """Have the different customers counted anew of whatever these (locked) customers redeemed.

    For redemptions that have become somebody else's. Without its row a counter begins with what the ledger says; who
    has asked it already, and not yet written the row, is waited for.
    """
    await conn.execute("SELECT pg_advisory_xact_lock($1, $2)", _PERSONS_LOCK, project_id)
    await conn.execute(
        "DELETE FROM rule_counters WHERE project_id = $1 AND counted_by = 'customers' AND object_id IN ("
        "SELECT unnest(ARRAY[campaign_id, voucher_id]) FROM redemptions "
        "WHERE project_id = $1 AND customer_id = ANY ($2))",
        project_id,
        customer_ids,
    )


_ADD = """
number = rule_counters.number + $6, orders_amount = rule_counters.orders_amount + $7,
discount_amount = rule_counters.discount_amount + $8
"""


async def add(conn: Connection, project_id: int, counter: Counter, delta: Spent) -> Spent:
    """Add to a counter, and return what it comes to; the ledger has this transaction's lines already.

    A counter that is not there begins with what the ledger says. The row stays locked until the transaction ends.
    """
    key = (project_id, counter.object_id, *counter.key)
    row = await conn.fetchrow(
        f"UPDATE rule_counters SET {_ADD} WHERE project_id = $1 AND object_id = $2 AND counted_by = $3 AND name = $4 "
        "AND period = $5 RETURNING number, orders_amount, discount_amount",
        *key,
        *(delta.number, delta.orders_amount, delta.discount_amount),
    )
    if row is None:
        if counter.counted_by == "customers":
            await conn.execute("SELECT pg_advisory_xact_lock_shared($1, $2)", _PERSONS_LOCK, project_id)
        said = (await count_in_ledger(conn, project_id, [counter]))[counter]
        row = await conn.fetchrow(
            "INSERT INTO rule_counters (project_id, object_id, counted_by, name, period, number, orders_amount, "
            "discount_amount) VALUES ($1, $2, $3, $4, $5, $9, $10, $11) "
            f"ON CONFLICT (project_id, object_id, counted_by, name, period) DO UPDATE SET {_ADD} "
            "RETURNING number, orders_amount, discount_amount",
            *key,
            *(delta.number, delta.orders_amount, delta.discount_amount),
            *(said.number, said.orders_amount, said.discount_amount),
        )
    return Spent(*row)


async def forget(conn: Connection, project_id: int, counter: Counter) -> None:
    """Let a counter begin anew with what the ledger says, once this transaction's lines are committed."""
    await add(conn, project_id, counter, Spent())  # a row that another transaction is about to make is waited for
    await conn.execute(
        "DELETE FROM rule_counters WHERE project_id = $1 AND object_id = $2 AND counted_by = $3 AND name = $4 "
        "AND period = $5",
        project_id,
        counter.object_id,
        *counter.key,
    )


async def held_units(
    conn: Connection,
    project_id: int,
    wanted: list[Counter],
    now: datetime,
    session_key: str | None,
    redeemable_ids: Sequence[str],
) -> dict[Counter, int]:
    """Return how many units sessions hold back of each counter, but for those that one holds for these redeemables."""
    rows = await conn.fetch(
        f"SELECT place, sum(units)::bigint AS units FROM {_WANTED} "
        "JOIN unit_locks USING (object_id, counted_by, name, period) WHERE project_id = $1 AND expires_at > $6 "
        "AND (session_key IS DISTINCT FROM $7 OR redeemable_id <> ALL ($8)) GROUP BY place",
        project_id,
        *_keys(wanted),
        now,
        session_key,
        redeemable_ids,
    )
    return {wanted[row["place"] - 1]: row["units"] for row in rows}


async def hold_units(
    conn: Connection,
    project_id: int,
    wanted: Sequence[tuple[Counter, str, int]],
    session_key: str,
    until: datetime,
    now: datetime,
) -> None:
    """Hold units of counters back for a session: the counter, what they would be redeemed with, and how many.

    What others held of these counters and is over is cleared away, unless somebody else is about to.
    """
    keys = _keys([counter for counter, _, _ in wanted])
    await conn.execute(
        "WITH stale AS MATERIALIZED ("
        f"SELECT unit_locks.* FROM unit_locks JOIN {_WANTED} USING (object_id, counted_by, name, period) "
        "WHERE project_id = $1 AND expires_at <= $6 FOR UPDATE OF unit_locks SKIP LOCKED) "
        "DELETE FROM unit_locks AS gone USING stale WHERE gone.project_id = $1 AND gone.object_id = stale.object_id "
        "AND gone.counted_by = stale.counted_by AND gone.name = stale.name AND gone.period = stale.period "
        "AND gone.session_key = stale.session_key AND gone.redeemable_id = stale.redeemable_id",
        project_id,
        *keys,
        now,
    )
    await conn.execute(
        "INSERT INTO unit_locks (project_id, object_id, counted_by, name, period, redeemable_id, units, session_key, "
        "expires_at) SELECT $1, one.*, $8, $9 "
        "FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[]) AS one",
        project_id,
        *keys,
        [redeemable_id for _, redeemable_id, _ in wanted],
        [units for _, _, units in wanted],
        session_key,
        until,
    )


async def let_units_go(
    conn: Connection, project_id: int, session_key: str, redeemable_ids: Sequence[str] | None, now: datetime
) -> int:
    """Let go of the units that a session holds back, for these redeemables or all; return how many locks still held."""
    rows = await conn.fetch(
        "DELETE FROM unit_locks WHERE project_id = $1 AND session_key = $2 "
        "AND ($3::text[] IS NULL OR redeemable_id = ANY ($3)) RETURNING expires_at > $4 AS live",
        project_id,
        session_key,
        redeemable_ids,
        now,
    )
    return sum(row["live"] for row in rows)


async def forget_units_of(conn: Connection, project_id: int, redeemable_id: str) -> None:
    """Let go of all units that are held back to be redeemed with a voucher or tier that is deleted."""
    await conn.execute("DELETE FROM unit_locks WHERE project_id = $1 AND redeemable_id = $2", project_id, redeemable_id)


async def remove_held_units(conn: Connection, now: datetime, count: int) -> int:
    """Remove up to `count` locks of units that are over, of all projects; return how many. Index: unit_locks_by_end."""
    done = await conn.execute(
        "WITH stale AS MATERIALIZED (SELECT ctid FROM unit_locks WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2 "
        "FOR UPDATE SKIP LOCKED) DELETE FROM unit_locks WHERE ctid IN (SELECT ctid FROM stale)",
        now,
        count,
    )
    return int(done.rpartition(" ")[2])


async def forget_held_units(conn: Connection, project_id: int, customer_id: str) -> None:
    """Let go of what is held back of limits for one customer, who goes away."""
    await conn.execute(
        "DELETE FROM unit_locks WHERE project_id = $1 AND counted_by = 'customer_units' AND name = $2",
        project_id,
        customer_id,
    )
