"""Removing a key from the metadata of products, then of SKUs, a part of them at a time."""

from typing import Final

from rapport.customers.writes import Unit
from rapport.products import queries
from rapport.products.queries import PRODUCT_ROWS, SKU_ROWS

BATCH: Final = 1_000
# Begins where a SKU is the last one looked at; no id has a blank in it.
_SKUS: Final = "skus "


async def remove_key(unit: Unit, key: str, after: str) -> tuple[str | None, int]:
    """Remove a key from the metadata of the next products and SKUs, those in the bin too; counts both.

    Returns where to go on (None: there are no more), and how many were changed.
    """
    await unit.open()
    if not after.startswith(_SKUS):
        last, changed = await queries.remove_key(unit.conn, PRODUCT_ROWS, unit.project_id, key, after, BATCH)
        return last or _SKUS, changed
    last, changed = await queries.remove_key(
        unit.conn, SKU_ROWS, unit.project_id, key, after.removeprefix(_SKUS), BATCH
    )
    return last and _SKUS + last, changed
