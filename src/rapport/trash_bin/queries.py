"""All SQL of the trash bin."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from rapport.activity.log import Signature
from rapport.core.db import Connection, columns
from rapport.core.ids import random_text
from rapport.http.conditions import Conditions, Reader, text_field
from rapport.http.lists import Found, ListSpec, Page
from rapport.http.queries import fetch_page
from rapport.trash_bin.models import Entry

ENTRIES = ListSpec(
    data_ref="data",
    table="trash_bin_entries",
    row=Entry,
    orders={"id": "id"},
    default_order="-id",
    max_page=1,
)
FILTERS: Final[Mapping[str, Reader]] = {
    name: text_field(name) for name in ("id", "resource_id", "resource_name", "resource_type")
}
_COLUMNS = columns(Entry)


def new_entry_id(at: datetime) -> str:
    """Return the id of an entry made at a time: the order of ids is that of time."""
    return f"tbe_{int(at.timestamp() * 1000):012x}{random_text(12)}"


async def add(
    conn: Connection,
    signature: Signature,
    entry_id: str,
    kind: str,
    resource: tuple[str, str, str | None],
    content: dict[str, Any],
    offset: timedelta,
) -> None:
    """Put something into the bin, in the caller's transaction. `resource`: its id, its name, and its parent's id."""
    key = signature.source.api_key
    await conn.execute(
        "INSERT INTO trash_bin_entries (project_id, id, resource_type, resource_id, resource_name, "
        "resource_parent_id, deleted_by, content, created_at) "
        "SELECT $1, $2, $3, $4, $5, $6, $7, $8, date_trunc('milliseconds', clock_timestamp() + $9::interval)",
        signature.project_id,
        entry_id,
        kind,
        *resource,
        None if key is None else key["app_id"],
        content,
        offset,
    )


async def take(conn: Connection, project_id: int, entry_id: str) -> Entry | None:
    """Remove an entry and return it, or None; whoever comes at the same time finds nothing."""
    row = await conn.fetchrow(
        f"DELETE FROM trash_bin_entries WHERE project_id = $1 AND id = $2 RETURNING {_COLUMNS}", project_id, entry_id
    )
    return None if row is None else Entry(*row)


async def forget_children(conn: Connection, project_id: int, parent_id: str) -> None:
    """Remove the entries of what belongs to something that is deleted for good. Index: trash_bin_entries_by_parent."""
    await conn.execute(
        "DELETE FROM trash_bin_entries WHERE project_id = $1 AND resource_parent_id = $2", project_id, parent_id
    )


async def list_page(conn: Connection, project_id: int, page: Page, filters: Conditions | None) -> Found[Entry]:
    """Return one page of entries."""
    conditions = () if filters is None else ((filters.text, filters.values),)
    return await fetch_page(conn, ENTRIES, project_id, page, conditions=conditions)
