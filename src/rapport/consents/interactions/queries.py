"""All SQL of interactions."""

from rapport.consents.interactions.schemas import InteractionRow
from rapport.core.db import Connection, columns
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
