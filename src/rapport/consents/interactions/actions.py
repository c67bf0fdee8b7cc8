"""Recording what became of messages: counted in the customer, and heeded where it says that nobody wants more."""

from typing import Any

import msgspec

from rapport.consents.actions import Said, named, say
from rapport.consents.interactions import queries
from rapport.consents.interactions.schemas import MAX_METADATA_BYTES, InteractionInput, InteractionRow, view
from rapport.consents.models import UNSUBSCRIBED, Statement
from rapport.consents.schemas import read_at
from rapport.core.clock import iso
from rapport.core.errors import DuplicateFound, InvalidPayload
from rapport.core.jsons import check_limits, encode
from rapport.customers.models import Customer
from rapport.customers.schemas import simple_view
from rapport.customers.writes import Unit, Writer
from rapport.http.caller import Caller


class Recorded(msgspec.Struct, frozen=True):
    """The interaction as it is kept, and what it did to the customer's consents."""

    row: InteractionRow
    said: Said


def counted(customer: Customer, row: InteractionRow) -> Customer:
    """Return the customer with one more interaction. Pure."""
    channel = customer.marketing.get(row.channel, {})
    at = iso(row.at)
    known = channel.get(row.type, {"count": 0, "first_at": at, "last_at": at})
    changed = {
        "count": known["count"] + 1,
        "first_at": min(known["first_at"], at),
        "last_at": max(known["last_at"], at),
    }
    return msgspec.structs.replace(
        customer, marketing={**customer.marketing, row.channel: {**channel, row.type: changed}}
    )


async def keep(unit: Unit, row: InteractionRow) -> bool:
    """Keep an interaction of a locked customer and count it; False if its id is known."""
    if not await queries.insert(unit.conn, unit.project_id, row):
        return False
    unit.put(counted(unit.get(row.customer_id), row))
    return True


def _withdrawn(row: InteractionRow) -> Statement | None:
    """Return what an interaction says about writing again: an address that is dead or complains is left alone."""
    hard = row.type == "bounced" and row.bounce == "hard"
    if not hard and row.type not in ("complained", "unsubscribed"):
        return None
    source = "hard bounce" if hard else {"complained": "complaint"}.get(row.type, "unsubscribed")
    return Statement(UNSUBSCRIBED, row.channel, True, row.at, source, {"interaction_id": row.id})  # noqa: FBT003


def _read(data: InteractionInput) -> tuple[Any, dict[str, Any]]:
    metadata = data.metadata or {}
    check_limits(msgspec.to_builtins(data))
    if len(encode(metadata)) > MAX_METADATA_BYTES:
        raise InvalidPayload(f"Property .metadata is longer than {MAX_METADATA_BYTES} bytes")
    if data.bounce is not None and data.type != "bounced":
        raise InvalidPayload("Property .bounce belongs to the type bounced")
    return read_at(data.at, ".at"), metadata


async def record(writer: Writer, caller: Caller, reference: str, data: InteractionInput) -> Recorded:
    """Record what became of a message. Told again by the same id, it is the same.

    Raises NotFound, InvalidPayload, and DuplicateFound for an id that something else has.
    """
    at, metadata = _read(data)

    async def work(unit: Unit) -> Recorded:
        _, names = await named(unit)
        customer = await unit.get_locked(reference)
        when = unit.now if at is None else min(at, unit.now)
        row = InteractionRow(
            data.id, customer.id, data.channel, data.type, when, unit.now, data.bounce, data.message_id, metadata
        )
        statement = _withdrawn(row)
        if not await keep(unit, row):
            known = await queries.find(unit.conn, unit.project_id, data.id)
            same = (row.customer_id, row.channel, row.type)
            if known is None or (known.customer_id, known.channel, known.type) != same:
                raise DuplicateFound("interaction", data.id)
            return Recorded(known, Said(customer, statement is not None))
        payload: dict[str, Any] = {"customer": simple_view(customer), "interaction": msgspec.structs.asdict(view(row))}
        if data.type == "sent":  # as the reference tells of messages that it sent itself
            payload["sent_at"] = iso(row.at)
        unit.log(f"customer.{data.channel}.{data.type}", customer, payload)
        if statement is None:
            return Recorded(row, Said(unit.get(customer.id), restricted=False))
        return Recorded(row, await say(unit, customer.id, [statement], names))

    return await writer.commit(caller, work)
