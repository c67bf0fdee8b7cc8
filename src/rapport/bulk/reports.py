"""The report on a bulk request: a CSV with one row for each thing of it."""

import csv
import io
from collections.abc import Iterable

from rapport.bulk.models import Item
from rapport.core.csv_cells import neutralise

COLUMNS = ("number", "source_id", "found", "updated", "id", "customer_id", "error")


def path_of(action_id: str) -> str:
    """Return where the report on an action is."""
    return f"/v1/async-actions/{action_id}/report"


def write(items: Iterable[Item]) -> str:
    """Return the report. Pure."""
    text = io.StringIO()
    rows = csv.writer(text)
    rows.writerow(COLUMNS)
    for one in items:
        error = None if one.error is None else one.error["details"]
        rows.writerow(
            [
                one.number,
                neutralise(one.source_id or ""),
                _flag(one.found),
                _flag(one.updated),
                neutralise(one.object_id or ""),
                one.customer_id or "",
                neutralise(error or ""),
            ]
        )
    return text.getvalue()


def _flag(value: bool | None) -> str:
    return "" if value is None else str(value).lower()
