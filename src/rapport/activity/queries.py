"""All SQL of the activity log."""

from datetime import datetime
from typing import Any

from rapport.activity.log import Entry, Logged, Source, new_entry_ids
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


def append_text(first_parameter: int) -> str:
    """Return the INSERT of `append`, for a statement of another feature that writes its row and the log in one go.

    `$1` is the project, and `append_parameters` go from `first_parameter` on.
    """
    at, group, *arrays = (f"${first_parameter + index}" for index in range(8))
    kinds = ("text", "text", "text", "text", "jsonb", "jsonb")
    columns_ = ", ".join(f"{place}::{kind}[]" for place, kind in zip(arrays, kinds, strict=True))
    return (
        "INSERT INTO activity (project_id, id, created_at, type, customer_id, campaign_id, payload, source, group_id) "
        "SELECT $1, entry.id, "
        f"{at}::timestamptz, entry.type, entry.customer_id, entry.campaign_id, entry.payload, entry.source, {group} "
        f"FROM unnest({columns_}) AS entry (id, type, customer_id, campaign_id, payload, source)"
    )


def append_parameters(at: datetime, group_id: str, source: Source, entries: list[Entry]) -> list[Any]:
    """Return the parameters that belong to `append_text`."""
    return [
        at,
        group_id,
        new_entry_ids(len(entries)),
        [entry.type for entry in entries],
        [entry.customer_id for entry in entries],
        [entry.campaign_id for entry in entries],
        [entry.payload for entry in entries],
        [entry.source or source for entry in entries],
    ]


_APPEND = append_text(2)
# From so many entries on they are copied, which takes another round trip and less for each.
_MANY = 50


async def append(
    conn: Connection, project_id: int, at: datetime, group_id: str, source: Source, entries: list[Entry]
) -> None:
    """Append entries, in their order, to the log in the caller's transaction."""
    if len(entries) >= _MANY:
        await conn.copy_records_to_table(
            "activity",
            columns=("project_id", "id", "created_at", "type", "customer_id", "campaign_id", "payload", "source",
                     "group_id"),
            records=[
                (project_id, entry_id, at, one.type, one.customer_id, one.campaign_id, one.payload,
                 one.source or source, group_id)
                for one, entry_id in zip(entries, new_entry_ids(len(entries)), strict=True)
            ],
        )  # fmt: skip
    elif entries:
        await conn.execute(_APPEND, project_id, *append_parameters(at, group_id, source, entries))


async def horizon(conn: Connection) -> int:
    """Return the transaction id below which everything is committed or rolled back for good."""
    return int(await conn.fetchval("SELECT pg_snapshot_xmin(pg_current_snapshot())::text"))


async def read_after(
    conn: Connection, project_id: int, position: tuple[int, int], below: int, limit: int
) -> list[tuple[int, Logged]]:
    """Return up to `limit` entries after `position` (transaction, seq) and below the horizon: none is ever passed by.

    This is the order of the transactions' numbers, not that of what happened to a customer, which is `seq`: a
    transaction has its number from its first lock on, and may wait for the second while a younger one commits.

    Take the horizon in a statement of its own before this one; the index is `activity_in_order`.
    """
    rows = await conn.fetch(
        f"SELECT xid::text AS xid, {columns(Logged)} FROM activity "
        "WHERE project_id = $1 AND (xid, seq) > ($2::text::xid8, $3) AND xid < $4::text::xid8 "
        "ORDER BY activity.xid, activity.seq LIMIT $5",  # the bare name would be the text of the answer
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
