"""Removing a key from the metadata of customers, a part of them at a time, through the write path."""

from typing import Final

import msgspec

from rapport.customers import queries
from rapport.customers.schemas import view
from rapport.customers.writes import Unit

BATCH: Final = 500


async def remove_key(unit: Unit, key: str, after: str) -> tuple[str | None, int]:
    """Remove a key from the next customers after this id; segments follow.

    Returns the last customer looked at (None: there are no more), and how many were changed.
    """
    last, found = await queries.next_with_key(unit.conn, unit.project_id, key, after, BATCH)
    changed = 0
    for customer in await unit.lock_all(found) if found else ():
        left = {name: value for name, value in customer.metadata.items() if name != key}
        if len(left) < len(customer.metadata):
            now = msgspec.structs.replace(customer, metadata=left, updated_at=unit.now)
            unit.put(now)
            unit.log("customer.updated", now, {"customer": view(now)})
            changed += 1
    if not found:
        await unit.open()
    return last, changed
