"""What the activity log holds on a person, and how JSON that somebody else keeps is rid of them."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any

from rapport.activity import queries
from rapport.activity.schemas import view
from rapport.core.db import Connection
from rapport.customers.holdings import Holding
from rapport.customers.models import Customer

AT_ONCE = 500
# A shorter value is looked for only as the whole of a text: it may be a part of anything.
_TELLING_LENGTH = 6


def marks(customer: Customer) -> tuple[str, ...]:
    """Return the values that name a person wherever they stand."""
    values = (customer.id, customer.source_id, customer.email, customer.phone)
    return tuple(value for value in values if value)


def words(customer: Customer) -> tuple[str, ...]:
    """Return all texts of a profile that tell something, `marks` first."""
    found = dict.fromkeys(marks(customer))
    parts: list[Any] = [customer.name, customer.description, customer.address, customer.metadata]
    parts.append(customer.system_metadata)
    while parts:
        part = parts.pop()
        if isinstance(part, dict):
            parts += part.values()
        elif isinstance(part, list):
            parts += part
        elif isinstance(part, str) and len(part) >= _TELLING_LENGTH:
            found[part] = None
    return tuple(found)


async def forget_in_others(
    conn: Connection, project_id: int, customer: Customer, other_id: str, since: datetime, until: datetime
) -> int:
    """Take a person's values out of another one's entries of a time when the two were one; return how many changed."""
    named, after, changed = words(customer), -1, 0
    while entries := await queries.lock_between(conn, project_id, other_id, since, until, after, AT_ONCE):
        after = entries[-1][0]
        rewritten = [(entry_id, payload, nameless(payload, named)) for _, entry_id, payload in entries]
        different = [(entry_id, new) for entry_id, old, new in rewritten if new != old]
        await queries.rewrite(conn, project_id, different)
        changed += len(different)
    return changed


def nameless(value: Any, named: Sequence[str]) -> Any:
    """Return JSON with null for what names a person: the customer object, and texts that hold these values. Pure.

    `named` is what `marks` returns: the id is the first.
    """
    if isinstance(value, dict):
        if value.get("object") == "customer" and value.get("id") == named[0]:
            return None
        return {key: nameless(item, named) for key, item in value.items()}
    if isinstance(value, list):
        return [nameless(item, named) for item in value]
    if isinstance(value, str):
        is_named = any(value == one or (len(one) >= _TELLING_LENGTH and one in value) for one in named)
        return None if is_named else value
    return value


async def _gather(conn: Connection, project_id: int, customer: Customer) -> AsyncIterator[dict[str, Any]]:
    async for entry in queries.stream_of_customer(conn, project_id, customer.id):
        yield view(entry)


async def _erase(conn: Connection, project_id: int, customer: Customer) -> int:
    touched = await queries.erase_of_customer(conn, project_id, customer.id)
    named = marks(customer)
    while entries := await queries.lock_mentions(conn, project_id, customer.id, AT_ONCE):
        await queries.rewrite(conn, project_id, [(entry_id, nameless(payload, named)) for entry_id, payload in entries])
        touched += len(entries)
    return touched


async def _move(
    conn: Connection, project_id: int, giver_id: str, taker_id: str, only: Sequence[str] | None = None
) -> list[str]:
    return await queries.move_to_customer(conn, project_id, giver_id, taker_id, only)


holding = Holding("activity", _gather, _erase, _move)
