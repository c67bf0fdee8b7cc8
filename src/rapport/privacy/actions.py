"""Permanent deletion: one transaction after which nothing in the database, and no mail in the outbox, names a person.

The customer's row goes first: whoever is just writing about them is waited for, and whoever comes later finds nobody.
Who was deleted in the plain way before has no row; what is left of them is found by their id.
"""

import asyncio
import hashlib
import hmac
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from rapport.activity import queries as activity
from rapport.core.clock import LATEST, iso
from rapport.core.db import Connection
from rapport.core.errors import NotFound
from rapport.core.ids import new_id
from rapport.customers.activity_holding import words
from rapport.customers.holdings import Holding
from rapport.customers.models import Customer
from rapport.customers.writes import Unit, Writer
from rapport.distributions.messages import providers
from rapport.distributions.messages import queries as messages
from rapport.http.caller import Caller
from rapport.merges.holding import times_as_one
from rapport.merges.queries import kept_of, merged_into, take_time
from rapport.privacy import queries
from rapport.privacy.people import known_before
from rapport.privacy.schemas import DeletedRows, PermanentDeletion
from rapport.projects.queries import get_link_secret
from rapport.segments.history import queries as segments

# What is written about a person who has no row any more is locked row by row: a second look finds what came between.
MAX_LOOKS = 5
_CUSTOMER_ID = re.compile(rb"\bcust_[0-9A-Za-z]+")


async def delete_permanently(
    writer: Writer, caller: Caller, holdings: Sequence[Holding], outbox: Path, reference: str
) -> PermanentDeletion:
    """Erase a person and return the receipt (`customer-permanently-deletion`). Raises NotFound when nothing is left.

    Those who were merged into them are the same person. `outbox`: where mails are, if there is no mail server.
    """

    async def work(unit: Unit) -> PermanentDeletion:
        customer = await unit.find_locked(reference)
        person = customer or await get_left_behind(unit.conn, unit.project_id, holdings, reference)
        await take_time(unit.conn)
        people = [person, *await merged_into(unit.conn, unit.project_id, person.id)]
        before = await _before(unit.conn, unit.project_id, people)
        files = await _files(unit.conn, unit.project_id, people)
        earlier = await known_before(unit.conn, unit.project_id, people)
        if customer is not None:
            await unit.remove(customer)
        erased = await _erase(unit.conn, unit.project_id, holdings, people, earlier)
        receipt = PermanentDeletion(
            id=new_id("del"),
            created_at=iso(unit.now),
            related_object_id=person.id,
            data_json=DeletedRows(
                events=erased["events"],
                orders=before["orders"],
                customer=0 if customer is None else 1,
                daily_events=0,
                segments=before["segments"],
                order_events=before["order_events"],
                customer_events=before["customer_events"],
                holdings=dict(erased),
            ),
        )
        _, secret = await get_link_secret(unit.conn, unit.project_id)
        hashed = hash_of(secret, person.id)
        counts = msgspec.to_builtins(receipt.data_json)
        await queries.insert_receipt(unit.conn, unit.project_id, receipt.id, hashed, counts, unit.now)
        # Before the commit: what is cut short here is done again, what is cut short after it would stay for good.
        await asyncio.to_thread(providers.remove, outbox, files)
        return receipt

    return await writer.commit(caller, work)


def hash_of(secret: bytes, customer_id: str) -> bytes:
    """Return by what a receipt is found by those who know the id and the project's secret. Pure."""
    return hmac.new(secret, f"permanent deletion\n{customer_id}".encode(), hashlib.sha256).digest()


async def names_erased(conn: Connection, project_id: int, answer: bytes) -> bool:
    """Tell whether an answer that is about to be kept names, by id, somebody who has been deleted for good meanwhile.

    Those whom it names are deleted no sooner than this transaction ends, when the answer is found and erased with them.
    """
    named = sorted({one.decode() for one in _CUSTOMER_ID.findall(answer)})
    if not named:
        return False
    missing = set(named) - await queries.hold_customers(conn, project_id, named)
    if not missing:
        return False
    _, secret = await get_link_secret(conn, project_id)
    return await queries.is_erased(conn, project_id, [hash_of(secret, one) for one in missing])


async def get_left_behind(conn: Connection, project_id: int, holdings: Sequence[Holding], customer_id: str) -> Customer:
    """Return a customer who was deleted in the plain way, with what their log still knows of them besides the id.

    Whoever was merged into such a customer is that customer. Raises NotFound where nothing is left.
    """
    person = await _known_by_log(conn, project_id, await kept_of(conn, project_id, customer_id))
    for one in holdings:
        if not one.by_text:
            async for _ in one.gather(conn, project_id, person):
                return person
    raise NotFound("customer", customer_id)


async def _known_by_log(conn: Connection, project_id: int, customer_id: str) -> Customer:
    blank = Customer(id=customer_id, created_at=LATEST, updated_at=LATEST)
    last = await activity.last_entry(conn, project_id, customer_id)
    known: dict[str, Any] = {} if last is None else last.payload.get("customer") or {}
    if known.get("id") != customer_id:
        return blank
    named = {name: known[name] for name in ("source_id", "email", "phone") if isinstance(known.get(name), str)}
    return msgspec.structs.replace(blank, **named)


async def _before(conn: Connection, project_id: int, people: Sequence[Customer]) -> Counter[str]:
    """Return the reference's counts of what is there of a person before it is erased."""
    found: Counter[str] = Counter()
    for one in people:
        order_events, others = await activity.counts_about_customer(conn, project_id, one.id)
        found["order_events"] += order_events
        found["customer_events"] += others
        found["segments"] += await segments.count_of_customer(conn, project_id, one.id)
        found["orders"] += await queries.count_orders(conn, project_id, one.id)
    return found


async def _files(conn: Connection, project_id: int, people: Sequence[Customer]) -> list[str]:
    """Return what mails to the person, also those to another one in a time of an undone merge, are called."""
    found = []
    for one in people:
        found += await messages.handed_over(conn, project_id, one.id)
        for other, since, until in await times_as_one(conn, project_id, one.id):
            found += await messages.list_naming(conn, project_id, other, since, until, list(words(one)))
    return [providers.file_name(message_id, at) for message_id, at in found]


async def _erase(
    conn: Connection,
    project_id: int,
    holdings: Sequence[Holding],
    people: Sequence[Customer],
    earlier: Sequence[Customer],
) -> Counter[str]:
    """Have each feature erase the person until nothing is found any more; return how many rows, by holding.

    By what the person was known `earlier`, only texts are found.
    """
    by_text = [one for one in holdings if one.by_text]
    looks = [(one, holdings) for one in people] + [(one, by_text) for one in earlier]
    erased: Counter[str] = Counter({one.name: 0 for one in holdings})
    for _ in range(MAX_LOOKS):
        found = 0
        for person, looked_at in looks:
            for one in looked_at:
                number = await one.erase(conn, project_id, person)
                erased[one.name] += number
                found += number
        if not found:
            break
    return erased
