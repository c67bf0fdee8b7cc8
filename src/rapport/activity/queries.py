"""All SQL of the activity log."""

from datetime import datetime
from typing import Any

from rapport.activity.log import Entry, Logged, Source, new_entry_id
from rapport.core.db import Connection, columns
from rapport.http.lists import Equals, From, ListSpec, Page, Until
from rapport.http.queries import fetch_page

ACTIVITY = ListSpec(
    data_ref="data",
    table="activity",
    row=Logged,
    orders={"created_at": "created_at", "type": "type"},
    default_order="-created_at",
    tie="seq",
    filters={
        "type": Equals("type"),
        "campaign_id": Equals("campaign_id"),
        "start_date": From("created_at"),
        "end_date": Until("created_at"),
    },
)

_APPEND = """
INSERT INTO activity (project_id, id, created_at, type, customer_id, campaign_id, payload, source, group_id)
SELECT $1, entry.id, $2, entry.type, entry.customer_id, entry.campaign_id, entry.payload, $3, $4
FROM unnest($5::text[], $6::text[], $7::text[], $8::text[], $9::jsonb[])
    AS entry (id, type, customer_id, campaign_id, payload)
"""


async def append(
    conn: Connection, project_id: int, at: datetime, group_id: str, source: Source, entries: list[Entry]
) -> None:
    """Append entries, in their order, to the log in the caller's transaction."""
    if not entries:
        return
    await conn.execute(
        _APPEND,
        project_id,
        at,
        source,
        group_id,
        [new_entry_id() for _ in entries],
        [entry.type for entry in entries],
        [entry.customer_id for entry in entries],
        [entry.campaign_id for entry in entries],
        [entry.payload for entry in entries],
    )


async def horizon(conn: Connection) -> int:
    """Return the transaction id below which everything is committed or rolled back for good."""
    return int(await conn.fetchval("SELECT pg_snapshot_xmin(pg_current_snapshot())::text"))


async def read_after(
    conn: Connection, project_id: int, position: tuple[int, int], below: int, limit: int
) -> list[tuple[int, Logged]]:
    """Return up to `limit` entries after `position` (transaction, seq) and below the horizon, in commit-safe order.

    Take the horizon in a statement of its own before this one; the index is `activity_in_order`.
    """
    rows = await conn.fetch(
        f"SELECT xid::text AS xid, {columns(Logged)} FROM activity "
        "WHERE project_id = $1 AND (xid, seq) > ($2::text::xid8, $3) AND xid < $4::text::xid8 "
        "ORDER BY xid, seq LIMIT $5",
        project_id,
        str(position[0]),
        position[1],
        str(below),
        limit,
    )
    return [(int(row["xid"]), Logged(*row[1:])) for row in rows]


async def list_of_customer(conn: Connection, project_id: int, customer_id: str, page: Page) -> Any:
    """Return one page of what happened to a customer, newest first by default."""
    return await fetch_page(conn, ACTIVITY, project_id, page, where={"customer_id": customer_id})
