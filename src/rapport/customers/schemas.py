"""Customers on the wire: what comes in, and the object that goes out."""

from datetime import date
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from rapport.core.clock import iso, parse_date
from rapport.core.errors import InvalidPayload
from rapport.core.jsons import check_limits, encode
from rapport.customers.models import ADDRESS_FIELDS, Customer
from rapport.http.caller import check_client_name

MAX_METADATA_KEYS = 1000
# The customer as it was is part of much that is logged about it.
MAX_METADATA_BYTES = 131_072

Text = Annotated[str, Meta(max_length=1024)]
LongText = Annotated[str, Meta(max_length=10_000)]
Identifier = Annotated[str, Meta(min_length=1, max_length=255)]
Metadata = dict[str, Any]


class AddressInput(msgspec.Struct, kw_only=True):
    """The address in a request; what is absent or null stays, what is empty is removed."""

    city: Text | None = None
    state: Text | None = None
    line_1: Text | None = None
    line_2: Text | None = None
    country: Text | None = None
    postal_code: Text | None = None


class _Said(msgspec.Struct, kw_only=True):
    """What a request says about a customer."""

    name: Text | None = None
    description: LongText | None = None
    email: Text | None = None
    phone: Text | None = None
    birthday: str | None = None
    birthdate: str | None = None
    address: AddressInput | None = None
    metadata: Metadata | None = None


class CustomerInput(_Said, kw_only=True):
    """A customer in a request: `Customer` of the reference, plus `source` and `system_metadata` (additions).

    What is absent or null stays as it is, since the official SDK sends null for whatever it was not given; an empty
    text removes the value. `metadata` is merged key by key, and a key that is null is removed.
    """

    id: str | None = None
    source_id: Identifier | None = None
    system_metadata: Metadata | None = None
    source: Annotated[str, Meta(min_length=1, max_length=255)] | None = None

    @property
    def is_named(self) -> bool:
        """Whether the payload says which customer it is about."""
        return self.id is not None or self.source_id is not None

    @property
    def has_data(self) -> bool:
        """Whether the payload says anything about the customer beyond who it is."""
        return any(
            getattr(self, name) is not None for name in self.__struct_fields__ if name not in {"id", "source_id"}
        )


class ClientCustomerInput(_Said, kw_only=True):
    """The customer of a client-side request: named by source id, with what they say about themselves."""

    source_id: Identifier

    def checked(self) -> CustomerInput:
        """Return the same as a server would say it. Raises InvalidPayload for one of our own ids as a source id."""
        check_client_name(self.source_id)
        return CustomerInput(**msgspec.structs.asdict(self))


def _text(change: str | None, current: str | None) -> str | None:
    return current if change is None else change or None


def _merge(current: Metadata, change: Metadata | None, name: str) -> Metadata:
    if change is None:
        return current
    check_limits(change, f".{name}")
    merged = {key: value for key, value in {**current, **change}.items() if value is not None}
    if len(merged) > MAX_METADATA_KEYS:
        raise InvalidPayload(f"Property .{name} has more than {MAX_METADATA_KEYS} keys")
    if len(encode(merged)) > MAX_METADATA_BYTES:
        raise InvalidPayload(f"Property .{name} is longer than {MAX_METADATA_BYTES} bytes")
    return merged


def _birthdate(change: CustomerInput, current: date | None) -> date | None:
    name, value = ("birthday", change.birthday) if change.birthdate is None else ("birthdate", change.birthdate)
    if value is None:
        return current
    if not value:
        return None
    try:
        return parse_date(value)
    except ValueError as error:
        raise InvalidPayload(f"Property .{name} should be a date: YYYY-MM-DD") from error


def _address(change: AddressInput | None, current: dict[str, str]) -> dict[str, str]:
    if change is None:
        return current
    merged = dict(current)
    for name in ADDRESS_FIELDS:
        value = getattr(change, name)
        if value:
            merged[name] = value
        elif value is not None:
            merged.pop(name, None)
    return merged


def apply(change: CustomerInput, current: Customer) -> Customer:
    """Return the customer with a request's values set. Pure; raises InvalidPayload.

    The source id can be given once; later ones are ignored, as the reference does for a payload that also names an id.
    """
    return msgspec.structs.replace(
        current,
        source_id=current.source_id or change.source_id,
        name=_text(change.name, current.name),
        description=_text(change.description, current.description),
        email=_text(change.email, current.email),
        phone=_text(change.phone, current.phone),
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
        "consents": customer.consents,
        "devices": customer.devices,
        "marketing": customer.marketing,
        "in_store": customer.in_store,
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


def client_view(customer: Customer, said: ClientCustomerInput) -> dict[str, Any]:
    """Return what a page is told of a customer it made or changed: an id, and what it said itself."""
    told = {name: getattr(said, name) for name in said.__struct_fields__ if getattr(said, name) is not None}
    if said.address is not None:
        told["address"] = _address(said.address, {}) or None
    return {"id": customer.id, **told, "metadata": told.get("metadata", {}), "object": "customer"}
