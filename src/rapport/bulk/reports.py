"""The report on a bulk request: a CSV with one row for each thing of it."""

import csv
import io
from collections.abc import Iterable

from rapport.bulk.models import Item

COLUMNS = ("number", "source_id", "found", "updated", "id", "customer_id", "error")
# A spreadsheet takes a cell that begins so for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


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
                _cell(one.source_id),
                _flag(one.found),
                _flag(one.updated),
                _cell(one.object_id),
                one.customer_id or "",
                _cell(error),
            ]
        )
    return text.getvalue()


def _flag(value: bool | None) -> str:
    return "" if value is None else str(value).lower()


def _cell(text: str | None) -> str:
    """Return a text as a cell that is never a formula: with an apostrophe before it, where it would be."""
    return "'" + text if text and text.startswith(_FORMULA) else text or ""
