"""Messages that people send: a stop word unsubscribes everyone with their address, a start word undoes it."""

import re
from typing import Any

from rapport.consents import queries
from rapport.consents.actions import named, say
from rapport.consents.models import UNSUBSCRIBED, Statement
from rapport.consents.schemas import InboundInput, InboundView, read_at
from rapport.consents.settling import InFlight, settled
from rapport.consents.words import meaning_of
from rapport.core.clock import iso
from rapport.core.errors import InvalidPayload
from rapport.core.jsons import check_limits
from rapport.customers.writes import Unit, Writer
from rapport.http.caller import Caller

AT_ONCE = 100
MIN_DIGITS = 4

_IN_BRACKETS = re.compile(r"<([^<>]+)>")


def _reader(data: InboundInput) -> tuple[Any, str]:
    """Return what finds the customers, and the address they are found by. Raises InvalidPayload."""
    if data.channel == "email":
        found = _IN_BRACKETS.search(data.sender)
        address = (found[1] if found else data.sender).strip()
        if "@" not in address:
            raise InvalidPayload("Property .from should be a mail address")
        return queries.at_email, address
    if data.channel in ("sms", "whatsapp", "phone"):
        if sum(letter in "0123456789" for letter in data.sender) < MIN_DIGITS:
            raise InvalidPayload("Property .from should be a phone number")
        return queries.at_phone, data.sender
    raise InvalidPayload("Property .channel should be one of: email, sms, whatsapp, phone")


async def receive(writer: Writer, caller: Caller, data: InboundInput, in_flight: InFlight) -> InboundView:
    """Do what an inbound message asks for. Raises InvalidPayload.

    Everyone with the address is unsubscribed from the channel before the answer, a hundred to a transaction; cut short,
    the message may be delivered again.
    """
    check_limits([data.sender, data.text, data.id])
    at = read_at(data.at, ".at")
    find, address = _reader(data)
    meaning, word = meaning_of(data.text)
    if meaning is None:
        return InboundView(meaning=None, word=None, customers=0)
    proof = {"from": data.sender, "text": data.text[:500]}
    proof |= {} if data.id is None else {"id": data.id}
    proof |= {} if at is None else {"sent_at": iso(at)}
    statement = Statement(UNSUBSCRIBED, data.channel, meaning == "stop", at, "inbound message", proof)
    found, after, left = 0, "", 0
    while True:
        async with caller.db.read() as conn:
            ids = await find(conn, caller.project_id, address, after, AT_ONCE)
        if not ids:
            break

        async def work(unit: Unit, ids: list[str] = ids) -> int:
            _, names = await named(unit)
            customers = await unit.lock_all(ids)
            for customer in customers:
                await say(unit, customer.id, [statement], names)
            return len(customers)

        found += await writer.commit(caller, work)
        if statement.restricts:
            left += await settled(caller.db, caller.project_id, ids, in_flight)
        after = ids[-1]
    return InboundView(meaning=meaning, word=word, customers=found, messages_in_flight=left)
