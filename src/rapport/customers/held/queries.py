"""The one SQL for tables of which every row is about one customer and goes with them."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from rapport.core.clock import EARLIEST
from rapport.core.db import Connection, columns
from rapport.customers.holdings import Holding
from rapport.customers.models import Customer

GATHERED_AT_ONCE = 500


@dataclass(frozen=True)
class Held:
    """A table with the columns project_id, id and customer_id; all SQL in here is written by us.

    `at` and `tie` order a customer's rows, and an index does; `least` is below every tie.
    """

    table: str
    row: Any
    at: str
    tie: str = "id"
    least: int | str = ""


async def gather(conn: Connection, held: Held, project_id: int, customer_id: str) -> AsyncIterator[Any]:
    """Yield a customer's rows, oldest first."""
    since, last = EARLIEST, held.least
    query = (
        f"SELECT {columns(held.row)}, {held.at}, {held.tie} FROM {held.table} WHERE project_id = $1 "
        f"AND customer_id = $2 AND ({held.at}, {held.tie}) > ($3, $4) ORDER BY {held.at}, {held.tie} LIMIT $5"
    )
    while rows := await conn.fetch(query, project_id, customer_id, since, last, GATHERED_AT_ONCE):
        for row in rows:
            yield held.row(*row[:-2])
        since, last = rows[-1][-2:]


async def erase(conn: Connection, held: Held, project_id: int, customer_id: str) -> int:
    """Remove a customer's rows; return how many there were."""
    done = await conn.execute(
        f"DELETE FROM {held.table} WHERE project_id = $1 AND customer_id = $2", project_id, customer_id
    )
    return int(done.rpartition(" ")[2])


async def move(
    conn: Connection, held: Held, project_id: int, giver_id: str, taker_id: str, only: Sequence[str] | None
) -> list[str]:
    """Give rows of one customer to another, all of them or those of the ids `only`; return their ids."""
    rows = await conn.fetch(
        f"UPDATE {held.table} SET customer_id = $3 WHERE project_id = $1 AND customer_id = $2 "
        "AND ($4::text[] IS NULL OR id IN (SELECT unnest($4::text[]))) RETURNING id",
        project_id,
        giver_id,
        taker_id,
        None if only is None else list(only),
    )
    return [row["id"] for row in rows]


def holding_of(name: str, held: Held, shown: Callable[[Any], dict[str, Any]]) -> Holding:
    """Return what a table holds on a person; `shown` is a row as the API shows it."""

    async def gather_rows(conn: Connection, project_id: int, customer: Customer) -> AsyncIterator[dict[str, Any]]:
        async for row in gather(conn, held, project_id, customer.id):
            yield shown(row)

    async def erase_rows(conn: Connection, project_id: int, customer: Customer) -> int:
        return await erase(conn, held, project_id, customer.id)

    async def move_rows(
        conn: Connection, project_id: int, giver_id: str, taker_id: str, only: Sequence[str] | None = None
    ) -> list[str]:
        return await move(conn, held, project_id, giver_id, taker_id, only)

    return Holding(name=name, gather=gather_rows, erase=erase_rows, move=move_rows)
