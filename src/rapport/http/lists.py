"""Lists: one declaration a feature, one meaning of `limit`, `page`, `order`, filters and cursors for all of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar

from rapport.core.clock import parse_instant
from rapport.core.errors import InvalidQueryParams

Item = TypeVar("Item")
DEFAULT_LIMIT = 10
MAX_LIMIT = 100
MAX_TEXT = 1000
# The schema of what `read_flag` reads.
BOOLEAN = {"type": "boolean", "default": False}
_INSTANTS = frozenset({"created_at", "updated_at"})


def _text(name: str, value: str) -> str:
    if len(value) > MAX_TEXT or "\x00" in value:
        raise InvalidQueryParams(f"Query param {name} is too long or holds a NUL character")
    return value


def _instant(name: str, value: str) -> datetime:
    try:
        return parse_instant(value.replace(" ", "+") if "T" in value else value)
    except ValueError as error:
        raise InvalidQueryParams(f"Query param {name} should be a date in ISO 8601 format") from error


@dataclass(frozen=True)
class ListFilter:
    """One query parameter: the SQL condition it adds (`{}` stands for the value's placeholder)."""

    condition: str

    def read(self, name: str, value: str) -> Any:
        """Turn the parameter's text into the value for the database. Raises InvalidQueryParams."""
        return _text(name, value)


def Equals(column: str) -> ListFilter:  # noqa: N802 (reads as a type in declarations)
    """Keep rows whose text column is exactly the value."""
    return ListFilter(f"{column} = {{}}")


@dataclass(frozen=True)
class OneOf(ListFilter):
    """As ListFilter, for a parameter that has only these values; `stands_for` says what the database is given for one.

    Without it, that is the value itself.
    """

    choices: tuple[str, ...]
    stands_for: Mapping[str, Any] = field(default_factory=dict)

    def read(self, name: str, value: str) -> Any:
        """Turn the parameter's text into the value for the database. Raises InvalidQueryParams."""
        if value not in self.choices:
            raise InvalidQueryParams(f"Query param {name} should be one of: {', '.join(self.choices)}")
        return self.stands_for.get(value, value)


@dataclass(frozen=True)
class InstantFilter(ListFilter):
    """As ListFilter, for a date-time."""

    def read(self, name: str, value: str) -> Any:
        """Turn the parameter's text into an instant. Raises InvalidQueryParams."""
        return _instant(name, value)


def Before(column: str) -> ListFilter:  # noqa: N802
    """Keep rows strictly before the instant."""
    return InstantFilter(f"{column} < {{}}")


def After(column: str) -> ListFilter:  # noqa: N802
    """Keep rows strictly after the instant."""
    return InstantFilter(f"{column} > {{}}")


def From(column: str) -> ListFilter:  # noqa: N802
    """Keep rows at or after the instant."""
    return InstantFilter(f"{column} >= {{}}")


def Until(column: str) -> ListFilter:  # noqa: N802
    """Keep rows at or before the instant."""
    return InstantFilter(f"{column} <= {{}}")


@dataclass(frozen=True)
class ListSpec:
    """What can be listed: the table, its row struct, the orders and the filters that the reference names.

    All SQL in here is written by us; values from outside only ever become parameters. `tie` is the column that makes an
    order total. `cursor` names the instant column that `starting_after` continues from, unless the order is by another
    instant. A list with `by_id` is paged by `starting_after_id` alone, without `page`.
    """

    data_ref: str
    table: str
    row: Any
    orders: Mapping[str, str]
    default_order: str
    tie: str = "id"
    filters: Mapping[str, ListFilter] = field(default_factory=dict)
    cursor: str | None = None
    max_page: int = 1000
    items_key: str | None = None
    by_id: bool = False

    def cursor_of(self, order: str) -> str | None:
        """Return the column that `starting_after` is compared with in this order."""
        return self.orders[order] if self.cursor and order in _INSTANTS else self.cursor


@dataclass(frozen=True)
class Page:
    """One request for a part of a list."""

    limit: int
    page: int
    order: str
    descending: bool
    filters: tuple[tuple[ListFilter, Any], ...]
    starting_after: datetime | None = None
    starting_after_id: str | None = None


@dataclass(frozen=True)
class Found(Generic[Item]):
    """One part of a list: its items, how many there are in all, and whether more follow."""

    items: list[Item]
    total: int
    has_more: bool


@dataclass(frozen=True)
class Part(Generic[Item]):
    """One part of a list that is not counted: its items, and whether more follow."""

    items: list[Item]
    has_more: bool


def read_number(query: Mapping[str, str], name: str, default: int, maximum: int) -> int:
    """Read a parameter that is a number from 1 on, `default` where it is absent. Raises InvalidQueryParams."""
    value = query.get(name)
    if value is None or value == "":
        return default
    if not (value.isascii() and value.isdigit() and len(value) < 10 and 1 <= int(value) <= maximum):
        raise InvalidQueryParams(f"Query param {name} should be a number between 1 and {maximum}")
    return int(value)


def read_flag(query: Mapping[str, str], name: str) -> bool:
    """Read a parameter that is true or false, and false if it is not given. Raises InvalidQueryParams."""
    value = query.get(name, "").lower()
    if value not in ("", "true", "false"):
        raise InvalidQueryParams(f"Query param {name} should be true or false")
    return value == "true"


def read_page(spec: ListSpec, query: Mapping[str, str]) -> Page:
    """Read paging, order and filters from a query string; parameters the list does not know are ignored.

    Raises InvalidQueryParams for a limit outside 1…100, a page outside the list's range, an unknown order, a bad date.
    """
    order = query.get("order") or spec.default_order
    name = order.removeprefix("-")
    if name not in spec.orders:
        allowed = ", ".join(f"{key}, -{key}" for key in spec.orders)
        raise InvalidQueryParams(f"Query param order should be one of: {allowed}")
    for key in query:
        if key.startswith("filters[") and key not in spec.filters:
            raise InvalidQueryParams(f"Query param {key} is not supported by this list")
    filters = tuple((item, item.read(key, query[key])) for key, item in spec.filters.items() if query.get(key))
    after = query.get("starting_after")
    return Page(
        limit=read_number(query, "limit", DEFAULT_LIMIT, MAX_LIMIT),
        page=1 if spec.by_id else read_number(query, "page", 1, spec.max_page),
        order=name,
        descending=order.startswith("-"),
        filters=filters,
        starting_after=_instant("starting_after", after) if after and spec.cursor else None,
        starting_after_id=_text("starting_after_id", query["starting_after_id"])
        if query.get("starting_after_id")
        else None,
    )


def envelope(spec: ListSpec, found: Found[Any], items: list[Any]) -> dict[str, Any]:
    """Return the answer of a list operation as the reference shapes it."""
    return {
        "object": "list",
        "data_ref": spec.data_ref,
        spec.items_key or spec.data_ref: items,
        "total": found.total,
        "has_more": found.has_more,
    }
