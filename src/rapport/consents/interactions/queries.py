"""All SQL of interactions."""

from collections.abc import AsyncIterator, Sequence

from rapport.consents.interactions.schemas import InteractionRow
from rapport.core.clock import EARLIEST
from rapport.core.db import Connection, columns
from rapport.customers.models import Customer
from rapport.http.lists import Equals, Found, ListSpec, Page
from rapport.http.queries import fetch_page

INTERACTIONS = ListSpec(
    data_ref="data",
    table="interactions",
    row=InteractionRow,
    orders={"at": "at"},
    default_order="-at",
    filters={"channel": Equals("channel"), "type": Equals("type")},
)
GATHERED_AT_ONCE = 500

_COLUMNS = columns(InteractionRow)
_NAMES = InteractionRow.__struct_fields__
_VALUES = ", ".join(f"${index}" for index in range(2, len(_NAMES) + 2))
_INSERT = f"INSERT INTO interactions (project_id, {_COLUMNS}) VALUES ($1, {_VALUES}) ON CONFLICT DO NOTHING"


async def insert(conn: Connection, project_id: int, row: InteractionRow) -> bool:
    """Insert an interaction; return False if its id is known."""
    done = await conn.execute(_INSERT, project_id, *[getattr(row, name) for name in _NAMES])
    return bool(done == "INSERT 0 1")


async def find(conn: Connection, project_id: int, interaction_id: str) -> InteractionRow | None:
    """Return the interaction with this id, or None."""
    row = await conn.fetchrow(
        f"SELECT {_COLUMNS} FROM interactions WHERE project_id = $1 AND id = $2", project_id, interaction_id
    )
    return None if row is None else InteractionRow(*row)


async def list_page(conn: Connection, project_id: int, customer_id: str, page: Page) -> Found[InteractionRow]:
    """Return one page of a customer's interactions; the index is interactions_of_customer."""
    return await fetch_page(conn, INTERACTIONS, project_id, page, where={"customer_id": customer_id})


async def gather(conn: Connection, project_id: int, customer: Customer) -> AsyncIterator[InteractionRow]:
    """Yield a person's interactions, oldest first."""
    since, last = EARLIEST, ""
    query = (
        f"SELECT {_COLUMNS} FROM interactions WHERE project_id = $1 AND customer_id = $2 AND (at, id) > ($3, $4) "
        "ORDER BY at, id LIMIT $5"
    )
    while rows := await conn.fetch(query, project_id, customer.id, since, last, GATHERED_AT_ONCE):
        for row in rows:
            yield InteractionRow(*row)
        since, last = rows[-1]["at"], rows[-1]["id"]


async def erase(conn: Connection, project_id: int, customer: Customer) -> int:
    """Remove a person's interactions."""
    done = await conn.execute(
        "DELETE FROM interactions WHERE project_id = $1 AND customer_id = $2", project_id, customer.id
    )
    return int(done.rpartition(" ")[2])


async def move(
    conn: Connection, project_id: int, giver_id: str, taker_id: str, only: Sequence[str] | None = None
) -> list[str]:
    """Give the interactions of one customer to another; return their ids."""
    rows = await conn.fetch(
        "UPDATE interactions SET customer_id = $3 WHERE project_id = $1 AND customer_id = $2 "
        "AND ($4::text[] IS NULL OR id = ANY ($4)) RETURNING id",
        project_id,
        giver_id,
        taker_id,
        None if only is None else list(only),
    )
    return [row["id"] for row in rows]
