"""All SQL of imports."""

from datetime import timedelta
from typing import Any

from rapport.activity.log import Signature
from rapport.core.db import Connection, columns
from rapport.http.lists import Found, ListSpec, Page
from rapport.http.queries import fetch_page
from rapport.imports.models import Import

IMPORTS = ListSpec(
    data_ref="imports",
    table="imports",
    row=Import,
    orders={"created_at": "created_at"},
    default_order="-created_at",
)
# All chunks but the last have this length, in bytes.
CHUNK_BYTES = 1_048_576
_COLUMNS = columns(Import)
_NOW = "date_trunc('milliseconds', clock_timestamp() + {}::interval)"


async def insert(
    conn: Connection, signature: Signature, import_id: str, kind: str, file_name: str | None, offset: timedelta
) -> None:
    """Add an import whose file is being uploaded."""
    await conn.execute(
        "INSERT INTO imports (project_id, id, kind, state, file_name, options, request_id, created_at, updated_at) "
        "SELECT $1, $2, $3, 'UPLOADING', $4, '{}', $5, moment.at, moment.at "
        f"FROM (SELECT {_NOW.format('$6')} AS at) AS moment",
        signature.project_id,
        import_id,
        kind,
        file_name,
        signature.request_id,
        offset,
    )


async def add_chunk(
    conn: Connection, project_id: int, import_id: str, number: int, content: bytes, offset: timedelta
) -> bool:
    """Add a piece of the file; return whether the import is still there."""
    row = await conn.fetchrow(
        f"WITH one AS (UPDATE imports SET updated_at = {_NOW.format('$5')}, "
        "size_bytes = size_bytes + length($4::bytea) "
        "WHERE project_id = $1 AND id = $2 AND state = 'UPLOADING' AND NOT cancel RETURNING id) "
        "INSERT INTO import_chunks (project_id, import_id, number, content) SELECT $1, one.id, $3, $4::bytea FROM one "
        "RETURNING number",
        project_id,
        import_id,
        number,
        content,
        offset,
    )
    return row is not None


async def set_waiting(
    conn: Connection, project_id: int, import_id: str, options: dict[str, Any], action_id: str
) -> bool:
    """Note that the whole file is there, and which action reads it; return whether the import is still there."""
    row = await conn.fetchrow(
        "UPDATE imports SET state = 'WAITING', options = $3, action_id = $4 "
        "WHERE project_id = $1 AND id = $2 AND state = 'UPLOADING' AND NOT cancel RETURNING id",
        project_id,
        import_id,
        options,
        action_id,
    )
    return row is not None


async def remove(conn: Connection, project_id: int, import_id: str) -> None:
    """Remove an import whose upload did not end, with all there is of it."""
    await conn.execute("DELETE FROM import_chunks WHERE project_id = $1 AND import_id = $2", project_id, import_id)
    await conn.execute(
        "DELETE FROM imports WHERE project_id = $1 AND id = $2 AND state = 'UPLOADING'", project_id, import_id
    )


async def find(conn: Connection, project_id: int, import_id: str, *, lock: bool = False) -> Import | None:
    """Return the import with this id, locked if asked for, or None."""
    suffix = " FOR NO KEY UPDATE" if lock else ""
    row = await conn.fetchrow(
        f"SELECT {_COLUMNS} FROM imports WHERE project_id = $1 AND id = $2{suffix}", project_id, import_id
    )
    return None if row is None else Import(*row)


async def list_page(conn: Connection, project_id: int, page: Page) -> Found[Import]:
    """Return one page of imports."""
    return await fetch_page(conn, IMPORTS, project_id, page)


