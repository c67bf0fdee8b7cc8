"""Removing a key from the metadata of tiers, a part of them at a time."""

from typing import Final

from rapport.customers.writes import Unit
from rapport.promotions import queries

BATCH: Final = 1_000


async def remove_key(unit: Unit, key: str, after: str) -> tuple[str | None, int]:
    """Remove a key from the metadata of the next tiers after this id.

    Returns the last one looked at (None: there are no more), and how many were changed.
    """
    await unit.open()
    return await queries.remove_key(unit.conn, unit.project_id, key, after, BATCH)
