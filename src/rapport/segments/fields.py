"""Fields: what a filter can look at, by the path the value has in the customer object, in Python and in SQL."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from rapport.customers.models import ADDRESS_FIELDS, CHANNELS, INTERACTIONS, Customer
from rapport.segments.json_values import Number, elements, instant_of, instant_of_sql, storable
from rapport.segments.times import Day, to_ms

# In bytes: names of fields stand in an index.
MAX_NAME_LENGTH = 1000
MAX_KEYS = 32

Bind = Callable[[object, str], str]
"""Takes a value and its SQL type, returns the placeholder, e.g. `$4::text`."""


class UnknownField(ValueError):
    """No field has this name."""


class Kind(Enum):
    """What a field holds, which decides the operators that apply to it."""

    TEXT = "text"
    NUMBER = "number"
    INSTANT = "instant"
    DATE = "date"
    JSON = "any JSON"
    PRODUCTS = "products"
    SEGMENTS = "segments"
    EVENTS = "events"
    ORDERS = "orders"


@dataclass(frozen=True, slots=True)
class Json:
    """Where JSON is in SQL: a column, the keys that lead on from it, and whether the column itself is a list."""

    column: str
    keys: tuple[str, ...]
    is_list: bool = False


@dataclass(frozen=True, slots=True)
class Field:
    """One field.

    `read` returns the value in Python: a text, a number, milliseconds, a Day (each or None), or a list of JSON
    elements. `sql` writes the value of the row `c` as an expression; `integral` says that it is a bigint. JSON,
    products and numbers inside JSON are found by `json` instead. `event` is the name of the event whose
    collection this is. `attribute` and `key` say what of a Customer is read: an attribute, or one key of the object in
    it; None where it is none of the customer's own.
    """

    path: str
    kind: Kind
    read: Callable[[Any], Any] = field(compare=False, repr=False)
    sql: Callable[[Bind], str] = field(compare=False, repr=False)
    event: str | None = field(default=None, compare=False, repr=False)
    attribute: str | None = field(default=None, compare=False, repr=False)
    key: str | None = field(default=None, compare=False, repr=False)
    json: Json | None = field(default=None, compare=False, repr=False)
    integral: bool = field(default=False, compare=False, repr=False)


def _nowhere(_bind: Bind) -> str:
    return ""


def _column(path: str, kind: Kind, column: str, read: Callable[[Customer], Any], attribute: str) -> Field:
    return Field(path, kind, read, lambda _bind: column, attribute=attribute)


def _text(name: str) -> Field:
    return _column(name, Kind.TEXT, f"c.{name}", lambda customer: getattr(customer, name), name)


def _address(name: str) -> Field:
    return Field(
        f"address.{name}",
        Kind.TEXT,
        lambda customer: customer.address.get(name),
        lambda _bind: f"(c.address ->> '{name}')",
        attribute="address",
        key=name,
    )


def _instant(path: str, column: str, attribute: str) -> Field:
    def read(customer: Customer) -> int | None:
        value = getattr(customer, attribute)
        return None if value is None else to_ms(value)

    return _column(path, Kind.INSTANT, f"c.{column}", read, attribute)


def _birthdate(path: str) -> Field:
    def read(customer: Customer) -> Day | None:
        return None if customer.birthdate is None else Day(customer.birthdate.toordinal())

    return _column(path, Kind.DATE, "c.birthdate", read, "birthdate")


def _number(path: str, attribute: str) -> Field:
    return Field(
        path,
        Kind.NUMBER,
        lambda customer: getattr(customer, attribute),
        lambda _bind: f"c.{attribute}",
        attribute=attribute,
        integral=True,
    )


def _number_at(root: Any, keys: tuple[str, ...]) -> Number:
    found = _value_at(root, keys)
    return found if isinstance(found, Number) and not isinstance(found, bool) else 0


def _counted(path: str, column: str, *keys: str) -> Field:
    """Return a number inside a JSON column of ours; what is not there counts 0."""
    return Field(
        path,
        Kind.NUMBER,
        lambda customer: _number_at(getattr(customer, column), keys),
        _nowhere,
        attribute=column,
        key=keys[0],
        json=Json(f"c.{column}", keys),
    )


def _value_at(root: Any, keys: tuple[str, ...]) -> Any:
    for key in keys:
        root = root.get(key) if isinstance(root, dict) else None
    return root


def _instant_in(path: str, column: str, *keys: str) -> Field:
    """Return an instant inside a JSON column of ours."""
    return Field(
        path,
        Kind.INSTANT,
        lambda customer: instant_of(_value_at(getattr(customer, column), keys)),
        lambda bind: instant_of_sql(f"(c.{column} #>> {bind(list(keys), 'text[]')})"),
        attribute=column,
        key=keys[0],
    )


def _json(path: str, column: str, keys: tuple[str, ...]) -> Field:
    return Field(
        path,
        Kind.JSON,
        lambda customer: elements(getattr(customer, column), keys),
        _nowhere,
        attribute=column,
        key=None if column in _LISTS else keys[0],
        json=Json(f"c.{column}", keys, column in _LISTS),
    )


# The mean is exact, half up: what is left after whole divisions says whether the quotient went towards zero from below.
_AVERAGE_SQL = (
    "CASE WHEN c.orders_count = 0 THEN 0 ELSE "
    "div(2 * c.orders_amount::numeric + c.orders_count, 2 * c.orders_count::numeric) - CASE WHEN "
    "mod(2 * c.orders_amount::numeric + c.orders_count, 2 * c.orders_count::numeric) < 0 THEN 1 ELSE 0 END END"
)
_REDEMPTIONS = (
    *(
        (f"total_{outcome}",)
        for outcome in ("redeemed", "failed", "succeeded", "rolled_back", "rollback_failed", "rollback_succeeded")
    ),
    ("gift", "redeemed_amount"),
    ("gift", "amount_to_go"),
    ("loyalty_card", "redeemed_points"),
    ("loyalty_card", "points_to_go"),
)
_LOYALTY = ("points", "referred_customers")
_PRODUCTS_COLUMN = "last_order_products"
_PRODUCTS = "summary.orders.last_order_products"
# Columns that are lists of objects.
_LISTS = (_PRODUCTS_COLUMN, "devices")
_IN_STORE_NUMBERS = ("visits", "purchases", "amount")
_IN_STORE_INSTANTS = ("first_visit_at", "last_visit_at", "first_purchase_at", "last_purchase_at")

FIXED: Mapping[str, Field] = {
    one.path: one
    for one in (
        *(_text(name) for name in ("id", "source_id", "name", "description", "email", "phone", "source")),
        *(_address(name) for name in ADDRESS_FIELDS),
        _birthdate("birthdate"),
        _birthdate("birthday"),
        _instant("created_at", "created_at", "created_at"),
        _instant("updated_at", "updated_at", "updated_at"),
        _instant("summary.orders.last_order_date", "last_order_at", "last_order_at"),
        _number("summary.orders.total_amount", "orders_amount"),
        _number("summary.orders.total_count", "orders_count"),
        _column(
            "summary.orders.average_amount",
            Kind.NUMBER,
            _AVERAGE_SQL,
            lambda customer: customer.orders_average,
            "orders_average",
        ),
        _number("summary.orders.last_order_amount", "last_order_amount"),
        *(_counted(f"summary.redemptions.{'.'.join(keys)}", "redemptions", *keys) for keys in _REDEMPTIONS),
        *(_counted(f"loyalty.{key}", "loyalty", key) for key in _LOYALTY),
        _counted("referrals.total", "referrals", "total"),
        _json("referrals.campaigns", "referrals", ("campaigns",)),
        Field(
            _PRODUCTS,
            Kind.PRODUCTS,
            lambda customer: elements(customer.last_order_products, ()),
            _nowhere,
            attribute=_PRODUCTS_COLUMN,
            json=Json(f"c.{_PRODUCTS_COLUMN}", (), is_list=True),
        ),
        _json("devices", "devices", ()),
        _counted("in_store.visits.count", "in_store", "visits", "count"),
        _counted("in_store.purchases.count", "in_store", "purchases", "count"),
        _counted("in_store.purchases.amount", "in_store", "purchases", "amount"),
        *(_instant_in(f"in_store.{name}", "in_store", name) for name in _IN_STORE_INSTANTS),
        Field("segments", Kind.SEGMENTS, lambda _customer: (), _nowhere),
        Field("segments.id", Kind.SEGMENTS, lambda _customer: (), _nowhere),
        Field("orders", Kind.ORDERS, lambda _customer: (), _nowhere),
    )
}


def _loyalty_campaign(path: str, rest: str) -> Field:
    name, suffix = _named(rest, _LOYALTY)
    if suffix is None:
        raise UnknownField(path)
    return _counted(path, "loyalty", "campaigns", name, suffix)


def _event(path: str, rest: str) -> Field:
    name, suffix = _named(rest, ("count", "first_at", "last_at"))
    if suffix is None:
        return Field(path, Kind.EVENTS, lambda _customer: (), _nowhere, name)
    if suffix == "count":
        return _counted(path, "events", name, "count")
    return _instant_in(path, "events", name, suffix)


def _interaction(path: str, rest: str) -> Field:
    name, suffix = _named(rest, ("count", "first_at", "last_at"))
    channel, _, kind = name.partition(".")
    if suffix is None or channel not in CHANNELS or kind not in INTERACTIONS:
        raise UnknownField(path)
    if suffix == "count":
        return _counted(path, "marketing", channel, kind, suffix)
    return _instant_in(path, "marketing", channel, kind, suffix)


def _location(path: str, rest: str) -> Field:
    name, suffix = _named(rest, (*_IN_STORE_NUMBERS, *_IN_STORE_INSTANTS))
    if suffix is None:
        raise UnknownField(path)
    if suffix in _IN_STORE_NUMBERS:
        return _counted(path, "in_store", "locations", name, suffix)
    return _instant_in(path, "in_store", "locations", name, suffix)


def _json_in(column: str, *first: str) -> Callable[[str, str], Field]:
    return lambda path, rest: _json(path, column, (*first, *keys_of(rest)))


_Open = Callable[[str, str], Field]
# Prefix of an open family of fields, how its documentation writes it, and how the rest of the name is read.
_FAMILIES: tuple[tuple[str, tuple[str, ...], _Open], ...] = (
    ("metadata.", ("metadata.<path>",), _json_in("metadata")),
    ("system_metadata.", ("system_metadata.<path>",), _json_in("system_metadata")),
    (f"{_PRODUCTS}.", (f"{_PRODUCTS}.<key>",), _json_in(_PRODUCTS_COLUMN)),
    ("referrals.campaigns.", ("referrals.campaigns.<key>",), _json_in("referrals", "campaigns")),
    (
        "loyalty.campaigns.",
        tuple(f"loyalty.campaigns.<name>.{key}" for key in _LOYALTY),
        _loyalty_campaign,
    ),
    # As the reference's examples write it (`get-segment`).
    (
        "loyalty_points.campaigns.",
        tuple(f"loyalty_points.campaigns.<name>.{key}" for key in _LOYALTY),
        _loyalty_campaign,
    ),
    (
        "events.",
        ("events.<name>", *(f"events.<name>.{key}" for key in ("count", "first_at", "last_at"))),
        _event,
    ),
    ("consents.", ("consents.<path>",), _json_in("consents")),
    ("devices.", ("devices.<key>",), _json_in("devices")),
    (
        "marketing.",
        tuple(f"marketing.<channel>.<type>.{key}" for key in ("count", "first_at", "last_at")),
        _interaction,
    ),
    (
        "in_store.locations.",
        tuple(f"in_store.locations.<name>.{key}" for key in (*_IN_STORE_NUMBERS, *_IN_STORE_INSTANTS)),
        _location,
    ),
)
PATTERNS = (*FIXED, *(pattern for _, patterns, _ in _FAMILIES for pattern in patterns))
"""Every field as docs/filters.md writes it."""

_KEY = re.compile(r'"((?:[^"\\]|\\["\\])*)"|([^".][^.]*)')


def _unquoted(found: re.Match[str]) -> str:
    return found[2] if found[1] is None else re.sub(r"\\(.)", r"\1", found[1], flags=re.DOTALL)


def keys_of(text: str) -> tuple[str, ...]:
    """Split `a."b.c".d` into its keys. Raises UnknownField."""
    keys: list[str] = []
    at = 0
    while found := _KEY.match(text, at):
        keys.append(_unquoted(found))
        at = found.end()
        if at == len(text) and len(keys) <= MAX_KEYS:
            return tuple(keys)
        if text[at : at + 1] != ".":
            break
        at += 1
    raise UnknownField(text)


def _named(rest: str, suffixes: tuple[str, ...]) -> tuple[str, str | None]:
    """Split `<name>.<suffix>`; the name may hold dots, and be quoted where it ends like a suffix.

    Raises UnknownField for an empty name.
    """
    name, dot, suffix = rest.rpartition(".")
    if not dot or suffix not in suffixes:
        name, suffix = rest, ""
    quoted = _KEY.fullmatch(name)
    if quoted and quoted[1] is not None:
        name = _unquoted(quoted)
    if not name:
        raise UnknownField(rest)
    return name, suffix or None


def find(path: str) -> Field:
    """Return the field of this name. Raises UnknownField."""
    if path in FIXED:
        return FIXED[path]
    if storable(path) and len(path.encode()) <= MAX_NAME_LENGTH:
        for prefix, _, opened in _FAMILIES:
            if path.startswith(prefix):
                return opened(path, path[len(prefix) :])
    raise UnknownField(path)
