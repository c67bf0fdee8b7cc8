"""Consents on the wire."""

import re
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from rapport.consents.models import (
    UNSUBSCRIBED,
    UNSUBSCRIBED_CATEGORY,
    UNSUBSCRIBED_NAME,
    Change,
    Definition,
    Statement,
)
from rapport.core.clock import iso, parse_instant
from rapport.core.errors import InvalidPayload, NotFound
from rapport.core.jsons import check_limits, encode
from rapport.customers.models import CHANNELS, Channel, Customer
from rapport.http.answers import Instant
from rapport.http.errors import payload_error

MAX_NAMED = 100
MAX_PROOF_BYTES = 4_096

Name = Annotated[str, Meta(min_length=1, max_length=255)]
Channels = Annotated[list[Channel], Meta(min_length=1, max_length=len(CHANNELS))]
Source = Annotated[str, Meta(min_length=1, max_length=255)]


class DefinitionInput(msgspec.Struct, kw_only=True):
    """A new consent, or what is to change about one: then what is absent stays."""

    name: Name | UnsetType = UNSET
    category: Name | None | UnsetType = UNSET
    description: Annotated[str, Meta(max_length=1_000)] | None | UnsetType = UNSET
    channels: Channels | None | UnsetType = UNSET


class ConsentInput(msgspec.Struct, kw_only=True):
    """What is said about one consent, with how and when: an addition to the reference's plain yes or no."""

    given: bool
    channels: Channels | None = None
    source: Source | None = None
    proof: dict[str, Any] | None = None
    at: str | None = None


_Count = Meta(min_length=1, max_length=MAX_NAMED)
ConsentsInput = Annotated[dict[str, bool | ConsentInput], _Count] | Annotated[list[Name], _Count]
"""Consents by id or name: a yes or no each; or a list of those that are given."""


class ConsentsBody(msgspec.Struct, kw_only=True):
    """The same, under a name of its own."""

    consents: ConsentsInput


class ConsentView(msgspec.Struct, kw_only=True):
    """One consent that a project asks for: as the older reference had it, then what we add."""

    id: str
    name: str
    category: str | None
    created_at: str
    object: str = "consent"
    description: str | None = None
    channels: list[str] | None = None
    updated_at: str | None = None


class ConsentsView(msgspec.Struct, kw_only=True):
    """All consents of a project."""

    consents: list[ConsentView]
    total: int
    object: str = "list"
    data_ref: str = "consents"


class CustomerConsentsView(msgspec.Struct, kw_only=True):
    """What a customer's consents are now.

    `messages_in_flight`: how many messages that were begun before a withdrawal are still being handed over, after we
    waited for them; nearly always 0.
    """

    id: str
    source_id: str | None
    consents: dict[str, Any]
    messages_in_flight: int = 0
    object: str = "customer_consents"


class InboundInput(msgspec.Struct, kw_only=True):
    """A message that somebody sent to the shop; `id` is its provider's."""

    channel: Channel
    sender: Annotated[str, Meta(min_length=3, max_length=400)] = msgspec.field(name="from")
    text: Annotated[str, Meta(max_length=10_000)]
    id: Annotated[str, Meta(min_length=1, max_length=255)] | None = None
    at: str | None = None


class InboundView(msgspec.Struct, kw_only=True):
    """What an inbound message meant (stop, start, or nothing), and how many customers it was from."""

    meaning: str | None
    word: str | None
    customers: int
    messages_in_flight: int = 0
    object: str = "inbound_message"


def read_at(text: str | None, place: str) -> Any:
    """Return the instant of an ISO 8601 text, or None. Raises InvalidPayload."""
    if text is None:
        return None
    try:
        return parse_instant(text)
    except ValueError as error:
        raise InvalidPayload(f"Property {place} should be a date-time in ISO 8601 format") from error


def _proof(proof: dict[str, Any] | None, place: str) -> dict[str, Any] | None:
    if proof is None:
        return None
    check_limits(proof, place)
    if len(encode(proof)) > MAX_PROOF_BYTES:
        raise InvalidPayload(f"Property {place} is longer than {MAX_PROOF_BYTES} bytes")
    return proof


