"""What each type of bulk action does with some of its things, in one unit of the write path."""

from collections.abc import Awaitable, Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, cast

from rapport.bulk.models import Failure, Outcome, Waiting
from rapport.bulk.schemas import PastEvent
from rapport.core import jsons
from rapport.core.clock import parse_instant
from rapport.core.errors import DuplicateFound, InvalidPayload, NotFound, RapportError
from rapport.customers.schemas import CustomerInput, Metadata
from rapport.customers.writes import Unit
from rapport.events.actions import Happened
from rapport.events.past import record_new
from rapport.events.schemas import EventView
from rapport.orders.many import place_many
from rapport.orders.schemas import OrderInput
from rapport.vouchers.importing import Brought, bring, tag
from rapport.vouchers.schemas import VoucherInput

BULK_UPDATE: Final = "CUSTOMERS.BULK_UPDATE"
METADATA_UPDATE: Final = "CUSTOMERS.METADATA_UPDATE"
ORDERS_IMPORT: Final = "ORDERS.IMPORT"
EVENTS_IMPORT: Final = "EVENTS.IMPORT"
VOUCHERS_IMPORT: Final = "VOUCHERS.IMPORT"
CAMPAIGN_IMPORT: Final = "CAMPAIGN.VOUCHERS_IMPORT"
VOUCHERS_UPDATE: Final = "VOUCHERS.BULK_UPDATE"
VOUCHERS_METADATA: Final = "VOUCHERS.METADATA_UPDATE"

_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Work:
    """Some things that are done together: what they say, and the source ids of the customers known before."""

    inputs: Sequence[Any]
    known: Collection[str]


@dataclass(frozen=True, slots=True)
class Kind:
    """One type of action.

    `size`: how many things a step takes on. `read`: makes of a row (and the action's parameters) what it says.
    `apply`: does it, all or nothing. `people`: the ids and source ids of the customers that it names. `past`: what it
    tells about happened before, and nobody is written to because of it.
    """

    size: int
    read: Callable[[Waiting, Mapping[str, Any]], Any]
    apply: Callable[[Unit, Work], Awaitable[list[Outcome]]]
    people: Callable[[Any], set[str]]
    past: bool


def event_time(data: PastEvent) -> datetime | None:
    """Return when an event says that it happened. Raises InvalidPayload."""
    if data.created_at is None:
        return None
    try:
        at = parse_instant(data.created_at)
    except ValueError as error:
        raise InvalidPayload("Property .created_at should be a date-time in ISO 8601 format") from error
    if at < _EARLIEST:
        raise InvalidPayload("Property .created_at should not be before 1970")
    return at


def _again(kind: type[Any]) -> Callable[[Waiting, Mapping[str, Any]], Any]:
    """Return what reads a row's input as the struct that it was written from, numbers as a body's are read."""

    def read(row: Waiting, _parameters: Mapping[str, Any]) -> Any:
        return jsons.decoder(cast("Hashable", kind)).decode(jsons.encode(row.input))

    return read


def _tagged(row: Waiting, parameters: Mapping[str, Any]) -> CustomerInput:
    return CustomerInput(source_id=row.source_id, metadata=parameters["metadata"])


async def _upsert(unit: Unit, work: Work) -> list[Outcome]:
    customers = await unit.upsert(*work.inputs)
    return [
        Outcome(found=one.source_id in work.known, updated=True, object_id=one.id, customer_id=one.id)
        for one in customers
    ]


async def _place(unit: Unit, work: Work) -> list[Outcome]:
    found = []
    for one in await place_many(unit, work.inputs):
        if isinstance(one, RapportError):
            raise one
        found.append(
            Outcome(one.before is not None, updated=True, object_id=one.after.id, customer_id=one.after.customer_id)
        )
    return found


async def _record(unit: Unit, work: Work) -> list[Outcome]:
    """Store events; those with an id that are there already are passed over, and so is what they say of customers."""
    happened = [Happened(data, event_time(data), data.id) for data in work.inputs]
    stored = await record_new(unit, happened)
    if any(stored) and any(one.at is not None and one.at > unit.now for one in happened):
        raise InvalidPayload("Property .created_at should not be in the future")
    return [_told(event, data) for event, data in zip(stored, work.inputs, strict=True)]


def _brought(row: Waiting, parameters: Mapping[str, Any]) -> tuple[Brought, str | None]:
    data = jsons.decoder(cast("Hashable", VoucherInput)).decode(jsons.encode(row.input))
    return Brought(data=data), parameters.get("campaign_id")


def _coded(row: Waiting, parameters: Mapping[str, Any]) -> tuple[str, Metadata]:
    """Return a code, and the metadata of its own or those that the request has for all."""
    own = (row.input or {}).get("metadata")
    return row.source_id or "", parameters["metadata"] if own is None else own


async def _bring(unit: Unit, work: Work) -> list[Outcome]:
    """Insert vouchers, each by itself: a code that is taken fails alone."""
    found = await bring(unit, [brought for brought, _ in work.inputs], work.inputs[0][1])
    return [_voucher(one, found=isinstance(one, DuplicateFound)) for one in found]


async def _tag(unit: Unit, work: Work) -> list[Outcome]:
    return [_voucher(one, found=not isinstance(one, NotFound)) for one in await tag(unit, work.inputs)]


def _voucher(one: str | RapportError, *, found: bool) -> Outcome:
    if isinstance(one, str):
        return Outcome(found=found, updated=True, object_id=one)
    return Outcome(found=found, updated=False, error=Failure(one.key, one.message, one.details))


def _told(event: EventView | None, data: PastEvent) -> Outcome:
    if event is None:
        return Outcome(found=True, updated=False, object_id=data.id)
    return Outcome(found=False, updated=True, object_id=event.id, customer_id=event.customer["id"])


def _names(*people: object) -> set[str]:
    named = [(one.id, one.source_id) if isinstance(one, CustomerInput) else (one,) for one in people]
    return {name for names in named for name in names if isinstance(name, str)}


def _nobody(_one: object) -> set[str]:
    return set()


KINDS: Final[Mapping[str, Kind]] = {
    BULK_UPDATE: Kind(100, _again(CustomerInput), _upsert, _names, past=False),
    METADATA_UPDATE: Kind(100, _tagged, _upsert, _names, past=False),
    ORDERS_IMPORT: Kind(
        50,
        _again(OrderInput),
        _place,
        lambda one: _names(one.customer, one.referrer, one.customer_id, one.referrer_id),
        past=True,
    ),
    VOUCHERS_IMPORT: Kind(500, _brought, _bring, _nobody, past=False),
    CAMPAIGN_IMPORT: Kind(500, _brought, _bring, _nobody, past=False),
    VOUCHERS_UPDATE: Kind(100, _coded, _tag, _nobody, past=False),
    VOUCHERS_METADATA: Kind(100, _coded, _tag, _nobody, past=False),
    EVENTS_IMPORT: Kind(100, _again(PastEvent), _record, lambda one: _names(one.customer), past=True),
}
