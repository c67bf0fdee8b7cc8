"""All SQL of bulk requests."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from rapport.bulk.models import Asked, Failure, Item, Kept, Outcome, Remembered, Waiting
from rapport.core.db import Connection, columns
from rapport.http.lists import Equals, Found, ListSpec, Page
from rapport.http.queries import fetch_page

ITEMS = ListSpec(
    data_ref="items",
    table="bulk_items",
    row=Item,
    orders={"number": "number"},
    default_order="number",
    tie="number",
    filters={"status": Equals("status")},
)
_ITEM = columns(Item)
_AT_ONCE = 1_000


async def add(conn: Connection, project_id: int, action_id: str, asked: Sequence[Asked]) -> None:
    """Write what a request asks for, numbered from 1."""
    await conn.execute(
        "INSERT INTO bulk_items (project_id, action_id, number, input, status, source_id, error) "
        "SELECT $1, $2, one.number, one.input, CASE WHEN one.input IS NULL THEN 'FAILED' ELSE 'WAITING' END, "
        "one.source_id, one.error "
        "FROM unnest($3::jsonb[], $4::text[], $5::jsonb[]) WITH ORDINALITY AS one (input, source_id, error, number)",
        project_id,
        action_id,
        [one.input for one in asked],
        [one.source_id for one in asked],
        [one.error for one in asked],
    )


async def lock_next(conn: Connection, project_id: int, action_id: str, after: int, most: int) -> list[Waiting]:
    """Lock and return the next things of an action, after the one with this number; the index is the key."""
    rows = await conn.fetch(
        f"SELECT {columns(Waiting)} FROM bulk_items WHERE project_id = $1 AND action_id = $2 AND number > $3 "
        "ORDER BY number LIMIT $4 FOR NO KEY UPDATE",
        project_id,
        action_id,
        after,
        most,
    )
    return [Waiting(*row) for row in rows]


async def write(
    conn: Connection, project_id: int, action_id: str, numbers: Sequence[int], outcomes: Sequence[Outcome]
) -> None:
    """Write what came of locked things, and remove what they asked for."""
    await conn.execute(
        "UPDATE bulk_items SET input = NULL, status = CASE WHEN one.error IS NULL THEN 'DONE' ELSE 'FAILED' END, "
        "found = one.found, updated = one.updated, object_id = one.object_id, customer_id = one.customer_id, "
        "error = one.error "
        "FROM unnest($3::int[], $4::bool[], $5::bool[], $6::text[], $7::text[], $8::jsonb[]) "
        "AS one (number, found, updated, object_id, customer_id, error) "
        "WHERE project_id = $1 AND action_id = $2 AND bulk_items.number = one.number",
        project_id,
        action_id,
        numbers,
        [one.found for one in outcomes],
        [one.updated for one in outcomes],
        [one.object_id for one in outcomes],
        [one.customer_id for one in outcomes],
        [one.error for one in outcomes],
    )


async def failed(conn: Connection, project_id: int, action_id: str, most: int) -> list[tuple[str | None, Failure]]:
    """Return the first things of an action that failed: source id and why."""
    rows = await conn.fetch(
        "SELECT source_id, error FROM bulk_items "
        "WHERE project_id = $1 AND action_id = $2 AND status = 'FAILED' ORDER BY number LIMIT $3",
        project_id,
        action_id,
        most,
    )
    return [(row["source_id"], msgspec.convert(row["error"], Failure)) for row in rows]


async def list_page(conn: Connection, project_id: int, action_id: str, page: Page) -> Found[Item]:
    """Return one page of an action's things, as they were asked for."""
    return await fetch_page(conn, ITEMS, project_id, page, where={"action_id": action_id})


async def all_items(conn: Connection, project_id: int, action_id: str) -> list[Item]:
    """Return all things of an action: there are as many as one request may have."""
    rows = await conn.fetch(
        f"SELECT {_ITEM} FROM bulk_items WHERE project_id = $1 AND action_id = $2 ORDER BY number",
        project_id,
        action_id,
    )
    return [Item(*row) for row in rows]


async def projects_to_tidy(conn: Connection, before: datetime) -> list[int]:
    """Return the projects with reports on what was over before then, or with things of an action given up.

    The indexes are async_actions_over, and the key and bulk_items_waiting for a look at each action that it finds.
    """
    rows = await conn.fetch(
        "SELECT project_id FROM async_actions AS action WHERE status IN ('DONE', 'FAILED') AND updated_at < $1 "
        "AND EXISTS (SELECT FROM bulk_items AS item WHERE item.project_id = action.project_id "
        "AND item.action_id = action.id) "
        "UNION SELECT project_id FROM async_actions AS action WHERE status = 'FAILED' "
        "AND EXISTS (SELECT FROM bulk_items AS item WHERE item.project_id = action.project_id "
        "AND item.action_id = action.id AND item.status = 'WAITING')",
        before,
    )
    return [row["project_id"] for row in rows]