def read_consents(raw: Any) -> dict[str, ConsentInput]:
    """Return what a body says about each consent it names, in any of its forms. Raises InvalidPayload.

    The forms of the older reference: `{"cnst_…": true, "unsubscribed": false}` and `["cnst_…"]`; ours: for each consent
    an object, and the whole under `consents`.
    """
    if isinstance(raw, dict) and isinstance(raw.get("consents"), dict | list):
        raw = raw["consents"]
    if isinstance(raw, list):
        raw = dict.fromkeys(_read(raw, list[Name], ""), True)
    if not 1 <= len(raw) <= MAX_NAMED:
        raise InvalidPayload(f"The body should name 1 to {MAX_NAMED} consents")
    check_limits(list(raw))
    said = {name: _read(one, bool | ConsentInput, f".{name}") for name, one in raw.items()}
    return {name: ConsentInput(given=one) if isinstance(one, bool) else one for name, one in said.items()}


def _read(raw: Any, kind: Any, place: str) -> Any:
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        details = re.sub(r"roperty \.(?=\w)", lambda _: f"roperty {place}.", payload_error(error).details, count=1)
        details = re.sub(r"roperty \.(?= |$|:)", lambda _: f"roperty {place or '.'}", details, count=1)
        raise InvalidPayload(details) from error


def statements(said: dict[str, ConsentInput], known: list[Definition]) -> list[Statement]:
    """Return the statements that a request makes about consents of the project. Pure; raises NotFound, InvalidPayload.

    A consent is named by id or by name.
    """
    by_name = {one.name: one for one in known} | {one.id: one for one in known}
    found = []
    for name, one in said.items():
        definition = by_name.get(name)
        if definition is None and name != UNSUBSCRIBED:
            raise NotFound("consent", name)
        at, proof = read_at(one.at, f".{name}.at"), _proof(one.proof, f".{name}.proof")
        check_limits(one.source, f".{name}.source")
        allowed = None if definition is None else definition.channels
        channels: list[Channel] | list[None] = list(dict.fromkeys(one.channels)) if one.channels else [None]
        for channel in channels:
            if channel is not None and allowed is not None and channel not in allowed:
                raise InvalidPayload(f"Property .{name}.channels: the consent is about {', '.join(allowed)} only")
            consent_id = UNSUBSCRIBED if definition is None else definition.id
            found.append(Statement(consent_id, channel, one.given, at, one.source, proof))
    return found


def unsubscribed_definition(created_at: Any) -> Definition:
    """Return the consent that every project has."""
    return Definition(UNSUBSCRIBED, UNSUBSCRIBED_NAME, UNSUBSCRIBED_CATEGORY, None, None, created_at)


def view(definition: Definition) -> ConsentView:
    """Return the consent object of the API."""
    return ConsentView(
        id=definition.id,
        name=definition.name,
        category=definition.category,
        created_at=iso(definition.created_at),
        description=definition.description,
        channels=definition.channels,
        updated_at=None if definition.updated_at is None else iso(definition.updated_at),
    )


def customer_view(customer: Customer, in_flight: int = 0) -> CustomerConsentsView:
    """Return a customer's consents."""
    return CustomerConsentsView(
        id=customer.id, source_id=customer.source_id, consents=customer.consents, messages_in_flight=in_flight
    )


class ConsentChange(msgspec.Struct, kw_only=True):
    """What a customer said once about a consent; `applied` is false where something newer was known already."""

    id: str
    consent_id: str
    channel: str | None
    given: bool
    at: Instant
    recorded_at: Instant
    applied: bool
    source: str | None
    proof: dict[str, Any] | None
    event_source: dict[str, Any]
    group_id: str
    object: Literal["consent_change"]


class ConsentHistory(msgspec.Struct, kw_only=True):
    """A page of what a customer said about consents, and the `consents` as they are now."""

    object: Literal["list"]
    data_ref: Literal["data"]
    data: list[ConsentChange]
    total: int
    has_more: bool
    consents: dict[str, dict[str, Any]]


def change_view(change: Change) -> dict[str, Any]:
    """Return one entry of the history."""
    return {
        **msgspec.structs.asdict(change),
        "at": iso(change.at),
        "recorded_at": iso(change.recorded_at),
        "object": "consent_change",
    }
