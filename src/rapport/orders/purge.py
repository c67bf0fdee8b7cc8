"""Removing a key from the metadata of orders or of their items, a part of them at a time, through the write path."""

from typing import Any, Final

import msgspec

from rapport.core.db import Restart
from rapport.customers.writes import Unit
from rapport.orders import queries
from rapport.orders.actions import Placed, place
from rapport.orders.models import Order

BATCH: Final = 200


def _without(metadata: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in metadata.items() if name != key}


async def remove_key(unit: Unit, key: str, after: str) -> tuple[str | None, int]:
    """Remove a key from the metadata of the next orders after this id; segments follow.

    Returns the last order looked at (None: there are no more), and how many were changed.
    """
    last, found = await queries.next_with_key(unit.conn, unit.project_id, key, after, BATCH)
    for order in await _locked(unit, found):
        changed = msgspec.structs.replace(order, metadata=_without(order.metadata, key))
        await place(unit, Placed(order, changed))
    return last, len(found)


async def remove_item_key(unit: Unit, key: str, after: str) -> tuple[str | None, int]:
    """As `remove_key`, from the metadata of the items of orders; counts orders."""
    last, found = await queries.next_with_item_key(unit.conn, unit.project_id, key, after, BATCH)
    for order in await _locked(unit, found):
        items = [
            {**item, "metadata": _without(item["metadata"], key)} if isinstance(item.get("metadata"), dict) else item
            for item in order.items
        ]
        await place(unit, Placed(order, msgspec.structs.replace(order, items=items)))
    return last, len(found)


async def _locked(unit: Unit, found: list[tuple[str, str | None]]) -> list[Order]:
    """Lock the customers of orders, then the orders. Raises Restart when one has changed hands meanwhile."""
    people = sorted({customer_id for _, customer_id in found if customer_id is not None})
    await unit.lock_all(people)
    orders = []
    for order_id, customer_id in found:
        order = await queries.find(unit.conn, unit.project_id, order_id, lock=True)
        if order is not None and order.customer_id != customer_id:
            raise Restart
        if order is not None:
            orders.append(order)
    return orders
