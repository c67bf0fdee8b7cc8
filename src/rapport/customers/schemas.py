"""Customers on the wire: what comes in, and the object that goes out."""

from datetime import date
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from rapport.core.clock import iso, parse_date
from rapport.core.errors import InvalidPayload
from rapport.core.jsons import check_limits
from rapport.customers.models import ADDRESS_FIELDS, Customer

MAX_METADATA_KEYS = 1000

Text = Annotated[str, Meta(max_length=1024)]
LongText = Annotated[str, Meta(max_length=10_000)]
Identifier = Annotated[str, Meta(min_length=1, max_length=255)]
Metadata = dict[str, Any]


class AddressInput(msgspec.Struct, kw_only=True):
    """The address in a request; a field that is null is removed, one that is absent stays."""

    city: Text | None | UnsetType = UNSET
    state: Text | None | UnsetType = UNSET
    line_1: Text | None | UnsetType = UNSET
    line_2: Text | None | UnsetType = UNSET
    country: Text | None | UnsetType = UNSET
    postal_code: Text | None | UnsetType = UNSET


class CustomerInput(msgspec.Struct, kw_only=True):
    """A customer in a request: `Customer` of the reference, plus `source` and `system_metadata` (additions).

    What is absent stays as it is; what is null is removed. `metadata` is merged key by key.
    """

    id: str | None | UnsetType = UNSET
    source_id: Identifier | None | UnsetType = UNSET
    name: Text | None | UnsetType = UNSET
    description: LongText | None | UnsetType = UNSET
    email: Text | None | UnsetType = UNSET
    phone: Text | None | UnsetType = UNSET
    birthday: str | None | UnsetType = UNSET
    birthdate: str | None | UnsetType = UNSET
    address: AddressInput | None | UnsetType = UNSET
    metadata: Metadata | None | UnsetType = UNSET
    system_metadata: Metadata | None | UnsetType = UNSET
    source: Annotated[str, Meta(min_length=1, max_length=255)] | UnsetType = UNSET

    @property
    def is_named(self) -> bool:
        """Whether the payload says which customer it is about."""
        return isinstance(self.id, str) or isinstance(self.source_id, str)

    @property
    def has_data(self) -> bool:
        """Whether the payload says anything about the customer beyond who it is."""
        return any(
            getattr(self, name) is not UNSET for name in self.__struct_fields__ if name not in {"id", "source_id"}
        )


def _merge(current: Metadata, change: Metadata | None | UnsetType, name: str) -> Metadata:
    if change is UNSET:
        return current
    if change is None:
        return {}
    check_limits(change, f".{name}")
    merged = {key: value for key, value in {**current, **change}.items() if value is not None}
    if len(merged) > MAX_METADATA_KEYS:
        raise InvalidPayload(f"Property .{name} has more than {MAX_METADATA_KEYS} keys")
    return merged


def _birthdate(change: CustomerInput, current: date | None) -> date | None:
    name, value = ("birthdate", change.birthdate) if change.birthdate is not UNSET else ("birthday", change.birthday)
    if value is UNSET:
        return current
    if value is None:
        return None
    try:
        return parse_date(value)
    except ValueError as error:
        raise InvalidPayload(f"Property .{name} should be a date: YYYY-MM-DD") from error


def _address(change: AddressInput | None | UnsetType, current: dict[str, str]) -> dict[str, str]:
    if change is UNSET:
        return current
    if change is None:
        return {}
    values = {name: getattr(change, name) for name in ADDRESS_FIELDS}
    merged = {name: current.get(name) if value is UNSET else value for name, value in values.items()}
    return {name: value for name, value in merged.items() if value is not None}


def apply(change: CustomerInput, current: Customer) -> Customer:
    """Return the customer with a request's values set. Pure; raises InvalidPayload.

    The source id can be given once; later ones are ignored, as the reference does for a payload that also names an id.
    """

    def text(name: str) -> str | None:
        value: str | UnsetType | None = getattr(change, name)
        old: str | None = getattr(current, name)
        return old if isinstance(value, UnsetType) else value

    return msgspec.structs.replace(
        current,
        source_id=current.source_id or (None if change.source_id is UNSET else change.source_id),
        name=text("name"),
        description=text("description"),
        email=text("email"),
        phone=text("phone"),
        birthdate=_birthdate(change, current.birthdate),
        address=_address(change.address, current.address),
        metadata=_merge(current.metadata, change.metadata, "metadata"),
        system_metadata=_merge(current.system_metadata, change.system_metadata, "system_metadata"),
    )


def _orders(customer: Customer) -> dict[str, Any]:
    orders: dict[str, Any] = {
        "total_amount": customer.orders_amount,
        "total_count": customer.orders_count,
        "average_amount": customer.orders_average,
        "last_order_amount": customer.last_order_amount or 0,
    }
    if customer.last_order_at is not None:
        orders["last_order_date"] = iso(customer.last_order_at)
        orders["last_order_products"] = customer.last_order_products
    return orders


def view(customer: Customer) -> dict[str, Any]:
    """Return the API's customer object (`CustomerWithSummaryLoyaltyReferrals`), `source` and `events` added."""
    shown: dict[str, Any] = {"id": customer.id}
    for name in ("source_id", "name", "description", "email", "phone"):
        value = getattr(customer, name)
        if value is not None:
            shown[name] = value
    if customer.birthdate is not None:
        shown["birthdate"] = shown["birthday"] = customer.birthdate.isoformat()
    shown |= {
        "address": customer.address or None,
        "summary": {"redemptions": customer.redemptions, "orders": _orders(customer)},
        "loyalty": customer.loyalty,
        "referrals": customer.referrals,
        "metadata": customer.metadata,
        "system_metadata": customer.system_metadata,
        "source": customer.source,
        "events": customer.events,
        "created_at": iso(customer.created_at),
        "updated_at": iso(customer.updated_at),
        "object": "customer",
    }
    return shown


def simple_view(customer: Customer) -> dict[str, Any]:
    """Return the `SimpleCustomer` of the API, as events, publications and redemptions carry it."""
    shown: dict[str, Any] = {"id": customer.id}
    for name in ("source_id", "name", "email"):
        value = getattr(customer, name)
        if value is not None:
            shown[name] = value
    return shown | {"metadata": customer.metadata, "object": "customer"}
