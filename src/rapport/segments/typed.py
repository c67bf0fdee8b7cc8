"""Operands by the types of metadata schemas: checked and written in the form in which the values are stored. Pure.

What comes out means, to both evaluators and for ever after, what it says as a filter on any JSON: a later change of the
schemas changes no segment that is there.
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any, Final

from rapport.metadata.models import NO_SCHEMAS, Definition, Schema, Schemas
from rapport.metadata.values import InvalidValue, number_from_text, of_type
from rapport.segments import fields
from rapport.segments.fields import Field, Kind
from rapport.segments.filters import SOURCES, InvalidFilter
from rapport.segments.json_values import plain
from rapport.segments.operators import BY_NAME
from rapport.segments.tree import EVENTS
from rapport.segments.windows import fields as row_fields

Find = Callable[[str], Field]
Define = Callable[[Field], Definition | None]

_SHOWN: Final = 200
_ALWAYS: Final = frozenset(("$has_value", "$is_unknown", "$count", "$count_more", "$count_less"))
_EQUAL: Final = frozenset(("$is", "$is_not", "$in", "$not_in"))
_TEXT: Final = frozenset(("$contains", "$not_contain", "$starts_with", "$ends_with"))
_COMPARED: Final = frozenset(("$more_than", "$less_than", "$more_than_equal", "$less_than_equal"))
_TIMED: Final = frozenset(
    (
        "$before", "$after", "$more_than_ago", "$less_than_ago", "$is_days_ago", "$more_than_future",
        "$less_than_future", "$is_days_in_future", "$next_month",
    )
)  # fmt: skip
APPLY: Final[Mapping[str, frozenset[str]]] = {
    "string": _ALWAYS | _EQUAL | _TEXT,
    "image_url": _ALWAYS | _EQUAL | _TEXT,
    "geopoint": _ALWAYS | _EQUAL | _TEXT,
    "number": _ALWAYS | _EQUAL | _COMPARED,
    "boolean": _ALWAYS | _EQUAL,
    "date": _ALWAYS | _EQUAL | _TIMED,
    "datetime": _ALWAYS | _EQUAL | _TIMED,
    "object": _ALWAYS,
}
"""The operators that apply to metadata of each type."""


def typed(raw: Any, schemas: Schemas, place: str = "filter") -> Any:
    """Return a filter as it came in with its operands on defined metadata as their types want them.

    What is not understood stays for `filters.parse` to refuse. Raises InvalidFilter naming the place.
    """
    if not schemas.resources and not schemas.events:
        return raw
    return _group(raw, place, fields.find, partial(_of_customer, schemas), schemas)


def typed_rows(raw: Any, schema: Schema | None, place: str, find: Find) -> Any:
    """Do the same for a filter that `filters.parse_rows` reads, on rows whose `r.metadata` have this schema."""
    return raw if schema is None else _group(raw, place, find, partial(_of_row, schema), NO_SCHEMAS)


def typed_conditions(
    schema: Schema | None, keys: Sequence[str], conditions: Mapping[str, Any], place: str, leave: frozenset[str]
) -> Mapping[str, Any]:
    """Do the same for conditions on the metadata that these keys lead to.

    Operators that filters do not have stay as they are, and on dates and times those to `leave`, too.
    """
    definition = _definition(schema, keys)
    if definition is None:
        return conditions
    left = leave if definition.type in ("date", "datetime") else frozenset()
    done = _conditions(definition, {name: one for name, one in conditions.items() if name not in left}, place)
    return {name: done.get(name, one) for name, one in conditions.items()}


def _of_row(schema: Schema, found: Field) -> Definition | None:
    if found.json is None or found.json.column != "r.metadata":
        return None
    return _definition(schema, found.json.keys)


def _of_customer(schemas: Schemas, found: Field) -> Definition | None:
    if found.attribute != "metadata" or found.json is None:
        return None
    return _definition(schemas.of("customer"), found.json.keys)


def _of_event(schema: Schema | None, found: Field) -> Definition | None:
    return None if found.json is None else _definition(schema, found.json.keys)


def _of_order(schemas: Schemas, found: Field) -> Definition | None:
    if found.json is None:
        return None
    keys = found.json.keys
    if not found.json.is_list:
        return _definition(schemas.of("order"), keys)
    return _definition(schemas.of("order_item"), keys[1:]) if keys[0] == "metadata" else None


def _definition(schema: Schema | None, keys: Sequence[str]) -> Definition | None:
    """Return what defines the value that these keys lead to."""
    definition = schema.active.get(keys[0]) if schema is not None and keys else None
    if schema is None or definition is None or len(keys) == 1:
        return definition
    nested = schema.nested.get(definition.object_type or "")
    return nested.active.get(keys[1]) if nested is not None and len(keys) == 2 else None


def _group(raw: Any, place: str, find: Find, define: Define, schemas: Schemas) -> Any:
    if not isinstance(raw, dict):
        return raw
    result: dict[str, Any] = {}
    for key, value in raw.items():
        if key == "groups" and isinstance(value, list):
            result[key] = [
                _group(one, f"{place}.groups[{index}]", find, define, schemas) for index, one in enumerate(value)
            ]
        elif isinstance(value, dict):
            result[key] = _field(key, value, f"{place}.{key[:_SHOWN]}", find, define, schemas)
        else:
            result[key] = value
    return result


def _field(name: str, raw: dict[str, Any], place: str, find: Find, define: Define, schemas: Schemas) -> Any:
    try:
        found = find(name)
    except fields.UnknownField:
        return raw
    if found.kind in SOURCES:
        return _source(found, raw, place, schemas)
    conditions, definition = raw.get("conditions"), define(found)
    if definition is None or not isinstance(conditions, dict):
        return raw
    return {**raw, "conditions": _conditions(definition, conditions, f"{place}.conditions")}


def _source(found: Field, raw: dict[str, Any], place: str, schemas: Schemas) -> Any:
    if "where" not in raw:
        return raw
    source = SOURCES[found.kind]
    define: Define = partial(_of_order, schemas)
    if source == EVENTS:
        define = partial(_of_event, schemas.event(found.event or ""))
    inner = _group(raw["where"], f"{place}.where", partial(row_fields.find, source), define, schemas)
    return {**raw, "where": inner}


def _conditions(definition: Definition, conditions: Mapping[str, Any], place: str) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for name, raw in conditions.items():
        operator = BY_NAME.get(name)
        if operator is None or Kind.JSON not in operator.meanings:
            result[name] = raw
            continue
        here = f"{place}.{name}"
        if operator.name not in APPLY[definition.type]:
            raise InvalidFilter(f"{here}: does not apply to metadata of type {definition.type}")
        if operator.name in _EQUAL | _TEXT | _COMPARED:
            read = _text if operator.name in _TEXT else _READ[definition.type]
            result[name] = (
                [_read(read, definition, one, here) for one in raw]
                if isinstance(raw, list)
                else _read(read, definition, raw, here)
            )
        else:
            result[name] = raw
    return result


def _read(read: Callable[[Definition, Any], Any], definition: Definition, operand: Any, place: str) -> Any:
    try:
        return read(definition, operand)
    except InvalidValue as error:
        raise InvalidFilter(f"{place}: {error}") from None


def _text(_definition: Definition, operand: Any) -> str:
    if isinstance(operand, int | Decimal | float) and not isinstance(operand, bool):
        return plain(operand)
    if not isinstance(operand, str):
        raise InvalidValue("takes a text")
    return operand


def _number(_definition: Definition, operand: Any) -> Any:
    if isinstance(operand, str):
        try:
            return number_from_text(operand)
        except InvalidValue:
            raise InvalidValue("takes a number") from None
    if isinstance(operand, bool) or not isinstance(operand, int | Decimal | float):
        raise InvalidValue("takes a number")
    return operand


def _boolean(_definition: Definition, operand: Any) -> bool:
    if operand in ("true", "false"):
        return bool(operand == "true")
    if not isinstance(operand, bool):
        raise InvalidValue("takes true or false")
    return operand


def _date(definition: Definition, operand: Any) -> Any:
    try:
        return of_type(definition, operand)
    except ValueError:
        raise InvalidValue("takes a date: 2026-01-31") from None


def _datetime(definition: Definition, operand: Any) -> Any:
    if isinstance(operand, str) and len(operand) <= len("2026-01-31"):
        raise InvalidValue("takes a date-time (2026-01-31T12:00:00Z); for whole days there are $after and $before")
    try:
        return of_type(definition, operand)
    except ValueError:
        raise InvalidValue("takes a date-time: 2026-01-31T12:00:00Z") from None


def _geopoint(definition: Definition, operand: Any) -> Any:
    try:
        return of_type(definition, operand)
    except ValueError:
        raise InvalidValue('takes a latitude and a longitude: "37.786971, -122.399677"') from None


_READ: Final[Mapping[str, Callable[[Definition, Any], Any]]] = {
    "string": _text,
    "image_url": _text,
    "geopoint": _geopoint,
    "number": _number,
    "boolean": _boolean,
    "date": _date,
    "datetime": _datetime,
}
