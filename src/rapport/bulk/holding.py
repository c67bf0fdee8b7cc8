"""What asynchronous actions and bulk requests hold on a person: found by their rows, or by the values themselves."""

import re
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

import msgspec

from rapport.bulk import queries
from rapport.bulk.kinds import KINDS
from rapport.bulk.models import Failure, Kept
from rapport.core import jsons
from rapport.core.db import Connection
from rapport.customers.holdings import Holding
from rapport.customers.models import Customer

_REMOVED: Final = "(deleted)"
_GONE: Final = Failure("customer_deleted", "Customer deleted", "The customer was deleted for good")
_NAMES: Final = ("id", "source_id", "email", "phone")
# A shorter value is part of much that has nothing to do with the person: it counts only where it names somebody.
_LONG_ENOUGH: Final = 6


def values_of(customer: Customer) -> list[str]:
    """Return what a person is known by, longest first."""
    values = {getattr(customer, name) for name in _NAMES}
    return sorted((one for one in values if one), key=len, reverse=True)


def without(value: Any, values: Sequence[str]) -> Any:
    """Return JSON that has none of the values in its texts and names any more, as whole words. Pure."""
    if isinstance(value, str):
        for one in values:
            if one in value:
                value = re.sub(rf"(?<!\w){re.escape(one)}(?!\w)", _REMOVED, value)
        return value
    if isinstance(value, list):
        return [without(one, values) for one in value]
    if isinstance(value, dict):
        return {without(name, values): without(one, values) for name, one in value.items()}
    return value


def names(row: Kept, customer: Customer) -> bool:
    """Tell whether a thing is about a customer, by what names somebody in it. Pure."""
    is_theirs = row.type not in KINDS or KINDS[row.type].of_people
    if row.customer_id == customer.id or (is_theirs and _same(row.source_id, customer.source_id)):
        return True
    asked = row.input or {}
    if not is_theirs and customer.id in (asked.get("customer_id"), asked.get("referrer_id")):
        return True
    people = [asked] if is_theirs else [asked.get("customer"), asked.get("referrer")]
    return any(
        _same(one.get(name), getattr(customer, name)) for one in people if isinstance(one, dict) for name in _NAMES
    )


def _same(one: object, other: str | None) -> bool:
    return other is not None and one == other


def _words(customer: Customer) -> list[str]:
    return [value for value in values_of(customer) if len(value) >= _LONG_ENOUGH]


async def _about(conn: Connection, project_id: int, customer: Customer, *, lock: bool) -> list[Kept]:
    # As the values stand in the text of JSON.
    sought = [jsons.encode(one).decode()[1:-1] for one in values_of(customer)]
    return await queries.mentioning(conn, project_id, customer.id, sought, lock=lock)


async def gather(conn: Connection, project_id: int, customer: Customer) -> AsyncIterator[dict[str, Any]]:
    """Yield the person's part in bulk requests, those that wait and those that are done, oldest first."""
    for row in await _about(conn, project_id, customer, lock=False):
        if names(row, customer):
            yield {name: value for name, value in msgspec.structs.asdict(row).items() if value is not None}


async def erase(conn: Connection, project_id: int, customer: Customer) -> int:
    """Remove the person from what is asked for, from what came of it, and from what actions remember.

    What is asked for about the person and waits is not done any more.
    """
    words, values = _words(customer), values_of(customer)
    touched = 0
    for row in await _about(conn, project_id, customer, lock=True):
        if names(row, customer):
            error = _GONE if row.input is not None else without(row.error, values)
            changed = msgspec.structs.replace(
                row, input=None, source_id=None, object_id=None, customer_id=None, error=error
            )
        else:
            changed = msgspec.structs.replace(
                row,
                input=without(row.input, words),
                source_id=without(row.source_id, words),
                error=without(row.error, words),
            )
        if changed != row:
            await queries.rewrite(conn, project_id, changed)
            touched += 1
    for action in await queries.lock_actions(conn, project_id, [jsons.encode(one).decode()[1:-1] for one in values]):
        changed_action = msgspec.structs.replace(
            action,
            parameters=without(action.parameters, words),
            cursor=without(action.cursor, words),
            result=None if action.result is None else _result_without(action.result, customer),
        )
        if changed_action != action:
            await queries.rewrite_action(conn, project_id, changed_action)
            touched += 1
    return touched


def _result_without(result: dict[str, Any], customer: Customer) -> dict[str, Any]:
    """Return a result that says nothing of a customer, not even in the failures that are theirs. Pure."""

    def entry(value: Any) -> Any:
        if isinstance(value, dict) and _same(value.get("source_id"), customer.source_id):
            return without(value, values_of(customer))
        return without(value, _words(customer))

    return {
        name: [entry(one) for one in value] if isinstance(value, list) else entry(value)
        for name, value in result.items()
    }


async def move(
    conn: Connection, project_id: int, giver_id: str, taker_id: str, only: Sequence[str] | None = None
) -> list[str]:
    """Give what came of bulk requests for one customer to another."""
    return await queries.move(conn, project_id, giver_id, taker_id, only)


holding = Holding(name="async_actions", gather=gather, erase=erase, move=move, by_text=True)
