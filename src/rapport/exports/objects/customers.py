"""Customers and the members of a segment: the reference's fields, and every path of the customer object."""

from datetime import UTC, date, datetime
from typing import Final

from rapport.customers.models import ADDRESS_FIELDS, Customer
from rapport.customers.schemas import view
from rapport.exports.objects.columns import (
    Bind,
    Column,
    Exported,
    Form,
    Scope,
    instant,
    json,
    json_below,
    number,
    plain,
    text,
)
from rapport.segments.fields import FIXED, keys_of

_REDEMPTIONS = tuple(
    f"total_{outcome}"
    for outcome in ("redeemed", "failed", "succeeded", "rolled_back", "rollback_failed", "rollback_succeeded")
)
_AVERAGE = FIXED["summary.orders.average_amount"].sql
_BIRTHDATE = plain("to_char(c.birthdate, 'YYYY-MM-DD')")
_ORDERS = {
    "total_amount": number("c.orders_amount"),
    "total_count": number("c.orders_count"),
    "average_amount": Column(Form.PLAIN, lambda bind: f"({_AVERAGE(bind)})::text"),
    "last_order_amount": number("coalesce(c.last_order_amount, 0)"),
    "last_order_date": instant("c.last_order_at"),
}
_REFERENCE: Final = {
    **{name: text(f"c.{name}") for name in ("name", "id", "description", "email", "source_id")},
    "created_at": instant("c.created_at"),
    **{f"address_{name}": text(f"(c.address ->> '{name}')") for name in ADDRESS_FIELDS},
    **{f"redemptions_{name}": plain(f"(c.redemptions ->> '{name}')") for name in _REDEMPTIONS},
    **{f"orders_{name}": column for name, column in _ORDERS.items()},
    "loyalty_points": plain("(c.loyalty ->> 'points')"),
    "loyalty_referred_customers": plain("(c.loyalty ->> 'referred_customers')"),
    "updated_at": instant("c.updated_at"),
    "phone": text("c.phone"),
    "birthday": _BIRTHDATE,
    "birthdate": _BIRTHDATE,
}
# The commoner paths of the customer object, read straight from their columns.
_PATHS: Final = {
    "source": text("c.source"),
    **{f"address.{name}": text(f"(c.address ->> '{name}')") for name in ADDRESS_FIELDS},
    **{f"summary.orders.{name}": column for name, column in _ORDERS.items()},
    **{name: json(f"c.{name}") for name in ("system_metadata", "loyalty", "referrals", "events")},
}
_JSON = json_below(
    {
        "metadata.": "c.metadata",
        "system_metadata.": "c.system_metadata",
        "summary.redemptions.": "c.redemptions",
        "loyalty.": "c.loyalty",
        "referrals.": "c.referrals",
        "events.": "c.events",
    }
)
_SAMPLE = Customer("", datetime(2000, 1, 1, tzinfo=UTC), datetime(2000, 1, 1, tzinfo=UTC), "", "", "", "", "", date.min)
_ROOTS = frozenset(view(_SAMPLE))
ORDERS = {name: f"c.{name}" for name in ("name", "id", "email", "source_id", "created_at", "updated_at")}


def _nowhere(_bind: Bind) -> str:
    return ""


def find_field(name: str) -> Column | None:
    """Return the column of a path of the customer object, or None where that has no such part. Raises UnknownField."""
    if name in _PATHS:
        return _PATHS[name]
    found = _JSON(name)
    if found is not None:
        return found
    keys = keys_of(name)
    return Column(Form.OBJECT, _nowhere, keys) if keys[0] in _ROOTS - {"metadata"} else None


CUSTOMERS = Exported(
    source="customers AS c",
    where="c.project_id = $1",
    fields=_REFERENCE,
    defaults=("name", "source_id"),
    orders=ORDERS,
    tie=("c.id",),
    find_field=find_field,
    find_filter=None,
    metadata="c.metadata",
)
MEMBERS = Exported(
    source="segment_members AS m JOIN customers AS c ON c.project_id = $1 AND c.id = m.customer_id",
    where="m.project_id = $1 AND m.entered_at IS NOT NULL",
    fields={**_REFERENCE, "segment_id": text("m.segment_id"), "entered_at": instant("m.entered_at")},
    defaults=("id", "source_id", "entered_at"),
    orders={**ORDERS, "entered_at": "m.entered_at"},
    default_order="-entered_at",
    tie=("c.id",),
    find_field=find_field,
    find_filter=None,
    metadata="c.metadata",
    scope=Scope("segment_id", "m.segment_id", required=True),
)
