"""What the conditions on one event or order can look at: the row `r` in SQL, a mapping of its values in Python."""

from collections.abc import Mapping
from typing import Any

from rapport.segments.fields import (
    MAX_NAME_LENGTH,
    Bind,
    Field,
    Json,
    Kind,
    UnknownField,
    keys_of,
)
from rapport.segments.json_values import elements, storable
from rapport.segments.tree import EVENTS, ORDERS


def _column(name: str, kind: Kind) -> Field:
    def read(values: Mapping[str, Any]) -> Any:
        return values.get(name)

    def sql(_bind: Bind) -> str:
        return f"r.{name}"

    return Field(name, kind, read, sql, integral=kind is Kind.NUMBER)


def _json(path: str, column: str, *, is_list: bool) -> Field:
    keys = keys_of(path.partition(".")[2])

    def read(values: Mapping[str, Any]) -> Any:
        return elements(values.get(column), keys)

    return Field(path, Kind.JSON, read, lambda _bind: "", json=Json(f"r.{column}", keys, is_list))


FIXED: Mapping[str, Mapping[str, Field]] = {
    EVENTS: {},
    ORDERS: {
        "source_id": _column("source_id", Kind.TEXT),
        **{name: _column(name, Kind.NUMBER) for name in ("amount", "total_amount", "discount_amount")},
    },
}
# Columns of JSON, and whether each is a list.
_JSON: Mapping[str, Mapping[str, bool]] = {
    EVENTS: {"metadata": False},
    ORDERS: {"metadata": False, "items": True},
}
PATTERNS: Mapping[str, tuple[str, ...]] = {
    source: (*FIXED[source], *(f"{name}.<path>" for name in columns)) for source, columns in _JSON.items()
}
"""Every field of events and of orders as docs/filters.md writes it."""


def find(source: str, path: str) -> Field:
    """Return the field of an event or order. Raises UnknownField."""
    if path in FIXED[source]:
        return FIXED[source][path]
    column, dot, _ = path.partition(".")
    if dot and column in _JSON[source] and storable(path) and len(path.encode()) <= MAX_NAME_LENGTH:
        return _json(path, column, is_list=_JSON[source][column])
    raise UnknownField(path)
