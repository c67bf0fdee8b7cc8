"""The `filters` of the list of segments, and its `ids`, read into SQL on the table of segments."""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from rapport.core.clock import parse_instant
from rapport.core.errors import InvalidQueryParams
from rapport.http import conditions
from rapport.http.conditions import Conditions

_IDS = re.compile(r"ids(?:\[\d*\])?")
_MAX_DAYS = 36_500
MAX_IDS = 1_000

_TEXTS = ("id", "name", "type")
_OF_TIME: Mapping[str, str] = {
    "$after": "created_at > ANY ({}::timestamptz[])",
    "$before": "created_at < ANY ({}::timestamptz[])",
    "$more_than": "created_at < ANY ({}::timestamptz[])",
    "$less_than": "created_at > ANY ({}::timestamptz[])",
}


PARAMETERS: Mapping[str, dict[str, Any]] = {
    "ids": {"type": "array", "items": {"type": "string"}, "maxItems": MAX_IDS},
    "filters": conditions.schema((*_TEXTS, "created_at")),
}
"""The query parameters of the list that are read here, as schemas."""


def read_ids(query: Iterable[tuple[str, str]]) -> list[str]:
    """Return the ids that a list is narrowed to: `ids=…` again and again, or with commas. Raises InvalidQueryParams."""
    ids = [one for name, value in query if _IDS.fullmatch(name) for one in value.split(",") if one]
    if len(ids) > MAX_IDS or any("\x00" in one for one in ids):
        raise InvalidQueryParams(f"Query param ids should be at most {MAX_IDS} ids")
    return ids


def read_conditions(query: Iterable[tuple[str, str]], now: datetime) -> Conditions | None:
    """Read the `filters` among the parameters of a query; None where there are none. Raises InvalidQueryParams."""
    fields = {name: conditions.text_field(name) for name in _TEXTS}
    return conditions.read_conditions(query, {**fields, "created_at": partial(_of_time, now)})


def _of_time(now: datetime, operator: str, name: str, given: list[str]) -> tuple[str, list[Any]] | None:
    if operator not in _OF_TIME:
        return conditions.presence(operator)
    ago = operator in ("$more_than", "$less_than")
    return _OF_TIME[operator], [[_days_before(name, one, now) if ago else _instant(name, one) for one in given]]


def _instant(name: str, value: str) -> datetime:
    try:
        return parse_instant(value.replace(" ", "+") if "T" in value else value)
    except ValueError as error:
        raise InvalidQueryParams(f"Query param {name} should be a date in ISO 8601 format") from error


def _days_before(name: str, value: str, now: datetime) -> datetime:
    if not (value.isascii() and value.isdigit() and len(value) < 10 and int(value) <= _MAX_DAYS):
        raise InvalidQueryParams(f"Query param {name} should be a number of days, at most {_MAX_DAYS}")
    return now - timedelta(days=int(value))
