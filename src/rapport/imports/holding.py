"""What imports hold on a person: failed rows, what undoing takes, and files that are still being read."""

from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

from rapport.core.db import Connection
from rapport.customers.holdings import Holding
from rapport.customers.models import Customer
from rapport.imports import queries

# A name as short as this may stand anywhere in a file: it counts where it is all of a cell.
_SHORT: Final = 6
_AROUND: Final = (b"\n", b"\r", b",", b";", b"\t", b"|", b'"', b"'")


def _values(customer: Customer) -> list[str]:
    return [one for one in (customer.id, customer.source_id, customer.email, customer.phone) if one]


async def _gather(conn: Connection, project_id: int, customer: Customer) -> AsyncIterator[dict[str, Any]]:
    for row in await queries.failures_naming(conn, project_id, _values(customer), _SHORT):
        yield {"object": "import_failure", **dict(row)}
    for row in await queries.changes_of(conn, project_id, customer.id):
        yield {"object": "import_change", **dict(row)}


async def _erase(conn: Connection, project_id: int, customer: Customer) -> int:
    """Remove every trace; an import that is still reading a file with the person in it ends."""
    values = _values(customer)
    touched = await queries.remove_failures_naming(conn, project_id, values, _SHORT)
    touched += await queries.remove_from_results(conn, project_id, values, _SHORT)
    touched += await queries.remove_file_names(conn, project_id, values, _SHORT)
    touched += await queries.remove_changes_of(conn, project_id, customer.id)
    for import_id in await queries.files_with(conn, project_id, needles(values)):
        await queries.set_cancel(conn, project_id, import_id)
        await queries.remove_chunks(conn, project_id, import_id)
        touched += 1
    return touched


async def _move(
    conn: Connection, project_id: int, giver_id: str, taker_id: str, only: Sequence[str] | None = None
) -> list[str]:
    """Move nothing: what an import did to a customer is undone to that customer or to none."""
    _ = conn, project_id, giver_id, taker_id, only
    return []


def needles(values: Sequence[str]) -> list[bytes]:
    """Return the bytes by which a file that names a person is found. Pure."""
    found: list[bytes] = []
    for value in values:
        texts = {value.encode(), value.encode("cp1252", "ignore")} - {b""}
        if len(value) >= _SHORT:
            found += texts
        else:
            found += [before + text + after for text in texts for before in _AROUND for after in _AROUND]
    return found


holding = Holding(name="imports", gather=_gather, erase=_erase, move=_move, by_text=True)
