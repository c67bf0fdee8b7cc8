"""The `filters` of lists: `filters[name][conditions][$is]=…`, joined by `filters[junction]`, read into SQL."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from rapport.core.clock import parse_instant
from rapport.core.errors import InvalidQueryParams
from rapport.http.lists import MAX_TEXT

MAX_DAYS = 36_500
MAX_IDS = 1_000
IDS: Mapping[str, Any] = {"type": "array", "items": {"type": "string"}, "maxItems": MAX_IDS}
"""The schema of the parameter `ids`."""

# Of one state of campaigns, the reference writes the operator without its sign.
_CONDITION = re.compile(r"filters\[(?P<field>\w+)\]\[conditions\]\[(?P<operator>\$?\w+)\](?:\[\d*\])?")
_IDS = re.compile(r"ids(?:\[\d*\])?")
_JUNCTION = "filters[junction]"
# The reference writes some in this way.
_BRACKETED = "[filters]["
# Of metadata, the field is `metadata.` and the key, as the reference writes it, or `metadata` and the key in brackets.
_OF_METADATA = re.compile(
    r"filters\[metadata(?:\.|\]\[)(?P<key>[^\[\]\x00]{1,100})\]\[conditions\]\[(?P<operator>\$\w+)\](?:\[\d*\])?"
)
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
    "$after": "{column} > ANY ({{}}::timestamptz[])",
    "$before": "{column} < ANY ({{}}::timestamptz[])",
}
# Operands are days before now.
_OF_DAYS: Mapping[str, str] = {
    "$more_than": "{column} < ANY ({{}}::timestamptz[])",
    "$less_than": "{column} > ANY ({{}}::timestamptz[])",
}
_OF_FLAGS: Mapping[str, str] = {
    "$is": "{column} = ANY ({{}}::boolean[])",
    "$in": "{column} = ANY ({{}}::boolean[])",
    "$is_not": "{column} <> ALL ({{}}::boolean[])",
    "$not_in": "{column} <> ALL ({{}}::boolean[])",
}
# For columns that are never without a value.
_PRESENCE: Mapping[str, str] = {"$has_value": "TRUE", "$is_unknown": "FALSE"}


@dataclass(frozen=True, slots=True)
class Conditions:
    """SQL with a `{}` for each of the values."""

    text: str
    values: tuple[Any, ...]


# Reads one condition on a field: its operator, the name of its parameter, what was given. None: no such operator.
Reader = Callable[[str, str, list[str]], tuple[str, list[Any]] | None]


def _read_text(column: str, operator: str, name: str, given: list[str]) -> tuple[str, list[Any]] | None:
    if operator not in _OF_TEXT:
        return presence(operator)
    if any(len(value) > MAX_TEXT or "\x00" in value for value in given):
        raise InvalidQueryParams(f"Query param {name} is too long or holds a NUL character")
    return _OF_TEXT[operator].format(column=column), [given]


def presence(operator: str) -> tuple[str, list[Any]] | None:
    """Read what asks whether there is a value, of a column that always has one."""
    return (_PRESENCE[operator], []) if operator in _PRESENCE else None


def text_field(column: str) -> Reader:
    """Return what reads conditions on a text column that is never NULL."""
    return partial(_read_text, column)


# Of these, a missing value is never one of the operands.
_NOT_ABSENT = frozenset({"$is_not", "$not_in", "$not_contain"})


def _read_optional_text(column: str, operator: str, name: str, given: list[str]) -> tuple[str, list[Any]] | None:
    if operator in _PRESENCE:
        return _presence_of(column, operator)
    found = _read_text(column, operator, name, given)
    if found is None or operator not in _NOT_ABSENT:
        return found
    return f"({column} IS NULL OR {found[0]})", found[1]


def _presence_of(column: str, operator: str) -> tuple[str, list[Any]]:
    return f"{column} IS {'NOT NULL' if operator == '$has_value' else 'NULL'}", []


def optional_text_field(column: str) -> Reader:
    """Return what reads conditions on a text column that may be NULL: then only negations hold."""
    return partial(_read_optional_text, column)


def _instant(name: str, value: str) -> datetime:
    try:
        return parse_instant(value.replace(" ", "+") if "T" in value else value)
    except ValueError as error:
        raise InvalidQueryParams(f"Query param {name} should be a date in ISO 8601 format") from error


def _days_before(name: str, value: str, now: datetime) -> datetime:
    if not (value.isascii() and value.isdigit() and len(value) < 10 and int(value) <= MAX_DAYS):
        raise InvalidQueryParams(f"Query param {name} should be a number of days, at most {MAX_DAYS}")
    return now - timedelta(days=int(value))


def _read_times(
    column: str, now: datetime | None, optional: bool, operator: str, name: str, given: list[str]
) -> tuple[str, list[Any]] | None:
    if operator in _PRESENCE:
        return _presence_of(column, operator) if optional else presence(operator)
    if operator in _OF_TIME:
        return _OF_TIME[operator].format(column=column), [[_instant(name, value) for value in given]]
    if now is None or operator not in _OF_DAYS:
        return None
    return _OF_DAYS[operator].format(column=column), [[_days_before(name, value, now) for value in given]]


def instant_field(column: str, now: datetime | None = None, *, optional: bool = False) -> Reader:
    """Return what reads conditions on an instant: before and after others and, with `now`, some days before that.

    `optional`: the instant may be NULL, of which only `$is_unknown` holds.
    """
    return partial(_read_times, column, now, optional)


def _read_flag(column: str, operator: str, name: str, given: list[str]) -> tuple[str, list[Any]] | None:
    if operator not in _OF_FLAGS:
        return presence(operator)
    if any(value.lower() not in ("true", "false") for value in given):
        raise InvalidQueryParams(f"Query param {name} should be true or false")
    return _OF_FLAGS[operator].format(column=column), [[value.lower() == "true" for value in given]]


def flag_field(column: str) -> Reader:
    """Return what reads conditions on a boolean that is never NULL."""
    return partial(_read_flag, column)


def has_field(column: str) -> Reader:
    """Return what reads whether a column has a value."""
    return lambda operator, _name, _given: _presence_of(column, operator) if operator in _PRESENCE else None


def read_ids(query: Iterable[tuple[str, str]]) -> list[str]:
    """Return the ids that a list is narrowed to: `ids=…` again and again, or with commas. Raises InvalidQueryParams.

    The official SDK writes a list as Python does: `ids=['a', 'b']`.
    """
    given = (one for name, value in query if _IDS.fullmatch(name) for one in value.split(","))
    ids = [one for one in (text.strip(" []'") for text in given) if one]
    if len(ids) > MAX_IDS or any("\x00" in one for one in ids):
        raise InvalidQueryParams(f"Query param ids should be at most {MAX_IDS} ids")
    return ids


def _read_metadata(column: str, key: str, operator: str, name: str, given: list[str]) -> tuple[str, list[Any]] | None:
    found = _read_optional_text("one.value", operator, name, given)
    if found is None:
        return None
    return f"EXISTS (SELECT FROM (SELECT {column} ->> {{}} AS value) AS one WHERE {found[0]})", [key, *found[1]]


def metadata_field(column: str) -> Callable[[str], Reader]:
    """Return what reads conditions on a key of metadata, whose values are compared as texts."""
    return lambda key: partial(_read_metadata, column, key)


def is_filter(name: str) -> bool:
    """Whether a query parameter belongs to `filters`."""
    return name.startswith(("filters[", _BRACKETED))


def schema(fields: Iterable[str]) -> dict[str, Any]:
    """Return the schema of the parameter `filters`."""
    field = {"type": "object", "properties": {"conditions": {"type": "object"}}}
    properties = {"junction": {"enum": ["and", "or"], "default": "and"}, **dict.fromkeys(fields, field)}
    return {"type": "object", "properties": properties}


def read_conditions(
    query: Iterable[tuple[str, str]], fields: Mapping[str, Reader], metadata: Callable[[str], Reader] | None = None
) -> Conditions | None:
    """Read the `filters` among the parameters of a query; None where there are none. Raises InvalidQueryParams.

    `metadata` gives what reads conditions on a key of metadata, where the list has some.
    """
    operands: dict[tuple[str, str], list[str]] = {}
    readers = dict(fields)
    junction = "and"
    for given_name, value in query:
        name = given_name.replace(_BRACKETED, "filters[", 1) if given_name.startswith(_BRACKETED) else given_name
        if name == _JUNCTION:
            junction = _junction(value)
        elif is_filter(name):
            of_metadata = None if metadata is None else _OF_METADATA.fullmatch(name)
            found = of_metadata or _CONDITION.fullmatch(name)
            if found is None:
                raise InvalidQueryParams(f"Query param {name[:200]} is not supported by this list")
            if of_metadata is not None and metadata is not None:
                field = f"metadata.{of_metadata['key']}"
                readers[field] = metadata(of_metadata["key"])
            else:
                field = found["field"]
            operands.setdefault((field, found["operator"]), []).append(value)
    texts: dict[str, list[str]] = {}
    values: list[Any] = []
    for (field, operator), given in operands.items():
        name = f"filters[{field}][conditions][{operator}]"
        condition = readers[field](operator, name, given) if field in readers else None
        if condition is None:
            raise InvalidQueryParams(f"Query param {name} is not supported by this list")
        texts.setdefault(field, []).append(condition[0])
        values += condition[1]
    if not texts:
        return None
    joined = f" {junction.upper()} ".join(f"({' AND '.join(one)})" for one in texts.values())
    return Conditions(f"({joined})", tuple(values))


def _junction(value: str) -> str:
    if value.lower() not in ("and", "or"):
        raise InvalidQueryParams(f"Query param {_JUNCTION} should be and or or")
    return value.lower()
