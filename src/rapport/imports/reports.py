"""Files about an import: the rows that failed, and what undoing came to, as CSV."""

import csv
import io
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

from rapport.core.db import Connection, Database
from rapport.imports import queries
from rapport.imports.models import Import
from rapport.imports.reading import harmless

# Columns that an import passes over, so that the file can be mended and imported again.
FAILURES: Final = ("import_line", "import_column", "import_reason")
_AT_ONCE: Final = 500


def _written(rows: Sequence[Sequence[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()


async def failures(db: Database, project_id: int, one: Import) -> AsyncIterator[bytes]:
    """Yield the failed rows: line, column and reason, then the cells of the row itself."""
    width = len(one.columns)
    yield _written([(*FAILURES, *one.columns)])
    line = 0
    while True:
        async with db.read() as conn:
            rows = await queries.failures_after(conn, project_id, one.id, line, _AT_ONCE)
        if not rows:
            return
        yield _written([_failure(row, width) for row in rows])
        line = rows[-1]["line"]


def _failure(row: Any, width: int) -> list[Any]:
    cells = [*row["cells"], *[""] * (width - len(row["cells"]))]
    return [row["line"], row["column_name"] or "", row["reason"], *map(harmless, cells)]


async def outcomes(db: Database, project_id: int, one: Import) -> AsyncIterator[bytes]:
    """Yield what undoing came to: the id of each subject, the outcome, and why it is not all of it."""
    yield _written([("id", "outcome", "reason")])
    subject = ""
    while True:
        async with db.read() as conn:
            rows = await _outcomes(conn, project_id, one.id, subject)
        if not rows:
            return
        yield _written([tuple(row) for row in rows])
        subject = rows[-1]["subject_id"]


async def _outcomes(conn: Connection, project_id: int, import_id: str, subject: str) -> list[Any]:
    return await queries.outcomes_after(conn, project_id, import_id, subject, _AT_ONCE)
