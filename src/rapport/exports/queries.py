"""All SQL of exports: their rows, the pieces of their files, and the snapshot they are read from."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from rapport.core.db import Connection, Row, columns
from rapport.exports.models import AVAILABLE, MAX_FAILURES, Claimed, Export
from rapport.exports.parameters import MAX_METADATA_COLUMNS, REFERENCE, Selection, Wanted
from rapport.http.lists import Equals, Found, ListSpec, Page
from rapport.http.queries import fetch_page

EXPORTS = ListSpec(
    data_ref="exports",
    table="exports",
    row=Export,
    orders={"created_at": "created_at", "status": "status"},
    default_order="-created_at",
    filters={"exported_object": Equals("exported_object")},
)
_COLUMNS = columns(Export)
_NOW = "date_trunc('milliseconds', clock_timestamp() + {}::interval)"
# How long one statement of an export may take: the first of them sorts all rows.
_STATEMENT_LIMIT_S = 1_800


async def lock_gate(conn: Connection, project_id: int) -> None:
    """Let no other export of the project be added or claimed, and nobody be erased, until this transaction ends."""
    await conn.execute("INSERT INTO export_gates (project_id) VALUES ($1) ON CONFLICT DO NOTHING", project_id)
    await conn.execute("SELECT FROM export_gates WHERE project_id = $1 FOR UPDATE", project_id)


async def count_unfinished(conn: Connection, project_id: int) -> int:
    """Return how many exports of a project wait or are written (exports_unfinished)."""
    number: int = await conn.fetchval(
        "SELECT count(*) FROM exports WHERE project_id = $1 AND status IN ('SCHEDULED', 'IN_PROGRESS')", project_id
    )
    return number


async def insert(
    conn: Connection,
    project_id: int,
    export_id: str,
    exported_object: str,
    parameters: dict[str, Any],
    offset: timedelta,
) -> Export:
    """Insert an export that waits for its turn; return it."""
    row = await conn.fetchrow(
        "INSERT INTO exports (project_id, id, exported_object, parameters, channel, status, next_attempt_at, "
        "created_at) "
        f"SELECT $1, $2, $3, $4, 'API', 'SCHEDULED', moment.clock, moment.at "
        f"FROM (SELECT {_NOW.format('$5')} AS at, clock_timestamp() AS clock) AS moment RETURNING {_COLUMNS}",
        project_id,
        export_id,
        exported_object,
        parameters,
        offset,
    )
    return Export(*row)


async def find(conn: Connection, project_id: int, export_id: str) -> Export | None:
    """Return an export, or None."""
    row = await conn.fetchrow(
        f"SELECT {_COLUMNS} FROM exports WHERE project_id = $1 AND id = $2", project_id, export_id
    )
    return None if row is None else Export(*row)


async def list_page(conn: Connection, project_id: int, page: Page) -> Found[Export]:
    """Return one page of exports; those of objects that the reference does not have only where they are asked for."""
    usual = () if page.filters else (("exported_object = ANY ({}::text[])", (list(REFERENCE),)),)
    return await fetch_page(conn, EXPORTS, project_id, page, conditions=usual)


async def delete(conn: Connection, project_id: int, export_id: str) -> bool:
    """Delete an export and its file; return whether there was one. The row goes first: its writer then stops."""
    done = await conn.execute("DELETE FROM exports WHERE project_id = $1 AND id = $2", project_id, export_id)
    if done != "DELETE 1":
        return False
    await _remove_files(conn, project_id, [export_id])
    return True


async def _remove_files(conn: Connection, project_id: int, export_ids: list[str]) -> None:
    """Remove all pieces of the files of exports."""
    await conn.execute(
        "DELETE FROM export_chunks WHERE project_id = $1 AND export_id = ANY ($2)", project_id, export_ids
    )


async def projects_with_work(conn: Connection) -> list[int]:
    """Return the projects with an export whose turn has come, or whose worker is gone."""
    rows = await conn.fetch(
        "SELECT DISTINCT project_id FROM exports WHERE (status = 'SCHEDULED' AND next_attempt_at <= clock_timestamp()) "
        "OR (status = 'IN_PROGRESS' AND lease_until <= clock_timestamp())"
    )
    return [row["project_id"] for row in rows]


async def give_up_lost(conn: Connection, project_id: int, error: str, offset: timedelta) -> list[str]:
    """End the exports whose workers went away with them again and again; return their ids. The gate is locked."""
    rows = await conn.fetch(
        f"UPDATE exports SET status = 'ERROR', lease_until = NULL, error = $2, finished_at = {_NOW.format('$3')} "
        "WHERE project_id = $1 AND status = 'IN_PROGRESS' AND lease_until <= clock_timestamp() AND failures + 1 >= $4 "
        "RETURNING id",
        project_id,
        error,
        offset,
        MAX_FAILURES,
    )
    lost = [row["id"] for row in rows]
    await _remove_files(conn, project_id, lost)
    return lost


async def claim(conn: Connection, project_id: int, lease: timedelta) -> Claimed | None:
    """Claim the oldest export whose turn has come, or whose worker is gone; None while another is written.

    The gate is locked, so one is written at a time in each project (exports_unfinished).
    """
    row = await conn.fetchrow(
        """
        UPDATE exports SET status = 'IN_PROGRESS', next_attempt_at = NULL,
            lease_until = clock_timestamp() + $2::interval, attempt = attempt + 1,
            failures = failures + (status = 'IN_PROGRESS')::integer, row_count = 0, byte_count = 0
        WHERE project_id = $1 AND id = (
            SELECT id FROM exports WHERE project_id = $1 AND (
                (status = 'SCHEDULED' AND next_attempt_at <= clock_timestamp())
                OR (status = 'IN_PROGRESS' AND lease_until <= clock_timestamp())
            ) ORDER BY created_at, id LIMIT 1
        ) AND NOT EXISTS (
            SELECT FROM exports WHERE project_id = $1 AND status = 'IN_PROGRESS' AND lease_until > clock_timestamp()
        )
        RETURNING id, exported_object, parameters, attempt, failures
        """,
        project_id,
        lease,
    )
    return None if row is None else Claimed(*row)


async def renew(conn: Connection, project_id: int, claimed: Claimed, lease: timedelta) -> bool:
    """Be believed for another while; return False if the work was taken away."""
    done = await conn.execute(
        "UPDATE exports SET lease_until = clock_timestamp() + $4::interval "
        "WHERE project_id = $1 AND id = $2 AND attempt = $3 AND status = 'IN_PROGRESS'",
        project_id,
        claimed.id,
        claimed.attempt,
        lease,
    )
    return bool(done == "UPDATE 1")


async def lock_claimed(conn: Connection, project_id: int, claimed: Claimed) -> bool:
    """Lock the row of a claimed export; return False if the work was taken away."""
    row = await conn.fetchrow(
        "SELECT id FROM exports WHERE project_id = $1 AND id = $2 AND attempt = $3 AND status = 'IN_PROGRESS' "
        "FOR NO KEY UPDATE",
        project_id,
        claimed.id,
        claimed.attempt,
    )
    return row is not None


async def add_piece(conn: Connection, project_id: int, claimed: Claimed, number: int, data: bytes, rows: int) -> None:
    """Keep one piece of the file of an export whose row is locked, and how far it came."""
    await conn.execute(
        "INSERT INTO export_chunks (project_id, export_id, attempt, number, data) VALUES ($1, $2, $3, $4, $5)",
        project_id,
        claimed.id,
        claimed.attempt,
        number,
        data,
    )
    await conn.execute(
        "UPDATE exports SET row_count = $3, byte_count = byte_count + $4 WHERE project_id = $1 AND id = $2",
        project_id,
        claimed.id,
        rows,
        len(data),
    )


async def remove_other_attempts(conn: Connection, project_id: int, claimed: Claimed) -> None:
    """Remove the pieces that earlier attempts left."""
    await conn.execute(
        "DELETE FROM export_chunks WHERE project_id = $1 AND export_id = $2 AND attempt < $3",
        project_id,
        claimed.id,
        claimed.attempt,
    )


async def finish(
    conn: Connection, project_id: int, claimed: Claimed, rows: int, kept: timedelta, offset: timedelta
) -> bool:
    """Make the file available until `kept` from now; return False if the work was taken away."""
    done = await conn.execute(
        "UPDATE exports SET status = 'DONE', lease_until = NULL, row_count = $4, file_state = 'AVAILABLE', "
        "finished_at = moment.at, expires_at = moment.at + $5::interval "
        f"FROM (SELECT {_NOW.format('$6')} AS at) AS moment "
        "WHERE project_id = $1 AND id = $2 AND attempt = $3 AND status = 'IN_PROGRESS'",
        project_id,
        claimed.id,
        claimed.attempt,
        rows,
        kept,
        offset,
    )
    return bool(done == "UPDATE 1")


async def put_back(conn: Connection, project_id: int, claimed: Claimed, pause_s: float, failures: int) -> None:
    """Have an export written again from the start, `pause_s` seconds from now; nothing if it was taken away."""
    await conn.execute(
        "UPDATE exports SET status = 'SCHEDULED', lease_until = NULL, failures = $5, attempt = attempt + 1, "
        "next_attempt_at = clock_timestamp() + make_interval(secs => $4) "
        "WHERE project_id = $1 AND id = $2 AND attempt = $3 AND status = 'IN_PROGRESS'",
        project_id,
        claimed.id,
        claimed.attempt,
        pause_s,
        failures,
    )


async def give_up(conn: Connection, project_id: int, claimed: Claimed, error: str, offset: timedelta) -> None:
    """End an export that cannot be written, without a file; nothing if it was taken away."""
    done = await conn.execute(
        f"UPDATE exports SET status = 'ERROR', lease_until = NULL, error = $4, finished_at = {_NOW.format('$5')}, "
        "row_count = 0, byte_count = 0 "
        "WHERE project_id = $1 AND id = $2 AND attempt = $3 AND status = 'IN_PROGRESS'",
        project_id,
        claimed.id,
        claimed.attempt,
        error,
        offset,
    )
    if done == "UPDATE 1":
        await _remove_files(conn, project_id, [claimed.id])


async def find_piece(conn: Connection, project_id: int, export: Export, number: int) -> bytes | None:
    """Return a piece of an available file, or None where the file has no more or is gone."""
    data: bytes | None = await conn.fetchval(
        "SELECT data FROM export_chunks WHERE project_id = $1 AND export_id = $2 AND attempt = $3 AND number = $4",
        project_id,
        export.id,
        export.attempt,
        number,
    )
    return data


async def projects_with_expired(conn: Connection, offset: timedelta) -> list[int]:
    """Return the projects with a file whose time is over."""
    rows = await conn.fetch(
        f"SELECT DISTINCT project_id FROM exports WHERE file_state = 'AVAILABLE' AND expires_at <= {_NOW.format('$1')}",
        offset,
    )
    return [row["project_id"] for row in rows]


async def expire(conn: Connection, project_id: int, offset: timedelta) -> str | None:
    """Remove the file whose time has been over for longest; return the id of its export (exports_with_file)."""
    export_id: str | None = await conn.fetchval(
        "UPDATE exports SET file_state = 'EXPIRED' WHERE project_id = $1 AND id = ("
        "SELECT id FROM exports WHERE project_id = $1 AND file_state = 'AVAILABLE' "
        f"AND expires_at <= {_NOW.format('$2')} ORDER BY expires_at LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING id",
        project_id,
        offset,
    )
    if export_id is not None:
        await _remove_files(conn, project_id, [export_id])
    return export_id


async def erase_files(conn: Connection, project_id: int) -> None:
    """Remove every file of a project, and have those that are being written begin anew.

    The gate is locked, so whatever is claimed later reads from a snapshot that is taken after this transaction.
    """
    await conn.execute(
        "UPDATE exports SET attempt = attempt + 1, file_state = CASE WHEN status = 'DONE' THEN 'ERASED' END, "
        "status = CASE WHEN status = 'DONE' THEN 'DONE' ELSE 'SCHEDULED' END, lease_until = NULL, "
        "next_attempt_at = CASE WHEN status = 'DONE' THEN NULL ELSE clock_timestamp() END "
        "WHERE project_id = $1 AND (status = 'IN_PROGRESS' OR file_state = $2)",
        project_id,
        AVAILABLE,
    )
    await conn.execute("DELETE FROM export_chunks WHERE project_id = $1", project_id)


async def naming(conn: Connection, project_id: int, values: Sequence[str]) -> list[str]:
    """Return the exports whose filters have one of these texts somewhere (no index: a project has few exports)."""
    rows = await conn.fetch(
        "SELECT id FROM exports WHERE project_id = $1 AND EXISTS ("
        "SELECT FROM jsonb_path_query(parameters -> 'filters', 'strict $.** ? (@.type() == \"string\")') "
        "AS found (value) "
        "WHERE lower(found.value #>> '{}') IN (SELECT lower(unnest($2::text[]))))",
        project_id,
        values,
    )
    return [row["id"] for row in rows]


async def open_snapshot(conn: Connection, project_id: int, offset: timedelta) -> tuple[datetime, str]:
    """Return the time and the project's zone, as of the snapshot that this takes; let the statements after it be long.

    Each statement is planned for its very values.
    """
    row = await conn.fetchrow(
        f"SELECT {_NOW.format('$2')} AS now, time_zone, set_config('statement_timeout', $3, TRUE), "
        "set_config('idle_in_transaction_session_timeout', $3, TRUE), "
        "set_config('plan_cache_mode', 'force_custom_plan', TRUE) FROM projects WHERE project_id = $1",
        project_id,
        offset,
        f"{_STATEMENT_LIMIT_S}s",
    )
    return row["now"], row["time_zone"]


async def metadata_keys(conn: Connection, wanted: Wanted, rows: tuple[str, list[Any]]) -> list[str]:
    """Return the keys that the metadata of the exported rows have, one more than may be at most; the rows are read."""
    found = await conn.fetch(
        f'SELECT DISTINCT entry.key COLLATE "C" AS key FROM (SELECT {wanted.exported.metadata} AS held {rows[0]}) '
        "AS one, jsonb_object_keys(CASE jsonb_typeof(one.held) WHEN 'object' THEN one.held END) AS entry (key) "
        f"ORDER BY key LIMIT {MAX_METADATA_COLUMNS + 1}",
        *rows[1],
    )
    return [row["key"] for row in found]


async def count_rows(conn: Connection, rows: tuple[str, list[Any]]) -> int:
    """Return how many rows an export will have."""
    number: int = await conn.fetchval(f"SELECT count(*) {rows[0]}", *rows[1])
    return number


class Cursor:
    """The rows of a Selection, read as they are asked for, inside a transaction."""

    def __init__(self, cursor: Any) -> None:
        """Use `open_cursor`."""
        self._cursor = cursor

    async def read(self, number: int) -> list[Row]:
        """Return up to so many of the next rows."""
        rows: list[Row] = await self._cursor.fetch(number)
        return rows


async def open_cursor(conn: Connection, selection: Selection) -> Cursor:
    """Begin to read."""
    return Cursor(await conn.cursor(selection.text, *selection.parameters))
