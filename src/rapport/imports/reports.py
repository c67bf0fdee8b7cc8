"""Files about an import: the rows that failed, and what undoing came to, as CSV."""

import csv
import io
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

from rapport.core.csv_cells import neutralise
from rapport.core.db import Database
from rapport.imports import queries
from rapport.imports.models import Import

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
    return [row["line"], row["column_name"] or "", row["reason"], *map(neutralise, cells)]


async def outcomes(db: Database, project_id: int, one: Import) -> AsyncIterator[bytes]:
    """Yield those for whom not all that the import did was undone: id, outcome, and why."""
    yield _written([("id", "outcome", "reason")])
    step: int | None = None
    while True:
        async with db.read() as conn:
            found = await queries.outcomes_before(conn, project_id, one.id, step)
        if found is None:
            return
        step, some = found
        yield _written([(subject, *outcome) for subject, outcome in sorted(some.items())])
