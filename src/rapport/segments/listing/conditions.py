"""The `filters` of the list of segments: `filters[name][conditions][$is]=…` read into SQL on the table of segments."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from rapport.core.clock import parse_instant
from rapport.core.errors import InvalidQueryParams
from rapport.http.lists import MAX_TEXT

_CONDITION = re.compile(r"filters\[(?P<field>\w+)\]\[conditions\]\[(?P<operator>\$\w+)\](?:\[\d*\])?")
_JUNCTION = "filters[junction]"
_IDS = re.compile(r"ids(?:\[\d*\])?")
_MAX_DAYS = 36_500
MAX_IDS = 1_000

_TEXTS = ("id", "name", "type")
# `{column}`, and `{{}}` for the placeholder of the operands: any of them has to fit.
_OF_TEXT: Mapping[str, str] = {
    "$is": "{column} = ANY ({{}}::text[])",
    "$in": "{column} = ANY ({{}}::text[])",
    "$is_not": "{column} <> ALL ({{}}::text[])",
    "$not_in": "{column} <> ALL ({{}}::text[])",
    "$starts_with": "EXISTS (SELECT FROM unnest({{}}::text[]) AS o(part) WHERE starts_with({column}, o.part))",
    "$ends_with": "EXISTS (SELECT FROM unnest({{}}::text[]) AS o(part) WHERE right({column}, length(o.part)) = o.part)",
    "$contains": "EXISTS (SELECT FROM unnest({{}}::text[]) AS o(part) WHERE strpos({column}, o.part) > 0)",
    "$not_contain": "NOT EXISTS (SELECT FROM unnest({{}}::text[]) AS o(part) WHERE strpos({column}, o.part) > 0)",
}
_OF_TIME: Mapping[str, str] = {
    "$after": "created_at > ANY ({}::timestamptz[])",
    "$before": "created_at < ANY ({}::timestamptz[])",
    "$more_than": "created_at < ANY ({}::timestamptz[])",
    "$less_than": "created_at > ANY ({}::timestamptz[])",
}
# No column that can be filtered by is ever without a value.
_PRESENCE: Mapping[str, str] = {"$has_value": "TRUE", "$is_unknown": "FALSE"}


PARAMETERS: Mapping[str, dict[str, Any]] = {
    "ids": {"type": "array", "items": {"type": "string"}, "maxItems": MAX_IDS},
    "filters": {
        "type": "object",
        "properties": {
            "junction": {"enum": ["and", "or"], "default": "and"},
            **{
                field: {"type": "object", "properties": {"conditions": {"type": "object"}}}
                for field in (*_TEXTS, "created_at")
            },
        },
    },
}
"""The query parameters of the list that are read here, as schemas."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """SQL with a `{}` for each of the values."""

    text: str
    values: tuple[Any, ...]


def is_filter(name: str) -> bool:
    """Whether a query parameter belongs to `filters`."""
    return name.startswith("filters[")


def read_ids(query: Iterable[tuple[str, str]]) -> list[str]:
    """Return the ids that a list is narrowed to: `ids=…` again and again, or with commas. Raises InvalidQueryParams."""
    ids = [one for name, value in query if _IDS.fullmatch(name) for one in value.split(",") if one]
    if len(ids) > MAX_IDS or any("\x00" in one for one in ids):
        raise InvalidQueryParams(f"Query param ids should be at most {MAX_IDS} ids")
    return ids


def read_conditions(query: Iterable[tuple[str, str]], now: datetime) -> Conditions | None:
    """Read the `filters` among the parameters of a query; None where there are none. Raises InvalidQueryParams."""
    operands: dict[tuple[str, str], list[str]] = {}
    junction = "and"
    for name, value in query:
        if name == _JUNCTION:
            junction = _junction(value)
        elif is_filter(name):
            found = _CONDITION.fullmatch(name)
            if found is None:
                raise InvalidQueryParams(f"Query param {name} is not supported by this list")
            operands.setdefault((found["field"], found["operator"]), []).append(value)
    fields: dict[str, list[str]] = {}
    values: list[Any] = []
    for (field, operator), given in operands.items():
        text, read = _condition(field, operator, given, now)
        fields.setdefault(field, []).append(text)
        values += read
    if not fields:
        return None
    joined = f" {junction.upper()} ".join(f"({' AND '.join(texts)})" for texts in fields.values())
    return Conditions(f"({joined})", tuple(values))


def _junction(value: str) -> str:
    if value.lower() not in ("and", "or"):
        raise InvalidQueryParams(f"Query param {_JUNCTION} should be and or or")
    return value.lower()


def _condition(field: str, operator: str, given: list[str], now: datetime) -> tuple[str, list[Any]]:
    name = f"filters[{field}][conditions][{operator}]"
    if (field in _TEXTS or field == "created_at") and operator in _PRESENCE:
        return _PRESENCE[operator], []
    if field in _TEXTS and operator in _OF_TEXT:
        if any(len(value) > MAX_TEXT or "\x00" in value for value in given):
            raise InvalidQueryParams(f"Query param {name} is too long or holds a NUL character")
        return _OF_TEXT[operator].format(column=field), [given]
    if field == "created_at" and operator in _OF_TIME:
        ago = operator in ("$more_than", "$less_than")
        return _OF_TIME[operator], [[_days_before(name, one, now) if ago else _instant(name, one) for one in given]]
    raise InvalidQueryParams(f"Query param {name} is not supported by this list")


def _instant(name: str, value: str) -> datetime:
    try:
        return parse_instant(value.replace(" ", "+") if "T" in value else value)
    except ValueError as error:
        raise InvalidQueryParams(f"Query param {name} should be a date in ISO 8601 format") from error


def _days_before(name: str, value: str, now: datetime) -> datetime:
    if not (value.isascii() and value.isdigit() and len(value) < 10 and int(value) <= _MAX_DAYS):
        raise InvalidQueryParams(f"Query param {name} should be a number of days, at most {_MAX_DAYS}")
    return now - timedelta(days=int(value))
