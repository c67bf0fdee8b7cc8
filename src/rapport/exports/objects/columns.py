"""Columns of exports: how a field is read in SQL, in the form it has on the wire, and what may be in its cells."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum

from rapport.segments.fields import Field, Json, Kind, keys_of

Bind = Callable[[object, str], str]
"""Takes a value and its SQL type, returns the placeholder, e.g. `$4::text[]`."""


class Form(Enum):
    """What a column's values are: free TEXT; PLAIN text that we made (numbers, times); JSON; a path of an OBJECT."""

    TEXT = "text"
    PLAIN = "plain"
    JSON = "json"
    OBJECT = "object"


@dataclass(frozen=True, slots=True)
class Column:
    """One field. `sql` writes its expression over the row; `keys` lead to what an OBJECT's is in the API's object."""

    form: Form
    sql: Callable[[Bind], str]
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Scope:
    """A parameter beside the filters that narrows the rows, by an equality with `column`."""

    name: str
    column: str
    required: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """One kind of object. All SQL is ours; what comes from outside is bound. `$1` is the project.

    `source` is what stands in FROM, `where` narrows it. `find_field` returns a field that is not among `fields`, or
    None. `find_filter` returns what a filter may look at, and raises UnknownField; None where the rows are customers
    `c`, whose filters are those of segments. `metadata` is the column that the field `metadata` spreads out. `tie` are
    columns that make any order total.
    """

    source: str
    where: str = "TRUE"
    fields: Mapping[str, Column]
    defaults: tuple[str, ...]
    orders: Mapping[str, str]
    default_order: str = "-created_at"
    tie: tuple[str, ...]
    find_field: Callable[[str], Column | None]
    find_filter: Callable[[str], Field] | None
    metadata: str
    scope: Scope | None = None


def text(sql: str) -> Column:
    """Return a column of free text."""
    return Column(Form.TEXT, lambda _bind: sql)


def plain(sql: str) -> Column:
    """Return a column of text that nobody from outside wrote."""
    return Column(Form.PLAIN, lambda _bind: sql)


def number(sql: str) -> Column:
    """Return a column of numbers; amounts are minor units."""
    return plain(f"({sql})::text")


def boolean(sql: str) -> Column:
    """Return a column of `true` and `false`."""
    return plain(f"CASE WHEN {sql} THEN 'true' ELSE 'false' END")


def instant(sql: str) -> Column:
    """Return a column of instants, in UTC, as the API writes them."""
    return plain(f'to_char({sql}, \'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"\')')


def nothing() -> Column:
    """Return a column of the reference for what does not exist here: its cells are empty."""
    return plain("NULL::text")


def json(column: str, keys: tuple[str, ...] = ()) -> Column:
    """Return a column of what is found in JSON by following the keys."""
    if not keys:
        return Column(Form.JSON, lambda _bind: column)
    return Column(Form.JSON, lambda bind: f"({column} #> {bind(list(keys), 'text[]')})")


def json_below(prefixes: Mapping[str, str]) -> Callable[[str], Column | None]:
    """Return what finds fields `prefix.path` inside JSON columns. It raises UnknownField for a path that is none."""

    def find(name: str) -> Column | None:
        for prefix, column in prefixes.items():
            if name.startswith(prefix):
                return json(column, keys_of(name[len(prefix) :]))
        return None

    return find


def quoted_key(key: str) -> str:
    """Write a key so that `keys_of` reads it back as one."""
    if key and "." not in key and not key.startswith('"'):
        return key
    escaped = key.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _unread(_row: object) -> None:
    """Fail: filters of exports are only ever written in SQL."""
    raise NotImplementedError("filters of exports are evaluated by the database only")


def filter_text(path: str, sql: str) -> Field:
    """Return a field of filters that is a text."""
    return Field(path, Kind.TEXT, _unread, lambda _bind: sql)


def filter_number(path: str, sql: str) -> Field:
    """Return a field of filters that is a bigint."""
    return Field(path, Kind.NUMBER, _unread, lambda _bind: sql, integral=True)


def filter_instant(path: str, sql: str) -> Field:
    """Return a field of filters that is an instant."""
    return Field(path, Kind.INSTANT, _unread, lambda _bind: sql)


def filter_boolean(path: str, sql: str) -> Field:
    """Return a field of filters that is true or false."""
    return Field(path, Kind.JSON, _unread, lambda _bind: "", json=Json(f"jsonb_build_object('v', {sql})", ("v",)))


def filter_any(path: str, *columns: str) -> Field:
    """Return a field of filters with several texts, any of which may fit."""
    values = f"to_jsonb(array_remove(ARRAY[{', '.join(columns)}]::text[], NULL))"
    return Field(path, Kind.JSON, _unread, lambda _bind: "", json=Json(f"jsonb_build_object('v', {values})", ("v",)))


def filter_json(path: str, column: str, keys: tuple[str, ...]) -> Field:
    """Return a field of filters inside JSON."""
    return Field(path, Kind.JSON, _unread, lambda _bind: "", json=Json(column, keys))
