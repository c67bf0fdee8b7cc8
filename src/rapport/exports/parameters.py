"""What an export is asked for: checked against what its object has, and written as one SELECT."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Final

import msgspec

from rapport.core.errors import InvalidPayload, RapportError
from rapport.customers.models import Customer
from rapport.exports.objects.columns import Column, Exported, Form, json, quoted_key
from rapport.exports.objects.customers import CUSTOMERS, MEMBERS
from rapport.exports.objects.histories import EVENTS, ORDERS, PUBLICATIONS, REDEMPTIONS
from rapport.exports.objects.transactions import TRANSACTIONS
from rapport.exports.objects.vouchers import VOUCHERS
from rapport.metadata.models import NO_SCHEMAS, Schemas
from rapport.segments.fields import MAX_NAME_LENGTH, UnknownField
from rapport.segments.filters import parse, parse_rows
from rapport.segments.json_values import storable
from rapport.segments.sql import compile_filter, compile_rows
from rapport.segments.typed import typed, typed_rows

MAX_FIELDS = 200
# How many keys the field `metadata` may spread out into.
MAX_METADATA_COLUMNS = 1_000
METADATA: Final = "metadata"
_PLACE: Final = ".parameters.filters"

OBJECTS: Final[Mapping[str, Exported]] = {
    "voucher": VOUCHERS,
    "redemption": REDEMPTIONS,
    "customer": CUSTOMERS,
    "publication": PUBLICATIONS,
    "order": ORDERS,
    "voucher_transactions": TRANSACTIONS,
    "event": EVENTS,
    "segment_members": MEMBERS,
}
"""What can be exported, by the name the API has for it."""
REFERENCE: Final = ("voucher", "redemption", "customer", "publication", "order", "voucher_transactions")
"""Those that the reference has; the others are additions."""
_NOT_YET: Final = {
    "points_expiration": "there are no loyalty points yet",
    "product": "list products instead",
    "sku": "list the SKUs of products instead",
}


class InvalidExportFields(RapportError):
    """A field that the exported object does not have."""

    key: ClassVar[str] = "invalid_export_fields"
    message: ClassVar[str] = "Invalid Export"


class Parameters(msgspec.Struct, kw_only=True):
    """The `parameters` of a request; `segment_id` is an addition, for the members of a segment."""

    order: str | None = None
    fields: list[str] | None = None
    filters: dict[str, Any] | None = None
    campaign_id: str | None = None
    segment_id: str | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an export is to contain, checked and complete. `scope` is the id that narrows it, of the object's scope."""

    exported_object: str
    fields: tuple[str, ...]
    order: str
    filters: dict[str, Any] | None
    scope: str | None

    @property
    def exported(self) -> Exported:
        """The declaration of the object."""
        return OBJECTS[self.exported_object]

    @property
    def spreads_metadata(self) -> bool:
        """Whether the field `metadata` is asked for, which becomes a column for each key."""
        return METADATA in self.fields

    @property
    def segment_ids(self) -> frozenset[str]:
        """The segments that have to exist: that of the scope, and those that the filters name."""
        named = frozenset({self.scope}) if self.exported is MEMBERS and self.scope is not None else frozenset()
        if self.exported.find_filter is not None or self.filters is None:
            return named
        return named | parse(self.filters, _PLACE).segment_ids

    def stored(self) -> dict[str, Any]:
        """Return it as it is kept and shown."""
        shown: dict[str, Any] = {"order": self.order, "fields": list(self.fields), "filters": self.filters}
        if self.exported.scope is not None and self.scope is not None:
            shown[self.exported.scope.name] = self.scope
        return {name: value for name, value in shown.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Selection:
    """An export as SQL. `text` selects `forms` in order; where one is an OBJECT, all columns of a customer follow."""

    text: str
    parameters: list[Any]
    headers: list[str]
    forms: list[Form]
    keys: list[tuple[str, ...]]


def check(exported_object: str, given: Parameters | None, schemas: Schemas = NO_SCHEMAS) -> Wanted:
    """Return what is wanted, with the defaults of the reference; operands on metadata as the project's schemas say.

    Raises InvalidPayload, InvalidExportFields.
    """
    if exported_object in _NOT_YET:
        raise InvalidPayload(
            f"Property .exported_object: {exported_object} cannot be exported: {_NOT_YET[exported_object]}"
        )
    exported = OBJECTS.get(exported_object)
    if exported is None:
        allowed = ", ".join(OBJECTS)
        raise InvalidPayload(f"Property .exported_object should be equal to one of the allowed values [ {allowed} ]")
    parameters = given or Parameters()
    return Wanted(
        exported_object,
        _fields(exported, parameters.fields or list(exported.defaults)),
        _order(exported, parameters.order or exported.default_order),
        _filters(exported, parameters.filters, schemas, exported_object),
        _scope(exported, parameters),
    )


def read_stored(exported_object: str, stored: Mapping[str, Any]) -> Wanted:
    """Return what is wanted, as `Wanted.stored` wrote it."""
    return check(exported_object, msgspec.convert(stored, Parameters))


def _fields(exported: Exported, names: Sequence[str]) -> tuple[str, ...]:
    if len(names) > MAX_FIELDS:
        raise InvalidExportFields(f"More than {MAX_FIELDS} fields")
    for name in names:
        _column(exported, name)
    twice = next((name for number, name in enumerate(names) if name in names[:number]), None)
    if twice is not None:
        raise InvalidExportFields(f"Field named twice: {twice}")
    return tuple(names)


def _column(exported: Exported, name: str) -> Column:
    """Return the column of a field; that of `metadata` stands for those it spreads out into."""
    found: Column | None = exported.fields.get(name)
    if found is None and name == METADATA:
        found = json(exported.metadata)
    if found is None and storable(name) and len(name.encode()) <= MAX_NAME_LENGTH:
        try:
            found = exported.find_field(name)
        except UnknownField:
            found = None
    if found is None:
        allowed = [*exported.fields, METADATA, f"{METADATA}.X"]
        if exported.find_filter is None:
            allowed.append("any path of the customer object")
        shown = name.encode("utf-8", "replace").decode().replace("\x00", "")[:200]
        raise InvalidExportFields(f"Unsupported field used: {shown}. Allowed fields: {', '.join(allowed)}")
    return found


def _order(exported: Exported, order: str) -> str:
    if order.removeprefix("-") not in exported.orders:
        allowed = ", ".join(f"{name}, -{name}" for name in exported.orders)
        raise InvalidPayload(f"Property .parameters.order should be one of: {allowed}")
    return order


def _filters(
    exported: Exported, filters: dict[str, Any] | None, schemas: Schemas, resource: str
) -> dict[str, Any] | None:
    """Return the filters, None where they say nothing. Raises InvalidPayload."""
    if not filters:
        return None
    junction = filters.get("junction")
    if junction is not None and (not isinstance(junction, str) or junction.lower() not in {"and", "or"}):
        raise InvalidPayload(f"Property {_PLACE}.junction must be and, or")
    if filters.keys() <= {"junction"}:
        return None
    if exported.find_filter is None:
        filters = typed(_as_in_segments(filters), schemas, _PLACE)
        parse(filters, _PLACE)
    else:
        filters = typed_rows(filters, schemas.of(resource), _PLACE, exported.find_filter)
        parse_rows(filters, _PLACE, exported.find_filter)
    return filters


def _as_in_segments(filters: dict[str, Any]) -> dict[str, Any]:
    """Return filters with the one name that the reference's exports have and its segments do not."""
    if "city" in filters and "address.city" in filters:
        raise InvalidPayload(f"Property {_PLACE}: city and address.city are the same, name one of them")
    return {"address.city" if name == "city" else name: value for name, value in filters.items()}


def _scope(exported: Exported, parameters: Parameters) -> str | None:
    for name in ("campaign_id", "segment_id"):
        value: str | None = getattr(parameters, name)
        if exported.scope is None or exported.scope.name != name:
            if value is not None:
                raise InvalidPayload(f"Property .parameters.{name} does not apply to this object")
        elif value is None and exported.scope.required:
            raise InvalidPayload(f"Missing required property .parameters.{name}")
        elif value is not None and (not value or len(value) > MAX_NAME_LENGTH or not storable(value)):
            raise InvalidPayload(f"Property .parameters.{name} should be an id")
    return None if exported.scope is None else getattr(parameters, exported.scope.name)


class _Binder:
    """Collects what is bound, the project first."""

    def __init__(self, project_id: int) -> None:
        self.values: list[Any] = [project_id]

    def __call__(self, value: object, kind: str) -> str:
        self.values.append(value)
        return f"${len(self.values)}::{kind}"


def select_rows(wanted: Wanted, project_id: int, now: datetime, zone_name: str) -> tuple[str, list[Any]]:
    """Return FROM and WHERE of an export, and what is bound in them."""
    exported, bind = wanted.exported, _Binder(project_id)
    text = f"FROM {exported.source} WHERE {exported.where}"
    if exported.scope is not None and wanted.scope is not None:
        text += f" AND {exported.scope.column} = {bind(wanted.scope, 'text')}"
    if wanted.filters is not None:
        first = len(bind.values) + 1
        if exported.find_filter is None:
            condition = compile_filter(
                parse(wanted.filters, _PLACE),
                now=now,
                zone_name=zone_name,
                project_id=project_id,
                first_parameter=first,
                whole=True,
            )
        else:
            root = parse_rows(wanted.filters, _PLACE, exported.find_filter)
            condition = compile_rows(root, now=now, zone_name=zone_name, first_parameter=first)
        bind.values += condition.parameters
        text += f" AND {condition.text}"
    return text, bind.values


def select(wanted: Wanted, rows: tuple[str, list[Any]], metadata_keys: Sequence[str]) -> Selection:
    """Return the whole SELECT over `select_rows`; `metadata_keys` are what the field `metadata` spreads out into."""
    exported, bind = wanted.exported, _Binder(0)
    bind.values = list(rows[1])
    columns = list(_spread(exported, wanted.fields, metadata_keys))
    written = [_expression(column, bind) for _, column in columns]
    if any(column.form is Form.OBJECT for _, column in columns):
        written += [f"c.{name}" for name in Customer.__struct_fields__]
    direction = "DESC" if wanted.order.startswith("-") else "ASC"
    order = [exported.orders[wanted.order.removeprefix("-")], *exported.tie]
    ordered = ", ".join(f"{one} {direction}" for one in dict.fromkeys(order))
    return Selection(
        f"SELECT {', '.join(written)} {rows[0]} ORDER BY {ordered}",
        bind.values,
        [name for name, _ in columns],
        [column.form for _, column in columns],
        [column.keys for _, column in columns],
    )


def _expression(column: Column, bind: Callable[[object, str], str]) -> str:
    """Write a column; of an object nothing is read here but the columns at the end."""
    return "NULL::text" if column.form is Form.OBJECT else column.sql(bind)


def _spread(exported: Exported, names: Sequence[str], metadata_keys: Sequence[str]) -> list[tuple[str, Column]]:
    found: list[tuple[str, Column]] = []
    for name in names:
        if name != METADATA:
            found.append((name, _column(exported, name)))
            continue
        for key in metadata_keys:
            header = f"{METADATA}.{quoted_key(key)}"
            if header not in names:
                found.append((header, json(exported.metadata, (key,))))
    return found
