"""The `filters` of lists: `filters[name][conditions][$is]=…`, joined by `filters[junction]`, read into SQL."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from rapport.core.errors import InvalidQueryParams
from rapport.http.lists import MAX_TEXT

_CONDITION = re.compile(r"filters\[(?P<field>\w+)\]\[conditions\]\[(?P<operator>\$\w+)\](?:\[\d*\])?")
_JUNCTION = "filters[junction]"
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
    if operator in _PRESENCE:
        return _PRESENCE[operator], []
    if operator not in _OF_TEXT:
        return None
    if any(len(value) > MAX_TEXT or "\x00" in value for value in given):
        raise InvalidQueryParams(f"Query param {name} is too long or holds a NUL character")
    return _OF_TEXT[operator].format(column=column), [given]


def presence(operator: str) -> tuple[str, list[Any]] | None:
    """Read what asks whether there is a value, of a column that always has one."""
    return (_PRESENCE[operator], []) if operator in _PRESENCE else None


def text_field(column: str) -> Reader:
    """Return what reads conditions on a text column that is never NULL."""
    return partial(_read_text, column)


def is_filter(name: str) -> bool:
    """Whether a query parameter belongs to `filters`."""
    return name.startswith("filters[")


def schema(fields: Iterable[str]) -> dict[str, Any]:
    """Return the schema of the parameter `filters`."""
    field = {"type": "object", "properties": {"conditions": {"type": "object"}}}
    properties = {"junction": {"enum": ["and", "or"], "default": "and"}, **dict.fromkeys(fields, field)}
    return {"type": "object", "properties": properties}


def read_conditions(query: Iterable[tuple[str, str]], fields: Mapping[str, Reader]) -> Conditions | None:
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
    texts: dict[str, list[str]] = {}
    values: list[Any] = []
    for (field, operator), given in operands.items():
        name = f"filters[{field}][conditions][{operator}]"
        condition = fields[field](operator, name, given) if field in fields else None
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
