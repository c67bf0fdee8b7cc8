"""What exports hold on a person: copies in files, and what somebody looked for in filters."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from rapport.core.db import Connection
from rapport.customers.holdings import Holding
from rapport.customers.models import Customer
from rapport.exports import queries


async def gather(conn: Connection, project_id: int, customer: Customer) -> AsyncIterator[dict[str, Any]]:
    """Yield nothing: a file holds only copies of what other features tell of the person."""
    _ = conn, project_id, customer
    for nothing in list[dict[str, Any]]():
        yield nothing


async def erase(conn: Connection, project_id: int, customer: Customer) -> int:
    """Remove the files of all exports of the project, whoever is in them; those being written begin anew.

    Exports whose filters name the person by id, source id, email or phone are deleted as such, and only these are
    counted. Nothing that is written later can contain the person: its snapshot is taken after this transaction.
    """
    await queries.lock_gate(conn, project_id)
    values = [one for one in (customer.id, customer.source_id, customer.email, customer.phone) if one]
    named = await queries.naming(conn, project_id, values)
    for export_id in named:
        await queries.delete(conn, project_id, export_id)
    await queries.erase_files(conn, project_id)
    return len(named)


async def move(
    conn: Connection, project_id: int, giver_id: str, taker_id: str, only: Sequence[str] | None = None
) -> list[str]:
    """Move nothing: a file tells how things were when it was written."""
    _ = conn, project_id, giver_id, taker_id, only
    return []


holding = Holding(name="exports", gather=gather, erase=erase, move=move, by_text=True)
