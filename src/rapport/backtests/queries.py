"""All SQL of back-tests."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from rapport.backtests.counting import Key
from rapport.backtests.models import Backtest, Draft, Kind, Sample
from rapport.backtests.tally import Tally
from rapport.core.clock import EARLIEST
from rapport.core.db import Connection, Row, columns
from rapport.core.ids import new_id
from rapport.customers.held.queries import Held
from rapport.customers.models import Customer
from rapport.http.lists import Found, ListSpec, Page
from rapport.http.queries import fetch_page
from rapport.orders.models import Order
from rapport.redemptions.models import Redemption
from rapport.rules.counters import Spent


class _Stored(Backtest, frozen=True):
    """A row as the database has it."""

    @property
    def value(self) -> Backtest:
        """The back-test."""
        values = {name: getattr(self, name) for name in Backtest.__struct_fields__}
        values["draft"] = msgspec.convert(self.draft, Draft)
        values["tally"] = msgspec.convert(self.tally, Tally)
        return Backtest(**values)


# An action that is over is forgotten after a while, the back-test is not: without one, it was given up.
_SHOWN = """(
    SELECT backtests.*, CASE WHEN finished_at IS NULL THEN coalesce(action.status, 'FAILED') ELSE 'DONE' END AS status
    FROM backtests LEFT JOIN (SELECT project_id, id, status FROM async_actions) AS action
        ON action.project_id = backtests.project_id AND action.id = backtests.async_action_id
) AS shown"""
BACKTESTS = ListSpec(
    data_ref="backtests",
    table=_SHOWN,
    row=_Stored,
    orders={"created_at": "created_at"},
    default_order="-created_at",
)
_COLUMNS = columns(Backtest)
_SAMPLE = columns(Sample)
_ORDER = columns(Order)
_CUSTOMER = columns(Customer)
_REDEMPTION = columns(Redemption)
SAMPLES = Held("backtest_samples", Sample, at="created_at")


async def insert(conn: Connection, project_id: int, made: Backtest, most: int) -> bool:
    """Keep a new back-test, unless the project has `most` already."""
    done = await conn.execute(
        "INSERT INTO backtests (project_id, id, async_action_id, draft, campaign_id, campaign, statuses, since, until, "
        "tally, created_at) SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11 "
        "WHERE (SELECT count(*) FROM backtests WHERE project_id = $1) < $12",
        project_id,
        made.id,
        made.async_action_id,
        msgspec.structs.asdict(made.draft),
        made.campaign_id,
        made.campaign,
        made.statuses,
        made.since,
        made.until,
        msgspec.to_builtins(made.tally),
        made.created_at,
        most,
    )
    return bool(done == "INSERT 0 1")


async def find(conn: Connection, project_id: int, backtest_id: str) -> Backtest | None:
    """Return a back-test, or None."""
    row = await conn.fetchrow(
        f"SELECT {_COLUMNS} FROM {_SHOWN} WHERE project_id = $1 AND id = $2", project_id, backtest_id
    )
    return None if row is None else _Stored(*row).value


async def lock(conn: Connection, project_id: int, backtest_id: str) -> Backtest | None:
    """Lock and return a back-test, or None."""
    await conn.execute("SELECT FROM backtests WHERE project_id = $1 AND id = $2 FOR UPDATE", project_id, backtest_id)
    return await find(conn, project_id, backtest_id)


async def list_page(conn: Connection, project_id: int, page: Page) -> Found[Backtest]:
    """Return one page of back-tests."""
    found: Found[_Stored] = await fetch_page(conn, BACKTESTS, project_id, page)
    return Found([one.value for one in found.items], found.total, found.has_more)


async def delete(conn: Connection, project_id: int, backtest_id: str) -> bool:
    """Delete a back-test with all that belongs to it; return whether it was there."""
    done = await conn.execute("DELETE FROM backtests WHERE project_id = $1 AND id = $2", project_id, backtest_id)
    return bool(done == "DELETE 1")


async def save(conn: Connection, project_id: int, after: Backtest) -> None:
    """Write how far a locked back-test came."""
    await conn.execute(
        "UPDATE backtests SET cursor_at = $3, cursor_id = $4, orders_total = $5, is_replayed = $6, tally = $7 "
        "WHERE project_id = $1 AND id = $2",
        project_id,
        after.id,
        after.cursor_at,
        after.cursor_id,
        after.orders_total,
        after.is_replayed,
        msgspec.to_builtins(after.tally),
    )


async def finish(conn: Connection, project_id: int, backtest_id: str, at: datetime) -> None:
    """Say that a locked back-test is done."""
    await conn.execute(
        "UPDATE backtests SET finished_at = $3 WHERE project_id = $1 AND id = $2", project_id, backtest_id, at
    )


async def count_orders(conn: Connection, project_id: int, one: Backtest) -> int:
    """Return how many orders are to be replayed (orders_by_created_at)."""
    number: int = await conn.fetchval(
        "SELECT count(*) FROM orders WHERE project_id = $1 AND status = ANY ($2) AND created_at < $3 "
        "AND created_at >= $4",
        project_id,
        one.statuses,
        one.until,
        one.since or EARLIEST,
    )
    return number


async def next_orders(conn: Connection, project_id: int, one: Backtest, count: int) -> list[Order]:
    """Return the next orders in the order of their time (orders_by_created_at)."""
    rows = await conn.fetch(
        f"SELECT {_ORDER} FROM orders WHERE project_id = $1 AND status = ANY ($2) AND created_at < $3 "
        "AND (created_at, id) > ($4, $5) ORDER BY created_at, id LIMIT $6",
        project_id,
        one.statuses,
        one.until,
        one.cursor_at or one.since or EARLIEST,
        # Before all ids of that moment, where the period begins with it.
        one.cursor_id or "",
        count,
    )
    return [Order(*row) for row in rows]


async def hold_customers(conn: Connection, project_id: int, ids: Sequence[str]) -> dict[str, Customer]:
    """Return the customers that exist among `ids`; none is deleted, erased or merged before the transaction ends."""
    rows = await conn.fetch(
        f"SELECT {_CUSTOMER} FROM customers WHERE project_id = $1 AND id = ANY ($2) ORDER BY id FOR KEY SHARE",
        project_id,
        ids,
    )
    return {row["id"]: Customer(*row) for row in rows}


async def find_redeemed(conn: Connection, project_id: int, ids: Collection[str]) -> list[Redemption]:
    """Return those of the lines of the ledger that are about something redeemed and stand, oldest first."""
    rows = await conn.fetch(
        f"SELECT {_REDEMPTION} FROM redemptions WHERE project_id = $1 AND id = ANY ($2) AND rollback_id IS NULL "
        "AND result = 'SUCCESS' AND (voucher_id IS NOT NULL OR promotion_tier_id IS NOT NULL) ORDER BY created_at, id",
        project_id,
        list(ids),
    )
    return [Redemption(*row) for row in rows]


async def read_counts(conn: Connection, project_id: int, backtest_id: str, keys: Collection[Key]) -> dict[Key, Spent]:
    """Return those of the numbers of a replay that there are."""
    wanted = sorted(keys)
    rows = await conn.fetch(
        "SELECT counted_by, name, period, number, orders_amount, discount_amount FROM backtest_counts "
        "JOIN unnest($3::text[], $4::text[], $5::text[]) AS wanted (counted_by, name, period) "
        "USING (counted_by, name, period) WHERE project_id = $1 AND backtest_id = $2",
        project_id,
        backtest_id,
        *_columns_of(wanted),
    )
    return {(row[0], row[1], row[2]): Spent(*row[3:]) for row in rows}


def _columns_of(keys: Sequence[Key]) -> list[list[str]]:
    return [[key[place] for key in keys] for place in range(3)]


async def write_counts(conn: Connection, project_id: int, backtest_id: str, counts: Mapping[Key, Spent]) -> None:
    """Write numbers of a locked back-test."""
    keys = sorted(counts)
    await conn.execute(
        "INSERT INTO backtest_counts (project_id, backtest_id, counted_by, name, period, number, orders_amount, "
        "discount_amount) SELECT $1, $2, one.* FROM unnest($3::text[], $4::text[], $5::text[], $6::bigint[], "
        "$7::bigint[], $8::bigint[]) AS one ON CONFLICT (project_id, backtest_id, counted_by, name, period) "
        "DO UPDATE SET number = excluded.number, orders_amount = excluded.orders_amount, "
        "discount_amount = excluded.discount_amount",
        project_id,
        backtest_id,
        *_columns_of(keys),
        [counts[key].number for key in keys],
        [counts[key].orders_amount for key in keys],
        [counts[key].discount_amount for key in keys],
    )


async def remove_counts(conn: Connection, project_id: int, backtest_id: str, most: int) -> int:
    """Remove up to `most` numbers of a replay; return how many."""
    done = await conn.execute(
        "DELETE FROM backtest_counts WHERE project_id = $1 AND backtest_id = $2 AND (counted_by, name, period) IN ("
        "SELECT counted_by, name, period FROM backtest_counts WHERE project_id = $1 AND backtest_id = $2 LIMIT $3)",
        project_id,
        backtest_id,
        most,
    )
    return int(done.removeprefix("DELETE "))


async def add_samples(
    conn: Connection,
    project_id: int,
    backtest_id: str,
    samples: Sequence[tuple[Kind, Order, dict[str, Any]]],
) -> None:
    """Keep what became of some orders; `created_at` is that of the order."""
    await conn.executemany(
        f"INSERT INTO backtest_samples (project_id, {_SAMPLE}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        [
            (
                project_id,
                new_id("bts"),
                backtest_id,
                kind,
                order.id,
                order.customer_id,
                details,
                order.created_at,
            )
            for kind, order, details in samples
        ],
    )


async def samples_of(conn: Connection, project_id: int, backtest_id: str) -> list[Sample]:
    """Return what was kept about single orders, in the order of their time (backtest_samples_of_backtest)."""
    rows: list[Row] = await conn.fetch(
        f"SELECT {_SAMPLE} FROM backtest_samples WHERE project_id = $1 AND backtest_id = $2 ORDER BY created_at, id",
        project_id,
        backtest_id,
    )
    return [Sample(*row) for row in rows]


async def erase_counts(conn: Connection, project_id: int, customer_id: str) -> int:
    """Remove what replays under way have counted of a customer (backtest_counts_of_customer)."""
    done = await conn.execute(
        "DELETE FROM backtest_counts WHERE project_id = $1 AND name = $2 "
        "AND counted_by IN ('customer', 'customer_units', 'seen')",
        project_id,
        customer_id,
    )
    return int(done.removeprefix("DELETE "))


async def move_counts(conn: Connection, project_id: int, giver_id: str, taker_id: str) -> None:
    """Add what replays under way have counted of one customer to another; whoever was there stays there once."""
    await conn.execute(
        "INSERT INTO backtest_counts AS kept (project_id, backtest_id, counted_by, name, period, number, orders_amount,"
        " discount_amount) SELECT project_id, backtest_id, counted_by, $3, period, number, orders_amount, "
        "discount_amount FROM backtest_counts WHERE project_id = $1 AND name = $2 "
        "AND counted_by IN ('customer', 'customer_units', 'seen') "
        "ON CONFLICT (project_id, backtest_id, counted_by, name, period) "
        "DO UPDATE SET number = CASE kept.counted_by WHEN 'seen' THEN greatest(kept.number, excluded.number) "
        "ELSE kept.number + excluded.number END, orders_amount = kept.orders_amount + excluded.orders_amount, "
        "discount_amount = kept.discount_amount + excluded.discount_amount",
        project_id,
        giver_id,
        taker_id,
    )
    await erase_counts(conn, project_id, giver_id)
