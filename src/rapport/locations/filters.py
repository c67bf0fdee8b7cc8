"""What locations can be filtered on."""

from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import Any, Final

from rapport.core.clock import parse_instant
from rapport.core.errors import InvalidQueryParams
from rapport.http.conditions import Reader, text_field

FIELDS: Final = ("name", "created_at", "updated_at")
MAX_DAYS: Final = 100_000


def _read_instant(
    column: str, offset: timedelta, operator: str, name: str, given: list[str]
) -> tuple[str, list[Any]] | None:
    """Read a condition on an instant: a date-time, or a number of days before now."""
    if operator in ("$has_value", "$is_unknown"):
        return f"{column} IS {'NOT ' if operator == '$has_value' else ''}NULL", []
    comparison = {"$after": ">", "$before": "<"}.get(operator)
    if comparison is not None:
        try:
            return f"{column} {comparison} {{}}", [parse_instant(given[0].replace(" ", "+"))]
        except ValueError as error:
            raise InvalidQueryParams(f"Query param {name} should be a date in ISO 8601 format") from error
    days = {"$more_than": "<", "$less_than": ">"}.get(operator)
    if days is None:
        return None
    text = given[0]
    if not (text.isascii() and text.isdigit() and int(text[:10]) <= MAX_DAYS and len(text) <= 10):
        raise InvalidQueryParams(f"Query param {name} should be a number of days from 0 to {MAX_DAYS}")
    return f"{column} {days} clock_timestamp() + {{}}::interval - make_interval(days => {{}})", [offset, int(text)]


def filters(offset: timedelta) -> Mapping[str, Reader]:
    """Return what can be filtered on; `offset` moves the clock."""
    return {
        "name": text_field("name"),
        "created_at": partial(_read_instant, "created_at", offset),
        "updated_at": partial(_read_instant, "updated_at", offset),
    }