async def read_bytes(conn: Connection, project_id: int, import_id: str, first: int, length: int) -> bytes:
    """Return bytes of the file from `first` on; fewer at its end, or when a piece of it is gone."""
    numbers = list(range(first // CHUNK_BYTES, (first + length - 1) // CHUNK_BYTES + 1))
    starts = [max(0, first - number * CHUNK_BYTES) for number in numbers]
    ends = [min(CHUNK_BYTES, first + length - number * CHUNK_BYTES) for number in numbers]
    rows = await conn.fetch(
        "SELECT substring(content FROM part.start + 1 FOR part.length) AS content "
        "FROM unnest($3::int[], $4::int[], $5::int[]) AS part (number, start, length) "
        "JOIN import_chunks AS chunk USING (number) WHERE project_id = $1 AND import_id = $2 ORDER BY number",
        project_id,
        import_id,
        numbers,
        starts,
        [end - start for start, end in zip(starts, ends, strict=True)],
    )
    return b"".join(row["content"] for row in rows)


async def remove_chunks(conn: Connection, project_id: int, import_id: str, *, before_byte: int | None = None) -> None:
    """Remove the pieces of the file that end before a byte, or all of them."""
    await conn.execute(
        "DELETE FROM import_chunks WHERE project_id = $1 AND import_id = $2 AND ($3::int IS NULL OR number < $3)",
        project_id,
        import_id,
        None if before_byte is None else before_byte // CHUNK_BYTES,
    )


async def save(conn: Connection, project_id: int, one: Import, offset: timedelta) -> None:
    """Write how far a locked import came."""
    await conn.execute(
        "UPDATE imports SET state = $3, columns = $4, rows = $5, created = $6, updated = $7, unchanged = $8, "
        f"failed = $9, message = $10, updated_at = {_NOW.format('$11')}, "
        f"finished_at = CASE WHEN $12 THEN coalesce(finished_at, {_NOW.format('$11')}) END "
        "WHERE project_id = $1 AND id = $2",
        project_id,
        one.id,
        one.state,
        one.columns,
        one.rows,
        one.created,
        one.updated,
        one.unchanged,
        one.failed,
        one.message,
        offset,
        one.is_over,
    )


async def add_failures(
    conn: Connection,
    project_id: int,
    import_id: str,
    rows: list[tuple[int, int, str | None, str, str | None, list[str]]],
) -> None:
    """Keep rows that failed: (line, row, column, reason, source id, cells)."""
    await conn.executemany(
        "INSERT INTO import_failures (project_id, import_id, line, row, column_name, reason, source_id, cells) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        [(project_id, import_id, *row) for row in rows],
    )


async def failures_after(conn: Connection, project_id: int, import_id: str, line: int, limit: int) -> list[Any]:
    """Return up to `limit` failed rows after a line of the file, in its order."""
    return await conn.fetch(  # type: ignore[no-any-return]
        "SELECT line, row, column_name, reason, source_id, cells FROM import_failures "
        "WHERE project_id = $1 AND import_id = $2 AND line > $3 ORDER BY line LIMIT $4",
        project_id,
        import_id,
        line,
        limit,
    )


async def keep_changes(
    conn: Connection, project_id: int, import_id: str, step: int, changes: dict[str, dict[str, list[Any]] | None]
) -> None:
    """Keep what a step of an import did to its subjects: {path: [before, after]}, or None for one it made."""
    await conn.execute(
        "INSERT INTO import_changes (project_id, import_id, step, changes) VALUES ($1, $2, $3, $4)",
        project_id,
        import_id,
        step,
        changes,
    )


async def last_changes(
    conn: Connection, project_id: int, import_id: str, before: int | None
) -> tuple[int, dict[str, dict[str, list[Any]] | None]] | None:
    """Return the last step of an import, or the last before another one, with what it did that is not undone."""
    row = await conn.fetchrow(
        "SELECT step, changes FROM import_changes "
        "WHERE project_id = $1 AND import_id = $2 AND ($3::bigint IS NULL OR step < $3) ORDER BY step DESC LIMIT 1",
        project_id,
        import_id,
        before,
    )
    return None if row is None else (row["step"], row["changes"])


async def set_undone(
    conn: Connection,
    project_id: int,
    import_id: str,
    step: int,
    subject_ids: list[str],
    outcomes: dict[str, tuple[str, str | None]],
) -> None:
    """Note that a step of an import is undone for some subjects, and for which of them not all of it was."""
    await conn.execute(
        "UPDATE import_changes SET changes = changes - $4::text[], outcomes = outcomes || $5 "
        "WHERE project_id = $1 AND import_id = $2 AND step = $3",
        project_id,
        import_id,
        step,
        subject_ids,
        outcomes,
    )


async def outcomes_before(
    conn: Connection, project_id: int, import_id: str, step: int | None
) -> tuple[int, dict[str, tuple[str, str | None]]] | None:
    """Return the last step before another one, with those for whom not all of it was undone."""
    row = await conn.fetchrow(
        "SELECT step, outcomes FROM import_changes "
        "WHERE project_id = $1 AND import_id = $2 AND ($3::bigint IS NULL OR step < $3) ORDER BY step DESC LIMIT 1",
        project_id,
        import_id,
        step,
    )
    return None if row is None else (row["step"], row["outcomes"])


async def set_undo(conn: Connection, project_id: int, import_id: str, action_id: str, undo: dict[str, int]) -> None:
    """Write which action undoes a locked import, and how far it came."""
    await conn.execute(
        "UPDATE imports SET undo_action_id = $3, undo = $4 WHERE project_id = $1 AND id = $2",
        project_id,
        import_id,
        action_id,
        undo,
    )


async def set_cancel(conn: Connection, project_id: int, import_id: str) -> None:
    """Let the next step of an import be the last."""
    await conn.execute("UPDATE imports SET cancel = true WHERE project_id = $1 AND id = $2", project_id, import_id)


_TO_TIDY = """
SELECT project_id, id FROM imports WHERE state = 'UPLOADING' AND updated_at < {now} - $2::interval
UNION ALL
SELECT imports.project_id, imports.id FROM imports JOIN async_actions AS action
    ON action.project_id = imports.project_id AND action.id = imports.action_id
WHERE imports.state IN ('WAITING', 'IN_PROGRESS') AND action.status IN ('DONE', 'FAILED')
UNION ALL
SELECT project_id, id FROM imports WHERE finished_at < {now} - $3::interval AND NOT cleared
LIMIT 100
""".format(now=_NOW.format("$1"))


async def to_tidy(conn: Connection, rests: timedelta, kept: timedelta, offset: timedelta) -> list[tuple[int, str]]:
    """Return imports (project, id) whose upload was cut off, whose action gave up, or that are over for long."""
    return [(row["project_id"], row["id"]) for row in await conn.fetch(_TO_TIDY, offset, rests, kept)]


async def set_given_up(conn: Connection, project_id: int, import_id: str) -> None:
    """End an import whose action has ended without it."""
    await remove_chunks(conn, project_id, import_id)
    await conn.execute(
        "UPDATE imports SET state = 'FAILED', finished_at = updated_at, "
        "message = 'Something went wrong on our side; what was applied stays' WHERE project_id = $1 AND id = $2",
        project_id,
        import_id,
    )


async def clear(conn: Connection, project_id: int, import_id: str, limit: int) -> bool:
    """Remove some of the failed rows and of what undoing takes; return whether there may be more."""
    gone = 0
    for table, key in (("import_failures", "line"), ("import_changes", "step")):
        text = _CLEAR[table, key]
        gone += int((await conn.execute(text, project_id, import_id, limit)).split()[-1])
    if gone == 0:
        await conn.execute("UPDATE imports SET cleared = true WHERE project_id = $1 AND id = $2", project_id, import_id)
    return gone > 0


_CLEAR = {
    (table, key): f"DELETE FROM {table} WHERE project_id = $1 AND import_id = $2 AND {key} IN "
    f"(SELECT {key} FROM {table} WHERE project_id = $1 AND import_id = $2 LIMIT $3)"
    for table, key in (("import_failures", "line"), ("import_changes", "step"))
}