async def give_up(conn: Connection, project_id: int, reason: Failure) -> int:
    """Fail the waiting things of actions that were given up; return how many (bulk_items_waiting)."""
    done = await conn.execute(
        "UPDATE bulk_items SET input = NULL, status = 'FAILED', updated = false, error = $2 "
        "FROM async_actions AS action WHERE bulk_items.project_id = $1 AND bulk_items.status = 'WAITING' "
        "AND action.project_id = $1 AND action.id = action_id AND action.status = 'FAILED'",
        project_id,
        reason,
    )
    return int(done.removeprefix("UPDATE "))


async def remove_old(conn: Connection, project_id: int, before: datetime) -> int:
    """Remove the report of one action that was over before then; return how many rows it had (async_actions_over)."""
    done = await conn.execute(
        "DELETE FROM bulk_items WHERE project_id = $1 AND action_id = (SELECT id FROM async_actions AS action "
        "WHERE project_id = $1 AND status IN ('DONE', 'FAILED') AND updated_at < $2 AND EXISTS "
        "(SELECT FROM bulk_items WHERE project_id = $1 AND action_id = action.id) ORDER BY updated_at LIMIT 1)",
        project_id,
        before,
    )
    return int(done.removeprefix("DELETE "))


async def mentioning(
    conn: Connection, project_id: int, customer_id: str, values: Sequence[str], *, lock: bool
) -> list[Kept]:
    """Return the things that became the customer's or have one of the values in their text, locked if asked for.

    Looks through the reports of the project, which are kept for days only; the index is the key.
    """
    suffix = " FOR NO KEY UPDATE" if lock else ""
    rows = await conn.fetch(
        "SELECT item.action_id, number, (SELECT type FROM async_actions WHERE project_id = $1 AND id = action_id), "
        "status, source_id, object_id, customer_id, input, error FROM bulk_items AS item "
        "WHERE project_id = $1 AND (customer_id = $2 OR EXISTS (SELECT FROM unnest($3::text[]) AS value "
        "WHERE strpos(input::text, value) > 0 OR strpos(error::text, value) > 0 OR strpos(source_id, value) > 0)) "
        f"ORDER BY action_id, number{suffix}",
        project_id,
        customer_id,
        values,
    )
    return [Kept(*row) for row in rows]


async def rewrite(conn: Connection, project_id: int, row: Kept) -> None:
    """Write what a locked thing holds on people; one that asks for nothing any more has failed."""
    await conn.execute(
        "UPDATE bulk_items SET input = $4, source_id = $5, object_id = $6, customer_id = $7, error = $8, "
        "status = CASE WHEN status = 'WAITING' AND $4::jsonb IS NULL THEN 'FAILED' ELSE status END "
        "WHERE project_id = $1 AND action_id = $2 AND number = $3",
        project_id,
        row.action_id,
        row.number,
        row.input,
        row.source_id,
        row.object_id,
        row.customer_id,
        row.error,
    )


async def lock_actions(conn: Connection, project_id: int, values: Sequence[str]) -> list[Remembered]:
    """Lock and return the actions that have one of the values in their text; the index is the key."""
    rows = await conn.fetch(
        f"SELECT {columns(Remembered)} FROM async_actions WHERE project_id = $1 AND EXISTS (SELECT "
        "FROM unnest($2::text[]) AS value WHERE strpos(parameters::text, value) > 0 "
        "OR strpos(cursor::text, value) > 0 OR strpos(result::text, value) > 0) ORDER BY id FOR NO KEY UPDATE",
        project_id,
        values,
    )
    return [Remembered(*row) for row in rows]


async def rewrite_action(conn: Connection, project_id: int, action: Remembered) -> None:
    """Write what a locked action remembers."""
    await conn.execute(
        "UPDATE async_actions SET parameters = $3, cursor = $4, result = $5 WHERE project_id = $1 AND id = $2",
        project_id,
        action.id,
        action.parameters,
        action.cursor,
        action.result,
    )


async def move(
    conn: Connection, project_id: int, giver_id: str, taker_id: str, only: Sequence[str] | None
) -> list[str]:
    """Give things of one customer to another, all or those named `action:number`; return their names."""
    rows = await conn.fetch(
        "UPDATE bulk_items SET customer_id = $3 WHERE project_id = $1 AND customer_id = $2 "
        "AND ($4::text[] IS NULL OR action_id || ':' || number = ANY ($4)) "
        "RETURNING action_id || ':' || number AS name",
        project_id,
        giver_id,
        taker_id,
        only,
    )
    return [row["name"] for row in rows]
